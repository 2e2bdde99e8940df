"""When each stream speaks next: one heap and one timer for all of them. Sends nothing itself.

A task or a timer per token costs more than the token; here a token costs a heap replacement, and the event
loop holds one timer, for whatever is due first. The loop's epoll wakes on whole milliseconds, so a token leaves
up to 1 ms after it is due; what is due next is counted from the plan, not from that, so nothing drifts.
"""

import asyncio
from heapq import heappop, heappush, heapreplace
from typing import Protocol

MOST_AT_ONCE = 2_000
"""Turns before the loop may read sockets again, lest endless streams lock new requests out."""


class Timed(Protocol):
    """Something that acts when it is due."""

    def fire(self) -> float | None:
        """Act; the loop time of the next turn, or None for no further turn. Must not call `Scheduler.add`."""


class Scheduler:
    """Calls `fire` of whatever is due, in order of time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Timed]] = []
        self._added = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def add(self, due: float, timed: Timed) -> None:
        """Let `timed` fire at loop time `due`."""
        self._added += 1
        heappush(self._heap, (due, self._added, timed))
        if self._timer is None or due < self._armed_for:
            self._arm()

    def close(self) -> None:
        """Nothing fires any more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = self._heap[0][0]
        self._timer = self._loop.call_at(self._armed_for, self._tick)

    def _tick(self) -> None:
        heap = self._heap
        now = self._loop.time()
        turns = 0
        while heap and heap[0][0] <= now and turns < MOST_AT_ONCE:
            turns += 1
            _, order, timed = heap[0]
            due = timed.fire()
            if due is None:
                heappop(heap)
            else:
                heapreplace(heap, (due, order, timed))
        self._timer = None
        if heap:
            self._arm()
