"""A report as Markdown: tables, and the run over time as one line of small bars a series. Every text is escaped."""

import re
from collections.abc import Sequence
from datetime import datetime
from math import ceil

from tui.core.figures import ABSENT
from tui.core.report import Cell, Table, column_names, label, report_title, tables
from tui.core.report_charts import Chart, charts
from tui.core.report_compare import comparisons
from tui.core.report_run import ReportedRun
from tui.core.report_words import CHANGES, DEFINITIONS, NOTES
from tui.core.untrusted import clean_line

_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 40
_MOST_BLOCKS = 12
"""Length of the longest bar of a figure of several runs."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def markdown_report(runs: Sequence[ReportedRun], made: datetime) -> str:
    """The report; `made` is the local time that it is dated with."""
    one = len(runs) == 1
    parts = [f"# {_text(report_title(runs))}", _heads(runs)]
    notes = [
        f"> {'' if one else f'{label(index)}: '}{_text(note)}" for index, run in enumerate(runs) for note in run.notes
    ]
    if notes:
        parts.append("  \n".join(notes))
    side_by_side = _side_by_side(runs)
    if side_by_side:
        parts.append(side_by_side)
    parts += [_table(table) for table in tables(runs)]
    over_time = _over_time(runs)
    if over_time:
        parts.append(over_time)
    parts.append(
        "\n".join(["## What the numbers mean", "", *(f"- **{name}**: {_text(said)}" for name, said in DEFINITIONS)])
    )
    parts.append("  \n".join(_text(note) for note in (NOTES if one else (CHANGES, *NOTES))))
    parts.append(f"Made by weir report, {made:%Y-%m-%d %H:%M}.")
    return "\n\n".join(parts) + "\n"


def _heads(runs: Sequence[ReportedRun]) -> str:
    one = len(runs) == 1
    names = column_names(runs)
    rows = [
        [
            *([] if one else [names[index]]),
            run.name,
            run.state,
            f"{run.began.astimezone():%Y-%m-%d %H:%M}",
            run.job,
            run.model,
        ]
        for index, run in enumerate(runs)
    ]
    return _grid([*([] if one else [""]), "run", "state", "began", "job", "model"], rows, 0)


def _side_by_side(runs: Sequence[ReportedRun]) -> str:
    """A row a run: of each figure a bar and its value. Empty where nothing is known."""
    found = comparisons(runs)
    if not found:
        return ""
    rows = [
        [name, *(f"{'█' * round(each.bars[index].share * _MOST_BLOCKS)} {each.bars[index].text}" for each in found)]
        for index, name in enumerate(column_names(runs))
    ]
    return f"## Side by side\n\n{_grid(['', *(each.title for each in found)], rows, 0)}"


def _table(table: Table) -> str:
    columns = table.columns or [""]
    rows = [[row.name, *map(_cell, row.cells)] for row in table.rows]
    words = table.title == "Limits and settings"
    return f"## {table.title}\n\n{_grid(['', *columns], rows, 0 if words else len(columns))}"


def _cell(cell: Cell) -> str:
    return f"{cell.text} ({cell.change})" if cell.change else cell.text


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> str:
    """Aligned, so that it reads well unrendered too; the last `right` columns hold figures."""
    lines = [[_text(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(3, *(len(line[index]) for line in lines)) for index in range(len(heads))]
    rights = [index >= len(heads) - right for index in range(len(heads))]

    def joined(cells: Sequence[str]) -> str:
        sized = zip(cells, widths, rights, strict=True)
        return f"| {' | '.join(cell.rjust(width) if end else cell.ljust(width) for cell, width, end in sized)} |"

    ruler = [f"{'-' * (width - 1)}:" if end else "-" * width for width, end in zip(widths, rights, strict=True)]
    return "\n".join([joined(lines[0]), joined(ruler), *map(joined, lines[1:])])


def _over_time(runs: Sequence[ReportedRun]) -> str:
    drawn = [(index, run, chart) for index, run in enumerate(runs) for chart in charts(run)]
    if not drawn:
        return ""
    several = len(runs) > 1
    rows = [
        [
            *([label(index)] if several else []),
            f"{chart.title}, {series.name}",
            _bars(series.values),
            _most(chart, series.values),
        ]
        for index, run, chart in drawn
        for series in chart.series
        if series.shape in ("area", "line")
    ]
    rows.sort(key=lambda row: row[1] if several else "")
    return f"## Over time\n\n{_grid([*([''] if several else []), '', 'from start to end', 'highest'], rows, 1)}"


def _bars(values: Sequence[float | None]) -> str:
    """The highest value of each stretch as a bar of up to eight eighths; a dot where nothing is known."""
    each = max(1, ceil(len(values) / _MOST_BARS))
    stretches = [
        max((value for value in values[start : start + each] if value is not None), default=None)
        for start in range(0, len(values), each)
    ]
    top = max((value for value in stretches if value is not None), default=0.0) or 1.0
    return "".join("·" if value is None else _BARS[min(7, int(value / top * 7.999))] for value in stretches)


def _most(chart: Chart, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return chart.written(max(known)) if known else ABSENT


def _text(text: str) -> str:
    """On one line, and no markup: what a server says may hold links, tables or HTML."""
    return _MARKUP.sub(r"\\\1", clean_line(text))


__all__ = ["markdown_report"]
