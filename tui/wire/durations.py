"""Spans of time and instants as providers write them, in seconds. Reads no clock and never raises on what they send.

What is longer than any honest value is not looked at, so that a header of a megabyte costs as little as a short one.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_TEXT = 64
"""Characters of the longest value that is read."""
_COUNT_DIGITS = 12

_NUMBER = re.compile(r"\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}", re.ASCII)
_GO = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|µs|μs|ms|s|m|h|d))+", re.ASCII)
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
}  # fmt: skip
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def number_of(text: str | None) -> float | None:
    """A plain decimal number. `float` alone would take "nan", "inf", "1_000" and other scripts' digits."""
    if text is None or len(text) > LONGEST_TEXT or not _NUMBER.fullmatch(stripped := text.strip()):
        return None
    return float(stripped)


def count_of(text: str | None) -> int | None:
    """A whole number of at most twelve digits."""
    if text is None or len(text) > LONGEST_TEXT:
        return None
    stripped = text.strip()
    # ASCII first: "٣" is a digit to `isdigit` and to `int`.
    return int(stripped) if len(stripped) <= _COUNT_DIGITS and stripped.isascii() and stripped.isdigit() else None


def go_duration_of(text: str | None) -> float | None:
    """Seconds of Go's way to write a span: `6m0s`, `20ms`, `1h2m3.5s`; days (`1d`) as well."""
    if text is None or len(text) > LONGEST_TEXT or not _GO.fullmatch(stripped := text.strip()):
        return None
    seconds = 0.0
    for amount, unit in _GO_PART.findall(stripped):
        seconds += float(amount) * _SECONDS[unit]
    return seconds


def rfc_3339_of(text: str) -> float | None:
    """Seconds since 1970 of `2026-01-31T12:00:00Z`, with a fraction or a zone's offset as well."""
    if len(text) > LONGEST_TEXT or not _RFC_3339.fullmatch(stripped := text.strip()):
        return None
    try:
        return datetime.fromisoformat(stripped.upper()).timestamp()
    except (ValueError, OverflowError):  # a month 13; a year that an offset moves before the first
        return None


def http_date_of(text: str) -> float | None:
    """Seconds since 1970 of an HTTP-date in any of its three forms."""
    if len(text) > LONGEST_TEXT:
        return None
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:  # asctime's form names no zone; HTTP's dates are all GMT
            date = date.replace(tzinfo=UTC)
        return date.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
