"""The one clock. Every instant in Weir is an int of monotonic nanoseconds from `now_ns`.

`time.monotonic_ns` and not `perf_counter_ns`: on Linux both read CLOCK_MONOTONIC, which all processes
of a machine share (so a server's own record can be held against ours), and asyncio timers use it too.
"""

from time import monotonic_ns as now_ns
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Anything that answers the present instant in monotonic nanoseconds."""

    def __call__(self) -> int: ...


def seconds(duration_ns: int) -> float:
    """A duration in nanoseconds as seconds."""
    return duration_ns / NS_PER_S


def nanoseconds(duration_s: float) -> int:
    """A duration in seconds as whole nanoseconds."""
    return round(duration_s * NS_PER_S)


__all__ = ["NS_PER_MS", "NS_PER_S", "Clock", "nanoseconds", "now_ns", "seconds"]
