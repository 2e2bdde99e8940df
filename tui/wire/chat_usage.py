"""The token counts that servers of the OpenAI dialect report, as one value."""

import math
from typing import Any

from tui.core.calls import Usage

_MOST = 10**9
"""No request has a thousand million tokens: a larger figure is garbage and would wreck every sum."""


def usage_of(value: Any) -> Usage | None:
    """The counts in the value of a `usage` field; None when it states none that can be believed.

    One count for prompt or completion that is negative or absurd discredits the whole; all zeros are a
    placeholder (there is no prompt of no tokens). Details that are absent or absurd are 0.
    """
    if not isinstance(value, dict):
        return None
    prompt, completion = _count(value, "prompt_tokens"), _count(value, "completion_tokens")
    if prompt is None or completion is None or prompt + completion == 0:
        return None
    reasoning = _detail(value, "completion_tokens_details", "reasoning_tokens") or 0
    cached = (
        _detail(value, "prompt_tokens_details", "cached_tokens")
        or _figure(value.get("prompt_cache_hit_tokens"))  # DeepSeek
        or _figure(value.get("cache_read_input_tokens"))  # Anthropic, through proxies
        or _figure(value.get("cached_tokens"))  # Moonshot
        or 0
    )
    # xAI counts reasoning beside the completion, and its total says so. Here it is always inside.
    if reasoning and value.get("total_tokens") == prompt + completion + reasoning:
        completion += reasoning
    return Usage(prompt, completion, min(reasoning, completion), min(cached, prompt))


def _count(usage: dict[str, Any], name: str) -> int | None:
    """One of the two counts that matter: 0 when it is absent, None when it is garbage."""
    value = usage.get(name)
    return 0 if value is None else _figure(value)


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return _figure(details.get(name)) if isinstance(details, dict) else None


def _figure(value: Any) -> int | None:
    """A count from what may be an int or a float; None when it is neither, or beyond belief."""
    if type(value) is float and not math.isfinite(value):
        return None
    if type(value) not in (int, float) or not 0 <= value <= _MOST:
        return None
    return int(value)
