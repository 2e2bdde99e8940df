"""Several runs in a few bars: what a sweep is run for, and the first thing to look at of any runs side by side.

Draws nothing; the values are those of the tables.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tui.core.figures import ABSENT, exact, rate
from tui.core.lookup import number_at
from tui.core.report import cost_text, label, seconds_text, share_text
from tui.core.report_charts import Ink
from tui.core.report_run import ReportedRun


class Bar(NamedTuple):
    """One run's value."""

    name: str
    share: float
    """Of the largest value among the runs, 0 to 1."""
    text: str


class Comparison(NamedTuple):
    """One figure of every run."""

    title: str
    ink: Ink
    bars: list[Bar]


class _Compared(NamedTuple):
    title: str
    ink: Ink
    read: Callable[[ReportedRun], float | None]
    written: Callable[[ReportedRun, float], str]
    whole: float | None = None
    """What a full bar stands for; None: the largest of the values."""
    unless_0: bool = False
    """Left out where it is 0 in every run."""
    absent: str = ABSENT


def _at(*path: str) -> Callable[[ReportedRun], float | None]:
    return lambda run: number_at(run.figures, *path)


def _cost(run: ReportedRun, _: float) -> str:
    return cost_text(run)


_COMPARED = (
    _Compared("tok/s, all streams", "accent", _at("run_tokens_per_s"), lambda _, value: rate(value)),
    _Compared("TTFT p50", "violet", _at("ttft_s", "p50"), lambda _, value: seconds_text(value)),
    _Compared("TTFT p95", "violet", _at("ttft_s", "p95"), lambda _, value: seconds_text(value)),
    _Compared("E2E p95", "blue", _at("e2e_s", "p95"), lambda _, value: seconds_text(value)),
    _Compared("goodput", "green", _at("goodput", "share"), lambda _, value: share_text(value), 1.0),
    _Compared("429s", "amber", _at("http_429"), lambda _, value: exact(round(value)), unless_0=True),
    _Compared("cost", "green", _at("cost_usd"), _cost, unless_0=True, absent="?"),
)


def comparisons(runs: Sequence[ReportedRun]) -> list[Comparison]:
    """The figures worth a bar each; none where there is one run."""
    if len(runs) < 2:
        return []
    names = [run.swept or label(index) for index, run in enumerate(runs)]
    found = []
    for compared in _COMPARED:
        values = [compared.read(run) for run in runs]
        known = [value for value in values if value is not None]
        if not known or (compared.unless_0 and not any(known)):
            continue
        whole = compared.whole if compared.whole is not None else max(known)
        bars = [
            Bar(name, 0.0, compared.absent)
            if value is None
            else Bar(name, min(max(value / whole, 0.0), 1.0) if whole > 0 else 0.0, compared.written(run, value))
            for name, run, value in zip(names, runs, values, strict=True)
        ]
        found.append(Comparison(compared.title, compared.ink, bars))
    return found


__all__ = ["Bar", "Comparison", "comparisons"]
