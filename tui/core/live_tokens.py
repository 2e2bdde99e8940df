"""How many tokens a text has while it is still arriving. Counts only when asked; keeps no finished text.

Counting piece by piece overcounts by 25 to 374 % when pieces are not tokens. So what is complete is counted
once, and the tail after the last safe cut is counted again with what follows. Exact to about 1 %; the figure
that is kept at the end comes from the whole text (files/token_counter.py).
"""

from collections.abc import Callable

CHARS_A_TOKEN = 4
"""English prose in the encodings of today: the rule where there is nothing to count with."""
MAX_TAIL = 2_000
"""A tail this long (text without blanks: base64, Chinese) is cut anyway, at a cost of a token at most."""


def estimated_tokens(chars: int) -> int:
    """Tokens of a text of so many characters, when nothing can count them."""
    return -(-chars // CHARS_A_TOKEN)


def last_cut(text: str, limit: int) -> int:
    """The last place in `text[:limit]` that no token spans; 0 when none is near.

    It is before a single blank between two words: a word's token takes the blank in front of it along, and
    nothing takes one behind it. Looked for in the last `MAX_TAIL` characters, so that it is cheap in any text.
    """
    first = max(1, limit - MAX_TAIL)
    at = text.rfind(" ", first, limit)
    while at > 0:
        after = text[at + 1 : at + 2]
        if after and not after.isspace() and not text[at - 1].isspace():
            return at
        at = text.rfind(" ", first, at)
    return 0


class LiveTokens:
    """Tokens of one growing text. `feed` is cheap; `tokens` costs what came since it was last asked."""

    __slots__ = ("_chars", "_count", "_counted", "_pieces", "_tail_tokens")

    def __init__(self, count: Callable[[str], int] | None) -> None:
        self._count = count
        """Tokens of a text; None: the rule of four characters a token."""
        self._chars = 0
        self._pieces: list[str] = []
        """The tail."""
        self._counted = 0
        """Tokens of all that stands before the tail."""
        self._tail_tokens: int | None = 0
        """Tokens of the tail; None: not counted since the last piece came."""

    def feed(self, text: str) -> None:
        """More of the text."""
        if not text:
            return
        self._chars += len(text)
        if self._count is not None:
            self._pieces.append(text)
            self._tail_tokens = None

    def tokens(self) -> int:
        """Tokens so far."""
        if self._count is None:
            return estimated_tokens(self._chars)
        if self._tail_tokens is None:
            text = "".join(self._pieces)
            cut = last_cut(text, len(text))
            if len(text) - cut > MAX_TAIL:
                cut = len(text)
            if cut:
                self._counted += self._count(text[:cut])
                text = text[cut:]
            self._pieces = [text] if text else []
            self._tail_tokens = self._count(text) if text else 0
        return self._counted + self._tail_tokens
