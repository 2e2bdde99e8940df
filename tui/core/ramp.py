"""A rate that changes while a run goes on: `60..600/2m` and `60..600/2m:60`, and when its arrivals are due.

The rate is a function of the time since the run's start; its integral is the number of arrivals by then. That integral
is inverted in closed form, piece by piece, so that no arrival depends on the rounding of the one before it. Nothing
here waits, reads a clock or draws random numbers.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from tui.core.durations import parse_duration

LARGEST_RPM = 10**9
LONGEST_RAMP_S = 366 * 24 * 3600.0

_FORM = re.compile(r"\s*(\d{1,20})\.\.(\d{1,20})/([^:]+)(?::(\d{1,20}))?\s*", re.ASCII)
_EXPECTED = "expected FROM..TO/DURATION or FROM..TO/DURATION:STEP, such as 60..600/2m or 60..600/2m:60"


@dataclass(frozen=True, slots=True)
class Ramp:
    """From one rate to another, up or down; afterwards the end's rate for as long as the run lasts."""

    start_rpm: int
    """Requests a minute at the run's start, 1 or more."""
    end_rpm: int
    """Requests a minute from `duration_s` on, 1 or more."""
    duration_s: float
    """Above 0."""
    step_rpm: int | None = None
    """None: a straight line. Otherwise the rate changes by so much at once, the last time by what is left; every
    step, the first and the last rate included, lasts an equal share of `duration_s`."""

    @property
    def steps(self) -> int | None:
        """How many rates it goes through; None when it is a straight line."""
        if self.step_rpm is None:
            return None
        return math.ceil(abs(self.end_rpm - self.start_rpm) / self.step_rpm) + 1

    def rpm_at(self, at_s: float) -> float:
        """Requests a minute at `at_s` (0 or more) seconds since the run's start."""
        if at_s >= self.duration_s:
            return self.end_rpm
        share = at_s / self.duration_s
        if self.steps is None:
            return self.start_rpm + (self.end_rpm - self.start_rpm) * share
        return self._step_rpm(int(share * self.steps))

    def instants(self, arrivals: Iterable[float]) -> Iterator[float]:
        """Seconds since the run's start at which the integral of the rate reaches each of `arrivals`.

        `arrivals` are 0 or more, ascending, and may be endless: one is taken for each instant asked for.
        """
        # A quotient of two rounded numbers that both grow may fall by its last digit: held at the instant before.
        return accumulate(self._roots(arrivals), max)

    def _roots(self, arrivals: Iterable[float]) -> Iterator[float]:
        pieces = self._pieces()
        piece = next(pieces)
        for arrival in arrivals:
            while arrival >= piece.arrivals_after:
                piece = next(pieces)
            yield piece.instant(arrival)

    def _step_rpm(self, index: int) -> int:
        assert self.step_rpm is not None
        change = min(index * self.step_rpm, abs(self.end_rpm - self.start_rpm))
        return self.start_rpm + (change if self.end_rpm > self.start_rpm else -change)

    def _pieces(self) -> Iterator["_Piece"]:
        """Stretches in which the rate is a straight line, in order; the last one never ends."""
        ended_s, arrived = 0.0, 0.0
        if self.steps is None:
            ended_s, arrived = self.duration_s, (self.start_rpm + self.end_rpm) * self.duration_s / 120.0
            yield _Piece(0.0, ended_s, self.start_rpm, self.end_rpm, 0.0, arrived)
        else:
            summed_rpm = 0  # whole numbers, so that the last of many steps begins at its exact arrival
            for index in range(self.steps):
                began_s, before, rpm = ended_s, arrived, self._step_rpm(index)
                summed_rpm += rpm
                ended_s = self.duration_s * (index + 1) / self.steps
                arrived = summed_rpm * self.duration_s / (60.0 * self.steps)
                yield _Piece(began_s, ended_s, rpm, rpm, before, arrived)
        yield _Piece(ended_s, math.inf, self.end_rpm, self.end_rpm, arrived, math.inf)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of time in which the rate is a straight line."""

    begins_s: float
    ends_s: float
    from_rpm: int
    to_rpm: int
    arrivals_before: float
    arrivals_after: float

    def instant(self, arrival: float) -> float:
        """When the integral reaches `arrival`, which lies in this piece; seconds since the run's start."""
        rate, wanted = self.from_rpm / 60.0, arrival - self.arrivals_before
        slope = (self.to_rpm - self.from_rpm) / 60.0 / (self.ends_s - self.begins_s)  # 0 in a piece that never ends
        # The root of slope/2 t² + rate t = wanted, in the form that does not cancel when the slope is small. On the way
        # down to a rate that is small beside the first, rounding may pass 0 and the end by a little: held at both.
        speed = math.sqrt(max(0.0, rate * rate + 2.0 * slope * wanted))
        return min(self.ends_s, self.begins_s + 2.0 * wanted / (rate + speed))


def parse_ramp(text: str) -> Ramp:
    """`60..600/2m`, or `60..600/2m:60` in steps; ValueError with a readable message when it is something else."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f'{_EXPECTED}; got "{text}"')
    start_rpm, end_rpm, step_rpm = (int(digits) if digits else None for digits in (match[1], match[2], match[4]))
    assert start_rpm is not None
    assert end_rpm is not None
    for rpm in (start_rpm, end_rpm):
        if not 1 <= rpm <= LARGEST_RPM:
            raise ValueError(f'a ramp goes from and to 1 to {LARGEST_RPM:,} requests a minute, got {rpm} in "{text}"')
    if step_rpm == 0:
        raise ValueError(f'the step of a ramp is 1 request a minute or more, got 0 in "{text}"')
    duration_s = parse_duration(match[3])
    if not 0 < duration_s <= LONGEST_RAMP_S:
        raise ValueError(f'a ramp lasts more than 0 s and at most a year, got "{match[3].strip()}" in "{text}"')
    return Ramp(start_rpm, end_rpm, duration_s, step_rpm)
