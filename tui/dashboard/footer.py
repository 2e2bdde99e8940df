"""The last row: what happened to a key press, else the keys themselves, and where the window stands."""

from textual.strip import Strip

from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import crop, plain_line
from tui.dashboard.rows import Rows
from tui.dashboard.theme import Ink, Theme

Hint = tuple[str, str]
"""A key as it is printed, and what it does in a word."""


def footer_row(hints: list[Hint], note: tuple[str, Ink] | None, where: str, width: int, theme: Theme) -> Strip:
    """A row of `width` cells: the note if there is one, else as many whole hints as fit, then `where`."""
    style = theme.style
    row = Row(width, style("text", "bar")).put(" ")
    right: list[Piece] = [(f" {where} ", style("dim", "bar"))] if where else []
    room = row.room - width_of(right)
    if note is not None:
        text, ink = note
        row.put(crop(plain_line(text), room), style(ink, "bar", True))
    else:
        for key, word in hints:
            pieces: list[Piece] = [(f"{key} ", style("accent", "bar", True)), (f"{word}  ", style("soft", "bar"))]
            if width_of(pieces) > room:
                break
            row.pieces(pieces)
            room -= width_of(pieces)
    return row.right(right).strip()


class Footer(Rows):
    """Shows `footer_row`."""

    def draw(self, hints: list[Hint], note: tuple[str, Ink] | None, where: str) -> None:
        """Show a note or the hints."""
        self.show([footer_row(hints, note, where, self.size.width, self.theme_now)])
