"""The engine as a whole: owns the loop's parts of one run, folds its facts, obeys commands. A live Session."""

import asyncio
import dataclasses
import gc
import random
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from msgspec.structs import replace

from tui.core.adapt import Pacer
from tui.core.batch_view import BatchView, document_figures
from tui.core.budget import parse_budget
from tui.core.calls import CallPlan, State
from tui.core.clock import nanoseconds, now_ns
from tui.core.commands import (
    AnyCommand,
    ChangeSpeed,
    Close,
    Drain,
    Export,
    RaiseBudget,
    SaveCall,
    SaveScreenshot,
    Seek,
    Stop,
    Watch,
)
from tui.core.entries import CallEntry
from tui.core.errors import RecordError, UsageError, WeirError
from tui.core.facts import Fact, LaneClosed, Noticed, PhaseChanged, TextCame
from tui.core.figures import usd
from tui.core.ledger import Ledger
from tui.core.limits_view import Gauges
from tui.core.objectives import Goodput
from tui.core.picture import Painter, RunCard
from tui.core.records import CallRecord
from tui.core.secrets import Mask
from tui.core.snapshot import Snapshot
from tui.core.summary import summary
from tui.core.untrusted import clean_line
from tui.engine.adapter import Adapter
from tui.engine.asked_files import AskedFiles
from tui.engine.attempt import Line
from tui.engine.call import Ending
from tui.engine.helm import Helm
from tui.engine.lag import LagMeter
from tui.engine.lane import Lane
from tui.engine.limiter import Limiter
from tui.engine.live_counts import count_live
from tui.engine.plan_shelf import PlanShelf
from tui.engine.plan_source import Listed, PlanSource
from tui.engine.pool import Pool
from tui.engine.purse import Purse
from tui.engine.record import RunRecord
from tui.engine.request_text import RequestTexts
from tui.engine.setup import RunSetup
from tui.engine.tokens import TokenDesk
from tui.engine.transport import make_transport, raise_file_limit
from tui.files.price_book import PriceBook

_ENDS_BY_ITSELF = (State.CONNECTING, State.STREAMING, State.BACKING_OFF)
"""In a run that drains: on the wire, or about to hear that it is not tried again."""
PRICE_GRACE_S = 3.0
"""How long the end of a run waits for the price of its model."""


class Host:
    """One run. `run` once; `latest` and `send` at any time from the same loop."""

    def __init__(self, setup: RunSetup) -> None:
        self.setup = setup
        self.ledger = Ledger(Goodput(setup.objectives) if setup.objectives is not None else None)
        self.interrupted = False
        """Somebody stopped it before its end."""
        self.transport_note = ""
        self._source: PlanSource = Listed(setup.plans) if isinstance(setup.plans, Iterator) else setup.plans
        self._asking: str | None = None
        """Why somebody is asked for more money."""
        if setup.past is not None:
            past, tries, _ = setup.past
            self.ledger.go_on_from(past, now_ns(), tries)
        self._card = RunCard(setup.job, setup.model, setup.endpoint.shown, setup.planned)
        self._watch = Watch()
        mask = Mask(setup.endpoint.secrets)
        self._painter = Painter(self.ledger, self._card, mask)
        self._tokens = TokenDesk(setup.model)
        self._record = RunRecord(setup, self.ledger, self._tokens, self._emit, self._not_recorded, self._recorded)
        self._shelf = PlanShelf()
        self._requests = RequestTexts(setup.endpoint, self._shelf.get)
        self._asked_files = AskedFiles(
            self.ledger, self._emit, lambda: self.folder, setup.endpoint.redact, mask, self._requests.whole
        )
        self._pool: Pool | None = None
        self._limiter: Limiter | None = None
        self._helm: Helm | None = None
        self._purse: Purse | None = None
        self._adapter: Adapter | None = None
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
        gauges = self._gauges()
        picture = self._painter.picture(self._watch, now, gauges)
        if self._watch.focus_request and picture.focus is not None:
            picture = replace(
                picture, focus=replace(picture.focus, request=self._requests.shown(picture.focus.pane.call))
            )
        if self._pool is not None and self.setup.schedule is not None:
            picture = replace(picture, overdue=self._pool.overdue())
        return picture if self._source.view is None else self._of_batch(picture, self._source.view)

    def _of_batch(self, picture: Snapshot, view: BatchView) -> Snapshot:
        """The picture, with what is known of documents and money."""
        spent, purse = self.ledger.spent.amount, self._purse
        view = replace(
            view,
            projection=None if spent is None else self._source.projection(spent),
            budget_usd=None if purse is None else float(purse.limit),
            asking=self._asking,
        )
        focus = picture.focus
        if focus is not None:
            focus = replace(focus, family=self._source.family(focus.pane.call))
        return replace(picture, batch=view, focus=focus)

    def _gauges(self) -> Gauges:
        gauges = self._limiter.gauges if self._limiter is not None else Gauges()
        return gauges if self._adapter is None else dataclasses.replace(gauges, belief=self._adapter.belief)

    def send(self, command: AnyCommand) -> None:
        """Obey a command. One that steers calls changes nothing after the end."""
        match command:
            case Watch():
                self._watch = command
                if command.view == "wall":
                    self.ledger.places.wanted = command.count
            case Close() | Seek() | ChangeSpeed():
                pass  # the screen's own affair; a run that happens now cannot be wound
            case Export() | SaveCall() | SaveScreenshot():
                self._asked_files.obey(command)
            case RaiseBudget():
                self._raise_budget(command.limit_usd)
            case Drain() | Stop():
                if self._over:
                    self._hurry.set()
                elif self._pool is not None:
                    self._end_early(command)
            case _ if self._over:
                self._emit(Noticed(now_ns(), "every call has ended: there is nothing left to steer"))
            case _:
                if self._helm is not None:
                    self._helm.obey(command)

    def _end_early(self, command: Drain | Stop) -> None:
        if self._asking is None or self._purse is None:
            self.interrupted = True
            self._end_by(command)
            return
        # Who is asked for more money and ends the run has not interrupted it: the budget has.
        self._asking = None
        self._purse.give_up()
        # Later, for it cancels whoever waits, and those who wait for money are refused.
        asyncio.get_running_loop().call_soon(self._end_by, command)

    def _end_by(self, command: Drain | Stop) -> None:
        assert self._pool is not None
        if isinstance(command, Stop):
            self._pool.stop()
            self._emit(PhaseChanged(now_ns(), "draining"))
        else:
            self._drain("draining: running streams end by themselves, nothing more is sent")

    # ── the run ────────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        """What may fail for a reason of the user's: raises UsageError."""
        setup = self.setup
        if setup.budget_usd is not None:
            if setup.price is None:
                hint = 'state one: --price "in=2.5,out=10"'
                raise UsageError("--budget", f'no price is known for "{self._card.model}"', hint)
            reached = self._ask_for_money if setup.asks_for_money else None
            spent = setup.past[2] if setup.past is not None else Decimal(0)
            self._purse = Purse(setup.budget_usd, setup.price, self._not_paid, reached, spent)
        choice = make_transport(setup.endpoint.base_url, connect_timeout_s=setup.limits.connect_s)
        self.transport_note = choice.reason
        self._transport = choice.transport
        self._record.open(choice.reason)
        if self.folder is not None:
            self._card.record = clean_line(str(self.folder))

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
            ending.push_async_callback(self._record.all_committed)
            pool, helm = self._assemble(self._transport, lag)
            self._emit(PhaseChanged(now_ns(), "running"))
            helm.state_limits()
            lag.start()
            self._start_chores()
            await pool.run()
            self._over = True
            await self._price_grace()
        return self.figures

    @property
    def folder(self) -> Path | None:
        """The run's folder; None when nothing is saved."""
        return self._record.folder

    @property
    def record_error(self) -> RecordError | None:
        """Why the record is not whole."""
        return self._record.error

    async def asked_files_written(self) -> None:
        """Wait until every file that somebody asked for is written."""
        await self._asked_files.finish()

    @property
    def corpus_error(self) -> WeirError | None:
        """Why the corpus could not be read to its end."""
        return self._pool.corpus_error if self._pool is not None else None

    @property
    def refused_for_money(self) -> int:
        """Calls that ended because another attempt might have passed the budget."""
        return self._purse.refused if self._purse is not None else 0

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
            "budget": self._budget_figures(),
            "adapted": self._adapter.found() if self._adapter is not None else None,
        }
        if (view := self._source.view) is not None:
            self.figures["documents"] = document_figures(view)
        price = self.ledger.prices.get(self._card.model)
        await asyncio.to_thread(self._record.close, self.figures, self.interrupted, price, self.notes)

    def _budget_figures(self) -> dict[str, Any] | None:
        """USD as strings, so that no reader rounds them; `charged` holds the worst case of what is possibly billed."""
        purse = self._purse
        if purse is None:
            return None
        budget = purse.budget
        usd = {"limit_usd": budget.limit, "charged_usd": budget.spent}
        return {**{name: format(amount, "f") for name, amount in usd.items()}, "refused": purse.refused}

    def _never_sent(self) -> int:
        """Calls that were planned and of which nothing was sent."""
        ledger, planned = self.ledger, self._card.planned
        if planned is not None:
            return max(0, planned - len(ledger.calls)) + ledger.withdrawn
        return (self._pool.overdue() if self._pool is not None else 0) + ledger.withdrawn

    def _assemble(self, transport: httpx.AsyncBaseTransport, lag: LagMeter) -> tuple[Pool, Helm]:
        setup = self.setup
        line = Line.to(setup.endpoint, setup.limits, transport, lag.latest_ns)
        self._limiter = Limiter(setup.rpm, setup.tpm, setup.burst, self._lane_closed)
        self._limiter.remember(setup.sent_lately_s)
        for age_s in sorted(setup.sent_lately_s, reverse=True):
            self.ledger.sent.add(now_ns() - nanoseconds(age_s))
        lane = Lane(
            line, self._limiter, setup.policy, random.Random(setup.seed), self._lane_stopped, self._purse, setup.judge
        )
        self._pool = Pool(
            self._source,
            lane,
            self._emit,
            setup.concurrency,
            self._record.room,
            self._finish,
            setup.planned,
            self._begun,
            setup.schedule,
            self._unreadable,
        )
        self._helm = Helm(self.ledger, self._pool, self._limiter, self._shelf, self._emit, self._one_more)
        if setup.adapt:
            pacer = Pacer(setup.rpm, setup.concurrency)
            self._adapter = Adapter(pacer, self.ledger, self._pool, self._limiter, self._helm)
            self._helm.on_limit = self._adapter.person_set
        return self._pool, self._helm

    def _begun(self, plan: CallPlan) -> None:
        self._shelf.keep(plan)
        self._source.begun(plan)

    def _recorded(self, plan: CallPlan, record: CallRecord) -> None:
        self._source.recorded(plan, record)
        assert self._pool is not None
        self._pool.look_again()

    async def _finish(self, plan: CallPlan, ending: Ending) -> None:
        if ending.state is State.DONE:
            self._shelf.ended_well(plan.id)
        await self._record.finish(plan, ending)

    def _one_more(self) -> None:
        if self._card.planned is not None:
            self._card.planned += 1

    def _emit(self, fact: Fact) -> None:
        self.ledger.fold(fact)
        if type(fact) is not TextCame:  # texts come with their attempt, packed
            self._record.hear(fact)

    def _lane_closed(self, seconds: float, why: str) -> None:
        now = now_ns()
        self._emit(LaneClosed(now, now + nanoseconds(seconds), why))

    def _not_recorded(self, error: RecordError) -> None:
        self._drain(f"stopped: {error}")

    def _not_paid(self, why: str) -> None:
        # A run without end would go on refusing for good; of a known number of calls, a cheaper one may still fit.
        if self.setup.planned is None:
            # Later, for draining cancels whoever waits, and the call that is refused is one of them.
            asyncio.get_running_loop().call_soon(self._drain_for_money, why)

    def _ask_for_money(self) -> None:
        assert self._purse is not None
        self._asking = f"the budget of {usd(self._purse.limit)} is reached"
        self._emit(Noticed(now_ns(), f"{self._asking}: raise it, or drain"))

    def _raise_budget(self, limit_usd: str) -> None:
        if self._purse is None:
            self._emit(Noticed(now_ns(), "this run has no budget"))
            return
        try:
            self._purse.raise_to(parse_budget(limit_usd))
        except (UsageError, ValueError) as error:
            self._emit(Noticed(now_ns(), f"the budget stays: {error}"))
            return
        self._asking = None
        self._record.budget_raised(self._purse.limit)
        self._emit(Noticed(now_ns(), f"the budget is {usd(self._purse.limit)} now"))

    def _drain_for_money(self, why: str) -> None:
        assert self._pool is not None
        if not self._pool.draining:
            self._drain(f"stopped: a call {why}")

    def _unreadable(self, error: WeirError) -> None:
        # The pool begins nothing more by itself; what was begun before the bad place is sound, and is waited for.
        self._state_draining(f"stopped: {error}")

    def _lane_stopped(self, why: str) -> None:
        self._drain(f"stopped: {why}")

    def _drain(self, why: str) -> None:
        assert self._pool is not None
        self._state_draining(why)
        self._pool.drain(lambda call: self.ledger.calls[call].state in _ENDS_BY_ITSELF)

    def _state_draining(self, why: str) -> None:
        self._emit(Noticed(now_ns(), why))
        self._emit(PhaseChanged(now_ns(), "draining"))

    # ── chores beside the calls ────────────────────────────────────────────────────────────────────────

    def _start_chores(self) -> None:
        setup = self.setup
        if setup.price is not None:
            self.ledger.set_price(self._card.model, setup.price)
        else:
            self._pricing = self.beside(self._find_price())
        if self._adapter is not None:
            self.beside(self._adapter.run())
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
        calls = self._painter.shown(self._watch, now_ns())
        focus = self._watch.focus
        return [self.ledger.calls[call] for call in {*calls, *([focus] if focus in self.ledger.calls else [])}]
