"""A report as one HTML page that stands alone: no script, nothing loaded, every text escaped.

Its own policy (`default-src 'none'`) has a browser refuse whatever might be smuggled in all the same.
"""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from tui.core.calls import TERMINAL, State
from tui.core.figures import ABSENT, exact, rate
from tui.core.lookup import number_at, text_at, whole_at
from tui.core.report import Cell, Row, Table, cost_text, label, report_title, seconds_text, share_text, tables
from tui.core.report_charts import Chart, Spread, charts, spread
from tui.core.report_compare import comparisons
from tui.core.report_run import ReportedRun
from tui.core.report_words import CHANGES, DEFINITIONS, NOTES
from tui.files.report_style import STYLE
from tui.files.report_svg import spread_chart, spread_top, time_chart

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STATE_INKS = {"finished": "green", "interrupted": "amber", "running": "accent", "crashed": "red", "unreadable": "red"}
_CALL_INKS = {
    State.DONE: "green", State.FAILED: "red", State.BROKEN: "amber", State.CANCELLED: "grey", State.REFUSED: "violet",
}  # fmt: skip
_KINDS = {"Errors": "errors", "Limits and settings": "texts"}
"""How a table is set, where it is not numbers."""
_LONG = 12
"""Characters of a cell from which on it is words."""


def html_report(runs: Sequence[ReportedRun], made: datetime) -> str:
    """The page; `made` is the local time that it is dated with."""
    title = report_title(runs)
    body = [f'<p class="word">≋ weir</p><h1>{escape(title)}</h1>']
    body += [_one_head(runs[0])] if len(runs) == 1 else [_several_heads(runs)]
    # One run is looked at, several are compared: there the figures come first.
    parts = [_charts(runs), _tables(runs)]
    body += [
        _notes(runs),
        _comparisons(runs),
        *(parts if len(runs) == 1 else reversed(parts)),
        _definitions(len(runs) > 1),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)} · weir</title><style>{STYLE}</style></head><body><main>{''.join(body)}"
        f"<footer>made by weir report, {made:%Y-%m-%d %H:%M}</footer></main></body></html>\n"
    )


# ── heads ──────────────────────────────────────────────────────────────────────────────────────────────


def _chip(run: ReportedRun) -> str:
    return f'<span class="chip i-{_STATE_INKS.get(run.state, "grey")}">{escape(run.state)}</span>'


def _facts(run: ReportedRun) -> str:
    wall = number_at(run.figures, "wall_s")
    words = [f"{run.began.astimezone():%Y-%m-%d %H:%M}", *([seconds_text(wall)] if wall is not None else [])]
    return " · ".join(words)


def _one_head(run: ReportedRun) -> str:
    return (
        f'<p class="meta">{_chip(run)} &nbsp;{_facts(run)} · <b>{escape(run.endpoint)}</b></p>'
        f'<p class="meta">{escape(run.name)}</p>'
        f"{_tiles(run)}{_share(run)}"
    )


def _several_heads(runs: Sequence[ReportedRun]) -> str:
    cards = [
        f'<div class="panel"><h3>{_mark(index)}{escape(run.swept or run.job)} · {escape(run.model)} {_chip(run)}</h3>'
        f"<p>{_facts(run)}</p><p>{escape(run.endpoint)}</p><p>{escape(run.name)}</p>{_share(run)}</div>"
        for index, run in enumerate(runs)
    ]
    return f'<div class="runs">{"".join(cards)}</div>'


def _mark(index: int) -> str:
    return f'<span class="mark-of">{label(index)}</span>'


def _tiles(run: ReportedRun) -> str:
    figures = run.figures

    def duration(*path: str) -> str:
        found = number_at(figures, *path)
        return ABSENT if found is None else seconds_text(found)

    def whole(*path: str) -> str:
        found = whole_at(figures, *path)
        return ABSENT if found is None else exact(found)

    retries = f"{whole('retries')} retries of {whole('attempts')} attempts"
    a_stream = number_at(figures, "stream_tokens_per_s", "p50")
    done, due, refused = whole_at(figures, "calls", "done"), run.due, whole_at(figures, "http_429")
    of_due = f"of {exact(due)}" if due is not None else ""
    if run.unbegun:
        of_due += f", {exact(run.unbegun)} {run.unbegun_words}"
    tiles: list[tuple[str, str, str, str]] = [
        ("calls done", whole("calls", "done"), of_due, "green" if done is not None and done == due else "amber"),
        ("TTFT p50", duration("ttft_s", "p50"), f"p95 {duration('ttft_s', 'p95')}", "violet"),
        ("tok/s", rate(number_at(figures, "run_tokens_per_s")), f"{rate(a_stream)} a stream", "accent"),
        ("E2E p50", duration("e2e_s", "p50"), f"p95 {duration('e2e_s', 'p95')}", "blue"),
        ("429s", whole("http_429"), retries, "amber" if refused else "grey"),
        ("cost", cost_text(run), text_at(figures, "cost_source") or "", "grey"),
    ]
    goodput = number_at(figures, "goodput", "share")
    if goodput is not None:
        met = f"{whole('goodput', 'met')} of {whole('goodput', 'ended')} met every objective"
        tiles.insert(1, ("goodput", share_text(goodput), met, "green"))
    return (
        '<dl class="tiles">'
        + "".join(
            f'<div class="tile i-{ink}"><dt>{escape(name)}</dt>'
            f"<dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
            for name, value, more, ink in tiles
        )
        + "</dl>"
    )


def _share(run: ReportedRun) -> str:
    """How calls ended, as one bar and its key; those that never began are a part of it."""
    found = [
        (_CALL_INKS[state], state.value, whole_at(run.figures, "calls", state.value) or 0)
        for state in State
        if state in TERMINAL
    ]
    shown = [each for each in (*found, ("faint", run.unbegun_words, run.unbegun)) if each[2] > 0]
    if not shown:
        return ""
    bars = "".join(f'<i class="i-{ink}" style="flex:{n}"></i>' for ink, _, n in shown)
    key = "".join(f'<span><i class="i-{ink}"></i><b>{exact(n)}</b> {name}</span>' for ink, name, n in shown)
    return f'<div class="share">{bars}</div><div class="key">{key}</div>'


def _notes(runs: Sequence[ReportedRun]) -> str:
    several = len(runs) > 1
    lines = [
        f"<p>{_mark(index) if several else ''}{escape(note)}</p>"
        for index, run in enumerate(runs)
        for note in run.notes
    ]
    return f'<div class="notes">{"".join(lines)}</div>' if lines else ""


def _comparisons(runs: Sequence[ReportedRun]) -> str:
    """A bar a run for each of the figures that one compares first."""
    found = comparisons(runs)
    if not found:
        return ""
    panels = "".join(
        f'<div class="panel bars i-{each.ink}"><h3>{escape(each.title)}</h3>'
        + "".join(
            f"<p><span>{escape(bar.name)}</span><i>{_length(bar.share)}</i><span>{escape(bar.text)}</span></p>"
            for bar in each.bars
        )
        + "</div>"
        for each in found
    )
    named = " named" if any(run.swept is not None for run in runs) else ""
    return f'<h2>At a glance</h2><div class="glance{named}">{panels}</div>'


def _length(share: float) -> str:
    return f'<b style="width:{share * 100:.1f}%"></b>' if share > 0 else ""


# ── charts ─────────────────────────────────────────────────────────────────────────────────────────────


def _charts(runs: Sequence[ReportedRun]) -> str:
    """Every chart of every run; the same chart of several runs has the same axes."""
    drawn = [(index, charts(run), spread(run)) for index, run in enumerate(runs) if run.timeline is not None]
    if not drawn:
        return ""
    several = len(runs) > 1
    tops: dict[str, float] = {}
    for _, found, _ in drawn:
        for chart in found:
            tops[chart.title] = max(tops.get(chart.title, 0.0), chart.top)
    span_ns = max(run.end_at for run in runs if run.timeline is not None) or 1
    spreads = [each for _, _, each in drawn if each is not None]
    figures: dict[str, list[str]] = {}
    for index, found, bars in drawn:
        named = f"{_mark(index)}{escape(runs[index].swept or runs[index].model)}" if several else ""
        for chart in found:
            figures.setdefault(chart.title, []).append(_chart(chart, tops[chart.title], span_ns, named))
        if bars is not None:
            figures.setdefault("TTFT spread", []).append(_spread(bars, spread_top(spreads), named))
    order = sorted(figures, key=lambda title: _ORDER.index(title))
    if several:
        return "".join(
            f'<h2>{escape(title)}</h2><div class="grid-of">{"".join(figures[title])}</div>' for title in order
        )
    return f'<h2>Over time</h2><div class="grid-of">{"".join("".join(figures[title]) for title in order)}</div>'


_ORDER = ["Requests a minute", "TTFT over time", "TTFT spread", "Tokens a second", "At once", "Cost a minute"]


def _chart(chart: Chart, top: float, span_ns: int, named: str) -> str:
    legend = "".join(
        f'<span><i class="{series.shape} i-{series.ink}"></i>{escape(series.name)}</span>'
        for series in chart.series
        if len(chart.series) > 1
    )
    return (
        f'<figure class="panel"><figcaption><h3>{named or escape(chart.title)}</h3><small>{escape(chart.unit)}'
        f"{legend}</small></figcaption>{time_chart(chart, top, span_ns)}</figure>"
    )


def _spread(bars: Spread, top: float, named: str) -> str:
    calls = sum(each.n for each in bars.bins)
    return (
        f'<figure class="panel"><figcaption><h3>{named or "TTFT spread"}</h3>'
        f"<small>of {exact(calls)} first tokens</small></figcaption>{spread_chart(bars, top)}</figure>"
    )


# ── tables ─────────────────────────────────────────────────────────────────────────────────────────────


def _tables(runs: Sequence[ReportedRun]) -> str:
    """Of one run narrow tables stand in columns as high as they are; of several each has the page's width."""
    several = len(runs) > 1
    found = tables(runs)
    if not found:
        return ""
    narrow = [table for table in found if not (several or table.columns or table.title in _KINDS)]
    before = [table for table in found if table.columns and not several]
    after = [table for table in found if table not in narrow and table not in before]
    columns = f'<div class="narrow">{"".join(_table(table, several) for table in narrow)}</div>' if narrow else ""
    parts = f"{''.join(_table(t, several) for t in before)}{columns}{''.join(_table(t, several) for t in after)}"
    return f'<h2>{"Side by side" if several else "Figures"}</h2><div class="tables">{parts}</div>'


def _table(table: Table, several: bool) -> str:
    kind = _KINDS.get(table.title, "numbers")
    compared = several and kind == "numbers"
    # A head has the place of a difference too, as the cells below it have.
    heads = "".join(
        f'<th scope="col">{escape(name)}{"<small></small>" if compared and index else ""}</th>'
        for index, name in enumerate(table.columns)
    )
    head = f"<thead><tr><th></th>{heads}</tr></thead>" if heads else ""
    rows = "".join(_row(row, compared) for row in table.rows)
    # So wide that figures and differences keep their room however many runs there are: then the table scrolls.
    least = f' style="min-width:{190 + 150 * len(table.columns)}px"' if compared else ""
    return (
        f'<div class="panel scroll"><table class="{kind}{" compared" if compared else ""}"{least}>'
        f"<caption>{escape(table.title)}</caption>{head}<tbody>{rows}</tbody></table></div>"
    )


def _row(row: Row, compared: bool) -> str:
    cells = "".join(_cell(cell, compared and index > 0) for index, cell in enumerate(row.cells))
    return f'<tr><th scope="row">{escape(row.name)}</th>{cells}</tr>'


def _cell(cell: Cell, has_difference: bool) -> str:
    """With a place for the difference in each cell of a comparison, so that figures stand below one another."""
    if len(cell.text) > _LONG:
        return f'<td class="long">{escape(cell.text)}</td>'
    change = f'<small class="{cell.verdict}">{escape(cell.change)}</small>' if has_difference else ""
    return f"<td>{escape(cell.text)}{change}</td>"


def _definitions(several: bool) -> str:
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in DEFINITIONS)
    notes = "".join(f"<p>{escape(note)}</p>" for note in ((CHANGES, *NOTES) if several else NOTES))
    return f'<h2>What the numbers mean</h2><div class="small"><dl>{said}</dl>{notes}</div>'


__all__ = ["html_report"]
