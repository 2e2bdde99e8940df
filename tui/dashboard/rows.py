"""A widget that shows rows which others made, and repaints only those that changed.

Measured in Textual 8.2 at 120x40 with 16 streams: one widget of cached rows costs 1.5 to 2.8 ms a frame (p99),
a widget per stream 10 to 26 ms.
"""

from collections.abc import Sequence

from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.dashboard.theme import COLOUR, DARK_GROUNDS, LIGHT, PLAIN, Theme

_BEHIND = Color.parse(DARK_GROUNDS["page"])
"""What filters blend towards; every segment of ours has a ground of its own. Textual's own answer,
`background_colors`, takes 38 µs a call, half of a frame when asked for each strip.
"""


class Rows(Widget):
    """Shows a list of strips from the top. Draws nothing else: no box, no border, no selection."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Rows { width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[Strip] = []

    @property
    def theme_now(self) -> Theme:
        """Dark or light, or no colours if the person asked for none."""
        app = self.app
        if app.no_color:
            return PLAIN
        return COLOUR if app.current_theme.dark else LIGHT

    def show(self, rows: list[Strip]) -> None:
        """Replace the rows; those that are the same object as before, or say the same, are not painted."""
        before = self._rows
        self._rows = rows
        if len(before) != len(rows):
            self.refresh()
            return
        width = self.size.width
        changed = [
            Region(0, y, width, 1)
            for y, (new, old) in enumerate(zip(rows, before, strict=True))
            if new is not old and new != old
        ]
        if changed:
            self.refresh(*changed)

    def filtered(self, strip: Strip, filters: Sequence[LineFilter]) -> Strip:
        """`strip` as the app's line `filters` (NO_COLOR among them) want it; cached in the strip."""
        for line_filter in filters:
            strip = strip.apply_filter(line_filter, _BEHIND)
        return strip

    def finished(self, strip: Strip, filters: Sequence[LineFilter]) -> Strip:
        """What is handed to the terminal for a row."""
        return self.filtered(strip, filters)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Textual's question for rows; it may come before the first Resize and for more rows than there are."""
        blank = self.theme_now.style("text", "page")
        filters = self.get_line_filters()
        lines: list[Strip] = []
        for y in range(crop.y, crop.bottom):
            if y < len(self._rows):
                strip = self.finished(self._rows[y], filters)
            else:
                strip = self.filtered(Strip.blank(self.size.width, blank), filters)
            if strip.cell_length != crop.width:
                # A window that was resized, and rows of the size before: Textual takes column marks for text when it
                # crops, so that it cut the row short (86 of 90 cells) or a mark in two.
                text = Strip([segment for segment in strip if not segment.control], strip.cell_length)
                strip = text.crop_extend(crop.x, crop.right, blank)
            lines.append(strip)
        return lines
