"""What all of a batch will cost, from what its ended calls have cost, with an interval. Pure; reads no clock.

The ended calls are taken for a random sample, without replacement, of the planned ones: the estimated total is N times
their mean, and its error is that of a sample from a finite population, so that it shrinks to nothing as the sample
becomes the whole.

    projected = N·x̄        half width = t · N · s/√n · √(1 − n/N)

Source: Cochran, "Sampling Techniques", 3rd ed. 1977, sections 2.6 to 2.8. What it does not know: documents that become
longer towards the end of the corpus, and that short calls end first, which makes an early projection a little low.
"""

import math
from dataclasses import dataclass
from decimal import Context, Decimal

LEAST_ENDED = 8
"""Fewer have no spread to speak of. A choice."""

_Z = 1.959963984540054
"""Of a normal distribution, 95 % lie within so many standard deviations."""
_EXACT = Context(prec=80)
_DIGITS = Decimal("1E-12")
"""To which a projection is rounded: it is not known to a thousandth of that."""


class Costs:
    """Costs of ended calls, one at a time: their exact sum, and how far they spread."""

    __slots__ = ("_mean", "_squares", "n", "total")

    def __init__(self) -> None:
        self.n = 0
        self.total = Decimal(0)
        """USD, exact."""
        self._mean = 0.0
        self._squares = 0.0
        """Sum of squared differences from the mean. Welford's way: a sum of squares less the square of the sum would
        lose all its digits where costs are alike."""

    def add(self, cost: Decimal) -> None:
        """Count a call that has ended, with all its attempts. ValueError for what is no amount of money."""
        if not cost.is_finite() or cost < 0:
            raise ValueError(f"{cost} is no amount of money")
        self.n += 1
        self.total = _EXACT.add(self.total, cost)
        value = float(cost)
        before = value - self._mean
        self._mean += before / self.n
        self._squares += before * (value - self._mean)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation in USD; None for fewer than two."""
        return math.sqrt(self._squares / (self.n - 1)) if self.n > 1 else None


@dataclass(frozen=True, slots=True)
class Projection:
    """What a batch will have cost at its end, in USD."""

    spent: Decimal
    """Of the ended calls."""
    projected: Decimal | None = None
    """None: nobody knows how many calls there will be, or too few have ended to tell."""
    low: Decimal | None = None
    """With `high`, 95 % of such intervals hold the true total; never below `spent`."""
    high: Decimal | None = None


def project(costs: Costs, planned: int | None) -> Projection:
    """The projection from the ended calls to all `planned` ones (None: unknown), which include the ended.

    Known from `LEAST_ENDED` ended calls on, and when all have ended.
    """
    n, spent = costs.n, costs.total
    if planned is None:
        return Projection(spent)
    if n >= planned:  # also when more ended than were planned, for some were done again
        return Projection(spent, spent, spent, spent)
    deviation = costs.deviation
    if n < LEAST_ENDED or deviation is None:
        return Projection(spent)
    projected = _EXACT.divide(_EXACT.multiply(spent, Decimal(planned)), Decimal(n))
    half = Decimal(_t(n - 1) * planned * deviation / math.sqrt(n) * math.sqrt(1 - n / planned))
    low, high = _EXACT.subtract(projected, half), _EXACT.add(projected, half)
    return Projection(spent, _rounded(projected), max(spent, _rounded(low)), _rounded(high))


def _t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, to 0.5 % from 7 degrees of freedom on.

    Source: Abramowitz and Stegun, 26.7.5, its first two terms. With the normal quantile alone, the intervals of eight
    calls would hold the truth in 91 % of all cases instead of 95.
    """
    first = (_Z**3 + _Z) / 4
    second = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96
    return _Z + first / freedom + second / freedom**2


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_DIGITS, context=_EXACT)
