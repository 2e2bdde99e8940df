"""What a report says of one run or of several side by side: tables of finished text. Pure; draws nothing.

Values come from summaries that may be old or damaged: what is not there is a dash. Every text is clean, and no markup.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from tui.core.calls import TERMINAL, State
from tui.core.clock import NS_PER_S
from tui.core.figures import ABSENT, exact, money, ms, rate, usd
from tui.core.lookup import number_at, text_at, value_at, whole_at
from tui.core.report_run import ReportedRun
from tui.core.report_settings import setting_rows, short
from tui.core.snapshot import Cost

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_RUNS = len(LETTERS)
MOST_ERRORS = 12
TELLING = 0.05
"""A smaller difference, as a share of the first run's figure, is called neither better nor worse."""


class Cell(NamedTuple):
    """One value of one run."""

    text: str
    change: str = ""
    """Against the first run: `+12 %`."""
    verdict: str = ""
    """`better` or `worse` than the first run, where one of them is."""


class Row(NamedTuple):
    """One figure, of every run (or, in a table with columns of its own, its percentiles)."""

    name: str
    cells: list[Cell]


class Table(NamedTuple):
    """Rows under a title."""

    title: str
    columns: list[str]
    """Names of the columns; empty where there is one run and one value a row."""
    rows: list[Row]


class Figure(NamedTuple):
    """How one number of a summary is read, written and judged."""

    name: str
    read: Callable[[ReportedRun], float | None]
    written: Callable[[float], str]
    lower_is_better: bool | None = None
    """None: neither is."""
    tells_when_0: bool = True
    """False: a row that is 0 in every run is left out."""


def label(index: int) -> str:
    """What a report with several runs calls each."""
    return LETTERS[index]


def column_names(runs: Sequence[ReportedRun]) -> list[str]:
    """What each run's column is called; nothing where there is one run. `A`, or of a sweep `A · rpm 60`."""
    if len(runs) == 1:
        return []
    return [label(index) + (f" · {run.swept}" if run.swept is not None else "") for index, run in enumerate(runs)]


def report_title(runs: Sequence[ReportedRun]) -> str:
    """`load · gpt-4o`, `sweep of rpm · gpt-4o` or `3 runs side by side`."""
    if len(runs) == 1:
        swept = f" · {runs[0].swept}" if runs[0].swept is not None else ""
        return f"{runs[0].job}{swept} · {runs[0].model}"
    sweeps = {tuple(text_at(run.fields, "sweep", name) for name in ("kind", "began")) for run in runs}
    kind, began = next(iter(sweeps))
    if len(sweeps) == 1 and kind is not None and began is not None:
        return f"sweep of {kind} · {runs[0].model}"
    return f"{len(runs)} runs side by side"


def tables(runs: Sequence[ReportedRun]) -> list[Table]:
    """Every table of a report, the most telling first; those that have nothing to say are left out."""
    found = [
        _figures("Documents", runs, _DOCUMENTS),
        _figures("Calls", runs, _CALLS),
        _latency(runs),
        _figures("Goodput", runs, _GOODPUT),
        _figures("Attempts and pace", runs, _PACE),
        _tokens_and_cost(runs),
        _figures("Trust", runs, _TRUST),
        errors(runs),
        settings(runs),
    ]
    return [table for table in found if table is not None]


def seconds_text(value_s: float) -> str:
    """A duration in seconds for people."""
    return ms(round(value_s * NS_PER_S))


def cost_text(run: ReportedRun) -> str:
    """What a run cost, with the mark of its source; `?` when unpriced."""
    if number_at(run.figures, "cost_usd") is None:
        return "?"
    return money(Cost(str(value_at(run.figures, "cost_usd")), text_at(run.figures, "cost_source") or ""))


def change_text(first: float, other: float) -> str:
    """How far `other` lies from `first`: `+12 %`, `±0 %`, `×14`; empty where there is nothing to divide by."""
    if first <= 0 or other < 0:
        return ""
    if first == other:
        return "±0 %"
    ratio = other / first
    if ratio >= 10:
        return f"×{ratio:.0f}" if ratio < 10_000 else "×10k+"
    percent = (ratio - 1) * 100
    digits = 0 if abs(percent) >= 9.95 else 1
    text = f"{percent:+.{digits}f} %".replace("-", "−")
    return "±0 %" if text[1:] in ("0 %", "0.0 %") else text


# ── figures ────────────────────────────────────────────────────────────────────────────────────────────


def _at(*path: str) -> Callable[[ReportedRun], float | None]:
    return lambda run: number_at(run.figures, *path)


def _whole(value: float) -> str:
    return exact(round(value))


def share_text(value: float) -> str:
    """A share of 0 to 1 in percent. 100 % is all of it, never a rounded 99.96."""
    return f"{min(value * 100, 99.9) if value < 1 else value * 100:.1f} %"


def _done_share(run: ReportedRun) -> float | None:
    done, due = number_at(run.figures, "calls", "done"), run.due
    return done / due if done is not None and due else None


def _settled_share(run: ReportedRun) -> float | None:
    done, total = number_at(run.figures, "documents", "done"), number_at(run.figures, "documents", "total")
    return done / total if done is not None and total else None


def _dollars(value: float) -> str:
    return usd(Decimal(f"{value:.12f}"))


# Runs differ in size: of counts and money neither more nor less is better, of shares, rates and durations it is.
_DOCUMENTS = [
    Figure("read", _at("documents", "total"), _whole),
    Figure("done", _at("documents", "done"), _whole),
    Figure("failed", _at("documents", "failed"), _whole),
    Figure("pending, for a run that goes on", _at("documents", "pending"), _whole, None, False),
    Figure("equal to another, and answered with it", _at("documents", "shared"), _whole, None, False),
    Figure("sent without their end", _at("documents", "cut"), _whole, None, False),
    Figure("done, of those read", _settled_share, share_text, False),
]
_CALLS = [
    Figure("begun", _at("calls", "total"), _whole),
    *(
        Figure(state.value, _at("calls", state.value), _whole, None, state in (State.DONE, State.FAILED))
        for state in State
        if state in TERMINAL
    ),
    Figure("never sent", _at("never_sent"), _whole, None, False),
    Figure("done again by hand, of these", _at("done_again"), _whole, None, False),
    Figure("warm-up, in no figure here", _at("warmup_calls"), _whole, None, False),
    Figure("done, of all that were due", _done_share, share_text, False),
]
_PACE = [
    Figure("attempts", _at("attempts"), _whole),
    Figure("retries", _at("retries"), _whole),
    Figure("429s", _at("http_429"), _whole),
    Figure("most in any 60 s", _at("rpm_peak_60s"), _whole),
    Figure("tok/s, all streams", _at("run_tokens_per_s"), rate, False),
    Figure("tok/s a stream, p50", _at("stream_tokens_per_s", "p50"), rate, False),
    Figure("wall time", _at("wall_s"), seconds_text),
]
_GOODPUT = [
    Figure("calls that met every objective", _at("goodput", "met"), _whole),
    Figure("share of ended calls", _at("goodput", "share"), share_text, False),
    Figure("a second", _at("goodput", "per_s"), rate, False),
]
_TRUST = [
    Figure("engine lag p99", _at("engine_lag_s", "p99"), seconds_text),
    Figure("engine lag max", _at("engine_lag_s", "max"), seconds_text),
    Figure("dispatch error p99", _at("dispatch_error_s", "p99"), seconds_text),
    Figure("late stamps", _at("ttft_marks", "late"), _whole),
    Figure("shared stamps", _at("ttft_marks", "shared"), _whole),
]
_TOKENS = [
    Figure("prompt tokens", _at("tokens", "prompt"), _whole),
    Figure("· cached", _at("tokens", "cached"), _whole, None, False),
    Figure("completion tokens", _at("tokens", "completion"), _whole),
    Figure("· reasoning", _at("tokens", "reasoning"), _whole, None, False),
]
_BUDGET = [
    Figure("budget", _at("budget", "limit_usd"), _dollars),
    Figure("· spent of it, at most", _at("budget", "charged_usd"), _dollars),
    Figure("· calls not sent for it", _at("budget", "refused"), _whole),
]
_LATENCIES = [
    ("TTFT", "ttft_s"),
    ("server TTFT", "server_ttft_s"),
    ("user TTFT", "user_ttft_s"),
    ("queue", "queue_s"),
    ("TPOT", "tpot_s"),
    ("E2E", "e2e_s"),
]
_POINTS = ("p50", "p90", "p95", "p99", "max")
_POINTS_OF_SEVERAL = ("p50", "p95", "p99")
"""Side by side each is a row: three tell, five tire."""


def _cells(figure: Figure, runs: Sequence[ReportedRun]) -> list[Cell]:
    values = [figure.read(run) for run in runs]
    first = values[0]
    cells = []
    for index, value in enumerate(values):
        if value is None:
            cells.append(Cell(ABSENT))
        elif index == 0 or first is None:
            cells.append(Cell(figure.written(value)))
        else:
            verdict = ""
            if figure.lower_is_better is not None and abs(value - first) >= TELLING * abs(first) and value != first:
                verdict = "better" if (value < first) == figure.lower_is_better else "worse"
            told = value != first or figure.lower_is_better is not None  # as many calls again are no news
            cells.append(Cell(figure.written(value), change_text(first, value) if told else "", verdict))
    return cells


def _rows(figures: Sequence[Figure], runs: Sequence[ReportedRun]) -> list[Row]:
    return [
        Row(figure.name, _cells(figure, runs))
        for figure in figures
        if figure.tells_when_0 or any(figure.read(run) for run in runs)
    ]


def _known(row: Row) -> bool:
    return any(cell.text not in (ABSENT, "") for cell in row.cells)


def _table(title: str, columns: list[str], rows: list[Row]) -> Table | None:
    known = [row for row in rows if _known(row)]
    return Table(title, columns, known) if known else None


def _figures(title: str, runs: Sequence[ReportedRun], figures: Sequence[Figure]) -> Table | None:
    return _table(title, column_names(runs), _rows(figures, runs))


def _latency(runs: Sequence[ReportedRun]) -> Table | None:
    def figure(name: str, key: str, point: str) -> Figure:
        return Figure(name, _at(key, point), seconds_text, True)

    if len(runs) == 1:
        rows = [Row(name, [_cells(figure(name, key, point), runs)[0] for point in _POINTS]) for name, key in _LATENCIES]
        return _table("Latency", list(_POINTS), rows)
    rows = [
        Row(f"{name} {point}", _cells(figure(name, key, point), runs))
        for name, key in _LATENCIES
        for point in _POINTS_OF_SEVERAL
    ]
    return _table("Latency", column_names(runs), rows)


def _tokens_and_cost(runs: Sequence[ReportedRun]) -> Table | None:
    marked = {"usage": "by the server", "estimated": "estimated", "mixed": "partly estimated"}
    rows = _rows(_TOKENS, runs)
    sources = [text_at(run.figures, "tokens", "source") for run in runs]
    rows.append(Row("counted", [Cell(marked.get(source or "", source or ABSENT)) for source in sources]))
    amounts = Figure("cost", _at("cost_usd"), str)
    if any(run.figures for run in runs):
        costs = zip(_cells(amounts, runs), runs, strict=True)
        rows.append(Row("cost", [cell._replace(text=cost_text(run)) for cell, run in costs]))
        rows.append(Row("· source", [Cell(text_at(run.figures, "cost_source") or ABSENT) for run in runs]))
    rows += _rows(_BUDGET, runs)
    return _table("Tokens and cost", column_names(runs), rows)


def errors(runs: Sequence[ReportedRun]) -> Table | None:
    """Why calls are not done, most frequent first, and how often."""
    counted: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        listed = value_at(run.figures, "errors")
        for each in listed if isinstance(listed, list) else []:
            error, n = text_at(each, "error"), whole_at(each, "n")
            if error is not None and n is not None:
                counted.setdefault(short(error), [0] * len(runs))[index] += n
    ordered = sorted(counted.items(), key=lambda each: -sum(each[1]))
    rows = [Row(error, [Cell(exact(n) if n else ABSENT) for n in ns]) for error, ns in ordered[:MOST_ERRORS]]
    if len(ordered) > MOST_ERRORS:
        rest = [sum(ns[index] for _, ns in ordered[MOST_ERRORS:]) for index in range(len(runs))]
        rows.append(Row("further errors", [Cell(exact(n)) for n in rest]))
    return _table("Errors", column_names(runs), rows)


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────


def settings(runs: Sequence[ReportedRun]) -> Table | None:
    """Model, endpoint, limits, and whatever else the record says of what the run was asked to do."""
    rows = [Row(name, [Cell(value) for value in values]) for name, values in setting_rows(runs)]
    return _table("Limits and settings", column_names(runs), rows)


__all__ = [
    "LETTERS", "MOST_RUNS", "Cell", "Row", "Table", "change_text", "column_names", "cost_text", "label",
    "report_title", "seconds_text", "share_text", "tables",
]  # fmt: skip
