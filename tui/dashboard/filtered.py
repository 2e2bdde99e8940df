"""Styles as the app's line filters (NO_COLOR among them) want them, asked once a style and not once a row."""

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.dashboard.theme import Ground, Ink, Theme


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


class FilteredTheme(Theme):
    """A theme whose every style is filtered."""

    def __init__(self, theme: Theme, filtered: Callable[[Strip], Strip]) -> None:
        super().__init__()
        self.colour = theme.colour
        self.style = FilteredStyles(theme, filtered)  # type: ignore[assignment]
