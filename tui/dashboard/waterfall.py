"""The waterfall: a row a call on one axis of time, as in a browser's network panel. Knows spans and cells, no session.

Two things move, each by itself: the window on the list (list_view.py) and the window on time (time_axis.py). Both
follow what is new until somebody looks elsewhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import starmap
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.strip import Strip

from tui.core.snapshot import Snapshot
from tui.core.views import Bar
from tui.dashboard.bars import Under
from tui.dashboard.filtered import FilteredStyles
from tui.dashboard.footer import Hint
from tui.dashboard.list_parts import empty_rows, empty_words, error_row
from tui.dashboard.list_view import ListView, thumb
from tui.dashboard.paint import column_mark
from tui.dashboard.theme import PLAIN, Ground, Palette, Theme
from tui.dashboard.time_axis import TimeScale, TimeWindow, calm_width_ns
from tui.dashboard.waterfall_rows import (
    GROUND,
    Columns,
    blank_strip,
    columns,
    detail_strip,
    head_strip,
    label_strip,
    legend_strip,
    plot_pieces,
    total_text,
    under,
)

_PAN_SHARE = 4
"""A key press moves the window by this part of its width."""

_LEGEND_HEIGHT = 4
_DETAIL_HEIGHT = 7
"""From these heights on there is a legend, and a row about the focused call."""


class _Made(NamedTuple):
    """A row that was made, and what of."""

    bar: Bar
    focused: bool
    passing: tuple[object, ...]
    """The time that has passed for it, and the last cell of its row."""
    label: list[Segment]
    strip: Strip


class _Dress(NamedTuple):
    """What every row depends on."""

    place: Columns
    theme: Theme
    filters: tuple[LineFilter, ...]
    scale: TimeScale
    now_cell: int
    left: int
    """The screen's column that the view begins in."""
    marked: bool


class WaterfallView(ListView):
    """A window on all calls that pass the filter, in the order in which they were begun.

    Bars are drawn at the pace of figures, 5 times a second. An eighth of a cell is 80 ms in a minute on 90 cells, so
    that a growing end moves by two of them; at 15 Hz it costs a slow terminal three times the bytes to see one.
    """

    NAME = "waterfall"
    HINTS: ClassVar[list[Hint]] = [
        ("⏎", "open"),
        ("+ -", "zoom"),
        ("← →", "time"),
        ("f", "follow"),
        ("0", "whole run"),
        ("/", "filter"),
        ("c", "cancel"),
        ("r", "retry"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        *ListView.BINDINGS,
        Binding("left", "pan(-1)", "back in time", key_display="←"),
        Binding("right", "pan(1)", "on in time", key_display="→"),
        Binding("plus,equals_sign", "zoom(1)", "less time, larger bars", key_display="+"),
        Binding("minus,underscore", "zoom(-1)", "more time, smaller bars", key_display="-"),
        Binding("f", "follow", "follow the newest calls and now; again: fit the width", key_display="f"),
        Binding("0", "whole", "the whole run", key_display="0"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        self.window = TimeWindow()
        self.scale: TimeScale | None = None
        """The axis as it was drawn last."""
        self._origin_at = self._last_at = 0
        self._live = True
        self._fitted_ns: int | None = 0
        """The window's width as it was chosen for the calls that are listed; None: somebody chose one."""
        self._looked_for: int | None = None
        """The call that had the cursor when time was last moved for its sake."""
        self._error: str | None = None
        self._last_id = 0
        self._dress: _Dress | None = None
        """What rows were made for."""
        self._style: Palette = PLAIN.style
        self._under = Under("")
        self._head = self._blank = self._legend = Strip([])
        self._made: dict[int, _Made] = {}
        """By call."""
        self._drawn: tuple[object, ...] = ()
        self._picture: tuple[Snapshot, int] | None = None
        self._marked = True

    @property
    def head_rows(self) -> int:
        return self.HEAD_ROWS + (self._error is not None)

    @property
    def foot_rows(self) -> int:
        """Rows below the last call: about the focused one, and the legend."""
        return (self.size.height >= _LEGEND_HEIGHT) + (self.size.height >= _DETAIL_HEIGHT)

    @property
    def capacity(self) -> int:
        return max(1, self.size.height - self.head_rows - self.foot_rows)

    @property
    def focused_bar(self) -> Bar | None:
        """What is drawn under the cursor."""
        entry = self.entries[self.drawn_cursor] if self.entries else None
        return entry if isinstance(entry, Bar) else None

    # Drawing

    def draw(self, snapshot: Snapshot, now: int, figures_due: bool = True, charts_due: bool = True) -> None:
        # Between figures a picture matters only when it shows another stretch of the list.
        if not figures_due and self._drawn == (snapshot.first, self.first, self.cursor, self.size):
            return
        if snapshot.query_error != self._error:
            self._error = snapshot.query_error
            self.fit()
        if not self.take(snapshot, snapshot.bars):
            return
        self._drawn = (self.drawn_first, self.first, self.cursor, self.size)
        self._picture = (snapshot, now)
        self._last_id = max(self._last_id, snapshot.calls)
        self._show(snapshot, now)

    def _show(self, snapshot: Snapshot, now: int) -> None:
        place = columns(max(0, self.size.width - 1), self._last_id, snapshot.batch is not None)
        self._lay_out(place, self._look_at(snapshot, now, place), now)
        self.show(self._rows_of(snapshot, now))

    def _look_at(self, snapshot: Snapshot, now: int, place: Columns) -> TimeScale:
        """The axis as it is now; where the cursor has come to another call, so that its bar is in sight."""
        run = snapshot.run
        self._live = run.phase != "finished"
        self._origin_at = run.started_at
        self._last_at = max(run.started_at, now if self._live or run.ended_at is None else run.ended_at)
        if self._fitted_ns is not None and self.following and snapshot.bars:
            needed_ns = self._last_at - min(bar.due_at for bar in snapshot.bars)
            self._fitted_ns = calm_width_ns(self._fitted_ns, needed_ns)
            self.window = TimeWindow(self._fitted_ns)
        scale = self.window.scale(self._origin_at, self._last_at, place.plot, self._live)
        here, bar = self.focused_call, self.focused_bar
        if here is not None and bar is not None and here.call != self._looked_for:
            self._looked_for = here.call
            if not self.following:
                self.window = self.window.showing(bar.due_at, self._end_of(bar), scale)
                scale = self.window.scale(self._origin_at, self._last_at, place.plot, self._live)
        self.scale = scale
        return scale

    def _end_of(self, bar: Bar) -> int:
        return bar.ended_at if bar.ended_at is not None else self._last_at

    def _lay_out(self, place: Columns, scale: TimeScale, now: int) -> None:
        """Make what stands around the bars anew when the axis, the colours or the size are others."""
        theme, filters = self.theme_now, tuple(self.get_line_filters())
        now_cell = scale.cell(now) if self._live else -1
        dress = _Dress(place, theme, filters, scale, now_cell, self.region.x, self._marked)
        if dress == self._dress:
            return
        before, self._dress = self._dress, dress
        same = before is not None and before._replace(scale=scale, now_cell=now_cell) == dress
        if not same:
            self._made = {}
            self._style = FilteredStyles(theme, partial(self.filtered, filters=filters))
        if not same or before is None or before.scale.width_ns != scale.width_ns:
            self._legend = legend_strip(self.size.width, scale, self._style)
        ticks = scale.ticks(self._origin_at)
        self._under = under(place, ticks, now_cell)
        self._head = head_strip(place, ticks, now_cell, self._style)
        self._blank = blank_strip(self._under, place, self._style)

    def _rows_of(self, snapshot: Snapshot, now: int) -> list[Strip]:
        style, width = self._style, self.size.width
        rows = [self._head]
        if self._error is not None:
            rows.append(error_row(self._error, width, style))
        if snapshot.bars:
            rows += self._bars_of(snapshot.bars[: self.capacity], now)
            rows += [self._blank] * (self.head_rows + self.capacity - len(rows))
        else:
            rows += empty_rows(empty_words(snapshot), width, self.capacity, style)
        if self.foot_rows > 1:
            rows.append(detail_strip(self.focused_bar, now, width, style))
        if self.foot_rows:
            rows.append(self._legend)
        return rows[: self.size.height]

    def _bars_of(self, bars: Sequence[Bar], now: int) -> list[Strip]:
        """The calls' rows; one that says what it said before is the same object as before."""
        dress = self._dress
        assert dress is not None
        place, scale, style = dress.place, dress.scale, self._style
        mark = list(column_mark(dress.left + place.plot_x))
        eighths = scale.eighths(now)
        top, size = thumb(self.drawn_first, self.capacity, self.listed, self.capacity)
        ends = [Segment(" ", style("dim", GROUND)), Segment("▐", style("dim", GROUND))]
        cursor = self.drawn_cursor
        made: dict[int, _Made] = {}
        for index, bar in enumerate(bars):
            focused, end = index == cursor, ends[top <= index < top + size]
            passing: tuple[object, ...] = (scale, dress.now_cell, end.text)
            if bar.ended_at is None:
                passing = (*passing, eighths, total_text(bar, now) if place.total else "")
            row = self._made.get(bar.call)
            if row is None or row.passing != passing or row.focused != focused or row.bar != bar:
                if row is None or row.focused != focused or row.bar.state is not bar.state:
                    label = list(label_strip(bar, place, focused, style))
                    if dress.marked and not all(segment.text.isascii() for segment in label):
                        label += mark
                else:
                    label = row.label
                # Reversed blocks would say the opposite: without colour the label alone tells where the cursor is.
                ground: Ground = "focus" if focused and dress.theme.colour else GROUND
                pieces = plot_pieces(bar, scale, now, self._under, place, ground, style)
                strip = Strip([*label, *starmap(Segment, pieces), end], place.width + 1)
                row = _Made(bar, focused, passing, label, strip)
            made[bar.call] = row
        self._made = made
        return [row.strip for row in made.values()]

    def mark_columns(self, marked: bool) -> None:
        if marked != self._marked:
            self._marked = marked
            if self._picture is not None:
                self._show(*self._picture)

    def finished(self, strip: Strip, filters: Sequence[LineFilter]) -> Strip:
        # The filters had the styles already; of whole rows they would take the column marks for text.
        return strip

    def restart(self) -> None:
        self._looked_for, self._drawn = None, ()
        super().restart()

    def recolour(self) -> None:
        self._dress, self._drawn = None, ()

    def clicked_beside_rows(self, x: int, y: int) -> bool:
        row = y - self.head_rows
        if 0 <= row < self.capacity and x >= self.size.width - 1 and self.listed > self.capacity:
            self.scroll_rows((self.listed - self.capacity) * row // max(1, self.capacity - 1) - self.first)
            return True
        return not 0 <= row < self.capacity

    # Time

    def action_zoom(self, by: int) -> None:
        """Closer (1) or further away (-1): about now while that is followed, else about the cursor's bar."""
        scale, bar = self.scale, self.focused_bar
        if scale is None:
            return
        about_at = scale.start_at + scale.width_ns // 2
        if bar is not None and scale.shows(bar.due_at, self._end_of(bar)):
            about_at = (max(bar.due_at, scale.start_at) + min(self._end_of(bar), scale.end_at)) // 2
        self._fitted_ns = None
        self._look(self.window.zoomed(by, scale, self._last_at - self._origin_at, about_at))

    def action_pan(self, by: int) -> None:
        """Look at what was before, or after; neither time nor the list follows what is new then."""
        if self.scale is None:
            return
        by_ns = by * max(self.scale.cell_ns, self.scale.width_ns // _PAN_SHARE)
        window = self.window.panned(by_ns, self.scale, self._origin_at, self._last_at)
        if window != self.window:
            self.following = False
            self._look(window)

    def action_whole(self) -> None:
        """All of the run on one axis."""
        self._fitted_ns = None
        self._look(TimeWindow(None))

    def action_end(self) -> None:
        """The newest calls, and now."""
        self._look(replace(self.window, end_at=None))
        super().action_end()

    def action_follow(self) -> None:
        """The newest calls, and now; when that is what is shown, also as much time as they take."""
        if self.following and self.window.end_at is None:
            self._fitted_ns = 0
            self._look(TimeWindow())
        self.action_end()

    def _look(self, window: TimeWindow) -> None:
        if window != self.window:
            self.window = window
            self._drawn = ()
            self.post_message(self.Moved())

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        event.stop()
        self.action_pan(-1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        event.stop()
        self.action_pan(1)
