"""The panels that are not over time: how TTFTs are spread, and the list of what was changed. Makes rows, no widget."""

from collections.abc import Sequence
from math import ceil, log

from textual.strip import Strip

from tui.core import figures
from tui.core.snapshot import Spread
from tui.core.views import Bin, Marker, Timeline
from tui.dashboard.chart_panel import Frame, RowCache, plot_rows, ruler, said_rows, tag
from tui.dashboard.chart_series import Legend, count_label, trimmed
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import cells, crop, plain_line
from tui.dashboard.plot import Inked, Plot
from tui.dashboard.plot_axis import round_top, value_ticks
from tui.dashboard.theme import Theme

_WIDEST_BAR = 6


def histogram_rows(bins: Sequence[Bin], spread: Spread | None, frame: Frame, cache: RowCache) -> list[Strip]:
    """How many calls had which TTFT, with p50, p95 and p99 where they stand."""
    named = [(name, getattr(spread, name)) for name in ("p50", "p95", "p99")] if spread is not None else []
    legend = [Legend("│", name, figures.ms(value).rjust(7), "bright") for name, value in named]
    title = cache.title(frame, "violet", "TTFT spread", "calls", legend)
    known = [bin_ for bin_ in bins if bin_.high > bin_.low > 0]
    if not any(bin_.n for bin_ in known) or frame.rows <= 0:
        return [title, *said_rows("no text has come yet" if frame.rows else "", frame, "violet", cache)][: frame.height]
    joined = _joined(known, frame.cells)
    size = max(1, min(_WIDEST_BAR, frame.cells // len(joined)))
    # The upper row belongs to the names of the lines where there are rows enough.
    named_row = 1 if frame.rows >= 4 else 0
    rows = frame.rows - named_row
    most = max(bin_.n for bin_ in joined)
    top = round_top(max(4, most))
    ticks = {row + named_row: value for row, value in value_ticks(top, rows, whole=True)}
    heights = [float(bin_.n) for bin_ in joined for _ in range(size)]
    heights += [0.0] * (frame.cells - len(heights))
    grid = [row - named_row for row, value in ticks.items() if value]
    plot = Plot.of_bars(heights, top, "violet", rows, grid).below(named_row)
    _put_percentiles(plot, named, joined, size, bool(named_row))
    body = plot_rows(plot, ticks, count_label, "violet", frame, cache)
    if frame.feet:
        body.append(_bounds(joined, size, frame, cache))
    return [title, *body]


def _joined(bins: Sequence[Bin], most: int) -> list[Bin]:
    """At most `most` bins: neighbours are put together where there are more."""
    each = ceil(len(bins) / max(1, most))
    groups = [bins[start : start + each] for start in range(0, len(bins), each)]
    return [Bin(group[0].low, group[-1].high, sum(bin_.n for bin_ in group)) for group in groups]


def _bounds(bins: Sequence[Bin], size: int, frame: Frame, cache: RowCache) -> Strip:
    """Bounds of bins below the plot, as many as there is room for."""
    each = ceil(9 / size)
    ticks = [(index * size, trimmed(figures.ms(bin_.low))) for index, bin_ in enumerate(bins) if index % each == 0]
    return ruler(ticks, frame.cells, frame, "violet", cache)


def _put_percentiles(
    plot: Plot, named: Sequence[tuple[str, int]], bins: Sequence[Bin], size: int, with_names: bool
) -> None:
    """Thin lines; the names of p50 and p95 stand left of theirs and that of p99 right, so that they part."""
    free_from = 0
    for name, value in named:
        cell = _cell_of(value, bins, size)
        if cell is None:
            continue
        plot.upright(cell, "bright", through=("violet",))
        if not with_names:
            continue
        start = cell + 1 if name == "p99" else cell - len(name)
        if start >= free_from:
            plot.put(start, 0, name, "soft")
        free_from = max(cell, start + len(name)) + 1 if name != "p99" else 0


def _cell_of(value: int, bins: Sequence[Bin], size: int) -> int | None:
    for index, bin_ in enumerate(bins):
        if bin_.low <= value < bin_.high:
            return int((index + log(value / bin_.low) / log(bin_.high / bin_.low)) * size)
    return None


def _entries(timeline: Timeline | None) -> list[tuple[str, str, str]]:
    """Tag, instant and words of every change from old to new, and before them how the run began."""
    if timeline is None:
        return []
    entries: list[tuple[str, str, str]] = []
    if timeline.limits:
        first = timeline.limits[0]
        rpm = f"RPM {figures.count(first.rpm)}" if first.rpm is not None else "no RPM limit"
        entries.append(("·", figures.elapsed(0), f"{rpm}, {figures.count(first.concurrency)} at once"))
    for index, marker in enumerate(timeline.markers):
        entries.append((tag(index), _instant(marker, timeline), plain_line(marker.what)))
    return entries


def _instant(marker: Marker, timeline: Timeline) -> str:
    return figures.elapsed(max(0, marker.at - timeline.start_at))


def change_rows(timeline: Timeline | None, frame: Frame, cache: RowCache) -> list[Strip]:
    """What was changed in the run, the newest on top."""
    n = len(timeline.markers) if timeline is not None else 0
    legend = [Legend("", "", figures.count(n), "bright")] if n else []
    rows = [cache.title(frame, "soft", "changes", "", legend)]
    entries = list(reversed(_entries(timeline)))
    if not entries:
        return [*rows, *said_rows("nothing was changed", frame, "soft", cache)][: frame.height]
    width = max(cells(at) for _, at, _ in entries)
    for mark, at, what in entries[: frame.height - 1]:
        words = crop(what, max(0, frame.width - width - 8))
        pieces: list[Inked] = [(f"  {mark}  ", "bright"), (f"{at.rjust(width)}  ", "dim"), (words, "text")]
        rows.append(cache.strip(frame, "soft", "panel", pieces))
    while len(rows) < frame.height:
        rows.append(cache.strip(frame, "soft", "panel", []))
    return rows


def change_line(timeline: Timeline | None, width: int, theme: Theme) -> Strip:
    """The newest changes on one row, as many as fit whole, in order of time."""
    style = theme.style
    row = Row(width, style("text")).put(" ")
    gap = "   "
    room = row.room + len(gap)
    shown: list[list[Piece]] = []
    for mark, at, what in reversed(_entries(timeline)):
        pieces: list[Piece] = [
            (f"{mark} ", style("bright", bold=True)),
            (f"{at} ", style("dim")),
            (what, style("text")),
        ]
        size = width_of(pieces) + len(gap)
        if size > room:
            break
        shown.insert(0, pieces)
        room -= size
    for pieces in shown:
        row.pieces(pieces).put(gap)
    return row.strip()
