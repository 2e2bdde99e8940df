"""Keys and clicks do what the help says, and the screen is idle when nothing changes."""

import asyncio
import re
from queue import Queue
from types import SimpleNamespace

import pytest
from fake_session import FakeSession
from msgspec.structs import replace
from screen_under_test import screen
from textual import events

from tui.core.calls import State
from tui.core.commands import CancelCall, Close, Drain, Pause, Resume, SetRate, Stop, Watch
from tui.core.untrusted import UNSAFE_CLASS
from tui.dashboard.dialogs import ChoiceDialog
from tui.dashboard.help_dialog import HelpDialog
from tui.dashboard.one_call import CallHead, CallScreen, TextView

UNSAFE = re.compile(f"[{UNSAFE_CLASS}]")
HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\x00\u202etxt [/] [bold red]x[/] 堰e\u0301👩‍🔬\ud800\r\n\tend"


async def test_the_wall_shows_the_calls_and_asks_for_what_it_shows() -> None:
    async with screen() as shown:
        assert all(f"#{call} " in shown.text() for call in range(17, 33))
        watch = shown.session.asked(Watch)[-1]
        assert (watch.first, watch.count, watch.focus, watch.everything) == (0, 20, None, False)
        assert watch.tail_chars >= 600


async def test_what_is_watched_is_said_once() -> None:
    async with screen() as shown:
        before = len(shown.session.asked(Watch))
        for t_s in (14.1, 14.2, 14.3):
            await shown.show(t_s)
        assert len(shown.session.asked(Watch)) == before


async def test_text_appears_as_it_arrives() -> None:
    async with screen(at_s=14.0) as shown:
        before = shown.text()
        await shown.show(14.6)
        assert shown.text() != before


async def test_the_screen_is_idle_when_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with screen(FakeSession(count=30, phase="finished"), at_s=60) as shown:
        painted: list[object] = []
        for widget in shown.app.main.query("*"):
            monkeypatch.setattr(widget, "refresh", lambda *regions, **_: painted.append(regions))
        for _ in range(5):
            shown.session.go(60)
            await shown.frame()
        assert painted == []


async def test_a_row_that_changed_is_painted_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with screen() as shown:
        wall, latest = shown.app.main.wall, shown.session.latest
        assert latest is not None
        painted: list[object] = []
        monkeypatch.setattr(wall, "refresh", lambda *regions, **_: painted.extend(regions))
        pane = latest.panes[5]
        longer = replace(pane, text=pane.text + "!", text_end=pane.text_end + 1)
        shown.session.latest = replace(latest, panes=[*latest.panes[:5], longer, *latest.panes[6:]])
        await shown.frame(0.01)
        assert len(painted) == 1


async def test_a_frame_is_left_out_while_the_terminal_is_behind() -> None:
    async with screen() as shown:
        before = shown.text()
        queue: Queue[str] = Queue()
        queue.put("unwritten")
        shown.app._driver._writer_thread = SimpleNamespace(_queue=queue)  # type: ignore[union-attr]
        await shown.show(16)
        assert shown.text() == before
        queue.get()
        await shown.show(16)
        assert shown.text() != before


async def test_plus_and_minus_change_the_size_of_panes() -> None:
    async with screen() as shown:
        capacities = [shown.app.main.wall.capacity]
        for key in ("plus", "plus", "minus", "minus", "minus"):
            await shown.press(key)
            capacities.append(shown.app.main.wall.capacity)
            assert shown.session.asked(Watch)[-1].count == capacities[-1]
        assert capacities[0] > capacities[1] > capacities[2] < capacities[3] < capacities[4] < capacities[5]


async def test_arrows_home_and_end_move_the_focus() -> None:
    async with screen() as shown:
        wall = shown.app.main.wall
        places = []
        for key in ("right", "down", "left", "up", "end", "down", "home", "up"):
            await shown.press(key)
            places.append(wall.focused_place)
        assert places == [1, 5, 4, 0, 15, 15, 0, 0]


async def test_the_focus_can_be_seen() -> None:
    async with screen() as shown:
        assert shown.rows()[0].startswith("█")
        await shown.press("right")
        assert shown.rows()[0].startswith("▌")
        assert "█ ✓ #18" in shown.rows()[0]


async def test_pages_move_the_window_and_what_is_watched() -> None:
    async with screen(size=(80, 24)) as shown:
        await shown.press("pagedown")
        assert shown.app.main.wall.first == 6
        assert shown.session.asked(Watch)[-1].first == 6
        assert "#23 " in shown.text()
        assert "places 7–12 of 16" in shown.footer
        await shown.press("pageup")
        assert shown.session.asked(Watch)[-1].first == 0


async def test_moving_the_focus_out_of_sight_moves_the_window() -> None:
    async with screen(size=(80, 24)) as shown:
        await shown.press("down", "down", "down")
        assert shown.app.main.wall.first == 2
        assert shown.session.asked(Watch)[-1].first == 2


async def test_f_swaps_between_running_calls_and_all() -> None:
    async with screen() as shown:
        await shown.press("f")
        assert shown.session.asked(Watch)[-1].everything
        assert "#1 " in shown.text()
        await shown.press("f")
        assert not shown.session.asked(Watch)[-1].everything


async def test_enter_opens_one_call_in_full_and_escape_goes_back() -> None:
    async with screen() as shown:
        await shown.press("right", "down", "down", "enter")
        assert shown.session.asked(Watch)[-1].focus == 26
        assert isinstance(shown.app.screen, CallScreen)
        head = shown.text(shown.app.screen.query_one(CallHead))
        for word in ("#26", "gpt-4o-mini", "streaming", "TTFT", "1.08 s", "queue", "largest gap", "310 ms", "200"):
            assert word in head
        assert "Keep to plain words" in head
        assert "percentile" in shown.text(shown.app.screen.query_one(TextView))
        await shown.press("escape")
        assert not isinstance(shown.app.screen, CallScreen)
        assert shown.session.asked(Watch)[-1].focus is None


async def test_one_call_scrolls_and_follows_its_end() -> None:
    async with screen(size=(60, 20), at_s=18) as shown:
        await shown.press("right", "right", "right", "right", "right")
        await shown.press("enter")
        view = shown.app.screen.query_one(TextView)
        assert view.following
        at_the_end = shown.text(view)
        await shown.press("home")
        assert not view.following
        assert "rows 1–" in shown.text(view)
        await shown.press("end")
        assert shown.text(view) == at_the_end
        await shown.press("pageup", "up")
        assert not view.following


@pytest.mark.parametrize("place", [0, 3, 6, 13, 14, 15])
async def test_every_kind_of_call_can_be_opened(place: int) -> None:
    async with screen(size=(70, 30)) as shown:
        shown.app.main.wall.focus_on(place)
        await shown.frame()
        await shown.frame()
        await shown.press("enter")
        assert isinstance(shown.app.screen, CallScreen)
        assert f"#{17 + place}" in shown.text(shown.app.screen.query_one(CallHead))


async def test_a_key_between_a_move_and_the_next_frame_opens_the_call_that_was_seen_there() -> None:
    async with screen(size=(80, 24)) as shown:
        await shown.pilot.press("down", "enter")
        await shown.frame()
        assert shown.app.screen.query_one(CallHead)
        assert "#19" in shown.text(shown.app.screen.query_one(CallHead))


async def test_a_click_gives_a_pane_the_focus_and_two_open_it() -> None:
    async with screen() as shown:
        await shown.pilot.click("#wall", offset=(40, 10))
        await shown.frame()
        assert shown.app.main.wall.focused_place == 5
        await shown.pilot.click("#wall", offset=(40, 10), times=2)
        await shown.frame()
        assert isinstance(shown.app.screen, CallScreen)


async def test_the_wheel_moves_the_window() -> None:
    async with screen(size=(80, 24)) as shown:
        await shown.pilot._post_mouse_events([events.MouseScrollDown], "#wall", button=0)
        await shown.frame()
        assert shown.app.main.wall.first == 2


async def test_p_pauses_and_resumes() -> None:
    async with screen() as shown:
        await shown.press("p")
        assert shown.session.asked(Pause) == [Pause()]
        assert "pausing" in shown.footer
        shown.session.phase = "paused"
        await shown.show(14.5)
        assert "‖ paused" in shown.header
        await shown.press("p")
        assert shown.session.asked(Resume) == [Resume()]


async def test_c_cancels_the_call_that_has_the_focus() -> None:
    async with screen() as shown:
        await shown.press("c")
        assert shown.session.asked(CancelCall) == []
        assert "#17 has already ended" in shown.footer
        await shown.press("right", "down", "c")
        assert shown.session.asked(CancelCall) == [CancelCall(22)]


async def test_c_cancels_the_call_that_is_open() -> None:
    async with screen() as shown:
        await shown.press("right", "down", "enter", "c")
        assert shown.session.asked(CancelCall) == [CancelCall(22)]


async def test_brackets_move_the_rate_by_a_tenth_from_what_was_asked_last() -> None:
    async with screen() as shown:
        await shown.press("right_square_bracket", "right_square_bracket", "left_square_bracket")
        assert shown.session.asked(SetRate) == [SetRate(264), SetRate(290), SetRate(261)]


async def test_brackets_do_nothing_where_there_is_no_limit() -> None:
    async with screen(FakeSession(rpm_limit=None)) as shown:
        await shown.press("left_square_bracket")
        assert shown.session.asked(SetRate) == []
        assert "no RPM limit" in shown.footer


async def test_a_rate_never_reaches_nought() -> None:
    async with screen(FakeSession(rpm_limit=1)) as shown:
        await shown.press("left_square_bracket")
        assert shown.session.asked(SetRate) == [SetRate(1)]


async def test_a_note_goes_away_after_a_while() -> None:
    async with screen() as shown:
        await shown.press("p")
        await shown.frame(9)
        await shown.frame(1)
        assert "q quit" in shown.footer


async def test_q_asks_while_calls_run_and_can_be_taken_back() -> None:
    async with screen() as shown:
        await shown.press("q")
        assert isinstance(shown.app.screen, ChoiceDialog)
        await shown.press("escape")
        assert not isinstance(shown.app.screen, ChoiceDialog)
        assert shown.session.asked(Drain) == shown.session.asked(Stop) == shown.session.asked(Close) == []


async def test_q_can_drain_and_closes_when_the_run_is_finished() -> None:
    async with screen() as shown:
        await shown.press("q", "d")
        assert shown.session.asked(Drain) == [Drain()]
        assert shown.session.asked(Close) == []
        assert "finishing the running streams" in shown.footer
        shown.session.phase = "finished"
        await shown.show(60)
        assert shown.session.asked(Close)[0] == Close()


async def test_q_can_stop_now_by_moving_the_choice() -> None:
    async with screen() as shown:
        await shown.press("q", "down", "enter")
        assert shown.session.asked(Stop) == [Stop()]


async def test_q_closes_at_once_when_the_run_is_finished() -> None:
    async with screen(FakeSession(count=30, phase="finished"), at_s=60) as shown:
        assert "q quits" in shown.header
        await shown.pilot.press("q")
        assert shown.session.asked(Close) == [Close()]


async def test_ctrl_c_drains_then_stops_then_closes() -> None:
    async with screen() as shown:
        await shown.press("ctrl+c")
        assert shown.session.asked(Drain) == [Drain()]
        assert "Ctrl-C again stops" in shown.footer
        await shown.press("ctrl+c")
        assert shown.session.asked(Stop) == [Stop()]
        assert shown.session.asked(Close) == []
        await shown.pilot.press("ctrl+c")
        assert shown.session.asked(Close) == [Close()]


async def test_ctrl_c_works_under_a_dialog() -> None:
    async with screen() as shown:
        await shown.press("question_mark", "ctrl+c")
        assert shown.session.asked(Drain) == [Drain()]


async def test_help_is_made_of_the_bindings() -> None:
    async with screen() as shown:
        await shown.press("question_mark")
        assert isinstance(shown.app.screen, HelpDialog)
        said = shown.text(shown.app.screen.query_one("Box"))
        for words in ("larger panes", "open the call in full", "pause or resume", "RPM limit up", "quit", "drain"):
            assert words in said
        await shown.press("escape")
        assert not isinstance(shown.app.screen, HelpDialog)


async def test_the_wall_goes_on_under_a_dialog_without_column_marks() -> None:
    async with screen() as shown:
        wall = shown.app.main.wall
        assert any(segment.control for strip in wall.render_lines(wall.size.region) for segment in strip)
        await shown.press("question_mark")
        before = shown.text()
        await shown.show(15)
        assert shown.text() != before
        assert not any(segment.control for strip in wall.render_lines(wall.size.region) for segment in strip)
        await shown.press("escape")
        assert any(segment.control for strip in wall.render_lines(wall.size.region) for segment in strip)


async def test_a_row_that_is_not_ascii_is_followed_by_a_column_mark_for_its_neighbour() -> None:
    async with screen() as shown:
        wall = shown.app.main.wall
        title = wall.render_lines(wall.size.region)[0]
        marks = [segment.text for segment in title if segment.control]
        columns = [place.x for place in wall._grid.places()[:4]]
        assert marks == [f"\x1b[{x}G" for x in columns[1:]]
        assert title.cell_length == 120


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (80, 24), (300, 90)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    async with screen(size=size) as shown:
        for key in ("minus", "end", "enter", "escape", "q", "escape", "question_mark"):
            await shown.press(key)
        wall = shown.app.main.wall
        assert all(strip.cell_length == wall.size.width for strip in wall.render_lines(wall.size.region))


async def test_four_panes_and_a_header_of_five_rows_fit_the_smallest_usual_screen() -> None:
    async with screen(size=(80, 24)) as shown:
        assert shown.app.main.wall.capacity >= 4
        assert shown.app.main.header.size.height <= 5


async def test_resizing_lays_the_wall_out_anew() -> None:
    async with screen(size=(80, 24)) as shown:
        for width, height in ((20, 5), (300, 90), (81, 25), (120, 40)):
            await shown.pilot.resize_terminal(width, height)
            await shown.frame()
            await shown.show(14)
            rows = shown.rows()
            wall = shown.app.main.wall
            assert len(rows) == wall.size.height
            assert shown.session.asked(Watch)[-1].count == wall.capacity


async def test_hostile_text_reaches_no_segment_that_is_not_ours() -> None:
    async with screen() as shown:
        latest = shown.session.latest
        assert latest is not None
        fields = {"prompt": HOSTILE, "model": HOSTILE, "error": HOSTILE, "text": HOSTILE, "text_end": len(HOSTILE)}
        panes = [
            replace(pane, call=900 + index, state=state, **fields)
            for index, (pane, state) in enumerate(zip(latest.panes, list(State), strict=False))
        ]
        run = replace(latest.run, model=HOSTILE, job=HOSTILE, endpoint=HOSTILE, notice=HOSTILE)
        shown.session.latest = replace(latest, panes=panes, run=run, lane_closed_why=HOSTILE, lane_closed_until=1 << 62)
        await shown.frame()
        assert "#909 " in shown.text()
        assert "[bold red]" in shown.text()
        for widget in shown.app.main.query("*"):
            for row in shown.rows(widget):
                assert not UNSAFE.search(row)
        shown.session.send = lambda command: None  # type: ignore[method-assign]
        await shown.press("enter")
        for widget in shown.app.screen.query("*"):
            for row in shown.rows(widget):
                assert not UNSAFE.search(row)


async def test_without_colour_no_segment_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen() as shown:
        strips = [s for w in shown.app.main.query("*") for s in w.render_lines(w.size.region)]
        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
        assert all(style.color is None or style.color.is_default for style in styles)
        assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles)
        assert any(style.reverse for style in styles)
        assert all(glyph in shown.text() for glyph in "✓●◐◔↻")


async def test_without_a_new_picture_the_old_one_stays() -> None:
    shown = FakeSession()
    async with screen(shown) as app:
        shown.latest = None
        before = app.text()
        await app.frame()
        assert app.text() == before


async def test_the_app_ticks_by_itself() -> None:
    from tui.dashboard.app import WeirApp

    session = FakeSession()
    session.go(14)
    app = WeirApp(session)
    async with app.run_test(size=(80, 24)):
        async with asyncio.timeout(10):
            while app.snapshot is None:  # noqa: ASYNC110 - the app tells nobody when it draws
                await asyncio.sleep(0)
        assert session.asked(Watch)
