"""A long text is made to fit where a reader would cut it, loses no character when split, and costs few counts."""

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.cutting import Count, cut, split
from tui.files.token_counter import TokenCounter


def words(text: str) -> int:
    return len(text.split())


def quarters(text: str) -> int:
    return -(-len(text) // 4)


def shrinking(text: str) -> int:
    """A count that is neither additive nor monotonic: pairs are one token, unless one of them was cut."""
    return len(re.findall("aa|.", text, re.DOTALL))


COUNTS = st.sampled_from([len, words, quarters, shrinking])
TEXTS = st.text(st.sampled_from("aab .\n\r!?。é\u0301\u200d👩🇩\ud83d\udc69\u3000\u2029"), max_size=400) | st.text(
    max_size=300
)
PROSE = " ".join(f"Sentence {n} says that the river measures itself against the weir." for n in range(2_000))


@given(TEXTS, st.integers(1, 60), COUNTS)
@settings(deadline=None, max_examples=200)
def test_parts_are_the_whole_text_and_none_has_too_many_tokens(text: str, most: int, count: Count) -> None:
    parts = split(text, most, count)
    assert "".join(parts) == text
    assert all(part for part in parts) or parts == [""]
    assert all(count(part) <= most or len(part) == 1 for part in parts)


@given(TEXTS, st.integers(1, 60), COUNTS)
@settings(deadline=None, max_examples=200)
def test_a_cut_text_is_the_beginning_and_has_no_more_than_it_may(text: str, most: int, count: Count) -> None:
    short = cut(text, most, count)
    assert text.startswith(short.text)
    assert count(short.text) <= most or len(short.text) == 1
    assert short.document_tokens == count(text)
    assert (short.cut_tokens > 0) == (short.text != text) == (count(text) > most)


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=8), min_size=1, max_size=200), st.integers(20, 80))
@settings(deadline=None)
def test_between_short_words_no_word_is_torn(words: list[str], most: int) -> None:
    text = " ".join(words)
    assert [word for part in split(text, most, len) for word in part.split()] == words


FAR = "This far back, no end counts. It is too much to give up, as "  # 61 characters


@pytest.mark.parametrize(
    "end",
    [
        "so the text goes. On and\n\n",
        "so the text goes. On and\r\n\r\n",
        "so the text goes, and on! ",
        "so the text goes, and on?) ",
        "so the text goes, and \u201con\u201d. ",
        "所以文字就这样继续下去一二三四五六七八。",
        "so the text goes,\nand on and ",
        "so.Itgoesandnoendisnearwithout ",
    ],
)
def test_it_ends_with_a_paragraph_or_sentence_if_one_is_near_else_with_a_word(end: str) -> None:
    most = len(FAR + end) + 6
    assert cut(FAR + end + "x" * 200, most, len).text == FAR + end


def test_text_without_any_end_is_cut_where_it_must_be() -> None:
    assert 96 <= len(cut("x" * 200, 100, len).text) <= 100


@pytest.mark.parametrize(
    "cluster",
    ["é", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "\ud83d\ude00", "\r\n", "क्षि", "각", "☺️", "1\ufe0f\u20e3"],
    ids=ascii,
)
@pytest.mark.parametrize("most", range(20, 31))
def test_what_is_drawn_as_one_character_is_not_torn(cluster: str, most: int) -> None:
    parts = split("x" * 7 + cluster * 40, most, len)
    assert len(parts) > 1
    assert all(not part.replace("x", "").replace(cluster, "") for part in parts)


def test_parts_are_of_about_the_same_size() -> None:
    tokens = [words(part) for part in split(PROSE, 4_000, words)]
    assert words(PROSE) == sum(tokens)
    assert len(tokens) == 6
    assert min(tokens) > 0.9 * max(tokens)


def test_a_text_that_fits_is_left_alone_and_counted_once() -> None:
    counted = Costs(len)
    assert split("abc", 3, counted) == ["abc"]
    assert cut("abc", 3, counted).text == "abc"
    assert split("", 1, counted) == [""]
    assert counted.calls == 3
    assert split("abc", 3, counted, tokens=3) == ["abc"]
    assert counted.calls == 3


class Costs:
    """Says how much a count was asked to count."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self.calls = 0
        self.chars = 0

    def __call__(self, text: str) -> int:
        self.calls += 1
        self.chars += len(text)
        return self._count(text)


def mixed(seed: int) -> str:
    """Stretches of very different density, in no order."""
    chance = random.Random(seed)
    units = [" ", "x", "\n", "word ", "漢字", "Sentence. ", "👩\u200d👧", "A\n\n"]
    return "".join(chance.choice(units) * chance.randint(1, 20_000) for _ in range(60))


HOSTILE = {
    "no blanks": "x" * 3_000_000,
    "newlines": "\n" * 3_000_000,
    "blanks": " " * 3_000_000,
    "full stops": "." * 3_000_000,
    "quotes": '."' * 1_500_000,
    "combining": "e" + "\u0301" * 3_000_000,
    "flags": "🇩" * 3_000_000,
    "joined": "👩\u200d" * 1_500_000,
    "one sentence": "word " * 600_000,
    "mixed": mixed(1),
    "mixed again": mixed(2),
    "light, then dense": " " * 1_500_000 + "x" * 1_500_000,
    "dense, then light": "x" * 1_500_000 + " " * 1_500_000,
}


def by_density(text: str) -> int:
    """As tokens are: many blanks are few, letters without blanks are many."""
    return (
        -(-text.count(" ") // 50)
        - (-text.count("\n") // 8)
        - (-text.count("x") // 2)
        + text.count(".")
        + text.isascii()
    )


@pytest.mark.parametrize("most", [500, 20_000])
@pytest.mark.parametrize("name", HOSTILE)
def test_few_counts_are_enough_for_any_text(name: str, most: int) -> None:
    text = HOSTILE[name]
    counted = Costs(by_density)
    parts = split(text, most, counted)
    assert "".join(parts) == text
    assert max(map(by_density, parts)) <= most
    assert counted.chars <= 8 * len(text)
    assert counted.calls <= 4 * len(parts) + 10
    counted = Costs(by_density)
    short = cut(text, most, counted)
    assert short.text == text or "mixed" in name or by_density(short.text) > 0.45 * most
    assert counted.chars <= 4 * len(text)
    assert counted.calls <= 12


def test_a_long_text_is_split_by_the_real_counter() -> None:
    count = TokenCounter("o200k_base").count
    text = PROSE * 6
    parts = split(text, 8_000, count)
    assert "".join(parts) == text
    assert max(map(count, parts)) <= 8_000
    assert all(part.endswith(". ") for part in parts[:-1])
