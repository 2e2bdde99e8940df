"""A made-up run that is a batch: documents, money, and a document of several calls."""

from dataclasses import dataclass, field

from fake_session import FakeSession
from msgspec.structs import replace

from tui.core.batch_view import BatchView, FamilyView, Projection, Relative
from tui.core.calls import State
from tui.core.snapshot import Cost, Pane, Snapshot

BATCH = BatchView(
    read=1_260,
    documents=2_000,
    done=1_204,
    failed=3,
    reused=40,
    shared=12,
    cut=2,
    projection=Projection(1.95, 2.1, 2.3),
    budget_usd=2.5,
)
SPENT = Cost("0.84", "billed by usage")

FAMILY = FamilyView(
    "notes/long.md",
    0,
    (
        *(Relative(f"notes/long.md · {n}/5", 0, n, 5, State.DONE, n, 60) for n in range(1, 5)),
        Relative("notes/long.md · 5/5", 0, 5, 5, State.STREAMING, 5, 12),
        Relative("notes/long.md · reduce 1/2", 1, 1, 2, None, None, 0, (1, 2, 3)),
        Relative("notes/long.md · reduce 2/2", 1, 2, 2, None, None, 0, (4, 5)),
    ),
)


def as_batch(snapshot: Snapshot, batch: BatchView = BATCH, **run: object) -> Snapshot:
    """The same picture, of a batch."""
    return replace(snapshot, run=replace(snapshot.run, **{"job": "batch", **run}), batch=batch, cost=SPENT)


def a_name(pane: Pane) -> str:
    return f"reports/2026/quarter-{pane.call % 4 + 1}/{pane.call:03d}-river.md"


@dataclass
class BatchSession(FakeSession):
    """A session whose run is a batch."""

    batch: BatchView = BATCH
    run: dict[str, object] = field(default_factory=dict)
    family: FamilyView | None = FAMILY

    def go(self, t_s: float) -> Snapshot:
        made = as_batch(super().go(t_s), self.batch, **self.run)
        focus = made.focus
        if focus is not None:
            family = self.family if focus.pane.call <= 5 else None
            focus = replace(focus, pane=replace(focus.pane, prompt=a_name(focus.pane)), family=family)
        self.latest = replace(
            made,
            panes=[replace(pane, prompt=a_name(pane)) for pane in made.panes],
            rows=[replace(row, prompt=a_name(row)) for row in made.rows],
            bars=[replace(bar, prompt=a_name(bar)) for bar in made.bars],
            focus=focus,
        )
        return self.latest
