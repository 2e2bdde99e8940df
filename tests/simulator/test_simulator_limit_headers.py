from datetime import UTC, datetime

import pytest

from tui.simulator.limit_headers import retry_after
from tui.simulator.limits import Limits
from tui.simulator.settings import LIMIT_KINDS, SimulatorSettings

NOON_S = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC).timestamp()


def headers(now_s, used=0, **settings):
    """The headers at `now_s` of a model whose clock stood at 0 at half past noon's minute, after `used` requests."""
    limits = Limits("sim", SimulatorSettings(**settings), 0.0, NOON_S)
    for _ in range(used):
        limits.admit(10, 0.0)
    return limits.headers(now_s)


def test_azure_names_them_alike_and_writes_bare_seconds():
    assert headers(0.0, 3, rpm=40, header_style="azure") == [
        ("x-ratelimit-limit-requests", "40"),
        ("x-ratelimit-remaining-requests", "37"),
        ("x-ratelimit-reset-requests", "5"),
    ]


def test_anthropic_has_names_and_dates_of_its_own():
    assert headers(0.0, 2, rpm=60, tpm=6000, header_style="anthropic") == [
        ("anthropic-ratelimit-requests-limit", "60"),
        ("anthropic-ratelimit-requests-remaining", "58"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T12:00:32Z"),
        ("anthropic-ratelimit-tokens-limit", "6000"),
        ("anthropic-ratelimit-tokens-remaining", "5980"),
        ("anthropic-ratelimit-tokens-reset", "2026-01-01T12:00:31Z"),
    ]


def test_a_provider_may_say_nothing():
    assert headers(0.0, 2, rpm=60, tpm=6000, header_style="none") == []


@pytest.mark.parametrize(
    ("kind", "reset"), [("token-bucket", "0s"), ("fixed-window", "20s"), ("sliding-window", "50s")]
)
def test_the_reset_is_when_the_allowance_is_as_at_the_start(kind, reset):
    assert ("x-ratelimit-reset-requests", reset) in headers(10.0, 2, rpm=60, limit_kind=kind)


@pytest.mark.parametrize("kind", LIMIT_KINDS)
def test_at_the_reset_everything_is_left_and_before_it_is_not(kind):
    limits = Limits("sim", SimulatorSettings(rpm=7, limit_kind=kind), 0.0, NOON_S)
    for at_s in (0.0, 1.0, 7.0):
        limits.admit(1, at_s)
    reset_s = float(dict(limits.headers(9.0))["x-ratelimit-reset-requests"].removesuffix("s"))
    assert ("x-ratelimit-remaining-requests", "7") not in limits.headers(9.0 + reset_s - 0.01)
    assert ("x-ratelimit-remaining-requests", "7") in limits.headers(9.0 + reset_s)


@pytest.mark.parametrize(
    ("style", "wait_s", "expected"),
    [
        ("honest", 30.0, [("retry-after", "30"), ("retry-after-ms", "30000")]),
        ("short", 30.0, [("retry-after", "15"), ("retry-after-ms", "15000")]),
        ("short", 3.0, [("retry-after", "1"), ("retry-after-ms", "1500")]),
        # Whole seconds rounded up would be honest again.
        ("short", 1.0, [("retry-after-ms", "500")]),
        ("none", 30.0, []),
        ("honest", None, []),
        ("short", None, []),
    ],
)
def test_a_wait_is_told_truly_by_half_or_not_at_all(style, wait_s, expected):
    assert retry_after(wait_s, style) == expected


def test_anthropic_asks_in_whole_seconds_only():
    assert retry_after(1.2, header_style="anthropic") == [("retry-after", "2")]
