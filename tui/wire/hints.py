"""What a reply says about waiting and trying again, in its headers or in an error's words. Obeys nothing.

`headers` is a mapping whose names are in lower case. What it says about allowances is read in `rate_headers`.
"""

import re
from collections.abc import Mapping
from typing import Any

from tui.wire.chat_errors import parse_leniently
from tui.wire.durations import go_duration_of, http_date_of, number_of
from tui.wire.rate_headers import RateHint, rate_hint, until_reset_s

__all__ = ["RateHint", "rate_hint", "should_retry", "until_reset_s", "wait_hint", "wait_in_body"]

_LONGEST_WAIT_S = 366 * 86_400.0
"""What to do about an hour is policy; more than a year is no wait."""
_BODY_BYTES = 64 << 10
_TEXT_CHARS = 4096
_ITEMS = 32
"""The most that is looked at: bytes of a body, characters of a message, items of a list."""

_UNITS_S = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "millisecond": 1e-3, "s": 1.0, "sec": 1.0,
    "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "d": 86_400.0,
    "day": 86_400.0,
}  # fmt: skip
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,12})?"
_UNIT = r"(?:milliseconds?|ms|ns|us|µs|μs|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)(?![a-zµμ])"
_SPAN = rf"{_NUMBER} ?{_UNIT}(?:(?:,? and |,? )?{_NUMBER} ?{_UNIT}){{0,3}}"
_FLAGS = re.ASCII | re.IGNORECASE
_ASKED = re.compile(rf"\b(?:(?:try again|retry|retrying) (?:in|after)|please wait)(?: about)? ({_SPAN})", _FLAGS)
"""OpenAI's and Groq's "try again in 1m2.5s", Azure's "retry after 17 seconds", Gemini's "retry in 45.8s"."""
_PART = re.compile(rf"({_NUMBER}) ?({_UNIT})", _FLAGS)
_QUOTED_DELAY = re.compile(r'retryDelay\\{0,7}"\s{0,9}:\s{0,9}\\{0,7}"([0-9.]{1,24}s)')
"""Gemini's error as a text in another's message: what gateways make of it."""


def wait_hint(headers: Mapping[str, str], now_epoch_s: float) -> float | None:
    """Seconds the server asks us to wait before another try; None when it asks for nothing we can use.

    Read in this order: `retry-after-ms`, `Retry-After` in seconds, `Retry-After` as an HTTP-date against
    `now_epoch_s` (seconds since 1970); then the same behind `llm_provider-`, where LiteLLM's proxy puts what its
    provider said, often without a header of its own. A wait that is zero, negative or unreadable is no hint. There
    is no upper bound: what to do about an hour is policy.
    """
    for prefix in ("", "llm_provider-"):
        milliseconds = number_of(headers.get(f"{prefix}retry-after-ms"))
        if milliseconds:
            return milliseconds / 1000
        text = headers.get(f"{prefix}retry-after")
        after_s = number_of(text)
        if after_s is None and text is not None and (date_s := http_date_of(text)) is not None:
            after_s = date_s - now_epoch_s
        if after_s is not None and after_s > 0:
            return after_s
    return None


def wait_in_body(status: int, body: bytes, message: str, now_epoch_s: float | None = None) -> float | None:
    """Seconds that an error asks us to wait in its body or its message; None when it asks for nothing we can use.

    For those whose headers say nothing. Only where another try makes sense: 408, 409, 429 and from 500 on. Read in
    this order: Google's RetryInfo (https://ai.google.dev/gemini-api/docs/troubleshooting, a list around the error
    and `"retryDelay": "45.8s"` in its details); the reply headers that OpenRouter quotes in `metadata.headers`, whose
    reset is an instant, measured against `now_epoch_s` (seconds since 1970); the words "try again in …" of `message`
    and of what OpenRouter quotes of its provider. At most a year.
    """
    if status not in (408, 409, 429) and status < 500:
        return None
    if len(body) <= _BODY_BYTES:
        error = _error_in(parse_leniently(body))
        metadata = error.get("metadata")
        quoted = metadata if isinstance(metadata, dict) else {}
        found = (
            _in_details(error.get("details"))
            or _in_quoted_headers(quoted.get("headers"), now_epoch_s)
            or _in_words(quoted.get("raw"))
        )
        if found is not None:
            return found
    return _in_words(message)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's own word on whether another try makes sense (`x-should-retry`); None without one."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _error_in(value: Any) -> dict[str, Any]:
    """The error that a decoded body states, {} without one. Gemini puts a list around it."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return {}
    inner = value.get("error")
    return inner if isinstance(inner, dict) else value


def _in_details(details: Any) -> float | None:
    """The delay in Google's RetryInfo."""
    for detail in details[:_ITEMS] if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        kind, delay = detail.get("@type"), detail.get("retryDelay")
        if isinstance(kind, str) and kind.endswith("google.rpc.RetryInfo") and isinstance(delay, str):
            return _wait(go_duration_of(delay))
    return None


def _in_quoted_headers(headers: Any, now_epoch_s: float | None) -> float | None:
    """What reply headers that a body repeats ask for: to retry after so long, or what is used up comes back then."""
    if not isinstance(headers, dict):
        return None
    read = {name.lower(): value for name, value in list(headers.items())[:_ITEMS] if isinstance(value, str)}
    asked_s = None if now_epoch_s is None else wait_hint(read, now_epoch_s)
    rate = rate_hint(read, now_epoch_s)
    return _wait(asked_s) or (None if rate is None else until_reset_s(rate))


def _in_words(text: Any) -> float | None:
    if not isinstance(text, str):
        return None
    text = text[:_TEXT_CHARS]
    if (quoted := _QUOTED_DELAY.search(text)) is not None:
        return _wait(go_duration_of(quoted[1]))
    if (asked := _ASKED.search(text)) is None:
        return None
    return _wait(sum(float(amount) * _unit_s(unit) for amount, unit in _PART.findall(asked[1])))


def _unit_s(name: str) -> float:
    name = name.lower()
    return _UNITS_S[name if len(name) <= 2 else name.removesuffix("s")]


def _wait(seconds: float | None) -> float | None:
    """What can be waited for; None is what cannot: nothing, or more than a year."""
    return seconds if seconds is not None and 0 < seconds <= _LONGEST_WAIT_S else None
