"""One screen, five views: keys and clicks show them, and light and dark paint all of it."""

import pytest
from fake_session import FakeSession
from screen_under_test import Screen, screen
from textual import events
from textual.widget import Widget

from tui.core.commands import Pause, SaveCall, SaveScreenshot, SetConcurrency, SetRate, Watch
from tui.core.views import VIEWS
from tui.dashboard.one_call import CallScreen
from tui.dashboard.theme import DARK_GROUNDS, DARK_INKS, LIGHT_GROUNDS, LIGHT_INKS

DARK = {*DARK_GROUNDS.values(), *DARK_INKS.values()}
LIGHT = {*LIGHT_GROUNDS.values(), *LIGHT_INKS.values()}

SIZES = [(300, 90), (80, 24), (20, 5), (1, 1)]


def grounds(widget: Widget) -> set[str]:
    strips = widget.render_lines(widget.size.region)
    return {part.style.bgcolor.name for strip in strips for part in strip if part.style and part.style.bgcolor}


async def test_numbers_tab_and_clicks_show_the_views() -> None:
    async with screen() as shown:
        seen = []
        for key in ("2", "3", "4", "5", "1", "tab", "tab", "shift+tab", "shift+tab", "shift+tab"):
            await shown.press(key)
            seen.append(shown.app.main.shown)
            assert shown.app.main.view.display
            assert sum(shown.app.main.query_one(f"#{name}").display for name in VIEWS) == 1
            assert shown.session.asked(Watch)[-1].view == seen[-1]
        assert seen == [*VIEWS[1:], "wall", "table", "charts", "table", "wall", "limits"]
        for offset, name in ((4, "wall"), (12, "table"), (40, "waterfall")):
            await shown.pilot.click("#header", offset=(offset, 7))
            await shown.frame()
            assert shown.app.main.shown == name


@pytest.mark.parametrize("size", SIZES)
async def test_every_view_is_drawn_at_every_size(size: tuple[int, int]) -> None:
    async with screen(size=size) as shown:
        for key in ("2", "3", "4", "5", "1"):
            await shown.press(key)
            view = shown.app.main.view
            assert all(strip.cell_length == view.size.width for strip in view.render_lines(view.size.region))


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "enter"])
async def test_the_run_is_steered_from_every_view_and_from_the_open_call(key: str) -> None:
    async with screen() as shown:
        await shown.press(key, "p", "right_square_bracket", "right_curly_bracket", "S")
        assert shown.session.asked(Pause) == [Pause()]
        assert shown.session.asked(SetRate) == [SetRate(264)]
        assert shown.session.asked(SetConcurrency) == [SetConcurrency(18)]
        (picture,) = shown.session.asked(SaveScreenshot)
        assert picture.svg.startswith("<svg")  # type: ignore[attr-defined]


async def test_the_open_call_goes_along_the_list_it_was_opened_from() -> None:
    async with screen() as shown:
        await shown.press("enter", "right")
        await shown.frame()
        await shown.press("w")
        assert shown.session.asked(Watch)[-1].focus == 18
        assert shown.session.asked(SaveCall) == [SaveCall(18)]
        assert shown.app.main.wall.focused_place == 1


async def test_from_a_view_without_a_list_it_goes_by_number() -> None:
    async with screen() as shown:
        await shown.press("3", "colon", "3", "1", "enter")
        await shown.press("right")
        opened = shown.app.screen
        assert isinstance(opened, CallScreen)
        assert opened.call == 32
        await shown.press("right")
        assert opened.call == 32
        assert "there is no call #33" in shown.text(opened.query_one("Footer"))


async def test_a_call_that_has_not_begun_is_not_opened() -> None:
    async with screen() as shown:
        await shown.press("colon", "9", "9", "9", "enter")
        assert not isinstance(shown.app.screen, CallScreen)
        assert "there is no call #999" in shown.footer


async def everything(shown: Screen) -> set[str]:
    found: set[str] = set()
    for key in ("1", "2", "3", "4", "5"):
        await shown.press(key)
        for widget in (shown.app.main.header, shown.app.main.view, shown.app.main.footer):
            found |= grounds(widget)
    await shown.press("1", "enter")
    for widget in shown.app.screen.children:
        found |= grounds(widget)
    await shown.press("escape")
    return found


async def test_t_paints_everything_in_the_other_colours() -> None:
    async with screen() as shown:
        assert await everything(shown) <= DARK
        await shown.press("t")
        assert await everything(shown) <= LIGHT


async def test_t_paints_the_open_call_and_what_lies_below_it() -> None:
    async with screen() as shown:
        await shown.press("2", "enter", "t")
        assert all(grounds(widget) <= LIGHT for widget in shown.app.screen.children)
        await shown.press("escape")
        assert grounds(shown.app.main.view) <= LIGHT


async def test_without_colour_there_is_nothing_to_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen() as shown:
        await shown.press("t")
        assert "NO_COLOR is set" in shown.footer


async def test_the_last_row_says_in_which_order_and_how_many_the_wall_shows() -> None:
    async with screen() as shown:
        assert "16 places" in shown.footer
        await shown.press("f")
        assert "all calls 1–20 of 32" in shown.footer
        await shown.press("f", "s")
        assert "newest first" in shown.footer


async def test_a_long_filter_leaves_the_place_in_the_last_row() -> None:
    async with screen(FakeSession(), size=(80, 24)) as shown:
        shown.app.main.set_query("堰" * 80)
        await shown.show(14)
        await shown.frame()
        assert "no calls" in shown.footer
        assert "…" in shown.footer


async def test_a_picture_for_another_filter_is_not_drawn() -> None:
    async with screen() as shown:
        before = shown.text()
        shown.session.send = lambda command: None  # type: ignore[method-assign]
        shown.app.main.set_query("haiku")
        await shown.show(16)
        assert shown.text() == before


async def test_keys_typed_ahead_go_to_the_view_that_was_asked_for() -> None:
    async with screen() as shown:
        assert shown.app._driver is not None
        for key in ("2", "s"):
            shown.app._driver.send_message(events.Key(key, key))
        await shown.press()
        assert shown.app.main.wall.order == "place"
        assert shown.app.main.view.wanted().order == "state"
