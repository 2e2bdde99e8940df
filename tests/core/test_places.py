"""Where calls are shown: who runs stays put, who has ended makes room."""

from hypothesis import given
from hypothesis import strategies as st

from tui.core.places import Places


def test_places_are_filled_in_order_before_any_is_reused() -> None:
    places = Places(wanted=3)
    places.began(1)
    places.ended(1, well=True)
    places.began(2)
    places.began(3)
    assert places.window(0, 9) == [1, 2, 3]


def test_the_oldest_call_that_ended_well_makes_room_first_and_a_troubled_one_last() -> None:
    places = Places(wanted=3)
    for call in (1, 2, 3):
        places.began(call)
    places.ended(2, well=False)
    places.ended(3, well=True)
    places.ended(1, well=True)
    for call in (4, 5, 6):
        places.began(call)
    assert places.window(0, 9) == [5, 6, 4]


def test_the_wall_grows_when_more_run_than_are_wanted() -> None:
    places = Places(wanted=1)
    places.began(1)
    places.began(2)
    assert len(places) == 2


def test_a_window_is_a_slice_and_may_reach_past_the_end() -> None:
    places = Places(wanted=4)
    for call in range(4):
        places.began(call)
    assert places.window(2, 1) == [2]
    assert places.window(3, 9) == [3]
    assert places.window(9, 9) == []


def test_the_end_of_a_call_that_has_no_place_any_more_changes_nothing() -> None:
    places = Places(wanted=1)
    places.began(1)
    places.ended(1, well=True)
    places.began(2)
    places.ended(1, well=True)
    places.began(3)
    assert places.window(0, 9) == [2, 3]


@given(st.lists(st.integers(0, 20), max_size=120), st.integers(0, 6))
def test_a_running_call_never_moves_and_is_never_lost(steps: list[int], wanted: int) -> None:
    places, running, number = Places(wanted), {}, 0
    for step in steps:
        if step % 3 and running:
            call = sorted(running)[step % len(running)]
            del running[call]
            places.ended(call, well=step % 2 == 0)
        else:
            number += 1
            places.began(number)
            running[number] = places.window(0, 999).index(number)
        shown = places.window(0, 999)
        assert {call: shown.index(call) for call in running} == running
        assert len(set(shown)) == len(shown)
