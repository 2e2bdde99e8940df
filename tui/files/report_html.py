"""A report as one HTML page that stands alone: no script, nothing loaded, every text escaped.

Its own policy (`default-src 'none'`) has a browser refuse whatever might be smuggled in all the same.
"""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from tui.core.calls import TERMINAL, State
from tui.core.figures import ABSENT, exact, rate
from tui.core.lookup import number_at, text_at, whole_at
from tui.core.report import ReportedRun, Row, Table, cost_text, label, seconds_text, tables
from tui.core.report_charts import Chart, Spread, charts, spread
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


def html_report(runs: Sequence[ReportedRun], made: datetime) -> str:
    """The page; `made` is the local time that it is dated with."""
    title = f"{runs[0].job} · {runs[0].model}" if len(runs) == 1 else f"{len(runs)} runs side by side"
    body = [f'<p class="word">weir</p><h1>{escape(title)}</h1>']
    body += [_one_head(runs[0])] if len(runs) == 1 else [_several_heads(runs)]
    # One run is looked at, several are compared: there the figures come first.
    parts = [_charts(runs), _tables(runs)]
    body += [_notes(runs), *(parts if len(runs) == 1 else reversed(parts)), _definitions(len(runs) > 1)]
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
        f'<div class="panel"><h3>{_mark(index)}{escape(run.job)} · {escape(run.model)} {_chip(run)}</h3>'
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
    tiles = [
        ("calls done", whole("calls", "done"), f"of {whole('calls', 'total')}"),
        ("TTFT p50", duration("ttft_s", "p50"), f"p95 {duration('ttft_s', 'p95')}"),
        ("tok/s", rate(number_at(figures, "run_tokens_per_s")), f"{rate(a_stream)} a stream"),
        ("E2E p50", duration("e2e_s", "p50"), f"p95 {duration('e2e_s', 'p95')}"),
        ("429s", whole("http_429"), retries),
        ("cost", cost_text(run), text_at(figures, "cost_source") or ""),
    ]
    goodput = number_at(figures, "goodput", "share")
    if goodput is not None:
        met = f"{whole('goodput', 'met')} of {whole('goodput', 'ended')} met every objective"
        tiles.insert(1, ("goodput", f"{goodput * 100:.1f} %", met))
    return (
        '<dl class="tiles">'
        + "".join(
            f'<div class="tile"><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>'
            for name, value, more in tiles
        )
        + "</dl>"
    )


def _share(run: ReportedRun) -> str:
    """How calls ended, as one bar and its key."""
    found = [(state, whole_at(run.figures, "calls", state.value) or 0) for state in State if state in TERMINAL]
    ended = [(state, n) for state, n in found if n > 0]
    if not ended:
        return ""
    bars = "".join(f'<i class="i-{_CALL_INKS[state]}" style="flex:{n}"></i>' for state, n in ended)
    key = "".join(
        f'<span><i class="i-{_CALL_INKS[state]}"></i><b>{exact(n)}</b> {state.value}</span>' for state, n in ended
    )
    return f'<div class="share">{bars}</div><div class="key">{key}</div>'


def _notes(runs: Sequence[ReportedRun]) -> str:
    several = len(runs) > 1
    lines = [
        f"<p>{_mark(index) if several else ''}{escape(note)}</p>"
        for index, run in enumerate(runs)
        for note in run.notes
    ]
    return f'<div class="notes">{"".join(lines)}</div>' if lines else ""


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
        named = f"{_mark(index)}{escape(runs[index].model)}" if several else ""
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
    several = len(runs) > 1
    found = "".join(_table(table, several) for table in tables(runs))
    return f'<h2>{"Side by side" if several else "Figures"}</h2><div class="tables">{found}</div>' if found else ""


def _table(table: Table, several: bool) -> str:
    kind = _KINDS.get(table.title, "numbers")
    wide = " wide" if several or table.title in _KINDS else " two" if table.columns else ""
    compared = several and kind == "numbers"
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    head = f"<thead><tr><th></th>{heads}</tr></thead>" if heads else ""
    rows = "".join(_row(row, compared) for row in table.rows)
    # So wide that figures and differences keep their room however many runs there are: then the table scrolls.
    least = f' style="min-width:{150 + 130 * len(table.columns)}px"' if compared else ""
    return (
        f'<div class="panel scroll{wide}"><table class="{kind}{" compared" if compared else ""}"{least}>'
        f"<caption>{escape(table.title)}</caption>{head}<tbody>{rows}</tbody></table></div>"
    )


def _row(row: Row, compared: bool) -> str:
    # Each cell of a comparison has its place for a difference, so that figures stand below one another.
    cells = "".join(
        f"<td>{escape(cell.text)}"
        + (f'<small class="{cell.verdict}">{escape(cell.change)}</small>' if compared and index else "")
        + "</td>"
        for index, cell in enumerate(row.cells)
    )
    return f'<tr><th scope="row">{escape(row.name)}</th>{cells}</tr>'


def _definitions(several: bool) -> str:
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in DEFINITIONS)
    notes = "".join(f"<p>{escape(note)}</p>" for note in ((CHANGES, *NOTES) if several else NOTES))
    return f'<h2>What the numbers mean</h2><div class="small"><dl>{said}</dl>{notes}</div>'


__all__ = ["html_report"]
