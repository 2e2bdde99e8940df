"""A probe on the engine: sends what `core.probe` decides, one attempt each, without a limiter and without retries.

It is a Session of its own, so that the dashboard shows it like any run. What the probe comes to believe is stated as
notices.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tui.core.budget import Budget, charge, worst_cost
from tui.core.calls import CallPlan, State
from tui.core.clock import nanoseconds, now_ns, seconds
from tui.core.commands import AnyCommand, Drain, Stop, Watch
from tui.core.facts import (
    Admitted,
    AllowanceCame,
    Fact,
    Finished,
    HeadersCame,
    LaneClosed,
    LimitsChanged,
    Noticed,
    PhaseChanged,
    Queued,
    Waited,
)
from tui.core.ledger import Ledger
from tui.core.money import Price
from tui.core.picture import Painter, RunCard
from tui.core.probe import Prober
from tui.core.probe_moves import Pace, Rest, Send, Turn
from tui.core.probe_seen import Answer, Fate
from tui.core.probe_verdict import Verdict
from tui.core.secrets import Mask
from tui.core.snapshot import Snapshot
from tui.engine.attempt import Attempt, Line, Outcome
from tui.engine.call import Receipt
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.lag import LagMeter
from tui.engine.transport import make_transport, raise_file_limit
from tui.jobs.probe_answers import answer_of
from tui.wire.chat import request_body

PROMPT = "Say yes."
_SIZE_FIELDS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class ProbeSetup:
    """Whom to probe, and how far to go."""

    endpoint: Endpoint
    model: str
    params: dict[str, Any] = field(default_factory=dict)
    """Fields of every request; with a most of tokens among them, no other is asked for."""
    system: str | None = None
    limits: TimeLimits = field(default_factory=TimeLimits)
    max_requests: int | None = None
    """None: as many as a limit that shows is worth, and fewer where none does."""
    max_concurrency: int = 64
    time_s: float = 300.0
    price: Price | None = None
    budget: Decimal | None = None
    """USD that all requests may cost at worst."""
    target: tuple[str, ...] = ()
    """Flags of a `weir load` of the same, for the verdict's command; no key among them."""


class ProbeSession:
    """One probe. `run` once; `latest` and `send` at any time from the same loop."""

    def __init__(self, setup: ProbeSetup, on_note: Callable[[str], None] = lambda note: None) -> None:
        """`on_note` hears each stage and finding. UsageError when a budget is given and no cost has a bound."""
        self.setup = setup
        self.ledger = Ledger()
        self.interrupted = False
        """Somebody ended it."""
        self.over_budget = False
        """The budget ended it."""
        self._on_note = on_note
        self._card = RunCard("probe", setup.model, setup.endpoint.shown)
        self._painter = Painter(self.ledger, self._card, Mask(setup.endpoint.secrets))
        self._watch = Watch()
        self._budget = Budget(setup.budget) if setup.budget is not None else None
        self._calls = 0
        self._ended = asyncio.Event()
        self._sending: set[asyncio.Task[Answer]] = set()
        if self._budget is not None:
            worst_cost(self._plan(0, 1), setup.price)
        self._choice = make_transport(setup.endpoint.base_url, connect_timeout_s=setup.limits.connect_s)

    # ── the Session ────────────────────────────────────────────────────────────────────────────────────

    @property
    def latest(self) -> Snapshot:
        """The probe now; a finished one stands still."""
        now = self.ledger.ended_at if self.ledger.ended_at is not None else now_ns()
        return self._painter.picture(self._watch, now)

    def send(self, command: AnyCommand) -> None:
        """Obey a command. A probe keeps its own pace, so there is none that steers it but its end."""
        match command:
            case Watch():
                self._watch = command
                if command.view == "wall":
                    self.ledger.places.wanted = command.count
            case Drain() | Stop():
                if self.ledger.ended_at is None:
                    self.interrupted = True
                self._ended.set()
                if isinstance(command, Stop):
                    for task in self._sending:
                        task.cancel()

    # ── the probe ──────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> Verdict:
        """Probe to the end; what is known then, however it ended."""
        raise_file_limit()
        setup, lag = self.setup, LagMeter(self._emit)
        line = Line.to(setup.endpoint, setup.limits, self._choice.transport, lag.latest_ns)
        now = now_ns()
        deadline_at = now + nanoseconds(setup.time_s)
        self._card.deadline_at = deadline_at
        self._emit(PhaseChanged(now, "running"))
        self._emit(LimitsChanged(now, None, None, setup.max_concurrency))
        if setup.price is not None:
            self.ledger.set_price(self._card.model, setup.price)
        prober = Prober(setup.max_requests, setup.max_concurrency, seconds(now), seconds(deadline_at), setup.target)
        lag.start()
        try:
            stopped = await self._follow(prober, line)
        finally:
            lag.stop()
            await self._choice.transport.aclose()
            self._emit(PhaseChanged(now_ns(), "finished"))
        verdict = prober.verdict(stopped)
        self._emit(Noticed(now_ns(), verdict.command or verdict.stopped or "no limit was met"))
        return verdict

    async def _follow(self, prober: Prober, line: Line) -> str | None:
        """Do what the prober says until it has no more questions; why it was cut short, if it was."""
        steps, noted, stage = prober.steps(), 0, ""
        step = next(steps, None)
        while step is not None:
            if prober.stage != stage:
                stage = prober.stage
                self._note(stage)
            if self._ended.is_set():
                return "interrupted"
            if isinstance(step, Rest):
                await self._rest(step.until_s)
                turn = Turn(seconds(now_ns()))
            else:
                answers = await self._send(step, line)
                if answers is None:
                    return "interrupted" if self._ended.is_set() else "the budget is used up"
                turn = Turn(seconds(now_ns()), answers)
            if self._ended.is_set():
                return "interrupted"
            try:
                step = steps.send(turn)
            except StopIteration:
                step = None
            for finding in prober.findings[noted:]:
                self._note(finding)
            noted = len(prober.findings)
        return None

    async def _rest(self, until_s: float) -> None:
        wait_s = until_s - seconds(now_ns())
        if wait_s > 0.5:
            self._emit(LaneClosed(now_ns(), nanoseconds(until_s), "the probe waits"))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, wait_s)):
                await self._ended.wait()

    async def _send(self, step: Send | Pace, line: Line) -> tuple[Answer, ...] | None:
        """All of a step; None when the budget lets none of them go, or they were cancelled."""
        gaps_s = step.gaps_s if isinstance(step, Pace) else (0.0,) * (step.count - 1)
        self._sending = set()
        for gap_s in (0.0, *gaps_s):
            if gap_s and not await self._pause(gap_s):
                break
            plan = self._plan(self._calls + 1, step.tokens)
            if self._budget is not None and not self._budget.reserve(worst_cost(plan, self.setup.price)):
                break  # fewer, then: what these really cost may leave room for the others
            self._calls += 1
            self._sending.add(asyncio.create_task(self._one(plan, line)))
        if not self._sending:
            if not self._ended.is_set():
                assert self._budget is not None
                self.over_budget = True
                self._note(self._budget.refusal(worst_cost(self._plan(0, step.tokens), self.setup.price)))
            return None
        try:
            return tuple(await asyncio.gather(*self._sending))
        except asyncio.CancelledError:
            if not self._ended.is_set():
                raise
            await asyncio.gather(*self._sending, return_exceptions=True)
            return None

    async def _pause(self, pause_s: float) -> bool:
        """Wait for a row's next request; whether it is still to be sent: nobody ended the probe, none was refused."""
        due_s = seconds(now_ns()) + pause_s
        while not self._ended.is_set() and all(map(_may_go_on, self._sending)):
            wait_s = due_s - seconds(now_ns())
            if wait_s <= 0.0:
                return True
            pending = [task for task in self._sending if not task.done()]
            if pending:
                await asyncio.wait(pending, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(wait_s)
        return False

    async def _one(self, plan: CallPlan, line: Line) -> Answer:
        call, now = plan.id, now_ns()
        heard: list[Fact] = []

        def emit(fact: Fact) -> None:
            if isinstance(fact, HeadersCame | AllowanceCame):
                heard.append(fact)
            self._emit(fact)

        receipt = Receipt(emit)
        self._emit(Queued(call, now, now, plan.model, plan.prompt))
        self._emit(Waited(call, now))
        self._emit(Admitted(call, now))
        outcome: Outcome | None = None
        state, error = State.CANCELLED, "cancelled"
        try:
            async with asyncio.timeout(line.limits.total_s):
                attempt = Attempt(line, plan, request_body(plan), f"weir-{uuid.uuid4().hex}", receipt)
                outcome = await attempt.run()
            failure = outcome.failure
            state, error = (State.DONE, "") if failure is None else (State.FAILED, failure.message)
        except TimeoutError:
            state, error = State.FAILED, f"not done within {line.limits.total_s:g} s (--timeout)"
        finally:
            self._settle(plan, receipt)
            self._emit(Finished(call, now_ns(), state, error or None))
        return answer_of(self.ledger.calls[plan.id].attempts[-1], plan.max_tokens, outcome, error, heard)

    def _settle(self, plan: CallPlan, receipt: Receipt) -> None:
        if self._budget is None or self.setup.price is None:
            return
        worst = worst_cost(plan, self.setup.price)
        self._budget.settle(worst, charge(worst, self.setup.price, receipt.usage, receipt.may_be_billed))

    def _plan(self, call: int, tokens: int) -> CallPlan:
        setup = self.setup
        asked: dict[str, Any] = {"role": "user", "content": PROMPT}
        messages = (asked,) if setup.system is None else ({"role": "system", "content": setup.system}, asked)
        size = {} if any(name in setup.params for name in _SIZE_FIELDS) else {"max_tokens": tokens}
        return CallPlan(call, setup.model, messages, {**size, **setup.params})

    def _note(self, text: str) -> None:
        self._emit(Noticed(now_ns(), text))
        self._on_note(text)

    def _emit(self, fact: Fact) -> None:
        self.ledger.fold(fact)


def _may_go_on(task: asyncio.Task[Answer]) -> bool:
    """Whether a request, as far as is known, met nothing that asks for a stop."""
    return not task.done() or (not task.cancelled() and task.result().fate is Fate.PASSED)
