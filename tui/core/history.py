"""A whole run as series over time, for the charts, in memory that does not grow with its length.

At most 300 steps of equal width; when the run outgrows them, neighbours merge and the width doubles. Asks no clock.
Facts come nearly in order: one that is late is counted in the step of its own instant (text is stamped by the kernel,
a moment before other facts), and gauges, which are levels and not events, never go back.
"""

from collections import deque
from collections.abc import Mapping

from tui.core.calls import Usage
from tui.core.clock import NS_PER_S
from tui.core.figures import exact
from tui.core.history_step import Step
from tui.core.money import Price
from tui.core.ratio_counts import RatioCounts
from tui.core.views import LimitStep, Marker, Timeline

MOST_STEPS = 300
FIRST_WIDTH_NS = NS_PER_S
KEPT_CHANGES = 200
"""Limits, and markers, that are kept: the newest. Before the oldest limit kept, nothing is said of limits."""


class History:
    """The steps of a run so far."""

    __slots__ = (
        "_active", "_begun", "_gauges_at", "_limits", "_markers", "_open", "_open_from", "_open_until",
        "_prices", "_queued", "_start_at", "_steps", "_ttft", "_width_ns",
    )  # fmt: skip

    def __init__(self) -> None:
        self._begun = False
        self._steps: list[Step] = []
        """Empty until anything is known; then the last one is open."""
        self._start_at = 0
        self._width_ns = FIRST_WIDTH_NS
        self._open = Step()
        self._open_from = self._open_until = 0
        """The open step and its bounds: nearly all facts belong there."""
        self._active = self._queued = 0
        """The gauges since `_gauges_at`; until then they are in the steps."""
        self._gauges_at = 0
        self._ttft = RatioCounts()
        self._limits: deque[LimitStep] = deque(maxlen=KEPT_CHANGES)
        self._markers: deque[Marker] = deque(maxlen=KEPT_CHANGES)
        self._prices: dict[str, Price | None] = {}

    # ── what happened ──────────────────────────────────────────────────────────────────────────────────

    def began(self, at: int) -> None:
        """The run starts here; what came before counts in the first step. Only the first call counts."""
        if self._begun:
            return
        self._begun = True
        first = Step()
        for step in self._steps:
            first.absorb(step)
        first.active_ns = first.queued_ns = 0  # of time that is no part of the run
        self._start_with(first, at)

    def sent(self, at: int) -> None:
        """An attempt was sent."""
        self._step(at).attempts += 1

    def refused(self, at: int) -> None:
        """An attempt was answered with 429."""
        self._step(at).refused += 1

    def failed(self, at: int) -> None:
        """An attempt failed otherwise."""
        self._step(at).failed += 1

    def text(self, at: int, chars: int) -> None:
        """So many characters arrived. Runs once a token: 0.1 µs where the step is open."""
        if self._open_from <= at < self._open_until:
            self._open.chars += chars
        else:
            self._step(at).chars += chars

    def first_token(self, at: int, ttft_ns: int) -> None:
        """An attempt's first token came, so long after it was sent."""
        self._step(at).first_token(ttft_ns)
        self._ttft.record(ttft_ns)

    def states(self, at: int, active: int, queued: int) -> None:
        """From now on so many attempts are on the wire and so many calls wait."""
        self._hold(at)
        self._active, self._queued = active, queued

    def spent(self, at: int, model: str, usage: Usage) -> None:
        """An attempt that ended used these tokens."""
        self._step(at).spend(model, usage)

    def limits(self, at: int, rpm: int | None, tpm: int | None, concurrency: int) -> None:
        """The limits are these from now on; the first ones are the start's, later ones are marked as changes."""
        if not self._limits:
            self._limits.append(LimitStep(at, rpm, tpm, concurrency))
            return
        before = self._limits[-1]
        after = LimitStep(max(at, before.at), rpm, tpm, concurrency)
        changes = _changes(before, after)
        if changes:
            self._limits.append(after)
            self._markers.extend(Marker(after.at, what) for what in changes)

    def marker(self, at: int, what: str) -> None:
        """Something was changed that the charts should show (`paused`)."""
        self._markers.append(Marker(at, what))

    # ── the steps ──────────────────────────────────────────────────────────────────────────────────────

    def _step(self, at: int) -> Step:
        """The step of an instant; the steps grow to reach it, and what was before the start is in the first."""
        if not self._steps:
            self._start_with(Step(), at)
        index = max(0, (at - self._start_at) // self._width_ns)
        if index >= len(self._steps):
            self._open.ttft_quantiles()  # reckoned while it closes: 300 at the first look would take 2 ms
            while index >= MOST_STEPS:
                self._double()
                index //= 2
            self._steps.extend(Step() for _ in range(index + 1 - len(self._steps)))
            self._open_last()
        return self._steps[index]

    def _start_with(self, first: Step, at: int) -> None:
        self._steps = [first]
        self._start_at = self._gauges_at = at
        self._width_ns = FIRST_WIDTH_NS
        self._open_last()

    def _double(self) -> None:
        for earlier, later in zip(self._steps[::2], self._steps[1::2], strict=False):  # an odd last one stays alone
            earlier.absorb(later)
        self._steps = self._steps[::2]
        self._width_ns *= 2

    def _open_last(self) -> None:
        self._open = self._steps[-1]
        self._open_until = self._start_at + len(self._steps) * self._width_ns
        self._open_from = self._open_until - self._width_ns

    def _hold(self, until: int) -> None:
        """The gauges stood as they are until this instant."""
        self._step(until)
        since = self._gauges_at
        if until <= since:
            return
        index = (since - self._start_at) // self._width_ns
        for step in self._steps[index:]:
            index += 1
            lasted = min(until, self._start_at + index * self._width_ns) - since
            if lasted <= 0:
                break
            step.active_ns += self._active * lasted
            step.queued_ns += self._queued * lasted
            since += lasted
        self._gauges_at = until

    # ── the picture ────────────────────────────────────────────────────────────────────────────────────

    def timeline(self, now: int, tokens_per_char: float, prices: Mapping[str, Price | None]) -> Timeline:
        """The run until `now` (of a run that is over: until its end), with these prices for all of its past.

        Every cost is None as long as no price is known at all.
        """
        if not self._steps:
            return Timeline(now, FIRST_WIDTH_NS, limits=list(self._limits), markers=list(self._markers))
        self._hold(now)
        steps = self._steps
        quantiles = [step.ttft_quantiles() for step in steps]
        return Timeline(
            self._start_at,
            self._width_ns,
            attempts=[step.attempts for step in steps],
            http_429=[step.refused for step in steps],
            errors=[step.failed for step in steps],
            tokens=[step.chars * tokens_per_char for step in steps],
            ttft_p50=[p50 for p50, _ in quantiles],
            ttft_p95=[p95 for _, p95 in quantiles],
            active=self._means([step.active_ns for step in steps], self._active),
            queued=self._means([step.queued_ns for step in steps], self._queued),
            cost_usd=self._costs(prices),
            limits=list(self._limits),
            markers=list(self._markers),
            ttft_bins=self._ttft.bins(),
        )

    def _means(self, sums: list[int], level: int) -> list[float]:
        """Of a gauge by step, given its integrals and its level now; a step that has no age yet has the level."""
        means = [total / self._width_ns for total in sums]
        index, age = divmod(self._gauges_at - self._start_at, self._width_ns)
        means[index:] = [float(level)] * (len(means) - index)
        if age:
            means[index] = sums[index] / age
        return means

    def _costs(self, prices: Mapping[str, Price | None]) -> list[float | None]:
        if self._prices != prices:
            self._prices = dict(prices)  # a new table, so that the steps reckon anew
        if all(price is None for price in self._prices.values()):
            return [None] * len(self._steps)
        return [step.cost_usd(self._prices) for step in self._steps]


def _changes(before: LimitStep, after: LimitStep) -> list[str]:
    """What differs between two limits, for people."""
    changes = [
        change
        for name, old, new in (("RPM", before.rpm, after.rpm), ("TPM", before.tpm, after.tpm))
        if (change := _change(name, old, new)) is not None
    ]
    if before.concurrency != after.concurrency:
        changes.append(f"{exact(before.concurrency)} → {exact(after.concurrency)} at once")
    return changes


def _change(name: str, old: int | None, new: int | None) -> str | None:
    if old == new:
        return None
    if new is None:
        return f"no {name} limit"
    if old is None:
        return f"{name} limit {exact(new)}"
    return f"{name} {exact(old)} → {exact(new)}"


__all__ = ["History"]
