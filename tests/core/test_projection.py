"""What a batch will cost: exact at its end, silent where nothing is known, and right as often as it says."""

import random
from decimal import Decimal
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.projection import LEAST_ENDED, Costs, Projection, project

D = Decimal
costs = st.lists(st.decimals(0, 5, places=9), min_size=1, max_size=60)


def of(amounts: list[Decimal]) -> Costs:
    counted = Costs()
    for amount in amounts:
        counted.add(amount)
    return counted


def test_a_hand_made_projection() -> None:
    # Eight calls of mean 2 and deviation 2 · √(8/7): t of seven degrees of freedom is 2.365.
    ended = of([D(0), D(4)] * 4)
    found = project(ended, 32)
    assert (found.spent, found.projected) == (D(16), D(64))
    assert found.low is not None
    assert found.high is not None
    half = 2.365 * 32 * (2 * (8 / 7) ** 0.5) / 8**0.5 * (1 - 8 / 32) ** 0.5
    assert float(found.high) == pytest.approx(64 + half, rel=0.005)
    assert float(found.low) == pytest.approx(max(16.0, 64 - half), rel=0.005)


def test_before_enough_calls_have_ended_only_what_is_spent_is_known() -> None:
    few = of([D("0.5")] * (LEAST_ENDED - 1))
    assert project(few, 100) == Projection(D("3.5"))
    few.add(D("0.5"))
    assert project(few, 100).projected == D(50)
    assert project(Costs(), 100) == Projection(D(0))


def test_a_run_of_unknown_length_has_no_projection() -> None:
    assert project(of([D(1)] * 50), None) == Projection(D(50))


@given(costs, st.integers(0, 3))
def test_at_the_end_it_is_what_was_spent_to_the_last_digit(amounts: list[Decimal], more: int) -> None:
    spent = sum(amounts, D(0))
    assert project(of(amounts), max(0, len(amounts) - more)) == Projection(spent, spent, spent, spent)


@given(costs, st.integers(0, 5000))
def test_the_interval_is_around_the_projection_and_holds_what_is_spent_already(
    amounts: list[Decimal], more: int
) -> None:
    ended = of(amounts)
    assert ended.total == sum(amounts, D(0))
    found = project(ended, len(amounts) + more)
    if found.projected is None:
        assert len(amounts) < LEAST_ENDED
        return
    assert found.low is not None
    assert found.high is not None
    assert found.spent <= found.low <= found.high
    assert found.low <= max(found.spent, found.projected) <= max(found.spent, found.high)


def test_the_interval_shrinks_as_the_run_goes_on_and_to_a_point_at_its_end() -> None:
    rng = random.Random(5)
    amounts = [D(rng.randrange(1, 1000)).scaleb(-4) for _ in range(400)]
    ended, widths = Costs(), {}
    for amount in amounts:
        ended.add(amount)
        found = project(ended, 400)
        if found.low is not None and found.high is not None:
            widths[ended.n] = found.high - found.low
    assert widths[20] > widths[100] > widths[300] > widths[399] > widths[400] == 0


@pytest.mark.parametrize(("planned", "ended"), [(60, 8), (300, 30), (300, 200), (1000, 60)])
def test_the_truth_is_inside_about_as_often_as_it_is_said(planned: int, ended: int) -> None:
    rng = random.Random(planned + ended)
    inside, tries = 0, 600
    for _ in range(tries):
        # Lengths of real answers are skewed: the mean of a gamma of shape 4 with a floor, as a prompt is one.
        amounts = [D(round(rng.gammavariate(4, 100)) + 50).scaleb(-6) for _ in range(planned)]
        found = project(of(amounts[:ended]), planned)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= sum(amounts) <= found.high
    assert 0.92 <= inside / tries <= 0.98


def test_costs_that_are_nearly_alike_still_have_their_spread() -> None:
    amounts = [D("1000000") + D(n).scaleb(-6) for n in range(20)]
    found = of(amounts).deviation
    assert found == pytest.approx(stdev([n * 1e-6 for n in range(20)]), rel=0.001)


def test_one_cost_has_no_spread() -> None:
    assert of([D(1)]).deviation is None


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused_and_changes_nothing(amount: str) -> None:
    ended = of([D(1)])
    with pytest.raises(ValueError, match="no amount of money"):
        ended.add(D(amount))
    assert (ended.n, ended.total) == (1, 1)
