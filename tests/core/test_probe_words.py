"""What a refusal is about, as single servers put it."""

import pytest

from tui.core.probe_seen import Cause
from tui.core.probe_words import cause_of


@pytest.mark.parametrize(
    ("message", "code", "cause"),
    [
        ("Rate limit reached for gpt-4o on requests per min (RPM): Limit 3, Used 3", "rate_limit_exceeded", Cause.RATE),
        ("Rate limit reached for gpt-4o on tokens per min (TPM): Limit 40000", "rate_limit_exceeded", Cause.TOKENS),
        ("Too many concurrent requests for sim: limit 7.", "concurrency_limit_exceeded", Cause.AT_ONCE),
        ("You exceeded your current quota, please check your plan", "insufficient_quota", Cause.QUOTA),
        ("no", "insufficient_quota", Cause.QUOTA),
        ("Your credit balance is too low", None, Cause.QUOTA),
        ("slow down", None, Cause.RATE),
        ("no", None, None),
    ],
)
def test_the_cause_is_what_the_words_say(message: str, code: str | None, cause: Cause | None) -> None:
    assert cause_of(f"HTTP 429: {message}", code) is cause
