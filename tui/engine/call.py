"""One call: money, limiter, an attempt, the retry decision, and again. Ends in exactly one way, whatever happens.

Policy is in core/retry.py; here it is only obeyed. Nothing else in Weir retries.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import msgspec

from tui.core.calls import CallPlan, State, Usage
from tui.core.clock import nanoseconds, now_ns
from tui.core.facts import Admitted, AttemptEnded, BackedOff, Fact, UsageCame, Waited
from tui.core.retry import Failure, GiveUp, decide
from tui.core.structured import asked_again
from tui.engine.attempt import Attempt, Emit, Outcome
from tui.engine.hearing import Rejection
from tui.engine.lane import Lane
from tui.engine.limiter import RequestTooLarge, Reservation
from tui.engine.purse import OverBudget
from tui.wire.chat import request_body

UNREACHED_ATTEMPTS = 3
"""Of a batch's call, before an address at which nobody has answered to anything is taken to be wrong."""


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
        self._first = plan
        self._lane = lane
        self._emit = emit
        self._hold = hold
        # A part of a divided document is a step on the way: the answer that is asked for comes of them all.
        is_part = plan.document is not None and plan.document.parts > 1
        self._judge = None if is_part else lane.judge
        self._ask(plan)
        self._retry_cost: int | None = None
        self._left_s = lane.line.limits.total_s
        """Of the call's time, while its clock stands still."""
        self._deadline_at: float | None = None
        """While it runs."""
        self.deadline: asyncio.Timeout
        self.text_came = False

    def _ask(self, plan: CallPlan) -> None:
        """Send this from the next attempt on: money and tokens are reckoned by it, too.

        The key is the same on every attempt that sends the same, and another where something else is sent or another
        answer is wanted: a server that heeds it would repeat the one it gave.
        """
        self._plan = plan
        self._body = request_body(plan)
        self._key = f"weir-{uuid.uuid4().hex}"

    def ended(self, state: State, error: str | None = None, failure: Failure | None = None) -> Ending:
        return Ending(state, now_ns(), error, failure)

    async def attempts(self) -> Ending:
        lane, number = self._lane, 0
        failure: Failure | None = None
        while True:
            if lane.stopped is not None:
                # Of a batch this one is asked again when the run is resumed: nobody has refused it.
                return self.ended(State.CANCELLED if lane.policy.patient else State.FAILED, lane.stopped)
            number += 1
            self._emit(Waited(self._plan.id, now_ns()))
            try:
                outcome = await self._paid_attempt()
            except RequestTooLarge as error:
                if failure is not None:
                    return self._give_up(failure, GiveUp(f"another attempt {error}"))
                return self.ended(State.REFUSED, str(error))
            except OverBudget as error:
                if failure is not None:
                    return self._unsettled(State.REFUSED, failure, GiveUp(f"another attempt {error}"))
                return self.ended(State.REFUSED, str(error))
            failure = outcome.failure
            if failure is None:
                lane.budget.succeeded(self._retry_cost)
                return self.ended(State.DONE)
            self.text_came = failure.after_first_token
            if lane.policy.patient and not lane.reached and number >= min(UNREACHED_ATTEMPTS, lane.policy.attempts):
                # An outage is waited for; an address at which nobody ever answered is a mistake.
                lane.stop(f"{failure.message} (nothing was ever reached there; is --base-url right?)")
                return self._unsettled(State.CANCELLED, failure, GiveUp("nothing was ever reached"))
            decision = decide(failure, number, self._time_left_s(), lane.rng.random(), lane.policy)
            if isinstance(decision, GiveUp):
                return self._give_up(failure, decision)
            if outcome.rejection is not None:
                # The budget keeps an outage from being met with a storm, and a server that answers is well. What
                # another answer costs is bounded by the attempts, and by the money.
                lane.budget.succeeded(self._retry_cost)
                self._retry_cost = None
                self._ask_again(outcome.rejection)
            elif not self._may_be_retried(failure):
                return self._give_up(failure, GiveUp("the retry budget is spent"))
            now = now_ns()
            self._emit(BackedOff(self._plan.id, now, now + nanoseconds(decision.seconds), decision.why))
            if await lane.ends_within(decision.seconds):
                why = GiveUp("the run is ending, so it is not tried again")
                return self._unsettled(State.CANCELLED, failure, why)

    def _may_be_retried(self, failure: Failure) -> bool:
        """Pay for another attempt from the retry budget, or see to it that a patient call need not pay."""
        lane = self._lane
        patient = lane.policy.patient
        if patient and failure.asks_for_quiet:
            self._retry_cost = None  # the lane is closed for everyone as long as the server asked: there is no storm
            return True
        self._retry_cost = lane.budget.take(failure)
        if self._retry_cost is None and patient:
            lane.gate.narrow()
            return True
        return self._retry_cost is not None

    def _ask_again(self, rejection: Rejection) -> None:
        messages = asked_again(self._first.messages, rejection.answer, rejection.why)
        self._ask(msgspec.structs.replace(self._first, messages=messages))

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
            outcome = await self._admitted_attempt(receipt)
            if outcome.rejection is not None:
                receipt.usage = outcome.usage  # it came whole, so its count is the bill
            return outcome
        finally:
            purse.settle(worst, receipt.usage, receipt.may_be_billed)

    async def _admitted_attempt(self, emit: Emit) -> Outcome:
        gate = self._lane.gate
        # Reckoned anew each time: what calls use is learned as they end, and limits change.
        admission = await gate.admit(self._lane.reservation(len(self._body), self._plan))
        answered: bool | None = None
        try:
            self._start_the_clock()
            emit(Admitted(self._plan.id, now_ns()))
            outcome = await self._attempt(emit)
            if self._lane.policy.patient:
                self._stop_the_clock()
            self._settle(outcome, admission.reservation)
            answered = outcome.failure is None or not outcome.failure.in_trouble
            return outcome
        finally:
            gate.left(admission, answered)

    async def _attempt(self, emit: Emit) -> Outcome:
        attempt = Attempt(self._lane.line, self._plan, self._body, self._key, emit, self._judge)
        try:
            return await attempt.run(self._hold)
        finally:
            self.text_came = attempt.text_came

    def _start_the_clock(self) -> None:
        """The call's deadline counts from its first admission: a long queue is the limiter's doing."""
        if self._deadline_at is None:
            self._deadline_at = asyncio.get_running_loop().time() + self._left_s
            self.deadline.reschedule(self._deadline_at)

    def _stop_the_clock(self) -> None:
        """Until the next admission. Of a patient call all attempts together have the time that an interactive one has
        from its first to its end: a lane may be closed for an hour, a person may be asked for more money."""
        self._left_s = self._time_left_s()
        self._deadline_at = None
        self.deadline.reschedule(None)

    def _time_left_s(self) -> float:
        if self._deadline_at is None:
            return self._left_s
        return self._deadline_at - asyncio.get_running_loop().time()

    def _settle(self, outcome: Outcome, reservation: Reservation) -> None:
        failure, usage = outcome.failure, outcome.usage
        if failure is None or failure.status is not None or failure.written:
            self._lane.reached = True
        if usage is not None:
            self._lane.used(usage.completion)
            self._lane.limiter.settle(reservation, usage.prompt + usage.completion)
        elif failure is not None and (failure.status is not None or not failure.written):
            self._lane.limiter.settle(reservation, 0)
        if failure is not None:
            self._lane.cool_down(failure)

    def _give_up(self, failure: Failure, decision: GiveUp) -> Ending:
        error = f"{failure.message} ({decision.why})" if decision.why else failure.message
        if decision.stop_lane:
            self._lane.stop(error)
        return self.ended(State.BROKEN if failure.after_first_token else State.FAILED, error, failure)

    def _unsettled(self, state: State, failure: Failure, decision: GiveUp) -> Ending:
        """Give up where another attempt was due, and only the run's end or its money is in the way.

        For a batch this settles nothing: in `state` it is asked again when the run is resumed.
        """
        ending = self._give_up(failure, decision)
        return replace(ending, state=state) if self._lane.policy.patient else ending


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
