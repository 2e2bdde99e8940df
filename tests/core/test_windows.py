"""What the last minute held, against plain recounting."""

from hypothesis import given
from hypothesis import strategies as st

from tui.core.clock import NS_PER_S
from tui.core.windows import MINUTE_NS, LastMinute, SlidingCount

GAPS = st.lists(st.tuples(st.integers(0, 40 * NS_PER_S), st.integers(1, 5)), max_size=40)
START = 1_000 * NS_PER_S


@given(GAPS)
def test_a_sliding_count_is_what_a_recount_says_and_its_peak_is_the_fullest_window(
    gaps: list[tuple[int, int]],
) -> None:
    window, at, events, peak = SlidingCount(), START, [], 0
    for gap, amount in gaps:
        at += gap
        events.append((at, amount))
        window.add(at, amount)
        expected = sum(n for when, n in events if at - MINUTE_NS < when <= at)
        assert window.within(at) == expected
        peak = max(peak, expected)
    assert window.peak == peak


def test_an_event_leaves_the_window_exactly_a_minute_later() -> None:
    window = SlidingCount()
    window.add(START)
    assert window.within(START + MINUTE_NS - 1) == 1
    assert window.within(START + MINUTE_NS) == 0
    assert window.peak == 1


@given(GAPS)
def test_the_sums_by_second_are_what_a_recount_says(gaps: list[tuple[int, int]]) -> None:
    minute, at, events = LastMinute(), START, []
    for gap, amount in gaps:
        at += gap
        events.append((at, amount))
        minute.add(at, amount)
    last = at // NS_PER_S
    expected = [sum(n for when, n in events if when // NS_PER_S == second) for second in range(last - 59, last + 1)]
    assert minute.by_second(at) == expected


def test_a_minute_of_silence_leaves_nothing() -> None:
    minute = LastMinute()
    minute.add(START, 7)
    assert sum(minute.by_second(START + 59 * NS_PER_S)) == 7
    assert sum(minute.by_second(START + 61 * NS_PER_S)) == 0
    assert minute.per_second(START + 61 * NS_PER_S) == 0.0


def test_what_comes_late_is_counted_in_its_own_second_and_what_is_older_than_a_minute_is_not() -> None:
    minute = LastMinute()
    minute.add(START + 10 * NS_PER_S, 1)
    minute.add(START + 8 * NS_PER_S, 2)
    minute.add(START - 60 * NS_PER_S, 100)
    assert minute.by_second(START + 10 * NS_PER_S)[-3:] == [2, 0, 1]
    assert sum(minute.by_second(START + 10 * NS_PER_S)) == 3


def test_the_rate_is_over_two_seconds_or_the_age_of_a_younger_record() -> None:
    minute = LastMinute()
    assert minute.per_second(START) == 0.0
    minute.add(START, 10)
    assert minute.per_second(START + NS_PER_S // 2 - 1) == 20.0
    for tenth in range(1, 40):
        minute.add(START + tenth * NS_PER_S // 10, 10)
    assert minute.per_second(START + 39 * NS_PER_S // 10) == 100.0
