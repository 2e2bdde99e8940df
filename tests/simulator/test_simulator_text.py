import json
import random
import re

import pytest

from tui.simulator.prose import LISTS, SHORT, TOPICS, expand
from tui.simulator.text import SHORTEST, bank, prose_pieces, split


def told(pieces):
    return json.loads(b'"' + b"".join(pieces) + b'"')


def test_an_answer_has_exactly_the_tokens_that_were_asked_for():
    for tokens in (*range(1, 90), 500, 5000):
        for seed in range(8):
            assert len(prose_pieces(random.Random(seed), tokens)) == tokens


def test_an_answer_ends_where_a_sentence_ends():
    for seed in range(200):
        assert told(prose_pieces(random.Random(seed), 60 + seed))[-1] in ".☕❄🌅🐟"


def test_an_answer_has_no_torn_or_empty_pieces():
    for seed in range(50):
        for piece in prose_pieces(random.Random(seed), 200):
            assert told([piece])


def test_the_same_seed_tells_the_same():
    assert prose_pieces(random.Random(7), 300) == prose_pieces(random.Random(7), 300)
    assert prose_pieces(random.Random(7), 300) != prose_pieces(random.Random(8), 300)


def test_there_are_several_hundred_sentences():
    sentences = {told(s) for topic in bank().topics for variants in topic for s in variants}
    assert len(sentences) > 600


def test_there_is_a_closing_sentence_of_every_length():
    assert all(bank().of_length.get(length) for length in range(SHORTEST, bank().longest + 1))
    assert bank().longest >= 2 * SHORTEST


def test_short_answers_have_as_many_words_as_their_place_says():
    assert len(SHORT) == SHORTEST - 1
    for length, texts in enumerate(SHORT, start=1):
        assert [len(text.split()) for text in texts] == [length] * len(texts)


def test_a_list_counts_its_items():
    numbered = next(told(pieces) for pieces in bank().lists if b"1" in b"".join(pieces))
    assert re.findall(r"^(\d)\. ", numbered, re.MULTILINE)[:3] == ["1", "2", "3"]


@pytest.mark.parametrize("template", [t for topic in TOPICS for t in topic])
def test_every_template_reads_as_one_sentence(template):
    for sentence in expand(template, 8):
        assert re.fullmatch(r"[A-Z][^{}|]*[.☕❄🌅🐟]", sentence)
        assert "  " not in sentence
        assert "".join(split(sentence)) == sentence


def test_lists_have_an_introduction_and_items():
    for introduction, _, items in LISTS:
        assert introduction.endswith((":", "ask:"))
        assert len(items) >= 3
