import json
import random

import pytest

from tui.wire.chat_errors import read_error
from tui.wire.hints import wait_in_body

NOW = 1_769_860_800.0  # 2026-01-31T12:00:00Z

GEMINI = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota. Please retry in 45.837465s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaValue": "15"}]},
            {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45.8s"},
        ],
    }
}
OPENROUTER = {
    "error": {
        "message": "Rate limit exceeded: free-models-per-min. ",
        "code": 429,
        "metadata": {
            "headers": {
                "X-RateLimit-Limit": "20",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1769860842000",
            },
            "provider_name": None,
        },
    }
}
OPENROUTER_QUOTING = {
    "error": {
        "message": "Provider returned error",
        "code": 429,
        "metadata": {"raw": json.dumps(GEMINI), "provider_name": "Google AI Studio"},
    }
}
LITELLM_QUOTING = {
    "error": {
        "message": "litellm.RateLimitError: geminiException - " + json.dumps(GEMINI),
        "type": "throttling_error",
        "param": None,
        "code": "429",
    }
}


def told(body: object, status: int = 429, now_epoch_s: float | None = NOW) -> float | None:
    """The wait in a body, with the message that is read of it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wait_in_body(status, raw, read_error(status, raw).message, now_epoch_s)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param([GEMINI], 45.8, id="Gemini, in a list"),
        pytest.param(GEMINI, 45.8, id="Gemini, bare"),
        pytest.param(OPENROUTER, 42.0, id="OpenRouter"),
        pytest.param(OPENROUTER_QUOTING, 45.8, id="OpenRouter, quoting Gemini"),
        pytest.param(LITELLM_QUOTING, 45.8, id="LiteLLM, quoting Gemini"),
        pytest.param({"error": {"metadata": {"headers": {"Retry-After": "7"}}}}, 7.0, id="a quoted Retry-After"),
        pytest.param({"error": {"message": "later"}}, None, id="nothing"),
        pytest.param(b"<html>Please try again in 5s</html>", 5.0, id="a web page"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_every_provider_s_error_is_read(body: object, expected: float | None) -> None:
    assert told(body) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Limit 30000, Used 29500, Requested 900. Please try again in 41.7s. Visit https://example.com", 41.7),
        ("Please try again in 20ms.", 0.02),
        ("Please try again in 1m2.5s", 62.5),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 7m12s. Need more tokens?", 432.0),
        ("Please try again in 1h2m3.5s.", 3723.5),
        ("have exceeded token rate limit. Please retry after 17 seconds. Please go here: https://aka.ms/x", 17.0),
        ("Please retry after 1 second.", 1.0),
        ("Please retry after 86400 seconds.", 86400.0),
        ("Please retry in 45.837465s.", 45.837465),
        ("No deployments available. Try again in 5 seconds.", 5.0),
        ("try again in 1 minute and 30 seconds", 90.0),
        ("Try again in about 2 hours, 5 mins", 7500.0),
        ("PLEASE TRY AGAIN IN 5 S", 5.0),
        ("Please wait 10 seconds", 10.0),
        ("try again in 0s", None),
        ("try again in -5s", None),
        ("try again in 5 million years", None),
        ("try again in 3 tries", None),
        ("try again in ٣s", None),
        ("try again in 5 ſ", None),
        ("try again in 999999999d", None),
        ("try again in nan s", None),
        ("try again later", None),
        ("retry 3 of 5 s", None),
        ("the request took 5 seconds", None),
        ("", None),
    ],
)
def test_the_words_of_a_message_name_a_wait(message: str, expected: float | None) -> None:
    assert wait_in_body(429, b"", message) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("delay", ["0s", "-5s", "nan", "45.8", 45.8, None, "9" * 99 + "s", "9999999d", "٤s", ["5s"]])
def test_a_delay_that_cannot_be_waited_for_is_none(delay: object) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    assert told([{"error": {"message": "later", "details": details}}]) is None


def test_only_a_detail_that_is_a_retry_info_names_a_delay() -> None:
    assert told({"error": {"message": "later", "details": [{"@type": "example/Other", "retryDelay": "5s"}]}}) is None


def test_a_structure_comes_before_words() -> None:
    assert wait_in_body(429, json.dumps([GEMINI]).encode(), "try again in 3s") == 45.8


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_where_another_try_makes_no_sense_no_wait_is_named(status: int) -> None:
    assert told([GEMINI], status) is None


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_where_it_does_one_is(status: int) -> None:
    assert told([GEMINI], status) == 45.8


def test_an_instant_needs_a_clock() -> None:
    assert told(OPENROUTER, now_epoch_s=None) is None


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"error": {"details": [{"@type": ' + b"[" * 900 + b"]" * 900 + b"}]}}",
        b'{"a":' * 10_000,
        b'{"error": {"details": {"0": 1}, "metadata": [1]}}',
        b'{"error": {"details": [1, null, {"@type": 5}], "metadata": {"headers": [], "raw": 7}}}',
        b'{"error": "try again"}',
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"x" * 1_000_000,
    ],
    ids=range(10),
)
def test_no_shape_of_a_body_makes_the_reader_raise(body: bytes) -> None:
    assert wait_in_body(429, body, "later", NOW) is None


def test_no_words_make_the_reader_raise_or_state_the_absurd() -> None:
    rng = random.Random(4)
    pieces = [
        "try again in ", "Please retry after ", "please wait ", "retryDelay", '": "', '\\":\\"', "1m", "2.5s",
        "9" * 30, ".", " and ", ", ", "٣", "ſ", "µs", "nan", "-", " ", "1e9", "ms", "999999999d", "\x00", "\ud800",
        "17 seconds", '"',
    ]  # fmt: skip
    for _ in range(10_000):
        text = "".join(rng.choice(pieces) for _ in range(rng.randrange(12)))
        body = json.dumps({"error": {"metadata": {"raw": text, "headers": {"Retry-After": text}}}}).encode()
        found = wait_in_body(429, body, text, NOW)
        assert found is None or 0 < found <= 366 * 86_400


def test_a_megabyte_of_words_is_cut() -> None:
    assert wait_in_body(429, b"", "try again in 1m; " * 70_000) == 60.0
    assert wait_in_body(429, b"", " " * 1_000_000 + "try again in 5s") is None
