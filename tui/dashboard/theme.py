"""The one palette: inks on grounds, and how each state of a call looks. Holds no widget and no number.

Colour never carries a meaning alone: every state has a glyph and a word, and without colour (NO_COLOR) bold,
dim and reverse take its place.
"""

from functools import cache
from typing import Literal, NamedTuple

from rich.style import Style

from tui.core.calls import State

Ink = Literal["bright", "text", "soft", "dim", "faint", "accent", "amber", "violet", "green", "red", "blue", "grey"]
Ground = Literal["page", "bar", "panel", "title", "focus", "dialog"]

INKS: dict[Ink, str] = {
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
GROUNDS: dict[Ground, str] = {
    "page": "#090e16",
    "bar": "#0d1520",
    "panel": "#0f1824",
    "title": "#172434",
    "focus": "#1c4a58",
    "dialog": "#16212f",
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
    """Styles by name. Two exist: `COLOUR` and `PLAIN`, which sets no colour at all."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    @cache  # noqa: B019 - two themes exist and live as long as the process
    def style(self, ink: Ink, ground: Ground = "page", bold: bool = False) -> Style:
        """The style of `ink` on `ground`; always the same object for the same names."""
        if self.colour:
            return Style(color=INKS[ink], bgcolor=GROUNDS[ground], bold=bold or None)
        if ground == "focus":
            return Style(reverse=True, bold=True)
        words = "bold" if bold else _PLAIN_INKS.get(ink, "")
        # Without shades an underline is what parts a pane from the one above it.
        return Style.parse(words) + Style(underline=ground == "title" or None)

    @property
    def edge(self) -> str:
        """The left edge of a pane: one cell."""
        return "▌" if self.colour else "│"


COLOUR = Theme(True)
PLAIN = Theme(False)
