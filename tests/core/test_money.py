"""What tokens cost: exact, with a provenance, and never 0 for want of a price."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.calls import Usage
from tui.core.errors import UsageError
from tui.core.money import NOTHING, UNPRICED, CostSource, Money, Price, Tier, cost_of, parse_price, weakest

GPT_4O = Price(Decimal("2.5"), Decimal(10), Decimal("1.25"))
LONG = Price(
    Decimal(1), Decimal(2), tiers=(Tier(200_000, Decimal(10), Decimal(20)), Tier(128_000, Decimal(5), Decimal(6)))
)


@pytest.mark.parametrize(
    ("usage", "price", "usd"),
    [
        (Usage(prompt=1_000_000), GPT_4O, "2.5"),
        (Usage(completion=1_000_000), GPT_4O, "10"),
        (Usage(prompt=1, completion=1), GPT_4O, "0.0000125"),
        # Cached tokens are inside the prompt and have their own price.
        (Usage(prompt=1000, cached=400), GPT_4O, "0.0020"),
        (Usage(prompt=1000, cached=400), Price(Decimal("2.5"), Decimal(10)), "0.0025"),
        # Reasoning is inside the completion: never added twice.
        (Usage(completion=100, reasoning=90), GPT_4O, "0.001"),
        # A server that reports more cached than prompt tokens does not make the prompt negative.
        (Usage(prompt=10, cached=50), GPT_4O, "0.0000125"),
        (Usage(), GPT_4O, "0"),
    ],
)
def test_a_call_costs_its_tokens_at_their_own_rates(usage: Usage, price: Price, usd: str) -> None:
    assert cost_of(usage, price) == Decimal(usd)


@pytest.mark.parametrize(
    ("prompt", "rate"), [(128_000, 1), (128_001, 5), (200_000, 5), (200_001, 10), (10_000_000, 10)]
)
def test_a_tier_applies_to_all_tokens_once_the_prompt_is_past_it(prompt: int, rate: int) -> None:
    assert cost_of(Usage(prompt=prompt), LONG) == Decimal(prompt) * rate / 1_000_000


def test_a_sum_of_floats_would_not_have_been_exact() -> None:
    tenth = Money(Decimal("0.1"), CostSource.BILLED)
    assert (tenth + tenth + tenth).amount == Decimal("0.3")


def test_an_unpriced_part_makes_the_sum_unpriced_and_not_smaller() -> None:
    assert Money(Decimal(3), CostSource.BILLED) + UNPRICED == UNPRICED


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (CostSource.BILLED, CostSource.ESTIMATED, CostSource.ESTIMATED),
        (CostSource.POSSIBLY_BILLED, CostSource.ESTIMATED, CostSource.POSSIBLY_BILLED),
        (CostSource.POSSIBLY_BILLED, CostSource.UNPRICED, CostSource.UNPRICED),
        (CostSource.BILLED, CostSource.BILLED, CostSource.BILLED),
    ],
)
def test_a_sum_is_as_weak_as_its_weakest_part(first: CostSource, second: CostSource, both: CostSource) -> None:
    assert weakest(first, second) is both
    assert weakest(second, first) is both


amounts = st.decimals("0", "1000", places=9)
moneys = st.one_of(
    st.just(UNPRICED),
    st.builds(Money, amounts, st.sampled_from([s for s in CostSource if s is not CostSource.UNPRICED])),
)


@given(moneys, moneys, moneys)
def test_adding_money_is_associative_and_commutative_with_nothing_as_its_zero(a: Money, b: Money, c: Money) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + NOTHING == a


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("in=2.5,out=10", Price(Decimal("2.5"), Decimal(10), origin="--price")),
        (" out = 10 , in = .5 , cached = 0 ", Price(Decimal("0.5"), Decimal(10), Decimal(0), origin="--price")),
    ],
)
def test_a_price_on_the_command_line(text: str, price: Price) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", 'expected in=, out= or cached=, got ""'),
        ("2.5,10", 'expected in=, out= or cached=, got "2.5"'),
        ("in=2.5", '"out=" is missing'),
        ("out=1", '"in=" is missing'),
        ("in=1,out=2,in=3", '"in" is given twice'),
        ("in=-1,out=2", 'expected an amount in USD, got "in=-1"'),
        ("in=NaN,out=2", 'expected an amount in USD, got "in=NaN"'),
        ("in=1e9,out=2", 'expected an amount in USD, got "in=1e9"'),
        ("in=.,out=2", 'expected an amount in USD, got "in=."'),
        ("in=\u0661,out=2", 'expected an amount in USD, got "in=\u0661"'),
        ("in=$1,out=2", 'expected an amount in USD, got "in=$1"'),
        ("in=1\x1b[31m,out=2", 'expected an amount in USD, got "in=1\ufffd[31m"'),
        ("input=1,out=2", 'expected in=, out= or cached=, got "input=1"'),
    ],
)
def test_a_price_that_cannot_be_read_names_the_flag_and_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_price(text)
    assert (raised.value.where, raised.value.what) == ("--price", what)
    assert "in=2.5,out=10" in raised.value.hint


@pytest.mark.parametrize("price", [GPT_4O, LONG, parse_price("in=0.000001,out=3")])
def test_a_price_survives_the_journal(price: Price) -> None:
    assert Price.from_dict(json.loads(json.dumps(price.to_dict()))) == price


@pytest.mark.parametrize("rate", ["NaN", "sNaN", "Infinity", "-1", "-0", "1e13", "1e999999", "1e-999999"])
@pytest.mark.parametrize("name", ["input", "output", "cached"])
def test_a_rate_that_is_no_amount_is_refused(name: str, rate: str) -> None:
    rates = {"input": "1", "output": "2"}
    for plain in ({**rates, name: rate}, {**rates, "tiers": [{"above": 1, **rates, name: rate}]}):
        with pytest.raises(ValueError, match="is no price"):
            Price.from_dict(plain)
