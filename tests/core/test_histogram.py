"""Percentiles from counts: right to 0.05 %, exact where it matters, and mergeable."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.histogram import Histogram

VALUES = st.lists(st.integers(0, 10**13), min_size=1, max_size=60)
FRACTIONS = (0.0, 0.5, 0.9, 0.95, 0.99, 1.0)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_an_empty_histogram_has_no_figures() -> None:
    assert Histogram().quantiles(0.5) is None
    assert Histogram().mean is None


def test_small_values_are_exact() -> None:
    assert histogram_of(list(range(1, 101))).quantiles(0.5, 0.9, 0.95, 0.99, 1.0) == [50, 90, 95, 99, 100]


def test_one_value_is_every_quantile_of_itself() -> None:
    assert histogram_of([123_456_789]).quantiles(*FRACTIONS) == [123_456_789] * len(FRACTIONS)


def test_a_value_below_zero_counts_as_zero() -> None:
    histogram = histogram_of([-5, 10])
    assert (histogram.minimum, histogram.total, histogram.quantiles(0.5)) == (0, 10, [0])


@pytest.mark.parametrize("edge", [1023, 1024, 2047, 2048, 4095, 4096, 2**40 - 1, 2**40])
def test_neighbours_on_both_sides_of_a_bucket_edge_keep_their_order(edge: int) -> None:
    found = histogram_of([edge, edge + 1, edge * 2]).quantiles(0.3, 0.6, 1.0)
    assert found is not None
    assert found == sorted(found)
    assert found[-1] == pytest.approx(edge * 2, rel=1 / 2048)


@given(VALUES)
def test_a_quantile_is_the_nearest_rank_to_one_part_in_two_thousand(values: list[int]) -> None:
    found = histogram_of(values).quantiles(*FRACTIONS)
    assert found is not None
    ordered = sorted(values)
    for fraction, figure in zip(FRACTIONS, found, strict=True):
        exact = ordered[max(1, math.ceil(fraction * len(ordered))) - 1]
        assert abs(figure - exact) <= exact / 2048 + 0.5


@given(VALUES)
def test_mean_minimum_maximum_and_count_are_exact(values: list[int]) -> None:
    histogram = histogram_of(values)
    assert histogram.mean == sum(values) / len(values)
    assert (histogram.minimum, histogram.maximum, histogram.n) == (min(values), max(values), len(values))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50), st.data())
def test_a_value_that_is_taken_back_leaves_what_was_there_without_it(values: list[int], data: st.DataObject) -> None:
    back = data.draw(st.lists(st.sampled_from(range(len(values))), unique=True))
    histogram, without = Histogram(), Histogram()
    for value in values:
        histogram.record(value)
    for place, value in enumerate(values):
        if place in back:
            histogram.forget(value)
        else:
            without.record(value)
    assert (histogram.n, histogram.total, histogram._counts) == (without.n, without.total, without._counts)
    assert histogram.minimum == pytest.approx(without.minimum, rel=1e-3)
    assert histogram.maximum == pytest.approx(without.maximum, rel=1e-3)
