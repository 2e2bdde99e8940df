"""The next question of a probe, and what the answers so far say. Decides; sends nothing, waits for nothing.

A probe exhausts a limit once, watches how it comes back, and asks on until one kind of limit explains all that
happened and its figures are narrow. `Prober.steps` is that story as a generator: it yields what to do and is sent what
came of it. Whatever ends it, `Prober.verdict` says what is known.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass, replace

from tui.core.clock import nanoseconds
from tui.core.figures import countdown, exact
from tui.core.probe_fits import BUCKET, FIXED, Fit, fits
from tui.core.probe_seen import WINDOW_S, Answer, Cause, Event, Fate, Range, batch_events
from tui.core.probe_verdict import NO_LIMIT, Verdict, verdict_of

NARROW = 0.035
"""Half the width of the bounds of a figure that is good enough, as a fraction of it."""
LIMIT_NAMED = 0.08
"""The same, where the server states a limit that lies between them."""
TOO_WIDE = 0.2
"""Bounds that far apart are no verdict."""
GAP_S = 3.0
"""Between the first request and the burst: a sliding window gives them back apart, a fixed one together. Longer than
the whole seconds that hints are rounded to."""
FIRST_LOOK_S = 0.25
SHORTEST_HINT_S = 0.1
"""Waits that are worth a test."""
MOST_FAILED = 3
MOST_AT_FULL_PACE = 400
"""Requests, with as many at once as the server allows, in search of a rate that it neither states nor may have."""
LONG_ANSWER_TOKENS = 32
"""For servers that would be done with a tiny one before the next request has come: then nothing is at once."""
QUICK_S = 0.15
_MOST_CYCLES = 16
_SMALL = 2.0
"""Requests; a bucket with room for fewer is tested one slot at a time."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send so many requests at once, and wait until all of them have ended."""

    count: int
    tokens: int = 1
    """The most that an answer may have."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Send nothing until then."""

    until_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a step."""

    now_s: float
    answers: tuple[Answer, ...] = ()


Steps = Generator[Send | Rest, Turn, None]


class Enough(Exception):
    """The probe ends here; what is known is the verdict."""


class Prober:
    """One probe. Run `steps` to its end, or to where time, money or patience ends; then ask for the `verdict`."""

    def __init__(self, max_requests: int, max_concurrency: int, now_s: float, deadline_s: float) -> None:
        self.stage = "first request"
        """What it is at, for people."""
        self.findings: list[str] = []
        """What it has come to believe so far, one sentence each, for people."""
        self.requests = 0
        self.stopped: str | None = None
        """Why it ended before its questions were answered."""
        self._max_requests = max_requests
        self._max_concurrency = max_concurrency
        self._now_s = now_s
        self._deadline_s = deadline_s
        self._events: list[Event] = []
        self._answers_failed = 0
        self._passed = 0
        self._tokens = 1
        self._shortest_s = math.inf
        self._limit: int | None = None
        self._left: int | None = None
        self._token_limit: int | None = None
        self._cost_tokens: int | None = None
        self._by_tokens = False
        self._most_at_once = 0
        self._at_once: Range | None = None
        self._full_pace_s: float | None = None
        """Since when as many are sent at once as the server allows, without a pause."""
        self._full_pace_from: int | None = None
        """How many requests had been sent when that was so for the first time."""
        self._rate_out_of_reach = False
        """The limit on how many at once keeps requests slower than any limit on their rate."""
        self._closed_until_s = -math.inf
        self._hinted_s: float | None = None
        """The instant that the last refusal named, if nothing was sent since."""
        self._kept_word: list[bool] = []
        self._refusal: Answer | None = None
        self._refused_s = -math.inf
        """When the last request was refused for going too fast."""
        self._fits_of: tuple[int, float] | None = None
        self._fitted: list[Fit] = []
        self._empty_s: float | None = None
        """When it was refused for the first time."""

    # ── the story ──────────────────────────────────────────────────────────────────────────────────────

    def steps(self) -> Steps:
        """What to do, one after the other."""
        try:
            yield from self._first()
            yield from self._exhaust("burst")
            yield from self._try_the_hint()
            yield from self._watch_it_come_back()
            if self._likeliest().kind == BUCKET:
                yield from self._measure_refill()
            yield from self._measure_burst()
            rpm = self._likeliest().rpm
            if rpm.spread > TOO_WIDE and not (self._limit and rpm.high is None):
                raise Enough("the rate could only be bounded: the bucket is full again before an answer has ended")
        except Enough as enough:
            self.stopped = str(enough) or None

    def verdict(self, stopped: str | None = None) -> Verdict:
        """What is known by now; `stopped` says why somebody else ended it."""
        likely = self._fits() if self._empty_s is not None else []
        verdict = verdict_of(
            fits=likely,
            passed=self._passed,
            requests=self.requests,
            stated=self._limit,
            token_limit=self._token_limit,
            tokens_each=self._cost_tokens if self._by_tokens else None,
            at_once=self._at_once,
            most_at_once=self._most_at_once,
            kept_word=self._kept_word,
            refusal=self._refusal,
            stopped=stopped or self.stopped,
        )
        if not self._rate_out_of_reach:
            return verdict
        passed = sum(event.passed for event in self._events if event.at_s > self._now_s - WINDOW_S)
        return replace(verdict, kind=NO_LIMIT, rpm=Range(None, float(passed), None))

    def _first(self) -> Steps:
        (answer,) = yield from self._send(1)
        if answer.fate is Fate.REFUSED:
            raise Enough("the first request was refused already: the limit is in use; rest and try again")
        if answer.ended_s - answer.sent_s < QUICK_S:
            self._tokens = LONG_ANSWER_TOKENS
        if self._limit is not None:
            self._found(f"the server states {exact(self._limit)} requests a minute")
        yield from self._rest(self._now_s + GAP_S)

    def _exhaust(self, stage: str) -> Steps:
        """Send more and more at once until one is refused for going too fast."""
        self.stage = f"{stage}: as fast as it goes, until it refuses"
        passed_here, spare = 0, 0
        while True:
            count = (passed_here + 1) // 2
            if self._left is not None:
                # What is left by the server's own account, and one more; and more, should it refill as fast as that.
                count = self._left + (1 << spare)
                spare += 1
            self._heed_full_pace(count)
            answers = yield from self._send(max(1, min(count, self._at_once_now())))
            passed_here += sum(answer.fate is Fate.PASSED for answer in answers)
            if _paced(answers):
                return
            if any(answer.cause is Cause.AT_ONCE for answer in answers):
                self._full_pace_s = None
                yield from self._rest(max(self._closed_until_s, self._now_s + FIRST_LOOK_S))

    def _heed_full_pace(self, count: int) -> None:
        """End where a limit on how many at once holds the pace, and that has met no other for long enough."""
        if self._at_once is None or self._empty_s is not None or count < self._at_once_now():
            return
        if self._full_pace_s is None:
            self._full_pace_s = self._now_s
        if self._full_pace_from is None:
            self._full_pace_from = self.requests
        sent, at_once = self.requests - self._full_pace_from, exact(self._at_once_now())
        if self._now_s - self._full_pace_s >= WINDOW_S:
            self._rate_out_of_reach = True
            raise Enough(f"a minute with {at_once} at once, the most that is allowed, met no limit on the rate")
        # A rate that the server states is worth reaching: then only --max-requests bounds the search.
        if self._limit is None and self._left is None and sent >= MOST_AT_FULL_PACE:
            self._rate_out_of_reach = True
            raise Enough(
                f"{exact(sent)} requests with {at_once} at once, the most that is allowed, met no limit on the rate; "
                f"no more than that are spent on the search"
            )

    def _try_the_hint(self) -> Steps:
        """Send one at the instant that the refusal named, if that is still to come."""
        if self._hinted_s is not None and self._hinted_s > self._now_s:
            self.stage = "refusal: whether the wait that it asks for is enough"
            yield from self._rest(self._hinted_s)
            yield from self._send(1)

    def _watch_it_come_back(self) -> Steps:
        """Look, seldom and with one request, until something passes; then see how much does, until a kind is left."""
        self.stage = "refill: what comes back, and when"
        while not self._decided():
            yield from self._rest(self._next_look_s())
            answers = yield from self._send(1)
            count = 1
            while answers[-1].fate is Fate.PASSED and not self._decided():
                answers = yield from self._send(min(count, self._at_once_now()))
                count *= 2
        likely = self._likeliest()
        self._found(f"it is a {likely.kind.replace('-', ' ')}: no other kind explains what passed and what did not")

    def _next_look_s(self) -> float:
        """When to ask again: at the instant that was named, else after twice the time, never later than a window."""
        hinted, honest = self._hinted_s, all(self._kept_word)
        if hinted is not None and honest:
            return hinted
        waited = self._refused_s - (self._empty_s or self._refused_s)
        look = self._refused_s + max(FIRST_LOOK_S, waited)
        slack = self._slack_s + 0.02
        # Where a window would give something back: each of those instants tells the kinds apart.
        returns = [event.at_s + WINDOW_S + slack for event in self._events if event.passed]
        look = min([look, *(at for at in returns if at > self._refused_s + FIRST_LOOK_S / 2)])
        return max(look, self._closed_until_s, self._refused_s + FIRST_LOOK_S / 2)

    def _measure_refill(self) -> Steps:
        """Let the bucket gather, and take all of it: the longer it gathered, the sharper is what that says."""
        self.stage = "rate: how fast the bucket refills"
        gather = 2.0
        for _ in range(_MOST_CYCLES):
            fit = self._likeliest()
            if fit.kind != BUCKET or self._is_narrow(fit.rpm):
                return
            low, high = fit.rpm.low or 0.1, fit.rpm.high
            room = max(0.0, (fit.burst.low or 1.0) - 1.5)
            if room < _SMALL:
                # In the middle of what it may be, so that either outcome halves that.
                per_s = (2.0 * low if high is None else math.sqrt(low * high)) / 60.0
            else:
                # While the refill may be anything, waiting for what is sure to come teaches most.
                per_s = (low if high is None or high > 1.5 * low else (low + high) / 2) / 60.0
            gather = min(room, max(gather * 2.0, 40.0 * self._slack_s * per_s))
            if self._left is not None and room >= 8.0:
                yield from self._look_at_what_is_left(per_s, room)
                continue
            gather = float(int(gather))
            yield from self._rest(max(self._last_at_s() + (gather + 1.0) / per_s, self._closed_until_s))
            if room < _SMALL:
                # It is full soon, and then tells nothing: one that comes too early is what bounds it.
                yield from self._send(int(gather) + 1)
            else:
                yield from self._take_all(int(gather) + 2)

    def _look_at_what_is_left(self, per_s: float, room: float) -> Steps:
        """Where the server states what is left, one request tells what has gathered."""
        gathered = (self._now_s - self._refused_s) * per_s
        more = min(max(8.0, gathered), room - gathered)
        if more < 1.0:  # it is about to be full: empty it, and begin again
            yield from self._exhaust("rate")
            return
        yield from self._rest(self._now_s + more / per_s)
        yield from self._send(1)

    def _take_all(self, count: int) -> Steps:
        """Send so many, or more, until one is refused for going too fast."""
        more = 1
        while True:
            answers = yield from self._send(max(1, min(count, self._at_once_now())))
            if _paced(answers):
                return
            if any(answer.cause is Cause.AT_ONCE for answer in answers):
                yield from self._rest(max(self._closed_until_s, self._now_s + FIRST_LOOK_S))
            count -= len(answers)
            if count <= 0:
                count = more = 2 * more

    def _measure_burst(self) -> Steps:
        """Empty a rested limit once more, where the first time left its size uncertain."""
        fit = self._likeliest()
        if fit.burst.whole().spread <= NARROW or self._left is not None:
            return
        if fit.kind == BUCKET:
            per_s = max(fit.rpm.low or 0.0, 0.1) / 60.0
            rested_s = (fit.burst.high or 1.0) / per_s * 1.02 + self._slack_s
            yield from self._rest(max(self._last_at_s() + rested_s, self._closed_until_s))
        elif fit.kind == FIXED and fit.edge_s is not None:
            windows = math.floor((self._now_s - fit.edge_s) / WINDOW_S) + 1
            yield from self._rest(max(fit.edge_s + windows * WINDOW_S + 1.0, self._closed_until_s))
        self.stage = "burst: a rested limit once more"
        yield from self._take_all(int(fit.burst.estimate or 1.0) + 1)

    # ── one step ───────────────────────────────────────────────────────────────────────────────────────

    def _send(self, count: int) -> Generator[Send | Rest, Turn, tuple[Answer, ...]]:
        count = min(count, self._max_requests - self.requests)
        if count <= 0:
            raise Enough(f"--max-requests {exact(self._max_requests)} are used up")
        if self._closed_until_s > self._now_s:
            yield from self._rest(self._closed_until_s)
        if self._now_s >= self._deadline_s:
            raise Enough("the time is up (--time)")
        at_s = self._now_s
        turn = yield Send(count, self._tokens)
        self._now_s = turn.now_s
        self.requests += len(turn.answers)
        self._heed(turn.answers, at_s)
        if not turn.answers:
            raise Enough("nothing could be sent")
        return turn.answers

    def _rest(self, until_s: float) -> Steps:
        if until_s > self._deadline_s:
            wait = countdown(nanoseconds(until_s - self._now_s))
            raise Enough(f"it would take {wait} more, past what --time allows")
        if until_s > self._now_s:
            turn = yield Rest(until_s)
            self._now_s = turn.now_s

    def _heed(self, answers: tuple[Answer, ...], at_s: float) -> None:
        for answer in answers:
            if answer.cause is Cause.QUOTA:
                raise Enough(f"the quota is spent, so nothing can be measured: {answer.message}")
            if answer.fate is Fate.FAILED:
                self._answers_failed += 1
                if self._answers_failed > MOST_FAILED or self._passed == 0:
                    raise Enough(answer.message or "requests fail")
        self._note_what_is_stated(answers)
        self._note_at_once(answers)
        self._check_the_hint(answers, at_s)
        self._events += batch_events(answers)
        self._passed += sum(answer.fate is Fate.PASSED for answer in answers)
        paced = _paced(answers)
        self._closed_until_s = max(
            [self._closed_until_s, *(a.answered_s + a.hint_s for a in answers if a.hint_s is not None)]
        )
        if not paced:
            self._hinted_s = None if any(answer.fate is Fate.PASSED for answer in answers) else self._hinted_s
            return
        last = max(paced, key=lambda answer: answer.answered_s)
        self._refused_s = max(answer.sent_s for answer in paced)
        self._by_tokens = last.cause is Cause.TOKENS
        hinted = [answer for answer in paced if answer.hint_s is not None]
        self._hinted_s = None
        if hinted:
            longest = max(hinted, key=lambda answer: answer.answered_s + (answer.hint_s or 0.0))
            self._hinted_s = longest.answered_s + (longest.hint_s or 0.0)
            self._foretell(longest)
        if self._empty_s is None:
            self._empty_s = min(answer.sent_s for answer in paced)
            self._refusal = last
            self._found(f"refused after {exact(self._passed)} had passed")

    def _foretell(self, refusal: Answer) -> None:
        """A hint says that until then nothing passes: up to a second less, where it is in whole seconds."""
        hint_s = refusal.hint_s or 0.0
        rounding = 1.0 if hint_s == int(hint_s) else 0.002
        # From its sending on, as all instants here: the way there and back is the same for what is sent then.
        at_s = refusal.sent_s + hint_s - rounding - self._slack_s
        if at_s > refusal.answered_s:
            self._events.append(Event(at_s, 0, foretold=True))

    def _check_the_hint(self, answers: tuple[Answer, ...], at_s: float) -> None:
        """Whether what was sent at the hinted instant passes; what is sent much later says nothing."""
        if self._hinted_s is None or self._hinted_s > at_s + 0.001:
            return
        first = min(answers, key=lambda answer: (answer.fate is Fate.REFUSED, answer.sent_s))
        asked_s, late_s = self._hinted_s - self._refused_s, at_s - self._hinted_s
        # A moment's wait is over before anybody can tell whether it was enough.
        if asked_s >= SHORTEST_HINT_S and late_s <= 0.1 * asked_s and first.fate is not Fate.FAILED:
            self._kept_word.append(first.fate is Fate.PASSED)

    def _note_what_is_stated(self, answers: tuple[Answer, ...]) -> None:
        for answer in answers:
            self._shortest_s = min(self._shortest_s, answer.answered_s - answer.sent_s)
            self._limit = answer.limit if answer.limit is not None else self._limit
            self._token_limit = answer.token_limit if answer.token_limit is not None else self._token_limit
            self._cost_tokens = answer.tokens if answer.tokens is not None else self._cost_tokens
        stated = [answer.left for answer in answers if answer.left is not None]
        self._left = min(stated) if stated else None

    def _note_at_once(self, answers: tuple[Answer, ...]) -> None:
        """How many were being answered at the same time, and whether that was too many."""
        passed = [answer for answer in answers if answer.fate is Fate.PASSED]
        for one in passed:
            together = sum(other.sent_s <= one.answered_s and other.ended_s >= one.answered_s for other in passed)
            self._most_at_once = max(self._most_at_once, together)
        refused = [answer for answer in answers if answer.cause is Cause.AT_ONCE]
        if refused:
            met = len(passed) or 1
            known = self._at_once is None
            self._at_once = Range(float(met), float(min(met, self._most_at_once or met)), float(met))
            self._refusal = self._refusal or refused[-1]
            if known:
                self._found(f"no more than {exact(met)} at once")

    # ── what is known ──────────────────────────────────────────────────────────────────────────────────

    @property
    def _slack_s(self) -> float:
        """By how much two instants may be off against one another: half of the shortest round trip, within reason."""
        return min(0.1, max(0.004, 0.5 * self._shortest_s)) if math.isfinite(self._shortest_s) else 0.004

    def _fits(self) -> list[Fit]:
        """The kinds, the likeliest first; without what servers foretell and state, where nothing explains that."""
        asked = (len(self._events), self._slack_s)
        if self._fits_of != asked:
            self._fits_of, self._fitted = asked, self._fit()
        return self._fitted

    def _fit(self) -> list[Fit]:
        happened = [event for event in self._events if not event.foretold]
        last_s = max(event.at_s for event in happened)
        # What is foretold for an instant that is still to come says nothing yet.
        events = sorted((event for event in self._events if event.at_s <= last_s), key=lambda event: event.at_s)
        found = fits(events, self._slack_s)
        if found[0].misfits == 0:
            return found
        bare = fits([replace(event, left=None) for event in happened], self._slack_s)
        return bare if bare[0].misfits < found[0].misfits else found

    def _likeliest(self) -> Fit:
        return self._fits()[0]

    def _decided(self) -> bool:
        """Whether one kind explains it, and the others do not."""
        first, second, *_ = self._fits()
        return first.misfits + 1 < second.misfits and first.misfits * 20 <= len(self._events)

    def _is_narrow(self, rpm: Range) -> bool:
        stated = self._limit
        if stated is not None and rpm.low is not None and rpm.high is not None and rpm.low <= stated <= rpm.high:
            return rpm.spread <= LIMIT_NAMED
        return rpm.spread <= NARROW

    def _at_once_now(self) -> int:
        return self._max_concurrency if self._at_once is None else max(1, int(self._at_once.low or 1))

    def _last_at_s(self) -> float:
        return max(self._refused_s, max(event.at_s for event in self._events if not event.foretold))

    def _found(self, sentence: str) -> None:
        self.findings.append(sentence)


def _paced(answers: tuple[Answer, ...]) -> list[Answer]:
    """Those that were refused for going too fast."""
    return [answer for answer in answers if answer.fate is Fate.REFUSED and answer.cause is not Cause.AT_ONCE]
