"""Coarse distributions: percentiles to 3.6 %, exact merging, and bins that begin at preferred numbers."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.ratio_counts import RatioCounts
from tui.core.views import Bin

DURATIONS = st.one_of(st.integers(0, 10**13 - 1), st.integers(5 * NS_PER_MS, 3 * NS_PER_S))
VALUES = st.lists(DURATIONS, min_size=1, max_size=80)
FRACTIONS = (0.0, 0.5, 0.95, 1.0)


def counts_of(values: list[int]) -> RatioCounts:
    counts = RatioCounts()
    for value in values:
        counts.record(value)
    return counts


def test_nothing_has_neither_figures_nor_bins() -> None:
    assert RatioCounts().quantiles(0.5) is None
    assert RatioCounts().bins() == []


def test_one_value_is_every_quantile_of_itself() -> None:
    assert counts_of([412_345_678]).quantiles(*FRACTIONS) == [412_345_678] * len(FRACTIONS)


@given(VALUES)
def test_a_quantile_is_the_nearest_rank_to_three_and_a_half_percent(values: list[int]) -> None:
    found = counts_of(values).quantiles(*FRACTIONS)
    assert found is not None
    ordered = sorted(values)
    for fraction, figure in zip(FRACTIONS, found, strict=True):
        exact = ordered[max(1, math.ceil(fraction * len(ordered))) - 1]
        assert abs(figure - exact) <= max(0.036 * exact, 100_000)


@given(VALUES, VALUES)
def test_the_counts_of_two_parts_are_the_counts_of_the_whole(first: list[int], second: list[int]) -> None:
    merged, whole = counts_of(first), counts_of(first + second)
    merged.merge(counts_of(second))
    merged.merge(RatioCounts())
    into_nothing = RatioCounts()
    into_nothing.merge(whole)
    for parts in (merged, into_nothing):
        assert parts.quantiles(*FRACTIONS) == whole.quantiles(*FRACTIONS)
        assert parts.bins() == whole.bins()


@given(VALUES)
def test_every_value_is_in_the_bin_that_spans_it(values: list[int]) -> None:
    bins = counts_of(values).bins()
    assert len(bins) <= 41
    assert [each.n for each in bins] == [sum(each.low <= value < each.high for value in values) for each in bins]
    assert sum(each.n for each in bins) == len(values)
    assert all(left.high == right.low for left, right in pairwise(bins))
    assert bins[-1].n


def test_a_value_below_zero_counts_as_zero_and_one_beyond_the_scale_as_its_end() -> None:
    assert counts_of([-5]).bins() == [Bin(0, 100_000, 1)]
    assert counts_of([10**15]).quantiles(0.5) == [10**13 - 1]
    assert counts_of([10**15]).bins()[-1].high == 10**13


def test_bins_of_few_values_over_a_decade_begin_at_the_numbers_of_r10() -> None:
    lows = [each.low // NS_PER_MS for each in counts_of([100 * NS_PER_MS, 999 * NS_PER_MS]).bins()]
    assert lows == [100, 125, 160, 200, 250, 315, 400, 500, 630, 800]


@pytest.mark.parametrize(("copies", "bins"), [(1, 10), (60, 10), (250, 20), (1_000, 40)])
def test_the_more_values_the_finer_the_bins(copies: int, bins: int) -> None:
    assert len(counts_of([100 * NS_PER_MS, 999 * NS_PER_MS] * copies).bins()) == bins


@pytest.mark.parametrize("low_ns", [120_000, 7 * NS_PER_MS, 80 * NS_PER_MS])
def test_bins_are_of_nearly_equal_ratio(low_ns: int) -> None:
    bins = counts_of([low_ns, low_ns * 3_000] * 500).bins()
    ratios = [each.high / each.low for each in bins]
    assert max(ratios) / min(ratios) < 1.03
