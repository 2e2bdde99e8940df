"""The engine as a whole: owns the loop's parts of one run, folds its facts, obeys commands. A live Session."""

import asyncio
import gc
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, assert_never

import httpx

from tui.core.calls import CallPlan, State
from tui.core.clock import nanoseconds, now_ns
from tui.core.commands import (
    AnyCommand,
    CancelCall,
    Close,
    Drain,
    Pause,
    Resume,
    SetConcurrency,
    SetRate,
    Stop,
    Watch,
)
from tui.core.entries import CallEntry
from tui.core.errors import RecordError, UsageError
from tui.core.facts import Fact, Finished, LaneClosed, LimitsChanged, Noticed, PhaseChanged
from tui.core.ledger import Ledger
from tui.core.picture import RunCard, picture, shown_calls
from tui.core.record_of import record_of
from tui.core.snapshot import Snapshot
from tui.core.summary import summary
from tui.core.untrusted import clean_line
from tui.engine.attempt import Line
from tui.engine.call import Ending
from tui.engine.lag import LagMeter
from tui.engine.lane import Lane
from tui.engine.limiter import Limiter
from tui.engine.live_counts import count_live
from tui.engine.pool import Pool
from tui.engine.setup import RunSetup
from tui.engine.tokens import TokenDesk, missing_counts
from tui.engine.transport import make_transport, raise_file_limit
from tui.files.export import write_calls_jsonl, write_summary_json
from tui.files.journal import Journal
from tui.files.price_book import PriceBook
from tui.files.run_folder import create_run_folder

MOST_COUNTED_AT_ONCE = 256
"""Ended calls that may wait for their tokens to be counted before dispatch waits for them."""
_ENDS_BY_ITSELF = (State.CONNECTING, State.STREAMING, State.BACKING_OFF)
"""In a run that drains: on the wire, or about to hear that it is not tried again."""
PRICE_GRACE_S = 3.0
"""How long the end of a run waits for the price of its model."""


class Host:
    """One run. `run` once; `latest` and `send` at any time from the same loop."""

    def __init__(self, setup: RunSetup) -> None:
        self.setup = setup
        self.ledger = Ledger()
        self.folder: Path | None = None
        self.record_error: RecordError | None = None
        self.interrupted = False
        """Somebody stopped it before its end."""
        self.transport_note = ""
        self._card = RunCard(setup.job, setup.model, setup.endpoint.shown, setup.planned)
        self._watch = Watch()
        self._tokens = TokenDesk(setup.model)
        self._journal: Journal | None = None
        self._pool: Pool | None = None
        self._limiter: Limiter | None = None
        self._uncommitted = 0
        self._all_committed = asyncio.Event()
        self._all_committed.set()
        self._counting: set[asyncio.Task[None]] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._pricing: asyncio.Task[None] | None = None
        self._over = False
        """Every call has ended."""
        self._hurry = asyncio.Event()
        self._price_note: str | None = None
        self.figures: dict[str, Any] = {}
        """The summary, once there is one."""
        self._transport: httpx.AsyncBaseTransport | None = None

    # ── the Session ────────────────────────────────────────────────────────────────────────────────────

    @property
    def latest(self) -> Snapshot:
        """The run now; a finished one stands still."""
        now = self.ledger.ended_at if self.ledger.ended_at is not None else now_ns()
        return picture(self.ledger, self._card, self._watch, now)

    def send(self, command: AnyCommand) -> None:
        """Obey a command. One that comes after the end changes nothing."""
        if isinstance(command, Watch):
            self._watch = command
            self.ledger.places.wanted = command.count
            return
        pool, limiter = self._pool, self._limiter
        if pool is None or limiter is None:
            return
        if self._over:
            if isinstance(command, Drain | Stop):
                self._hurry.set()
            return
        match command:
            case Pause():
                if not pool.draining:
                    pool.pause()
                    self._emit(PhaseChanged(now_ns(), "paused"))
            case Resume():
                if not pool.draining:
                    pool.resume()
                    self._emit(PhaseChanged(now_ns(), "running"))
            case Drain():
                self.interrupted = True
                self._drain("draining: running streams end by themselves, nothing more is sent")
            case Stop():
                self.interrupted = True
                pool.stop()
                self._emit(PhaseChanged(now_ns(), "draining"))
            case CancelCall(call):
                pool.cancel(call)
            case SetRate(rpm):
                limiter.set_rpm(rpm if rpm is None else max(1, rpm))
                self._state_limits()
            case SetConcurrency(concurrency):
                pool.set_concurrency(max(1, concurrency))
                self._state_limits()
            case Close():
                pass  # the screen's own affair
            case _:
                assert_never(command)

    # ── the run ────────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        """What may fail for a reason of the user's: raises UsageError."""
        setup = self.setup
        choice = make_transport(setup.endpoint.base_url, connect_timeout_s=setup.limits.connect_s)
        self.transport_note = choice.reason
        self._transport = choice.transport
        self._open_record(choice.reason)

    async def run(self) -> dict[str, Any]:
        """Run to the end (after `open`, if nobody called it); the summary. A record's error is in `record_error`."""
        if self._transport is None:
            self.open()
        assert self._transport is not None
        raise_file_limit()
        # What was loaded to get here stays to the end: the collector need not walk it in the middle of a stream, and
        # a run's own objects are worth a look now and then only (a full look at them was seen to take 50 ms).
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        lag = LagMeter(self._emit)
        async with AsyncExitStack() as ending:  # unwound from the last to the first, whatever fails on the way
            ending.push_async_callback(self._conclude)
            ending.push_async_callback(self._tokens.close)
            ending.push_async_callback(self._transport.aclose)
            ending.push_async_callback(self._end_chores)
            ending.callback(lag.stop)
            ending.push_async_callback(self._all_committed.wait)
            pool = self._assemble(self._transport, lag)
            self._emit(PhaseChanged(now_ns(), "running"))
            self._state_limits()
            lag.start()
            self._start_chores()
            await pool.run()
            self._over = True
            await self._price_grace()
        return self.figures

    @property
    def corpus_error(self) -> UsageError | None:
        """Why the corpus could not be read to its end."""
        return self._pool.corpus_error if self._pool is not None else None

    @property
    def notes(self) -> dict[str, str | None]:
        """What people should know about some rows of the summary."""
        return {"tokens": self._tokens.note, "cost": self._price_note, "wire": self.transport_note}

    async def _price_grace(self) -> None:
        """A short run can end before its price is found; whoever wants to go need not wait for it."""
        if self._pricing is not None and not self.interrupted:
            hurry = asyncio.create_task(self._hurry.wait())
            await asyncio.wait({self._pricing, hurry}, timeout=PRICE_GRACE_S, return_when=asyncio.FIRST_COMPLETED)
            hurry.cancel()

    async def _end_chores(self) -> None:
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)

    async def _conclude(self) -> None:
        """The run's end: stated, summed up, written down."""
        self._over = True
        last = self.ledger.last_ended_at
        self._emit(PhaseChanged(last if last is not None else now_ns(), "finished"))
        self.figures = summary(self.ledger, self._card, now_ns()) | {
            "endpoint": self._card.endpoint,
            "record": self._card.record,
            "interrupted": self.interrupted,
            "never_sent": self._never_sent(),
        }
        await asyncio.to_thread(self._close_record, self.figures)

    def _never_sent(self) -> int:
        """Calls that were planned and of which nothing was sent."""
        ledger, planned = self.ledger, self.setup.planned
        unbegun = 0 if planned is None else max(0, planned - len(ledger.calls))
        return unbegun + ledger.withdrawn

    def _assemble(self, transport: httpx.AsyncBaseTransport, lag: LagMeter) -> Pool:
        setup = self.setup
        line = Line.to(setup.endpoint, setup.limits, transport, lag.latest_ns)
        self._limiter = Limiter(setup.rpm, setup.tpm, setup.burst, self._lane_closed)
        lane = Lane(line, self._limiter, setup.policy, random.Random(setup.seed), self._lane_stopped)
        self._pool = Pool(setup.plans, lane, self._emit, setup.concurrency, self._room, self._finish, setup.planned)
        return self._pool

    def _emit(self, fact: Fact) -> None:
        self.ledger.fold(fact)

    def _state_limits(self) -> None:
        assert self._pool is not None
        assert self._limiter is not None
        self._emit(LimitsChanged(now_ns(), self._limiter.rpm, self._limiter.tpm, self._pool.concurrency))

    def _lane_closed(self, seconds: float, why: str) -> None:
        now = now_ns()
        self._emit(LaneClosed(now, now + nanoseconds(seconds), why))

    def _lane_stopped(self, why: str) -> None:
        self._drain(f"stopped: {why}")

    def _drain(self, why: str) -> None:
        assert self._pool is not None
        self._emit(Noticed(now_ns(), why))
        self._emit(PhaseChanged(now_ns(), "draining"))
        self._pool.drain(lambda call: self.ledger.calls[call].state in _ENDS_BY_ITSELF)

    # ── chores beside the calls ────────────────────────────────────────────────────────────────────────

    def _start_chores(self) -> None:
        setup = self.setup
        if setup.price is not None:
            self.ledger.set_price(self._card.model, setup.price)
        else:
            self._pricing = self.beside(self._find_price())
        if setup.duration_s is not None:
            self._card.deadline_at = now_ns() + nanoseconds(setup.duration_s)
            self.beside(self._end_in_time(setup.duration_s))

    def beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside the calls; it is cancelled when they have ended."""
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        return task

    async def _find_price(self) -> None:
        book = PriceBook()
        price = await book.find(self.setup.model, self.setup.endpoint.base_url)
        self._price_note = book.why
        self.ledger.set_price(self._card.model, price)

    async def _end_in_time(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)
        self._drain(f"the {duration_s:g} s are over: running streams end by themselves")

    async def count_live(self) -> None:
        """Count the tokens of the calls that are watched while they stream; runs until it is cancelled."""
        await count_live(self._tokens, self._watched, self._emit)

    def _watched(self) -> list[CallEntry]:
        calls = shown_calls(self.ledger, self._watch)
        focus = self._watch.focus
        return [self.ledger.calls[call] for call in {*calls, *([focus] if focus in self.ledger.calls else [])}]

    # ── the record ─────────────────────────────────────────────────────────────────────────────────────

    def _open_record(self, transport: str) -> None:
        setup = self.setup
        if setup.out is None:
            return
        self.folder = create_run_folder(setup.out, setup.job, setup.model, datetime.now())
        self._card.record = clean_line(str(self.folder))
        self._journal = Journal.create(
            self.folder / "journal.db",
            {
                "job": setup.job,
                "model": setup.model,
                "base_url": setup.endpoint.base_url,
                "started": datetime.now(UTC).isoformat(),
                "planned": setup.planned,
                "concurrency": setup.concurrency,
                "rpm": setup.rpm,
                "tpm": setup.tpm,
                "burst": setup.burst,
                "seed": setup.seed,
                "transport": transport,
                **setup.notes,
            },
        )

    async def _room(self) -> None:
        """The record holds the next dispatch back, never a stream; one that has failed stops dispatch for good."""
        while len(self._counting) >= MOST_COUNTED_AT_ONCE:
            await asyncio.wait(self._counting, return_when=asyncio.FIRST_COMPLETED)
        if self._journal is not None:
            with suppress(RecordError):  # stated by `_not_recorded`, which also drains
                await self._journal.room()

    async def _finish(self, plan: CallPlan, ending: Ending) -> None:
        self._uncommitted += 1
        self._all_committed.clear()
        if missing_counts(self.ledger.calls[plan.id]):
            # Beside the slot, which takes its next call at once: counting is our affair, not the server's pace.
            task = asyncio.create_task(self._count_and_record(plan, ending))
            self._counting.add(task)
            task.add_done_callback(self._counting.discard)
        else:
            self._record(plan, ending)

    async def _count_and_record(self, plan: CallPlan, ending: Ending) -> None:
        await self._tokens.count_missing(plan, self.ledger.calls[plan.id], self._emit)
        self._record(plan, ending)

    def _record(self, plan: CallPlan, ending: Ending) -> None:
        entry = self.ledger.calls[plan.id]
        fact = Finished(plan.id, ending.at, ending.state, ending.error)
        if self._journal is None:
            self._recorded(fact)
            return
        started_at = self.ledger.started_at
        assert started_at is not None
        record = record_of(plan, entry, ending.state, ending.error, self.setup.endpoint.origin, started_at)
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
        if self.record_error is None:
            self.record_error = error
            self._drain(f"stopped: {error}")
        self._recorded(fact)

    def _close_record(self, figures: dict[str, Any]) -> None:
        """Write the run's end and the exports; runs in a thread, for it waits for the disk."""
        journal, folder = self._journal, self.folder
        if journal is None or folder is None:
            return
        price = self.ledger.prices.get(self._card.model)
        fields = {
            "ended": datetime.now(UTC).isoformat(),
            "interrupted": self.interrupted,
            "price": price.to_dict() if price is not None else None,
            "summary": figures,
        }
        # Each by itself: on a full disk the summary may still fit where the calls do not.
        steps: tuple[Callable[[], None], ...] = (
            partial(journal.set_run, fields),
            journal.close,
            partial(write_calls_jsonl, journal.path, folder / "calls.jsonl", price),
            partial(write_summary_json, folder / "summary.json", figures),
        )
        for step in steps:
            try:
                step()
            except (RecordError, UsageError) as error:
                self.record_error = self.record_error or RecordError(str(error))
        if journal.error is not None:
            self.record_error = self.record_error or journal.error
