"""What a report draws of a run over time: series with their units, and how TTFTs are spread. Draws nothing.

The numbers are those of the dashboard's charts: a Timeline, and the same rates made of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10
from typing import Any, Literal, NamedTuple

from tui.core.clock import NS_PER_S
from tui.core.figures import count, exact, ms, rate, usd
from tui.core.lookup import number_at
from tui.core.report_run import ReportedRun
from tui.core.timeline_rates import elapsed_ns, per_second, sliding_minute
from tui.core.views import Bin, Timeline

Ink = Literal["blue", "accent", "violet", "bright", "amber", "green", "red"]
"""Names of the dashboard's inks."""

FAR_LIMIT = 6
"""A limit that many times above what was used is left out: it would press everything else to the ground."""


class Series(NamedTuple):
    """One value a step; None where there is none."""

    name: str
    ink: Ink
    shape: Literal["area", "line", "dashes", "ticks"]
    """`ticks` are counts: a small mark at the upper edge where there are any."""
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart over time."""

    title: str
    unit: str
    series: list[Series]
    """The one at the back first."""
    written: Callable[[float], str]
    """A value for people."""
    width_ns: int
    """Of a step."""
    least_top: float
    """The axis reaches at least to here."""

    @property
    def top(self) -> float:
        """The highest value, rounded up to one that people know."""
        highest = max(
            (
                value
                for series in self.series
                if series.shape != "ticks"
                for value in series.values
                if value is not None
            ),
            default=0.0,
        )
        return round_top(max(highest, self.least_top))


class Spread(NamedTuple):
    """How many calls had which TTFT."""

    bins: Sequence[Bin]
    marks: list[tuple[str, int]]
    """Percentiles (ns) by name."""


def charts(run: ReportedRun) -> list[Chart]:
    """The charts of a run over time; none when nothing is known over time."""
    timeline = run.timeline
    if timeline is None:
        return []
    elapsed = elapsed_ns(timeline, run.end_at)
    width = timeline.width_ns

    def chart(title: str, unit: str, series: list[Series], written: Callable[[float], str], least_top: float) -> Chart:
        return Chart(title, unit, series, written, width, least_top)

    used = sliding_minute(timeline.attempts, width, elapsed)
    found = [
        chart(
            "Requests a minute",
            "in the 60 s before",
            [
                Series("attempts", "blue", "area", used),
                *_limit(timeline, used),
                *_counted("429s", "amber", timeline.http_429),
                *_counted("errors", "red", timeline.errors),
            ],
            lambda value: count(round(value)),
            10,
        ),
        chart(
            "TTFT over time",
            "",
            [
                Series("p50", "violet", "area", timeline.ttft_p50),
                Series("p95", "bright", "line", timeline.ttft_p95),
            ],
            lambda value: ms(round(value)),
            10_000_000,
        ),
        chart(
            "Tokens a second",
            "all streams",
            [Series("tok/s", "accent", "area", per_second(timeline.tokens, width, elapsed))],
            rate,
            10,
        ),
        chart(
            "At once",
            "calls",
            [
                Series("active", "accent", "area", timeline.active),
                Series("queued", "amber", "line", timeline.queued),
            ],
            _few,
            4,
        ),
    ]
    if any(cost is not None for cost in timeline.cost_usd):
        spent = sliding_minute(timeline.cost_usd, width, elapsed)
        found.append(
            chart("Cost a minute", "USD in the 60 s before", [Series("cost", "green", "area", spent)], _usd, 0.0001)
        )
    return found


def spread(run: ReportedRun) -> Spread | None:
    """How the TTFTs of a run are spread; None without any."""
    timeline = run.timeline
    if timeline is None or not any(each.n for each in timeline.ttft_bins):
        return None
    marks = [
        (point, round(found * NS_PER_S))
        for point in ("p50", "p95", "p99")
        if (found := number_at(run.figures, "ttft_s", point)) is not None
    ]
    return Spread(timeline.ttft_bins, marks)


def series_json(run: ReportedRun) -> dict[str, Any] | None:
    """Everything over time as plain values; seconds and counts a step."""
    timeline = run.timeline
    if timeline is None:
        return None
    return {
        "step_s": timeline.width_ns / NS_PER_S,
        "attempts": timeline.attempts,
        "http_429": timeline.http_429,
        "errors": timeline.errors,
        "tokens": [round(value, 3) for value in timeline.tokens],
        "ttft_p50_s": [_seconds(value) for value in timeline.ttft_p50],
        "ttft_p95_s": [_seconds(value) for value in timeline.ttft_p95],
        "active": [round(value, 3) for value in timeline.active],
        "queued": [round(value, 3) for value in timeline.queued],
        "cost_usd": timeline.cost_usd,
        "ttft_histogram": [
            {"low_s": _seconds(each.low), "high_s": _seconds(each.high), "n": each.n} for each in timeline.ttft_bins
        ],
    }


def round_top(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten that is not below it."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15) if step * power >= value * (1 - 1e-9))


def _limit(timeline: Timeline, used: Sequence[float | None]) -> list[Series]:
    limit = timeline.limits[-1].rpm if timeline.limits else None
    highest = max((value for value in used if value is not None), default=0.0)
    if limit is None or limit > FAR_LIMIT * max(highest, 50.0):
        return []
    return [Series(f"limit {exact(limit)}", "amber", "dashes", [float(limit)] * len(used))]


def _counted(name: str, ink: Ink, values: Sequence[int]) -> list[Series]:
    return [Series(f"{name} {exact(sum(values))}", ink, "ticks", values)] if any(values) else []


def _few(value: float) -> str:
    return rate(value) if value % 1 else count(int(value))


def _usd(value: float) -> str:
    return usd(Decimal(f"{value:.9f}"))


def _seconds(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / NS_PER_S


__all__ = ["Chart", "Series", "Spread", "charts", "round_top", "series_json", "spread"]
