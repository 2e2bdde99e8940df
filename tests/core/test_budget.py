"""Nothing is spent beyond the budget, whatever order things end in; and what a run may cost before it starts."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from tui.core.budget import (
    MESSAGE_TOKENS,
    REQUEST_TOKENS,
    TOOLS_TOKENS,
    Budget,
    UnboundedCost,
    Workload,
    charge,
    estimate,
    most_completion_tokens,
    most_prompt_tokens,
    parse_budget,
    workload,
    worst_cost,
)
from tui.core.calls import CallPlan, Usage
from tui.core.errors import UsageError
from tui.core.money import Price, Tier, cost_of

D = Decimal
PRICE = Price(D("2.5"), D(10), D("1.25"))


def a_plan(prompt: Any = "Name a river.", **params: Any) -> CallPlan:
    return CallPlan(1, "m", ({"role": "user", "content": prompt},), params)


# ── the flag ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("text", "usd"), [("0.50", "0.5"), (" 3 ", "3"), (".000001", "0.000001")])
def test_a_budget_on_the_command_line(text: str, usd: str) -> None:
    assert parse_budget(text) == D(usd)


@pytest.mark.parametrize(
    "text", ["", "0", "0.00", "-1", "$1", "1e3", "NaN", "inf", "1,5", "\u0661", "1" * 10, "\x1b[2J"]
)
def test_a_budget_that_cannot_be_read_names_its_flag(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--budget: expected an amount in USD above 0") as raised:
        parse_budget(text)
    assert str(raised.value).isprintable()


# ── reserving and settling ─────────────────────────────────────────────────────────────────────────────


def test_an_attempt_that_would_pass_the_limit_is_not_let_go_and_changes_nothing() -> None:
    budget = Budget(D("0.50"))
    assert budget.reserve(D("0.30"))
    assert not budget.reserve(D("0.21"))
    assert (budget.spent, budget.reserved, budget.left) == (D(0), D("0.30"), D("0.20"))
    assert budget.reserve(D("0.20"))
    assert budget.left == 0


def test_what_was_reserved_and_not_spent_can_be_spent_by_others() -> None:
    budget = Budget(D(1))
    assert budget.reserve(D("0.9"))
    assert not budget.reserve(D("0.5"))
    assert budget.may_fit_later(D("0.5"))
    budget.settle(D("0.9"), D("0.1"))
    assert (budget.spent, budget.reserved) == (D("0.1"), D(0))
    assert budget.reserve(D("0.5"))
    assert not budget.may_fit_later(D("0.91"))


def test_a_retry_reserves_anew_while_its_first_attempt_keeps_its_worst_case() -> None:
    budget, worst = Budget(D("0.10")), D("0.04")
    for _ in range(2):
        assert budget.reserve(worst)
        budget.settle(worst, charge(worst, PRICE, usage=None, may_be_billed=True))
    assert budget.spent == D("0.08")
    assert not budget.reserve(worst)


def test_an_attempt_counts_for_its_bill_for_its_worst_case_or_for_nothing() -> None:
    worst = D("0.04")
    assert charge(worst, PRICE, Usage(1000, 100), may_be_billed=False) == D("0.0035")
    assert charge(worst, PRICE, None, may_be_billed=True) == worst
    assert charge(worst, PRICE, None, may_be_billed=False) == 0


def test_a_bill_beyond_the_worst_case_is_told_as_it_is_and_stops_the_rest() -> None:
    budget = Budget(D(1))
    assert budget.reserve(D("0.9"))
    budget.settle(D("0.9"), D("1.2"))
    assert (budget.spent, budget.left) == (D("1.2"), D(0))
    assert not budget.reserve(D("0.000001"))
    assert not budget.reserve(D(0))


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity", "sNaN"])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    budget = Budget(D(1))
    for act in (Budget, budget.reserve, budget.may_fit_later, lambda each: budget.settle(D(0), each)):
        with pytest.raises(ValueError, match="no amount of money"):
            act(D(amount))


def test_nothing_can_be_settled_that_was_not_reserved() -> None:
    budget = Budget(D(1))
    assert budget.reserve(D("0.1"))
    with pytest.raises(ValueError, match=r"settles 0\.2 USD where 0\.1 are reserved"):
        budget.settle(D("0.2"), D(0))


def test_a_refusal_is_told_in_dollars() -> None:
    budget = Budget(D("0.5"))
    budget.reserve(D("0.496"))
    assert budget.refusal(D("0.0123")) == "may cost up to $0.0123, and $0.0040 of the budget of $0.5000 is left"


amounts = st.decimals(0, 10, places=15)
steps = st.lists(st.tuples(st.booleans(), amounts, st.integers(0, 10), st.integers(0, 50)), max_size=60)


@given(st.decimals(0, 20, places=12), steps)
def test_spent_and_reserved_never_pass_the_limit_in_whatever_order_attempts_end(
    limit: Decimal, done: list[tuple[bool, Decimal, int, int]]
) -> None:
    budget, under_way, spent = Budget(limit), [], D(0)
    for reserving, worst, tenths, which in done:
        if reserving or not under_way:
            free = limit - spent - sum(under_way)
            assert budget.reserve(worst) is (worst <= free)
            if worst <= free:
                under_way.append(worst)
        else:
            reserved = under_way.pop(which % len(under_way))
            actual = reserved * tenths / 10
            budget.settle(reserved, actual)
            spent += actual
        assert budget.spent == spent
        assert budget.reserved == sum(under_way)
        assert budget.spent + budget.reserved <= limit
        assert budget.left == limit - spent - sum(under_way)
    for reserved in under_way:
        budget.settle(reserved, reserved)
    assert budget.reserved == 0
    assert budget.spent <= limit


def test_many_small_amounts_beside_a_large_one_are_not_rounded_away() -> None:
    budget = Budget(D("999999999.000000000000000001"))
    assert budget.reserve(D("999999999"))
    assert budget.reserve(D("0.000000000000000001"))
    assert not budget.reserve(D("1E-30"))


# ── the most that an attempt can cost ──────────────────────────────────────────────────────────────────


def test_the_worst_case_is_all_its_tokens_at_their_rates() -> None:
    plan = a_plan("x", max_tokens=100)
    prompt = REQUEST_TOKENS + MESSAGE_TOKENS + len('[{"role":"user","content":"x"}]') + 2 * len('{"max_tokens":100}')
    assert most_prompt_tokens(plan) == prompt
    assert worst_cost(plan, PRICE) == (prompt * D("2.5") + 100 * 10) / 1_000_000


@pytest.mark.parametrize(
    ("params", "most"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 9, "max_completion_tokens": 7}, 9),
        ({"max_tokens": 7, "max_completion_tokens": None}, 7),
        ({"max_tokens": 7, "n": 3}, 21),
        ({"max_tokens": 7, "n": 2, "best_of": 5}, 35),
        ({"max_tokens": 7, "n": None}, 7),
        ({}, 4096),
    ],
)
def test_the_most_that_all_answers_may_hold(params: dict[str, Any], most: int) -> None:
    assert most_completion_tokens(a_plan(**params), 4096) == most


def test_a_request_without_a_most_cannot_be_bounded_and_the_flag_for_it_is_named() -> None:
    with pytest.raises(UnboundedCost, match=r"^--budget: a request that states no most tokens") as raised:
        worst_cost(a_plan(), PRICE)
    assert "--max-tokens" in raised.value.hint
    assert worst_cost(a_plan(), PRICE, most_answer_tokens=4096) > worst_cost(a_plan(), PRICE, most_answer_tokens=10)


@pytest.mark.parametrize(
    "params",
    [{"max_tokens": most} for most in (-1, 0, True, 7.0, "7")]
    + [{"max_tokens": 7, "max_completion_tokens": -1}, {"max_tokens": 7, "n": "3"}, {"max_tokens": 7, "best_of": True}],
)
def test_what_only_looks_like_a_bound_is_none(params: dict[str, Any]) -> None:
    with pytest.raises(UnboundedCost, match="bounds nothing"):
        worst_cost(a_plan(**params), PRICE, most_answer_tokens=4096)


def test_a_model_without_a_price_has_no_budget() -> None:
    with pytest.raises(UsageError, match='no price is known for "m"') as raised:
        worst_cost(a_plan(max_tokens=5), None)
    assert "--price" in raised.value.hint


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}],
        [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
        ["text"],
    ],
)
def test_a_prompt_that_is_not_only_text_cannot_be_bounded(content: list[Any]) -> None:
    with pytest.raises(UnboundedCost, match="in a prompt has no known bound"):
        worst_cost(a_plan(content, max_tokens=5), PRICE)


def test_tools_and_schemas_are_part_of_the_prompt() -> None:
    tools = [{"type": "function", "function": {"name": "look_up", "description": "d" * 5000}}]
    bare, with_tools = most_prompt_tokens(a_plan()), most_prompt_tokens(a_plan(tools=tools))
    assert with_tools - bare > TOOLS_TOKENS + 2 * 5000


def test_a_prompt_with_a_lone_surrogate_still_has_bytes() -> None:
    assert most_prompt_tokens(a_plan("\ud800")) > most_prompt_tokens(a_plan(""))


def test_no_text_has_more_tokens_than_its_bound(encoding: tiktoken.Encoding) -> None:
    rng = random.Random(3)
    alphabets = [range(0x20, 0x7F), range(0x300), range(0x4E00, 0x9FFF), range(0x1F300, 0x1FAFF), b'\n\t"\\']
    for _ in range(500):
        text = "".join(map(chr, rng.choices(rng.choice(alphabets), k=rng.randint(0, 200))))
        counted = len(encoding.encode_ordinary(text)) + len(encoding.encode_ordinary("user")) + 3 + 3
        assert counted < most_prompt_tokens(a_plan(text))


@pytest.fixture(scope="module")
def encoding() -> tiktoken.Encoding:
    """Byte-level BPE with two merges: the longest tokenisations there are, without loading anybody's ranks."""
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"th": 256, b"the": 257}
    return tiktoken.Encoding("bytes", pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={})


prices = st.builds(
    lambda rates, tiers: Price(*rates, tiers=tuple(tiers)),
    st.tuples(amounts, amounts, st.none() | amounts),
    st.lists(st.builds(Tier, st.integers(0, 2000), amounts, amounts, st.none() | amounts), max_size=3),
)


@given(prices, st.integers(0, 2000), st.integers(1, 500), st.data())
def test_no_bill_within_the_bounds_is_above_the_worst_case(price: Price, chars: int, most: int, data: Any) -> None:
    plan = a_plan("x" * chars, max_tokens=most)
    prompt = data.draw(st.integers(0, most_prompt_tokens(plan)))
    usage = Usage(prompt, data.draw(st.integers(0, most)), cached=data.draw(st.integers(0, prompt)))
    worst = worst_cost(plan, price)
    assert charge(worst, price, usage, may_be_billed=True) <= worst


# ── before it runs ─────────────────────────────────────────────────────────────────────────────────────


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
