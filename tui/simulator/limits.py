"""What a provider refuses for going too fast or for too many at once. Pure: the present instant is an argument.

Source: OpenAI's rate-limit guide. Every reply says what is left and when the allowance is whole again; what is
refused costs nothing.
"""

import math
from dataclasses import dataclass

from tui.simulator.allowances import Allowance, Bucket, FixedWindow, SlidingWindow
from tui.simulator.limit_headers import Headers, allowance_headers, told_wait_s, try_again
from tui.simulator.settings import SimulatorSettings

RELEASE_S = 0.05
"""A reply ends within so much of its plan, on a machine that is not overloaded."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request does not fit, in the words of an error body."""

    kind: str
    """`requests`, `tokens` or `concurrency`: the error's type."""
    message: str
    wait_s: float | None
    """The true wait. None: waiting does not help, the request is larger than the limit; or nobody knows."""
    code: str = "rate_limit_exceeded"


class Limits:
    """The allowances of one model."""

    __slots__ = ("_model", "_requests", "_settings", "_tokens", "_wall_offset_s")

    def __init__(self, model: str, settings: SimulatorSettings, now_s: float, wall_offset_s: float = 0.0) -> None:
        """`wall_offset_s` added to an instant gives seconds since 1970."""
        self._model = model
        self._settings = settings
        self._wall_offset_s = wall_offset_s
        self._requests = self._allowance(settings.rpm, now_s, settings.burst)
        self._tokens = self._allowance(settings.tpm, now_s)

    def admit(self, tokens: int, now_s: float) -> Refusal | None:
        """Take one request of `tokens` (prompt and the most it may answer), or say why not and take nothing."""
        requests, allowance = self._requests, self._tokens
        if allowance is not None and tokens > allowance.limit:
            return Refusal(
                "tokens",
                f"Request too large for {self._model} on tokens per min (TPM): Limit {allowance.limit}, "
                f"Requested {tokens}. The input or output tokens must be reduced in order to run successfully.",
                None,
            )
        if requests is not None and (wait_s := requests.wait_s(1.0, now_s)) > 0.0:
            return self._reached("requests", "requests per min (RPM)", requests, 1, wait_s, now_s)
        if allowance is not None and (wait_s := allowance.wait_s(tokens, now_s)) > 0.0:
            return self._reached("tokens", "tokens per min (TPM)", allowance, tokens, wait_s, now_s)
        if requests is not None:
            requests.take(1.0, now_s)
        if allowance is not None:
            allowance.take(tokens, now_s)
        return None

    def headers(self, now_s: float) -> Headers:
        """The allowances as the headers of a reply sent now; none for a limit that is not set."""
        found: Headers = []
        for name, allowance in (("requests", self._requests), ("tokens", self._tokens)):
            if allowance is not None:
                style = self._settings.header_style
                found += allowance_headers(style, name, allowance, now_s, self._wall_offset_s)
        return found

    def _allowance(self, limit: int | None, now_s: float, burst: int | None = None) -> Allowance | None:
        if limit is None:
            return None
        if self._settings.limit_kind == "fixed-window":
            return FixedWindow(limit, now_s, self._wall_offset_s)
        if self._settings.limit_kind == "sliding-window":
            return SlidingWindow(limit)
        return Bucket(limit, now_s, burst)

    def _reached(self, kind: str, what: str, allowance: Allowance, amount: int, wait_s: float, now_s: float) -> Refusal:
        # Of a small bucket too: when it is empty, what the provider calls the limit is used.
        used = allowance.limit - math.floor(allowance.level(now_s))
        return Refusal(
            kind,
            f"Rate limit reached for {self._model} on {what}: Limit {allowance.limit}, Used {used}, "
            f"Requested {amount}." + try_again(told_wait_s(self._settings.retry_after_style, wait_s)),
            wait_s,
        )


class Slots:
    """The requests of one model that are being answered, of which there may be only so many at once."""

    __slots__ = ("_ends_s", "_limit", "_model", "_retry_after_style", "_taken")

    def __init__(self, model: str, limit: int, retry_after_style: str) -> None:
        self._model = model
        self._limit = limit
        self._retry_after_style = retry_after_style
        self._ends_s: dict[int, float] = {}
        """When each slot's reply ends by its plan."""
        self._taken = 0

    @property
    def running(self) -> int:
        """Slots that are taken."""
        return len(self._ends_s)

    def refusal(self, now_s: float) -> Refusal | None:
        """Why another request cannot be answered now; None when it can. Takes nothing."""
        if self.running < self._limit:
            return None
        wait_s = self._wait_s(now_s)
        return Refusal(
            "concurrency",
            f"Too many concurrent requests for {self._model}: limit {self._limit}."
            + try_again(told_wait_s(self._retry_after_style, wait_s)),
            wait_s,
            "concurrency_limit_exceeded",
        )

    def take(self, ends_s: float) -> "Slot":
        """A slot for a reply that ends at `ends_s` by its plan; infinite when only the client will end it."""
        self._taken += 1
        self._ends_s[self._taken] = ends_s
        return Slot(self._ends_s, self._taken)

    def _wait_s(self, now_s: float) -> float | None:
        """How long until the first slot is free, as far as plans tell: what is late by much has a slow reader."""
        waits_s = (ends_s + RELEASE_S - now_s for ends_s in self._ends_s.values())
        return min((wait_s for wait_s in waits_s if 0.0 < wait_s < math.inf), default=None)


class Slot:
    """One reply's place among those under way."""

    __slots__ = ("_number", "_taken")

    def __init__(self, taken: dict[int, float], number: int) -> None:
        self._taken = taken
        self._number = number

    def release(self) -> None:
        """The reply is over, however it ended."""
        del self._taken[self._number]
