"""A secret shows nothing of itself, and is taken out of what servers echo."""

import copy
import json
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.secrets import MOST_HEADER_CHARS, MOST_HEADERS, NO_MASK, Mask, Secret, masked_headers, redact

KEY = Secret("sk-canary-0123456789")


@pytest.mark.parametrize("view", [repr, str, format, "{}".format, lambda s: f"{s!r:>8}", lambda s: repr([s, {"k": s}])])
def test_no_view_of_a_secret_shows_it(view) -> None:  # type: ignore[no-untyped-def]
    assert "canary" not in view(KEY)
    assert "***" in view(KEY)


@pytest.mark.parametrize(
    "writer", [pickle.dumps, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode]
)
def test_a_secret_is_never_written_anywhere(writer) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError):
        writer(KEY)


def test_an_empty_secret_is_no_secret() -> None:
    assert not Secret("")
    assert KEY
    assert redact("nothing to hide", [Secret("")]) == "nothing to hide"


def test_every_occurrence_of_every_secret_is_taken_out() -> None:
    other = Secret("hunter2-hunter2")
    text = f"key {KEY.reveal()} and {KEY.reveal()}, header {other.reveal()}"
    assert redact(text, [KEY, other]) == "key *** and ***, header ***"


def test_a_placeholder_does_not_garble_texts() -> None:
    assert redact("none of the boxes", [Secret("none"), Secret("x")]) == "none of the boxes"


def test_a_header_with_a_scheme_also_hides_its_credentials_alone() -> None:
    header = Secret("Bearer sk-canary-0123456789")
    assert redact("Incorrect API key provided: sk-canary-0123456789.", [header]) == "Incorrect API key provided: ***."
    assert redact("a Bearer token is missing", [header]) == "a Bearer token is missing"


@pytest.mark.parametrize("kept", [6, 12, 19])
def test_a_message_that_was_cut_within_the_secret_ends_before_it(kept: int) -> None:
    assert redact(f"Incorrect API key: {KEY.reveal()[:kept]}", [KEY]) == "Incorrect API key: ***"


def test_a_secret_that_contains_another_is_hidden_whole() -> None:
    assert "-more" not in redact("sk-canary-0123456789-more-of-it", [KEY, Secret("sk-canary-0123456789-more-of-it")])


# ── headers ────────────────────────────────────────────────────────────────────────────────────────────────


def hidden(text: str) -> str:
    return redact(text, [KEY])


@pytest.mark.parametrize(
    "name",
    [
        "authorization", "proxy-authorization", "x-auth", "x-amz-security-token", "x-csrf-token", "x-accesstoken",
        "set-cookie", "set-cookie2", "x-api-key", "x-apikey", "api_key", "key", "x-session-id", "x-jwt", "x-signature",
        "x-client-secret", "x-credentials",
    ],
)  # fmt: skip
def test_a_header_whose_name_says_secret_shows_no_value(name: str) -> None:
    assert masked_headers({name: "zyx"}, hidden) == ((name, "***"),)


@pytest.mark.parametrize(
    "name",
    [
        "content-type", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "x-request-id", "etag",
        "www-authenticate", "openai-processing-ms", "x-token-count", "author",
    ],
)  # fmt: skip
def test_a_header_that_is_no_secret_is_shown_as_it_came(name: str) -> None:
    assert masked_headers({name: "zyx"}, hidden) == ((name, "zyx"),)


def test_headers_keep_their_order_and_no_header_is_no_header() -> None:
    headers = {"b": "1", "a": "2"}
    assert masked_headers(headers, hidden) == (("b", "1"), ("a", "2"))
    assert masked_headers({}, hidden) == ()


@pytest.mark.parametrize("echo", [KEY.reveal(), KEY.reveal()[:12]])
def test_a_secret_in_any_header_s_value_is_taken_out_also_one_that_the_server_cut(echo: str) -> None:
    headers = {"x-echo": f"you sent {echo}", "x-nul": f"\0{echo}", "x-last": "fine"}
    assert masked_headers(headers, hidden) == (("x-echo", "you sent ***"), ("x-nul", "\0***"), ("x-last", "fine"))


def test_of_a_secret_that_our_own_cut_would_go_through_nothing_is_left() -> None:
    for before in range(MOST_HEADER_CHARS - 30, MOST_HEADER_CHARS + 1):
        ((_, value),) = masked_headers({"x": "v" * before + KEY.reveal()}, hidden)
        assert "s" not in value
        assert len(value) <= MOST_HEADER_CHARS


def test_headers_are_bounded_in_number_and_length() -> None:
    shown = masked_headers({f"{number}{'n' * 2000}": "v" * 2000 for number in range(200)}, hidden)
    assert len(shown) == MOST_HEADERS
    assert {(len(name), len(value)) for name, value in shown} == {(MOST_HEADER_CHARS, MOST_HEADER_CHARS)}


# ── texts that end within a secret ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abcabcabcab", "***"),  # the earliest beginning counts, so that nothing of a repetition is left
        ("abcabcabcabX", "abcabcabcabX"),
        ("zabcab", "zabcab"),  # too short to be told from a word
        ("zabcabc", "z***"),
    ],
)
def test_a_secret_that_repeats_itself_is_hidden_from_its_first_character(text: str, shown: str) -> None:
    assert redact(text, [Secret("abcabcabcabcabd")]) == shown


@given(
    st.text("sk-ab", max_size=12),
    st.text("sk-ab", min_size=7, max_size=12),
    st.integers(0, 12),
)
def test_a_text_never_ends_within_a_secret(before: str, secret: str, kept: int) -> None:
    shown = redact(before + secret[:kept], [Secret(secret)])
    assert secret not in shown
    assert not any(shown.endswith(secret[:size]) for size in range(6, len(secret)))


# ── masks ──────────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.sampled_from(["sk-canary-0123456789", "sk-canary", "sk-", "a", "\n", "hunter2-hunter2"]), max_size=8)
)
def test_a_masked_text_is_as_long_as_it_was_and_has_no_secret_in_it(parts: list[str]) -> None:
    text = "".join(parts)
    shown = Mask([KEY, Secret("Bearer hunter2-hunter2")])(text)
    assert len(shown) == len(text)
    assert KEY.reveal() not in shown
    assert "hunter2-hunter2" not in shown
    assert all(char in (was, "*") for char, was in zip(shown, text, strict=True))


@pytest.mark.parametrize("kept", [6, 12, 19])
def test_a_secret_that_is_still_coming_is_masked_already(kept: int) -> None:
    assert Mask([KEY])(f"Key: {KEY.reveal()[:kept]}") == f"Key: {'*' * kept}"


def test_with_nothing_to_hide_a_text_stays_the_same_object() -> None:
    text = "".join(["some", " text"])
    assert NO_MASK(text) is text
    assert Mask([Secret(""), Secret("none")])(text) is text
    assert Mask([KEY])(text) is text
    assert (NO_MASK.longest, Mask([KEY, Secret("sk-")]).longest) == (0, 20)
