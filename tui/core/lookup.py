"""Figures of a summary that may be old, foreign or damaged: each is what it should be, or absent. Never raises.

A path names nested keys: `number_at(summary, "ttft_s", "p95")`.
"""

from collections.abc import Mapping
from typing import Any

from tui.core.untrusted import clean_line

LARGEST = 1e15
"""What is larger is no figure of a run: as seconds it would be thirty million years."""


def value_at(values: Any, *path: str) -> Any:
    """What stands there; None where nothing does."""
    for key in path:
        if not isinstance(values, Mapping):
            return None
        values = values.get(key)
    return values


def number_at(values: Any, *path: str) -> float | None:
    """A number of a sane size, also one written as a string (money is); None for anything else."""
    found = value_at(values, *path)
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        number = float(found)
    except OverflowError:  # JSON has integers of any length
        return None
    return number if abs(number) <= LARGEST else None  # no NaN either


def whole_at(values: Any, *path: str) -> int | None:
    """A number without its fraction."""
    found = number_at(values, *path)
    return None if found is None else int(found)


def text_at(values: Any, *path: str) -> str | None:
    """A text on one line, clean of controls; None for anything else, and where it is empty."""
    found = value_at(values, *path)
    return clean_line(found) or None if isinstance(found, str) else None


__all__ = ["number_at", "text_at", "value_at", "whole_at"]
