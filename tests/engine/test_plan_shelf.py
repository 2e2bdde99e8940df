"""Plans that are kept for later: those that failed before those that ended well, and never more than the budget."""

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.calls import CallPlan
from tui.engine.plan_shelf import PLAN_BYTES, PlanShelf

EMPTY = sys.getsizeof("")
SIZE = PLAN_BYTES + EMPTY + 500
"""What a plan of 500 characters counts; the word `user` is there once for all, within `ROLE`."""
ROLE = sys.getsizeof("user")


def a_plan(call: int, chars: int = 500, **params: Any) -> CallPlan:
    text = f"{call:08}" * (chars // 8 + 1)
    return CallPlan(call, "m", ({"role": "user", "content": text[:chars]},), params)


def kept(shelf: PlanShelf, calls: int) -> list[int]:
    return [call for call in range(1, calls + 1) if shelf.get(call) is not None]


def filled(budget_bytes: int, calls: int, ended_well: set[int] = frozenset()) -> PlanShelf:  # type: ignore[assignment]
    """A shelf on which each call's plan was put, and its end noted, before the next one began."""
    shelf = PlanShelf(budget_bytes)
    for call in range(1, calls + 1):
        shelf.keep(a_plan(call))
        if call in ended_well:
            shelf.ended_well(call)
    return shelf


def test_a_plan_is_there_until_it_is_in_the_way_however_its_call_ended() -> None:
    shelf = filled(10 * SIZE, 5, {2, 4})
    assert [shelf.get(call) for call in range(1, 6)] == [a_plan(call) for call in range(1, 6)]
    assert shelf.get(6) is None


def test_beyond_the_budget_the_oldest_that_ended_well_goes_first() -> None:
    assert kept(filled(4 * SIZE + ROLE, 6, {2, 3}), 6) == [1, 4, 5, 6]


def test_when_none_ended_well_the_oldest_goes() -> None:
    assert kept(filled(4 * SIZE + ROLE, 6), 6) == [3, 4, 5, 6]


def test_the_newest_is_kept_even_if_it_is_larger_than_the_whole_budget() -> None:
    shelf = filled(4 * SIZE, 3)
    shelf.keep(a_plan(4, chars=10 * SIZE))
    assert kept(shelf, 4) == [4]
    shelf.keep(a_plan(5))
    assert kept(shelf, 5) == [5]


def test_the_end_of_a_call_whose_plan_is_gone_changes_nothing() -> None:
    shelf = filled(2 * SIZE + ROLE, 6)
    for call in (1, 1, 99):
        shelf.ended_well(call)
    assert kept(shelf, 6) == [5, 6]


def test_a_prompt_that_all_calls_share_counts_once() -> None:
    system, prompt = {"role": "system", "content": "s" * 100_000}, {"role": "user", "content": "p" * 100_000}
    shelf = PlanShelf(200_500 + 50 * PLAN_BYTES)
    for call in range(1, 101):
        # As a load run makes them: tuples and dicts of their own around the same texts.
        shelf.keep(CallPlan(call, "m", ({**system}, {**prompt}), {}))
    assert kept(shelf, 100) == list(range(51, 101))


def test_a_shared_text_is_given_back_with_the_last_plan_that_holds_it() -> None:
    shared = {"role": "user", "content": "p" * 3 * SIZE}
    shelf = PlanShelf(6 * SIZE + ROLE)
    shelf.keep(CallPlan(1, "m", (shared,), {}))
    shelf.keep(CallPlan(2, "m", (shared,), {}))
    for call in range(3, 13):
        shelf.keep(a_plan(call))
    assert kept(shelf, 12) == list(range(7, 13))


@pytest.mark.parametrize(
    "large",
    [
        {"messages": ({"role": "system", "content": "x" * 5000}, {"role": "user", "content": "hi"})},
        {"messages": ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x" * 5000}}]},)},
        {"messages": ({"role": "user", "content": "hi"},), "params": {"response_format": {"schema": ["x" * 5000]}}},
    ],
)
def test_every_text_of_a_request_counts_and_not_only_the_one_that_people_see(large: dict[str, Any]) -> None:
    shelf = filled(3 * SIZE + 2 * ROLE + 10, 3)
    shelf.keep(CallPlan(4, "m", large["messages"], large.get("params", {})))
    assert kept(shelf, 4) == [4]


def test_a_million_short_plans_would_not_fit_either() -> None:
    shelf = PlanShelf(100 * PLAN_BYTES)
    for call in range(1, 1001):
        shelf.keep(CallPlan(call, "m", (), {}))
    assert kept(shelf, 1000) == list(range(901, 1001))


@given(st.lists(st.tuples(st.integers(0, 3000), st.booleans(), st.booleans()), max_size=40), st.integers(0, 12_000))
def test_whatever_comes_and_ends_what_is_kept_is_within_the_budget(
    calls: list[tuple[int, bool, bool]], budget: int
) -> None:
    shelf, common = PlanShelf(budget), "c" * 700
    plans: dict[int, CallPlan] = {}
    for call, (chars, shares, well) in enumerate(calls, start=1):
        texts = [f"{call}" * chars, *([common] if shares else [])]
        plans[call] = CallPlan(call, "m", ({"content": texts},), {})
        shelf.keep(plans[call])
        assert shelf.get(call) is plans[call]
        if well:
            shelf.ended_well(call)
        held = [plan for number, plan in plans.items() if shelf.get(number) is not None]
        texts_held = {id(text): sys.getsizeof(text) for plan in held for text in plan.messages[0]["content"]}
        size = len(held) * PLAN_BYTES + sum(texts_held.values())
        assert size <= budget or len(held) == 1


@pytest.mark.parametrize(("char", "bytes_each"), [("a", 1), ("水", 2), ("😀", 4)])
def test_a_text_counts_the_memory_it_takes_and_not_its_characters(char: str, bytes_each: int) -> None:
    shelf = PlanShelf(10 * (PLAN_BYTES + 100) + 100_000)
    for call in range(1, 21):
        shelf.keep(CallPlan(call, "m", ({"content": f"{char}" * (10_000 + call)},), {}))
    assert len(kept(shelf, 20)) == pytest.approx(10 / bytes_each, abs=1)


def test_a_text_that_grew_when_it_was_encoded_gives_back_what_it_counted() -> None:
    shelf = PlanShelf(3 * SIZE + ROLE)
    for call in range(1, 40):
        plan = a_plan(call)
        shelf.keep(plan)
        msgspec.json.encode(plan.messages)
    assert kept(shelf, 39) == [37, 38, 39]
