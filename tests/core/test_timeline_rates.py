"""Rates over time, for the charts of the dashboard and of a report."""

from tui.core.clock import NS_PER_S
from tui.core.timeline_rates import elapsed_ns, per_second, sliding_minute
from tui.core.views import Timeline


def test_a_minute_slides_and_before_a_minute_it_is_the_sum_so_far() -> None:
    used = sliding_minute([1] * 90, NS_PER_S, 90 * NS_PER_S)
    assert used[0] == 1
    assert used[29] == 30
    assert used[89] == 60


def test_the_last_step_counts_for_as_long_as_it_was() -> None:
    assert per_second([10, 5], NS_PER_S, NS_PER_S * 3 // 2) == [10, 10]
    assert per_second([10, 5], NS_PER_S, NS_PER_S + 1) == [10, None]


def test_a_timeline_is_never_shorter_than_its_steps() -> None:
    timeline = Timeline(0, NS_PER_S, attempts=[1, 1, 1])
    assert elapsed_ns(timeline, 0) == 2 * NS_PER_S + 1
    assert elapsed_ns(timeline, 99 * NS_PER_S) == 3 * NS_PER_S
