"""Where a text may be cut so that a reader minds least. Looks at a bounded stretch of it; knows no tokens."""

import re
import unicodedata

_NEAR = 0.15
"""How much of a piece may be given up for the end of a paragraph or sentence."""
_WINDOW = 20_000
"""Characters that are looked through at most, so that a place is found in bounded time in any text."""
_WORD_WINDOW = 2_000
_SHORT = 200
"""In so few characters any word's end will do."""
_CLUSTER_WINDOW = 64
_FLAGS_WINDOW = 1_000
_VIRAMA = 9
"""The combining class of what joins two consonants in Indic scripts."""

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|[。！？][”’」』）]*\s*")
_PARAGRAPH_ENDS = ("\n\n", "\n\r\n", "\u2029")
_BLANKS = (" ", "\n", "\t", "\u3000")
_JOINER = "\u200d"


def natural_end(text: str, start: int, end: int) -> int:
    """The best place in `text[start:end]` to end a piece that begins at `start`, after `start` and up to `end`.

    A paragraph's end, else a sentence's, within the last 15 %; else a word's within the last half (2,000 characters at
    most, or all of 200); else wherever no character is torn that is written as several. The text's own end is as good.
    """
    if end >= len(text):
        return len(text)
    length = end - start
    near = max(start, end - min(int(length * _NEAR), _WINDOW))
    word_near = max(start, end - min(max(length // 2, _SHORT), _WORD_WINDOW))
    for place in (
        _last_end(text, near, end, _PARAGRAPH_ENDS),
        _sentence_end(text, near, end),
        _last_end(text, word_near, end, _BLANKS),
    ):
        if place > start and _whole(text, place):
            return place
    place = end
    while place > max(start, end - _CLUSTER_WINDOW):
        if _whole(text, place):
            return place
        place -= 1
    return end


def _last_end(text: str, first: int, end: int, ends: tuple[str, ...]) -> int:
    """Behind the last of `ends` that begins at `first` or later and is over by `end`; -1 when there is none."""
    # One that began before `first` may be over after it: then it ends near enough.
    places = [(text.rfind(each, max(0, first - len(each) + 1), end), len(each)) for each in ends]
    return max((at + size for at, size in places if at >= 0), default=-1)


def _sentence_end(text: str, first: int, end: int) -> int:
    place = -1
    for match in _SENTENCE_END.finditer(text, first, end):
        place = match.end()
    return place


def _whole(text: str, at: int) -> bool:
    """Whether nothing that is drawn as one character spans `at`. No full segmentation: the common ways to join."""
    before, after = text[at - 1], text[at]
    if after < "\u0300" and before < "\u0300":
        return not (before == "\r" and after == "\n")
    if before == _JOINER or unicodedata.combining(before) == _VIRAMA or _joins_the_one_before(after):
        return False
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return False
    return not (_is_flag_letter(after) and _flag_letters_before(text, at) % 2)


def _joins_the_one_before(character: str) -> bool:
    return (
        "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\u1160" <= character <= "\u11ff"  # vowels and final consonants of Hangul
        or unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"}
    )


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_letters_before(text: str, at: int) -> int:
    first = at
    while first > max(0, at - _FLAGS_WINDOW) and _is_flag_letter(text[first - 1]):
        first -= 1
    return at - first
