"""What a reply's headers say of allowances and waits, in the manner of one provider or another. Counts nothing.

Sources: OpenAI's and Anthropic's rate-limit guides. Azure names its headers as OpenAI does and writes bare seconds.
"""

import math
from datetime import UTC, datetime

from tui.simulator.allowances import Allowance

Headers = list[tuple[str, str]]


def allowance_headers(style: str, name: str, allowance: Allowance, now_s: float, wall_offset_s: float) -> Headers:
    """Limit, remainder and reset of the allowance of `name` (`requests` or `tokens`); nothing in the style `none`.

    `wall_offset_s` added to `now_s` gives seconds since 1970, for the style whose reset is a date.
    """
    if style == "none":
        return []
    limit, remaining = str(allowance.limit), str(math.floor(allowance.level(now_s) + 1e-9))
    full_in_s = allowance.full_in_s(now_s)
    if style == "anthropic":
        full_at = datetime.fromtimestamp(_whole_seconds(wall_offset_s + now_s + full_in_s), UTC)
        return [
            (f"anthropic-ratelimit-{name}-limit", limit),
            (f"anthropic-ratelimit-{name}-remaining", remaining),
            (f"anthropic-ratelimit-{name}-reset", full_at.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ]
    return [
        (f"x-ratelimit-limit-{name}", limit),
        (f"x-ratelimit-remaining-{name}", remaining),
        (f"x-ratelimit-reset-{name}", str(_whole_seconds(full_in_s)) if style == "azure" else go_duration(full_in_s)),
    ]


def told_wait_s(style: str, wait_s: float | None) -> float | None:
    """The wait that a refusal speaks of, in headers and words: the truth, half of it, or none."""
    if wait_s is None or style == "none":
        return None
    return wait_s / 2.0 if style == "short" else wait_s


def retry_after(wait_s: float | None, retry_after_style: str = "honest", header_style: str = "openai") -> Headers:
    """The headers that ask for a pause: whole seconds and, but for Anthropic's, milliseconds for those who read them.

    Both are rounded up, so that a client that waits as told is never early. In the style `short` that is not
    wanted: there seconds are rounded down, and left out below one.
    """
    told_s = told_wait_s(retry_after_style, wait_s)
    if told_s is None:
        return []
    seconds = math.floor(told_s) if retry_after_style == "short" else math.ceil(told_s)
    headers = [("retry-after", str(seconds))] if seconds or retry_after_style != "short" else []
    if header_style != "anthropic":
        headers.append(("retry-after-ms", str(math.ceil(told_s * 1000.0))))
    return headers


def try_again(told_s: float | None) -> str:
    """The end of a refusal's message; nothing when no wait is told."""
    return "" if told_s is None else f" Please try again in {go_duration(told_s)}."


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


def _whole_seconds(duration_s: float) -> int:
    """Rounded up, but not for what is off by rounding alone."""
    return math.ceil(round(duration_s, 5))
