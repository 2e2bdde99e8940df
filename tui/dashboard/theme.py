"""The palettes: inks on grounds, and how each state of a call looks. Holds no widget and no number.

Colour never carries a meaning alone: every state has a glyph and a word, and without colour (NO_COLOR) bold,
dim and reverse take its place.
"""

from functools import cache
from typing import Literal, NamedTuple, Protocol

from rich.style import Style

from tui.core.calls import State

Ink = Literal["bright", "text", "soft", "dim", "faint", "accent", "amber", "violet", "green", "red", "blue", "grey"]
Ground = Literal["page", "bar", "panel", "title", "focus", "dialog"]

DARK_INKS: dict[Ink, str] = {
    "bright": "#eef4fb",
    "text": "#c3cedb",
    "soft": "#93a1b3",
    "dim": "#66758a",
    "faint": "#334156",
    "accent": "#4cd3dc",
    "amber": "#e9b65c",
    "violet": "#b598f5",
    "green": "#6fcf97",
    "red": "#f2736c",
    "blue": "#6f9fd8",
    "grey": "#7d8794",
}
DARK_GROUNDS: dict[Ground, str] = {
    "page": "#090e16",
    "bar": "#0d1520",
    "panel": "#0f1824",
    "title": "#172434",
    "focus": "#1c4a58",
    "dialog": "#16212f",
}

LIGHT_INKS: dict[Ink, str] = {
    "bright": "#0b1523",
    "text": "#243140",
    "soft": "#47576a",
    "dim": "#66768a",
    "faint": "#bcc8d5",
    "accent": "#067783",
    "amber": "#935c00",
    "violet": "#6a43c4",
    "green": "#1a7a43",
    "red": "#c0322a",
    "blue": "#2a62b2",
    "grey": "#6d7784",
}
LIGHT_GROUNDS: dict[Ground, str] = {
    "page": "#f7f9fc",
    "bar": "#e9eff6",
    "panel": "#ffffff",
    "title": "#d8e2ed",
    "focus": "#b3dfe6",
    "dialog": "#e1e9f2",
}

_PLAIN_INKS: dict[Ink, str] = {
    "bright": "bold",
    "accent": "bold",
    "red": "bold",
    "amber": "bold",
    "violet": "bold",
    "dim": "dim",
    "faint": "dim",
    "grey": "dim",
}


class Palette(Protocol):
    """Styles by name, as `Theme.style` gives them."""

    def __call__(self, ink: Ink, ground: Ground = "page", bold: bool = False, /) -> Style: ...


class Mark(NamedTuple):
    """How a state looks: one cell of glyph, a word, an ink."""

    glyph: str
    word: str
    ink: Ink


MARKS: dict[State, Mark] = {
    State.QUEUED: Mark("○", "queued", "blue"),
    State.WAITING: Mark("◔", "waiting", "amber"),
    State.CONNECTING: Mark("◌", "connecting", "blue"),
    State.STREAMING: Mark("●", "streaming", "accent"),
    State.BACKING_OFF: Mark("↻", "backing off", "violet"),
    State.DONE: Mark("✓", "done", "green"),
    State.FAILED: Mark("✗", "failed", "red"),
    State.BROKEN: Mark("◐", "broken", "red"),
    State.CANCELLED: Mark("⊘", "cancelled", "grey"),
    State.REFUSED: Mark("⊝", "refused", "grey"),
}


class Theme:
    """Styles by name. Three exist: `COLOUR` (dark), `LIGHT`, and `PLAIN`, which sets no colour at all."""

    def __init__(self, inks: dict[Ink, str] | None = None, grounds: dict[Ground, str] | None = None) -> None:
        self._inks = inks
        self._grounds = grounds
        self.colour = inks is not None

    @cache  # noqa: B019 - three themes exist and live as long as the process
    def style(self, ink: Ink, ground: Ground = "page", bold: bool = False) -> Style:
        """The style of `ink` on `ground`; always the same object for the same names."""
        if self._inks is not None and self._grounds is not None:
            return Style(color=self._inks[ink], bgcolor=self._grounds[ground], bold=bold or None)
        if ground == "focus":
            return Style(reverse=True, bold=True)
        words = "bold" if bold else _PLAIN_INKS.get(ink, "")
        # Without shades an underline is what parts a pane from the one above it.
        return Style.parse(words) + Style(underline=ground == "title" or None)

    @property
    def edge(self) -> str:
        """The left edge of a pane: one cell."""
        return "▌" if self.colour else "│"


COLOUR = Theme(DARK_INKS, DARK_GROUNDS)
LIGHT = Theme(LIGHT_INKS, LIGHT_GROUNDS)
PLAIN = Theme()
