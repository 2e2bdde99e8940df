"""Rates over time from the steps of a Timeline: sums become requests a minute and tokens a second. Formats nothing."""

from collections.abc import Sequence
from itertools import accumulate

from tui.core.clock import NS_PER_S
from tui.core.views import Timeline

MINUTE_NS = 60 * NS_PER_S


def elapsed_ns(timeline: Timeline, end_at: int) -> int:
    """How much of the run the timeline tells of, given its end; never less than its steps."""
    steps = len(timeline.attempts)
    least = (steps - 1) * timeline.width_ns + 1 if steps else 0
    return min(max(end_at - timeline.start_at, least), steps * timeline.width_ns)


def sliding_minute(values: Sequence[float | None], width_ns: int, elapsed: int) -> list[float | None]:
    """For each step the sum over the 60 s before its end; before 60 s of run, the sum so far.

    Steps wider than 60 s are taken as even: a share of each counts. None where a value is None.
    """
    sums = [0.0, *accumulate(value or 0 for value in values)]
    found: list[float | None] = []
    for index, value in enumerate(values):
        if value is None:
            found.append(None)
            continue
        end = min((index + 1) * width_ns, max(elapsed, index * width_ns + 1))
        gone = sums[0]
        if end > MINUTE_NS:
            before, part_ns = divmod(end - MINUTE_NS, width_ns)
            # The last step may be cut short by the run's end: its share is of the part that has been.
            whole_ns = end - index * width_ns if before == index else width_ns
            gone = sums[before] + (sums[before + 1] - sums[before]) * part_ns / whole_ns
        found.append(sums[index + 1] - gone)
    return found


def per_second(values: Sequence[float], width_ns: int, elapsed: int) -> list[float | None]:
    """Each step's sum as a rate. The last step's is over the part that has been, once that is a quarter."""
    rates: list[float | None] = [value * NS_PER_S / width_ns for value in values]
    if rates:
        part_ns = elapsed - (len(values) - 1) * width_ns
        if part_ns < width_ns:
            rates[-1] = values[-1] * NS_PER_S / part_ns if part_ns >= width_ns / 4 else None
    return rates


__all__ = ["elapsed_ns", "per_second", "sliding_minute"]
