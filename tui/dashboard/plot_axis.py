"""Axes: which values and instants stand where, and at which of them a tick is worth its cells. Numbers only.

Time is that of the run (ns since its start). Cells of a time axis are tied to the run's start and not to its edge,
so that what is drawn keeps its place, dot for dot, while the axis moves on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from tui.core.clock import NS_PER_S
from tui.dashboard.plot import Range

_LEVELS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (1.0, (0.1, 0.2, 0.5, 1)),
    (1.2, (0.2, 0.3, 0.4, 0.6)),
    (1.5, (0.1, 0.5, 1)),
    (2.0, (0.2, 0.5, 1)),
    (2.5, (0.5, 1)),
    (3.0, (0.5, 1, 1.5, 2)),
    (4.0, (0.5, 1, 2)),
    (5.0, (0.5, 1, 2.5)),
    (6.0, (1, 2, 3)),
    (8.0, (1, 2, 4)),
    (10.0, (1, 2, 5)),
)
"""Round tops of an axis, and the steps between ticks that look round on it."""

_SECONDS = (1, 2, 5, 10, 15, 30)
_MINUTES = (1, 2, 5, 10, 15, 30)
_HOURS = (1, 2, 3, 6, 12, 24, 48, 96, 168)
_TICK_STEPS_S = (*_SECONDS, *(60 * n for n in _MINUTES), *(3600 * n for n in _HOURS))

_SPANS_S = (
    *(30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2700),
    *(3600 * n for n in (1, 1.5, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 96, 168)),
)
"""Lengths of a time axis: a run that grows fills at least half of each."""

_ROWS_A_TICK = 2


def round_top(needed: float) -> float:
    """The lowest round number that is not below `needed`."""
    if needed <= 0:
        return 1.0
    power = 10.0 ** floor(log10(needed))
    return next((level * power for level, _ in _LEVELS if level * power >= needed * 0.999999), 10 * power)


def calm_top(before: float | None, needed: float) -> float:
    """A round top for `needed`: that of `before` as long as it is neither too low nor more than twice too high."""
    top = round_top(needed)
    return before if before is not None and top <= before <= 2.05 * top else top


def value_ticks(top: float, rows: int, whole: bool = False) -> list[tuple[int, float]]:
    """Rows from the top, and the round values that stand there, highest first; `whole`: no fractions."""
    if rows <= 0 or top <= 0:
        return []
    last = 4 * rows - 1
    power = 10.0 ** floor(log10(top) + 1e-9)
    steps = next((steps for level, steps in _LEVELS if abs(level * power - top) <= top * 1e-6), ())
    for step in (part * power for part in steps):
        if whole and abs(step - round(step)) > 1e-6 * step:
            continue
        if step / top * last >= 4 * _ROWS_A_TICK:
            ticks = floor(top / step + 1e-6)
            return [(rows - 1 - round(n * step / top * last) // 4, n * step) for n in range(ticks, -1, -1)]
    return [(0, top), (rows - 1, 0.0)] if rows > 1 else [(0, top)]


def robust_top(values: Sequence[float], factor: float = 4.0) -> float | None:
    """What an axis should at least reach for most of `values`, when a few of them are `factor` times as high.

    None: nothing stands out so far, or there are too few values to tell.
    """
    if len(values) < 8:
        return None
    ordered = sorted(values)
    usual = ordered[floor(0.95 * (len(ordered) - 1))]
    return 1.5 * usual if usual > 0 and ordered[-1] > factor * usual else None


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A stretch of the run in `cells` cells, each of two dot columns."""

    cells: int
    cell_ns: float
    first: int
    """Which cell since the run's start is the leftmost."""
    end_ns: int
    """Until when anything is known."""

    @property
    def start_ns(self) -> float:
        """The instant of the left edge."""
        return self.first * self.cell_ns

    def cell_of(self, at_ns: float) -> int | None:
        """The cell in which an instant falls; None outside."""
        cell = floor(at_ns / self.cell_ns) - self.first
        return cell if 0 <= cell < self.cells else None

    def slices(self, width_ns: int, steps: int) -> list[tuple[int, int]]:
        """For each dot column the steps it shows, from and to; the same number twice: none.

        Where columns are wider than steps every step is in exactly one of them; else a step holds for its width.
        """
        column_ns = self.cell_ns / 2
        firsts = range(2 * self.first, 2 * (self.first + self.cells))
        if column_ns >= width_ns:
            edges = [min(steps, ceil(column * column_ns / width_ns - 1e-9)) for column in firsts]
            edges.append(min(steps, ceil(firsts.stop * column_ns / width_ns - 1e-9)))
            return list(pairwise(edges))
        found: list[tuple[int, int]] = []
        for column in firsts:
            step = floor((column + 0.5) * column_ns / width_ns)
            known = step < steps and column * column_ns < self.end_ns
            found.append((step, step + 1) if known else (0, 0))
        return found

    def ticks(self, label_cells: int) -> list[tuple[int, int]]:
        """Cells and the round instants (ns) that stand there, with room for labels of `label_cells` cells."""
        spacing_ns = (label_cells + 2) * self.cell_ns
        step_ns = next((s * NS_PER_S for s in _TICK_STEPS_S if s * NS_PER_S >= spacing_ns), None)
        if step_ns is None:
            return [(0, 0)] if self.first == 0 else []
        found: list[tuple[int, int]] = []
        at_ns = ceil(self.start_ns / step_ns - 1e-9) * step_ns
        while (cell := self.cell_of(at_ns + self.cell_ns * 1e-6)) is not None:
            found.append((cell, at_ns))
            at_ns += step_ns
        return found


def time_axis(elapsed_ns: int, cells: int, window_ns: int | None, ended: bool) -> TimeAxis:
    """The axis of a run that has lasted so long: all of it, or its last `window_ns`.

    While it grows, all of it has room to grow into; once it has `ended` it fills the axis.
    """
    cells = max(1, cells)
    elapsed_ns = max(elapsed_ns, NS_PER_S)
    if window_ns is not None and elapsed_ns > window_ns:
        cell_ns = window_ns / cells
        return TimeAxis(cells, cell_ns, max(0, ceil(elapsed_ns / cell_ns - 1e-9) - cells), elapsed_ns)
    span_ns: float = elapsed_ns
    if not ended:
        span_ns = next((s * NS_PER_S for s in _SPANS_S if s * NS_PER_S >= elapsed_ns), elapsed_ns * 1.25)
        span_ns = min(span_ns, window_ns) if window_ns is not None else span_ns
    return TimeAxis(cells, span_ns / cells, 0, elapsed_ns)


def highest(values: Sequence[float | None], slices: Sequence[tuple[int, int]]) -> list[Range]:
    """A range a dot column: the highest of its steps, twice."""
    return _drawn(values, slices, lambda known: (most := max(known), most))


def spans(values: Sequence[float | None], slices: Sequence[tuple[int, int]]) -> list[Range]:
    """A range a dot column: the lowest and the highest of its steps."""
    return _drawn(values, slices, lambda known: (min(known), max(known)))


def means(values: Sequence[float | None], slices: Sequence[tuple[int, int]]) -> list[Range]:
    """A range a dot column: the mean of its steps, twice."""
    return _drawn(values, slices, lambda known: (sum(known) / len(known),) * 2)


def _drawn(
    values: Sequence[float | None],
    slices: Sequence[tuple[int, int]],
    of_many: Callable[[list[float]], tuple[float, float]],
) -> list[Range]:
    found: list[Range] = []
    for lo, hi in slices:
        if hi - lo == 1:
            value = values[lo]
            found.append((value, value) if value is not None else None)
        else:
            known = [value for value in values[lo:hi] if value is not None]
            found.append(of_many(known) if known else None)
    return found
