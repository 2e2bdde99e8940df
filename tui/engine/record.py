"""The record of one run: its folder, its journal, and that a call is shown as ended once that is on the disk.

With each call goes the trace of its life, and about once a second what was stated of the run: a replay tells it all.
Tokens that no server counted are counted before a call goes on record. Decides nothing about the run: an error
is told to whoever runs it, once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tui.core.call_trace import reworded, trace_of
from tui.core.calls import CallPlan
from tui.core.clock import NS_PER_S
from tui.core.entries import CallEntry
from tui.core.errors import RecordError, UsageError
from tui.core.fact_log import FactLog
from tui.core.facts import CallFact, Fact, Finished, Queued, RunFact
from tui.core.ledger import Ledger
from tui.core.lookup import whole_at
from tui.core.money import Price
from tui.core.record_of import masked, record_of, saying, without_text
from tui.core.records import CallRecord
from tui.core.secrets import Mask
from tui.core.unprompted import without_prompt
from tui.core.untrusted import clean_line
from tui.engine.attempt import Emit
from tui.engine.call import Ending
from tui.engine.open_run import OpenRun
from tui.engine.setup import RunSetup
from tui.engine.tokens import TokenDesk, missing_counts
from tui.files.export import write_calls_jsonl, write_summary_json
from tui.files.journal import Journal
from tui.files.run_folder import create_run_folder

MOST_COUNTED_AT_ONCE = 256
"""Ended calls that may wait for their tokens to be counted before dispatch waits for them."""
CLOCK = "clock_ns"
"""The run's field that says when it started, on the monotonic clock of its first session."""
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
        on_recorded: Callable[[CallPlan, CallRecord], None] = lambda plan, record: None,
    ) -> None:
        """`on_failed` hears why the record is not whole, once; `on_recorded` of each call that is on the disk."""
        self.folder: Path | None = None
        self.error: RecordError | None = None
        """Why it is not whole."""
        self._setup = setup
        self._ledger = ledger
        self._tokens = tokens
        self._emit = emit
        self._on_failed = on_failed
        self._on_recorded = on_recorded
        self._journal: Journal | None = None
        self._log: FactLog | None = None
        """While there is a journal to write it to."""
        self._logged_at: int | None = None
        self._mask = Mask(setup.endpoint.secrets)
        self._asked: dict[int, str] = {}
        """Without text: the prompts of the calls that have not ended, which what is stated of the run may quote."""
        self._unquoted: dict[str, str] = {}
        """Without text: errors that quote a prompt, with what the record says instead."""
        self._price_written = setup.price is not None
        self._clock_unsaid = setup.record is not None and CLOCK not in (setup.record.earlier or {})
        """When the run started, on the clock of its first session, is not in the record yet."""
        self._counting: set[asyncio.Task[None]] = set()
        self._awaited: dict[int, asyncio.Event] = {}
        """By call: who waits until it is on record."""
        self._uncommitted = 0
        self._all_committed = asyncio.Event()
        self._all_committed.set()

    def open(self, transport: str) -> None:
        """Make folder and journal; UsageError when that cannot be. `transport` says how requests will travel."""
        setup = self._setup
        if setup.record is not None:
            self._go_on_with(setup.record, transport)
        elif setup.out is not None:
            self.folder = create_run_folder(setup.out, setup.job, setup.model, datetime.now())
            began = {"started": datetime.now(UTC).isoformat()}
            self._journal = Journal.create(self.folder / "journal.db", began | self._fields(transport))
            self._log = FactLog()

    def _go_on_with(self, record: OpenRun, transport: str) -> None:
        """Write to a record that is open already, perhaps of a run that goes on."""
        record.on_lost = self._log_lost
        self.folder, self._journal = record.folder, record.journal
        fields, earlier = self._fields(transport), record.earlier
        if earlier is None:
            self._log = FactLog()
            fields |= {"started": datetime.now(UTC).isoformat(), "sessions": 1}
        else:
            started_at = self._ledger.started_at
            assert started_at is not None, "a run that goes on has its past"
            sessions = (whole_at(earlier, "sessions") or 1) + 1
            clock_at = whole_at(earlier, CLOCK)
            # Orders of one session are far from using up what lies between two.
            self._log = FactLog(sessions << 40, 0 if clock_at is None else clock_at - started_at)
            fields |= {"sessions": sessions}
        self._journal.set_run(fields)

    def _fields(self, transport: str) -> dict[str, Any]:
        setup = self._setup
        return {
            "job": setup.job,
            "model": setup.model,
            "base_url": setup.endpoint.base_url,
            "endpoint": setup.endpoint.shown,
            "planned": setup.planned,
            "concurrency": setup.concurrency,
            "rpm": setup.rpm,
            "tpm": setup.tpm,
            "burst": setup.burst,
            "adapt": setup.adapt,
            "seed": setup.seed,
            "transport": transport,
            "duration_s": setup.duration_s,
            "keep_text": setup.keep_text,
            "price": setup.price.to_dict() if setup.price is not None else None,
            "budget_usd": format(setup.budget_usd, "f") if setup.budget_usd is not None else None,
            "objectives_ns": None
            if setup.objectives is None
            else {objective.name: objective.most_ns for objective in setup.objectives.each},
            **masked(setup.notes if setup.keep_text else _notes_without_text(setup.notes), self._mask),
        }

    def hear(self, fact: Fact) -> None:
        """Take in a fact that was folded just now, for those who replay the run."""
        if self._log is None or self._journal is None:
            return
        if self._clock_unsaid and self._ledger.started_at is not None:
            self._clock_unsaid = False
            with suppress(RecordError):  # the log that is written with it tells it
                self._journal.set_run({CLOCK: self._ledger.started_at})
        pieces = 0
        if isinstance(fact, CallFact) and (attempts := self._ledger.calls[fact.call].attempts):
            pieces = len(attempts[-1].arrivals.times)
        if not self._setup.keep_text and isinstance(fact, Queued):
            self._asked[fact.call] = fact.prompt
        self._log.hear(reworded(fact, self._said_of_run) if isinstance(fact, RunFact) else fact, pieces)
        if self._logged_at is None or fact.at - self._logged_at >= RUN_LOG_NS:
            self._logged_at = fact.at
            loop = asyncio.get_running_loop()
            self._write_log(self._log, lambda error: _call_soon(loop, self._log_lost, error))
            self._write_found_price()

    def _write_log(self, log: FactLog, on_error: Callable[[RecordError], None] | None = None) -> None:
        chunk = log.take_run()
        if chunk is not None and self._journal is not None:
            self._journal.log_run(msgspec.msgpack.encode(chunk), on_error)

    def _write_found_price(self) -> None:
        """Once it is known, not at the end: a run that is killed has none."""
        price = self._ledger.prices.get(clean_line(self._setup.model))
        if price is not None and self._journal is not None and not self._price_written:
            self._price_written = True
            with suppress(RecordError):  # the log that was written just before tells it
                self._journal.set_run({"price": price.to_dict()})

    def _said_of_run(self, words: str) -> str:
        if self._setup.keep_text:
            return self._mask(words)
        system = self._setup.notes.get("system")
        asked = [*self._asked.values(), *([system] if isinstance(system, str) else [])]
        return self._mask(without_prompt(words, asked))

    def budget_raised(self, limit_usd: Decimal) -> None:
        """More may be spent from now on, also where the run goes on some other day."""
        if self._journal is not None:
            with suppress(RecordError):  # told by whatever is written next
                self._journal.set_run({"budget_usd": format(limit_usd, "f")})

    async def room(self) -> None:
        """The record holds the next dispatch back, never a stream; one that has failed stops dispatch for good."""
        while len(self._counting) >= MOST_COUNTED_AT_ONCE:
            await asyncio.wait(self._counting, return_when=asyncio.FIRST_COMPLETED)
        if self._journal is not None:
            with suppress(RecordError):  # told by `_not_recorded`, which also drains
                await self._journal.room()

    async def finish(self, plan: CallPlan, ending: Ending) -> None:
        """Put an ended call on record, and state it as ended once it is there.

        In a batch this waits until it is: a slot that took its next call before would leave, to a kill, more calls to
        be made again than there are slots.
        """
        self._uncommitted += 1
        self._all_committed.clear()
        if self._setup.record is not None:
            settled = self._awaited[plan.id] = asyncio.Event()
            if missing_counts(self._ledger.calls[plan.id]):
                await self._count_and_record(plan, ending)
            else:
                self._record(plan, ending)
            await settled.wait()
            return
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

    def close(
        self, figures: dict[str, Any], interrupted: bool, price: Price | None, notes: dict[str, str | None]
    ) -> None:
        """Write the run's end and the exports; waits for the disk, so call it in a thread.

        `notes` are what people should know about some rows of the summary; a replay says them again.
        """
        journal, folder = self._journal, self.folder
        if journal is None or folder is None:
            return
        figures = self._safe(figures)
        fields = {
            "ended": datetime.now(UTC).isoformat(),
            "interrupted": interrupted,
            "price": price.to_dict() if price is not None else None,
            "summary": figures,
            "figure_notes": {name: self._mask(note) for name, note in notes.items() if note},
        }
        if self._setup.planned is not None:  # and what was asked for again
            fields["planned"] = len(self._ledger.calls) + figures["never_sent"] - self._ledger.withdrawn
        # Each by itself: on a full disk the summary may still fit where the calls do not.
        log, self._log = self._log, None
        steps: tuple[Callable[[], None], ...] = (
            partial(self._write_log, log) if log is not None else lambda: None,
            partial(journal.set_run, fields),
            self._setup.record.settled.close if self._setup.record is not None else lambda: None,
            journal.close,
            self._setup.record.at_end
            if self._setup.record is not None
            else partial(write_calls_jsonl, journal.path, folder / "calls.jsonl", price),
            partial(write_summary_json, folder / "summary.json", figures),
        )
        for step in steps:
            try:
                step()
            except (RecordError, UsageError) as error:
                self.error = self.error or RecordError(str(error))
        if journal.error is not None:
            self.error = self.error or journal.error

    def _safe(self, figures: dict[str, Any]) -> dict[str, Any]:
        """The summary with a server's words as the record has them; those that are alike now are counted as one."""
        errors: Counter[str] = Counter()
        for each in figures.get("errors", ()):
            errors[self._mask(self._unquoted.get(each["error"], each["error"]))] += each["n"]
        reasons: Counter[str] = Counter()
        for reason, n in figures.get("finish_reasons", {}).items():
            reasons[self._mask(reason)] += n
        safe = {
            "errors": [{"error": error, "n": n} for error, n in errors.most_common()],
            "finish_reasons": {**reasons},
        }
        return {name: safe.get(name, value) for name, value in figures.items()}

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
        said = saying(plan, keep_text, self._mask)
        origin = self._setup.endpoint.origin
        record = record_of(plan, entry, ending.state, ending.error, origin, started_at, keep_text, self._mask)
        if not keep_text:
            self._asked.pop(plan.id, None)
            if ending.error is not None and record.error is not None and record.error != ending.error:
                self._unquoted[clean_line(ending.error)] = clean_line(record.error)
        if self._log is not None:
            heard, shift_ns = self._log.take_call(fact), self._log.shift_ns
            record = replace(record, trace=trace_of(entry, heard, record, keep_text, said, shift_ns))
        _forget_arrivals(entry)
        loop = asyncio.get_running_loop()

        def committed() -> None:
            loop.call_soon_threadsafe(self._committed, fact, plan, record)

        def not_recorded(error: RecordError) -> None:
            loop.call_soon_threadsafe(self._not_recorded, fact, error)

        # A call is shown as ended once that is on the disk.
        self._journal.append(record, committed, not_recorded, awaited=self._setup.record is not None)

    def _committed(self, fact: Finished, plan: CallPlan, record: CallRecord) -> None:
        self._recorded(fact)
        self._on_recorded(plan, record)

    def _recorded(self, fact: Finished) -> None:
        self._emit(fact)
        if (awaited := self._awaited.pop(fact.call, None)) is not None:
            awaited.set()
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
