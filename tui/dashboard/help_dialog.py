"""The keys that hold at this moment, and what the glyphs mean. Cuts nothing: what does not fit can be scrolled to."""

import re
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui.dashboard.dialogs import ReadDialog, dialog_row
from tui.dashboard.keys import Key, KeyGroup
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import cells
from tui.dashboard.theme import MARKS, Theme
from tui.dashboard.wrap import Wrap

_MARGIN = 2
_BETWEEN = 3
"""Cells between two columns."""
_LEAST_WORDS = 22
"""Cells that words get at least, before a column more is given up."""

Line = list[Piece]


def help_rows(groups: Sequence[KeyGroup], width: int, height: int, theme: Theme, first: int = 0) -> list[Strip]:
    """At most `height` rows: groups side by side in few columns, then the glyphs; `first` rows of keys scrolled away.

    As many columns as there is room for without breaking words over rows, and more where the height asks for them;
    where even then it has no room, a row says where one is.
    """
    glyphs = _glyphs(width - 2 * _MARGIN, theme)
    key_cells = max((cells(key.shown) for group in groups for key in _short(group)), default=1)
    inner = width - 2 * _MARGIN
    most = max(1, (inner + _BETWEEN) // (key_cells + 2 + _LEAST_WORDS + _BETWEEN))
    natural = key_cells + 2 + max((cells(key.words) for group in groups for key in _short(group)), default=1)
    room = height - len(glyphs)
    columns: list[list[Line]] = []
    size = 0
    unbroken = max(1, min(len(groups), (inner + _BETWEEN) // (natural + _BETWEEN)))
    for n in range(unbroken, max(unbroken, most) + 1):
        size = min(natural, (inner + _BETWEEN) // n - _BETWEEN)
        columns = _columns([_lines(group, key_cells, size, theme) for group in groups], n, room)
        if max(map(len, columns)) <= room:
            break
    tallest = max(map(len, columns))
    roomy = room >= tallest + 2
    shown = max(1, min(tallest, room if tallest <= room else room - 1))
    first = max(0, min(first, tallest - shown))
    whole = min(width, max(len(columns) * (size + _BETWEEN) - _BETWEEN, *map(width_of, glyphs)) + 2 * _MARGIN)
    rows: list[Row] = []
    for index in range(first, first + shown):
        row = Row(whole, theme.style("text", "dialog"))
        for position, column in enumerate(columns):
            row.to(_MARGIN + position * (size + _BETWEEN))
            if index < len(column):
                row.pieces(column[index])
        rows.append(row)
    if shown < tallest:
        place = f"↑ ↓ rows {first + 1}–{first + shown} of {tallest}"
        rows.append(dialog_row(whole, theme).put(place, theme.style("amber", "dialog")))
    if roomy:
        rows.append(dialog_row(whole, theme))
    rows.extend(dialog_row(whole, theme).pieces(line) for line in glyphs)
    return [row.strip() for row in rows][: max(1, height)]


def _short(group: KeyGroup) -> list[Key]:
    """Its keys; those of one action whose words are one word each, such as the names of views, in one entry."""
    found: list[Key] = []
    for key in group.keys:
        before = found[-1] if found else None
        name = key.action.partition("(")[0]
        if before and before.action.partition("(")[0] == name and re.fullmatch(r"\w+", key.words):
            first = before.shown.partition("–")[0]
            found[-1] = before._replace(shown=f"{first}–{key.shown}", words=f"{before.words}, {key.words}")
        else:
            found.append(key)
    return found


def _lines(group: KeyGroup, key_cells: int, width: int, theme: Theme) -> list[Line]:
    """A title and its keys; words that are longer than the column go on below."""
    style = theme.style
    lines: list[Line] = [[(group.title, style("soft", "dialog", True))]]
    for key in _short(group):
        wrap = Wrap(max(2, width - key_cells - 2))
        wrap.feed(key.words)
        for index, part in enumerate([*wrap.closed, wrap.open]):
            shown = key.shown.rjust(key_cells) if index == 0 else " " * key_cells
            lines.append([(shown, style("accent", "dialog", True)), (f"  {part}", style("text", "dialog"))])
    return lines


def _columns(groups: list[list[Line]], n: int, room: int) -> list[list[Line]]:
    """The groups in at most `n` columns as short as can be; one is parted only if it is longer than `room`."""
    longest = max(map(len, groups), default=1)
    height = max(1, -(-sum(map(len, groups)) // n), longest if longest <= room else 1)
    while True:
        columns: list[list[Line]] = [[]]
        for group in groups:
            gap: list[Line] = [[]] if columns[-1] else []
            if columns[-1] and len(columns[-1]) + 1 + len(group) > height:
                columns.append([])
                gap = []
            columns[-1].extend([*gap, *group])
            while len(columns[-1]) > height:
                columns.append(columns[-1][height:])
                del columns[-2][height:]
        if len(columns) <= n:
            return columns
        height += 1


def _glyphs(width: int, theme: Theme) -> list[Line]:
    """What the states look like, as many to a row as fit."""
    style = theme.style
    lines: list[Line] = [[]]
    for mark in MARKS.values():
        pieces: Line = [(f"{mark.glyph} ", style(mark.ink, "dialog", True)), (mark.word, style("text", "dialog"))]
        gap: Line = [("  ", style("text", "dialog"))] if lines[-1] else []
        if lines[-1] and width_of([*lines[-1], *gap, *pieces]) > width:
            lines.append([])
            gap = []
        lines[-1].extend([*gap, *pieces])
    return lines


class HelpDialog(ReadDialog):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "up", show=False),
        Binding("down", "scroll(1)", "down", show=False),
        Binding("pageup,home", "scroll(-1000)", "to the start", show=False),
        Binding("pagedown,end", "scroll(1000)", "to the end", show=False),
    ]

    def __init__(self, groups: Sequence[KeyGroup]) -> None:
        super().__init__()
        self._groups = groups
        self._first = 0

    def rows(self, width: int, height: int, theme: Theme) -> list[Strip]:
        return help_rows(self._groups, width, height, theme, self._first)

    def action_scroll(self, by: int) -> None:
        """Move by rows."""
        most = sum(len(group.keys) + 2 for group in self._groups)
        self._first = max(0, min(self._first + by, most))
        self.paint()
