"""When each call of an open-loop run is due, as a pure schedule: the same seed gives the same instants.

A closed loop has no schedule: its next call is due when a slot falls free. In an open loop a call is due whether or not
the server keeps up, so that lateness shows as queue time instead of as a lower rate. Nothing here waits.

Every kind of arrival is a process of mean gap 1, carried over to time by the rate:

- constant: the numbers 0, 1, 2, …
- poisson: gaps drawn from the exponential distribution.
- gamma: gaps drawn from the gamma distribution of shape `burstiness` and scale `1 / burstiness`, whose squared
  coefficient of variation is `1 / burstiness`: 1 is Poisson, less is burstier, more is more even. At a constant rate of
  r arrivals a second that is a scale of `1 / (r * burstiness)`, the definition of `--burstiness` in vLLM's
  benchmark (`vllm bench serve`, `get_request` in vllm/benchmarks/serve.py).

At a constant rate the gap is divided by the rate. With a ramp the instant is where the integral of the rate reaches the
process (the inversion method for non-homogeneous Poisson processes): for poisson that is the Poisson process of exactly
that changing rate, which gaps drawn at the rate of the moment would lag behind.
"""

import math
import random
from collections.abc import Iterator
from itertools import accumulate, count
from typing import Literal

from tui.core.ramp import Ramp

Arrival = Literal["closed", "constant", "poisson", "gamma"]

LEAST_BURSTINESS, MOST_BURSTINESS = 0.001, 1e6
"""Below the least, no run is long enough for its rate to be seen; above the most, arrivals are constant."""


def offsets(
    arrival: Arrival, rate_rpm: float | Ramp, burstiness: float = 1.0, seed: int | None = None
) -> Iterator[float] | None:
    """Seconds since the run's start at which each call is due: ascending, endless, drawn one by one.

    `rate_rpm` is in calls a minute. `burstiness` is looked at by `gamma` only. Without a seed every schedule
    is another. None when `arrival` is "closed". ValueError, at once, for a rate or a burstiness that gives no schedule.
    """
    if arrival == "closed":
        return None
    if not isinstance(rate_rpm, Ramp) and not 0 < rate_rpm < math.inf:
        raise ValueError(f"the rate of a schedule is above 0 calls a minute, got {rate_rpm}")
    if arrival == "gamma" and not LEAST_BURSTINESS <= burstiness <= MOST_BURSTINESS:
        raise ValueError(f"burstiness is {LEAST_BURSTINESS:g} to {MOST_BURSTINESS:,.0f}, got {burstiness}")
    arrivals: Iterator[float] = count()
    if arrival != "constant":
        # Where gaps are smaller than the sum's rounding, what Kahan's sum takes back may be more than the gap.
        arrivals = accumulate(_summed_gaps(burstiness if arrival == "gamma" else 1.0, seed), max)
    if isinstance(rate_rpm, Ramp):
        return rate_rpm.instants(arrivals)
    # The product first: dividing a whole number of minutes once rounds once, however late in the run.
    return (number * 60.0 / rate_rpm for number in arrivals)


def _summed_gaps(burstiness: float, seed: int | None) -> Iterator[float]:
    """The arrivals of a gamma process of mean gap 1; the first comes one gap after 0."""
    # Named, because the run's seed also draws jitter and prompts, and equal draws would tie those to the arrivals.
    draw = random.Random(None if seed is None else f"arrivals {seed}")
    scale = 1.0 / burstiness
    total = lost = 0.0
    while True:
        # Kahan's sum: what rounding took from the total is added to the next gap, so that a long run does not drift.
        gap = draw.gammavariate(burstiness, scale) + lost
        summed = total + gap
        lost = gap - (summed - total)
        total = summed
        yield total
