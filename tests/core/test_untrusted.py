"""No character of a model's, a server's or a file's can act on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.untrusted import clean, clean_line

ANY_TEXT = st.text(st.characters(exclude_categories=()))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def test_newline_and_tab_are_the_only_controls_that_stay() -> None:
    controls = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]]
    assert [c for c in controls if clean(c) == c] == ["\t", "\n"]


@pytest.mark.parametrize("character", [*BIDI, "\u2028", "\u2029", "\ud800", "\x1b", "\x9b", "\r"])
def test_what_reorders_breaks_or_commands_becomes_a_replacement_character(character: str) -> None:
    assert clean(f"a{character}b") == "a\ufffdb"


def test_an_escape_sequence_cannot_slip_through_in_two_pieces() -> None:
    assert clean("\x1b") + clean("[2J") == "\ufffd[2J"


def test_harmless_text_is_the_same_object() -> None:
    text = "".join(("naïve 流 😀", " \n\t"))
    assert clean(text) is text


@given(ANY_TEXT)
def test_cleaning_keeps_the_length_can_be_encoded_and_leaves_no_control(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert len(cleaned) == len(text)
    assert all(unicodedata.category(c) not in ("Cc", "Cs") or c in "\n\t" for c in cleaned)
    assert clean(cleaned) == cleaned


@given(ANY_TEXT)
def test_a_clean_line_is_one_line(text: str) -> None:
    line = clean_line(text)
    assert "\n" not in line
    assert line == line.strip()
    assert len(line.splitlines()) <= 1
