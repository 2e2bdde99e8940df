"""Breaks a growing text into rows, doing work for what is new only. Draws nothing.

Greedy: a row is closed when the next character no longer fits, at its last blank if it has one. That depends
only on what came before, so feeding a text piece by piece gives the same rows as feeding it whole.
"""

from collections import deque

from tui.dashboard.plain import fitting, plain

_BLOCK = 1024
"""Characters fed at a time, so that one long text is not copied again for each of its rows."""

_PILE = 4
"""Characters a cell may hold: a row of endless combining marks is closed by count."""


class Wrap:
    """The rows of one text at one width (2 cells or more); closed rows never change."""

    def __init__(self, width: int, keep: int | None = None) -> None:
        self.width = max(2, width)
        self.closed: deque[str] = deque(maxlen=keep)
        """Finished rows, oldest first; only the last `keep` when that is given."""
        self.open = ""
        """The row that still grows."""
        self._after_break = False
        """The open row continues a closed one and is empty: blanks at its start are not drawn."""

    def feed(self, text: str) -> None:
        """Add `text` (any text; it is made plain here) to the end."""
        for start in range(0, len(text), _BLOCK):
            first, *others = plain(text[start : start + _BLOCK]).split("\n")
            self._extend(first)
            for piece in others:
                self.closed.append(self.open)
                self.open = ""
                self._after_break = False
                self._extend(piece)

    def last(self, count: int) -> list[str]:
        """The last `count` rows, the open one included (unless it is empty)."""
        rows = list(self.closed)
        if self.open:
            rows.append(self.open)
        return rows[-count:] if count > 0 else []

    def _extend(self, piece: str) -> None:
        if self._after_break:
            piece = piece.lstrip(" ")
            if not piece:
                return
            self._after_break = False
        row = self.open + piece
        while (cut := self._overflow(row)) is not None:
            blank = row.rfind(" ", 0, cut + 1)
            if blank > 0 and row[:blank].strip(" "):
                self.closed.append(row[:blank].rstrip(" "))
                row = row[blank:].lstrip(" ")
            else:
                self.closed.append(row[:cut])
                row = row[cut:].lstrip(" ")
            self._after_break = not row
        self.open = row

    def _overflow(self, row: str) -> int | None:
        """Index of the first character of `row` that does not fit; None when all do."""
        if row.isascii():
            return self.width if len(row) > self.width else None
        fits = fitting(row[: self.width * _PILE + 1], self.width)
        fits = min(fits, self.width * _PILE)
        return fits if fits < len(row) else None


class Tail:
    """Follows a text of which only the end is known: `show` wraps what is new since the last time."""

    def __init__(self, width: int, keep: int | None = None) -> None:
        self.wrap = Wrap(width, keep)
        self._width = width
        self._keep = keep
        self._of: object = None
        self._seen = 0

    def show(self, of: object, text: str, text_end: int) -> bool:
        """Take in `text`, the slice that ends at character `text_end` of the text that `of` names.

        True when rows changed. Starts afresh for another `of`, for a text that restarted, and when more
        came since than `text` holds.
        """
        new = text_end - self._seen
        if of == self._of and new == 0:
            return False
        if of != self._of or not 0 <= new <= len(text):
            self.wrap = Wrap(self._width, self._keep)
            self._of = of
            new = len(text)
        self._seen = text_end
        self.wrap.feed(text[len(text) - new :])
        return True
