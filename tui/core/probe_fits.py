"""What limits explain the evidence: a fixed window, a sliding window or a token bucket, each with its bounds. Pure.

What passed bounds a limit from below, what was refused from above. A kind whose bounds cross explains less than all
of it; `misfits` says by how many requests, and the kind with the fewest is the likely one.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui.core.probe_seen import WINDOW_S, Event, Range

FIXED, SLIDING, BUCKET = "fixed-window", "sliding-window", "token-bucket"
_SLOWEST_PER_S, _FASTEST_PER_S = 1e-4, 1e4
_HALVINGS = 40
_SIZES = 8
"""How many sizes of a bucket are tried at a time."""
_REFUSED = 0.3
"""The least that a refusal contradicts a bucket that has room for it."""
_NOTHING = 0.02
"""A contradiction of so few requests is none."""
_BLUR = 0.1
"""Sizes whose contradictions differ by no more explain the same."""
_DOUBT = 0.01
"""By how much the bounds of a refill are widened: instants within a batch are known as one."""
_PAUSE_S = 0.002
"""A window's end in a shorter pause than this is not looked for."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The best that one kind of limit can do."""

    kind: str
    misfits: int
    """How many requests it cannot explain."""
    rpm: Range
    burst: Range
    edge_s: float | None = None
    """Of a fixed window: an instant at which one begins."""
    strain: float = 0.0
    """Of a bucket: the same as `misfits`, with the fractions by which instants are contradicted."""

    @property
    def explains_all(self) -> bool:
        """Nothing contradicts it."""
        return self.misfits == 0 and self.strain <= _BLUR


def fits(events: Sequence[Event], slack_s: float) -> list[Fit]:
    """Every kind, the likeliest first. `events` are in order; their instants may be off by `slack_s`.

    Needs at least one event that passed.
    """
    found = [sliding_fit(events, slack_s), bucket_fit(events, slack_s), fixed_fit(events)]
    return sorted(found, key=lambda fit: fit.misfits)


# ── windows ────────────────────────────────────────────────────────────────────────────────────────────


def sliding_fit(events: Sequence[Event], slack_s: float) -> Fit:
    """So many in any minute."""
    bounds = _LimitBounds()
    firsts: list[float] = []
    lasts: list[float] = []
    sums = [0]
    for event in events:
        # Who came a moment less than a minute ago may have left the window already, or not yet.
        blur_s = slack_s + event.spread_s
        surely = sums[-1] - sums[bisect_right(firsts, event.at_s - WINDOW_S + blur_s)]
        perhaps = sums[-1] - sums[bisect_left(lasts, event.at_s - WINDOW_S - blur_s)]
        bounds.add(event, surely, perhaps)
        if event.passed:
            for instants, at_s in ((firsts, event.at_s - event.spread_s), (lasts, event.at_s + event.spread_s)):
                instants.append(max(at_s, instants[-1]) if instants else at_s)
            sums.append(sums[-1] + event.passed)
    limit, misfits = bounds.limit()
    return Fit(SLIDING, misfits, limit, limit)


def fixed_fit(events: Sequence[Event]) -> Fit:
    """So many from one minute's beginning to the next one's, wherever that lies."""
    instants = sorted(event.at_s % WINDOW_S for event in events)
    # All that matters is what lies on which side of an edge: one edge in each pause stands for all in it.
    pauses = zip(instants, [*instants[1:], instants[0] + WINDOW_S], strict=True)
    edges = [(one + other) / 2 for one, other in pauses if other - one > _PAUSE_S] or [instants[0]]
    tried = [(_fixed_at(events, edge), edge) for edge in edges]
    fewest = min(misfits for (_, misfits), _ in tried)
    equal = [(limit, edge) for (limit, misfits), edge in tried if misfits == fewest]
    limit, edge = equal[0]
    if len(equal) > 1:
        lows = [limit.low for limit, _ in equal if limit.low is not None]
        highs = [limit.high for limit, _ in equal if limit.high is not None]
        low, high = min(lows), max(highs) if len(highs) == len(equal) else None
        limit = Range(low if high is None else (low + high) / 2, low, high)
    return Fit(FIXED, fewest, limit, limit, edge)


def _fixed_at(events: Sequence[Event], edge_s: float) -> tuple[Range, int]:
    bounds = _LimitBounds()
    window, used = None, 0
    for event in events:
        its_window = math.floor((event.at_s - edge_s) / WINDOW_S)
        if its_window != window:
            window, used = its_window, 0
        bounds.add(event, used, used)
        used += event.passed
    return bounds.limit()


class _LimitBounds:
    """What single events say of a limit on a count."""

    def __init__(self) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []

    def add(self, event: Event, surely: int, perhaps: int) -> None:
        """Before the event, so many counted already."""
        if not event.passed:
            self._highs.append(perhaps)
            return
        self._lows.append(surely + event.passed)
        if event.left is not None:
            self._lows.append(surely + event.passed + event.left)
            self._highs.append(perhaps + event.passed + event.left)

    def limit(self) -> tuple[Range, int]:
        """The limit that contradicts the bounds least, and by how much."""
        low, high = max(self._lows), min(self._highs, default=None)
        if high is None or low <= high:
            middle = float(low) if high is None else (low + high) / 2
            return Range(middle, float(low), None if high is None else float(high)), 0

        def contradicted(limit: int) -> int:
            return sum(max(0, low - limit) for low in self._lows) + sum(max(0, limit - high) for high in self._highs)

        limit = min(sorted({*self._lows, *self._highs}), key=contradicted)
        return Range(float(limit), float(limit), float(limit)), contradicted(limit)


# ── the token bucket ───────────────────────────────────────────────────────────────────────────────────


_Seen = tuple[float, float, int, int | None]
"""An event as a bucket sees it: how long after the one before, how uncertain that is, what passed, what was left."""


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A size, with what refills explain the evidence best, and how well they do."""

    size: int
    low_per_s: float
    high_per_s: float
    misfits: float


def bucket_fit(events: Sequence[Event], slack_s: float) -> Fit:
    """So many, a whole number, from a bucket that refills evenly and was full at the first event.

    What may be the size follows from refills that are possible when nothing is known of the size; then each size that
    is likely gets the refills that are possible with it.
    """
    seen = _seen(events, slack_s)
    passed = sum(event.passed for event in events)
    if all(event.passed for event in events):
        return Fit(BUCKET, 0, Range(None, None, None), Range(None, float(passed), None))
    refills = _bounds(lambda per_s: _walk(seen, float(passed), per_s, rested=False), _SLOWEST_PER_S, _FASTEST_PER_S)
    sizes = [
        size
        for per_s in (refills[0], math.sqrt(refills[0] * refills[1]), refills[1])
        for size in _bounds(lambda size, per_s=per_s: _walk(seen, size, per_s), 0.5, passed + 1.0)  # type: ignore[misc]
    ]
    least, most = max(1, math.floor(min(sizes)) - 1), max(1, math.ceil(max(sizes)) + 1)
    step = max(1, (most - least) // (_SIZES - 1))
    tried = {size: _sized(seen, size) for size in range(least, most + 1, step)}
    _try_their_neighbours(tried, seen)
    fewest = min(bucket.misfits for bucket in tried.values())
    explaining = [tried[size] for size in sorted(tried) if tried[size].misfits <= fewest + _BLUR]
    best = explaining[len(explaining) // 2]
    low, high = min(bucket.low_per_s for bucket in explaining), max(bucket.high_per_s for bucket in explaining)
    bounded = low > _SLOWEST_PER_S * 1.01, high < _FASTEST_PER_S * 0.99
    low, high = low * (1 - _DOUBT), high * (1 + _DOUBT)
    rpm = Range(
        (low + high) * 30 if all(bounded) else None,
        low * 60 if bounded[0] else 0.0,
        high * 60 if bounded[1] else None,
    )
    burst = Range(float(best.size), float(explaining[0].size), float(explaining[-1].size))
    return Fit(BUCKET, round(best.misfits), rpm, burst, strain=best.misfits)


def _try_their_neighbours(tried: dict[int, _Bucket], seen: Sequence[_Seen]) -> None:
    """Go on from the sizes that explain the evidence best, both ways, while it gets no worse; then look about."""
    for direction in (-1, 1):
        for _ in range(2 * _SIZES):
            fewest = min(bucket.misfits for bucket in tried.values())
            equal = [size for size, bucket in tried.items() if bucket.misfits <= fewest + _BLUR]
            size = (min(equal) if direction < 0 else max(equal)) + direction
            if size < 1 or size in tried:
                break
            tried[size] = _sized(seen, size)
    # A size between two that fit worse can be the one: batches fit in whole numbers.
    best = min(tried, key=lambda size: tried[size].misfits)
    if tried[best].misfits > _BLUR:
        for size in range(max(1, best - _SIZES), best + _SIZES + 1):
            if size not in tried:
                tried[size] = _sized(seen, size)


def _sized(seen: Sequence[_Seen], size: int) -> _Bucket:
    low, high = _bounds(lambda per_s: _walk(seen, float(size), per_s), _SLOWEST_PER_S, _FASTEST_PER_S)
    return _Bucket(size, low, high, sum(_walk(seen, float(size), math.sqrt(low * high))))


def _bounds(walk: Callable[[float], tuple[float, float]], low: float, high: float) -> tuple[float, float]:
    """Between which values a parameter explains the most: below, it gives too little; above, too much.

    Too little, or too much, that no value mends is not this parameter's.
    """
    unmended, unspoiled = walk(high)[0], walk(low)[1]
    least = _edge(lambda value: walk(value)[0] <= unmended + _NOTHING, low, high)
    most = _edge(lambda value: walk(value)[1] > unspoiled + _NOTHING, low, high)
    return (least, most) if least <= most else (most, least)


def _edge(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The value from which on something holds, by halving on a logarithmic scale."""
    if holds(low):
        return low
    if not holds(high):
        return high
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if holds(middle):
            high = middle
        else:
            low = middle
        if high / low < 1.002:
            break
    return math.sqrt(low * high)


def _seen(events: Sequence[Event], slack_s: float) -> list[_Seen]:
    """The events, ready to be walked along some thousand times."""
    found: list[_Seen] = []
    at_s = events[0].at_s
    for event in events:
        found.append((max(0.0, event.at_s - at_s), slack_s + event.spread_s, event.passed, event.left))
        at_s = max(at_s, event.at_s)
    return found


def _walk(seen: Sequence[_Seen], size: float, per_s: float, rested: bool = True) -> tuple[float, float]:
    """How much a bucket lacks of what passed, and how much it holds too much for what was refused.

    Its level is known between two bounds, which every event narrows; after a contradiction they stand where the event
    wants them. `rested` False: nothing is known of it before the first refusal.

    `low` and `high` bound what it holds if each event had been at its `at_s`. How far it was from there matters twice
    between two events, however many lie between: when the bound was set, and when it is held against an event.
    """
    short = over = 0.0
    low, high = (size, size) if rested else (0.0, math.inf)
    least = low
    """What it surely holds, without any refill that an event's true instant could deny."""
    most_give = 1.0 + 0.1 * size
    """In so short a time a bucket that refills fast could do anything; then it is not what parts the kinds."""
    for gap_s, blur_s, passed, left in seen:
        give = min(blur_s * per_s, most_give)
        low += gap_s * per_s
        high += gap_s * per_s
        least = max(least, min(size, low - give))
        low = min(size - give, low)
        if high > size + give and high < math.inf:
            high = size + give
        if not passed:
            over += max(_REFUSED, least - 1.0) if least >= 1.0 else 0.0
            high = min(high, 1.0 + give)
            low, least = min(low, high), min(least, 1.0)
            continue
        short += max(0.0, passed - high - give)
        low = max(low, passed - give) - passed
        high = max(high, float(passed)) - passed
        least = max(least, float(passed)) - passed
        if left is not None:
            short += max(0.0, left - high - give)
            too_many = least - left - 1.0
            over += max(_REFUSED, too_many) if too_many >= 0.0 else 0.0
            low = max(low, left - give)
            high = max(low, min(high, left + 1.0 + give))
            least = min(max(least, low - give), left + 1.0)
    return short, over
