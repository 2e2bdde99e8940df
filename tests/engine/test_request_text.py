"""The request as a command: without a key, within bounds for the screen, whole for a file."""

from typing import Any

import pytest

from tui.core.calls import CallPlan
from tui.core.secrets import Secret
from tui.engine import request_text
from tui.engine.endpoint import Endpoint
from tui.engine.request_text import SHOWN_CHARS, RequestTexts

KEY = "sk-canary-0123456789abcdef"
ODD = "canary'\"\\ é-0123456789"
ENDPOINT = Endpoint("http://h/v1", Secret(KEY), (("x-own", Secret(ODD)),))


def texts(*prompts: str, **params: Any) -> RequestTexts:
    plans = {call: CallPlan(call, "m", ({"role": "user", "content": prompt},), params)
             for call, prompt in enumerate(prompts, start=1)}  # fmt: skip
    return RequestTexts(ENDPOINT, plans.get)


def whole(requests: RequestTexts, call: int = 1) -> str:
    make = requests.whole(call)
    assert make is not None
    return make()


def test_a_short_request_is_the_same_on_the_screen_and_in_a_file() -> None:
    requests = texts("Name a river.")
    shown = requests.shown(1)
    assert shown is not None
    assert shown == whole(requests)
    assert shown.startswith("curl -N 'http://h/v1/chat/completions' ")
    assert "Name a river." in shown


def test_a_request_that_is_gone_is_none() -> None:
    requests = texts("p")
    assert (requests.shown(2), requests.whole(2)) == (None, None)


def test_no_secret_is_in_it_plain_or_escaped() -> None:
    requests = texts(f"my key is {KEY}, the other {ODD}.", stop=[KEY])
    for text in (requests.shown(1), whole(requests)):
        assert text is not None
        assert "canary" not in text
        assert "0123456789" not in text
        assert f"my key is {'*' * len(KEY)}, the other *" in text


@pytest.mark.parametrize(
    "prompt", ["a" * 300_000, "水" * 100_000, "'" * SHOWN_CHARS, "é😀" * 40_000], ids=lambda p: p[0]
)
def test_a_large_one_is_cut_for_the_screen_says_so_and_is_whole_in_a_file(prompt: str) -> None:
    requests = texts(prompt)
    shown = requests.shown(1)
    assert shown is not None
    command, _, note = shown.rpartition("\n")
    assert len(command) == SHOWN_CHARS
    assert note.startswith("… cut here: the request has ")
    assert "w saves" in note
    assert "'" not in note  # a quote would close the open one, and a shell would run half a request
    assert whole(requests).startswith(command)
    assert whole(requests).endswith("'")


@pytest.mark.parametrize("before_cut", range(0, 60, 3))
def test_a_secret_at_the_cut_is_hidden(monkeypatch: pytest.MonkeyPatch, before_cut: int) -> None:
    head = len(whole(texts("")).partition('"content":"')[0]) + len('"content":"')
    monkeypatch.setattr(request_text, "SHOWN_CHARS", 1_000)
    shown = texts(f"{'x' * (1_000 - head - before_cut)}{KEY}{'y' * 2_000}").shown(1)
    assert shown is not None
    assert "sk-" not in shown


def test_the_text_is_made_once_for_a_call_that_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    real = request_text.curl

    def counted(url: str, body: bytes, names: list[str]) -> str:
        made.append(body)
        return real(url, body, names)

    monkeypatch.setattr(request_text, "curl", counted)
    requests = texts("one", "two")
    assert [requests.shown(call) for call in (1, 1, 1)] == [requests.shown(1)] * 3
    assert len(made) == 1
    assert "two" in (requests.shown(2) or "")
    assert "one" in (requests.shown(1) or "")
    assert len(made) == 3
