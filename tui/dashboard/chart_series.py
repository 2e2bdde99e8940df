"""What the charts over time say: for each its series, a value a step, and the words and figures of its legend.

Snapshot in, values out; knows nothing of cells. Figures are written by core.figures alone.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from tui.core import figures
from tui.core.clock import NS_PER_S
from tui.core.snapshot import Cost, Snapshot
from tui.core.timeline_rates import elapsed_ns, per_second, sliding_minute
from tui.core.views import LimitStep, Timeline
from tui.dashboard.theme import Ink

MINUTE_NS = 60 * NS_PER_S
AREA, LINE, SPARSE, TICK = "⣶", "⠒⠒", "⢕", "▾"
"""How the shapes look in a legend."""

_TRAILING_ZEROS = re.compile(r"(\d)\.0+(?!\d)|(\.\d*[1-9])0+(?!\d)")


class Legend(NamedTuple):
    """One entry of a legend: how it is drawn, what it is, how it stands now."""

    glyph: str
    word: str
    value: str
    ink: Ink


class Series(NamedTuple):
    """One value a step; None where there is none."""

    values: Sequence[float | None]
    ink: Ink
    shape: Literal["area", "line", "lower", "upper"]
    """`lower` and `upper` are counts that stand on each other."""
    of_many: Literal["mean", "highest", "both ends"] = "mean"
    """What is drawn where several steps share a dot."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything one chart over time says."""

    name: str
    unit: str
    series: list[Series]
    """The one on top first."""
    legend: list[Legend]
    """The most telling first: on a narrow panel the last ones are left off."""
    written: Callable[[float], str]
    """A value as it stands at the axis."""
    least_top: float
    """The axis reaches at least to here."""
    whole: bool = False
    """Ticks at whole numbers only."""
    outliers: bool = False
    """A few values far above all others may run out of the picture."""
    ticked: Sequence[int] = field(default_factory=list)
    """Counts a step; where there are any, a small mark stands at the upper edge."""
    empty: str | None = None
    """What stands there instead of a plot."""

    @property
    def ink(self) -> Ink:
        """The ink of the chart itself."""
        return self.series[-1].ink


def run_elapsed_ns(snapshot: Snapshot, timeline: Timeline) -> int:
    """How much of the run the timeline tells of: until now, or its end."""
    return elapsed_ns(timeline, snapshot.run.ended_at if snapshot.run.ended_at is not None else snapshot.at)


def charts(snapshot: Snapshot, timeline: Timeline) -> list[Chart]:
    """The charts over time, the most telling first."""
    elapsed = run_elapsed_ns(snapshot, timeline)
    return [
        _requests(snapshot, timeline, elapsed),
        _tokens(snapshot, timeline, elapsed),
        _ttft(timeline),
        _active(timeline),
        _failures(timeline),
        _cost(snapshot, timeline, elapsed),
    ]


def _requests(snapshot: Snapshot, timeline: Timeline, elapsed: int) -> Chart:
    used = sliding_minute(timeline.attempts, timeline.width_ns, elapsed)
    if used and snapshot.run.ended_at is None:
        used[-1] = snapshot.attempts_60s
    limits = limits_by_step(timeline.limits, timeline, lambda step: step.rpm)
    limit = snapshot.run.rpm_limit
    most = max((value for value in used if value is not None), default=0.0)
    legend = [Legend(AREA, "", figures.count(snapshot.attempts_60s).rjust(4), "blue")]
    # A limit far above what is used would press everything else to the ground.
    near = [value if value is not None and value <= 6 * max(most, 50.0) else None for value in limits]
    if limit is None:
        legend.append(Legend("", "no limit", "", "dim"))
    else:
        shown = bool(near) and near[-1] is not None
        legend.append(Legend(LINE if shown else "↑", "limit", figures.count(limit), "amber"))
    if refused := sum(timeline.http_429):
        legend.append(Legend(TICK, "429s", figures.count(refused), "amber"))
    return Chart(
        "RPM",
        "requests a minute",
        [Series(near, "amber", "line", "highest"), Series(used, "blue", "area", "highest")],
        legend,
        count_label,
        10,
        whole=True,
        ticked=timeline.http_429,
        empty=None if any(timeline.attempts) else "nothing was sent yet",
    )


def _tokens(snapshot: Snapshot, timeline: Timeline, elapsed: int) -> Chart:
    mark = figures.ESTIMATED if snapshot.tokens_estimated and snapshot.tokens_per_s else ""
    return Chart(
        "tok/s",
        "",
        [Series(per_second(timeline.tokens, timeline.width_ns, elapsed), "accent", "area")],
        [Legend(AREA, "now", f"{mark}{figures.rate(snapshot.tokens_per_s)}".rjust(6), "accent")],
        lambda value: trimmed(figures.rate(value)),
        10,
        empty=None if any(timeline.tokens) else "no text has come yet",
    )


def _ttft(timeline: Timeline) -> Chart:
    p50, p95 = timeline.ttft_p50, timeline.ttft_p95
    return Chart(
        "TTFT",
        "",
        [Series(p95, "bright", "line", "highest"), Series(p50, "violet", "area", "highest")],
        [
            Legend(AREA, "p50", figures.ms(_whole(newest(p50))).rjust(7), "violet"),
            Legend(LINE, "p95", figures.ms(_whole(newest(p95))).rjust(7), "bright"),
        ],
        lambda value: trimmed(figures.ms(round(value))) if value else "0",
        100_000_000,
        outliers=True,
        empty=None if any(value is not None for value in p50) else "no text has come yet",
    )


def _active(timeline: Timeline) -> Chart:
    active, queued = timeline.active, timeline.queued
    return Chart(
        "calls",
        "at once",
        [Series(queued, "amber", "line", "both ends"), Series(active, "accent", "area")],
        [
            Legend(AREA, "active", figures.count(round(newest(active) or 0)).rjust(3), "accent"),
            Legend(LINE, "queued", figures.count(round(newest(queued) or 0)).rjust(3), "amber"),
        ],
        count_label,
        4,
        whole=True,
    )


def _failures(timeline: Timeline) -> Chart:
    return Chart(
        "failures",
        f"per {trimmed(figures.ms(timeline.width_ns))}",
        [Series(timeline.errors, "red", "upper", "highest"), Series(timeline.http_429, "amber", "lower", "highest")],
        [
            Legend(AREA, "429s", figures.count(sum(timeline.http_429)).rjust(4), "amber"),
            Legend(SPARSE, "errors", figures.count(sum(timeline.errors)).rjust(4), "red"),
        ],
        count_label,
        4,
        whole=True,
    )


def _cost(snapshot: Snapshot, timeline: Timeline, elapsed: int) -> Chart:
    spent = sliding_minute(timeline.cost_usd, timeline.width_ns, elapsed)
    now = newest(spent)
    known = any(value is not None for value in timeline.cost_usd)
    text = figures.money(Cost(str(Decimal(f"{now:.9f}")), snapshot.cost.source)) if now is not None else "?"
    return Chart(
        "cost",
        "USD/min",
        [Series(spent, "green", "area", "highest")],
        [Legend(AREA if known else "", "now" if known else "", text.rjust(9), "green" if known else "dim")],
        lambda value: trimmed(figures.usd(Decimal(f"{value:.9f}"))).replace("$", "") if value else "0",
        0.001,
        outliers=True,
        empty=None if known else "? no price is known",
    )


def limits_by_step(
    limits: Sequence[LimitStep], timeline: Timeline, which: Callable[[LimitStep], int | None]
) -> list[float | None]:
    """The limit that held at the end of each step."""
    found: list[float | None] = []
    following = iter([*limits, None])
    upcoming = next(following)
    held: float | None = None
    for step in range(len(timeline.attempts)):
        end = timeline.start_at + (step + 1) * timeline.width_ns
        while upcoming is not None and (upcoming.at < end or step == len(timeline.attempts) - 1):
            held = which(upcoming)
            upcoming = next(following)
        found.append(held)
    return found


def newest(values: Sequence[int | None] | Sequence[float | None]) -> float | None:
    """The last value that is known."""
    return next((value for value in reversed(values) if value is not None), None)


def _whole(value: float | None) -> int | None:
    return round(value) if value is not None else None


def trimmed(text: str) -> str:
    """A figure without zeros that say nothing: `1.00 s` is `1 s` at an axis."""
    return _TRAILING_ZEROS.sub(r"\1\2", text)


def count_label(value: float) -> str:
    """A number of things at an axis."""
    return trimmed(figures.count(round(value)))
