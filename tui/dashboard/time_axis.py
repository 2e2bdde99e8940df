"""A time axis of whole cells: instants to cells and back, round ticks, and the stretch of a run that is looked at.

Pure: `now` is an argument, and zooming or panning gives another value. A scale always begins a whole number of its
cells after the run's start, so that a window that follows now moves by whole cells and what has ended stays as it
was drawn in between.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import NamedTuple

from tui.core import figures
from tui.core.clock import NS_PER_MS, NS_PER_S

_MINUTE_NS = 60 * NS_PER_S
_HOUR_NS = 60 * _MINUTE_NS

DEFAULT_WIDTH_NS = _MINUTE_NS

_ROUND_NS = (
    *(n * NS_PER_MS for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(n * NS_PER_S for n in (1, 2, 5, 10, 20, 30)),
    *(n * _MINUTE_NS for n in (1, 2, 5, 10, 20, 30)),
    *(n * _HOUR_NS for n in (1, 2, 6, 12, 24, 48, 120, 240, 480, 960)),
)
"""What ticks may be apart, and how wide a window may be."""

LEAST_WIDTH_NS = 100 * NS_PER_MS
"""Nobody zooms in further: below this a chunk of a stream fills the screen."""

_LEAST_WHOLE_NS = 5 * NS_PER_S
"""A run that has only begun gets this much room, or its first bars would shrink in every frame."""

_CALM_NS = tuple(n * NS_PER_S for n in (5, 10, 15, 20, 30, 40, 60))

_GROWTH = (100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000)
"""A scale that holds the whole of a growing run takes these steps (Renard's R10): it seldom changes and is at least
four fifths full."""

_AHEAD = 2
"""Cells kept free to the right of now, so that its line is seen."""

_LABEL_GAP = 3
"""Cells between two labels of ticks, at least."""


class Tick(NamedTuple):
    """A round instant on an axis."""

    cell: int
    label: str
    """Time since the origin: `00:20`, `1:02:30`, `00:20.5`."""


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Instants on a row of cells."""

    start_at: int
    cell_ns: int
    cells: int

    @property
    def width_ns(self) -> int:
        """What all cells hold."""
        return self.cell_ns * self.cells

    @property
    def end_at(self) -> int:
        """The first instant beyond the last cell."""
        return self.start_at + self.width_ns

    def cell(self, at: int) -> int:
        """The cell that holds an instant; below 0 or from `cells` on when it is out of sight."""
        return (at - self.start_at) // self.cell_ns

    def eighths(self, at: int) -> int:
        """The same in eighths of cells."""
        return (at - self.start_at) * 8 // self.cell_ns

    def instant(self, cell: int) -> int:
        """Where a cell begins."""
        return self.start_at + cell * self.cell_ns

    def shows(self, start_at: int, end_at: int) -> bool:
        """Whether anything of that stretch is in sight."""
        return start_at < self.end_at and end_at >= self.start_at

    def ticks(self, origin_at: int) -> list[Tick]:
        """Round times since `origin_at`, far enough apart for their labels."""
        longest = len(_label(max(0, self.end_at - origin_at), LEAST_WIDTH_NS // 10))
        step = _step_of(self.cell_ns * (longest + _LABEL_GAP))
        plainer = len(_label(max(0, self.end_at - origin_at), step))
        step = _step_of(self.cell_ns * (plainer + _LABEL_GAP))
        first = max(0, -(-(self.start_at - origin_at) // step))
        last = (self.end_at - 1 - origin_at) // step
        return [
            Tick(self.cell(origin_at + number * step), _label(number * step, step)) for number in range(first, last + 1)
        ]


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Which stretch of a run is looked at; it becomes a scale when run and room are known."""

    width_ns: int | None = DEFAULT_WIDTH_NS
    """None: the whole run, however long it gets."""
    end_at: int | None = None
    """Its right edge; None: now, or the run's end once there is one."""

    @property
    def follows(self) -> bool:
        """Whether it moves as time passes."""
        return self.end_at is None or self.width_ns is None

    def scale(self, origin_at: int, last_at: int, cells: int, live: bool) -> TimeScale:
        """The scale for a run that began at `origin_at` and whose newest instant is `last_at`.

        `live`: that instant is now, and moves. A window wider than the run shows all of it, and no more.
        """
        cells = max(1, cells)
        ahead = min(_AHEAD if live else 1, cells - 1)
        whole_cell_ns = _whole_cell_ns(last_at - origin_at, cells - ahead, live)
        if self.width_ns is None:
            return TimeScale(origin_at, whole_cell_ns, cells)
        cell_ns = min(whole_cell_ns, -(-self.width_ns // cells))
        newest = (last_at - origin_at) // cell_ns + 1 + ahead
        end = newest if self.end_at is None else min(newest, (self.end_at - origin_at) // cell_ns)
        return TimeScale(origin_at + max(0, end - cells) * cell_ns, cell_ns, cells)

    def zoomed(self, by: int, drawn: TimeScale, run_ns: int, about_at: int) -> "TimeWindow":
        """A step closer (`by` 1) or further away (-1) than `drawn`, for a run that is `run_ns` long.

        `about_at` stays where it is drawn; a window that follows keeps its right edge instead.
        """
        if by > 0:
            width_ns = _ROUND_NS[max(0, bisect_left(_ROUND_NS, drawn.width_ns * 9 // 10) - 1)]
        else:
            # A scale is rounded up to whole nanoseconds a cell: what is hardly wider than a round width is that one.
            width_ns = _ROUND_NS[min(len(_ROUND_NS) - 1, bisect_right(_ROUND_NS, drawn.width_ns * 11 // 10))]
        width_ns = max(LEAST_WIDTH_NS, width_ns)
        if by < 0 and width_ns >= run_ns:
            return TimeWindow(None, None)
        if self.follows:
            return TimeWindow(width_ns, None)
        share = (drawn.end_at - about_at) / drawn.width_ns
        return TimeWindow(width_ns, about_at + round(width_ns * share))

    def panned(self, by_ns: int, drawn: TimeScale, origin_at: int, last_at: int) -> "TimeWindow":
        """Moved by `by_ns` from where it is drawn, and standing; it stays within the run."""
        if self.width_ns is None or drawn.width_ns > last_at - origin_at:
            return self
        end_at = max(origin_at + drawn.width_ns, min(drawn.end_at + by_ns, last_at + drawn.cell_ns))
        return TimeWindow(self.width_ns, end_at)

    def showing(self, start_at: int, end_at: int, drawn: TimeScale) -> "TimeWindow":
        """The same, unless nothing of that stretch is in sight: then moved so that its start is."""
        if self.width_ns is None or drawn.shows(start_at, end_at):
            return self
        return replace(self, end_at=start_at - drawn.width_ns // 8 + drawn.width_ns)


def calm_width_ns(before_ns: int, needed_ns: int) -> int:
    """A round width, up to `DEFAULT_WIDTH_NS`, that holds `needed_ns`: the one from before unless far too wide.

    0 for `before_ns`: there was none.
    """
    if before_ns and before_ns * 2 // 5 <= needed_ns <= before_ns:
        return before_ns
    return next((step for step in _CALM_NS if step >= needed_ns), DEFAULT_WIDTH_NS)


def _whole_cell_ns(run_ns: int, cells: int, live: bool) -> int:
    """How much a cell holds when `cells` of them hold a whole run: just enough, or a step that it can grow into."""
    least = -(-max(run_ns + 1, _LEAST_WHOLE_NS if live else LEAST_WIDTH_NS) // max(1, cells))
    if not live:
        return least
    magnitude = 1
    while least > _GROWTH[-1] * magnitude:
        magnitude *= 10
    return next(step * magnitude for step in _GROWTH if step * magnitude >= least)


def _step_of(least_ns: int) -> int:
    """The smallest round step that is not below `least_ns`."""
    return _ROUND_NS[min(len(_ROUND_NS) - 1, bisect_left(_ROUND_NS, least_ns))]


def _label(elapsed_ns: int, step_ns: int) -> str:
    """A time on the run's clock, with as many decimals as ticks `step_ns` apart need."""
    text = figures.elapsed(elapsed_ns)
    if step_ns >= NS_PER_S:
        return text
    decimals = 1 if step_ns >= 100 * NS_PER_MS else 2 if step_ns >= 10 * NS_PER_MS else 3
    return f"{text}.{elapsed_ns % NS_PER_S // 10 ** (9 - decimals):0{decimals}d}"
