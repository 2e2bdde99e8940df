"""What a report says of one run or of several side by side: tables of finished text. Pure; draws nothing.

Values come from summaries that may be old or damaged: what is not there is a dash. Every text is clean, and no markup.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from tui.core.calls import TERMINAL, State
from tui.core.clock import NS_PER_S
from tui.core.figures import ABSENT, exact, money, ms, rate
from tui.core.lookup import number_at, text_at, value_at, whole_at
from tui.core.snapshot import Cost
from tui.core.untrusted import clean_line
from tui.core.views import Timeline

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_RUNS = len(LETTERS)
MOST_ERRORS = 12
TELLING = 0.05
"""A smaller difference, as a share of the first run's figure, is called neither better nor worse."""
MOST_TEXT = 240
"""Characters of a setting or an error."""


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """One run, as a report knows it."""

    name: str
    state: str
    """`finished`, `interrupted`, `running`, `crashed` or `unreadable`."""
    began: datetime
    fields: Mapping[str, Any]
    """The journal's of the run."""
    figures: Mapping[str, Any]
    """The summary."""
    notes: tuple[str, ...] = ()
    """What is missing, and why."""
    timeline: Timeline | None = None
    """None: nothing is known over time."""
    end_at: int = 0
    """End of the run (ns), on the timeline's clock."""

    @property
    def job(self) -> str:
        """`load`, `demo`, …"""
        return text_at(self.figures, "job") or text_at(self.fields, "job") or ABSENT

    @property
    def model(self) -> str:
        """The model's name."""
        return text_at(self.figures, "model") or text_at(self.fields, "model") or ABSENT

    @property
    def endpoint(self) -> str:
        """Where it went, without anything that may be a secret."""
        return public_url(text_at(self.fields, "base_url") or "") or ABSENT


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


def label(index: int) -> str:
    """What a report with several runs calls each."""
    return LETTERS[index]


def tables(runs: Sequence[ReportedRun]) -> list[Table]:
    """Every table of a report, the most telling first; those that have nothing to say are left out."""
    found = [
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
    if first == other:
        return "±0 %"
    if first <= 0 or other < 0:
        return ""
    ratio = other / first
    if ratio >= 10:
        return f"×{ratio:.0f}" if ratio < 10_000 else "×10k+"
    percent = (ratio - 1) * 100
    digits = 0 if abs(percent) >= 9.95 else 1
    text = f"{percent:+.{digits}f} %".replace("-", "−")
    return "±0 %" if text[1:] in ("0 %", "0.0 %") else text


def public_url(url: str) -> str:
    """An address without user, password, query and fragment."""
    return re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0])


# ── figures ────────────────────────────────────────────────────────────────────────────────────────────


def _at(*path: str) -> Callable[[ReportedRun], float | None]:
    return lambda run: number_at(run.figures, *path)


def _whole(value: float) -> str:
    return exact(round(value))


def _share(value: float) -> str:
    return f"{value * 100:.1f} %"


def _done_share(run: ReportedRun) -> float | None:
    done, total = number_at(run.figures, "calls", "done"), number_at(run.figures, "calls", "total")
    return done / total if done is not None and total else None


# Runs differ in size: of counts and money neither more nor less is better, of shares, rates and durations it is.
_CALLS = [
    Figure("in all", _at("calls", "total"), _whole),
    *(Figure(state.value, _at("calls", state.value), _whole) for state in State if state in TERMINAL),
    Figure("never sent", _at("never_sent"), _whole),
    Figure("done, of all", _done_share, _share, False),
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
    Figure("share of ended calls", _at("goodput", "share"), _share, False),
    Figure("a second", _at("goodput", "per_s"), rate, False),
]
_TRUST = [
    Figure("engine lag p99", _at("engine_lag_s", "p99"), seconds_text, True),
    Figure("engine lag max", _at("engine_lag_s", "max"), seconds_text, True),
    Figure("dispatch error p99", _at("dispatch_error_s", "p99"), seconds_text, True),
    Figure("late stamps", _at("ttft_marks", "late"), _whole),
    Figure("shared stamps", _at("ttft_marks", "shared"), _whole),
]
_TOKENS = [
    Figure("prompt tokens", _at("tokens", "prompt"), _whole),
    Figure("· cached", _at("tokens", "cached"), _whole),
    Figure("completion tokens", _at("tokens", "completion"), _whole),
    Figure("· reasoning", _at("tokens", "reasoning"), _whole),
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
            cells.append(Cell(figure.written(value), change_text(first, value), verdict))
    return cells


def _columns(runs: Sequence[ReportedRun]) -> list[str]:
    return [label(index) for index in range(len(runs))] if len(runs) > 1 else []


def _known(row: Row) -> bool:
    return any(cell.text not in (ABSENT, "") for cell in row.cells)


def _table(title: str, columns: list[str], rows: list[Row]) -> Table | None:
    known = [row for row in rows if _known(row)]
    return Table(title, columns, known) if known else None


def _figures(title: str, runs: Sequence[ReportedRun], figures: Sequence[Figure]) -> Table | None:
    return _table(title, _columns(runs), [Row(figure.name, _cells(figure, runs)) for figure in figures])


def _latency(runs: Sequence[ReportedRun]) -> Table | None:
    def figure(name: str, key: str, point: str) -> Figure:
        return Figure(name, _at(key, point), seconds_text, True)

    if len(runs) == 1:
        rows = [Row(name, [_cells(figure(name, key, point), runs)[0] for point in _POINTS]) for name, key in _LATENCIES]
        return _table("Latency", list(_POINTS), rows)
    rows = [
        Row(f"{name} {point}", _cells(figure(name, key, point), runs)) for name, key in _LATENCIES for point in _POINTS
    ]
    return _table("Latency", _columns(runs), rows)


def _tokens_and_cost(runs: Sequence[ReportedRun]) -> Table | None:
    marked = {"usage": "counted by the server", "estimated": "estimated", "mixed": "partly estimated"}
    rows = [Row(figure.name, _cells(figure, runs)) for figure in _TOKENS]
    sources = [text_at(run.figures, "tokens", "source") for run in runs]
    rows.append(Row("counted", [Cell(marked.get(source or "", source or ABSENT)) for source in sources]))
    amounts = Figure("cost", _at("cost_usd"), str)
    if any(run.figures for run in runs):
        costs = zip(_cells(amounts, runs), runs, strict=True)
        rows.append(Row("cost", [cell._replace(text=cost_text(run)) for cell, run in costs]))
        rows.append(Row("· source", [Cell(text_at(run.figures, "cost_source") or ABSENT) for run in runs]))
    return _table("Tokens and cost", _columns(runs), rows)


def errors(runs: Sequence[ReportedRun]) -> Table | None:
    """Why calls are not done, most frequent first, and how often."""
    counted: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        listed = value_at(run.figures, "errors")
        for each in listed if isinstance(listed, list) else []:
            error, n = text_at(each, "error"), whole_at(each, "n")
            if error is not None and n is not None:
                counted.setdefault(_short(error), [0] * len(runs))[index] += n
    ordered = sorted(counted.items(), key=lambda each: -sum(each[1]))
    rows = [Row(error, [Cell(exact(n) if n else ABSENT) for n in ns]) for error, ns in ordered[:MOST_ERRORS]]
    if len(ordered) > MOST_ERRORS:
        rest = [sum(ns[index] for _, ns in ordered[MOST_ERRORS:]) for index in range(len(runs))]
        rows.append(Row("further errors", [Cell(exact(n)) for n in rest]))
    return _table("Errors", _columns(runs), rows)


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────

_SETTINGS = ("concurrency", "rpm", "tpm", "burst", "planned", "warmup", "retries", "seed", "params", "transport")
_NO_SETTINGS = frozenset(
    {
        "job", "model", "base_url", "endpoint", "started", "ended", "interrupted", "price", "summary",
        "objectives_ns", "system", "prompt", "prompts",
    }
)  # fmt: skip
"""Said elsewhere, or texts that a report which is handed on should not hold."""


def settings(runs: Sequence[ReportedRun]) -> Table | None:
    """Model, endpoint, limits, and whatever else of the run's own fields is one short value."""
    names = list(_SETTINGS)
    for run in runs:
        names += [name for name in run.fields if name not in names and name not in _NO_SETTINGS]
    rows = [
        Row("model", [Cell(_short(run.model)) for run in runs]),
        Row("endpoint", [Cell(_short(run.endpoint)) for run in runs]),
        *(Row(clean_line(name), [Cell(_setting(run.fields.get(name))) for run in runs]) for name in names),
        Row("objectives", [Cell(_objectives(run)) for run in runs]),
        Row("price from", [Cell(_short(text_at(run.fields, "price", "origin") or ABSENT)) for run in runs]),
    ]
    return _table("Limits and settings", _columns(runs), rows)


def _objectives(run: ReportedRun) -> str:
    stated = value_at(run.figures, "goodput", "objectives_s")
    names = [name for name in stated if number_at(stated, name) is not None] if isinstance(stated, Mapping) else []
    return _short(" · ".join(f"{name} ≤ {seconds_text(number_at(stated, name) or 0)}" for name in names)) or ABSENT


def _setting(value: Any) -> str:
    if value is None or value in ({}, [], ""):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return exact(value) if abs(value) < 10**15 else _short(str(value)[:MOST_TEXT])
    if isinstance(value, str | float):
        return _short(str(value))
    return _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    text = clean_line(text)
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"


__all__ = [
    "LETTERS", "MOST_RUNS", "Cell", "ReportedRun", "Row", "Table", "change_text", "cost_text", "label", "public_url",
    "seconds_text", "tables",
]  # fmt: skip
