import time
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.wire.hints import rate_hint, should_retry, wait_hint

NOW = 1_443_648_256.0  # Wed, 30 Sep 2015 21:24:16 GMT


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        # the table of openai-python's tests; what is too long to obey is for the policy to say
        ("20", 20.0),
        ("60", 60.0),
        ("61", 61.0),
        ("0", None),
        ("-10", None),
        ("99999999999999999999", 99999999999999999999.0),
        ("Zun, 29 Sep 2015 21:26:27 GMT", None),
        ("Tue, 29 Sep 2015 21:26:37 GMT", None),
        ("Wed, 30 Sep 2015 21:24:36 GMT", 20.0),
        ("Wed, 30 Sep 2015 21:26:37 GMT", 141.0),
        ("Wed, 30 Sep 2015 21:24:16 GMT", None),
        ("99999999999999999999999999999999999", None),
        ("", None),
        # and more
        (" 2.5 ", 2.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("0.0", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1e3", None),
        ("1_000", None),
        ("２０", None),
        ("20s", None),
        ("20, 30", None),
        ("soon", None),
        ("Wednesday, 30-Sep-15 21:24:36 GMT", 20.0),
        ("Wed Sep 30 21:24:36 2015", 20.0),
        ("Wed, 30 Sep 2015 23:24:36 +0200", 20.0),
        ("Wed, 99 Sep 2015 21:24:36 GMT", None),
        ("Wed, 30 Sep 99999 21:24:36 GMT", None),
        ("Wed, 30 Sep 2015 21:24:36 +99999999999999999999", None),
        (" " * 1_000_000 + "20", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(retry_after: str, expected: float | None):
    assert wait_hint({"retry-after": retry_after}, NOW) == expected


def test_a_date_without_a_zone_is_gmt_wherever_we_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert wait_hint({"retry-after": "Wed Sep 30 21:24:36 2015"}, NOW) == 20.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("milliseconds", "seconds", "expected"),
    [
        ("1500", "20", 1.5),
        ("0.5", None, 0.0005),
        ("0", "20", 20.0),
        ("-1", "20", 20.0),
        ("nan", "20", 20.0),
        ("soon", "20", 20.0),
        ("soon", None, None),
        ("0", None, None),
    ],
)
def test_milliseconds_come_first_where_they_can_be_used(milliseconds: str, seconds: str | None, expected: float | None):
    headers = {"retry-after-ms": milliseconds} | ({} if seconds is None else {"retry-after": seconds})
    assert wait_hint(headers, NOW) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"llm_provider-retry-after": "60"}, 60.0),
        ({"llm_provider-retry-after": "Wed, 30 Sep 2015 21:24:36 GMT"}, 20.0),
        ({"llm_provider-retry-after-ms": "1500", "llm_provider-retry-after": "60"}, 1.5),
        ({"retry-after": "5", "llm_provider-retry-after-ms": "1500", "llm_provider-retry-after": "60"}, 5.0),
        ({"retry-after": "soon", "llm_provider-retry-after": "60"}, 60.0),
        ({"llm_provider-retry-after": "-1"}, None),
    ],
)
def test_what_the_provider_behind_a_litellm_proxy_said_comes_last(headers: dict[str, str], expected: float | None):
    assert wait_hint(headers, NOW) == expected


def test_without_headers_there_is_no_hint():
    assert wait_hint({}, NOW) is None
    assert should_retry({}) is None
    assert rate_hint({}) is None


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d\d?:\d\d?:\d\d? .{0,8}"))
@settings(deadline=None)
def test_no_header_value_makes_the_reader_raise(text: str):
    headers = dict.fromkeys(["retry-after", "retry-after-ms", "x-should-retry", "x-ratelimit-reset-tokens"], text)
    hint = wait_hint(headers, NOW)
    assert hint is None or 0 < hint < float("inf")
    assert should_retry(headers) in (None, True, False)
    rate_hint(headers)


@given(st.integers(1, 10**6))
@settings(deadline=None)
def test_a_date_in_the_future_is_as_far_as_it_says(after_s: int):
    assert wait_hint({"retry-after": formatdate(NOW + after_s, usegmt=True)}, NOW) == after_s


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("false", False), ("True", True), (" FALSE ", False), ("yes", None), ("1", None), ("", None)],
)
def test_the_server_may_say_whether_to_try_again(text: str, expected: bool | None):
    assert should_retry({"x-should-retry": text}) is expected
