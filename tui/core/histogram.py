"""Distributions that merge: counts in logarithmic buckets, three significant digits.

The idea is Gil Tene's HdrHistogram: below 2048 a value is its own bucket, above it the top 11 bits name
the bucket, so that a value is known to 1 part in 1024. Counting takes no allocation and two histograms add up
to the histogram of both, which averages and percentiles do not.
"""

import math

_BITS = 11


class Histogram:
    """Counts of whole, non-negative values in one unit (the caller's)."""

    __slots__ = ("_counts", "maximum", "minimum", "n", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.n = 0
        self.total = 0
        self.minimum = 0
        self.maximum = 0

    def record(self, value: int) -> None:
        """Count one value; below 0 counts as 0 (two stamps of one instant may differ by a clock step)."""
        if value < 0:
            value = 0
        shift = value.bit_length() - _BITS  # `_key`, without a call: this runs once a token
        key = value if shift <= 0 else (shift << _BITS) + (value >> shift)
        counts = self._counts
        counts[key] = counts.get(key, 0) + 1
        if value > self.maximum:
            self.maximum = value
        if value < self.minimum or not self.n:
            self.minimum = value
        self.n += 1
        self.total += value

    def forget(self, value: int) -> None:
        """Take back one value that was recorded; the extremes are then known as well as any other value."""
        value = max(0, value)
        key = _key(value)
        counts = self._counts
        counts[key] -= 1
        if not counts[key]:
            del counts[key]
        self.n -= 1
        self.total -= value
        if not self.n:
            self.minimum = self.maximum = 0
        else:
            self.minimum = max(self.minimum, _lowest(min(counts)))
            self.maximum = min(self.maximum, _highest(max(counts)))

    def merge(self, other: "Histogram") -> None:
        """Add another histogram's counts to this one."""
        if not other.n:
            return
        for key, count in other._counts.items():
            self._counts[key] = self._counts.get(key, 0) + count
        self.minimum = min(self.minimum, other.minimum) if self.n else other.minimum
        self.maximum = max(self.maximum, other.maximum)
        self.n += other.n
        self.total += other.total

    def quantiles(self, *fractions: float) -> list[int] | None:
        """Values below or at which these fractions (0 to 1, ascending) of samples lie; None when empty.

        Nearest rank, relative error at most 0.05 %.
        """
        if not self.n:
            return None
        found: list[int] = []
        ordered = iter(sorted(self._counts.items()))
        key, seen = next(ordered)
        seen_below = seen
        for fraction in fractions:
            rank = max(1, math.ceil(fraction * self.n))
            while seen_below < rank:
                key, seen = next(ordered)
                seen_below += seen
            found.append(min(max(_middle(key), self.minimum), self.maximum))
        return found

    @property
    def mean(self) -> float | None:
        """The exact mean; None when empty."""
        return self.total / self.n if self.n else None


def _key(value: int) -> int:
    shift = value.bit_length() - _BITS
    return value if shift <= 0 else (shift << _BITS) + (value >> shift)


def _lowest(key: int) -> int:
    shift, top = key >> _BITS, key & ((1 << _BITS) - 1)
    return top << shift


def _highest(key: int) -> int:
    shift, top = key >> _BITS, key & ((1 << _BITS) - 1)
    return ((top + 1) << shift) - 1


def _middle(key: int) -> int:
    shift, top = key >> _BITS, key & ((1 << _BITS) - 1)
    if not shift:
        return key
    return (top << shift) + (1 << (shift - 1))


__all__ = ["Histogram"]
