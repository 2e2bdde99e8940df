"""One allowance per minute, counted in one of three ways. Pure: the present instant is an argument.

Instants are seconds of any one clock. What is asked in vain takes nothing. A clock that seems to step back (an
arrival stamped before the last one) gives nothing back and starts nothing anew.
"""

import math
from collections import deque
from typing import Protocol

MINUTE_S = 60.0
# After waiting exactly as told, rounding must not refuse again: an instant may be off by so much.
_FORGIVEN_S = 1e-6


class Allowance(Protocol):
    """What may be used in a minute."""

    limit: int
    """A minute's worth, as the provider states it."""

    def level(self, now_s: float) -> float:
        """What is left."""

    def wait_s(self, amount: float, now_s: float) -> float:
        """How long until `amount` (at most what there can ever be) is left, if nobody takes any; 0 when it is now."""

    def take(self, amount: float, now_s: float) -> None:
        """Use `amount` up, which is left."""

    def full_in_s(self, now_s: float) -> float:
        """What a header's reset says: how long until the allowance is as at the start."""


class Bucket:
    """A token bucket: refilled continuously at `limit` a minute, up to its size."""

    __slots__ = ("_level", "_seen_s", "_size", "limit")

    def __init__(self, limit: int, now_s: float, size: int | None = None) -> None:
        """`size` is what a rested bucket holds; None: a minute's worth."""
        self.limit = limit
        self._size = float(limit if size is None else size)
        self._level = self._size
        self._seen_s = now_s

    def level(self, now_s: float) -> float:
        passed_s = max(0.0, now_s - self._seen_s)
        self._seen_s += passed_s
        self._level = min(self._size, self._level + passed_s * self.limit / MINUTE_S)
        return self._level

    def wait_s(self, amount: float, now_s: float) -> float:
        missing = amount - self.level(now_s)
        # A billionth of forgiveness: after waiting exactly as told, rounding must not refuse again.
        return 0.0 if missing <= 1e-9 * self.limit else missing * MINUTE_S / self.limit

    def take(self, amount: float, now_s: float) -> None:
        self._level = max(0.0, self.level(now_s) - amount)

    def full_in_s(self, now_s: float) -> float:
        return (self._size - self.level(now_s)) * MINUTE_S / self.limit


class FixedWindow:
    """A counter that starts anew with every minute of the wall clock.

    Of the wall clock, as with the usual counter kept under the name of the minute, and not of the first request or
    the server's start: OpenRouter's resets are whole minutes and days of UTC. Twice the limit can pass around a
    minute's end.
    """

    __slots__ = ("_phase_s", "_used", "_window", "limit")

    def __init__(self, limit: int, now_s: float, wall_offset_s: float) -> None:
        """`wall_offset_s` added to an instant gives seconds since 1970, or since the beginning of any minute."""
        self.limit = limit
        self._phase_s = wall_offset_s % MINUTE_S
        self._used = 0.0
        self._window = self._window_at(now_s)

    def level(self, now_s: float) -> float:
        window = self._window_at(now_s)
        if window > self._window:
            self._window = window
            self._used = 0.0
        return self.limit - self._used

    def wait_s(self, amount: float, now_s: float) -> float:
        return 0.0 if amount <= self.level(now_s) else self.full_in_s(now_s)

    def take(self, amount: float, now_s: float) -> None:
        self.level(now_s)
        self._used += amount

    def full_in_s(self, now_s: float) -> float:
        """How long until the window ends, even when nothing is used."""
        self.level(now_s)
        return (self._window + 1) * MINUTE_S - self._phase_s - now_s

    def _window_at(self, now_s: float) -> int:
        return math.floor((now_s + self._phase_s + _FORGIVEN_S) / MINUTE_S)


class SlidingWindow:
    """An exact log of the last minute: what is taken at t counts until t + 60 s, and there no more."""

    __slots__ = ("_log", "_used", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._log: deque[tuple[float, float]] = deque()
        """When something stops counting, and how much; oldest first."""
        self._used = 0.0

    def level(self, now_s: float) -> float:
        log = self._log
        while log and log[0][0] <= now_s + _FORGIVEN_S:
            self._used -= log.popleft()[1]
        return self.limit - self._used

    def wait_s(self, amount: float, now_s: float) -> float:
        level = self.level(now_s)
        if amount <= level:
            return 0.0
        for leaves_s, freed in self._log:
            level += freed
            if amount <= level:
                return leaves_s - now_s
        raise ValueError(f"{amount} is more than the limit of {self.limit}")

    def take(self, amount: float, now_s: float) -> None:
        self.level(now_s)
        leaves_s = now_s + MINUTE_S
        self._log.append((max(leaves_s, self._log[-1][0]) if self._log else leaves_s, amount))
        self._used += amount

    def full_in_s(self, now_s: float) -> float:
        """How long until the newest leaves the window.

        Not the oldest: OpenAI's and Anthropic's resets are when the whole allowance is back. When the next request
        fits is what a refusal's Retry-After says.
        """
        self.level(now_s)
        return self._log[-1][0] - now_s if self._log else 0.0
