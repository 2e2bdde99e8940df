"""What lists of calls share besides their rows: styles that are filtered once, and words where there is no row."""

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.core.snapshot import Snapshot
from tui.dashboard.paint import Row
from tui.dashboard.plain import cells, crop, plain_line
from tui.dashboard.theme import Ground, Ink, Palette, Theme

GROUND: Ground = "panel"


class FilteredStyles:
    """A theme's styles as the app's line filters (NO_COLOR among them) want them.

    Filters look at a segment's style and never at its text, so that they may be asked once a style: once a row costs
    as much as to make the row.
    """

    def __init__(self, theme: Theme, filtered: Callable[[Strip], Strip]) -> None:
        self._theme = theme
        self._filtered = filtered
        self._made: dict[tuple[Ink, Ground, bool], Style] = {}

    def __call__(self, ink: Ink, ground: Ground = "page", bold: bool = False, /) -> Style:
        style = self._made.get((ink, ground, bold))
        if style is None:
            strip = self._filtered(Strip([Segment(" ", self._theme.style(ink, ground, bold))], 1))
            style = self._made[ink, ground, bold] = next(iter(strip)).style or Style()
        return style


def error_row(error: str, width: int, style: Palette) -> Strip:
    """Why the filter cannot be read."""
    row = Row(width, style("text", GROUND)).put(" ▲ ", style("amber", GROUND, True))
    return row.put(crop(plain_line(error), row.room - 1), style("amber", GROUND)).strip()


def empty_words(snapshot: Snapshot) -> list[str]:
    """Why there is no row: lines, the last of which may be left out."""
    if snapshot.watch.query and snapshot.query_error is None and snapshot.calls:
        return [f"no call passes the filter {plain_line(snapshot.watch.query)}", "Esc clears it"]
    return ["no calls" if snapshot.run.phase == "finished" else "no calls yet"]


def empty_rows(words: list[str], width: int, height: int, style: Palette) -> list[Strip]:
    """`height` rows with `words` in their middle, a little above it."""
    inks: tuple[Ink, ...] = ("soft", "dim")
    top = max(0, (height - len(words)) * 2 // 5)
    rows = []
    for y in range(height):
        row = Row(width, style("text", GROUND))
        if 0 <= y - top < len(words):
            line = crop(words[y - top], width - 2)
            row.to((width - cells(line)) // 2).put(line, style(inks[min(y - top, 1)], GROUND))
        rows.append(row.strip())
    return rows
