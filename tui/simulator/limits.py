"""Requests and tokens per minute, as a provider counts them. Pure: the present instant is an argument.

Source: OpenAI's rate-limit guide. An allowance is a bucket as large as the limit, refilled continuously; every
reply says what is left and when the bucket is full again; what is refused costs nothing.
"""

import math
from dataclasses import dataclass


class Bucket:
    """One allowance per minute. Instants are seconds of any one clock."""

    __slots__ = ("_level", "_seen_s", "limit")

    def __init__(self, limit: int, now_s: float) -> None:
        self.limit = limit
        self._level = float(limit)
        self._seen_s = now_s

    def level(self, now_s: float) -> float:
        """What is left."""
        # A clock that seems to step back (an arrival stamped before the last one) refills nothing.
        passed_s = max(0.0, now_s - self._seen_s)
        self._seen_s += passed_s
        self._level = min(float(self.limit), self._level + passed_s * self.limit / 60.0)
        return self._level

    def wait_s(self, amount: float, now_s: float) -> float:
        """How long until `amount` is left; 0 when it is now."""
        missing = amount - self.level(now_s)
        # A billionth of forgiveness: after waiting exactly as told, rounding must not refuse again.
        return 0.0 if missing <= 1e-9 * self.limit else missing * 60.0 / self.limit

    def take(self, amount: float, now_s: float) -> None:
        """Use `amount` up."""
        self._level = max(0.0, self.level(now_s) - amount)

    def full_in_s(self, now_s: float) -> float:
        """How long until nothing is used."""
        return (self.limit - self.level(now_s)) * 60.0 / self.limit


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request does not fit, in the words of an error body."""

    kind: str
    """`requests` or `tokens`: the error's type."""
    message: str
    wait_s: float | None
    """None: waiting does not help, the request is larger than the limit."""


class Limits:
    """The allowances of one model."""

    __slots__ = ("_model", "_requests", "_tokens")

    def __init__(self, model: str, rpm: int | None, tpm: int | None, now_s: float) -> None:
        self._model = model
        self._requests = None if rpm is None else Bucket(rpm, now_s)
        self._tokens = None if tpm is None else Bucket(tpm, now_s)

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

    def headers(self, now_s: float) -> list[tuple[str, str]]:
        """The `x-ratelimit-*` headers of a reply sent now; none for a limit that is not set."""
        found = []
        for name, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            if bucket is not None:
                found += [
                    (f"x-ratelimit-limit-{name}", str(bucket.limit)),
                    (f"x-ratelimit-remaining-{name}", str(math.floor(bucket.level(now_s) + 1e-9))),
                    (f"x-ratelimit-reset-{name}", go_duration(bucket.full_in_s(now_s))),
                ]
        return found

    def _reached(self, kind: str, what: str, bucket: Bucket, amount: int, wait_s: float, now_s: float) -> Refusal:
        used = bucket.limit - math.floor(bucket.level(now_s))
        return Refusal(
            kind,
            f"Rate limit reached for {self._model} on {what}: Limit {bucket.limit}, Used {used}, "
            f"Requested {amount}. Please try again in {go_duration(wait_s)}.",
            wait_s,
        )


def retry_after(wait_s: float) -> list[tuple[str, str]]:
    """The two headers that ask for a pause: whole seconds, and milliseconds for those who read them.

    Both are rounded up, so that a client that waits as told is never early.
    """
    return [
        ("retry-after", str(math.ceil(wait_s))),
        ("retry-after-ms", str(math.ceil(wait_s * 1000.0))),
    ]


def go_duration(duration_s: float) -> str:
    """`duration_s` as Go prints it and OpenAI sends it: `0s`, `20ms`, `1.5s`, `6m0s`, `1h0m0s`.

    Rounded up to a whole millisecond.
    """
    milliseconds = math.ceil(round(duration_s * 1000.0, 6))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{milliseconds / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
