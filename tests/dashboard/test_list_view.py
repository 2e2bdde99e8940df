"""A window on a long list goes where keys and wheel say, and its cursor stays with the call it was put on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.core.calls import State
from tui.core.commands import Watch
from tui.core.snapshot import Counts, RunView, Snapshot
from tui.core.views import CallRow
from tui.dashboard.list_view import ListView, thumb
from tui.dashboard.view import Focused, View

RUN = RunView("load", "m", "x", 0, "running")


class Plain(ListView):
    """A list that draws nothing."""

    NAME = "table"

    def draw(self, snapshot: Snapshot, now: int, figures_due: bool = True, charts_due: bool = True) -> None:
        self.take(snapshot, snapshot.rows)


class ListApp(App[None]):
    """Shows a list alone, and keeps what it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.list = Plain()
        self.moves = 0
        self.opened: list[int] = []
        self.calls = list(range(1, 101))

    def compose(self) -> ComposeResult:
        yield self.list

    def on_mount(self) -> None:
        self.list.focus()

    def on_view_moved(self, _: View.Moved) -> None:
        self.moves += 1

    def on_view_opened(self, event: View.Opened) -> None:
        self.opened.append(event.call)

    def answer(self, watch: Watch | None = None) -> Snapshot:
        """Draw what the list asks for, or what it asked for once."""
        watch = self.list.wanted() if watch is None else watch
        first = max(0, len(self.calls) - watch.count) if watch.follow else watch.first
        window = self.calls[first : first + watch.count]
        snapshot = Snapshot(
            at=0,
            run=RUN,
            counts=Counts(),
            calls=len(self.calls),
            watch=watch,
            listed=len(self.calls),
            first=first,
            rows=[CallRow(call, State.STREAMING, "m", "p") for call in window],
        )
        self.list.draw(snapshot, 0)
        return snapshot


@asynccontextmanager
async def listing(height: int = 11, calls: int = 100) -> AsyncIterator[tuple[ListApp, Pilot[None]]]:
    """A list of which `height` - 1 calls can be seen."""
    app = ListApp()
    app.calls = list(range(1, calls + 1))
    async with app.run_test(size=(40, height)) as pilot:
        app.answer()
        yield app, pilot


def place(app: ListApp) -> tuple[int, int]:
    return app.list.first, app.list.cursor


async def test_the_list_asks_for_as_many_calls_as_fit() -> None:
    async with listing(height=11) as (app, pilot):
        assert app.list.wanted() == Watch("table", 0, 10, False, "id", False)
        await pilot.resize_terminal(40, 21)
        assert app.list.wanted().count == 20


@pytest.mark.parametrize(
    ("keys", "first", "cursor"),
    [
        (["down"], 0, 1),
        (["down", "down", "up"], 0, 1),
        (["up"], 0, 0),
        (["down"] * 10, 1, 10),
        (["pagedown"], 10, 10),
        (["down", "pagedown", "pagedown", "pageup"], 10, 11),
        (["pageup"], 0, 0),
        (["end"], 90, 99),
        (["end", "up"], 90, 98),
        (["end", "home"], 0, 0),
        (["pagedown"] * 12, 90, 99),
    ],
)
async def test_keys_move_cursor_and_window(keys: list[str], first: int, cursor: int) -> None:
    async with listing() as (app, pilot):
        for key in keys:
            await pilot.press(key)
            app.answer()
        assert place(app) == (first, cursor)
        assert app.list.focused_call == Focused(cursor + 1, State.STREAMING)


async def test_a_key_that_leads_nowhere_asks_for_nothing() -> None:
    async with listing(calls=3) as (app, pilot):
        before = app.moves
        await pilot.press("up", "pageup", "home")
        assert app.moves == before


async def test_the_wheel_moves_the_window_and_keeps_the_cursor_in_sight() -> None:
    async with listing() as (app, _):
        app.list.scroll_rows(3)
        assert place(app) == (3, 3)
        app.list.put_cursor(8)
        app.list.scroll_rows(3)
        assert place(app) == (6, 8)
        app.list.scroll_rows(-100)
        assert place(app) == (0, 8)
        app.list.scroll_rows(1000)
        assert place(app) == (90, 90)


async def test_following_shows_the_end_wherever_it_is() -> None:
    async with listing() as (app, pilot):
        await pilot.press("end")
        app.calls += [101, 102]
        app.answer()
        assert app.list.wanted().follow
        assert place(app) == (92, 101)
        await pilot.press("up")
        app.calls += [103]
        app.answer()
        assert not app.list.wanted().follow
        assert place(app) == (92, 100)


async def test_the_wheel_leaves_the_end_and_no_longer_follows() -> None:
    async with listing() as (app, pilot):
        await pilot.press("end")
        app.answer()
        app.list.scroll_rows(3)
        assert app.list.following
        app.list.scroll_rows(-3)
        assert not app.list.following


async def test_the_cursor_stays_with_the_call_it_was_put_on() -> None:
    async with listing() as (app, _):
        app.list.put_cursor(4)
        app.answer()
        app.calls.insert(0, 500)
        app.calls.insert(0, 501)
        app.answer()
        assert app.list.focused_call == Focused(5, State.STREAMING)
        assert place(app) == (0, 6)


async def test_a_cursor_that_nobody_moved_stays_on_top() -> None:
    async with listing() as (app, pilot):
        app.calls.insert(0, 500)
        app.answer()
        assert app.list.focused_call == Focused(500, State.STREAMING)
        await pilot.press("down", "home")
        app.answer()
        app.calls.insert(0, 501)
        app.answer()
        assert app.list.focused_call == Focused(501, State.STREAMING)


async def test_a_window_whose_calls_left_the_list_goes_back_to_where_some_are() -> None:
    async with listing() as (app, _):
        app.list.put_cursor(60)
        app.answer()
        del app.calls[13:]
        app.answer()
        app.answer()
        assert place(app) == (3, 12)
        assert len(app.list.entries) == 10
        app.calls.clear()
        app.answer()
        assert place(app) == (0, 0)
        assert app.list.focused_call is None


async def test_a_picture_of_another_order_is_not_taken() -> None:
    async with listing() as (app, _):
        old = app.list.wanted()
        app.list.put_cursor(60)
        app.list.sort_by("ttft", True)
        assert place(app) == (0, 0)
        app.answer(old)
        assert app.list.focused_call is None
        app.answer()
        assert app.list.focused_call == Focused(1, State.STREAMING)


async def test_keys_mean_no_call_until_the_picture_of_where_the_cursor_went_has_come() -> None:
    async with listing() as (app, pilot):
        old = app.list.wanted()
        await pilot.press("pagedown")
        app.answer(old)
        assert app.list.focused_call is None
        assert app.list.drawn_cursor == 9
        app.answer()
        assert app.list.focused_call == Focused(11, State.STREAMING)


async def test_a_click_takes_a_row_and_a_second_one_opens_it() -> None:
    async with listing(calls=3) as (app, pilot):
        await pilot.click(offset=(5, 2))
        assert app.list.focused_call == Focused(2, State.STREAMING)
        assert app.opened == []
        await pilot.click(offset=(5, 3), times=2)
        assert app.opened == [3]
        await pilot.click(offset=(5, 8), times=2)
        await pilot.click(offset=(5, 0), times=2)
        assert app.opened == [3]
        assert app.list.cursor == 2


async def test_a_smaller_screen_keeps_the_cursor_in_sight_and_a_larger_one_is_filled() -> None:
    async with listing() as (app, pilot):
        app.list.put_cursor(9)
        await pilot.resize_terminal(40, 5)
        assert place(app) == (6, 9)
        app.list.put_cursor(99)
        await pilot.resize_terminal(40, 31)
        assert place(app) == (70, 99)


async def test_the_last_row_says_where_the_window_stands() -> None:
    async with listing(calls=2345) as (app, pilot):
        assert app.list.where(app.answer()) == "calls 1–10 of 2,345"
        await pilot.press("end")
        snapshot = app.answer()
        assert app.list.where(snapshot) == "following  calls 2,336–2,345 of 2,345"
        assert app.list.where(replace(snapshot, calls=9000)).endswith("of 2,345 (9,000 in all)")
        assert app.list.where(replace(snapshot, listed=0)) == "no calls"
        assert app.list.where(replace(snapshot, watch=Watch("wall"))) == ""


@pytest.mark.parametrize(
    ("first", "top", "size"), [(0, 0, 2), (1, 1, 2), (45, 9, 2), (89, 17, 2), (90, 18, 2), (500, 18, 2)]
)
def test_the_thumb_stands_where_the_window_does(first: int, top: int, size: int) -> None:
    assert thumb(first, 10, 100, 20) == (top, size)


@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(0, 10**6), st.integers(0, 400))
def test_the_thumb_is_on_its_bar(first: int, shown: int, listed: int, height: int) -> None:
    top, size = thumb(first, shown, listed, height)
    assert 0 <= top <= top + size <= height
    assert (size == 0) == (listed <= shown or height == 0)
