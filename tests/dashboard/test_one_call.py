"""The screen of one call: pages, keys, mouse, what it asks of the engine and what it copies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from a_call import ATTEMPTS, CALL, CURL, PROMPT, a_call, at, picture
from msgspec.structs import replace
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widget import Widget

from tui.core.calls import State
from tui.core.snapshot import FullCall
from tui.dashboard.call_head import CallHead
from tui.dashboard.footer import Footer
from tui.dashboard.one_call import TAIL_CHARS, CallScreen
from tui.dashboard.theme import DARK_GROUNDS, LIGHT_GROUNDS, Theme
from tui.dashboard.view import View

LONG = "".join(f"word{n:05d} " for n in range(3_000))
MARKDOWN = "# Title\n\nSome **bold** words.\n\n" + "A paragraph.\n\n" * 300


class Bare(App[None]):
    """Keeps what the screen says."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def on_call_screen_go(self, event: CallScreen.Go) -> None:
        self.heard.append(("go", event.by))

    def on_call_screen_save(self, event: CallScreen.Save) -> None:
        self.heard.append(("save", event.call))

    def on_call_screen_said(self, event: CallScreen.Said) -> None:
        self.heard.append(event.text)

    def on_view_moved(self, _: View.Moved) -> None:
        self.heard.append("moved")


class Shown:
    """The screen, and an engine that sends what it is asked for and no more."""

    def __init__(self, app: Bare, pilot: Pilot[None], full: FullCall) -> None:
        self.app, self.pilot, self.full = app, pilot, full
        self.screen = app.screen_stack[-1]
        self.sent_chars = 0
        self.request: str | None = CURL

    @property
    def call(self) -> CallScreen:
        assert isinstance(self.screen, CallScreen)
        return self.screen

    async def frame(self, charts_due: bool = True) -> None:
        tail, with_request = self.call.wanted_focus()
        pane = self.full.pane
        text = pane.text if tail is None else pane.text[-tail:]
        self.sent_chars += len(text)
        sent = replace(self.full, pane=replace(pane, text=text), request=self.request if with_request else None)
        asked = {"focus": CALL, "focus_tail": tail, "focus_request": with_request}
        self.call.draw(picture(sent, **asked), at(14_000), None, True, charts_due)
        await self.settle()

    async def settle(self) -> None:
        """Let every widget deal with its messages. `Pilot.pause` looks at the wall clock instead, and is slow."""
        await self.pilot._wait_for_screen()
        await asyncio.sleep(0)

    async def grow(self, text: str) -> None:
        whole = self.full.pane.text + text
        self.full = replace(self.full, pane=replace(self.full.pane, text=whole, text_end=len(whole)))
        await self.frame()

    async def press(self, *keys: str) -> None:
        await self.key(*keys)
        await self.frame()

    async def key(self, *keys: str) -> None:
        """Press keys and draw nothing."""
        for key in keys:
            assert self.app._driver is not None
            self.app._driver.send_message(events.Key(key, key if len(key) == 1 else None))
            await self.settle()
        await self.pilot.pause()

    def rows(self, widget: Widget | None = None) -> list[str]:
        shown = widget or self.call.view
        return ["".join(s.text for s in strip) for strip in shown.render_lines(shown.size.region)]

    def text(self, widget: Widget | None = None) -> str:
        return "\n".join(self.rows(widget))


@asynccontextmanager
async def opened(full: FullCall | None = None, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Shown]:
    app = Bare()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(CallScreen(CALL))
        shown = Shown(app, pilot, full or a_call())
        await shown.frame()
        await shown.frame()
        await pilot.pause()
        yield shown


# Pages


async def test_pages_are_turned_with_numbers_and_tab() -> None:
    async with opened() as shown:
        assert "A weir is a low wall." in shown.text()
        await shown.press("2")
        assert "headers of the answer" in shown.text()
        await shown.press("3")
        assert PROMPT[-20:] in shown.text()
        await shown.press("tab")
        assert "Bearer $OPENAI_API_KEY" in shown.text()
        await shown.press("tab")
        assert shown.call.view.shown == "text"
        await shown.press("shift+tab", "1")
        assert "A weir is a low wall." in shown.text()
        assert "gpt-4o-mini" in shown.text(shown.call.query_one(CallHead))


async def test_a_click_on_a_name_turns_to_the_page_and_one_on_an_attempt_chooses_it() -> None:
    async with opened() as shown:
        await shown.pilot.click("#call-text", offset=(12, 0))
        await shown.pilot.pause()
        await shown.frame()
        assert shown.call.view.shown == "attempts"
        await shown.pilot.click("#call-text", offset=(12, 2))
        await shown.pilot.pause()
        await shown.frame()
        assert shown.call.view.attempts.chosen == 0
        assert "the server asked to wait" in shown.text()


async def test_n_goes_through_the_attempts() -> None:
    async with opened(size=(80, 40)) as shown:
        await shown.press("n")
        assert shown.call.view.shown == "attempts"
        await shown.press("N", "N")
        assert "req_a" in shown.text()
        await shown.press("N", "n")
        assert "req_b" in shown.text()


async def test_another_call_is_asked_for_with_the_arrows() -> None:
    async with opened() as shown:
        await shown.press("right", "left", "w")
        assert [said for said in shown.app.heard if said != "moved"] == [("go", 1), ("go", -1), ("save", 42)]


async def test_the_screen_can_show_another_call_and_forgets_the_one_before() -> None:
    async with opened(a_call(text=LONG)) as shown:
        await shown.press("end", "4")
        shown.call.show_call(43)
        assert shown.call.wanted_focus() == (None, True)
        shown.full = a_call(call=43, text="another answer")
        shown.call.draw(picture(shown.full), at(14_000), None)
        await shown.press("1")
        assert "another answer" in shown.text()
        assert "word0" not in shown.text()
        assert "#43" in shown.text(shown.call.query_one(CallHead))


# Text


async def test_a_finished_answer_is_read_from_its_start_and_a_running_one_at_its_end() -> None:
    async with opened(a_call(text=LONG)) as shown:
        assert "word00000" in shown.text()
    async with opened(a_call(text=LONG, state=State.STREAMING)) as shown:
        assert "word02999" in shown.text()
        assert "following" in shown.text()


async def test_it_follows_until_one_scrolls_away_and_again_at_the_end() -> None:
    async with opened(a_call(text=LONG, state=State.STREAMING)) as shown:
        await shown.press("pageup")
        before = shown.rows()[1:]
        await shown.grow("more " * 500)
        assert shown.rows()[1:] == before
        await shown.press("home", "down", "up")
        assert "word00000" in shown.text()
        await shown.press("end")
        await shown.grow("\nlast words")
        assert "last words" in shown.text()


async def test_the_wheel_scrolls() -> None:
    async with opened(a_call(text=LONG)) as shown:
        await shown.pilot._post_mouse_events([events.MouseScrollDown], "#call-text", button=0)
        await shown.pilot.pause()
        assert "rows 4–" in shown.text()
        await shown.pilot._post_mouse_events([events.MouseScrollUp], "#call-text", button=0)
        await shown.pilot.pause()
        assert "rows 1–" in shown.text()


async def test_m_shows_the_text_as_markdown_and_as_received() -> None:
    async with opened(a_call(text=MARKDOWN)) as shown:
        assert "**bold**" in shown.text()
        await shown.press("m")
        assert "Some bold words." in shown.text()
        assert "Markdown" in shown.rows()[0]
        for _ in range(10):
            await shown.settle()
        await shown.press("end")
        assert "A paragraph." in shown.rows()[-1]
        await shown.press("m")
        assert "**bold**" in shown.text()


async def test_markdown_stays_where_it_was_scrolled_to_when_it_is_made_anew() -> None:
    async with opened(a_call(text=MARKDOWN)) as shown:
        await shown.press("m", "pagedown", "pagedown", "pagedown")
        place = shown.rows()[0][-20:]
        await shown.pilot.resize_terminal(78, 24)
        await shown.pilot.pause()
        await shown.press()
        assert shown.rows()[0][-20:] == place


async def test_a_call_whose_text_has_left_the_memory_is_not_said_to_have_none() -> None:
    async with opened(a_call(text="", text_end=300)) as shown:
        assert "its text is no longer in memory; the record has it" in shown.text()
        assert "no text came" not in shown.text()


async def test_markdown_of_a_running_stream_is_made_at_the_pace_of_charts() -> None:
    async with opened(a_call(text="one", state=State.STREAMING)) as shown:
        await shown.press("m")
        whole = "one and two"
        shown.full = replace(shown.full, pane=replace(shown.full.pane, text=whole, text_end=len(whole)))
        await shown.frame(charts_due=False)
        assert "one and two" not in shown.text()
        await shown.frame(charts_due=True)
        assert "one and two" in shown.text()


async def test_a_text_that_is_not_all_here_says_so() -> None:
    async with opened(a_call(text=LONG, text_end=312_345)) as shown:
        assert f"the last {len(LONG):,} of 312,345 characters" in shown.text()
        await shown.press("y")
        said = f"copied the last {len(LONG):,} characters of 312,345; if nothing arrives, w saves it to a file"
        assert said in shown.app.heard


async def test_a_call_without_text_says_so() -> None:
    async with opened(a_call(text="", state=State.FAILED, error="HTTP 503")) as shown:
        assert "no text came" in shown.text()
        await shown.press("y")
        assert "there is no text to copy" in shown.app.heard


# What it asks of the engine


async def test_the_whole_text_travels_once_and_its_end_from_then_on() -> None:
    async with opened(a_call(text=LONG, state=State.STREAMING)) as shown:
        before = shown.sent_chars
        for n in range(20):
            await shown.grow(f"piece{n} " * 20)
        assert shown.sent_chars - before == 20 * TAIL_CHARS
        assert shown.call.text.chars == shown.full.pane.text


async def test_a_gap_is_noticed_and_the_whole_asked_for_again() -> None:
    async with opened(a_call(text=LONG, state=State.STREAMING)) as shown:
        await shown.grow("x" * (2 * TAIL_CHARS))
        assert shown.call.wanted_focus()[0] is None
        await shown.frame()
        assert shown.call.wanted_focus()[0] == TAIL_CHARS
        assert shown.call.text.chars == shown.full.pane.text


async def test_a_picture_that_was_made_for_another_question_does_not_pass_for_the_whole() -> None:
    async with opened() as shown:
        shown.call.show_call(43)
        tail = a_call(call=43, text=LONG[-600:], text_end=len(LONG))
        shown.call.draw(picture(tail, focus=CALL), at(14_000), None)
        assert shown.call.wanted_focus()[0] is None


async def test_the_request_is_asked_for_while_its_page_is_shown_and_until_it_came() -> None:
    async with opened() as shown:
        assert shown.call.wanted_focus()[1] is False
        await shown.key("4")
        assert shown.call.wanted_focus()[1] is True
        assert "moved" in shown.app.heard
        await shown.frame()
        assert shown.call.wanted_focus()[1] is False
        assert "curl -N" in shown.text()


async def test_a_request_that_is_no_longer_there_is_said_to_be_in_the_record() -> None:
    async with opened() as shown:
        shown.request = None
        await shown.press("4", "Y")
        assert "the record has it" in shown.text()
        assert "its request is no longer in memory; the record has it" in shown.app.heard


# Copying


async def test_y_copies_the_text_and_says_how_much() -> None:
    async with opened(a_call(text=LONG)) as shown:
        await shown.press("y")
        assert shown.app.clipboard == LONG
        assert f"copied the text, {len(LONG):,} characters; if nothing arrives, w saves it to a file" in shown.app.heard


async def test_capital_y_copies_the_request_even_from_another_page_once_it_came() -> None:
    async with opened() as shown:
        await shown.key("Y")
        assert shown.call.wanted_focus()[1] is True
        assert shown.app.clipboard == ""
        await shown.frame()
        assert shown.app.clipboard == CURL
        assert shown.call.wanted_focus()[1] is False


async def test_a_copy_waits_for_the_part_of_the_text_that_is_missing() -> None:
    async with opened(a_call(text=LONG, state=State.STREAMING)) as shown:
        await shown.grow("x" * (2 * TAIL_CHARS))
        await shown.key("y")
        assert shown.app.clipboard == ""
        await shown.frame()
        assert shown.app.clipboard == shown.full.pane.text


# Looks


async def test_another_theme_is_drawn_at_once() -> None:
    async with opened(a_call(text=MARKDOWN)) as shown:
        for keys in ((), ("m",), ("2",), ("3",), ("4",)):
            await shown.press(*keys)
            grounds = []
            for theme in ("textual-light", "textual-dark"):
                shown.app.theme = theme
                shown.call.recolour()
                strips = shown.call.view.render_lines(shown.call.view.size.region)
                grounds.append({s.style.bgcolor.name for strip in strips[1:] for s in strip if s.style})
            assert LIGHT_GROUNDS["page"] in grounds[0]
            assert DARK_GROUNDS["page"] in grounds[1]
            assert not grounds[0] & grounds[1]


async def test_a_row_that_says_what_it_said_is_not_painted_again() -> None:
    async with opened(a_call(text=LONG)) as shown:
        before = list(shown.call.view._rows)
        await shown.frame()
        assert all(old is new or old == new for old, new in zip(before, shown.call.view._rows, strict=True))
        assert before[5] is shown.call.view._rows[5]


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (33, 9), (60, 20), (300, 90)])
async def test_every_page_is_drawn_at_any_size(size: tuple[int, int]) -> None:
    full = a_call(text=MARKDOWN, error="HTTP 503", state=State.BROKEN, attempts=ATTEMPTS, buffered="in bursts " * 9)
    async with opened(full, size) as shown:
        await shown.press("1", "m", "2", "3", "4", "end", "pagedown", "home", "up")
        await shown.pilot.resize_terminal(80, 24)
        await shown.frame()
        assert len(shown.rows(shown.call.query_one(Footer))) == 1


async def test_without_colours_no_cell_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(a_call(text=MARKDOWN)) as shown:
        assert isinstance(shown.call.view.theme_now, Theme)
        assert not shown.call.view.theme_now.colour
        await shown.press("m")
        for strip in shown.call.view._rows:
            assert all(s.style is None or s.style.color is None for s in strip)
