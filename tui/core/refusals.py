"""Why a server refuses (429): too fast, too many at once, a spent quota, or nobody can tell. Never decides what to do.

It keeps how things stood when each attempt was sent and what became of it, for the last few hundred. The server's own
words come first. Where they say nothing, each kind of limit is asked how full it would have been at every attempt, and
the one that was fullest at just those which were refused is the cause; when two explain it alike, it stays unclear.
"""

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import compress
from math import sqrt
from operator import attrgetter, not_
from statistics import median_low
from typing import TypeVar

from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.figures import exact, rate
from tui.core.views import Refusal, Verdict
from tui.core.windows import SlidingCount

KEPT = 400
"""Attempts that count as evidence: the newest that were let through or refused, …"""
RECENT_NS = 300 * NS_PER_S
"""… and none sent longer than this before the newest: limits change."""
KEPT_REFUSALS = 100
ENOUGH = 5
"""Of refused and of accepted attempts, before figures name a cause."""
# Values of `_separation`. Simulated limits gave 0.78 to 0.97 to the count in flight and 0.89 to 1.0 to the pace, each
# to its own kind; refusals by lot 0.4 to 0.6, but in bursts up to 0.84 and 0.87, and there as much to the other one.
AT_ONCE_FITS, PACE_FITS = 0.75, 0.88
EXCLUDED = 0.25
CLEARER = 0.6
"""The better explanation leaves at most so much of what the other one leaves open."""
SURE = 3
"""Standard errors by which a value must differ from that of no connection."""
# What is sent within a few ms may arrive in any order, and which one of them was refused says nothing.
BURST_NS = 20 * NS_PER_MS
CROPPED_CHARS = 160

Load = TypeVar("Load", int, float)

QUOTA, TOO_FAST, AT_ONCE, UNCLEAR = "quota", "too fast", "too many at once", "unclear"
RATE_LIMIT = "rate limit"
"""Words, not a cause: many say it of every limit."""
_AT_ONCE = re.compile(
    r"concurren|simultaneous|parallel|in[- ]flight|too many (?:open |active )?(?:connections|streams)|at the same time",
    re.IGNORECASE,
)
_A_MINUTE = re.compile(
    r"per[ _-]?(?:min|sec|hour)|(?:\d|req(?:uest)?s?|tok(?:en)?s?) ?(?:/| a ) ?(?:m|min|minute|s|sec|second)\b"
    r"|\b[QRT]P[MS]\b",
    re.IGNORECASE,
)
# A day's allowance is one of them: within a run, being slower does not bring it back.
_QUOTA = re.compile(
    r"insufficient[ _]quota|exceeded your current quota|billing|\bcredits?\b|\bbalance\b|\bspend"
    r"|per[ _-]?day|\b[RT]PD\b|daily",
    re.IGNORECASE,
)
_RATE = re.compile(r"rate[ _-]?limit|too fast|slow down|throttl", re.IGNORECASE)


class _Attempt:
    """How things stood when an attempt was sent."""

    __slots__ = ("at", "ended_order", "in_flight", "message", "order", "passed_60s", "refused", "sent_60s", "words")

    def __init__(self, at: int, order: int, in_flight: int, sent_60s: int, refused_60s: int) -> None:
        self.at = at
        self.order = order
        """The how-manieth attempt it is."""
        self.in_flight = in_flight
        self.sent_60s = sent_60s
        self.passed_60s = sent_60s - refused_60s
        """Without those of which a refusal had come by then."""
        self.refused = False
        self.message = ""
        self.words: str | None = None
        """What a refusal's message speaks of."""
        self.ended_order = 0
        """Of a refused one: the newest attempt when it ended."""


class Refusals:
    """The newest attempts and what became of them, in bounded memory. Each call has one attempt under way at most."""

    def __init__(self) -> None:
        self.total = 0
        """429s in all."""
        self.in_flight_peak = 0
        self._sent = 0
        self._newest_at = 0
        self._open: dict[int, _Attempt] = {}
        self._refused = SlidingCount()
        self._known: deque[_Attempt] = deque(maxlen=KEPT)
        self._refusals: deque[Refusal] = deque(maxlen=KEPT_REFUSALS)
        self._version = 0
        self._verdict_of: tuple[int, int | None, int] | None = None
        self._verdict = Verdict()

    def sent(self, call: int, at: int, in_flight: int, attempts_60s: int) -> None:
        """An attempt goes out; it is included in both counts."""
        self._sent += 1
        self._newest_at = at
        self.in_flight_peak = max(self.in_flight_peak, in_flight)
        self._open[call] = _Attempt(at, self._sent, in_flight, attempts_60s, self._refused.within(at))

    def answered(self, call: int, at: int, status: int) -> None:
        """Response headers came. 200 to 299: it was let through, whatever becomes of it."""
        if 200 <= status < 300:
            self._keep(self._open[call])

    def ended(self, call: int, at: int, error: str | None, status: int | None, retry_after_s: float | None) -> None:
        """The attempt is over; `error` is clean, `status` that of its response, if one came."""
        attempt = self._open.pop(call)
        if status != 429:
            return
        message = error or "HTTP 429"
        attempt.refused = True
        attempt.message = message
        attempt.words = _words(message)
        attempt.ended_order = self._sent
        self.total += 1
        self._refused.add(at)
        self._refusals.append(Refusal(at, call, message, retry_after_s, attempt.in_flight, attempt.sent_60s))
        self._keep(attempt)

    def newest(self, n: int = 20) -> list[Refusal]:
        """The newest refusals (of which 100 are kept), newest first."""
        return list(reversed(self._refusals))[:n]

    def verdict(self, rpm_limit: int | None, concurrency: int) -> Verdict:
        """The cause of the recent refusals under our own limits; cached until an attempt's fate becomes known."""
        asked = (self._version, rpm_limit, concurrency)
        if self._verdict_of != asked:
            self._verdict, self._verdict_of = self._judge(rpm_limit, concurrency), asked
        return self._verdict

    def _keep(self, attempt: _Attempt) -> None:
        self._known.append(attempt)
        self._version += 1

    def _judge(self, rpm_limit: int | None, concurrency: int) -> Verdict:
        recent = [attempt for attempt in self._known if attempt.at > self._newest_at - RECENT_NS]
        refused = [attempt for attempt in recent if attempt.refused]
        if not refused:
            return Verdict(
                "none", [f"none of the last {exact(len(recent))} attempts was refused"] if self.total else []
            )
        said, heard = _by_words(refused)
        figured, figures = _by_figures(recent)
        if said is None or (said == RATE_LIMIT and figured == AT_ONCE):
            kind, evidence = figured, [*figures, *heard]
        else:
            kind = TOO_FAST if said == RATE_LIMIT else said
            evidence = [*heard, *(figures if figured == kind else ())]
        if kind == TOO_FAST:
            ours = "none of ours holds it back" if rpm_limit is None else f"ours is {exact(rpm_limit)} a minute"
            evidence.append(f"of the limits on the rate, {ours}")
        elif kind == AT_ONCE:
            evidence.append(f"we allow {exact(concurrency)} at once")
        return Verdict(kind, evidence)


# ── the server's own words ─────────────────────────────────────────────────────────────────────────────


def _words(message: str) -> str | None:
    """What a refusal speaks of: a cause, `rate limit` (which many say of every limit), or None."""
    at_once, a_minute = _AT_ONCE.search(message), _A_MINUTE.search(message)
    if at_once and a_minute:  # LiteLLM: "Crossed TPM / RPM / Max Parallel Request Limit"
        return None
    if at_once or a_minute:  # also where Gemini's "exceeded your current quota" means one minute's
        return AT_ONCE if at_once else TOO_FAST
    if _QUOTA.search(message):
        return QUOTA
    return RATE_LIMIT if _RATE.search(message) else None


def _by_words(refused: Sequence[_Attempt]) -> tuple[str | None, list[str]]:
    """What most refusals speak of (the newest one, if it is a spent quota), and quotations, that one first."""
    newest: dict[str | None, _Attempt] = {}
    counts: dict[str | None, int] = {}
    for attempt in refused:
        newest[attempt.words] = attempt
        counts[attempt.words] = counts.get(attempt.words, 0) + 1
    counts.pop(None, None)
    last = refused[-1].words
    # A cause that is named outweighs the mere words "rate limit".
    kinds = sorted(counts, key=lambda kind: (kind == last == QUOTA, kind != RATE_LIMIT, counts[kind]), reverse=True)
    quotations = []
    for kind in kinds:
        share = "" if counts[kind] == len(refused) else f" at {exact(counts[kind])} of {exact(len(refused))} refusals"
        quotations.append(f"the server says{share}: “{_cropped(newest[kind].message)}”")
    return (kinds[0] if kinds else None), quotations


def _cropped(message: str) -> str:
    message = message.removeprefix("HTTP 429: ")
    return message if len(message) <= CROPPED_CHARS else message[: CROPPED_CHARS - 1].rstrip() + "…"


# ── figures ────────────────────────────────────────────────────────────────────────────────────────────


def _by_figures(recent: Sequence[_Attempt]) -> tuple[str, list[str]]:
    """The cause that figures show, and sentences with them."""
    attempts = _in_likely_order(recent)
    fates = [attempt.refused for attempt in attempts]
    refused, let_through = sum(fates), len(fates) - sum(fates)
    if refused < ENOUGH or let_through < ENOUGH:
        have = f"{exact(refused)} refused and {exact(let_through)} let through lately"
        return UNCLEAR, [f"{have}: from {ENOUGH} of each on, figures can tell"]
    known = list(zip(attempts, _refused_on_the_wire(attempts), strict=True))
    # Those that were refused take no place.
    held = _at_the_end_of_bursts(attempts, [attempt.in_flight - refusals for attempt, refusals in known])
    sent = [attempt.sent_60s for attempt in attempts]
    passed = _at_the_end_of_bursts(attempts, [attempt.passed_60s - refusals for attempt, refusals in known])
    refill_per_s, overdrawn = _overdrawn(attempts)
    at_once = _separation(held, fates)
    by_sent, by_passed = _separation(sent, fates), _separation(passed, fates)
    later = fates[len(fates) - len(overdrawn) :]
    by_refill = _separation(overdrawn, later)
    pace = max(by_sent, by_passed, by_refill)
    chance = SURE * sqrt((len(fates) + 1) / (12 * refused * let_through))
    at_once_fits = at_once >= max(AT_ONCE_FITS, 0.5 + chance)
    pace_fits = pace >= max(PACE_FITS, 0.5 + chance)
    if at_once_fits and _clearer(at_once, pace):
        return AT_ONCE, [_threshold(held, fates, "in flight", "those it refused left out")]
    if pace_fits and _clearer(pace, at_once):
        if by_refill == pace:
            foreseen = sum(fate and missing > 0 for missing, fate in zip(overdrawn, later, strict=True))
            return TOO_FAST, [
                f"it lets about {rate(refill_per_s * 60)} a minute through; of {exact(sum(later))} refusals, "
                f"{exact(foreseen)} came before the next was due at that pace"
            ]
        loads, what = (sent, "sent in 60 s") if by_sent == pace else (passed, "let through in 60 s")
        return TOO_FAST, [_range(loads, fates, what), _threshold(loads, fates, what)]
    if at_once <= min(EXCLUDED, 0.5 - chance):
        fewer, more = (exact(median_low(loads)) for loads in _parted(held, fates))
        return TOO_FAST, [
            f"it refuses with fewer in flight (mostly about {fewer}) than it lets through (mostly about {more}): "
            "it is not how many at once"
        ]
    counts = f"{exact(refused)} of {exact(len(fates))} attempts were refused"
    if at_once_fits and pace_fits:
        return UNCLEAR, [f"{counts}; in-flight count and pace rose together, so that either explains it"]
    return UNCLEAR, [f"{counts}; neither the in-flight count nor the pace goes with being refused"]


def _in_likely_order(attempts: Sequence[_Attempt]) -> list[_Attempt]:
    """As sent; of those sent in one burst, the refused ones last: the server saw an order that we cannot see."""
    burst_at = -BURST_NS
    keyed = []
    for attempt in sorted(attempts, key=attrgetter("order")):
        if attempt.at - burst_at >= BURST_NS:
            burst_at = attempt.at
        keyed.append((burst_at, attempt.refused, attempt.order, attempt))
    keyed.sort()
    return [attempt for *_, attempt in keyed]


def _refused_on_the_wire(attempts: Sequence[_Attempt]) -> list[int]:
    """How many of those in flight when each attempt was sent turned out to be refused."""
    refused = [attempt for attempt in attempts if attempt.refused]
    sent = sorted(attempt.order for attempt in refused)
    ended = sorted(attempt.ended_order for attempt in refused)
    return [bisect_left(sent, attempt.order) - bisect_left(ended, attempt.order) for attempt in attempts]


def _at_the_end_of_bursts(attempts: Sequence[_Attempt], loads: list[int]) -> list[int]:
    """`loads`, where a refusal's is the largest one of the burst it closes."""
    largest, burst_at = 0, -BURST_NS
    for index, attempt in enumerate(attempts):
        if attempt.at - burst_at >= BURST_NS:
            largest, burst_at = 0, attempt.at
        if loads[index] > largest:
            largest = loads[index]
        elif attempt.refused:
            loads[index] = largest
    return loads


def _overdrawn(attempts: Sequence[_Attempt]) -> tuple[float, list[float]]:
    """A token bucket's refill per second, and how far from a whole token it was at each attempt after a refusal.

    A refusal says that the bucket held less than one; what passes from there to the next refusal was refilled.
    """
    refused = [index for index, attempt in enumerate(attempts) if attempt.refused]
    first, last = refused[0], refused[-1]
    passed = sum(not attempt.refused for attempt in attempts[first:last])
    span_ns = attempts[last].at - attempts[first].at
    if not passed or span_ns <= 0:
        return 0.0, []
    per_ns = passed / span_ns
    level, seen_at = 0.5, attempts[first].at
    overdrawn = []
    for attempt in attempts[first + 1 :]:
        if attempt.at > seen_at:
            level += (attempt.at - seen_at) * per_ns
            seen_at = attempt.at
        overdrawn.append(1 - level)
        level = min(level, 0.5) if attempt.refused else max(level, 1.0) - 1
    return per_ns * NS_PER_S, overdrawn


def _parted(loads: Sequence[Load], fates: Sequence[bool]) -> tuple[list[Load], list[Load]]:
    """The loads that the refused met and those that the others met, ascending."""
    return sorted(compress(loads, fates)), sorted(compress(loads, map(not_, fates)))


def _separation(loads: Sequence[float], fates: Sequence[bool]) -> float:
    """How often a refused attempt met a higher load than one that was let through, over all pairs (rank AUC).

    1: always; 0.5: no connection (also where there are too few to say); 0: always a lower one.
    """
    refused, passed = _parted(loads, fates)
    if len(refused) < ENOUGH or len(passed) < ENOUGH:
        return 0.5
    pairs = 2 * len(refused) * len(passed)
    if len(refused) <= len(passed):
        return sum(bisect_left(passed, load) + bisect_right(passed, load) for load in refused) / pairs
    return 1 - sum(bisect_left(refused, load) + bisect_right(refused, load) for load in passed) / pairs


def _clearer(better: float, other: float) -> bool:
    # A hundredth at least is always left open, so that 1.00 is not clearer than 0.99.
    return max(1 - better, 0.01) <= CLEARER * (1 - other)


def _threshold(loads: Sequence[int], fates: Sequence[bool], what: str, aside: str = "") -> str:
    """The count that parts the refused from the others best, and how well it does."""
    refused, passed = _parted(loads, fates)

    def parted(count: int) -> float:
        return bisect_left(passed, count) / len(passed) - bisect_left(refused, count) / len(refused)

    count = max(sorted(set(refused)), key=parted)
    missed, below = bisect_left(refused, count), bisect_left(passed, count)
    fewer = exact(missed + below)
    left_out = f" ({aside})" if aside else ""
    rest = f"none of {fewer}" if not missed else f"{exact(missed)} of {fewer}"
    return (
        f"{exact(len(refused) - missed)} of {exact(len(refused))} refusals came with {exact(count)} or more {what}"
        f"{left_out}; {rest} attempts with {exact(count - 1)} or fewer {'were' if missed > 1 else 'was'} refused"
    )


def _range(loads: Sequence[int], fates: Sequence[bool], what: str) -> str:
    refused, _ = _parted(loads, fates)
    low, high = exact(refused[0]), exact(refused[-1])
    return f"at the refusals {low if low == high else f'{low}–{high}'} attempts had been {what}"
