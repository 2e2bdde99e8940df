"""Panes fill the wall, do not overlap and stay readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.dashboard import grid


@given(st.integers(1, 320), st.integers(1, 100), st.integers(1, 1000))
def test_places_lie_inside_and_beside_each_other(width: int, height: int, wanted: int) -> None:
    made, _ = grid.automatic(width, height, wanted)
    places = made.places()
    assert len(places) == made.capacity
    covered = [(x, y) for p in places for y in range(p.y, p.y + p.height) for x in (p.x, p.x + p.width - 1)]
    assert all(0 <= x < width and 0 <= y < height for x, y in covered)
    assert sum(place.height for place in places[:: made.columns]) == height


@pytest.mark.parametrize(
    ("width", "height", "wanted", "least"),
    [(80, 18, 16, 6), (120, 31, 16, 16), (200, 51, 16, 16), (300, 81, 60, 60), (80, 18, 1, 1), (80, 18, 4, 4)],
)
def test_as_many_calls_as_can_be_read_are_shown(width: int, height: int, wanted: int, least: int) -> None:
    made, _ = grid.automatic(width, height, wanted)
    assert made.capacity >= least
    assert min(place.width for place in made.places()) >= 28
    assert min(place.height for place in made.places()) >= 6


@given(st.integers(20, 320), st.integers(4, 100))
def test_each_zoom_step_changes_the_number_of_panes(width: int, height: int) -> None:
    step = grid.SMALLEST_AUTO
    while (larger := grid.other_step(width, height, step, 1)) != step:
        assert grid.at_step(width, height, larger).capacity < grid.at_step(width, height, step).capacity
        step = larger
    assert grid.at_step(width, height, step).capacity == 1
