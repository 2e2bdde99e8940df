"""A run as a series of steps: at whatever width, every step holds what a recount of the facts says."""

import math
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.calls import Usage
from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.history import KEPT_CHANGES, MOST_STEPS, History
from tui.core.money import Price, Tier, cost_of
from tui.core.views import LimitStep, Marker, Timeline

START = 7_000 * NS_PER_S + 123
FLAT = Price(Decimal("2.5"), Decimal(10), Decimal("0.25"))
TIERED = Price(Decimal(1), Decimal(4), None, (Tier(200_000, Decimal(2), Decimal(6)),))
PRICES = {"flat": FLAT, "tiered": TIERED}

USAGES = st.builds(
    Usage, st.sampled_from([0, 1, 900, 31_999, 200_000, 200_001, 900_000]), st.integers(0, 5_000), cached=st.just(700)
)
HAPPENINGS = st.one_of(
    st.tuples(st.sampled_from(["sent", "refused", "failed"])),
    st.tuples(st.just("text"), st.integers(1, 40)),
    st.tuples(st.just("first_token"), st.integers(NS_PER_MS, 90 * NS_PER_S)),
    st.tuples(st.just("states"), st.integers(0, 200), st.integers(0, 9_000)),
    st.tuples(st.just("spent"), st.sampled_from(list(PRICES)), USAGES),
)
GAPS_NS = st.one_of(
    st.integers(0, 3 * NS_PER_S),
    st.integers(-4 * NS_PER_S, 0),
    st.integers(0, 400 * NS_PER_S),
    st.integers(0, 30 * 3600 * NS_PER_S),
)
Story = list[tuple[int, tuple[Any, ...]]]
STORIES = st.lists(st.tuples(GAPS_NS, HAPPENINGS), max_size=60)


@dataclass
class Recount:
    """The facts as they were told, to be counted again once the width is known."""

    events: list[tuple[int, str, tuple[Any, ...]]] = field(default_factory=list)
    levels: list[tuple[int, int, int]] = field(default_factory=lambda: [(START, 0, 0)])

    def tell(self, history: History, at: int, what: str, *rest: Any) -> None:
        getattr(history, what)(at, *rest)
        if what == "states":
            active, queued = rest
            self.levels.append((max(at, self.levels[-1][0]), active, queued))
        else:
            self.events.append((at, what, rest))

    def by_step(self, shown: Timeline, what: str) -> list[list[tuple[Any, ...]]]:
        """The facts of a kind, step by step at the width shown."""
        steps: list[list[tuple[Any, ...]]] = [[] for _ in shown.attempts]
        for at, kind, rest in self.events:
            if kind == what:
                steps[max(0, (at - shown.start_at) // shown.width_ns)].append(rest)
        return steps

    def means(self, shown: Timeline, now: int, gauge: int) -> list[float]:
        """Of a gauge over each step, as far as it was seen; its level where a step has no age."""
        begins = range(shown.start_at, shown.start_at + len(shown.attempts) * shown.width_ns, shown.width_ns)
        sums = [0] * len(begins)
        for level, until in zip(self.levels, [at for at, *_ in self.levels[1:]] + [now], strict=True):
            for index, begin in enumerate(begins):
                sums[index] += level[gauge] * max(0, min(until, begin + shown.width_ns) - max(level[0], begin))
        ages = [min(now - begin, shown.width_ns) for begin in begins]
        return [total / age if age else self.levels[-1][gauge] for total, age in zip(sums, ages, strict=True)]

    def check(self, shown: Timeline, now: int) -> None:
        """Every series is what the facts say."""
        assert shown.attempts == [len(facts) for facts in self.by_step(shown, "sent")]
        assert shown.http_429 == [len(facts) for facts in self.by_step(shown, "refused")]
        assert shown.errors == [len(facts) for facts in self.by_step(shown, "failed")]
        assert shown.tokens == [sum(chars for (chars,) in facts) / 4 for facts in self.by_step(shown, "text")]
        assert shown.active == pytest.approx(self.means(shown, now, 1))
        assert shown.queued == pytest.approx(self.means(shown, now, 2))
        assert shown.cost_usd == [
            float(sum(cost_of(usage, PRICES[model]) for model, usage in facts))
            for facts in self.by_step(shown, "spent")
        ]
        for p50, p95, facts in zip(shown.ttft_p50, shown.ttft_p95, self.by_step(shown, "first_token"), strict=True):
            ttfts = [ttft for (ttft,) in facts]
            assert p50 == (pytest.approx(nearest_rank(ttfts, 0.5), rel=0.036) if ttfts else None)
            assert p95 == (pytest.approx(nearest_rank(ttfts, 0.95), rel=0.036) if ttfts else None)
        assert sum(each.n for each in shown.ttft_bins) == sum(what == "first_token" for _, what, _ in self.events)


def a_run(story: Story) -> tuple[History, Recount, int]:
    """The history of a story, its recount, and the latest instant in it."""
    history, recount, at = History(), Recount(), START
    history.began(START)
    latest = at
    for gap, (what, *rest) in story:
        at += gap
        latest = max(latest, at)
        recount.tell(history, at, what, *rest)
    return history, recount, latest


def nearest_rank(values: list[int], fraction: float) -> int:
    return sorted(values)[max(1, math.ceil(fraction * len(values))) - 1]


@given(STORIES, st.integers(0, 3 * 3600 * NS_PER_S))
def test_every_step_holds_what_a_recount_at_its_width_holds(story: Story, more_ns: int) -> None:
    history, recount, latest = a_run(story)
    now = latest + more_ns
    recount.check(history.timeline(now, 0.25, PRICES), now)


@pytest.mark.parametrize("pace_s", [0.02, 0.2, 2, 40])
def test_steps_that_merge_again_and_again_under_load_and_while_watched_still_hold_what_a_recount_holds(
    pace_s: float,
) -> None:
    rng = random.Random(pace_s)
    history, recount, at, latest = History(), Recount(), START, START
    history.began(START)
    for number in range(4_000):
        at += round(rng.uniform(-0.2, 2) * pace_s * NS_PER_S)
        latest = max(latest, at)
        what = rng.choice(("sent", "refused", "failed", "text", "first_token", "states", "spent"))
        recount.tell(history, max(at, recount.levels[-1][0]) if what == "states" else at, what, *load(rng, what))
        if number % 100 == 99:
            shown = history.timeline(latest, 0.25, PRICES)
            recount.levels.append((latest, *recount.levels[-1][1:]))
            if number % 1_000 == 999:
                recount.check(shown, latest)


def load(rng: random.Random, what: str) -> tuple[Any, ...]:
    """What a fact of this kind comes with, in a run."""
    if what == "text":
        return (rng.randint(1, 40),)
    if what == "first_token":
        return (round(rng.lognormvariate(-0.7, 0.8) * NS_PER_S),)
    if what == "states":
        return rng.randint(0, 60), rng.randint(0, 900)
    if what == "spent":
        prompt = rng.choice([1, 900, 31_999, 199_999, 200_000, 200_001, 900_000])
        return rng.choice(list(PRICES)), Usage(prompt, rng.randint(0, 5_000), cached=700)
    return ()


@given(STORIES)
@settings(max_examples=50)
def test_steps_are_never_more_than_300_and_never_wider_than_they_must_be(
    story: Story,
) -> None:
    history, at, latest, width = History(), START, START, NS_PER_S
    history.began(START)
    for gap, (what, *rest) in story:
        at += gap
        latest = max(latest, at)
        getattr(history, what)(at, *rest)
        shown = history.timeline(latest, 0.25, PRICES)
        assert shown.start_at == START
        assert shown.width_ns in (width, *(width << power for power in range(1, 40)))
        assert len(shown.attempts) == (latest - START) // shown.width_ns + 1 <= MOST_STEPS
        assert shown.width_ns == NS_PER_S or (latest - START) // (shown.width_ns // 2) >= MOST_STEPS
        width = shown.width_ns
        series = (shown.http_429, shown.errors, shown.tokens, shown.ttft_p50, shown.ttft_p95, shown.active)
        assert {len(each) for each in (*series, shown.queued, shown.cost_usd)} == {len(shown.attempts)}


@given(STORIES)
def test_looking_at_a_run_all_the_time_does_not_change_it(story: Story) -> None:
    in_order = [(abs(gap), happening) for gap, happening in story]
    unseen, _, now = a_run(in_order)
    seen, at = History(), START
    seen.began(START)
    for number, (gap, (what, *rest)) in enumerate(in_order):
        at += gap
        getattr(seen, what)(at, *rest)
        seen.timeline(at, 0.25, {"flat": FLAT} if number % 2 else PRICES)
    assert seen.timeline(now, 0.25, PRICES) == unseen.timeline(now, 0.25, PRICES)


def test_a_run_of_which_nothing_is_known_is_an_empty_timeline() -> None:
    assert History().timeline(START, 0.25, PRICES) == Timeline(START, NS_PER_S)


def test_a_new_step_opens_on_the_very_nanosecond() -> None:
    history = History()
    history.began(START)
    history.text(START + NS_PER_S - 1, 4)
    history.text(START + NS_PER_S, 8)
    assert history.timeline(START + NS_PER_S, 0.25, {}).tokens == [1.0, 2.0]


def test_the_301st_second_merges_pairs() -> None:
    history = History()
    history.began(START)
    for second in range(MOST_STEPS):
        history.sent(START + second * NS_PER_S)
    before = history.timeline(START + 299 * NS_PER_S, 0.25, {})
    assert (before.width_ns, before.attempts) == (NS_PER_S, [1] * 300)
    history.sent(START + 300 * NS_PER_S)
    after = history.timeline(START + 300 * NS_PER_S, 0.25, {})
    assert (after.width_ns, after.attempts) == (2 * NS_PER_S, [2] * 150 + [1])


def test_what_comes_before_the_start_is_in_the_first_step_but_its_levels_are_not() -> None:
    history = History()
    history.sent(START - 40 * NS_PER_S)
    history.states(START - 40 * NS_PER_S, 70, 70)
    history.states(START - 3 * NS_PER_S, 5, 9)
    history.text(START - 3 * NS_PER_S, 4)
    history.began(START)
    history.failed(START - 2 * NS_PER_S)
    history.states(START + NS_PER_S, 1, 0)
    history.began(START + 60 * NS_PER_S)
    shown = history.timeline(START + 2 * NS_PER_S - 1, 0.25, {})
    assert (shown.start_at, shown.attempts, shown.tokens, shown.errors) == (START, [1, 0], [1.0, 0.0], [1, 0])
    assert (shown.active, shown.queued) == ([5.0, 1.0], [9.0, 0.0])


def test_what_comes_late_is_counted_in_its_own_step_and_shows_although_that_was_asked_for() -> None:
    history = History()
    history.began(START)
    history.sent(START + 5 * NS_PER_S)
    history.timeline(START + 5 * NS_PER_S, 0.25, PRICES)
    history.first_token(START + 2 * NS_PER_S, 300 * NS_PER_MS)
    history.spent(START + 3 * NS_PER_S, "flat", Usage(0, 100_000))
    history.text(START + 4 * NS_PER_S, 4)
    shown = history.timeline(START + 5 * NS_PER_S, 0.25, PRICES)
    assert shown.ttft_p50 == [None, None, 300 * NS_PER_MS, None, None, None]
    assert shown.cost_usd == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert shown.tokens == [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def test_a_price_that_becomes_known_late_prices_the_past_and_a_step_with_an_unpriced_part_stays_unpriced() -> None:
    history = History()
    history.began(START)
    history.spent(START, "flat", Usage(0, 100_000))
    history.spent(START + NS_PER_S, "flat", Usage(0, 100_000))
    history.spent(START + NS_PER_S, "unheard of", Usage(0, 100_000))
    now = START + 2 * NS_PER_S
    prices: dict[str, Price | None] = {"unheard of": None}
    assert history.timeline(now, 0.25, prices).cost_usd == [None, None, None]
    prices["flat"] = FLAT
    assert history.timeline(now, 0.25, prices).cost_usd == [1.0, None, 0.0]
    prices["unheard of"] = Price(Decimal(0), Decimal(20))
    assert history.timeline(now, 0.25, prices).cost_usd == [1.0, 3.0, 0.0]


def test_the_first_limits_are_the_starts_and_each_change_says_what_changed() -> None:
    history = History()
    history.limits(START, 120, None, 8)
    history.began(START)
    history.limits(START + 10, 120, None, 8)
    history.limits(START + 20, 132, 90_000, 8)
    history.limits(START + 30, None, 90_000, 16)
    history.limits(START + 40, 6_000, None, 1_200)
    history.marker(START + 50, "paused")
    shown = history.timeline(START + 60, 0.25, {})
    assert shown.limits == [
        LimitStep(START, 120, None, 8),
        LimitStep(START + 20, 132, 90_000, 8),
        LimitStep(START + 30, None, 90_000, 16),
        LimitStep(START + 40, 6_000, None, 1_200),
    ]
    assert shown.markers == [
        Marker(START + 20, "RPM 120 → 132"),
        Marker(START + 20, "TPM limit 90,000"),
        Marker(START + 30, "no RPM limit"),
        Marker(START + 30, "8 → 16 at once"),
        Marker(START + 40, "RPM limit 6,000"),
        Marker(START + 40, "no TPM limit"),
        Marker(START + 40, "16 → 1,200 at once"),
        Marker(START + 50, "paused"),
    ]


def test_of_many_changes_the_newest_are_kept_and_each_limit_keeps_its_own_instant() -> None:
    history = History()
    history.began(START)
    for change in range(KEPT_CHANGES + 50):
        history.limits(START + change, 100 + change, None, 8)
    shown = history.timeline(START + NS_PER_S, 0.25, {})
    assert shown.limits == [LimitStep(START + n, 100 + n, None, 8) for n in range(50, KEPT_CHANGES + 50)]
    assert shown.markers[0] == Marker(START + 50, "RPM 149 → 150")
    assert len(shown.markers) == KEPT_CHANGES


def test_limits_that_come_late_never_make_the_line_run_back() -> None:
    history = History()
    history.limits(START + 10, 120, None, 8)
    history.limits(START, 132, None, 8)
    shown = history.timeline(START + 20, 0.25, {})
    assert [limit.at for limit in shown.limits] == [START + 10, START + 10]
