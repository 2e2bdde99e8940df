"""What a probe hears of its requests, and the same as evidence that limits are fitted to. Values; asks no clock.

Instants are seconds of any one clock. A server judges a request somewhere between its last byte's leaving here and the
first byte of its answer; how far apart these two are is all that a busy machine or network can falsify.
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
    """It was judged within so much of `at_s`; where there were several, the first and the last of them were."""


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


def batch_events(answers: Iterable[Answer], judged_s: float = math.inf, way_s: float = 0.0) -> list[Event]:
    """The evidence of requests that were sent without waiting for one another.

    A request is judged between `sent_s` and `answered_s - way_s`, and no later than `judged_s` after the former: what
    is let through may be answered long after. Of those that may have been judged in any order first come those that
    passed, then the refused: the server saw an order that we cannot see, but what it refused did not fit after what it
    let through.
    """
    counted = [answer for answer in answers if answer.fate is not Fate.FAILED and answer.cause is not Cause.AT_ONCE]
    counted.sort(key=lambda answer: answer.sent_s)

    def judged_by_s(answer: Answer) -> float:
        latest_s = answer.answered_s - way_s
        return max(answer.sent_s, min(latest_s, answer.sent_s + judged_s) if answer.fate is Fate.PASSED else latest_s)

    events: list[Event] = []
    together: list[tuple[Answer, float]] = []
    for answer in counted:
        if together and answer.sent_s > max(by_s for _, by_s in together) + way_s:
            events += _events_of(together)
            together = []
        together.append((answer, judged_by_s(answer)))
    return events + (_events_of(together) if together else [])


def _events_of(together: list[tuple[Answer, float]]) -> list[Event]:
    """Of requests whose order nobody knows, each with when it was judged at the latest."""
    passed = [(answer, by_s) for answer, by_s in together if answer.fate is Fate.PASSED]
    refused_s = [answer.sent_s for answer, _ in together if answer.fate is Fate.REFUSED]
    events: list[Event] = []
    at_s = -math.inf
    if passed:
        first_s, last_s = passed[0][0].sent_s, max(by_s for _, by_s in passed)
        at_s = (first_s + last_s) / 2
        # What a refusal says remains is of no use: some state the level, some nothing, some zero.
        left = min((answer.left for answer, _ in passed if answer.left is not None), default=None)
        events.append(Event(at_s, len(passed), left, spread_s=last_s - at_s))
    if refused_s:
        # What had not come back when it was judged had not when it was sent: that instant is known.
        sent_s = refused_s[-1]
        events.append(Event(max(sent_s, at_s), 0, spread_s=max(0.0, at_s - sent_s)))
    return events
