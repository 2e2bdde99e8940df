"""Who may send now: first come, first served, under requests and tokens a minute, attempts at once, and a cool-down.

Built on aiolimiter's leaky bucket, with what it does not give:

- `AsyncLimiter(60, 60)` let 119 requests into one 60 s window, and `(1, 60 / rpm)` loses throughput whenever the
  loop is late. So the bucket holds a tenth of a second of the rate (or `--burst`).
- What makes "no sliding 60 s window ever holds more than `rpm`" exact is not the bucket but the log of the last
  minute's admissions: an attempt waits until the window has room. That leaves the bucket its full refill rate,
  where a bucket that had to promise the bound alone would give up `burst` requests of every minute.
- aiolimiter serves waiters by amount, so that a large one can starve: a FIFO lock stands in front of it.
- Changing `max_rate` of a live AsyncLimiter leaves its leak rate as it was: the bucket is swapped.

One admission a turn of the loop: a thousand that start in one turn would keep every other socket waiting for the best
part of a second, and with it the stamps of what arrives meanwhile. Who comes to a turn in which nobody was admitted
goes at once, for a turn of a busy loop is what a schedule is kept by.
"""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterable

from aiolimiter import AsyncLimiter

from tui.core.limits_view import Gauges

WINDOW_S = 60.0
# An attempt is stamped a moment after its admission; so much more room keeps the bound true for the stamps too.
MARGIN_S = 0.010
BUCKET_S = 0.1
TOKEN_BUCKET_S = 6.0


class RequestTooLarge(Exception):
    """One request needs more tokens than a whole minute allows: waiting would never end."""

    def __init__(self, needed: int, tpm: int) -> None:
        super().__init__(f"needs {needed} tokens (prompt + max tokens), but the limit is {tpm} a minute")


class _Bucket(AsyncLimiter):
    """aiolimiter's bucket, which also says how long it takes, and takes back what was not used."""

    def wait_s(self, amount: float = 1) -> float:
        """Seconds until `amount` fits; 0 when it fits now."""
        if self.has_capacity(amount):
            return 0.0
        # A microsecond more, for the sum of floats may fall short of the level by a rounding error.
        return (self._level + amount - self.max_rate) / self._rate_per_sec + 1e-6

    def take(self, amount: float = 1) -> None:
        """Take what fits: `wait_s` has just said so. `acquire` does the same behind an await."""
        self._leak()
        self._level += amount

    @property
    def free(self) -> float:
        """How much it would let go at this instant; 0 also while it owes what was used beyond a reservation."""
        self._leak()
        return max(0.0, self.max_rate - self._level)

    def give_back(self, amount: float) -> None:
        """Take back what was reserved and not used; a negative amount charges what was used beyond it."""
        self._leak()
        self._level = max(0.0, self._level - amount)


class Reservation:
    """What an admitted attempt may use of the token limit."""

    __slots__ = ("at", "tokens")

    def __init__(self, at: float, tokens: int) -> None:
        self.at = at
        self.tokens = tokens


class Limiter:
    """Admits attempts in the order in which they ask. All times are the running loop's seconds."""

    def __init__(
        self,
        rpm: int | None = None,
        tpm: int | None = None,
        burst: int | None = None,
        on_closed: Callable[[float, str], None] = lambda seconds, why: None,
    ) -> None:
        """`burst` requests may go at once; `on_closed(seconds, why)` hears of every cool-down."""
        self.rpm = rpm
        self.tpm = tpm
        self._burst = burst
        self._requests = _request_bucket(rpm, burst)
        self._tokens = _token_bucket(tpm)
        self._admitted: deque[Reservation] = deque()
        self._reserved = 0
        """Tokens of all that is in `_admitted`."""
        self._most_reserved = 0
        self._at_once: int | None = None
        self._on_wire = 0
        """Attempts that were admitted and have not ended."""
        self._turn = asyncio.Lock()
        self._taken = 0.0
        """Tokens that whoever has the turn has taken from the bucket, slice by slice."""
        self._turn_is_used = False
        """Somebody was admitted in this turn of the loop."""
        self._changed = asyncio.Event()
        self._paused = False
        self._closed_until = float("-inf")
        self._on_closed = on_closed
        self._standing = 0

    async def acquire(self, tokens: int = 0) -> Reservation:
        """Wait for one request's turn and `tokens` of the token limit; whoever got it says when it has `ended`.

        Raises RequestTooLarge when the token limit can never hold it, also when it is lowered while this waits.
        """
        self._check(tokens)
        self._standing += 1
        try:
            return await self._admit(tokens)
        finally:
            self._standing -= 1

    async def _admit(self, tokens: int) -> Reservation:
        async with self._turn:
            await self._wait_for_all(tokens)
            # Nothing is awaited from here on, so that a 429 in this very turn is not overtaken.
            if self._requests is not None:
                self._requests.take()
            self._turn_is_used = True
            asyncio.get_running_loop().call_soon(self._next_turn_of_the_loop)
            reservation = Reservation(self._now(), tokens)
            self._admitted.append(reservation)
            self._reserved += tokens
            self._most_reserved = max(self._most_reserved, self._reserved)
            self._on_wire += 1
            return reservation

    async def _wait_for_all(self, tokens: int) -> None:
        """Take the tokens and wait until a request may go; whoever leaves before that gives the tokens back."""
        self._taken = 0.0
        try:
            await self._take_tokens(tokens)
            while True:
                self._check(tokens)
                if (wait_s := self._wait_s(tokens)) > 0:
                    await self._sleep(wait_s)
                elif self._turn_is_used:
                    await asyncio.sleep(0)
                else:
                    return
        except BaseException:  # a cancellation above all: nothing was sent for these tokens
            if self._tokens is not None:
                self._tokens.give_back(self._taken)
            raise

    def _next_turn_of_the_loop(self) -> None:
        self._turn_is_used = False

    def _check(self, tokens: int) -> None:
        if self.tpm is not None and tokens > self.tpm:
            raise RequestTooLarge(tokens, self.tpm)

    def ended(self) -> None:
        """An admitted attempt is off the wire, however it ended. Once for each that was admitted."""
        self._on_wire -= 1
        if self._on_wire + 1 == self._at_once:  # only at this step does room come about for whoever waits
            self._wake()

    def remember(self, ages_s: Iterable[float]) -> None:
        """Requests that went out so long ago (s), before this limiter was: they are in the window like its own.

        Before anything is admitted.
        """
        assert not self._admitted
        now = self._now()
        self._admitted.extend(Reservation(now - age_s, 0) for age_s in sorted(ages_s, reverse=True))

    def settle(self, reservation: Reservation, used: int) -> None:
        """The attempt used so many tokens in the end."""
        if used == reservation.tokens:
            return
        if self._tokens is not None:
            self._tokens.give_back(reservation.tokens - used)
        now = self._now()
        self._forget(now)  # first: what leaves the window later must take along what it was last counted with
        if reservation.at > now - WINDOW_S - MARGIN_S:  # else it has left the window with what it reserved
            self._reserved += used - reservation.tokens
            self._most_reserved = max(self._most_reserved, self._reserved)
        reservation.tokens = used

    def close_for(self, seconds: float, why: str) -> None:
        """Admit nothing for so long; a shorter cool-down never cuts a longer one."""
        until = self._now() + seconds
        if until > self._closed_until:
            self._closed_until = until
            self._on_closed(seconds, why)

    def pause(self) -> None:
        """Admit nothing until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Admit again."""
        self._paused = False
        self._wake()

    @property
    def gauges(self) -> Gauges:
        """How it stands at this instant."""
        requests, tokens = self._requests, self._tokens
        if tokens is not None:
            self._forget(self._now())
        return Gauges(
            requests_level=requests.free if requests is not None else None,
            requests_size=requests.max_rate if requests is not None else None,
            tokens_level=tokens.free if tokens is not None else None,
            tokens_size=tokens.max_rate if tokens is not None else None,
            tokens_reserved=self._reserved if tokens is not None else None,
            tokens_reserved_peak=self._most_reserved if tokens is not None else None,
            in_limiter=self._standing,
        )

    def set_rpm(self, rpm: int | None) -> None:
        """Another rate from now on, also for whoever waits at this moment."""
        self.rpm = rpm
        self._requests = _request_bucket(rpm, self._burst)
        self._wake()

    def set_tpm(self, tpm: int | None) -> None:
        """Another limit of tokens from now on; what the last minute used and reserved counts under it too.

        Who waits with more than the new limit gets, at its turn, the RequestTooLarge that it would get if it asked now.
        """
        if self._tokens is None:
            self._most_reserved = self._reserved  # the peak is that of a limit, and there was none
        self.tpm = tpm
        self._tokens = _token_bucket(tpm, self._tokens)
        self._wake()

    def set_at_once(self, most: int | None) -> None:
        """Admit while fewer attempts than `most` are on the wire, from now on; those that are stay. None: any number.

        Slots alone do not keep a lowered number: calls that have a slot may all be standing here.
        """
        self._at_once = most
        self._wake()

    # ── waiting ────────────────────────────────────────────────────────────────────────────────────────

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _wait_s(self, tokens: int) -> float:
        """How long no request may go, as things stand: a pause, a full wire, the cool-down, a full window, …"""
        if self._paused or (self._at_once is not None and self._on_wire >= self._at_once):
            return math.inf
        now = self._now()
        self._forget(now)
        admitted = self._admitted
        wait_s = self._closed_until - now
        if self._requests is not None and self.rpm is not None:
            wait_s = max(wait_s, self._requests.wait_s())
            if len(admitted) >= self.rpm:
                wait_s = max(wait_s, self._leaves_in(admitted[len(admitted) - self.rpm], now))
        if self.tpm is not None and self._reserved + tokens > self.tpm:
            wait_s = max(wait_s, self._leaves_in(self._in_the_way(tokens), now))
        return wait_s

    def _forget(self, now: float) -> None:
        """Drop the admissions that have left the window."""
        while self._admitted and self._admitted[0].at <= now - WINDOW_S - MARGIN_S:
            self._reserved -= self._admitted.popleft().tokens

    def _leaves_in(self, reservation: Reservation, now: float) -> float:
        """Seconds until it has left the window. A microsecond more: a sum of floats may fall short of it."""
        return reservation.at + WINDOW_S + MARGIN_S - now + 1e-6

    def _in_the_way(self, tokens: int) -> Reservation:
        """The last of the oldest admissions that must leave the window before `tokens` more fit."""
        assert self.tpm is not None
        excess = self._reserved + tokens - self.tpm
        for reservation in self._admitted:
            excess -= reservation.tokens
            if excess <= 0:
                return reservation
        return self._admitted[-1]

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or wake up earlier because something changed."""
        changed = self._changed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await changed.wait()

    async def _take_tokens(self, tokens: int) -> None:
        left: float = tokens
        while left > 0 and (bucket := self._tokens) is not None:
            self._check(tokens)
            # What is larger than the bucket is taken in slices, which the turn keeps together.
            part = min(left, bucket.max_rate)
            if (wait_s := bucket.wait_s(part)) > 0:
                await self._sleep(wait_s)
                continue
            bucket.take(part)
            self._taken += part
            left -= part


def _request_bucket(rpm: int | None, burst: int | None) -> _Bucket | None:
    if not rpm:
        return None
    size = min(rpm, burst or max(1, int(rpm * BUCKET_S / WINDOW_S)))
    return _Bucket(size, size * WINDOW_S / rpm)


def _token_bucket(tpm: int | None, before: _Bucket | None = None) -> _Bucket | None:
    """A bucket of six seconds' tokens; as full as `before`, which it follows."""
    if not tpm:
        return None
    bucket = _Bucket(tpm * TOKEN_BUCKET_S / WINDOW_S, TOKEN_BUCKET_S)
    if before is not None:
        bucket.take(min(bucket.max_rate, before.max_rate - before.free))
    return bucket
