"""A secret shows nothing of itself, and is taken out of what servers echo."""

import copy
import json
import pickle

import msgspec
import pytest

from tui.core.secrets import Secret, redact

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
