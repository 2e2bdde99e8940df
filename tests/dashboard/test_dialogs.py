"""A dialog is as wide as it says, has an answer for every key and click, and can be told without colour."""

import pytest
from fake_session import FakeSession
from screen_under_test import screen

from tui.core.commands import Close, Drain, RetryFailed, Stop
from tui.dashboard.asking import _STOP as STOP
from tui.dashboard.departure import CHOICES
from tui.dashboard.dialogs import Box, ChoiceDialog, Dialog, WordsDialog, boxed, choice_rows, words_rows
from tui.dashboard.theme import COLOUR, LIGHT, PLAIN


@pytest.mark.parametrize("theme", [COLOUR, LIGHT, PLAIN])
@pytest.mark.parametrize("width", [1, 2, 9, 20, 49, 76])
def test_rows_of_a_dialog_have_one_width(theme, width) -> None:  # type: ignore[no-untyped-def]
    for rows in (
        choice_rows("16 calls are still running", CHOICES, 1, width, theme),
        words_rows("what they are worth", [("●", "some words that are long enough", "green")], width, theme),
    ):
        assert {row.cell_length for row in rows} == {width}
        framed = {row.cell_length for row in boxed(rows, 40, theme)}
        assert framed == {width if theme.colour else width + 2}


def test_without_colour_a_line_goes_around_a_dialog() -> None:
    rows = boxed(choice_rows("sure?", STOP, 0, 30, PLAIN), 24, PLAIN)
    assert rows[0].text == "┌" + "─" * 30 + "┐"
    assert all(row.text[0] == row.text[-1] == "│" for row in rows[1:-1])


def test_what_is_chosen_is_told_by_more_than_colour() -> None:
    rows = choice_rows("sure?", CHOICES, 1, 40, PLAIN)
    assert [row.text.startswith("❯") for row in rows[2:]] == [False, True, False]


async def test_a_click_on_a_choice_takes_it_and_one_beside_the_box_takes_nothing() -> None:
    async with screen() as shown:
        await shown.press("q")
        await shown.pilot.click(offset=(2, 2))
        assert not isinstance(shown.app.screen, Dialog)
        assert shown.session.asked(Drain) == []
        await shown.press("q")
        await shown.pilot.click(Box, offset=(10, 4))
        await shown.frame()
        assert shown.session.asked(Stop) == [Stop()]


@pytest.mark.parametrize("size", [(80, 24), (20, 5), (12, 3), (1, 1)])
async def test_a_question_can_be_answered_on_every_size(size: tuple[int, int]) -> None:
    async with screen(size=size) as shown:
        await shown.press("q")
        said = shown.text(shown.app.screen.query_one(Box))
        if size[1] >= 4:
            assert "calls are" in said
            assert "Esc" in said
        await shown.pilot.resize_terminal(60, 20)
        await shown.press("d")
        assert shown.session.asked(Drain) == [Drain()]


async def test_many_failed_calls_are_done_again_after_a_yes() -> None:
    async with screen(FakeSession(count=400, concurrency=40), at_s=60) as shown:
        await shown.press("R")
        assert isinstance(shown.app.screen, ChoiceDialog)
        assert "failed calls again?" in shown.text(shown.app.screen.query_one(Box))
        await shown.press("escape")
        assert shown.session.asked(RetryFailed) == []
        await shown.press("R", "r")
        assert shown.session.asked(RetryFailed) == [RetryFailed()]


async def test_the_badge_explains_itself_on_its_key_and_on_a_click() -> None:
    async with screen() as shown:
        await shown.press("T")
        assert isinstance(shown.app.screen, WordsDialog)
        said = shown.text(shown.app.screen.query_one(Box))
        for words in ("engine lag p99 0.3 ms", "client-bound", "first tokens", "no picture was skipped"):
            assert words in said
        await shown.press("T")
        assert not isinstance(shown.app.screen, WordsDialog)
        await shown.pilot.click("#header", offset=(115, 7))
        await shown.frame()
        assert isinstance(shown.app.screen, WordsDialog)


async def test_one_question_at_a_time() -> None:
    async with screen() as shown:
        await shown.press("x", "ctrl+q", "ctrl+p", "question_mark")
        assert len([each for each in shown.app.screen_stack if isinstance(each, Dialog)]) == 1
        await shown.press("escape", "q")
        assert "still running" in shown.text(shown.app.screen.query_one(Box))
        shown.session.phase = "finished"
        await shown.show(60)
        assert shown.session.asked(Close)[0] == Close()
