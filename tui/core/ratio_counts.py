"""Distributions coarse enough to keep one for every step of a run, and to draw: counts by preferred numbers.

A bucket is the stretch between two neighbours of ISO 3's series R40 (1, 1.06, 1.12, 1.18, 1.25, …: forty a decade, at
most 7.2 % wide). Every second, fourth and eighth of them is the series R20, R10 and R5, so that bins of a chart are
sums of buckets and begin at numbers that people know: 100, 125, 160, 200, 250 ms. It merges exactly and its memory is
bounded; for figures to three digits there is core/histogram.py.
"""

import math
from bisect import bisect_right

from tui.core.views import Bin

_R40 = (
    100, 106, 112, 118, 125, 132, 140, 150, 160, 170, 180, 190, 200, 212, 224, 236, 250, 265, 280, 300,
    315, 335, 355, 375, 400, 425, 450, 475, 500, 530, 560, 600, 630, 670, 710, 750, 800, 850, 900, 950,
)  # fmt: skip
_EDGES = [0, *(number * 10**power for power in range(3, 11) for number in _R40), 10**13]
"""Where the buckets begin (ns): one below 100 µs, eight decades of forty up to 10,000 s, and the end of the last."""
_LAST = len(_EDGES) - 2
_SERIES = (1, 2, 4, 8)
"""How many buckets make a bin of R40, R20, R10 and R5."""
_FEWEST, _MOST = 10, 40


class RatioCounts:
    """Counts of durations (ns), known to about 3.6 %."""

    __slots__ = ("_counts", "_maximum", "_minimum", "n")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._minimum = self._maximum = 0
        self.n = 0

    def record(self, value_ns: int) -> None:
        """Count one value; below 0 counts as 0, and 10,000 s or more as the largest value there is."""
        value_ns = min(max(value_ns, 0), _EDGES[-1] - 1)
        bucket = bisect_right(_EDGES, value_ns) - 1
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._maximum = max(self._maximum, value_ns)
        self._minimum = min(self._minimum, value_ns) if self.n else value_ns
        self.n += 1

    def merge(self, other: "RatioCounts") -> None:
        """Add another's counts to these."""
        if not other.n:
            return
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self._minimum = min(self._minimum, other._minimum) if self.n else other._minimum
        self._maximum = max(self._maximum, other._maximum)
        self.n += other.n

    def quantiles(self, *fractions: float) -> list[int] | None:
        """Values (ns) below or at which these fractions (0 to 1, ascending) lie; None when empty.

        Nearest rank, relative error at most 3.6 % from 100 µs to 10,000 s; a lone value is exact.
        """
        if not self.n:
            return None
        found: list[int] = []
        ordered = iter(sorted(self._counts.items()))
        bucket, seen = next(ordered)
        for fraction in fractions:
            rank = max(1, math.ceil(fraction * self.n))
            while seen < rank:
                bucket, count = next(ordered)
                seen += count
            middle = (_EDGES[bucket] + _EDGES[bucket + 1]) // 2
            found.append(min(max(middle, self._minimum), self._maximum))
        return found

    def bins(self) -> list[Bin]:
        """All values in bins of equal ratio, ascending, from the first to the last that holds one; at most 41.

        The series is the finest that needs no more bins than the square root of the values (but ten are always
        allowed, and never more than forty): few values in many bins look like a comb.
        """
        if not self.n:
            return []
        low = max(min(self._counts), 1)
        high = max(*self._counts, 1)
        allowed = min(max(math.isqrt(self.n), _FEWEST), _MOST)
        each = next((each for each in _SERIES if (high - 1) // each - (low - 1) // each < allowed), _SERIES[-1])
        first, last = (low - 1) // each, (high - 1) // each
        totals = [0] * (last - first + 1)
        for bucket, count in self._counts.items():
            if bucket:
                totals[(bucket - 1) // each - first] += count
        bins = [
            Bin(_EDGES[1 + index * each], _EDGES[1 + (index + 1) * each], n) for index, n in enumerate(totals, first)
        ]
        below = self._counts.get(0)
        if below is None:
            return bins
        return [Bin(0, _EDGES[1], below), *(bins if below < self.n else [])]


__all__ = ["RatioCounts"]
