"""Errors without the prompt in them: servers quote what they refuse. Pure; knows nothing of who keeps the errors."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tui.core.calls import CallPlan
from tui.core.untrusted import clean_line

WINDOW = 20
"""So many characters in a row that are also in the prompt are a quotation of it."""
LEFT_OUT = "…"
_BLOCK = WINDOW // 2
_WORDS_OF_THE_API = frozenset({"role", "type", "detail", "tool_call_id", "id"})
"""Fields of a message whose values nobody wrote: an error that says "user" does not quote a prompt."""


def asked_texts(plan: CallPlan) -> list[str]:
    """Every text of a request: those of its messages, and the longer ones of its parameters (schemas, tools)."""
    return [*_texts(plan.messages), *(text for text in _texts(plan.params) if len(text) >= WINDOW)]


def without_prompt(error: str, asked: Iterable[str]) -> str:
    """`error` up to where it quotes one of the texts, at whole words or by `WINDOW` characters; else itself."""
    starts = (_quoted_at(error, form) for text in asked for form in _forms(text))
    begun_at = min((start for start in starts if start is not None), default=None)
    return error if begun_at is None else f"{error[:begun_at]}{LEFT_OUT}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in _WORDS_OF_THE_API:
                yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _forms(text: str) -> set[str]:
    """A text as errors hold it: as it is, on one line, and as JSON writes it."""
    if not text.strip():
        return set()
    return {text, clean_line(text), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def _quoted_at(error: str, text: str) -> int | None:
    if len(text) < WINDOW:
        found = re.search(rf"(?<!\w){re.escape(text)}(?!\w)", error)
        return None if found is None else found.start()
    # Whatever is that long holds one of these blocks whole: few searches tell that nothing is quoted, as a rule.
    if not any(error[at : at + _BLOCK] in text for at in range(0, len(error) - _BLOCK + 1, _BLOCK)):
        return None
    return next((at for at in range(len(error) - WINDOW + 1) if error[at : at + WINDOW] in text), None)


__all__ = ["LEFT_OUT", "WINDOW", "asked_texts", "without_prompt"]
