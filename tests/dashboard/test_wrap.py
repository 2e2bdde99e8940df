"""Feeding a text piece by piece gives the rows of feeding it whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.dashboard.plain import cells
from tui.dashboard.wrap import Tail, Wrap

WORDS = st.text(alphabet="ab \n\t堰é\u0301🌊\u200d", max_size=120)


def rows(*pieces: str, width: int = 10) -> list[str]:
    wrap = Wrap(width)
    for piece in pieces:
        wrap.feed(piece)
    return [*wrap.closed, wrap.open]


@given(st.lists(WORDS, max_size=8), st.integers(2, 24))
def test_any_division_into_pieces_gives_the_same_rows(pieces: list[str], width: int) -> None:
    assert rows(*pieces, width=width) == rows("".join(pieces), width=width)


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(2, 24))
def test_no_row_is_wider_than_it_may_be(pieces: list[str], width: int) -> None:
    assert all(cells(row) <= width for row in rows(*pieces, width=width))


@given(st.text(alphabet="abc 堰\n", max_size=200), st.integers(2, 24))
def test_nothing_but_blanks_and_newlines_is_lost(text: str, width: int) -> None:
    assert "".join("".join(rows(text, width=width)).split()) == "".join(text.split())


def test_rows_break_at_blanks() -> None:
    assert rows("the weir holds back the water") == ["the weir", "holds back", "the water"]


def test_a_word_that_is_wider_than_a_row_is_cut() -> None:
    assert rows("abcdefghijklmnop") == ["abcdefghij", "klmnop"]


def test_indentation_is_kept_after_a_newline_and_dropped_after_a_break() -> None:
    assert rows("x:\n    y") == ["x:", "    y"]
    assert rows("aaaaaaaaaa    bb") == ["aaaaaaaaaa", "bb"]


def test_endless_combining_marks_cannot_fill_memory_on_one_row() -> None:
    assert all(len(row) <= 40 for row in rows("a" + "\u0301" * 1000))


def test_closed_rows_never_change() -> None:
    wrap = Wrap(10)
    wrap.feed("the weir holds back")
    before = list(wrap.closed)
    wrap.feed(" the water that comes down the river")
    assert list(wrap.closed)[: len(before)] == before


def test_a_tail_is_fed_only_what_is_new() -> None:
    tail = Tail(10)
    tail.show("call", "the weir", 8)
    tail.show("call", "weir holds", 14)
    assert [*tail.wrap.closed, tail.wrap.open] == ["the weir", "holds"]


def test_a_tail_that_shows_nothing_new_changes_nothing() -> None:
    tail = Tail(10)
    assert tail.show("call", "weir", 4)
    assert not tail.show("call", "weir", 4)


@pytest.mark.parametrize(("of", "text", "end"), [("other", "new", 8), ("call", "new", 3), ("call", "new", 90)])
def test_a_tail_starts_afresh_for_another_text_a_restart_or_a_hole(of: str, text: str, end: int) -> None:
    tail = Tail(10)
    tail.show("call", "the weir", 8)
    tail.show(of, text, end)
    assert [*tail.wrap.closed, tail.wrap.open] == ["new"]
