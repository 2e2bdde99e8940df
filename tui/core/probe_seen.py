"""What a probe hears of its requests, and the same as evidence that limits are fitted to. Values; asks no clock.

Instants are seconds of any one clock.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

WINDOW_S = 60.0
"""Limits are a minute's."""


class Fate(StrEnum):
    """What became of a request, as far as limits are concerned."""

    PASSED = "passed"
    """The server let it through, whatever became of its answer."""
    REFUSED = "refused"
    FAILED = "failed"
    """It met something else: no connection, a wrong key, a server that is out of order."""


class Cause(StrEnum):
    """What a refusal is about."""

    RATE = "rate"
    TOKENS = "tokens"
    AT_ONCE = "at once"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and what became of it."""

    sent_s: float
    """When its last byte was written."""
    answered_s: float
    """When the headers of its reply came."""
    ended_s: float
    fate: Fate
    cause: Cause | None = None
    """Of a refusal; None: its words do not say."""
    status: int | None = None
    hint_s: float | None = None
    """How long a refusal asks to wait from `answered_s` on."""
    limit: int | None = None
    """Requests a minute, as the reply's headers state it."""
    left: int | None = None
    """Requests that remain, as the reply's headers state it."""
    token_limit: int | None = None
    tokens: int | None = None
    """What it counts for in a limit on tokens: its prompt and the most it may answer."""
    message: str = ""
    """Why it did not pass, clean and on one line."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of evidence: at this instant so many requests would, or one would not, be let through."""

    at_s: float
    passed: int
    """0: refused."""
    left: int | None = None
    """What the server said remained after the last one of them."""
    foretold: bool = False
    """Nobody was refused: a hint said that one would be."""
    spread_s: float = 0.0
    """By how much the instants of single requests differ from `at_s`."""


@dataclass(frozen=True, slots=True)
class Range:
    """A figure between two bounds; None is what is not known."""

    estimate: float | None
    low: float | None
    high: float | None

    @property
    def spread(self) -> float:
        """Half the distance of the bounds, as a fraction of what lies between them; infinite without both."""
        if self.low is None or self.high is None or self.low + self.high <= 0:
            return math.inf
        return (self.high - self.low) / (self.high + self.low)

    def whole(self) -> "Range":
        """The same in whole numbers: bounds inwards, for limits are whole; as they are where none lies between."""
        if self.low is None or self.high is None or self.estimate is None:
            return self
        low, high = math.ceil(self.low - 1e-6), math.floor(self.high + 1e-6)
        if low > high:
            low, high = math.floor(self.low), math.ceil(self.high)
        return Range(float(min(high, max(low, round(self.estimate)))), float(low), float(high))


def batch_events(answers: Iterable[Answer]) -> list[Event]:
    """The evidence of requests that were sent together: first those that passed, then those that were refused.

    The server saw an order that we cannot see, but what it refused did not fit after what it had let through.
    """
    counted = [answer for answer in answers if answer.fate is not Fate.FAILED and answer.cause is not Cause.AT_ONCE]
    passed = [answer for answer in counted if answer.fate is Fate.PASSED]
    refused = [answer for answer in counted if answer.fate is Fate.REFUSED]
    # What a refusal says remains is of no use: some state the level, some nothing, some zero.
    left = min((answer.left for answer in passed if answer.left is not None), default=None)
    events: list[Event] = []
    for group, number, stated in ((passed, len(passed), left), (refused, 0, None)):
        if group:
            at_s, spread_s = _middle(group)
            at_s = max([at_s, *(event.at_s for event in events)])
            events.append(Event(at_s, number, stated, spread_s=spread_s))
    return events


def _middle(answers: list[Answer]) -> tuple[float, float]:
    """Between the first and the last one sent, and how far that is from either."""
    first, last = min(answer.sent_s for answer in answers), max(answer.sent_s for answer in answers)
    return (first + last) / 2, (last - first) / 2
