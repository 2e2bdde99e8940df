"""What is typed goes into the line and nowhere else, and is read when Enter is pressed."""

import pytest
from fake_session import FakeSession
from screen_under_test import Screen, screen
from textual import events

from tui.core.commands import Drain, Export, Pause, SetConcurrency, SetRate, Watch
from tui.core.views import VIEWS
from tui.dashboard.command_line import COMMAND, FILTER, CommandLine
from tui.dashboard.dialogs import ChoiceDialog
from tui.dashboard.input_line import OneLineInput
from tui.dashboard.one_call import CallScreen
from tui.dashboard.rows import Rows


def line(shown: Screen) -> CommandLine:
    return shown.app.screen.query_one(CommandLine)


def value(shown: Screen) -> str:
    return line(shown).query_one(OneLineInput).value


def hint(shown: Screen) -> str:
    return shown.text(line(shown).query_one(Rows))


def inks(shown: Screen) -> set[str]:
    strip = line(shown).query_one(Rows).render_lines(line(shown).query_one(Rows).size.region)[0]
    return {part.style.color.name for part in strip if part.style and part.style.color and part.text.strip()}


def asked(shown: Screen) -> Watch:
    return shown.session.asked(Watch)[-1]  # type: ignore[return-value]


async def test_keys_of_the_run_and_of_views_are_letters_while_one_types() -> None:
    async with screen() as shown:
        before = [command for command in shown.session.sent if not isinstance(command, Watch)]
        await shown.press("slash", *"12345qpxcrReSTt?[]{}:/fs+-i")
        assert value(shown) == "/12345qpxcrReSTt?[]{}:/fs+-i"
        assert shown.app.main.shown == "wall"
        assert shown.app.screen is shown.app.main
        assert [command for command in shown.session.sent if not isinstance(command, Watch)] == before


@pytest.mark.parametrize("key", ["tab", "shift+tab", "ctrl+p", "f1"])
async def test_keys_that_are_no_letters_do_not_reach_through(key: str) -> None:
    async with screen() as shown:
        await shown.press("slash", "a", key, "b")
        assert value(shown) == "/ab"
        assert shown.app.screen is shown.app.main


@pytest.mark.parametrize("view", ["wall", "table", "waterfall"])
async def test_a_filter_works_while_it_is_typed(view: str) -> None:
    async with screen() as shown:
        shown.app.main.show_view(view)
        await shown.press("slash", *"haiku")
        assert (asked(shown).view, asked(shown).query) == (view, "haiku")
        await shown.show(14)
        listed = shown.session.latest.listed  # type: ignore[union-attr]
        assert 0 < listed < 32
        assert f"{listed} of 32" in hint(shown)
        await shown.press("enter")
        assert line(shown).typing is None
        assert asked(shown).query == "haiku"
        assert "/haiku" in shown.footer
        await shown.press("escape")
        assert asked(shown).query == ""


async def test_escape_clears_what_was_typed_and_the_line_goes_on_from_what_holds() -> None:
    async with screen() as shown:
        await shown.press("slash", "a", "b", "enter", "slash")
        assert value(shown) == "/ab"
        await shown.press("c", "escape")
        assert asked(shown).query == ""
        assert line(shown).typing is None
        assert shown.app.focused is shown.app.main.view


async def test_a_filter_on_a_view_without_calls_goes_to_the_table() -> None:
    for view in ("charts", "limits"):
        async with screen() as shown:
            shown.app.main.show_view(view)
            await shown.press("slash", *"haiku")
            assert asked(shown).query == ""
            assert "shows the table" in hint(shown)
            await shown.press("enter")
            assert (asked(shown).view, asked(shown).query) == ("table", "haiku")
            assert shown.app.focused is shown.app.main.view


async def test_a_filter_that_cannot_be_read_is_told_in_amber_while_typed_and_after() -> None:
    async with screen() as shown:
        await shown.press("slash", "?", "x")
        await shown.show(14)
        assert "not filtered: '?x' is no filter" in hint(shown)
        assert "#e9b65c" in inks(shown)
        await shown.press("enter")
        assert "not filtered: '?x' is no filter" in shown.footer
        await shown.press("escape")
        await shown.show(14)
        assert "q quit" in shown.footer


@pytest.mark.parametrize(
    ("typed", "command"),
    [("rpm 90", SetRate(90)), ("rpm off", SetRate(None)), ("concurrency 4", SetConcurrency(4)), ("pause", Pause())],
)
async def test_a_command_is_obeyed(typed: str, command: object) -> None:
    async with screen() as shown:
        await shown.press("colon", *typed, "enter")
        assert command in shown.session.sent
        assert line(shown).typing is None
        assert shown.app.focused is shown.app.main.view


async def test_a_command_can_name_a_view_a_call_a_filter_and_an_export() -> None:
    async with screen() as shown:
        await shown.press("colon", *"filter haiku", "enter")
        assert asked(shown).query == "haiku"
        await shown.press("colon", *"export csv", "enter")
        assert shown.session.asked(Export) == [Export("csv", "haiku")]
        await shown.press("colon", *"limits", "enter")
        assert shown.app.main.shown == "limits"
        await shown.press("colon", *"22", "enter")
        assert asked(shown).focus == 22
        await shown.press("colon", *"waterfall", "enter")
        assert (asked(shown).view, asked(shown).focus) == ("waterfall", None)


async def test_a_wrong_command_stays_in_the_line_with_what_is_possible_in_red() -> None:
    async with screen(size=(80, 24)) as shown:
        await shown.press("colon", *"rmp 9", "enter")
        assert value(shown) == ":rmp 9"
        assert "no 'rmp' here: rpm N, concurrency N, export csv, filter, help" in hint(shown)
        assert inks(shown) == {"#f2736c"}
        await shown.press("backspace")
        assert "no 'rmp'" not in hint(shown)
        await shown.press("escape")
        assert shown.session.asked(SetRate) == []


async def test_the_run_is_steered_from_the_open_call_too() -> None:
    async with screen() as shown:
        await shown.press("enter", "colon")
        assert isinstance(shown.app.screen, CallScreen)
        await shown.press(*"rpm 77", "enter")
        assert shown.session.asked(SetRate) == [SetRate(77)]
        assert isinstance(shown.app.screen, CallScreen)
        await shown.press("colon", "escape")
        assert isinstance(shown.app.screen, CallScreen), "the first Esc leaves the line only"
        await shown.press("colon", *"24", "enter")
        assert isinstance(shown.app.screen, CallScreen)
        assert shown.app.screen.call == 24


async def test_what_was_typed_before_comes_back() -> None:
    async with screen() as shown:
        for words in ("rpm 90", "rpm 91"):
            await shown.press("colon", *words, "enter")
        await shown.press("colon", "up", "up", "up")
        assert value(shown) == ":rpm 90"
        await shown.press("down", "down", "down")
        assert value(shown) == ":"
        await shown.press("escape", "slash", "up")
        assert value(shown) == "/"


async def test_deleting_the_first_character_leaves_the_line() -> None:
    async with screen() as shown:
        await shown.press("slash", "a", "backspace", "backspace")
        assert line(shown).typing is None
        assert shown.app.focused is shown.app.main.view


async def test_ctrl_c_leaves_the_line_and_not_the_run() -> None:
    async with screen() as shown:
        await shown.press("colon", "r", "ctrl+c")
        assert line(shown).typing is None
        assert shown.session.asked(Drain) == []
        await shown.press("ctrl+c")
        assert shown.session.asked(Drain) == [Drain()]


async def test_a_click_on_a_view_keeps_the_filter_and_forgets_the_command() -> None:
    async with screen() as shown:
        await shown.press("slash", *"haiku")
        await shown.pilot.click("#wall", offset=(5, 5))
        await shown.frame()
        assert (line(shown).typing, asked(shown).query) == (None, "haiku")
        await shown.press("colon", *"rpm 5")
        await shown.pilot.click("#header", offset=(14, 7))
        await shown.frame()
        assert shown.app.main.shown == VIEWS[1]
        assert shown.session.asked(SetRate) == []
        assert line(shown).typing is None


async def test_what_is_pasted_is_made_plain() -> None:
    async with screen() as shown:
        await shown.press("slash")
        shown.app.post_message(events.Paste("\x1b[2Jab\x9b31mc\u202ed"))
        await shown.press("e")
        assert "\x1b" not in value(shown)
        assert not {"\x9b", "\u202e"} & set(value(shown))
        assert value(shown).endswith("de")


async def test_x_and_q_can_be_typed_as_commands() -> None:
    for typed in ("stop", "q"):
        async with screen() as shown:
            await shown.press("colon", *typed, "enter")
            assert isinstance(shown.app.screen, ChoiceDialog)


@pytest.mark.parametrize("size", [(300, 90), (80, 24), (20, 5), (1, 1)])
@pytest.mark.parametrize("kind", [FILTER, COMMAND])
async def test_the_line_lies_over_the_last_rows_at_every_size(size: tuple[int, int], kind: str) -> None:
    async with screen(FakeSession(), size=size) as shown:
        height = shown.app.main.view.size.height
        await shown.press({FILTER: "slash", COMMAND: "colon"}[kind], "a")
        assert shown.app.main.view.size.height == height, "nothing moves"
        assert line(shown).region.bottom == size[1]
        assert {row.cell_length for row in line(shown).query_one(Rows)._rows} == {size[0]}


async def test_the_cursor_is_seen_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen() as shown:
        await shown.press("slash", "a")
        written = line(shown).query_one(OneLineInput).render_lines(line(shown).query_one(OneLineInput).size.region)[0]
        assert any(part.style is not None and part.style.reverse for part in written)
