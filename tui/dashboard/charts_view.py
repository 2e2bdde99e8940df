"""The charts: panels on one time axis, the spread of TTFTs and the list of changes. Draws Snapshots, keeps no data.

Drawn twice a second, after a resize and after a key. Only rows that say something else are painted.
"""

from operator import is_
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from tui.core.clock import NS_PER_S
from tui.core.snapshot import Snapshot
from tui.core.views import Timeline
from tui.dashboard.chart_extras import change_line, change_rows, histogram_rows
from tui.dashboard.chart_panel import Frame, RowCache, chart_rows, said_rows
from tui.dashboard.chart_series import charts, run_elapsed_ns
from tui.dashboard.footer import Hint
from tui.dashboard.plot_axis import time_axis
from tui.dashboard.view import View

PANELS = 8
"""Six over time, the spread of TTFTs, the changes."""

NOTHING_YET = "nothing was sent yet"
_TWO_COLUMNS = 76
_LEAST_ROWS = 7
_WINDOWS: tuple[tuple[int | None, str], ...] = (
    (None, "whole run"),
    (120 * NS_PER_S, "last 2 min"),
    (600 * NS_PER_S, "last 10 min"),
)


class Layout(NamedTuple):
    """How panels are laid out."""

    columns: int
    heights: list[int]
    """Of each row of panels."""
    width: int
    """Of every panel: the same, so that instants stand below each other."""
    gap: int
    line: bool
    """Whether the last row lists the changes, for want of their panel."""

    @property
    def capacity(self) -> int:
        """Panels that fit."""
        return self.columns * len(self.heights)


def layout(width: int, height: int, zoomed: bool = False) -> Layout:
    """Panels of at least seven rows in one or two columns; where not all fit, a row is kept for the changes."""
    columns = 2 if width >= _TWO_COLUMNS and not zoomed else 1
    needed = 1 if zoomed else PANELS // columns
    line = height < needed * _LEAST_ROWS and height > 2 * _LEAST_ROWS
    room = max(1, height - line)
    rows = max(1, min(needed, room // _LEAST_ROWS))
    heights = [room // rows + (row < room % rows) for row in range(rows)]
    gap = (2 - width % 2) if columns == 2 else 0
    return Layout(columns, heights, max(1, (width - gap) // columns), gap, line)


class ChartsView(View):
    """A page of panels, one of them with the focus; it can have the whole view."""

    NAME = "charts"
    HINTS: ClassVar[list[Hint]] = [("z", "zoom"), ("w", "window"), ("← →", "panel"), ("PgUp PgDn", "page")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 0)", "panel above", key_display="↑"),
        Binding("down", "move(1, 0)", "panel below", key_display="↓"),
        Binding("left", "move(0, -1)", "panel before", key_display="←"),
        Binding("right", "move(0, 1)", "panel after", key_display="→"),
        Binding("pageup", "page(-1)", "a page up", key_display="PgUp"),
        Binding("pagedown", "page(1)", "a page down", key_display="PgDn"),
        Binding("home", "focus_panel(0)", "first panel", key_display="Home"),
        Binding("end", f"focus_panel({PANELS - 1})", "last panel", key_display="End"),
        Binding("z", "zoom", "the panel alone, or all", key_display="z"),
        Binding("escape", "unzoom", "all panels", key_display="Esc"),
        Binding("w", "window", "whole run, last 2 min, last 10 min", key_display="w"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.first = 0
        """The panel at the upper left."""
        self.focused_panel = 0
        self.zoomed = False
        self._window = 0
        self._stale = True
        self._drawn_size = Size(0, 0)
        self._tops: dict[str, float] = {}
        self._caches = [RowCache() for _ in range(PANELS)]
        self._lines: list[tuple[list[Strip], Strip]] = []

    @property
    def _layout(self) -> Layout:
        return layout(self.size.width, self.size.height, self.zoomed)

    def where(self, snapshot: Snapshot) -> str:
        words = _WINDOWS[self._window][1]
        if self.zoomed:
            return f"{words}  panel {self.focused_panel + 1} of {PANELS}"
        capacity = self._layout.capacity
        if capacity >= PANELS:
            return words
        return f"{words}  panels {self.first + 1}–{min(PANELS, self.first + capacity)} of {PANELS}"

    def draw(self, snapshot: Snapshot, now: int, figures_due: bool = True, charts_due: bool = True) -> None:
        """Show `snapshot` when charts are due, or when size, focus or window are others."""
        if not self.size or not (charts_due or self._stale or self.size != self._drawn_size):
            return
        self._stale = False
        if self.size != self._drawn_size:
            self._drawn_size = self.size
            self._lines = []
        timeline = snapshot.timeline
        if timeline is None or not timeline.attempts:
            self._lines = []
            frame = Frame(self.size.width, self.size.height, self.theme_now)
            cache = RowCache()
            self.show([cache.title(frame, "faint", "charts", "", []), *said_rows(NOTHING_YET, frame, "faint", cache)])
            return
        laid = self._layout
        self.first = self._clamped(self.first)
        shown = [self.focused_panel] if self.zoomed else list(range(self.first, self.first + laid.capacity))
        rows = self._joined(self._panels(snapshot, timeline, laid, shown), laid)
        if laid.line:
            told = None if PANELS - 1 in shown else timeline
            rows.append(change_line(told, self.size.width, self.theme_now))
        self.show(rows)

    def _panels(self, snapshot: Snapshot, timeline: Timeline, laid: Layout, shown: list[int]) -> list[list[Strip]]:
        """The rows of each panel that is shown."""
        theme = self.theme_now
        frames = [
            Frame(laid.width, laid.heights[place // laid.columns], theme, panel == self.focused_panel)
            for place, panel in enumerate(shown)
        ]
        for panel in shown:
            self._caches[panel].turn()
        axis = time_axis(
            run_elapsed_ns(snapshot, timeline),
            frames[0].cells,
            _WINDOWS[self._window][0],
            snapshot.run.phase == "finished",
        )
        slices = axis.slices(timeline.width_ns, len(timeline.attempts))
        over_time = charts(snapshot, timeline)
        made: list[list[Strip]] = []
        for panel, frame in zip(shown, frames, strict=True):
            cache = self._caches[panel]
            if panel < len(over_time):
                made.append(chart_rows(over_time[panel], timeline, axis, slices, frame, self._tops, cache))
            elif panel == len(over_time):
                made.append(histogram_rows(timeline.ttft_bins, snapshot.ttft, frame, cache))
            else:
                made.append(change_rows(timeline, frame, cache))
        return made

    def _joined(self, panels: list[list[Strip]], laid: Layout) -> list[Strip]:
        """One strip a row of the screen, made anew only where a panel's row is another one."""
        blank = self.theme_now.style("text", "page")
        gap = Strip.blank(laid.gap, blank)
        lines: list[tuple[list[Strip], Strip]] = []
        for start in range(0, len(panels), laid.columns):
            for parts in map(list, zip(*panels[start : start + laid.columns], strict=True)):
                y = len(lines)
                if y < len(self._lines) and len(self._lines[y][0]) == len(parts):
                    before = self._lines[y]
                    if all(map(is_, before[0], parts)):
                        lines.append(before)
                        continue
                lines.append((parts, Strip.join([parts[0], *(piece for part in parts[1:] for piece in (gap, part))])))
        self._lines = lines
        return [strip for _, strip in lines]

    def recolour(self) -> None:
        self._tops = {}
        self._caches = [RowCache() for _ in range(PANELS)]
        self._lines = []
        self._changed()

    def on_resize(self) -> None:
        self.first = self._clamped(self.first)
        self._keep_in_sight()
        self._changed()

    def _changed(self) -> None:
        self._stale = True
        self.post_message(self.Moved())

    def _clamped(self, first: int) -> int:
        """`first` moved to the start of a row, with no empty places after the last panel."""
        laid = layout(self.size.width, self.size.height)
        last = max(0, PANELS - laid.capacity)
        return max(0, min(first // laid.columns * laid.columns, last))

    def _keep_in_sight(self) -> None:
        laid = layout(self.size.width, self.size.height)
        row = self.focused_panel // laid.columns
        if self.focused_panel < self.first:
            self.first = row * laid.columns
        elif self.focused_panel >= self.first + laid.capacity:
            self.first = (row - len(laid.heights) + 1) * laid.columns
        self.first = self._clamped(self.first)

    def focus_on(self, panel: int) -> None:
        """Move the focus, and the page with it."""
        panel = max(0, min(panel, PANELS - 1))
        if panel != self.focused_panel:
            self.focused_panel = panel
            self._keep_in_sight()
            self._changed()

    def action_move(self, rows: int, columns: int) -> None:
        """Move the focus by panels."""
        panel = self.focused_panel + rows * self._layout.columns + columns
        if 0 <= panel < PANELS:
            self.focus_on(panel)

    def action_page(self, by: int) -> None:
        """Move page and focus."""
        capacity = self._layout.capacity
        if self.zoomed or capacity >= PANELS:
            self.focus_on(self.focused_panel + by)
            return
        first = self._clamped(self.first + by * capacity)
        if first != self.first:
            self.focused_panel = max(0, min(self.focused_panel + first - self.first, PANELS - 1))
            self.first = first
            self._changed()

    def action_focus_panel(self, panel: int) -> None:
        """Focus a panel."""
        self.focus_on(panel)

    def action_zoom(self) -> None:
        """Give the focused panel the whole view, or take it back."""
        self.zoomed = not self.zoomed
        self._keep_in_sight()
        self._changed()

    def action_unzoom(self) -> None:
        """Show all panels again."""
        if self.zoomed:
            self.action_zoom()

    def action_window(self) -> None:
        """Look at the next stretch of time."""
        self._window = (self._window + 1) % len(_WINDOWS)
        self._changed()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if self.zoomed:
            if event.chain == 2:
                self.action_zoom()
            return
        laid = self._layout
        top = 0
        for row, height in enumerate(laid.heights):
            if top <= event.y < top + height:
                column = min(laid.columns - 1, int(event.x) // max(1, laid.width + laid.gap))
                self.focus_on(self.first + row * laid.columns + column)
                if event.chain == 2:
                    self.action_zoom()
            top += height

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-1)

    def _scroll(self, rows: int) -> None:
        """Move the page by rows of panels; the focus stays in sight. Alone, the panel gives way to its neighbour."""
        if self.zoomed:
            self.focus_on(self.focused_panel + rows)
            return
        laid = self._layout
        first = self._clamped(self.first + rows * laid.columns)
        if first != self.first:
            self.first = first
            while self.focused_panel < first:
                self.focused_panel += laid.columns
            while self.focused_panel >= first + laid.capacity:
                self.focused_panel -= laid.columns
            self._changed()
