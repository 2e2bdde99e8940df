"""What the pages of an open call have in common: rows of a given width, made when they are looked at.

A page knows neither its widget nor where it is scrolled to.
"""

from textual.strip import Strip

from tui.dashboard.paint import Row
from tui.dashboard.plain import plain
from tui.dashboard.theme import COLOUR, Ink, Theme
from tui.dashboard.wrap import Wrap

MARGIN = 2
_MOST_TEXT_WIDTH = 120
"""Longer rows are hard to read."""


class Page:
    """Rows that can be scrolled."""

    follows = False
    """Its end is what one wants to see while the call runs."""

    def __init__(self) -> None:
        self.width = 0
        self.theme: Theme = COLOUR
        self.note: str | None = None
        """What has to be said about all of the page, on one line."""

    @property
    def text_width(self) -> int:
        """Cells of a row that text may take."""
        return max(2, min(_MOST_TEXT_WIDTH, self.width - 2 * MARGIN - 1))

    def fit(self, width: int, theme: Theme) -> None:
        """Make rows of `width` cells in these colours from now on."""
        if (width, theme) != (self.width, self.theme):
            self.width, self.theme = width, theme
            self.refit()

    def refit(self) -> None:
        """Width or colours are others: drop what was made for those before; `update` comes next."""
        raise NotImplementedError

    @property
    def length(self) -> int:
        """Rows in all."""
        raise NotImplementedError

    def rows(self, first: int, count: int) -> list[Strip]:
        """At most `count` rows from number `first` on."""
        raise NotImplementedError


class ListedPage(Page):
    """A page whose rows are all made at once, and again only when what it says has changed."""

    def __init__(self) -> None:
        super().__init__()
        self._said: object = None
        self._rows: list[Strip] = []

    def refit(self) -> None:
        self._said = None

    @property
    def length(self) -> int:
        return len(self._rows)

    def rows(self, first: int, count: int) -> list[Strip]:
        return self._rows[first : first + count]


class WordsPage(ListedPage):
    """A text that does not grow: the prompt, the request."""

    def update(self, text: str, ink: Ink = "text") -> None:
        """Show `text` (any text; it is made plain here)."""
        if self._said == (text, ink):
            return
        self._said = (text, ink)
        wrap = Wrap(self.text_width)
        wrap.feed(text)
        self._rows = [text_row(line, ink, self.width, self.theme) for line in (*wrap.closed, wrap.open)]


def text_row(line: str, ink: Ink, width: int, theme: Theme) -> Strip:
    """A plain line behind the margin."""
    return Row(width, theme.style("text")).put(" " * MARGIN).put(line, theme.style(ink)).strip()


def wrapped(text: str, width: int, most: int | None = None) -> list[str]:
    """The rows of a text, made plain; the last of `most` says with an ellipsis that there is more."""
    wrap = Wrap(max(2, width))
    wrap.feed(plain(text))
    lines = wrap.last(len(wrap.closed) + 1)
    if most is not None and len(lines) > most:
        lines = lines[:most]
        last = lines[-1]
        lines[-1] = f"{last[: max(0, width - 1)]}…" if len(last) >= width else f"{last}…"
    return lines
