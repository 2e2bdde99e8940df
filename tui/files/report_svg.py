"""Charts of a report as SVG inside a page: shapes and words only, coloured by the page's own style. No script.

A chart is 400 units wide and is shown at about that many pixels, so that its words keep a readable size.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import log

from tui.core.clock import NS_PER_S
from tui.core.figures import elapsed, exact, ms
from tui.core.report_charts import Chart, Series, Spread, round_top

WIDTH, HEIGHT = 400, 196
LEFT, RIGHT, TOP, BOTTOM = 52, 394, 18, 168
_TICK_ROWS = (4, 11)
"""Where small marks stand above a plot: those of the first and of the second count (units from the top)."""
_CHARACTER = 6.9
"""Width of a character of the axis (units)."""
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Distances of marks on the time axis that people count in."""


def time_chart(chart: Chart, top: float, span_ns: int) -> str:
    """A chart over time whose axes reach to `top` and `span_ns`."""
    parts = [_grid(top, chart.written), _time_axis(span_ns)]
    counts = [series for series in chart.series if series.shape == "ticks"]
    parts += [_drawn(series, chart.width_ns, top, span_ns) for series in chart.series if series.shape != "ticks"]
    parts += [_ticks(series, chart.width_ns, span_ns, y) for series, y in zip(counts, _TICK_ROWS, strict=False)]
    parts.append("".join(_told(chart, span_ns)))
    return _svg(chart.title, parts)


def spread_chart(spread: Spread, top: float) -> str:
    """Bars over the TTFT, of as many calls as an axis to `top` says."""
    bins = spread.bins
    wide = (RIGHT - LEFT) / len(bins)
    parts = [_grid(top, lambda value: exact(round(value)) if value == round(value) else "")]
    for index, each in enumerate(bins):
        x, y = LEFT + index * wide, _y(each.n, top)
        told = f"{ms(each.low)} to {ms(each.high)}: {exact(each.n)}"
        parts.append(
            f'<g><title>{escape(told)}</title><rect class="hit" x="{x:.1f}" y="{TOP}" width="{wide:.1f}" '
            f'height="{BOTTOM - TOP}"/><rect class="bar i-violet" x="{x + 0.6:.1f}" y="{y:.1f}" '
            f'width="{max(wide - 1.2, 0.8):.1f}" height="{BOTTOM - y:.1f}"/></g>'
        )
    parts.append(_bounds(spread, wide))
    free = 0.0
    for name, value in spread.marks:
        place = _place(value, spread)
        if place is None:
            continue
        x = LEFT + place * wide
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{BOTTOM}"/>')
        if x > free:
            anchor, shift = ("end", -3) if x > RIGHT - 30 else ("start", 3)
            parts.append(f'<text class="said" x="{x + shift:.1f}" y="{TOP - 5}" text-anchor="{anchor}">{name}</text>')
            free = x + 4 + _CHARACTER * len(name)
    return _svg("TTFT spread", parts)


def spread_top(spreads: Sequence[Spread]) -> float:
    """Where the axis of these ends."""
    return round_top(max(4, *(each.n for spread in spreads for each in spread.bins)))


def _svg(title: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _y(value: float, top: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(max(value / top, 0.0), 1.0)


def _grid(top: float, written: Callable[[float], str]) -> str:
    lines = []
    for part in (0.0, 0.5, 1.0):
        y = _y(top * part, top)
        text = written(top * part) if part else "0"
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{escape(text)}</text>'
        )
    return "".join(lines)


def _time_axis(span_ns: int) -> str:
    step_ns = next((s for s in _STEPS_S if span_ns / (s * NS_PER_S) <= 5), _STEPS_S[-1]) * NS_PER_S
    marks = []
    for at in range(0, span_ns + 1, max(step_ns, span_ns // 8)):
        x = _x(at, span_ns)
        anchor = "start" if at == 0 else "end" if x > RIGHT - 14 else "middle"
        marks.append(
            f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{BOTTOM}" y2="{BOTTOM + 4}"/>'
            f'<text x="{x:.1f}" y="{BOTTOM + 17}" text-anchor="{anchor}">{elapsed(at)}</text>'
        )
    return "".join(marks)


def _x(at_ns: float, span_ns: int) -> float:
    return LEFT + (RIGHT - LEFT) * min(at_ns / span_ns, 1.0)


def _drawn(series: Series, width_ns: int, top: float, span_ns: int) -> str:
    found = []
    for start, values in _stretches(series.values):
        points = _points(start, values, width_ns, top, span_ns)
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if series.shape == "area":
            shape = f"M{points[0][0]:.1f} {BOTTOM}L{line}L{points[-1][0]:.1f} {BOTTOM}z"
            found.append(f'<path class="area i-{series.ink}" d="{shape}"/>')
        dashed = " dashed" if series.shape == "dashes" else ""
        found.append(f'<path class="line{dashed} i-{series.ink}" d="M{line}"/>')
    return "".join(found)


def _ticks(series: Series, width_ns: int, span_ns: int, y: int) -> str:
    places = [_x((index + 0.5) * width_ns, span_ns) for index, value in enumerate(series.values) if value]
    return "".join(f'<path class="bar i-{series.ink}" d="M{x - 3:.1f} {y}h6l-3 5z"/>' for x in places)


def _points(start: int, values: Sequence[float], width_ns: int, top: float, span_ns: int) -> list[tuple[float, float]]:
    """Through the middles of the steps, and level to the outer edges of the first and the last one."""
    places = [start, *(start + index + 0.5 for index in range(len(values))), start + len(values)]
    heights = [values[0], *values, values[-1]]
    return [(_x(place * width_ns, span_ns), _y(value, top)) for place, value in zip(places, heights, strict=True)]


def _stretches(values: Sequence[float | None]) -> Iterator[tuple[int, list[float]]]:
    """Runs of known values, each with the step it begins at."""
    known: list[float] = []
    for index, value in enumerate([*values, None]):
        if value is not None:
            known.append(value)
        elif known:
            yield index - len(known), known
            known = []


def _told(chart: Chart, span_ns: int) -> Iterator[str]:
    """An unseen field over each step that says its figures when it is pointed at."""
    steps = max((len(series.values) for series in chart.series), default=0)
    for index in range(steps):
        x, right = (_x(at * chart.width_ns, span_ns) for at in (index, index + 1))
        said = [elapsed(index * chart.width_ns)]
        for series in chart.series:
            value = series.values[index] if index < len(series.values) else None
            if value is None or (series.shape == "ticks" and not value) or series.shape == "dashes":
                continue
            word = series.name.partition(" ")[0] if series.shape == "ticks" else series.name
            said.append(f"{word} {exact(round(value)) if series.shape == 'ticks' else chart.written(value)}")
        yield (
            f'<rect class="hit" x="{x:.1f}" y="{TOP}" width="{max(right - x, 0.5):.1f}" height="{BOTTOM - TOP}">'
            f"<title>{escape(' · '.join(said))}</title></rect>"
        )


def _bounds(spread: Spread, wide: float) -> str:
    """Bounds of bins below the bars, as many as there is room for."""
    bounds = [each.low for each in spread.bins] + [spread.bins[-1].high]
    each = max(1, round(0.5 + 68 / wide))
    return "".join(
        f'<text x="{LEFT + index * wide:.1f}" y="{BOTTOM + 17}" '
        f'text-anchor="{"end" if LEFT + index * wide > RIGHT - 24 else "middle"}">{escape(ms(bound))}</text>'
        for index, bound in enumerate(bounds)
        if index % each == 0
    )


def _place(value: int, spread: Spread) -> float | None:
    """Where a value lies, in bins from the left."""
    for index, each in enumerate(spread.bins):
        if each.low <= value < each.high:
            low = max(each.low, 1)
            return index + log(max(value, low) / low) / log(each.high / low)
    return None


__all__ = ["spread_chart", "spread_top", "time_chart"]
