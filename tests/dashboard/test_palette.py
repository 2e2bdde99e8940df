"""The palette lists what the keys do and does it to what was in front."""

import pytest
from fake_session import FakeSession
from screen_under_test import Screen, screen
from textual.dom import DOMNode

from tui.core.commands import CancelCall, Pause, Watch
from tui.dashboard.dialogs import Box
from tui.dashboard.input_line import OneLineInput
from tui.dashboard.keys import Key, KeyGroup
from tui.dashboard.one_call import CallScreen
from tui.dashboard.palette import PaletteDialog, matching, palette_rows
from tui.dashboard.theme import COLOUR, PLAIN

NODE = DOMNode()
GROUPS = [
    KeyGroup(
        "the run", [Key("p", "pause or resume dispatch", "pause", NODE), Key("[", "RPM limit down", "rate", NODE)]
    ),
    KeyGroup("views", [Key("1", "wall", "view", NODE), Key("Tab", "next view", "next", NODE)]),
]


def found(typed: str) -> list[str]:
    return [key.shown for key in matching(GROUPS, typed)]


def test_words_are_found_in_any_order_and_beginnings_first() -> None:
    assert found("") == ["p", "[", "1", "Tab"]
    assert found("dispatch pause") == ["p"]
    assert found("LIMIT") == ["["]
    assert found("n") == ["Tab", "p", "["]
    assert found("views") == ["1", "Tab"]
    assert found("nothing of the kind") == []


def test_a_key_finds_what_it_does() -> None:
    assert found("[") == ["["]
    assert found("p")[0] == "p"


@pytest.mark.parametrize("theme", [COLOUR, PLAIN])
@pytest.mark.parametrize("width", [1, 8, 20, 64])
def test_rows_have_one_width_and_brackets_are_no_markup(theme, width) -> None:  # type: ignore[no-untyped-def]
    rows = palette_rows(matching(GROUPS, ""), 1, 0, 10, width, theme)
    assert {row.cell_length for row in rows} == {width}
    assert len(palette_rows([], 0, 0, 10, width, theme)) == 1
    if width == 64:
        assert rows[1].text.rstrip().endswith("[")


async def typed(shown: Screen, words: str) -> None:
    await shown.press("ctrl+p")
    assert isinstance(shown.app.screen, PaletteDialog)
    await shown.press(*words, "enter")


async def test_it_opens_finds_does_and_closes() -> None:
    async with screen() as shown:
        await typed(shown, "pause")
        assert shown.session.asked(Pause) == [Pause()]
        assert shown.app.screen is shown.app.main
        await typed(shown, "charts")
        assert shown.app.main.shown == "charts"


async def test_it_acts_on_the_call_that_had_the_focus() -> None:
    async with screen() as shown:
        await shown.press("right", "down")
        await typed(shown, "cancel the call")
        assert shown.session.asked(CancelCall) == [CancelCall(22)]
        await shown.press("enter")
        await typed(shown, "page attempts")
        opened = shown.app.screen
        assert isinstance(opened, CallScreen)
        assert opened.view.shown == "attempts"


async def test_it_acts_on_the_view_in_front() -> None:
    async with screen() as shown:
        await typed(shown, "larger panes")
        assert shown.session.asked(Watch)[-1].count < 20


async def test_nothing_is_done_by_leaving_it() -> None:
    async with screen() as shown:
        before = len(shown.session.sent)
        for key in ("escape", "ctrl+p"):
            await shown.press("ctrl+p", key)
            assert shown.app.screen is shown.app.main
        await shown.press("ctrl+p")
        await shown.pilot.click(offset=(1, 30))
        assert shown.app.screen is shown.app.main
        assert len(shown.session.sent) == before


async def test_arrows_go_round_and_a_click_takes() -> None:
    async with screen(size=(80, 24)) as shown:
        await shown.press("ctrl+p", "up", "down", "down", "enter")
        assert "#17 has already ended" in shown.footer  # the second of all: cancel
        await shown.press("ctrl+p", *"limits")
        await shown.pilot.click(Box, offset=(10, 3))
        await shown.frame()
        assert shown.app.main.shown == "limits"


async def test_the_wall_has_no_column_marks_behind_it() -> None:
    async with screen() as shown:
        wall = shown.app.main.wall
        await shown.press("ctrl+p")
        assert not any(part.control for strip in wall.render_lines(wall.size.region) for part in strip)
        await shown.press("escape")
        assert any(part.control for strip in wall.render_lines(wall.size.region) for part in strip)


@pytest.mark.parametrize("size", [(300, 90), (80, 24), (20, 5), (1, 1)])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with screen(FakeSession(), size=size) as shown:
        await shown.press("ctrl+p")
        dialog = shown.app.screen
        assert dialog.query_one(Box).region.bottom <= size[1]
        assert dialog.query_one(OneLineInput).region.y < size[1]
        await shown.press(*"pause", "enter")
        assert shown.session.asked(Pause) == [Pause()]
