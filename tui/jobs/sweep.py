"""A sweep: one run for each value, one after the other, behind one Session. Which values, and what runs, it is told."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from tui.core.commands import AnyCommand, Drain, Stop, Watch
from tui.core.figures import exact
from tui.core.snapshot import Snapshot
from tui.core.sweep import Kind, Sweep
from tui.engine.host import Host


@dataclass(frozen=True, slots=True)
class Step:
    """One run of a sweep."""

    kind: Kind
    value: int
    number: int
    """Counts from 1."""
    of: int
    began: str
    """When the sweep began, ISO 8601 in UTC: the same in the record of each of its runs, which tells that they
    belong together."""

    @property
    def title(self) -> str:
        """`sweep 2/4: concurrency 4`."""
        return f"sweep {self.number}/{self.of}: {self.kind} {exact(self.value)}"

    def notes(self) -> dict[str, Any]:
        """For the record of the run, and its summary."""
        return {"kind": self.kind, "value": self.value, "number": self.number, "of": self.of, "began": self.began}


def steps_of(sweep: Sweep) -> list[Step]:
    """Its runs, in order."""
    began = datetime.now(UTC).isoformat(timespec="milliseconds")
    return [Step(sweep.kind, value, n, len(sweep.values), began) for n, value in enumerate(sweep.values, start=1)]


class SweepSession:
    """The runs of a sweep as one Session: what is seen and steered is the one that runs.

    Calls are numbered through, so that a number is one call in the whole sweep. Who drains or stops a run, stops the
    sweep.
    """

    def __init__(self, steps: Sequence[Step], make: Callable[[Step, int], Host]) -> None:
        """`make(step, first)` makes a run whose first call gets the number `first`."""
        self._steps = steps
        self._make = make
        self._watch: Watch | None = None
        self.interrupted = False
        """Somebody stopped it before its end."""
        self.step = steps[0]
        """The run that is seen."""
        self.host = make(self.step, 1)

    @property
    def latest(self) -> Snapshot:
        """The run that is seen, under its step's title; only the last one counts as finished."""
        picture = self.host.latest
        run = replace(picture.run, job=self.step.title)
        if run.phase == "finished" and not self._is_last:
            run = replace(run, phase="running", ended_at=None)
        return replace(picture, run=run)

    def send(self, command: AnyCommand) -> None:
        """Obey a command, for the run that is seen; the next one shows what this one was to show."""
        if isinstance(command, Watch):
            self._watch = command
        elif isinstance(command, Drain | Stop) and not (self._is_last and self.host.ledger.ended_at is not None):
            self.interrupted = True
        self.host.send(command)

    def open(self) -> None:
        """What may fail of the first run for a reason of the user's: raises UsageError."""
        self.host.open()

    async def runs(self, begins: Callable[[Step, Host], None]) -> AsyncIterator[tuple[Step, Host]]:
        """Run them after `open`; hand each over as it ends, before the next one begins. UsageError as `open`.

        `begins` hears of each before its first call. One whose record or corpus failed is the last.
        """
        first = 1
        for step in self._steps:
            if step is not self.step:
                self._go_on_to(step, first)
            host = self.host
            begins(step, host)
            await host.run()
            yield step, host
            if self.interrupted or host.record_error is not None or host.corpus_error is not None:
                return
            first = max(host.ledger.calls, default=first - 1) + 1

    def _go_on_to(self, step: Step, first: int) -> None:
        host = self._make(step, first)
        host.open()
        self.step, self.host = step, host
        if self._watch is not None:
            host.send(self._watch)

    @property
    def _is_last(self) -> bool:
        return self.interrupted or self.step is self._steps[-1]
