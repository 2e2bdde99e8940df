"""Counting a text while it arrives gives what counting the whole would."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.live_tokens import MAX_TAIL, LiveTokens, estimated_tokens, last_cut


def count(text: str) -> int:
    """A tokenizer in small: words with the blank before them, runs of white space up to that blank."""
    return len(re.findall(r" ?[^\s]+|\s+(?!\S)|\s", text))


class Counting:
    """Counts, and notes what it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> int:
        self.texts.append(text)
        return count(text)


pieces = st.lists(st.tuples(st.text(alphabet=st.sampled_from("ab.\n 漢"), max_size=8), st.booleans()), max_size=60)


@given(pieces)
def test_the_figure_is_that_of_the_whole_text_however_it_is_cut_and_whenever_one_asks(
    fed: list[tuple[str, bool]],
) -> None:
    live = LiveTokens(count)
    text = ""
    for piece, asked in fed:
        live.feed(piece)
        text += piece
        if asked:
            assert live.tokens() == count(text)
    assert live.tokens() == count(text)


def test_counting_piece_by_piece_would_have_overcounted() -> None:
    live = LiveTokens(count)
    for letter in "unbelievable words":
        live.feed(letter)
        live.tokens()
    assert live.tokens() == 2


def test_nothing_is_counted_until_somebody_asks_and_then_only_once() -> None:
    counting = Counting()
    live = LiveTokens(counting)
    live.feed("one two")
    live.feed(" three")
    assert counting.texts == []
    live.tokens()
    asked = len(counting.texts)
    live.tokens()
    assert len(counting.texts) == asked


def test_what_is_complete_is_never_counted_again() -> None:
    counting = Counting()
    live = LiveTokens(counting)
    live.feed("one two three")
    live.tokens()
    live.feed(" four")
    live.tokens()
    assert counting.texts == ["one two", " three", " three", " four"]


def test_a_text_without_blanks_is_not_counted_over_and_over() -> None:
    counting = Counting()
    live = LiveTokens(counting)
    for _ in range(200):
        live.feed("x" * 100)
        live.tokens()
    assert max(map(len, counting.texts)) <= MAX_TAIL + 100
    assert live.tokens() == pytest.approx(1, abs=200 * 100 / MAX_TAIL)


def test_without_a_counter_four_characters_are_a_token() -> None:
    live = LiveTokens(None)
    live.feed("12345")
    live.feed("678")
    assert live.tokens() == 2
    live.feed("9")
    assert live.tokens() == 3


@pytest.mark.parametrize(("chars", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2)])
def test_the_rule_rounds_up(chars: int, tokens: int) -> None:
    assert estimated_tokens(chars) == tokens


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("one two three", 13, 7),
        ("one two three", 5, 3),
        ("one two  three", 14, 3),  # not inside a run of blanks
        ("one two ", 8, 3),  # what follows the last blank is not known
        ("end.\n\nNext", 10, 0),  # a full stop and the newlines after it can be one token
        (" one", 4, 0),
        ("", 0, 0),
    ],
)
def test_a_cut_is_before_a_single_blank_between_two_words(text: str, limit: int, cut: int) -> None:
    assert last_cut(text, limit) == cut
