"""Durations as people type them: `300ms`, `1.5s`, `2m`, `1h`; a bare number is seconds."""

import math
import re

_FORM = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|µs|ms|s|m|h)?\s*", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds in `text`; ValueError with a readable message when it is not a duration."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f'expected a duration such as 300ms, 2s or 1m, got "{text}"')
    value = float(match[1]) * _SECONDS[match[2] or "s"]
    if not math.isfinite(value):
        raise ValueError(f'expected a finite duration, got "{text}"')
    return value
