"""The record of one run: its folder, its journal, and that a call is shown as ended once that is on the disk.

With each call goes the trace of its life, and about once a second what was stated of the run: a replay tells it all.
Tokens that no server counted are counted before a call goes on record. Decides nothing about the run: an error
is told to whoever runs it, once.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tui.core.call_trace import trace_of
from tui.core.calls import CallPlan
from tui.core.clock import NS_PER_S
from tui.core.entries import CallEntry
from tui.core.errors import RecordError, UsageError
from tui.core.fact_log import FactLog
from tui.core.facts import CallFact, Fact, Finished
from tui.core.ledger import Ledger
from tui.core.money import Price
from tui.core.record_of import record_of, without_text
from tui.engine.attempt import Emit
from tui.engine.call import Ending
from tui.engine.setup import RunSetup
from tui.engine.tokens import TokenDesk, missing_counts
from tui.files.export import write_calls_jsonl, write_summary_json
from tui.files.journal import Journal
from tui.files.run_folder import create_run_folder

MOST_COUNTED_AT_ONCE = 256
"""Ended calls that may wait for their tokens to be counted before dispatch waits for them."""
RUN_LOG_NS = NS_PER_S
"""What was stated of the run is written so often: a crash loses no more of it, and of ended calls nothing."""


class RunRecord:
    """Where ended calls go. Without a folder (`RunSetup.out` is None) they are only stated as ended."""

    def __init__(
        self,
        setup: RunSetup,
        ledger: Ledger,
        tokens: TokenDesk,
        emit: Emit,
        on_failed: Callable[[RecordError], None],
    ) -> None:
        self.folder: Path | None = None
        self.error: RecordError | None = None
        """Why it is not whole."""
        self._setup = setup
        self._ledger = ledger
        self._tokens = tokens
        self._emit = emit
        self._on_failed = on_failed
        self._journal: Journal | None = None
        self._log: FactLog | None = None
        """While there is a journal to write it to."""
        self._logged_at: int | None = None
        self._counting: set[asyncio.Task[None]] = set()
        self._uncommitted = 0
        self._all_committed = asyncio.Event()
        self._all_committed.set()

    def open(self, transport: str) -> None:
        """Make folder and journal; UsageError when that cannot be. `transport` says how requests will travel."""
        setup = self._setup
        if setup.out is None:
            return
        self.folder = create_run_folder(setup.out, setup.job, setup.model, datetime.now())
        self._journal = Journal.create(
            self.folder / "journal.db",
            {
                "job": setup.job,
                "model": setup.model,
                "base_url": setup.endpoint.base_url,
                "endpoint": setup.endpoint.shown,
                "started": datetime.now(UTC).isoformat(),
                "planned": setup.planned,
                "concurrency": setup.concurrency,
                "rpm": setup.rpm,
                "tpm": setup.tpm,
                "burst": setup.burst,
                "seed": setup.seed,
                "transport": transport,
                "duration_s": setup.duration_s,
                "keep_text": setup.keep_text,
                "objectives_ns": None
                if setup.objectives is None
                else {objective.name: objective.most_ns for objective in setup.objectives.each},
                **(setup.notes if setup.keep_text else _notes_without_text(setup.notes)),
            },
        )
        self._log = FactLog()

    def hear(self, fact: Fact) -> None:
        """Take in a fact that was folded just now, for those who replay the run."""
        if self._log is None or self._journal is None:
            return
        pieces = 0
        if isinstance(fact, CallFact) and (attempts := self._ledger.calls[fact.call].attempts):
            pieces = len(attempts[-1].arrivals.times)
        self._log.hear(fact, pieces)
        if self._logged_at is None or fact.at - self._logged_at >= RUN_LOG_NS:
            self._logged_at = fact.at
            loop = asyncio.get_running_loop()
            self._write_log(self._log, lambda error: _call_soon(loop, self._log_lost, error))

    def _write_log(self, log: FactLog, on_error: Callable[[RecordError], None] | None = None) -> None:
        chunk = log.take_run()
        if chunk is not None and self._journal is not None:
            self._journal.log_run(msgspec.msgpack.encode(chunk), on_error)

    async def room(self) -> None:
        """The record holds the next dispatch back, never a stream; one that has failed stops dispatch for good."""
        while len(self._counting) >= MOST_COUNTED_AT_ONCE:
            await asyncio.wait(self._counting, return_when=asyncio.FIRST_COMPLETED)
        if self._journal is not None:
            with suppress(RecordError):  # told by `_not_recorded`, which also drains
                await self._journal.room()

    async def finish(self, plan: CallPlan, ending: Ending) -> None:
        """Put an ended call on record, and state it as ended once it is there."""
        self._uncommitted += 1
        self._all_committed.clear()
        if missing_counts(self._ledger.calls[plan.id]):
            # Beside the slot, which takes its next call at once: counting is our affair, not the server's pace.
            task = asyncio.create_task(self._count_and_record(plan, ending))
            self._counting.add(task)
            task.add_done_callback(self._counting.discard)
        else:
            self._record(plan, ending)

    async def all_committed(self) -> None:
        """Wait until every ended call is stated as such."""
        await self._all_committed.wait()

    def close(self, figures: dict[str, Any], interrupted: bool, price: Price | None) -> None:
        """Write the run's end and the exports; waits for the disk, so call it in a thread."""
        journal, folder = self._journal, self.folder
        if journal is None or folder is None:
            return
        fields = {
            "ended": datetime.now(UTC).isoformat(),
            "interrupted": interrupted,
            "price": price.to_dict() if price is not None else None,
            "summary": figures,
        }
        if self._setup.planned is not None:  # and what was asked for again
            fields["planned"] = len(self._ledger.calls) + figures["never_sent"] - self._ledger.withdrawn
        # Each by itself: on a full disk the summary may still fit where the calls do not.
        log, self._log = self._log, None
        steps: tuple[Callable[[], None], ...] = (
            partial(self._write_log, log) if log is not None else lambda: None,
            partial(journal.set_run, fields),
            journal.close,
            partial(write_calls_jsonl, journal.path, folder / "calls.jsonl", price),
            partial(write_summary_json, folder / "summary.json", figures),
        )
        for step in steps:
            try:
                step()
            except (RecordError, UsageError) as error:
                self.error = self.error or RecordError(str(error))
        if journal.error is not None:
            self.error = self.error or journal.error

    async def _count_and_record(self, plan: CallPlan, ending: Ending) -> None:
        await self._tokens.count_missing(plan, self._ledger.calls[plan.id], self._emit)
        self._record(plan, ending)

    def _record(self, plan: CallPlan, ending: Ending) -> None:
        entry = self._ledger.calls[plan.id]
        fact = Finished(plan.id, ending.at, ending.state, ending.error)
        if self._journal is None:
            _forget_arrivals(entry)
            self._recorded(fact)
            return
        started_at = self._ledger.started_at
        assert started_at is not None
        keep_text = self._setup.keep_text
        record = record_of(plan, entry, ending.state, ending.error, self._setup.endpoint.origin, started_at, keep_text)
        if self._log is not None:
            record = replace(record, trace=trace_of(entry, self._log.take_call(fact), record, keep_text))
        _forget_arrivals(entry)
        loop = asyncio.get_running_loop()

        def recorded() -> None:
            loop.call_soon_threadsafe(self._recorded, fact)

        def not_recorded(error: RecordError) -> None:
            loop.call_soon_threadsafe(self._not_recorded, fact, error)

        # A call is shown as ended once that is on the disk.
        self._journal.append(record, recorded, not_recorded)

    def _recorded(self, fact: Finished) -> None:
        self._emit(fact)
        self._uncommitted -= 1
        if not self._uncommitted:
            self._all_committed.set()

    def _not_recorded(self, fact: Finished, error: RecordError) -> None:
        self._log_lost(error)
        self._recorded(fact)

    def _log_lost(self, error: RecordError) -> None:
        if self.error is None:
            self.error = error
            self._on_failed(error)


def _notes_without_text(notes: dict[str, Any]) -> dict[str, Any]:
    kept = {name: note for name, note in notes.items() if name not in ("system", "params")}
    params = notes.get("params")
    return {**kept, "params": without_text(params)} if isinstance(params, dict) else kept


def _forget_arrivals(entry: CallEntry) -> None:
    for attempt in entry.attempts:
        attempt.forget_arrivals()


def _call_soon(loop: asyncio.AbstractEventLoop, what: Callable[[RecordError], None], error: RecordError) -> None:
    loop.call_soon_threadsafe(what, error)
