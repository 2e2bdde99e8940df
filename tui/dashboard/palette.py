"""Every action that holds at this moment, found by a few letters of what it does. Answers with the one that was taken.

Not Textual's own palette: that reads key names such as `[` as markup, sorts by the alphabet and waits a quarter of a
second before it shows anything.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widgets import Input

from tui.dashboard.dialogs import Box, Dialog, dialog_row
from tui.dashboard.input_line import OneLineInput
from tui.dashboard.keys import Key, KeyGroup
from tui.dashboard.paint import Row
from tui.dashboard.plain import cells, crop
from tui.dashboard.theme import Ground, Theme

_MOST_WIDTH = 64
_MOST_ROWS = 16
_ROOMY = 12
"""Rows of a screen from which on there is a foot, and some space."""


def matching(groups: Sequence[KeyGroup], typed: str) -> list[Key]:
    """The actions in whose words each word that was typed occurs; those that begin with it come first."""
    wanted = typed.lower().split()
    found: list[tuple[int, Key]] = []
    for group in groups:
        for key in group.keys:
            text = f"{key.words} {group.title}".lower()
            if key.shown == typed.strip():
                found.append((-1, key))
            elif all(word in text for word in wanted):
                found.append((0 if wanted and text.startswith(wanted[0]) else 1, key))
    return [key for _, key in sorted(found, key=lambda each: each[0])]


def palette_rows(found: Sequence[Key], chosen: int, first: int, height: int, width: int, theme: Theme) -> list[Strip]:
    """At most `height` of the actions from number `first` on, one of them lit; never fewer rows than one."""
    style = theme.style
    if not found:
        return [dialog_row(width, theme).put("nothing is called that", style("dim", "dialog")).strip()]
    widest = max(cells(key.shown) for key in found)
    rows: list[Row] = []
    for index, key in enumerate(found[first : first + height], start=first):
        lit = index == chosen
        ground: Ground = "focus" if lit else "dialog"
        row = Row(width, style("text", ground)).put("❯ " if lit else "  ", style("accent", ground, True))
        words = crop(key.words, row.room - widest - 3)
        row.put(words, style("bright" if lit else "text", ground))
        rows.append(row.right([(key.shown.rjust(widest) + "  ", style("accent", ground, True))]))
    return [row.strip() for row in rows]


class PaletteDialog(Dialog[Key]):
    """A line to type in and the actions below it."""

    DEFAULT_CSS = """
    PaletteDialog { align: center top; layers: default typing; }
    PaletteDialog Input { layer: typing; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "close", "close"),
        Binding("up,shift+tab", "choose(-1)", "up"),
        Binding("down,tab", "choose(1)", "down"),
        Binding("pageup", "choose(-10)", "up"),
        Binding("pagedown", "choose(10)", "down"),
    ]

    def __init__(self, groups: Sequence[KeyGroup]) -> None:
        super().__init__()
        self._groups = groups
        self._found = matching(groups, "")
        self._chosen = 0
        self._first = 0

    def compose(self) -> ComposeResult:
        yield Box()
        yield OneLineInput(placeholder="what to do", select_on_focus=False)

    def on_mount(self) -> None:
        self.query_one(OneLineInput).focus()
        self.paint()

    def rows(self, width: int, height: int, theme: Theme) -> list[Strip]:
        width = min(width, _MOST_WIDTH)
        roomy = height >= _ROOMY
        room = max(1, min(_MOST_ROWS, height - (8 if roomy else 1)))
        self._first = max(self._chosen - room + 1, min(self._first, self._chosen))
        blank = dialog_row(width, theme).strip()
        rows = palette_rows(self._found, self._chosen, self._first, room, width, theme)
        if not roomy:
            return [blank, *rows]
        dim = theme.style("dim", "dialog")
        last = min(len(self._found), self._first + room)
        place = f"{self._first + 1}–{last} of {len(self._found)}  " if self._found else ""
        foot = dialog_row(width, theme).put("⏎ does it  Esc closes", dim).right([(place, dim)]).strip()
        return [blank, blank, *rows, blank, foot]

    def paint(self) -> None:
        super().paint()
        line, box = self.query_one(OneLineInput), self.query_one(Box)
        above = 1 if self.app.size.height >= _ROOMY else 0
        box.styles.margin = (above, 0, 0, 0)
        line.styles.margin = (above + self.above, 0, 0, 0)
        line.styles.width = min(self.app.size.width, _MOST_WIDTH)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._found = matching(self._groups, event.value)
        self._chosen = self._first = 0
        self.paint()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._take(self._chosen)

    def clicked(self, row: int) -> None:
        self._take(self._first + row - (2 if self.app.size.height >= _ROOMY else 1))

    def clicked_outside(self) -> None:
        self.action_close()

    def action_choose(self, by: int) -> None:
        """Move the choice."""
        if self._found:
            step = self._chosen + by
            # One step goes round and round, a page stops at the ends.
            self._chosen = step % len(self._found) if abs(by) == 1 else max(0, min(step, len(self._found) - 1))
            self.paint()

    def _take(self, index: int) -> None:
        if 0 <= index < len(self._found):
            self.dismiss(self._found[index])

    def action_close(self) -> None:
        """Nothing, then."""
        self.dismiss(None)
