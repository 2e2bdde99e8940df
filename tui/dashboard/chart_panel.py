"""One panel of the charts: a title with its legend, a plot beside its axis, the instants below. Makes rows, no widget.

Where there is no room a part is left out whole, by rank; no word is cut.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual.strip import Strip

from tui.core import figures
from tui.core.views import Timeline
from tui.dashboard.chart_series import Chart, Legend, Series
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import cells
from tui.dashboard.plot import Inked, Layer, Plot, Range, line, pieces, stacked, under
from tui.dashboard.plot_axis import TimeAxis, calm_top, highest, means, robust_top, spans, value_ticks
from tui.dashboard.theme import Ground, Ink, Theme

_LABEL = 7
"""Cells for the figures at the axis."""

_WITH_AXIS = 30
"""From this width on there is room for them."""

CUT_OFF = "▴"
"""Stands where a value runs out of the picture."""

_TAGS = "123456789abcdefghijklmnopqrstuvwxyz"


def tag(index: int) -> str:
    """The one character that stands for a marker."""
    return _TAGS[index % len(_TAGS)]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a panel stands and how it looks, whatever it shows."""

    width: int
    height: int
    theme: Theme
    focused: bool = False

    @property
    def label(self) -> int:
        """Cells for figures at the left, with the blank after them."""
        return _LABEL + 1 if self.width >= _WITH_AXIS else 1

    @property
    def cells(self) -> int:
        """Cells of the plot from left to right."""
        return max(1, self.width - self.label - 2)

    @property
    def rows(self) -> int:
        """Rows of the plot."""
        return max(0, self.height - 1 - self.feet)

    @property
    def feet(self) -> int:
        """Rows below the plot."""
        return 1 if self.height >= 4 else 0

    def row(self, ink: Ink, ground: Ground = "panel", width: int | None = None) -> Row:
        """A row that begins with the panel's edge; of all of the panel's width unless told otherwise."""
        style = self.theme.style
        edge_ground: Ground = ground if self.theme.colour else "panel"
        edge = "█" if self.focused else self.theme.edge
        return Row(self.width if width is None else width, style("text", ground)).put(edge, style(ink, edge_ground))


class RowCache:
    """Strips by what they say, of the last drawing and of this one."""

    def __init__(self) -> None:
        self._before: dict[tuple[object, ...], Strip] = {}
        self._now: dict[tuple[object, ...], Strip] = {}

    def turn(self) -> None:
        """A drawing begins: forget what the last one did not use."""
        self._before, self._now = self._now, {}

    def strip(self, frame: Frame, ink: Ink, ground: Ground, said: Sequence[Inked]) -> Strip:
        """A row of the frame with these pieces after its edge."""
        key = (frame.width, frame.focused, ink, ground, *said)
        strip = self._now.get(key) or self._before.get(key)
        if strip is None:
            row = frame.row(ink, ground)
            for text, text_ink in said:
                row.put(text, frame.theme.style(text_ink, ground))
            strip = row.strip()
        self._now[key] = strip
        return strip

    def plot(self, frame: Frame, ink: Ink, label: str, text: str, codes: str) -> Strip:
        """A row of a plot, after what stands at its axis."""
        key = ("plot", frame.width, frame.focused, ink, label, text, codes)
        strip = self._now.get(key) or self._before.get(key)
        if strip is None:
            # Every character of a plot takes one cell: no need to measure hundreds of pieces.
            style = frame.theme.style
            head = frame.row(ink, width=frame.label + 1).put(f"{label.rjust(frame.label - 1)} ", style("dim", "panel"))
            plot = Strip([Segment(part, style(part_ink, "panel")) for part, part_ink in pieces(text, codes)], len(text))
            tail = Row(frame.width - head.width - len(text), style("text", "panel"))
            strip = Strip.join([head.strip(), plot, tail.strip()]).crop(0, frame.width)
        self._now[key] = strip
        return strip

    def title(self, frame: Frame, ink: Ink, name: str, unit: str, legend: Sequence[Legend]) -> Strip:
        """The title row of a panel."""
        key = ("title", frame.width, frame.focused, ink, name, unit, *legend)
        strip = self._now.get(key) or self._before.get(key)
        if strip is None:
            strip = _title(frame, ink, name, unit, legend)
        self._now[key] = strip
        return strip


def _title(frame: Frame, ink: Ink, name: str, unit: str, legend: Sequence[Legend]) -> Strip:
    style = frame.theme.style
    ground: Ground = "focus" if frame.focused else "title"
    row = frame.row(ink, ground)
    entries = [_entry(entry, frame.theme, ground) for entry in legend]
    room = row.room - cells(name) - 2
    if room < 0:
        return row.strip()
    row.put(" ").put(name, style("bright", ground, True))
    right: list[Piece] = []
    for entry in entries:
        if width_of(right) + width_of(entry) + 2 > room:
            break
        right += [("  ", style("text", ground)), *entry]
    if unit and cells(unit) + 1 <= room - width_of(right):
        row.put(" ").put(unit, style("dim" if not frame.focused else "soft", ground))
    return row.right([*right, (" ", style("text", ground))]).strip()


def _entry(entry: Legend, theme: Theme, ground: Ground) -> list[Piece]:
    """Glyph and value in the ink of the series, its word in between."""
    lit = theme.style(entry.ink, ground)
    word = theme.style("soft" if ground == "focus" else "dim", ground)
    found: list[Piece] = []
    for text, style in ((entry.glyph, lit), (entry.word, word), (entry.value, theme.style(entry.ink, ground, True))):
        if text:
            found += [(" ", word)] * bool(found) + [(text, style)]
    return found


def chart_rows(
    chart: Chart,
    timeline: Timeline,
    axis: TimeAxis,
    slices: Sequence[tuple[int, int]],
    frame: Frame,
    tops: dict[str, float],
    cache: RowCache,
) -> list[Strip]:
    """A panel over time. `tops` keeps how high each axis reaches, so that it does not jump."""
    if frame.rows <= 0 or chart.empty is not None:
        body = said_rows(chart.empty or "", frame, chart.ink, cache)
        return [cache.title(frame, chart.ink, chart.name, chart.unit, chart.legend), *body][: frame.height]
    ranges = [_ranged(series, slices) for series in chart.series]
    top, beyond = _top(chart, ranges, tops.get(chart.name))
    tops[chart.name] = top
    ticks = value_ticks(top, frame.rows, chart.whole)
    layers = _layers(chart, ranges, top, frame.rows)
    plot = Plot.of_layers(layers, axis.cells, frame.rows, [row for row, value in ticks if value])
    put_markers(plot, timeline, axis, [series.ink for series in chart.series if series.shape == "area"])
    for x, (first, second) in enumerate(zip(slices[0::2], slices[1::2], strict=True)):
        if chart.ticked and any(chart.ticked[min(first[0], second[0]) : max(first[1], second[1])]):
            plot.put(x, 0, "▾", "amber")
    legend = chart.legend
    if beyond is not None:
        for series, known in zip(chart.series, ranges, strict=True):
            for column, reach in enumerate(known):
                if reach is not None and reach[1] > top:
                    plot.put(column // 2, 0, CUT_OFF, series.ink)
        legend = [*legend, Legend(CUT_OFF, "up to", chart.written(beyond), "soft")]
    body = plot_rows(plot, dict(ticks), chart.written, chart.ink, frame, cache)
    if frame.feet:
        body.append(time_row(axis, frame, chart.ink, cache))
    return [cache.title(frame, chart.ink, chart.name, chart.unit, legend), *body]


def plot_rows(
    plot: Plot, ticks: Mapping[int, float], written: Callable[[float], str], ink: Ink, frame: Frame, cache: RowCache
) -> list[Strip]:
    """The rows of a plot, each with what stands at its axis."""
    strips = []
    for row, (text, codes) in enumerate(plot.lines()):
        label = written(ticks[row]) if row in ticks else ""
        strips.append(cache.plot(frame, ink, label if cells(label) < frame.label else "", text, codes))
    return strips


def time_row(axis: TimeAxis, frame: Frame, ink: Ink, cache: RowCache) -> Strip:
    """Round instants of the run, each under its cell."""
    label = 9 if axis.start_ns + axis.cells * axis.cell_ns >= 3.6e12 else 6
    return ruler([(cell, figures.elapsed(at_ns)) for cell, at_ns in axis.ticks(label)], axis.cells, frame, ink, cache)


def ruler(ticks: Sequence[tuple[int, str]], size: int, frame: Frame, ink: Ink, cache: RowCache) -> Strip:
    """Words below a plot, each after a stroke at its cell; those without room are left off."""
    said: list[Inked] = [(" " * frame.label, "dim")]
    used = 0
    for cell, text in ticks:
        if cell < used or cell + 1 + cells(text) > size + 1:
            continue
        said.append((f"{' ' * (cell - used)}╵{text} ", "dim"))
        used = cell + 1 + cells(text) + 1
    return cache.strip(frame, ink, "panel", said)


def said_rows(text: str, frame: Frame, ink: Ink, cache: RowCache) -> list[Strip]:
    """A body that only says something, in its middle."""
    rows = max(0, frame.height - 1)
    inside = frame.width - 2
    middle = (rows - 1) // 2
    fits = cells(text) <= inside
    said: list[Inked] = [(" " * ((inside - cells(text)) // 2), "dim"), (text, "soft")] if text and fits else []
    return [cache.strip(frame, ink, "panel", said if row == middle else []) for row in range(rows)]


def put_markers(plot: Plot, timeline: Timeline, axis: TimeAxis, areas: Sequence[Ink]) -> None:
    """A thin line for each change, through areas of these inks too, with its tag at the upper end."""
    for index, marker in enumerate(timeline.markers):
        cell = axis.cell_of(max(0, marker.at - timeline.start_at))
        if cell is not None:
            plot.upright(cell, "soft", tinted=areas)
            plot.put(cell, 0, tag(index), "bright")


def _ranged(series: Series, slices: Sequence[tuple[int, int]]) -> list[Range]:
    pick = {"mean": means, "highest": highest, "both ends": spans}[series.of_many]
    return pick(series.values, slices)


def _top(chart: Chart, ranges: Sequence[Sequence[Range]], before: float | None) -> tuple[float, float | None]:
    """How high the axis reaches, and the highest value where that is beyond it."""
    if chart.series[0].shape == "upper":
        pairs = zip(*ranges, strict=True)
        most = max((sum(part[1] for part in pair if part is not None) for pair in pairs), default=0.0)
    else:
        most = max((known[1] for line_ in ranges for known in line_ if known is not None), default=0.0)
    needed = most
    if chart.outliers:
        robust = [robust_top([known[1] for known in line_ if known is not None]) for line_ in ranges]
        if any(robust):
            needed = max(
                top if top is not None else max((known[1] for known in line_ if known is not None), default=0.0)
                for top, line_ in zip(robust, ranges, strict=True)
            )
    top = calm_top(before, max(needed, chart.least_top))
    return top, most if most > top else None


def _layers(chart: Chart, ranges: Sequence[Sequence[Range]], top: float, rows: int) -> list[Layer]:
    if chart.series[0].shape == "upper":
        upper, lower = ([part[1] if part is not None else None for part in known] for known in ranges)
        below, above = stacked(lower, upper, top, rows)
        ground = [1 if part is not None else 0 for part in ranges[0]]
        return [
            Layer(above, chart.series[0].ink),
            Layer(below, chart.series[1].ink),
            Layer(ground, "faint"),
        ]
    layers: list[Layer] = []
    for series, known in zip(chart.series, ranges, strict=True):
        masks = line(known, top, rows)
        layers.append(Layer(masks, series.ink))
        if series.shape == "area":
            layers.append(Layer(under(masks), series.ink, back=True))
    return layers
