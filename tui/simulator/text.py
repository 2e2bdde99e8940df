"""Readable answers of an exact length, as the pieces a model would send. Pure: randomness is an argument."""

import itertools
import json
import random
import re
from functools import cache

from tui.simulator.prose import LISTS, SHORT, TOPICS, expand

Pieces = tuple[bytes, ...]
"""Pieces of text, each as the inside of a JSON string."""

SHORTEST = 10
"""The shortest closing sentence; there is one of every length from here to `Bank.longest`."""

_VARIANTS = 8
"""Sentences made of one template."""
_LIST_CHANCE = 0.25
_LONG_WORD = 11

_PIECE = re.compile(r"\s*(?:\w+|[^\w\s]+)")


def split(text: str) -> list[str]:
    """`text` in pieces like a tokenizer's: a word with the blank before it, punctuation by itself.

    Joined again they are `text`, unless it ends in white space.
    """
    pieces = []
    for piece in _PIECE.findall(text):
        if len(piece) > _LONG_WORD:
            pieces += [piece[:7], piece[7:]]
        else:
            pieces.append(piece)
    return pieces


def escaped(piece: str) -> bytes:
    """`piece` as the inside of a JSON string."""
    return json.dumps(piece, ensure_ascii=False)[1:-1].encode()


class Bank:
    """Every sentence and list, ready to be sent. Sentences begin with a blank, as inside a paragraph."""

    def __init__(self) -> None:
        self.topics: list[list[list[Pieces]]] = [
            [[_encoded(" " + text) for text in expand(template, _VARIANTS)] for template in topic] for topic in TOPICS
        ]
        self.of_length: dict[int, list[Pieces]] = {}
        for sentence in (s for topic in self.topics for variants in topic for s in variants):
            self.of_length.setdefault(len(sentence), []).append(sentence)
        self.longest = SHORTEST
        """Up to here there is a sentence of every length."""
        while self.longest + 1 in self.of_length:
            self.longest += 1
        self.lists: list[Pieces] = [
            _ended(
                _ended(_encoded(introduction), b"\\n\\n")
                + tuple(
                    piece
                    for number, item in enumerate(items, start=1)
                    for piece in _ended(_encoded(mark.replace("1", str(number)) + item), b"\\n")
                ),
                b"\\n",
            )
            for introduction, mark, items in LISTS
        ]
        self.short: list[list[Pieces]] = [
            [tuple(map(escaped, re.findall(r"\s*\S+", text))) for text in texts] for texts in SHORT
        ]


@cache
def bank() -> Bank:
    """The sentences; takes some milliseconds the first time."""
    return Bank()


def prose_pieces(rng: random.Random, tokens: int) -> list[bytes]:
    """An answer of exactly `tokens` pieces that ends where a sentence ends, each as the inside of a JSON string."""
    known = bank()
    if tokens < SHORTEST:
        return list(rng.choice(known.short[tokens - 1]))
    answer: list[bytes] = []
    topics = itertools.cycle(rng.sample(known.topics, len(known.topics)))
    # Whatever is left after a block is long enough for a closing sentence, so the last one fits exactly.
    while (left := tokens - len(answer)) > known.longest:
        if answer and rng.random() < _LIST_CHANCE:
            drawn = rng.choice(known.lists)
            answer += drawn if len(drawn) <= left - SHORTEST else ()
        else:
            answer += _paragraph(rng, next(topics), left - SHORTEST)
    answer += _opening(rng.choice(known.of_length[left]))
    return answer


def _paragraph(rng: random.Random, topic: list[list[Pieces]], most: int) -> list[bytes]:
    """Three to six sentences on one topic, at most `most` pieces, ended by a blank line; empty when none fits."""
    paragraph: list[bytes] = []
    for variants in rng.sample(topic, rng.randint(3, 6)):
        sentence = rng.choice(variants)
        if len(paragraph) + len(sentence) > most:
            break
        paragraph += sentence if paragraph else _opening(sentence)
    return list(_ended(tuple(paragraph), b"\\n\\n")) if paragraph else []


def _encoded(text: str) -> Pieces:
    return tuple(map(escaped, split(text)))


def _opening(sentence: Pieces) -> Pieces:
    """A sentence as it stands at the start of a paragraph."""
    return (sentence[0].removeprefix(b" "), *sentence[1:])


def _ended(pieces: Pieces, end: bytes) -> Pieces:
    """`pieces` with `end` glued to the last one, as tokenizers glue line breaks to a full stop."""
    return (*pieces[:-1], pieces[-1] + end)
