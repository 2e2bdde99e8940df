"""A long text made to fit, cut or split where a reader would. Pure: who counts tokens is an argument.

Counting is what costs, so a place to cut is guessed from how many characters a token has so far, then counted once or
twice; never token by token. No count is trusted to be monotonic: a text that is handed out was itself counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tui.core.text_ends import natural_end

Count = Callable[[str], int]
"""Tokens of a text."""

_CUT_FILL = 0.96
"""A cut text is not worth another count once it uses this much of what it may."""
_SPLIT_FILL = 0.85
_PART_ROOM = 0.95
"""Parts aim below what they may have, so that most of them are right when first counted."""
_GUESSES = 8
"""After so many, halve."""
_MOST_GROWTH = 8
"""A guess grows no more than this at a time: counting far too long a text is what would cost."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The beginning of a text that has no more tokens than it may."""

    text: str
    cut_tokens: int
    """Of the whole text, less those that are kept; 0: nothing was cut."""
    document_tokens: int
    """Of the whole text."""


def cut(text: str, most_tokens: int, count: Count, tokens: int | None = None) -> Cut:
    """`text` up to `most_tokens`, to the end of a paragraph or sentence where one is near, else of a word.

    At least one character is kept, even if it alone has more tokens. `tokens`: of the whole text, for who has counted
    them already.
    """
    tokens = count(text) if tokens is None else tokens
    if tokens <= most_tokens or not text:
        return Cut(text, 0, tokens)
    end, kept = _reach(text, 0, most_tokens, most_tokens, _CUT_FILL, len(text) / tokens, count)
    return Cut(text[:end], max(1, tokens - kept), tokens)


def split(text: str, most_tokens: int, count: Count, tokens: int | None = None) -> list[str]:
    """`text` in parts of at most `most_tokens` and of about the same size, which joined are `text` again.

    They end where `cut` would end them; a single character that alone has more tokens is a part. `tokens`: as
    for `cut`.
    """
    tokens = count(text) if tokens is None else tokens
    if tokens <= most_tokens or not text:
        return [text]
    return list(_parts(text, most_tokens, count, tokens))


def _parts(text: str, most: int, count: Count, tokens: int) -> Iterator[str]:
    start, left, density = 0, tokens, len(text) / tokens
    parts = _parts_of(left, most)
    while start < len(text):
        if parts == 1:
            left = count(text[start:])
            if left <= most:
                yield text[start:]
                return
            parts = _parts_of(left, most)
        # At least half: what is left is an estimate, and may be too low for all the text that is still there.
        aim = max(1, most // 2, -(-left // parts))
        end, kept = _reach(text, start, most, aim, _SPLIT_FILL, density, count)
        yield text[start:end]
        density = (end - start) / max(1, kept)
        start, left = end, max(1, left - kept)
        parts = max(1, parts - 1, -(-left // most))


def _parts_of(tokens: int, most: int) -> int:
    return -(-tokens // max(1, int(most * _PART_ROOM)))


def _reach(text: str, start: int, most: int, aim: int, fill: float, density: float, count: Count) -> tuple[int, int]:
    """Where what begins at `start` should end, and the tokens that it has then: about `aim`, and never over `most`.

    `density`: characters a token, to begin with.
    """
    fits, over = start, len(text) + 1
    """Up to `fits` there is room; up to `over` there is not."""
    best, best_tokens = start, 0
    for guess in range(1, 64):
        wanted = start + max(1, int(aim * density * 0.98)) if guess <= _GUESSES else (fits + over) // 2
        raw = min(max(wanted, fits + 1), over - 1)
        if raw <= fits:
            break
        end = natural_end(text, start, raw)
        tokens = best_tokens if end == best else count(text[start:end])
        if tokens > most:
            over = end
            density = (end - start) / tokens
            continue
        if end > best:
            best, best_tokens = end, tokens
        fits = raw
        # The end of a sentence may lie well before `raw`: what matters is how far `raw` itself would have come.
        reached = tokens * (raw - start) / (end - start)
        if raw == len(text) or reached >= fill * aim or over - fits <= (fits - start) * (1 - fill):
            break
        density = (raw - start) * min(_MOST_GROWTH, aim / max(1.0, reached)) / aim
    if best == start:
        best = natural_end(text, start, start + 1)
        best_tokens = count(text[start:best])
    return best, best_tokens
