"""What a call's record says of its money, and which calls are the same question."""

from decimal import Decimal

import pytest

from tui.core.calls import State, Usage
from tui.core.money import NOTHING, UNPRICED, CostSource, Money, Price
from tui.core.records import AttemptRecord, CallRecord, item_key

PRICE = Price(Decimal(1), Decimal(10))
USAGE = Usage(prompt=1000, completion=100)


def record(*attempts: AttemptRecord) -> CallRecord:
    return CallRecord(id=1, state=State.DONE, model="m", item_key="k", plan_json=b"{}", due_s=0.0, attempts=attempts)


def test_both_attempts_of_a_retried_call_are_costed_and_the_weaker_one_names_the_sum() -> None:
    cut = AttemptRecord(sent_s=0.0, usage=USAGE, usage_estimated=True, possibly_billed=True)
    delivered = AttemptRecord(sent_s=1.0, usage=USAGE)
    assert record(cut, delivered).cost(PRICE) == Money(Decimal("0.004"), CostSource.POSSIBLY_BILLED)


@pytest.mark.parametrize(
    ("attempt", "source"),
    [
        (AttemptRecord(sent_s=0.0, usage=USAGE), CostSource.BILLED),
        (AttemptRecord(sent_s=0.0, usage=USAGE, usage_estimated=True), CostSource.ESTIMATED),
    ],
)
def test_a_cost_says_who_counted(attempt: AttemptRecord, source: CostSource) -> None:
    assert record(attempt).cost(PRICE).source is source


def test_a_call_without_a_price_is_unpriced_and_one_that_never_worked_costs_nothing() -> None:
    assert record(AttemptRecord(sent_s=0.0, usage=USAGE)).cost(None) == UNPRICED
    assert record(AttemptRecord(sent_s=0.0, status=429)).cost(None) == NOTHING


MESSAGES = [{"role": "user", "content": "hi"}]


def test_the_same_question_is_the_same_item_whatever_the_order_of_its_fields() -> None:
    first = item_key(MESSAGES, "m", "http://h", {"temperature": 0, "n": 2})
    swapped = [{"content": "hi", "role": "user"}]
    assert item_key(swapped, "m", "http://h", {"n": 2, "temperature": 0, "stream": True}) == first
    assert len(first) == 64


@pytest.mark.parametrize(
    ("messages", "model", "origin", "params", "document"),
    [
        ([{"role": "user", "content": "ho"}], "m", "http://h", {}, None),
        (MESSAGES, "other", "http://h", {}, None),
        (MESSAGES, "m", "http://other", {}, None),
        (MESSAGES, "m", "http://h", {"max_tokens": 5}, None),
        (MESSAGES, "m", "http://h", {}, "document"),
    ],
)
def test_whatever_affects_the_answer_makes_another_item(
    messages: list[dict[str, str]], model: str, origin: str, params: dict[str, int], document: str | None
) -> None:
    assert item_key(messages, model, origin, params, document) != item_key(MESSAGES, "m", "http://h", {})


def test_a_lone_surrogate_in_a_prompt_has_a_key_like_any_other() -> None:
    assert len(item_key([{"role": "user", "content": "\ud83d"}], "m", "http://h", {})) == 64
