"""Builds one row of cells out of pieces of plain text. Knows nothing of what the row says."""

from typing import Self

from rich.segment import ControlType, Segment
from rich.style import Style
from textual.strip import Strip

from tui.dashboard.plain import cells, fitting

Piece = tuple[str, Style]


class Row:
    """A row of exactly `width` cells, filled from the left; what does not fit is left off."""

    def __init__(self, width: int, base: Style) -> None:
        self.width = max(0, width)
        self.base = base
        self.used = 0
        self._segments: list[Segment] = []

    @property
    def room(self) -> int:
        """Cells that are still free."""
        return self.width - self.used

    def put(self, text: str, style: Style | None = None) -> Self:
        """Add plain `text`."""
        size = cells(text)
        if size > self.room:
            text = text[: fitting(text, self.room)]
            size = cells(text)
        if text:
            self._segments.append(Segment(text, self.base if style is None else style))
            self.used += size
        return self

    def pieces(self, pieces: list[Piece]) -> Self:
        """Add several pieces."""
        for text, style in pieces:
            self.put(text, style)
        return self

    def to(self, column: int, fill: str = " ", style: Style | None = None) -> Self:
        """Fill up to `column`."""
        return self.put(fill * max(0, column - self.used), style)

    def right(self, pieces: list[Piece]) -> Self:
        """Fill up and put `pieces` at the row's end, when there is room for all of them."""
        size = width_of(pieces)
        if size <= self.room:
            self.to(self.width - size).pieces(pieces)
        return self

    def strip(self) -> Strip:
        """The row, filled to its width."""
        self.to(self.width)
        return Strip(self._segments, self.width)


def width_of(pieces: list[Piece]) -> int:
    """Cells that `pieces` take."""
    return sum(cells(text) for text, _ in pieces)


def column_mark(column: int) -> Strip:
    """Moves the terminal's cursor to `column` (from 0) of its row; takes no cells.

    Ours to send: it keeps a character that the terminal draws wider or narrower than we think from pushing
    what stands to its right.
    """
    return Strip([Segment(f"\x1b[{column + 1}G", None, [(ControlType.CURSOR_MOVE_TO_COLUMN, column)])], 0)
