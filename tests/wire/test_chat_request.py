import json
import ssl
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.calls import CallPlan
from tui.core.errors import UsageError
from tui.wire.chat import chat_url, models_url, normalise_base_url, request_body

ASK = ({"role": "user", "content": "hi 流"},)


def body(stream: bool = True, **params: Any) -> Any:
    return json.loads(request_body(CallPlan(1, "m", ASK, params), stream))


def test_a_stream_is_asked_for_with_its_usage():
    assert body(max_tokens=7) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi 流"}],
        "max_tokens": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_whole_answer_is_asked_for_without_stream_options():
    assert body(stream=False) == {"model": "m", "messages": [{"role": "user", "content": "hi 流"}], "stream": False}


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({"stream_options": {"include_usage": False}}, {"include_usage": False}),
        ({"stream_options": {"include_obfuscation": False}}, {"include_usage": True, "include_obfuscation": False}),
        ({"stream_options": None}, None),
        ({"stream": False}, None),
    ],
)
def test_the_plan_s_own_words_win(params: dict[str, Any], options: Any):
    asked = body(**params)
    assert asked.get("stream_options") == options
    assert ("stream_options" in asked) is (options is not None)
    assert asked["stream"] is params.get("stream", True)


def test_extra_fields_may_replace_any_other_and_null_stays_null():
    assert body(model="other", stop=None)["model"] == "other"
    assert body(stop=None)["stop"] is None


def test_the_plan_itself_is_left_alone():
    plan = CallPlan(1, "m", ASK, {"stream_options": {"include_usage": False}})
    assert request_body(plan) == request_body(plan)
    assert plan.params == {"stream_options": {"include_usage": False}}


def test_a_prompt_with_a_lone_surrogate_is_still_json():
    plan = CallPlan(1, "m", ({"role": "user", "content": "a\ud83d"},))
    assert json.loads(request_body(plan))["messages"][0]["content"] == "a\ud83d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("http://localhost:8000//", "http://localhost:8000/v1"),
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        ("https://api.example.com/openai/deployments/x", "https://api.example.com/openai/deployments/x"),
        ("HTTPS://API.Example.com", "https://api.example.com/v1"),
        ("http://127.0.0.1", "http://127.0.0.1/v1"),
        ("http://[::1]:8600", "http://[::1]:8600/v1"),
        ("http://host:/v2", "http://host/v2"),
        ("http://bücher.example", "http://bücher.example/v1"),
        ("http://my_host.:1", "http://my_host.:1/v1"),
        ("http://[fe80::1%eth0]:1", "http://[fe80::1%eth0]:1/v1"),
        ("http://1.2.3", "http://1.2.3/v1"),
        ("https://host/chat", "https://host/chat"),
    ],
)
def test_a_base_url_is_brought_into_one_form(text: str, expected: str):
    assert normalise_base_url(text) == expected
    assert normalise_base_url(expected) == expected
    assert chat_url(expected) == f"{expected}/chat/completions"
    assert models_url(expected) == f"{expected}/models"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "must begin with http"),
        ("localhost:8000", "must begin with http"),
        ("api.example.com/v1", "must begin with http"),
        ("ftp://host", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("http:/host", "must begin with http"),
        ("http:host", "must begin with http"),
        ("http://", "no host"),
        ("http:///v1", "no host"),
        ("http://:8000", "no host"),
        ("http://host:port", "bad host or port"),
        ("http://host:99999", "bad host or port"),
        ("http://host:-1", "bad host or port"),
        ("http://host:0", "port 0"),
        ("http://[::1", "bad host or port"),
        ("http://user:hunter2@host", "user name or password"),
        ("http://user@host", "user name or password"),
        ("http://@host", "user name or password"),
        ("http://host?x=1", "query or fragment"),
        ("http://host/v1?", "query or fragment"),
        ("http://host/v1#top", "query or fragment"),
        ("http://host /v1", "blank"),
        (" http://host", "blank"),
        ("http://host\n", "blank"),
        ("http://ho\tst", "blank"),
        ("http://host\x00", "control character"),
        ("http://host\\@evil", "backslash"),
        ("https://.foo/v1", "no name can be"),
        ("http://a..b", "no name can be"),
        ("http://" + "a" * 64, "no name can be"),
        ("http://" + "b\u00fc" * 40, "no name can be"),
        ("http://1.2.3.999", "no name can be"),
        ("http://127.0.0.01", "no name can be"),
        ("https://host/v1/chat/completions", "ends in /chat/completions"),
        ("https://host/chat/completions/", "ends in /chat/completions"),
    ],
)
def test_a_base_url_that_cannot_be_used_is_refused_with_a_hint(text: str, what: str):
    with pytest.raises(UsageError, match=what) as caught:
        normalise_base_url(text)
    assert caught.value.where == "--base-url"
    assert caught.value.hint
    assert "hunter2" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("text", ["http://::1:8602", "http://fe80::1/v1", "https://2001:db8::1:443/v1"])
def test_an_ipv6_address_without_brackets_is_told_of_them(text: str):
    with pytest.raises(UsageError, match="bad host or port") as caught:
        normalise_base_url(text)
    assert "[::1]" in caught.value.hint


def test_the_hint_about_chat_completions_says_to_leave_it_out():
    with pytest.raises(UsageError) as caught:
        normalise_base_url("https://host/v1/chat/completions")
    assert "leave /chat/completions out of --base-url" in caught.value.hint


@given(st.text(alphabet="aA0.9-_xn:[]%ü。/", max_size=20).map("http://".__add__))
@settings(max_examples=300, deadline=None)
def test_a_host_that_is_accepted_makes_neither_look_up_nor_tls_raise_later(text: str):
    try:
        url = httpx.URL(normalise_base_url(text))
    except (UsageError, httpx.InvalidURL):  # what IDNA forbids is httpx's to know; the transport refuses it
        return
    host = url.raw_host.decode("ascii")
    host.encode("idna")
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=host)


@given(st.text(max_size=20).map("http://".__add__))
@settings(max_examples=60, deadline=None)
def test_any_text_is_normalised_once_and_for_all_or_refused(text: str):
    try:
        once = normalise_base_url(text)
    except UsageError:
        return
    assert normalise_base_url(once) == once
