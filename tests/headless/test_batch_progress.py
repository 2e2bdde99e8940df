"""The progress line of a batch tells of documents and of money."""

from msgspec.structs import replace

from tui.core.batch_view import BatchView, Projection
from tui.core.snapshot import Cost, Counts, RunView, Snapshot
from tui.headless import progress_line

BATCH = BatchView(
    read=1_260, documents=2_000, done=1_204, failed=3, projection=Projection(1.95, 2.1, 2.3), budget_usd=2.5
)
RUNS = Snapshot(
    at=0,
    run=RunView("batch", "m", "host/v1", started_at=0, phase="running"),
    counts=Counts(streaming=5, done=1_300, failed=4),
    cost=Cost("0.84", "billed by usage"),
    batch=BATCH,
)


def test_documents_and_money_are_told() -> None:
    assert progress_line(RUNS) == (
        "00:00 · 1,207/2,000 documents · 3 failed · 5 streaming · 0 rpm · 0.0 tok/s · "
        "$0.8400 spent of $2.50, $2.10 [1.95–2.30] projected"
    )


def test_what_is_not_known_is_left_out() -> None:
    line = progress_line(replace(RUNS, batch=BatchView(read=9, done=7)))
    assert "· 7 documents, 9 read · 5 streaming" in line
    assert line.endswith("$0.8400 spent")
    assert "failed" not in line
