"""What happened lately: an exact count over a sliding window, and sums by tenths for the last minute."""

from collections import deque
from statistics import median_low

from tui.core.clock import NS_PER_S

MINUTE_NS = 60 * NS_PER_S


class SlidingCount:
    """How many events (or how much) the last `span_ns` held, exactly, and the most it ever held."""

    def __init__(self, span_ns: int = MINUTE_NS) -> None:
        self.span_ns = span_ns
        self.peak = 0
        self._events: deque[tuple[int, int]] = deque()
        self._sum = 0

    def add(self, at: int, amount: int = 1) -> None:
        """Count `amount` at instant `at`; instants come in order."""
        self._events.append((at, amount))
        self._sum += amount
        self.peak = max(self.peak, self.within(at))

    def within(self, now: int) -> int:
        """The amount in the half-open window (now - span, now]."""
        events = self._events
        while events and events[0][0] <= now - self.span_ns:
            self._sum -= events.popleft()[1]
        return self._sum


class LastMinute:
    """Sums by tenth of a second over the last 60 s, in constant memory."""

    _TENTH_NS = NS_PER_S // 10
    _TENTHS = 600

    def __init__(self) -> None:
        self._sums = [0] * self._TENTHS
        self._newest = 0
        self._oldest: int | None = None

    def add(self, at: int, amount: int = 1) -> None:
        """Add `amount` at instant `at`; what is older than a minute is not counted."""
        tenth = at // self._TENTH_NS
        if tenth != self._newest:
            if tenth > self._newest:
                self._advance(tenth)
            elif tenth <= self._newest - self._TENTHS:
                return
        self._sums[tenth % self._TENTHS] += amount

    def _advance(self, tenth: int) -> None:
        if self._oldest is None:
            self._oldest = tenth
        for stale in range(max(self._newest + 1, tenth - self._TENTHS + 1), tenth + 1):
            self._sums[stale % self._TENTHS] = 0
        self._newest = tenth

    def per_second(self, now: int, tenths: int = 20) -> float:
        """The rate over the last two seconds; a younger record is divided by its own age."""
        tenth = now // self._TENTH_NS
        if self._oldest is None:
            return 0.0
        if tenth > self._newest:
            self._advance(tenth)
        span = max(1, min(tenths, tenth - self._oldest + 1))
        total = sum(self._sums[index % self._TENTHS] for index in range(tenth - span + 1, tenth + 1))
        return total * 10 / span

    def by_second(self, now: int) -> list[int]:
        """Sixty sums, oldest first; the last one is the second that holds `now`, still growing."""
        if now // self._TENTH_NS > self._newest and self._oldest is not None:
            self._advance(now // self._TENTH_NS)
        last = now // NS_PER_S
        newest = self._newest
        return [
            sum(
                self._sums[tenth % self._TENTHS]
                for tenth in range(second * 10, second * 10 + 10)
                if newest - self._TENTHS < tenth <= newest
            )
            for second in range(last - 59, last + 1)
        ]


class MedianBySecond:
    """The median of each of the last sixty seconds' values; a closed second is kept as one figure."""

    def __init__(self) -> None:
        self._closed: deque[tuple[int, int]] = deque(maxlen=60)
        self._second = 0
        self._values: list[int] = []

    def add(self, at: int, value: int) -> None:
        """A value at instant `at`; one that comes late counts for the second that is open."""
        second = at // NS_PER_S
        if second > self._second:
            if self._values:
                self._closed.append((self._second, median_low(self._values)))
            self._second, self._values = second, []
        self._values.append(value)

    def by_second(self, now: int) -> list[int | None]:
        """Sixty medians, oldest first; None for a second without a value."""
        known = dict(self._closed)
        if self._values:
            known[self._second] = median_low(self._values)
        last = now // NS_PER_S
        return [known.get(second) for second in range(last - 59, last + 1)]
