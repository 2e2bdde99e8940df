"""What a run would take: never a low figure above its high one, and nothing that has no bound as if it had one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.budget import most_prompt_tokens
from tui.core.calls import CallPlan, Usage
from tui.core.estimate import Workload, estimate, workload
from tui.core.money import Price, Tier, cost_of

D = Decimal
PRICE = Price(D("2.5"), D(10), D("1.25"))


def a_plan(prompt: Any = "Name a river.", **params: Any) -> CallPlan:
    return CallPlan(1, "m", ({"role": "user", "content": prompt},), params)


amounts = st.decimals(0, 10, places=15)
prices = st.builds(
    lambda rates, tiers: Price(*rates, tiers=tuple(tiers)),
    st.tuples(amounts, amounts, st.none() | amounts),
    st.lists(st.builds(Tier, st.integers(0, 2000), amounts, amounts, st.none() | amounts), max_size=3),
)


def test_prompts_are_counted_by_who_can_count() -> None:
    def words(messages: Sequence[Mapping[str, Any]]) -> int:
        return sum(len(message["content"].split()) for message in messages)

    plans = [a_plan("a b c", max_tokens=1), a_plan("d e", max_tokens=1)]
    assert workload(plans, prompt_tokens=words).prompt_low == 5


def test_plans_are_added_up() -> None:
    plans = [a_plan("x" * 40, max_tokens=100), a_plan("x" * 41, max_tokens=10, n=2)]
    most = [most_prompt_tokens(plan) for plan in plans]
    assert workload(plans, expected_tokens=60) == Workload(2, 10 + 11, sum(most), max(most), 60 + 20, 100 + 20)


def test_what_has_no_bound_leaves_the_upper_figures_open_and_not_zero() -> None:
    work = workload([a_plan(max_tokens=5), a_plan()], expected_tokens=60)
    assert (work.answers_low, work.answers_high) == (65, None)
    found = estimate(work, PRICE, rpm=60)
    assert (found.tokens_high, found.duration_high_s, found.cost_high) == (None, None, None)
    assert found.cost_low == cost_of(Usage(work.prompt_low, 65), PRICE)
    picture = a_plan([{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}], max_tokens=5)
    assert workload([picture]).prompt_high is None
    assert estimate(workload([picture]), PRICE).cost_high is None


def test_a_run_takes_as_long_as_its_rate_or_its_streams_make_it() -> None:
    work = Workload(101, 1010, 2020, 20, 10_100, 20_200)
    by_rate = estimate(work, rpm=60, concurrency=200)
    assert by_rate.duration_low_s == pytest.approx(100 + 0.2 + 0.005 * 100)
    assert by_rate.duration_high_s == pytest.approx(101 + 2.0 + 0.05 * 200)
    by_streams = estimate(work, concurrency=10)
    assert by_streams.duration_low_s == pytest.approx(11 * 0.7)
    assert by_streams.duration_high_s == pytest.approx(11 * 12.0)
    by_tokens = estimate(work, tpm=1000, concurrency=200)
    assert by_tokens.duration_low_s == pytest.approx((11_110 - 100) * 60 / 1000 + 0.7)


def test_all_prompts_together_do_not_reach_a_tier_that_none_of_them_does() -> None:
    dear = Price(D(1), D(1), tiers=(Tier(1000, D(100), D(100)),))
    work = Workload(100, 50_000, 80_000, 900, 0, 0)
    found = estimate(work, dear)
    assert (found.cost_low, found.cost_high) == (D("0.05"), D("0.08"))
    assert estimate(replace(work, longest_prompt=1001), dear).cost_high == 8


def test_an_unpriced_model_has_an_estimate_of_everything_but_money() -> None:
    found = estimate(workload([a_plan(max_tokens=5)]))
    assert (found.cost_low, found.cost_high) == (None, None)
    assert found.tokens_high is not None


def test_a_run_of_nothing_takes_nothing() -> None:
    found = estimate(workload([]), PRICE, rpm=60, tpm=100)
    assert (found.requests, found.tokens_high, found.duration_high_s, found.cost_high) == (0, 0, 0.0, 0)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300)), max_size=8),
    st.integers(1, 400) | st.none(),
    prices,
    st.integers(1, 1000) | st.none(),
    st.integers(1, 5000) | st.none(),
    st.integers(1, 20),
)
def test_the_low_figure_is_never_above_the_high_one(
    sizes: list[tuple[int, int]], expected: int | None, price: Price, rpm: int | None, tpm: int | None, streams: int
) -> None:
    plans = [a_plan("x" * n, max_tokens=most) for n, most in sizes]
    found = estimate(workload(plans, expected), price, rpm, tpm, streams)
    assert found.tokens_high is not None
    assert found.tokens_low <= found.tokens_high
    assert found.duration_high_s is not None
    assert found.duration_low_s <= found.duration_high_s
    assert found.cost_low is not None
    assert found.cost_high is not None
    assert found.cost_low <= found.cost_high
