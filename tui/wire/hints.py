"""What response headers say about waiting and allowances. Obeys nothing: it only reads.

`headers` is a mapping that ignores case, or one whose names are in lower case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|µs|μs|ms|s|m|h|d))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
}  # fmt: skip
_LONGEST_RESET_S = 86_400.0
"""Windows are a minute to a day. Beyond that it is another unit (some send epoch milliseconds)."""


@dataclass(frozen=True, slots=True)
class RateHint:
    """What one response's `x-ratelimit-*` headers said about our allowance. None: silent, or unreadable."""

    limit_requests: int | None = None
    """Requests the window allows."""
    remaining_requests: int | None = None
    """Requests left in the window."""
    reset_requests_s: float | None = None
    """Seconds until the window is full again."""
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_s: float | None = None


def wait_hint(headers: Mapping[str, str], now_epoch_s: float) -> float | None:
    """Seconds the server asks us to wait before another try; None when it asks for nothing we can use.

    Read in this order: `retry-after-ms`, `Retry-After` in seconds, `Retry-After` as an HTTP-date against
    `now_epoch_s` (seconds since 1970); then the same behind `llm_provider-`, where LiteLLM's proxy puts what its
    provider said, often without a header of its own. A wait that is zero, negative or unreadable is no hint. There
    is no upper bound: what to do about an hour is policy.
    """
    for prefix in ("", "llm_provider-"):
        milliseconds = _number(headers.get(f"{prefix}retry-after-ms"))
        if milliseconds:
            return milliseconds / 1000
        text = headers.get(f"{prefix}retry-after")
        after_s = _number(text)
        if after_s is None and text is not None:
            after_s = _seconds_until(text, now_epoch_s)
        if after_s is not None and after_s > 0:
            return after_s
    return None


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's own word on whether another try makes sense (`x-should-retry`); None without one."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def rate_hint(headers: Mapping[str, str]) -> RateHint | None:
    """The allowance that the headers state; None when they state nothing that can be read."""
    hint = RateHint(
        _count(headers.get("x-ratelimit-limit-requests")),
        _count(headers.get("x-ratelimit-remaining-requests")),
        _reset(headers.get("x-ratelimit-reset-requests")),
        _count(headers.get("x-ratelimit-limit-tokens")),
        _count(headers.get("x-ratelimit-remaining-tokens")),
        _reset(headers.get("x-ratelimit-reset-tokens")),
    )
    return None if hint == RateHint() else hint


def _number(text: str | None) -> float | None:
    """A plain decimal number. `float` alone would take "nan", "inf", "1_000" and other scripts' digits."""
    if text is None or not _NUMBER.fullmatch(stripped := text.strip()):
        return None
    return float(stripped)


def _seconds_until(text: str, now_epoch_s: float) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:  # asctime's form names no zone; HTTP's dates are all GMT
            date = date.replace(tzinfo=UTC)
        return date.timestamp() - now_epoch_s
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _count(text: str | None) -> int | None:
    if text is None or not _COUNT.fullmatch(stripped := text.strip()):
        return None
    return int(stripped)


def _reset(text: str | None) -> float | None:
    """A Go duration (`6m0s`, `20ms`, `1h2m3.5s`) or bare seconds, at most a day."""
    if text is None:
        return None
    stripped = text.strip()
    seconds = _number(stripped)
    if seconds is None:
        if not _DURATION.fullmatch(stripped):
            return None
        seconds = sum(float(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(stripped))
    return seconds if seconds <= _LONGEST_RESET_S else None
