"""Whatever a model writes, a terminal can draw it, and its width is the one we think."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.dashboard.plain import cells, crop, fitting, plain, plain_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("⚠️ 1️⃣", "⚠ 1"),
        ("👩‍🔬", "👩🔬"),
        ("👍🏽", "👍"),
        ("🇫🇷", "FR"),
        ("a\tb", "a    b"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\x1b]52;c;aGk=\x07", "�]52;c;aGk=�"),
        ("\x9b2J", "�2J"),
        ("abc\u202edef", "abc�def"),
        ("\ud800", "�"),
    ],
)
def test_what_moves_neighbours_or_commands_terminals_is_taken_away(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(), st.text())
def test_the_pieces_of_a_text_may_be_made_plain_one_by_one(head: str, tail: str) -> None:
    assert plain(head) + plain(tail) == plain(head + tail)


@given(st.text(), st.integers(0, 40))
def test_cropped_text_fits(text: str, width: int) -> None:
    assert cells(crop(plain_line(text), width)) <= width


@given(st.text(), st.integers(0, 40))
def test_what_fits_is_the_longest_start_that_does(text: str, width: int) -> None:
    text = plain_line(text)
    fits = fitting(text, width)
    assert sum(map(cells, text[:fits])) <= width
    assert fits == len(text) or sum(map(cells, text[: fits + 1])) > width


def test_an_ellipsis_says_that_something_was_left_off() -> None:
    assert crop("a weir in a river", 8) == "a weir…"
    assert crop("堰は川を横切る", 6) == "堰は…"
