"""Where calls go and what they ask for, as flags and environment say it."""

import argparse

import pytest

from tui.cli.parsing import Parser
from tui.cli.target import add_target, endpoint_from, limits_from, messages_of, params_from


def given(*arguments: str) -> argparse.Namespace:
    parser = Parser(prog="weir load")
    add_target(parser)
    return parser.parse_args(list(arguments))


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("http://127.0.0.1:8600", "http://127.0.0.1:8600/v1"),
        ("http://127.0.0.1:8600/", "http://127.0.0.1:8600/v1"),
        ("https://host/api/", "https://host/api"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
    ],
)
def test_an_address_without_a_path_gets_v1(url: str, base_url: str) -> None:
    assert endpoint_from(given("--base-url", url)).base_url == base_url


def test_the_flag_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://there")
    assert endpoint_from(given()).base_url == "http://there/v1"
    assert endpoint_from(given("--base-url", "http://here")).base_url == "http://here/v1"


def test_the_key_comes_from_the_environment_and_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-default")
    monkeypatch.setenv("OTHER_KEY", " sk-other\n")
    url = ("--base-url", "http://here")
    assert endpoint_from(given(*url)).request_headers()["authorization"] == "Bearer sk-default"
    other = endpoint_from(given(*url, "--api-key-env", "OTHER_KEY"))
    assert other.request_headers()["authorization"] == "Bearer sk-other"
    assert "sk-" not in repr(other)


def test_without_a_key_none_is_sent() -> None:
    assert "authorization" not in endpoint_from(given("--base-url", "http://here")).request_headers()


def test_headers_take_their_values_from_the_line_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", "sk-azure\n")
    flags = ("-H", "X-Team: river: left", "--header", "api-key:env:AZURE_KEY", "-H", "x-empty:")
    headers = endpoint_from(given("--base-url", "http://here", *flags)).request_headers()
    assert (headers["x-team"], headers["api-key"], headers["x-empty"]) == ("river: left", "sk-azure", "")


def test_named_fields_win_over_the_extra_body() -> None:
    asked = given("--extra-body", '{"top_p": 0.9, "max_tokens": 9}', "--max-tokens", "5", "--temperature", "0.5")
    assert params_from(asked) == {"top_p": 0.9, "max_tokens": 5, "temperature": 0.5}
    assert params_from(given()) == {}


def test_time_limits_and_messages() -> None:
    flags = ("--timeout", "90s", "--connect-timeout", "1s", "--first-byte-timeout", "2s", "--idle-timeout", "500ms")
    limits = limits_from(given(*flags))
    assert (limits.total_s, limits.connect_s, limits.first_byte_s, limits.idle_s) == (90.0, 1.0, 2.0, 0.5)
    asked = {"role": "user", "content": "Why?"}
    assert messages_of("Why?", None) == (asked,)
    assert messages_of("Why?", "Be brief.") == ({"role": "system", "content": "Be brief."}, asked)


def test_a_verb_that_sends_everything_once_has_no_retries() -> None:
    parser = Parser(prog="weir probe")
    add_target(parser, retries=False)
    assert not hasattr(parser.parse_args([]), "retries")
    assert parser.parse_known_args(["--retries", "3"])[1] == ["--retries", "3"]
    assert given("--retries", "3").retries == 3
