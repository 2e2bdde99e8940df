"""One call: money, limiter, an attempt, the retry decision, and again. Ends in exactly one way, whatever happens.

Policy is in core/retry.py; here it is only obeyed. Nothing else in Weir retries.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tui.core.calls import CallPlan, State, Usage
from tui.core.clock import nanoseconds, now_ns
from tui.core.facts import Admitted, AttemptEnded, BackedOff, Fact, UsageCame, Waited
from tui.core.retry import Failure, GiveUp, decide
from tui.engine.attempt import Attempt, Emit, Outcome
from tui.engine.lane import Lane
from tui.engine.limiter import RequestTooLarge, Reservation
from tui.engine.purse import OverBudget
from tui.wire.chat import request_body


@dataclass(frozen=True, slots=True)
class Ending:
    """The terminal state of a call, and why it is not `done`."""

    state: State
    at: int
    error: str | None = None
    failure: Failure | None = None
    """The last attempt's, for whoever raises it."""


async def run_call(plan: CallPlan, lane: Lane, emit: Emit, hold: Callable[[], Awaitable[None]] | None = None) -> Ending:
    """Run one call to its end. States everything but `Finished`: its owner does, once the call is on record.

    Cancelling the task that runs this ends the call as `cancelled`; the cancellation is taken in.
    """
    run = _Run(plan, lane, emit, hold)
    try:
        async with asyncio.timeout(None) as deadline:
            run.deadline = deadline
            return await run.attempts()
    except TimeoutError:
        limit_s = lane.line.limits.total_s
        return run.ended(State.BROKEN if run.text_came else State.FAILED, f"not done within {limit_s:g} s (--timeout)")
    except asyncio.CancelledError:
        return run.ended(State.CANCELLED, "cancelled")


class _Run:
    def __init__(self, plan: CallPlan, lane: Lane, emit: Emit, hold: Callable[[], Awaitable[None]] | None) -> None:
        self._plan = plan
        self._lane = lane
        self._emit = emit
        self._hold = hold
        self._body = request_body(plan)
        self._key = f"weir-{uuid.uuid4().hex}"  # one a call, the same on every attempt
        self._reserved = lane.reservation(len(self._body), plan)
        self._retry_cost: int | None = None
        self._deadline_at: float | None = None
        self.deadline: asyncio.Timeout
        self.text_came = False

    def ended(self, state: State, error: str | None = None, failure: Failure | None = None) -> Ending:
        return Ending(state, now_ns(), error, failure)

    async def attempts(self) -> Ending:
        lane, number = self._lane, 0
        failure: Failure | None = None
        while True:
            if lane.stopped is not None:
                return self.ended(State.FAILED, lane.stopped)
            number += 1
            self._emit(Waited(self._plan.id, now_ns()))
            try:
                outcome = await self._paid_attempt()
            except RequestTooLarge as error:
                return self.ended(State.REFUSED, str(error))
            except OverBudget as error:
                if failure is not None:
                    return self._give_up(failure, GiveUp(f"another attempt {error}"))
                return self.ended(State.REFUSED, str(error))
            failure = outcome.failure
            if failure is None:
                lane.budget.succeeded(self._retry_cost)
                return self.ended(State.DONE)
            self.text_came = failure.after_first_token
            decision = decide(failure, number, self._left_s(), lane.rng.random(), lane.policy)
            if isinstance(decision, GiveUp):
                return self._give_up(failure, decision)
            cost = lane.budget.take(failure)
            if cost is None:
                return self._give_up(failure, GiveUp("the retry budget is spent"))
            self._retry_cost = cost
            now = now_ns()
            self._emit(BackedOff(self._plan.id, now, now + nanoseconds(decision.seconds), decision.why))
            if await lane.ends_within(decision.seconds):
                return self._give_up(failure, GiveUp("the run is ending, so it is not tried again"))

    async def _paid_attempt(self) -> Outcome:
        """An attempt for which money is set aside, where there is a budget."""
        purse = self._lane.purse
        if purse is None:
            return await self._admitted_attempt(self._emit)
        worst = purse.worst(self._plan)
        # Before the limiter, so that between its word and the sending nothing is waited for.
        await purse.reserve(worst)
        receipt = Receipt(self._emit)
        try:
            return await self._admitted_attempt(receipt)
        finally:
            purse.settle(worst, receipt.usage, receipt.may_be_billed)

    async def _admitted_attempt(self, emit: Emit) -> Outcome:
        limiter = self._lane.limiter
        reservation = await limiter.acquire(self._reserved)
        try:
            self._start_the_clock()
            emit(Admitted(self._plan.id, now_ns()))
            outcome = await self._attempt(emit)
            self._settle(outcome, reservation)
            return outcome
        finally:
            limiter.ended()

    async def _attempt(self, emit: Emit) -> Outcome:
        attempt = Attempt(self._lane.line, self._plan, self._body, self._key, emit)
        try:
            return await attempt.run(self._hold)
        finally:
            self.text_came = attempt.text_came

    def _start_the_clock(self) -> None:
        """The call's deadline counts from its first admission: a long queue is the limiter's doing."""
        if self._deadline_at is None:
            self._deadline_at = asyncio.get_running_loop().time() + self._lane.line.limits.total_s
            self.deadline.reschedule(self._deadline_at)

    def _left_s(self) -> float:
        assert self._deadline_at is not None
        return self._deadline_at - asyncio.get_running_loop().time()

    def _settle(self, outcome: Outcome, reservation: Reservation) -> None:
        failure, usage = outcome.failure, outcome.usage
        if usage is not None:
            self._lane.used(usage.completion)
            self._lane.limiter.settle(reservation, usage.prompt + usage.completion)
        elif failure is not None and (failure.status is not None or not failure.written):
            self._lane.limiter.settle(reservation, 0)
        if failure is not None and failure.status == 429:
            self._lane.cool_down(failure.hint_s)

    def _give_up(self, failure: Failure, decision: GiveUp) -> Ending:
        error = f"{failure.message} ({decision.why})" if decision.why else failure.message
        if decision.stop_lane:
            self._lane.stop(error)
        return self.ended(State.BROKEN if failure.after_first_token else State.FAILED, error, failure)


class Receipt:
    """Hands the facts of one attempt on, and keeps what they say of its price."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.usage: Usage | None = None
        self.may_be_billed = False
        """It delivered, or died where the server may have begun to work; False for one that was never sent."""

    def __call__(self, fact: Fact) -> None:
        self._emit(fact)
        if type(fact) is UsageCame:
            self.usage = fact.usage
        elif type(fact) is AttemptEnded and fact.error is None:
            self.may_be_billed = True
        elif type(fact) is AttemptEnded:
            # Some servers count as they go: of a stream that was cut, the last count need not be the bill.
            self.may_be_billed = fact.possibly_billed or self.usage is not None
            self.usage = None
