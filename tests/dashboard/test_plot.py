"""Lines, areas and bars in cells, and the axes beside and below them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.clock import NS_PER_S
from tui.dashboard.plot import Layer, Plot, dot, line, pieces, stacked, under
from tui.dashboard.plot_axis import (
    calm_top,
    highest,
    means,
    robust_top,
    round_top,
    spans,
    time_axis,
    value_ticks,
)


def drawn(plot: Plot) -> list[str]:
    return [text for text, _ in plot.lines()]


def flat(*values: float | None) -> list[tuple[float, float] | None]:
    return [(value, value) if value is not None else None for value in values]


# ── lines and areas ────────────────────────────────────────────────────────────────────────────────────


def test_the_lowest_and_the_highest_value_light_the_lowest_and_the_highest_dot():
    assert (dot(0, 10, 2), dot(10, 10, 2), dot(99, 10, 2)) == (0, 7, 7)


def test_a_line_joins_what_jumps_and_breaks_where_nothing_is_known():
    assert line(flat(0, 7, None, 7), 7, 2) == [0b1, 0b11111110, 0, 0b10000000]


def test_a_line_is_drawn_down_as_well_as_up():
    assert line(flat(7, 0), 7, 2) == [0b10000000, 0b01111111]


def test_a_range_lights_every_dot_from_low_to_high():
    assert line([(2, 5)], 7, 2) == [0b111100]


def test_an_area_holds_every_dot_below_its_line():
    masks = line(flat(3, None), 7, 2)
    assert [mask | below for mask, below in zip(masks, under(masks), strict=True)] == [0b1111, 0]


def test_dots_become_braille_with_the_lowest_dot_at_the_bottom():
    plot = Plot.of_layers([Layer([0b1, 0b10000000], "accent")], 1, 2)
    assert drawn(plot) == ["⠈", "⡀"]


def test_where_two_layers_share_a_cell_the_one_in_front_gives_the_ink():
    front, back = Layer([0b1000, 0], "amber"), Layer([0b1, 0b1], "blue")
    ((text, codes),) = Plot.of_layers([front, back], 1, 1).lines()
    assert pieces(text, codes) == [("⣁", "amber")]


def test_an_area_gives_way_in_the_cells_that_another_line_crosses():
    masks = line(flat(7, 7), 7, 2)
    crossing = Layer(line(flat(1, 1), 7, 2), "amber")
    plot = Plot.of_layers([crossing, Layer(masks, "accent"), Layer(under(masks), "accent", back=True)], 1, 2)
    assert drawn(plot) == ["⣿", "⠤"]


def test_a_faint_line_stands_where_nothing_else_does():
    plot = Plot.of_layers([Layer([1, 1, 0, 0], "accent")], 2, 2, grid=[0, 1])
    assert drawn(plot) == ["┈┈", "⣀┈"]


def test_stacked_counts_stand_on_each_other_and_the_smallest_is_seen():
    below, above = stacked([4, 0, 1], [0, 2, None], 1000, 1)
    assert [bool(mask) for mask in below] == [True, False, True]
    assert [bool(mask) for mask in above][0::2] == [False, False]
    below, above = stacked([2], [2], 4, 1)
    assert below == [0b11]
    assert above[0] & 0b11 == 0
    assert above[0]


def test_bars_are_drawn_in_eighths_and_none_that_counts_is_left_out():
    assert drawn(Plot.of_bars([0, 1, 500, 1000], 1000, "violet", 2)) == ["   █", " ▁██"]


def test_an_upright_line_passes_behind_lines_and_tints_areas():
    plot = Plot.of_layers([Layer([0b1, 0b1], "amber"), Layer([0b10000, 0b10000], "blue")], 1, 3)
    plot.upright(0, "soft", tinted=["blue"])
    assert [pieces(text, codes)[0] for text, codes in plot.lines()] == [("│", "soft"), ("⣀", "soft"), ("⣀", "amber")]


def test_what_is_put_outside_of_a_plot_is_left_off():
    plot = Plot.of_layers([], 3, 1)
    plot.put(2, 0, "ab", "bright")
    plot.put(0, 5, "x", "bright")
    plot.upright(9, "soft")
    assert drawn(plot) == ["  a"]


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=0, max_size=30).map(lambda v: v + v),
    st.integers(0, 5),
    st.one_of(st.just(0.0), st.floats(1e-6, 1e6)),
)
def test_every_plot_has_the_rows_and_cells_it_was_asked_for(values, rows, top):
    masks = line(flat(*values), top, rows)
    plot = Plot.of_layers([Layer(masks, "accent"), Layer(under(masks), "accent", back=True)], len(values) // 2, rows)
    assert [len(text) for text in drawn(plot)] == [len(values) // 2] * rows


# ── the axis of values ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("needed", "top"), [(0, 1), (1, 1), (7, 8), (101, 120), (0.021, 0.025), (9.1, 10)])
def test_an_axis_ends_at_the_next_round_value(needed, top):
    assert round_top(needed) == pytest.approx(top)


@given(st.floats(1e-6, 1e12), st.integers(1, 40), st.booleans())
def test_ticks_lie_on_the_axis_apart_from_each_other(needed, rows, whole):
    top = round_top(needed)
    ticks = value_ticks(top, rows, whole)
    placed = [row for row, _ in ticks]
    assert top >= needed * 0.99999
    assert placed == sorted(set(placed))
    assert placed[0] >= 0
    assert placed[-1] < rows
    assert all(0 <= value <= top * 1.0001 for _, value in ticks)
    assert len(ticks) <= rows


def test_ticks_of_counts_are_whole():
    assert [value for _, value in value_ticks(2.5, 20, whole=True)] == [2, 1, 0]


def test_an_axis_keeps_its_height_until_it_is_too_low_or_far_too_high():
    assert calm_top(100, 60) == 100
    assert calm_top(100, 101) == 120
    assert calm_top(100, 20) == 20


def test_one_value_far_above_all_others_does_not_set_the_axis():
    assert robust_top([1.0] * 30 + [120.0]) == 1.5
    assert robust_top([1.0, 2.0, 3.0] * 10) is None
    assert robust_top([1.0, 120.0]) is None


# ── the axis of time ───────────────────────────────────────────────────────────────────────────────────


def test_a_young_run_has_room_to_grow_into():
    axis = time_axis(20 * NS_PER_S, 30, None, ended=False)
    assert (axis.first, axis.cells * axis.cell_ns) == (0, 30 * NS_PER_S)


def test_a_run_that_ended_fills_the_axis():
    axis = time_axis(20 * NS_PER_S, 30, None, ended=True)
    assert axis.cells * axis.cell_ns == 20 * NS_PER_S


def test_a_window_shows_the_last_of_a_long_run_and_moves_by_whole_cells():
    early = time_axis(300 * NS_PER_S, 60, 120 * NS_PER_S, ended=False)
    late = time_axis(301 * NS_PER_S, 60, 120 * NS_PER_S, ended=False)
    assert early.cell_ns == late.cell_ns == 2 * NS_PER_S
    assert (early.start_ns, late.start_ns) == (180 * NS_PER_S, 182 * NS_PER_S)


def test_a_step_wider_than_a_dot_is_held_until_now():
    axis = time_axis(3 * NS_PER_S // 2, 30, None, ended=False)
    slices = axis.slices(NS_PER_S, 2)
    assert slices[:5] == [(0, 1), (0, 1), (1, 2), (0, 0), (0, 0)]
    assert len(slices) == 60


@given(st.integers(1, 300), st.integers(1, 140))
def test_every_step_narrower_than_a_dot_is_in_exactly_one(steps, cells):
    axis = time_axis(steps * NS_PER_S, cells, None, ended=False)
    if axis.cell_ns / 2 >= NS_PER_S:
        shown = [step for lo, hi in axis.slices(NS_PER_S, steps) for step in range(lo, hi)]
        assert shown == list(range(steps))


@given(st.integers(1, 10**6), st.integers(1, 200), st.sampled_from([None, 120, 600]))
def test_instants_at_the_axis_have_room_for_their_words(elapsed_s, cells, window_s):
    axis = time_axis(elapsed_s * NS_PER_S, cells, window_s * NS_PER_S if window_s else None, ended=False)
    ticks = axis.ticks(7)
    assert all(b[0] - a[0] >= 8 for a, b in itertools.pairwise(ticks))
    assert all(0 <= cell < cells for cell, _ in ticks)


def test_several_steps_in_a_dot_are_their_mean_their_highest_or_both_ends():
    values, slices = [1, None, 5, 4], [(0, 3), (3, 4), (4, 4), (1, 2)]
    assert means(values, slices) == [(3, 3), (4, 4), None, None]
    assert highest(values, slices) == [(5, 5), (4, 4), None, None]
    assert spans(values, slices) == [(1, 5), (4, 4), None, None]
