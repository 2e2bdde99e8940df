"""Nothing is spent beyond the budget, whatever order things end in, and no attempt costs more than its worst case."""

import random
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.budget import (
    MESSAGE_TOKENS,
    REQUEST_TOKENS,
    TOOLS_TOKENS,
    Budget,
    UnboundedCost,
    charge,
    most_completion_tokens,
    most_prompt_tokens,
    parse_budget,
    worst_cost,
)
from tui.core.calls import CallPlan, Usage
from tui.core.errors import UsageError
from tui.core.money import Price, Tier

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


def test_a_refusal_is_told_in_dollars_and_says_what_of_the_rest_is_only_reserved() -> None:
    budget = Budget(D("0.5"))
    budget.reserve(D("0.496"))
    budget.settle(D("0.496"), D("0.49"))
    assert budget.refusal(D("0.0123")) == "may cost up to $0.0123, and $0.0100 of the budget of $0.5000 is left"
    budget.reserve(D("0.004"))
    assert budget.refusal(D("0.0123")) == (
        "may cost up to $0.0123, and $0.0100 of the budget of $0.5000 is left, "
        "of which $0.0040 is reserved for calls under way"
    )


def test_a_budget_can_be_raised_and_never_lowered() -> None:
    budget = Budget(D("0.5"))
    budget.raise_to(D("0.75"))
    assert budget.reserve(D("0.75"))
    for limit in ("0.75", "0.5"):
        with pytest.raises(ValueError, match=r"is not above the budget of 0\.75"):
            budget.raise_to(D(limit))
    with pytest.raises(ValueError, match="no amount of money"):
        budget.raise_to(D("NaN"))
    assert budget.limit == D("0.75")


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
    prompt = REQUEST_TOKENS + MESSAGE_TOKENS + len("user") + len("x")
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


def test_tool_calls_in_a_conversation_and_parameters_of_words_are_part_of_the_prompt_and_numbers_are_not() -> None:
    asked = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "x" * 500}}]}
    plan = CallPlan(1, "m", ({"role": "user", "content": "x"}, asked), {})
    assert most_prompt_tokens(plan) - most_prompt_tokens(a_plan("x")) > 2 * 500
    bare = most_prompt_tokens(a_plan())
    assert most_prompt_tokens(a_plan(max_tokens=100, temperature=0.5, stream=True)) == bare
    assert most_prompt_tokens(a_plan(reasoning_effort="high")) > bare
    assert most_prompt_tokens(a_plan(documents=[{"text": "x" * 500}])) - bare > 2 * 500


def test_a_short_prompt_is_not_taken_for_a_long_one() -> None:
    assert most_prompt_tokens(a_plan("Name a river.", max_tokens=50)) < 200
    assert most_prompt_tokens(a_plan("x" * 100_000)) < 100_200


def test_parts_of_text_count_as_their_text() -> None:
    parts = [{"type": "text", "text": "x" * 300}, {"type": "text", "text": "y" * 300}]
    assert 600 < most_prompt_tokens(a_plan(parts)) - most_prompt_tokens(a_plan("")) < 660


def test_a_prompt_with_a_lone_surrogate_still_has_bytes() -> None:
    assert most_prompt_tokens(a_plan("\ud800")) > most_prompt_tokens(a_plan(""))


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_no_normal_form_of_a_text_has_more_bytes_than_its_bound(text: str) -> None:
    room = most_prompt_tokens(a_plan(text)) - most_prompt_tokens(a_plan(""))
    for form in ("NFC", "NFKC"):
        assert len(unicodedata.normalize(form, text).encode("utf-8", "surrogatepass")) <= room


def test_a_letter_that_a_tokeniser_writes_out_is_bounded_as_written_out() -> None:
    ligature = "\ufdfa"  # three bytes, which NFKC makes eighteen letters of
    assert most_prompt_tokens(a_plan(ligature * 100)) - most_prompt_tokens(a_plan("")) >= 100 * 33


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
