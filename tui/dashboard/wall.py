"""The wall: all panes in one widget, one strip a row. Knows panes and places, no session and no app."""

import asyncio
from collections.abc import Sequence
from functools import partial
from operator import is_
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.strip import Strip

from tui.core.commands import Watch
from tui.core.snapshot import Snapshot
from tui.dashboard import grid
from tui.dashboard.filtered import FilteredTheme
from tui.dashboard.footer import Hint
from tui.dashboard.paint import column_mark
from tui.dashboard.pane import PaneView
from tui.dashboard.view import Focused, View

_PANES_A_TURN = 8
"""Panes that are drawn in one turn of the loop: some 1.5 ms."""
_LEAST_TAIL = 600
"""Characters of tail that are asked for at least: several frames' worth of the fastest stream."""


ORDERS = ("place", "newest", "slowest", "failing")
_ORDER_WORDS = {"place": "", "newest": "newest first  ", "slowest": "slowest first  ", "failing": "failing first  "}


class Wall(View):
    """A window of `grid.capacity` places on all places of the run; one of them has the focus."""

    NAME = "wall"
    FILTERS = True
    HINTS: ClassVar[list[Hint]] = [
        ("⏎", "open"),
        ("c", "cancel"),
        ("f", "all/running"),
        ("s", "sort"),
        ("/", "filter"),
        ("+ -", "size"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 0)", "pane above", key_display="↑"),
        Binding("down", "move(1, 0)", "pane below", key_display="↓"),
        Binding("left", "move(0, -1)", "pane before", key_display="←"),
        Binding("right", "move(0, 1)", "pane after", key_display="→"),
        Binding("pageup", "page(-1)", "a wall back", key_display="PgUp"),
        Binding("pagedown", "page(1)", "a wall on", key_display="PgDn"),
        Binding("home", "home", "first pane", key_display="Home"),
        Binding("end", "end", "last pane", key_display="End"),
        Binding("plus,equals_sign", "zoom(1)", "larger panes", key_display="+"),
        Binding("minus,underscore", "zoom(-1)", "smaller panes", key_display="-"),
        Binding("f", "everything", "follow the running calls, or show all", key_display="f"),
        Binding("s", "order", "in place, newest, slowest or failing first", key_display="s"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.first = 0
        self.focused_place = 0
        self.places = 0
        self.order = ORDERS[0]
        self._drawn_first = 0
        self.everything = False
        self._wanted = 1
        self._step: int | None = None
        self._grid = grid.Grid(0, 0, 1, 1)
        self._grid_step = 0
        self._views: list[PaneView] = []
        self._filters: Sequence[LineFilter] = ()
        self._between: list[tuple[Strip, Strip]] = []
        self._bands: list[list[tuple[list[Strip], Strip]]] = []
        """By row of panes: the rows of the screen, each with the panes' rows it was joined from."""
        self._marked = True
        self._owed: list[int] = []
        self._drawing: tuple[Snapshot, int, list[int]] | None = None
        """What is being drawn: the picture, its `now`, and which bands' figures are served."""
        self._undrawn: list[int] = []
        """Bands that are still to be drawn from it."""

    @property
    def capacity(self) -> int:
        """Panes on the wall."""
        return self._grid.capacity

    @property
    def focused_call(self) -> Focused | None:
        # Counted from where the window stood when it was drawn: a key may come between a move and the next frame.
        index = self.focused_place - self._drawn_first
        pane = self._views[index].pane if 0 <= index < len(self._views) else None
        return Focused(pane.call, pane.state) if pane is not None else None

    @property
    def owes_figures(self) -> bool:
        return bool(self._owed)

    def wanted(self) -> Watch:
        tail = max([_LEAST_TAIL, *(view.tail_chars for view in self._views)])
        return Watch(
            self.NAME, self.first, self.capacity, order=self.order, everything=self.everything, tail_chars=tail
        )

    def where(self, snapshot: Snapshot) -> str:
        if not snapshot.listed:
            return "no calls"
        last = min(snapshot.listed, self.first + self.capacity)
        said = _ORDER_WORDS[self.order] + ("all " if self.everything else "")
        kind = "calls" if self.everything or self.order != ORDERS[0] else "places"
        if self.first == 0 and last == snapshot.listed:
            return f"{said}{snapshot.listed} {kind}"
        return f"{said}{kind} {self.first + 1}–{last} of {snapshot.listed}"

    def draw(self, snapshot: Snapshot, now: int, figures_due: bool = True, charts_due: bool = True) -> None:
        """Show `snapshot`; `now` is in the snapshot's time.

        It is the longest turn of the loop that a key press waits for. So a large wall is drawn in several turns, a few
        panes in each, and figures that are due come with the two frames that follow, every other band in each.
        """
        served = self._owed if figures_due else self._owed[:1]
        self._owed = [0, 1] if figures_due else self._owed[1:]
        self.places = snapshot.listed
        run = snapshot.run
        # Room for the running calls, and for some that have ended: trouble should stay in sight for a while.
        wanted = run.concurrency + max(2, run.concurrency // 3)
        if run.planned:
            wanted = min(wanted, run.planned)
        if wanted != self._wanted:
            self._wanted = wanted
            self._lay_out()
        self._ensure_size()
        for view in self._views:
            view.named = snapshot.batch is not None
        if (snapshot.watch.everything, snapshot.watch.order) != (self.everything, self.order):
            return  # a picture from before the swap: its places are not those of this wall
        self._drawn_first = self.first
        self._drawing = (snapshot, now, served)
        self._undrawn = list(range(-(-len(self._views) // self._grid.columns)))
        self._draw_bands()

    def _draw_bands(self) -> None:
        """Draw as many bands as a turn of the loop should take; the others in the turns that follow."""
        if self._drawing is None or not self._undrawn:
            return
        snapshot, now, served = self._drawing
        columns = self._grid.columns
        # A wall that shows nothing yet is drawn whole: half of it would flicker.
        each = max(1, _PANES_A_TURN // columns) if all(self._bands) else len(self._undrawn)
        turn, self._undrawn = self._undrawn[:each], self._undrawn[each:]
        for band in turn:
            for index in range(band * columns, min((band + 1) * columns, len(self._views))):
                place = self._drawn_first + index
                at = place - snapshot.first
                pane = snapshot.panes[at] if 0 <= at < len(snapshot.panes) else None
                focused = place == self.focused_place and self.places > 0
                self._views[index].draw(pane, now, focused, band % 2 in served)
            self._bands[band] = self._joined(band)
        self._show_bands()
        if self._undrawn:
            # Not `call_later`: Textual deals with all messages that wait in one turn of the loop.
            asyncio.get_running_loop().call_soon(self._draw_bands)

    def _show_bands(self) -> None:
        self.show([strip for band in self._bands for _, strip in band])

    def mark_columns(self, marked: bool) -> None:
        if marked != self._marked:
            self._marked = marked
            if self._bands and all(self._bands):
                self._bands = [[] for _ in self._bands]
                self._bands = [self._joined(band) for band in range(len(self._bands))]
                self._show_bands()

    def on_resize(self) -> None:
        self._ensure_size()

    def zoom(self, by: int) -> None:
        """Larger (1) or smaller (-1) panes; from then on the size is no longer chosen for the number of calls."""
        step = grid.other_step(self.size.width, self.size.height, self._grid_step, by)
        if step != self._grid_step or self._step is None:
            self._step = step
            self._lay_out()
            self.post_message(self.Moved())

    def focus_on(self, place: int) -> None:
        """Move the focus, and the window with it."""
        place = max(0, min(place, max(0, self.places - 1)))
        first = self.first
        columns = self._grid.columns
        if place < first or place >= first + self.capacity:
            row = place // columns
            top = row if place < first else row - self._grid.rows + 1
            first = self._clamped(top * columns)
        if (place, first) != (self.focused_place, self.first):
            self.focused_place, self.first = place, first
            self.post_message(self.Moved())

    def step_focus(self, rows: int = 0, columns: int = 0) -> None:
        """Move the focus by panes."""
        place = self.focused_place + rows * self._grid.columns + columns
        if 0 <= place < max(1, self.places):
            self.focus_on(place)
        elif rows > 0:
            self.focus_on(self.places - 1)

    def page(self, by: int) -> None:
        """Move window and focus by whole walls."""
        first = self._clamped(self.first + by * self.capacity)
        place = max(0, min(self.focused_place + by * self.capacity, max(0, self.places - 1)))
        self._go(first, place)

    def scroll_rows(self, by: int) -> None:
        """Move the window by rows of panes; the focus stays in sight."""
        first = self._clamped(self.first + by * self._grid.columns)
        place = max(first, min(self.focused_place, first + self.capacity - 1, max(0, self.places - 1)))
        self._go(first, place)

    def restart(self) -> None:
        self._go_to_start()

    def recolour(self) -> None:
        self._views, self._bands, self._undrawn = [], [], []
        self._lay_out()

    def _go_to_start(self) -> None:
        self.first = self.focused_place = 0
        self.post_message(self.Moved())

    def step(self, by: int) -> bool:
        self.focus_on(self.focused_place + by)
        return True

    def action_move(self, rows: int, columns: int) -> None:
        """Move the focus by panes."""
        self.step_focus(rows, columns)

    def action_page(self, by: int) -> None:
        """Move by whole walls."""
        self.page(by)

    def action_home(self) -> None:
        """Focus the first place."""
        self.focus_on(0)

    def action_end(self) -> None:
        """Focus the last place."""
        self.focus_on(self.places - 1)

    def action_zoom(self, by: int) -> None:
        """Change the size of panes."""
        self.zoom(by)

    def action_everything(self) -> None:
        """Swap between all calls and the running ones."""
        self.everything = not self.everything
        self._go_to_start()

    def action_order(self) -> None:
        """Take the next order."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._go_to_start()

    def _go(self, first: int, place: int) -> None:
        if (first, place) != (self.first, self.focused_place):
            self.first, self.focused_place = first, place
            self.post_message(self.Moved())

    def _clamped(self, first: int) -> int:
        """`first` moved to a row's start, with no more than the last row's rest left empty."""
        columns = self._grid.columns
        rows_in_all = -(-self.places // columns)
        last = max(0, rows_in_all - self._grid.rows) * columns
        return max(0, min(first // columns * columns, last))

    def _ensure_size(self) -> None:
        if (self._grid.width, self._grid.height) != tuple(self.size) and self.size:
            self._lay_out()
            self.post_message(self.Moved())

    def _lay_out(self) -> None:
        width, height = self.size
        if not self.size:
            return
        before = self._grid
        if self._step is None:
            self._grid, self._grid_step = grid.automatic(width, height, self._wanted)
        else:
            self._grid, self._grid_step = grid.at_step(width, height, self._step), self._step
        if self._grid == before and self._views:
            return
        self._filters = self.get_line_filters()
        filtered = partial(self.filtered, filters=self._filters)
        theme = FilteredTheme(self.theme_now, filtered)
        self._views = [PaneView(place.width, place.height, theme) for place in self._grid.places()]
        self._between = self._gaps(filtered(Strip.blank(grid.GAP, self.theme_now.style("text", "page"))))
        self._bands = [[] for _ in range(-(-len(self._views) // self._grid.columns))]
        self._undrawn = []
        self.first = self.first // self._grid.columns * self._grid.columns
        if not self.first <= self.focused_place < self.first + self.capacity:
            self.first = self.focused_place // self._grid.columns * self._grid.columns
        self.post_message(self.Moved())

    def _joined(self, band: int) -> list[tuple[list[Strip], Strip]]:
        """One strip a row: the panes' rows side by side, made anew only where one of them changed."""
        columns = self._grid.columns
        views = self._views[band * columns : (band + 1) * columns]
        before = self._bands[band]
        lines: list[tuple[list[Strip], Strip]] = []
        for y in range(views[0].height):
            parts = [view.rows[y] for view in views]
            if y < len(before) and all(map(is_, before[y][0], parts)):
                lines.append(before[y])
            else:
                lines.append((parts, self._join(parts)))
        return lines

    def _join(self, parts: list[Strip]) -> Strip:
        """Parts are made into terminal text one by one, so that only a new one costs anything."""
        console = self.app.console
        pieces: list[Strip] = []
        for index, part in enumerate(parts):
            if index:
                mark, gap = self._between[index]
                if self._marked and not _is_ascii(parts[index - 1]):
                    pieces.append(mark)
                pieces.append(gap)
            part.render(console)
            pieces.append(part)
        return Strip.join(pieces)

    def _gaps(self, gap: Strip) -> list[tuple[Strip, Strip]]:
        """For each column of panes: the mark of where the gap before it starts, and the gap."""
        console = self.app.console
        gap.render(console)
        made = []
        for place in self._grid.places()[: self._grid.columns]:
            mark = column_mark(max(0, self.region.x + place.x - grid.GAP))
            mark.render(console)
            made.append((mark, gap))
        return made

    def finished(self, strip: Strip, filters: Sequence[LineFilter]) -> Strip:
        # The filters had the styles already; of whole rows they would take the column marks for text.
        return strip

    def on_click(self, event: events.Click) -> None:
        event.stop()
        for index, place in enumerate(self._grid.places()):
            inside = place.x <= event.x < place.x + place.width and place.y <= event.y < place.y + place.height
            if inside and self.first + index < self.places:
                self.focus_on(self.first + index)
                if event.chain == 2 and (focused := self.focused_call) is not None:
                    self.post_message(self.Opened(focused.call))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-1)


def _is_ascii(strip: Strip) -> bool:
    return all(segment.text.isascii() for segment in strip)
