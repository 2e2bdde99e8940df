"""What a probe can do next, and its bounds: to send, to pace, to rest, to go on until it is refused. Does none of it.

Each move is a generator that yields steps and is sent the Turn that came of them.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass

from tui.core.clock import nanoseconds
from tui.core.figures import countdown, exact
from tui.core.probe_evidence import Evidence, paced
from tui.core.probe_seen import Answer, Cause, Fate

FIRST_LOOK_S = 0.25
MOST_FAILED = 3
MOST_REQUESTS = 2_000
"""In all, unless somebody says otherwise."""
MOST_UNMET = 600
"""Requests in search of a limit that the server does not state and that need not be there."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send so many requests at once, and wait until all of them have ended."""

    count: int
    tokens: int = 1
    """The most that an answer may have."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Send one request, and one more after each of these pauses, until one is refused; wait until all have ended."""

    gaps_s: tuple[float, ...]
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Rest:
    """Send nothing until then."""

    until_s: float


Step = Send | Pace | Rest


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a step."""

    now_s: float
    answers: tuple[Answer, ...] = ()


Steps = Generator[Step, Turn, None]
Answered = Generator[Step, Turn, tuple[Answer, ...]]


class Enough(Exception):
    """The probe ends here, because its bounds or its questions do; what is known is the verdict."""


class Broken(Exception):
    """The probe ends here, because nothing can be measured; the message is what was met."""


class Moves:
    """One probe's moves, and what came of them."""

    def __init__(self, max_requests: int | None, max_concurrency: int, now_s: float, deadline_s: float) -> None:
        """`max_requests` None: as many as a limit that shows is worth."""
        self.evidence = Evidence()
        self.now_s = now_s
        self.tokens = 1
        """The most that an answer may have."""
        self.max_requests = max_requests
        self.max_concurrency = max_concurrency
        self._deadline_s = deadline_s

    @property
    def at_once(self) -> int:
        """How many may be under way."""
        known = self.evidence.at_once
        return self.max_concurrency if known is None else max(1, int(known.low or 1))

    @property
    def remaining(self) -> int:
        """How many requests may still be sent."""
        return (self.max_requests if self.max_requests is not None else MOST_REQUESTS) - self.evidence.requests

    def send(self, count: int) -> Answered:
        """So many at once, or as many as are allowed."""
        return (yield from self._ask(Send(max(1, min(count, self.at_once, self.remaining)), self.tokens)))

    def pace(self, gaps_s: list[float]) -> Answered:
        """One, and one more after each of these pauses, until one is refused."""
        allowed = max(0, min(len(gaps_s), self.at_once - 1, self.remaining - 1))
        return (yield from self._ask(Pace(tuple(gaps_s[:allowed]), self.tokens)))

    def rest(self, until_s: float) -> Steps:
        """Nothing until then; Enough when that is too late."""
        if until_s > self._deadline_s:
            wait = countdown(nanoseconds(until_s - self.now_s))
            raise Enough(f"it would take {wait} more, past what --time allows")
        if until_s > self.now_s:
            turn = yield Rest(until_s)
            self.now_s = turn.now_s

    def rest_politely(self, until_s: float = -math.inf) -> Steps:
        """Nothing until then, and until the end of every wait that was asked for."""
        yield from self.rest(max(until_s, self.evidence.closed_until_s))

    def take_all(self, count: int) -> Steps:
        """Send so many, or more, until one is refused for going too fast."""
        more = 1
        while True:
            answers = yield from self.send(count)
            if paced(answers):
                return
            yield from self.after_too_many(answers)
            count -= len(answers)
            if count <= 0:
                count = more = 2 * more

    def after_too_many(self, answers: tuple[Answer, ...]) -> Steps:
        """Let some of them end, where there were too many at once."""
        if any(answer.cause is Cause.AT_ONCE for answer in answers):
            yield from self.rest_politely(self.now_s + FIRST_LOOK_S)

    def _ask(self, step: Send | Pace) -> Answered:
        if self.remaining <= 0:
            raise Enough(self.used_up())
        yield from self.rest_politely()
        if self.now_s >= self._deadline_s:
            raise Enough("the time is up (--time)")
        at_s = self.now_s
        turn = yield step
        self.now_s = turn.now_s
        self._heed(turn.answers, at_s)
        return turn.answers

    def used_up(self) -> str:
        """Why no more requests are sent."""
        if self.max_requests is None:
            return f"{exact(MOST_REQUESTS)} requests are enough (--max-requests)"
        return f"--max-requests {exact(self.max_requests)} are used up"

    def _heed(self, answers: tuple[Answer, ...], at_s: float) -> None:
        evidence = self.evidence
        evidence.add(answers, at_s)
        if not answers:
            raise Broken("nothing could be sent")
        for answer in answers:
            if answer.cause is Cause.QUOTA:
                raise Broken(f"the quota is spent, so nothing can be measured: {answer.message}")
        failed = next((answer for answer in answers if answer.fate is Fate.FAILED), None)
        if failed is not None and (evidence.failed > MOST_FAILED or evidence.passed == 0):
            raise Broken(failed.message or "requests fail")
