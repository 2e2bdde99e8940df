import math
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.wire.rate_headers import LONGEST_RESET_S, RateHint, rate_hint, until_reset_s

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC).timestamp()


def headers_of(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.strip().splitlines())
    return {name.strip().lower(): value.strip() for name, value in pairs}


OPENAI = """
x-ratelimit-limit-requests: 5000
x-ratelimit-limit-tokens: 160000
x-ratelimit-limit-tokens_usage_based: 160000
x-ratelimit-remaining-requests: 4999
x-ratelimit-remaining-tokens: 159976
x-ratelimit-remaining-tokens_usage_based: 159976
x-ratelimit-reset-requests: 12ms
x-ratelimit-reset-tokens: 9ms
x-ratelimit-reset-tokens_usage_based: 9ms
"""
OPENAI_DOCUMENTED = """
x-ratelimit-limit-requests: 60
x-ratelimit-limit-tokens: 150000
x-ratelimit-remaining-requests: 59
x-ratelimit-remaining-tokens: 149984
x-ratelimit-reset-requests: 1s
x-ratelimit-reset-tokens: 6m0s
"""
OPENAI_BY_THE_DAY = """
x-ratelimit-limit-requests: 10000
x-ratelimit-remaining-requests: 9999
x-ratelimit-reset-requests: 8.64s
"""
GROQ = """
x-ratelimit-limit-requests: 14400
x-ratelimit-limit-tokens: 18000
x-ratelimit-remaining-requests: 14370
x-ratelimit-remaining-tokens: 17997
x-ratelimit-reset-requests: 2m59.56s
x-ratelimit-reset-tokens: 7.66s
"""
GROQ_USED_UP = """
x-ratelimit-limit-requests: 14400
x-ratelimit-remaining-requests: 0
x-ratelimit-reset-requests: 23h59m57s
"""
AZURE = """
x-ratelimit-limit-requests: 250
x-ratelimit-remaining-requests: 249
x-ratelimit-limit-tokens: 250000
x-ratelimit-remaining-tokens: 0
x-ratelimit-reset-tokens: 55
"""
AZURE_IN_THE_DARK = """
x-ratelimit-limit-requests: -1
x-ratelimit-remaining-requests: -1
x-ratelimit-reset-requests: 0
x-ratelimit-limit-tokens: 0
x-ratelimit-remaining-tokens: 0
x-ratelimit-reset-tokens: 30
"""
AZURE_MISSPELT = """
x-rate-limit-reset-tokens: 55
x-ratelimit-remaining-tokens: 0
"""
ANTHROPIC = """
anthropic-ratelimit-requests-limit: 50
anthropic-ratelimit-requests-remaining: 49
anthropic-ratelimit-requests-reset: 2026-01-31T12:00:01Z
anthropic-ratelimit-tokens-limit: 48000
anthropic-ratelimit-tokens-remaining: 47000
anthropic-ratelimit-tokens-reset: 2026-01-31T12:00:02Z
anthropic-ratelimit-input-tokens-limit: 40000
anthropic-ratelimit-input-tokens-remaining: 40000
anthropic-ratelimit-input-tokens-reset: 2026-01-31T12:00:00Z
anthropic-ratelimit-output-tokens-limit: 8000
anthropic-ratelimit-output-tokens-remaining: 7000
anthropic-ratelimit-output-tokens-reset: 2026-01-31T12:00:07.5+00:00
"""
OPENROUTER = """
X-RateLimit-Limit: 20
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 1769860842000
"""
OPENROUTER_BY_THE_DAY = """
X-RateLimit-Limit: 50
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 1769904000000
"""
TOGETHER = """
x-ratelimit-limit: 10
x-ratelimit-remaining: 9
x-ratelimit-reset: 0.1
x-tokenlimit-limit: 3000
x-tokenlimit-remaining: 0
"""
MISTRAL = """
x-ratelimit-limit-tokens-minute: 5000000
x-ratelimit-remaining-tokens-minute: 4999911
x-ratelimit-tokens-query-cost: 52
x-ratelimit-limit-req-minute: 720
x-ratelimit-remaining-req-minute: 717
x-ratelimit-limit-tokens-month: 1000000000
x-ratelimit-remaining-tokens-month: 999000000
"""
MISTRAL_BEFORE = """
ratelimitbysize-limit: 500000
ratelimitbysize-query-cost: 32009
ratelimitbysize-remaining: 467991
ratelimitbysize-reset: 31
x-ratelimitbysize-limit-month: 1000000000
x-ratelimitbysize-remaining-month: 999967991
"""
CEREBRAS = """
x-ratelimit-limit-requests-day: 1000000000
x-ratelimit-limit-tokens-minute: 1000000000
x-ratelimit-remaining-requests-day: 999997455
x-ratelimit-remaining-tokens-minute: 999998298
x-ratelimit-reset-requests-day: 33011.382867097855
x-ratelimit-reset-tokens-minute: 11.382867097854614
"""
CEREBRAS_USED_UP = """
x-ratelimit-limit-requests-minute: 30
x-ratelimit-remaining-requests-minute: 12
x-ratelimit-reset-requests-minute: 11.5
x-ratelimit-limit-requests-day: 14400
x-ratelimit-remaining-requests-day: 0
x-ratelimit-reset-requests-day: 33011.5
"""
LITELLM = """
x-ratelimit-api_key-limit-requests: 100
x-ratelimit-api_key-remaining-requests: 97
x-ratelimit-model_group-limit-tokens: 5000
x-ratelimit-model_group-remaining-tokens: 4000
llm_provider-x-ratelimit-limit-requests: 5000
llm_provider-x-ratelimit-remaining-requests: 4999
llm_provider-x-ratelimit-reset-requests: 12ms
x-litellm-response-duration-ms: 530
"""
LITELLM_OF_ANTHROPIC = """
llm_provider-anthropic-ratelimit-requests-limit: 50
llm_provider-anthropic-ratelimit-requests-remaining: 49
llm_provider-anthropic-ratelimit-requests-reset: 2026-01-31T12:00:01Z
"""
IETF = """
ratelimit-limit: 300
ratelimit-remaining: 280
ratelimit-reset: 53
"""
GITHUB = """
x-ratelimit-limit: 5000
x-ratelimit-remaining: 4999
x-ratelimit-reset: 1769864400
"""
DIGITAL_OCEAN = """
x-ratelimit-limit-tokens-per-minute: 9000
x-ratelimit-remaining-tokens-per-minute: 0
x-ratelimit-reset-tokens-per-minute: 1769860803
x-ratelimit-limit-tokens-per-day: 1000000
x-ratelimit-remaining-tokens-per-day: 900000
x-ratelimit-reset-tokens-per-day: 1769860803
"""


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        pytest.param(OPENAI, RateHint(5000, 4999, 0.012, 160000, 159976, 0.009), id="OpenAI"),
        pytest.param(OPENAI_DOCUMENTED, RateHint(60, 59, 1.0, 150000, 149984, 360.0), id="OpenAI's documentation"),
        pytest.param(OPENAI_BY_THE_DAY, None, id="OpenAI, requests by the day"),
        pytest.param(GROQ, RateHint(None, None, None, 18000, 17997, 7.66), id="Groq, whose requests are a day's"),
        pytest.param(GROQ_USED_UP, RateHint(None, 0, 86397 / 14400), id="Groq, the day used up: one is back in 6 s"),
        pytest.param(AZURE, RateHint(250, 249, None, 250000, 0, 55.0), id="Azure"),
        pytest.param(AZURE_IN_THE_DARK, None, id="Azure, which knows nothing"),
        pytest.param(AZURE_MISSPELT, RateHint(None, None, None, None, 0, 55.0), id="Azure, misspelt"),
        pytest.param(ANTHROPIC, RateHint(50, 49, 1.0, 48000, 47000, 2.0), id="Anthropic"),
        pytest.param(OPENROUTER, RateHint(20, 0, 42.0), id="OpenRouter"),
        pytest.param(OPENROUTER_BY_THE_DAY, RateHint(None, 0, 43200.0), id="OpenRouter, a day's"),
        pytest.param(TOGETHER, RateHint(600, None, 0.1, 180000, 0, 0.1), id="Together, by the second"),
        pytest.param(MISTRAL, RateHint(720, 717, None, 5000000, 4999911, None), id="Mistral"),
        pytest.param(MISTRAL_BEFORE, RateHint(None, None, None, 500000, 467991, 31.0), id="Mistral, before"),
        pytest.param(
            CEREBRAS, RateHint(None, None, None, 1000000000, 999998298, 11.382867097854614), id="Cerebras, no day's"
        ),
        pytest.param(CEREBRAS_USED_UP, RateHint(None, 0, 33011.5), id="Cerebras, the day used up"),
        pytest.param(LITELLM, RateHint(100, 97, None, 5000, 4000, None), id="LiteLLM's own before its provider's"),
        pytest.param(LITELLM_OF_ANTHROPIC, RateHint(50, 49, 1.0), id="LiteLLM before Anthropic"),
        pytest.param(IETF, RateHint(300, 280, 53.0), id="the IETF's draft"),
        pytest.param(GITHUB, None, id="GitHub, an hour's"),
        pytest.param(DIGITAL_OCEAN, RateHint(None, None, None, 9000, 0, 3.0), id="DigitalOcean"),
        pytest.param("content-type: text/plain", None, id="nobody"),
    ],
)
def test_every_provider_s_reply_is_read(recorded: str, expected: RateHint | None) -> None:
    read = rate_hint(headers_of(recorded), NOW)
    assert (read is None) == (expected is None)
    if read is not None and expected is not None:
        assert read.limit_requests == expected.limit_requests
        assert read.remaining_requests == expected.remaining_requests
        assert read.reset_requests_s == pytest.approx(expected.reset_requests_s)
        assert read.limit_tokens == expected.limit_tokens
        assert read.remaining_tokens == expected.remaining_tokens
        assert read.reset_tokens_s == pytest.approx(expected.reset_tokens_s)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3s", 3723.0),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("7.66s", 7.66),
        ("0s", 0.0),
        ("100µs", 0.0001),
        ("100ns", 1e-7),
        ("24h0m0s", 86400.0),
        ("1d", 86400.0),
        ("59", 59.0),
        ("0.25", 0.25),
        ("0", None),  # Azure's, beside a limit of -1
        ("1769860842", 42.0),
        ("1769860842.5", 42.5),
        ("1769860842000", 42.0),
        ("2026-01-31T12:00:42Z", 42.0),
        ("2026-01-31T12:00:42.123456789Z", 42.123456),
        ("2026-01-31T14:00:42+02:00", 42.0),
        ("2026-01-31t12:00:42z", 42.0),
        ("2026-01-31T11:59:58Z", 0.0),  # whole again since
        ("2026-01-31T11:58:58Z", None),
        ("2026-02-01T12:00:01Z", None),
        ("2026-13-31T12:00:42Z", None),
        ("2026-01-31T12:00:42", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("2026-01-31", None),
        ("２０２６-01-31T12:00:42Z", None),
        ("25h", None),
        ("86401", None),
        ("99999999999999999999", None),
        ("1443648300000", None),
        ("-1", None),
        ("-1s", None),
        ("1x", None),
        ("s", None),
        ("1m 2s", None),
        ("1.2.3s", None),
        ("30, 30", None),
        ("3e1", None),
        ("٣٠", None),
        ("9" * 400 + "s", None),
        ("1s" * 500_000, None),
        (" " * 1_000_000, None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("Wed, 30 Sep 2015 21:24:36 GMT", None),
    ],
)
def test_a_reset_is_a_span_or_an_instant_of_at_most_a_day(text: str, expected: float | None) -> None:
    hint = rate_hint({"x-ratelimit-reset-requests": text}, NOW)
    assert (hint.reset_requests_s if hint else None) == (
        None if expected is None else pytest.approx(expected, abs=1e-6)
    )


@pytest.mark.parametrize("text", ["1769860842", "1769860842000", "2026-01-31T12:00:42Z"])
@pytest.mark.parametrize("now_epoch_s", [None, math.nan, math.inf])
def test_without_a_clock_a_reset_that_is_an_instant_is_not_read(text: str, now_epoch_s: float | None) -> None:
    assert rate_hint({"x-ratelimit-reset-requests": text}, now_epoch_s) is None


def test_without_a_clock_nobody_knows_what_window_an_unnamed_limit_has() -> None:
    assert rate_hint(headers_of(OPENROUTER)) is None


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "", "9" * 30, "1_0", "٣", "59, 59", "5" * 1_000_000])
def test_a_count_that_cannot_be_read_is_absent(text: str) -> None:
    name = "x-ratelimit-remaining-tokens"
    assert rate_hint({name: text}) is None
    assert rate_hint({name: text, "x-ratelimit-limit-tokens": " 7 "}) == RateHint(limit_tokens=7)


@pytest.mark.parametrize("limit", ["0", "-1", "", "60, 60", "many"])
def test_what_stands_beside_a_limit_that_is_none_is_not_believed(limit: str) -> None:
    said = {"x-ratelimit-limit-requests": limit, "x-ratelimit-remaining-requests": "0"}
    assert rate_hint(said | {"x-ratelimit-reset-requests": "30s"}) is None


@pytest.mark.parametrize("used", [1, 2, 3, 30, 7200, 14399])
@pytest.mark.parametrize("returned", [0.0, 0.5, 0.98])
def test_a_day_s_bucket_is_known_by_how_it_fills(used: int, returned: float) -> None:
    missing = used - (returned if used > 1 else 0.0)  # one has come back in part; the count is rounded
    said = {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-remaining-requests": str(14400 - used),
        "x-ratelimit-reset-requests": f"{missing * 6:.3f}s",
    }
    assert rate_hint(said) is None


@pytest.mark.parametrize("limit", [1, 60, 600, 10_000])
@pytest.mark.parametrize("share", [0.001, 0.5, 1.0])
def test_a_minute_s_bucket_is_not_taken_for_a_day_s(limit: int, share: float) -> None:
    missing = max(1, round(limit * share))
    said = {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(limit - missing),
        "x-ratelimit-reset-requests": f"{missing * 60 / limit:.3f}s",
    }
    read = rate_hint(said)
    assert read is not None
    assert (read.limit_requests, read.remaining_requests) == (limit, limit - missing)


@given(st.integers(1, 700), st.data())
def test_a_fixed_minute_of_up_to_700_requests_is_not_taken_for_a_day_s(limit: int, data: st.DataObject) -> None:
    remaining = data.draw(st.integers(0, limit))
    reset_s = data.draw(st.integers(1, 60))
    said = {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(remaining),
        "x-ratelimit-reset-requests": str(reset_s),
    }
    assert rate_hint(said) == RateHint(limit, remaining, reset_s)


def test_of_two_token_limits_the_one_that_is_used_up_matters() -> None:
    said = headers_of(ANTHROPIC) | {"anthropic-ratelimit-output-tokens-remaining": "0"}
    read = rate_hint(said, NOW)
    assert read is not None
    assert (read.limit_tokens, read.remaining_tokens, read.reset_tokens_s) == (8000, 0, 7.5)


def test_of_two_that_are_used_up_the_longer_one_matters() -> None:
    said = headers_of(CEREBRAS_USED_UP) | {"x-ratelimit-remaining-requests-minute": "0"}
    assert rate_hint(said) == RateHint(None, 0, 33011.5)


def test_what_is_used_up_behind_a_proxy_matters_as_well() -> None:
    said = headers_of(LITELLM) | {"llm_provider-x-ratelimit-remaining-requests": "0"}
    assert rate_hint(said) == RateHint(5000, 0, 0.012, 5000, 4000)


def test_a_day_that_is_used_up_but_never_ends_hides_nothing() -> None:
    said = headers_of(CEREBRAS_USED_UP) | {"x-ratelimit-reset-requests-day": "soon"}
    assert rate_hint(said) == RateHint(30, 12, 11.5)


def test_a_token_limit_with_a_reset_of_its_own_is_not_together_s() -> None:
    said = {"x-tokenlimit-limit": "9000", "x-tokenlimit-remaining": "5", "x-tokenlimit-reset": "40"}
    assert rate_hint(said) == RateHint(limit_tokens=9000, remaining_tokens=5, reset_tokens_s=40.0)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (RateHint(60, 0, 5.0, 900, 0, 7.0), 7.0),
        (RateHint(60, 0, 5.0, 900, 1, 7.0), 5.0),
        (RateHint(60, 1, 5.0), None),
        (RateHint(60, 0, None), None),
        (RateHint(60, 0, 0.0), None),
    ],
)
def test_what_is_used_up_comes_back_at_its_reset(rate: RateHint, expected: float | None) -> None:
    assert until_reset_s(rate) == expected


def test_no_header_value_makes_the_reader_raise_or_state_the_absurd() -> None:
    rng = random.Random(4)
    names = sorted({name for text in RECORDED for name in headers_of(text)})
    for _ in range(10_000):
        headers = {name: _anything(rng) for name in rng.sample(names, rng.randint(1, 8))}
        read = rate_hint(headers, rng.choice((None, NOW, 0.0, -1e300, math.nan)))
        if read is not None:
            assert all(
                value is None or (type(value) is int and 0 <= value < 60 * 10**12)
                for value in (read.limit_requests, read.remaining_requests, read.limit_tokens, read.remaining_tokens)
            )
            for reset_s in (read.reset_requests_s, read.reset_tokens_s):
                assert reset_s is None or 0 <= reset_s <= LONGEST_RESET_S


RECORDED = [
    OPENAI, GROQ, AZURE, AZURE_MISSPELT, ANTHROPIC, OPENROUTER, TOGETHER, MISTRAL, MISTRAL_BEFORE, CEREBRAS,
    CEREBRAS_USED_UP, LITELLM, LITELLM_OF_ANTHROPIC, IETF, DIGITAL_OCEAN,
]  # fmt: skip
_HONEST = sorted({value for text in RECORDED for value in headers_of(text).values()})
_ABSURD = [
    "", " ", "-1", "-0", "nan", "NaN", "inf", "-Infinity", "1e400", "0x10", "9" * 5000, "1_000", "٣", "２０", "²",
    "60, 60", "60;w=60", "\x00", "\ud800", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "9" * 20, "-5s", "1h" * 30,
    "s" * 9000,
]  # fmt: skip


def _anything(rng: random.Random) -> str:
    """Something honest, something absurd, a piece of both, or noise."""
    kind = rng.randrange(5)
    if kind < 2:
        return rng.choice(_HONEST)
    if kind == 2:
        return rng.choice(_ABSURD)
    if kind == 3:
        one, other = rng.choice(_HONEST), rng.choice(_ABSURD)
        return one[: rng.randrange(len(one) + 1)] + other[:40]
    return "".join(rng.choice("0123456789.-+:TZsmhµd eE") for _ in range(rng.randrange(24)))
