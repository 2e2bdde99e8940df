"""What a person may do to a running call or to its limits: obeys those commands, states what became of them."""

from collections.abc import Callable
from typing import assert_never

from tui.core.calls import TERMINAL, State
from tui.core.clock import now_ns
from tui.core.commands import CancelCall, Pause, Resume, RetryCall, RetryFailed, SetConcurrency, SetRate
from tui.core.facts import LimitsChanged, Noticed, PhaseChanged
from tui.core.figures import exact
from tui.core.ledger import Ledger
from tui.engine.attempt import Emit
from tui.engine.limiter import Limiter
from tui.engine.plan_shelf import PlanShelf
from tui.engine.pool import Pool

Steer = Pause | Resume | CancelCall | RetryCall | RetryFailed | SetRate | SetConcurrency

MOST_RPM = 1_000_000
MOST_AT_ONCE = 10_000
"""Beyond these a number is a slip of a finger, and a task for each would take the memory."""

_FAILED = (State.FAILED, State.BROKEN)
_GONE = "what was asked is no longer in memory"


class Helm:
    """Steers one run."""

    def __init__(
        self, ledger: Ledger, pool: Pool, limiter: Limiter, shelf: PlanShelf, emit: Emit, more: Callable[[], None]
    ) -> None:
        """`more` hears of each call that the run has in addition to those planned."""
        self._ledger = ledger
        self._pool = pool
        self._limiter = limiter
        self._shelf = shelf
        self._emit = emit
        self._more = more
        self._done_again: set[int] = set()
        self.on_limit: Callable[[SetRate | SetConcurrency], None] = lambda command: None
        """Hears that a person has changed a limit, once it is changed."""

    def obey(self, command: Steer) -> None:
        """Obey at once; what cannot be done is said in a notice."""
        match command:
            case Pause():
                if not self._pool.draining:
                    self._pool.pause()
                    self._emit(PhaseChanged(now_ns(), "paused"))
            case Resume():
                if not self._pool.draining:
                    self._pool.resume()
                    self._emit(PhaseChanged(now_ns(), "running"))
            case CancelCall(call):
                self._pool.cancel(call)
            case RetryCall(call):
                self._retry(call)
            case RetryFailed():
                self._retry_failed()
            case SetRate(rpm):
                self._limiter.set_rpm(None if rpm is None else min(max(1, rpm), MOST_RPM))
                self.on_limit(command)
                self.state_limits()
            case SetConcurrency(concurrency):
                self._pool.set_concurrency(min(max(1, concurrency), MOST_AT_ONCE))
                self.on_limit(command)
                self.state_limits()
            case _:
                assert_never(command)

    def state_limits(self) -> None:
        """State what the limits are."""
        self._emit(LimitsChanged(now_ns(), self._limiter.rpm, self._limiter.tpm, self._pool.concurrency))

    def _retry(self, call: int) -> None:
        why = self._why_not(call)
        if why is None and not self._do_again(call):
            why = _GONE
        if why is not None:
            self._emit(Noticed(now_ns(), f"#{call} is not retried: {why}"))

    def _why_not(self, call: int) -> str | None:
        entry = self._ledger.calls.get(call)
        if entry is None:
            return "there is no such call"
        if entry.state not in TERMINAL:
            return "it has not ended"
        if entry.state is State.DONE:
            return "it has its answer"
        if call in self._done_again:
            return "it is done again already"
        return "nothing more is sent" if self._pool.draining else None

    def _retry_failed(self) -> None:
        if self._pool.draining:
            self._emit(Noticed(now_ns(), "nothing is retried: nothing more is sent"))
            return
        failed = [
            call
            for call in self._ledger.ended_order
            if self._ledger.calls[call].state in _FAILED and call not in self._done_again
        ]
        begun = sum(self._do_again(call) for call in failed)
        said = "no failed call is left to do again"
        if begun:
            said = "1 call is done again" if begun == 1 else f"{exact(begun)} calls are done again"
        lost = len(failed) - begun
        if lost:
            said += f"; {exact(lost)} more failed: {_GONE}" if begun else f": {_GONE}"
        self._emit(Noticed(now_ns(), said))

    def _do_again(self, call: int) -> bool:
        plan = self._shelf.get(call)
        if plan is None:
            return False
        self._done_again.add(call)
        self._more()
        self._pool.again(plan)
        return True
