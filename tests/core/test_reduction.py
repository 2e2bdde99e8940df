"""How the answers about parts become one: every answer is reduced once, and every level is smaller than the last."""

from hypothesis import given
from hypothesis import strategies as st

from tui.core.reduction import FEWEST, estimated_answer_tokens, groups, joined

ANSWERS = st.lists(st.text(max_size=200), min_size=2, max_size=40)


@given(ANSWERS, st.integers(0, 500))
def test_each_answer_is_in_one_group_in_order(answers: list[str], room: int) -> None:
    assert [index for group in groups(answers, room) for index in group] == list(range(len(answers)))


@given(ANSWERS, st.integers(0, 500))
def test_a_level_has_at_most_half_as_many_parts_as_the_one_below(answers: list[str], room: int) -> None:
    grouped = groups(answers, room)
    assert len(grouped) <= len(answers) / FEWEST
    assert all(len(group) >= FEWEST for group in grouped)


@given(ANSWERS)
def test_all_that_fit_are_reduced_at_once(answers: list[str]) -> None:
    room = sum(map(estimated_answer_tokens, answers))
    assert groups(answers, room) == [tuple(range(len(answers)))]


def test_a_group_is_full_when_the_next_answer_does_not_fit() -> None:
    answers = ["word " * 60] * 6
    assert groups(answers, 3 * estimated_answer_tokens(answers[0])) == [(0, 1, 2), (3, 4, 5)]


def test_answers_stand_in_order_under_their_numbers() -> None:
    assert joined(["one", "two"]) == "[Part 1 of 2]\none\n\n[Part 2 of 2]\ntwo"
