"""The table: every call a row. Only the window travels and only rows that changed are made; sorting is the engine's.

Rows are made by table_row.py, in the columns of table_columns.py; this widget keeps them, and those that say the same
as before stay the same objects.
"""

from collections.abc import Sequence
from functools import partial
from operator import is_
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.strip import Strip

from tui.core.snapshot import Snapshot
from tui.core.views import CallRow
from tui.dashboard.filtered import FilteredStyles
from tui.dashboard.footer import Hint
from tui.dashboard.list_parts import empty_rows, empty_words, error_row
from tui.dashboard.list_view import ListView, thumb
from tui.dashboard.paint import Row, column_mark
from tui.dashboard.plain import cells, plain_line
from tui.dashboard.table_columns import BY_ORDER, COLUMNS, GROUND, head_strip, lay_out
from tui.dashboard.table_row import row_segments
from tui.dashboard.theme import PLAIN, Palette

Cells = Strip | list[Segment]
"""All of a row but its last cell."""


class TableView(ListView):
    """A window on all calls that pass the filter, in the order of any column."""

    NAME = "table"
    HINTS: ClassVar[list[Hint]] = [
        ("⏎", "open"),
        ("s", "sort"),
        ("i", "invert"),
        ("/", "filter"),
        ("End", "follow"),
        ("c", "cancel"),
        ("r", "retry"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        *ListView.BINDINGS,
        Binding("s", "sort_next", "sort by the next column", key_display="s"),
        Binding("i", "invert", "sort the other way round", key_display="i"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._error: str | None = None
        self._last_id = 0
        self._models: set[str] = set()
        self._model_width = 0
        self._layout = lay_out(0, 0, 0, False, self.order)
        self._dress: tuple[object, ...] | None = None
        """What the strips below were made for."""
        self._style: Palette = PLAIN.style
        self._head = self._blank = Strip([])
        self._ends: dict[str, Strip] = {}
        """The last cell of a row: of the `head`, with the scroll bar's `thumb`, or of any other (`row`)."""
        self._made: dict[int, tuple[CallRow, bool, Cells]] = {}
        """By call: what its row was made of, and the row without its last cell."""
        self._parts: list[tuple[Cells, Strip]] = []
        self._lines: list[Strip] = []
        """Rows of `_parts`, joined."""
        self._drawn: tuple[object, ...] = ()
        self._marked = True

    @property
    def head_rows(self) -> int:
        return self.HEAD_ROWS + (self._error is not None)

    def draw(self, snapshot: Snapshot, now: int, figures_due: bool = True, charts_due: bool = True) -> None:
        # Between figures a picture matters only when it shows another stretch of the list; until it is drawn it
        # is not taken either, so that keys mean the call that stands under the cursor.
        if not figures_due and self._drawn == (snapshot.first, self.first, self.cursor, self.size):
            return
        if snapshot.query_error != self._error:
            self._error = snapshot.query_error
            self.fit()
        if self.take(snapshot, snapshot.rows):
            self._drawn = (self.drawn_first, self.first, self.cursor, self.size)
            self._lay_out(snapshot)
            self.show(self._joined(self._rows_of(snapshot)))

    def restart(self) -> None:
        self._drawn = ()
        super().restart()

    def recolour(self) -> None:
        self._dress, self._drawn = None, ()

    def mark_columns(self, marked: bool) -> None:
        if marked != self._marked:
            self._marked = marked
            parts, self._parts = self._parts, []
            if parts:
                self.show(self._joined(parts))

    def action_sort_next(self) -> None:
        """Sort by the column to the right of the one that is sorted by."""
        at = COLUMNS.index(BY_ORDER[self.order])
        column = COLUMNS[(at + 1) % len(COLUMNS)]
        self.sort_by(column.order, column.descending)

    def action_invert(self) -> None:
        """Sort the other way round."""
        self.sort_by(self.order, not self.descending)

    def clicked_beside_rows(self, x: int, y: int) -> bool:
        if y < self.HEAD_ROWS:
            column = self._layout.column_at(x)
            if column is not None:
                same = column.order == self.order
                self.sort_by(column.order, not self.descending if same else column.descending)
        elif y >= self.head_rows and x >= self._layout.width and self.listed > self.capacity:
            first = (self.listed - self.capacity) * (y - self.head_rows) // max(1, self.capacity - 1)
            self.scroll_rows(first - self.first)
        return y < self.head_rows or x >= self._layout.width

    def _lay_out(self, snapshot: Snapshot) -> None:
        """Columns only grow with what they hold: a row that goes by must not move the others to and fro."""
        self._last_id = max([self._last_id, snapshot.calls, *(row.call for row in snapshot.rows)])
        for row in snapshot.rows:
            if row.model not in self._models:
                self._models.add(row.model)
                self._model_width = max(self._model_width, cells(plain_line(row.model)))
        several = len(self._models | {snapshot.run.model}) > 1
        width, theme, filters = max(0, self.size.width - 1), self.theme_now, tuple(self.get_line_filters())
        self._layout = lay_out(width, self._last_id, self._model_width, several, self.order, snapshot.batch is not None)
        dress = (self._layout, self.order, self.descending, theme, filters)
        if dress != self._dress:
            self._dress = dress
            self._made = {}
            self._style = style = FilteredStyles(theme, partial(self.filtered, filters=filters))
            self._head = head_strip(self._layout, self.order, self.descending, style)
            self._blank = Row(width, style("text", GROUND)).strip()
            self._ends = {
                "head": Row(1, style("dim", "title")).strip(),
                "row": Row(1, style("faint", GROUND)).strip(),
                "thumb": Row(1, style("dim", GROUND)).put("▐").strip(),
            }

    def _rows_of(self, snapshot: Snapshot) -> list[tuple[Cells, Strip]]:
        """Every row of the view: all but its last cell, and its last cell."""
        width, end = self._layout.width, self._ends["row"]
        parts: list[tuple[Cells, Strip]] = [(self._head, self._ends["head"])]
        if self._error is not None:
            parts.append((error_row(self._error, width, self._style), end))
        if snapshot.rows:
            rows = self._call_rows(snapshot.rows)[: self.capacity]
            rows += [self._blank] * (self.capacity - len(rows))
            top, size = thumb(self.drawn_first, self.capacity, self.listed, self.capacity)
            parts += [(row, self._ends["thumb"] if top <= y < top + size else end) for y, row in enumerate(rows)]
        else:
            parts += [(row, end) for row in empty_rows(empty_words(snapshot), width, self.capacity, self._style)]
        return parts[: self.size.height]

    def _call_rows(self, rows: Sequence[CallRow]) -> list[Cells]:
        """The calls' rows; one that says what it said before is the same object as before."""
        made: dict[int, tuple[CallRow, bool, Cells]] = {}
        cells_of: list[Cells] = []
        cursor = self.drawn_cursor
        for index, row in enumerate(rows):
            focused = index == cursor
            before = self._made.get(row.call)
            if before is None or before[1] != focused or before[0] != row:
                before = (row, focused, row_segments(row, self._layout, focused, self._style))
            made[row.call] = before
            cells_of.append(before[2])
        self._made = made
        return cells_of

    def _joined(self, parts: list[tuple[Cells, Strip]]) -> list[Strip]:
        """One strip a row, made anew only where one of its parts is another object."""
        width = self._layout.width
        # Model and prompt are others' text: what a terminal draws wider than we think must not push the bar.
        mark = list(column_mark(self.region.x + width)) if self._marked else []
        lines: list[Strip] = []
        for y, part in enumerate(parts):
            if y < len(self._parts) and all(map(is_, self._parts[y], part)):
                lines.append(self._lines[y])
            else:
                row, end = part
                lines.append(Strip([*row, *mark, *end], width + 1))
        self._parts, self._lines = parts, lines
        return lines

    def finished(self, strip: Strip, filters: Sequence[LineFilter]) -> Strip:
        # The filters had the styles already; of whole rows they would take the column marks for text.
        return strip
