"""How late the event loop runs its timers: the error of everything that is stamped when the loop gets to it."""

import asyncio

from tui.core.clock import NS_PER_S, now_ns
from tui.core.facts import LoopLagged
from tui.engine.attempt import Emit

INTERVAL_S = 0.020


class LagMeter:
    """A timer that notes how late it is, every 20 ms."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._latest_ns = 0
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; inside a running loop."""
        loop = asyncio.get_running_loop()
        self._due_s = loop.time() + INTERVAL_S
        self._timer = loop.call_at(self._due_s, self._tick)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()

    def latest_ns(self) -> int:
        """The last lag measured, or how overdue the timer is by now: a loop that is late cannot say so before."""
        overdue_s = asyncio.get_running_loop().time() - self._due_s
        return max(self._latest_ns, int(overdue_s * NS_PER_S))

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self._latest_ns = max(0, int((now_s - self._due_s) * NS_PER_S))
        self._emit(LoopLagged(now_ns(), self._latest_ns))
        self._due_s = now_s + INTERVAL_S
        self._timer = loop.call_at(self._due_s, self._tick)
