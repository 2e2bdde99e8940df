"""A time axis puts instants into cells, has round ticks, and moves calmly."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.dashboard.time_axis import LEAST_WIDTH_NS, TimeScale, TimeWindow, calm_width_ns

START = 1_000 * NS_PER_S


def at(t_s: float) -> int:
    return START + round(t_s * NS_PER_S)


def scale_of(window: TimeWindow, t_s: float, cells: int = 60, live: bool = True) -> TimeScale:
    return window.scale(START, at(t_s), cells, live)


def test_an_instant_has_a_cell_and_a_cell_an_instant() -> None:
    scale = TimeScale(START, NS_PER_S, 60)
    assert scale.cell(at(0)) == 0
    assert scale.cell(at(1.999)) == 1
    assert scale.cell(at(-0.001)) == -1
    assert scale.eighths(at(1.25)) == 10
    assert scale.instant(2) == at(2)
    assert scale.end_at == at(60)


def test_ticks_stand_at_round_times_of_the_run_with_room_for_their_labels() -> None:
    ticks = TimeScale(at(62), NS_PER_S, 60).ticks(START)
    assert [tick.label for tick in ticks] == ["01:10", "01:20", "01:30", "01:40", "01:50", "02:00"]
    assert [tick.cell for tick in ticks] == [8, 18, 28, 38, 48, 58]


def test_ticks_closer_than_a_second_have_as_many_decimals_as_they_need() -> None:
    ticks = TimeScale(at(62), 20 * NS_PER_MS, 60).ticks(START)
    assert [tick.label for tick in ticks][:3] == ["01:02.0", "01:02.2", "01:02.4"]
    assert TimeScale(START, 2 * NS_PER_MS, 60).ticks(START)[1].label == "00:00.05"


@given(st.integers(1, 10**13), st.integers(1, 400), st.integers(0, 10**15))
def test_labels_never_touch_and_ticks_are_in_sight(cell_ns: int, cells: int, elapsed_ns: int) -> None:
    ticks = TimeScale(START + elapsed_ns, cell_ns, cells).ticks(START)
    assert all(0 <= tick.cell < cells for tick in ticks)
    assert all(left.cell + len(left.label) < right.cell for left, right in pairwise(ticks))


def test_a_window_that_follows_ends_a_little_after_now() -> None:
    scale = scale_of(TimeWindow(), 300.2)
    assert scale.width_ns == 60 * NS_PER_S
    assert scale.cell(at(300.2)) == 57


def test_it_moves_by_whole_cells_so_that_what_has_ended_stays_as_it_was_drawn() -> None:
    window = TimeWindow()
    assert scale_of(window, 300.2) == scale_of(window, 300.9)
    before, after = scale_of(window, 300.9), scale_of(window, 301.0)
    assert after.start_at - before.start_at == before.cell_ns
    assert before.eighths(at(280.3)) - after.eighths(at(280.3)) == 8


def test_a_run_shorter_than_the_window_is_shown_whole_on_an_axis_that_seldom_changes() -> None:
    scales = {t_s: scale_of(TimeWindow(), t_s) for t_s in range(6, 56)}
    for t_s, scale in scales.items():
        assert scale.start_at == START
        assert scale.end_at > at(t_s)
        assert t_s * NS_PER_S > 0.7 * scale.width_ns
    assert len(set(scales.values())) < 12


def test_the_whole_run_stays_whole_while_it_grows_and_fits_once_it_has_ended() -> None:
    whole = TimeWindow(None)
    for t_s in (1, 70, 301, 4000):
        scale = scale_of(whole, t_s)
        assert scale.start_at == START
        assert scale.end_at > at(t_s)
    ended = scale_of(whole, 300, live=False)
    assert ended.width_ns < 306 * NS_PER_S


def test_zooming_takes_round_widths_and_keeps_the_right_edge_while_it_follows() -> None:
    window = TimeWindow()
    scale = scale_of(window, 300)
    closer = window.zoomed(1, scale, 300 * NS_PER_S, at(250))
    assert closer == TimeWindow(30 * NS_PER_S)
    further = window.zoomed(-1, scale, 300 * NS_PER_S, at(250))
    assert further == TimeWindow(120 * NS_PER_S)
    assert further.zoomed(1, scale_of(further, 300), 300 * NS_PER_S, at(250)) == window


def test_zooming_out_beyond_the_run_shows_the_whole_run() -> None:
    window = TimeWindow(120 * NS_PER_S)
    assert window.zoomed(-1, scale_of(window, 200), 200 * NS_PER_S, at(0)) == TimeWindow(None)


def test_zooming_in_ends_somewhere() -> None:
    window = TimeWindow()
    for _ in range(30):
        window = window.zoomed(1, scale_of(window, 300), 300 * NS_PER_S, at(250))
    assert window.width_ns == LEAST_WIDTH_NS


def test_a_standing_window_zooms_about_what_one_looks_at() -> None:
    window = TimeWindow(60 * NS_PER_S, at(120))
    scale = scale_of(window, 300)
    closer = scale_of(window.zoomed(1, scale, 300 * NS_PER_S, at(100)), 300)
    assert abs(scale.cell(at(100)) - closer.cell(at(100))) <= 1
    assert closer.width_ns == 30 * NS_PER_S


def test_panning_stops_following_and_stays_within_the_run() -> None:
    window = TimeWindow()
    scale = scale_of(window, 300)
    back = window.panned(-15 * NS_PER_S, scale, START, at(300))
    assert not back.follows
    assert scale_of(back, 300).end_at == scale.end_at - 15 * NS_PER_S
    assert scale_of(back, 400) == scale_of(back, 300)
    far = back.panned(-9_000 * NS_PER_S, scale_of(back, 300), START, at(300))
    assert scale_of(far, 300).start_at == START
    ahead = back.panned(9_000 * NS_PER_S, scale_of(back, 300), START, at(300))
    assert scale_of(ahead, 300).end_at <= at(302)


def test_there_is_nothing_to_pan_to_when_the_whole_run_is_in_sight() -> None:
    for window, t_s in ((TimeWindow(None), 300), (TimeWindow(), 20)):
        assert window.panned(-NS_PER_S, scale_of(window, t_s), START, at(t_s)) == window


def test_a_window_moves_for_a_stretch_only_when_it_is_out_of_sight() -> None:
    window = TimeWindow()
    scale = scale_of(window, 300)
    assert window.showing(at(200), at(250), scale) == window
    moved = scale_of(window.showing(at(100), at(104), scale), 300)
    assert 0 <= moved.cell(at(100)) < moved.cells // 4
    assert moved.width_ns == scale.width_ns


def test_the_width_for_what_is_listed_is_round_and_seldom_changes() -> None:
    width_ns = calm_width_ns(60 * NS_PER_S, 11 * NS_PER_S)
    assert width_ns == 15 * NS_PER_S
    assert calm_width_ns(width_ns, 8 * NS_PER_S) == width_ns
    assert calm_width_ns(width_ns, 16 * NS_PER_S) == 20 * NS_PER_S
    assert calm_width_ns(width_ns, 2 * NS_PER_S) == 5 * NS_PER_S
    assert calm_width_ns(0, 0) == 5 * NS_PER_S
    assert calm_width_ns(width_ns, 500 * NS_PER_S) == 60 * NS_PER_S


@given(
    st.one_of(st.none(), st.integers(1, 10**15)),
    st.one_of(st.none(), st.integers(0, 10**16)),
    st.integers(0, 10**15),
    st.integers(0, 400),
    st.booleans(),
)
def test_any_window_on_any_run_is_a_scale(
    width_ns: int | None, end_at: int | None, elapsed_ns: int, cells: int, live: bool
) -> None:
    scale = TimeWindow(width_ns, end_at).scale(START, START + elapsed_ns, cells, live)
    assert scale.cells == max(1, cells)
    assert scale.cell_ns >= 1
    assert scale.start_at >= START
    if end_at is None:
        assert scale.shows(START + elapsed_ns, START + elapsed_ns)
