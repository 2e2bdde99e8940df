"""The table shows a window on all calls, makes only the rows that changed, and asks the engine to sort."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from tui.core.calls import State
from tui.core.commands import Watch
from tui.core.snapshot import Counts, RunView, Snapshot
from tui.core.views import CallRow
from tui.dashboard.table import TableView
from tui.dashboard.table_columns import COLUMNS
from tui.dashboard.view import View

ROW = CallRow(12, State.STREAMING, "gpt-4o-mini", "", attempts=1, status=200, ttft_ns=412_000_000, tokens=1204)
RUN = RunView("load", "gpt-4o-mini", "x", 0, "running")


class TableApp(App[None]):
    """Shows a table alone, and answers what it asks for."""

    def __init__(self, count: int = 100) -> None:
        super().__init__()
        self.table = TableView()
        self.rows = [replace(ROW, call=call, prompt=f"prompt {call} 堰") for call in range(1, count + 1)]
        self.query_text = ""
        self.opened: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()

    def on_view_opened(self, event: View.Opened) -> None:
        self.opened.append(event.call)

    def answer(self, figures_due: bool = True, watch: Watch | None = None, **more: object) -> None:
        watch = replace(self.table.wanted(), query=self.query_text) if watch is None else watch
        rows = self.rows if not self.query_text else []
        first = max(0, len(rows) - watch.count) if watch.follow else watch.first
        fields = {"run": RUN, "calls": len(self.rows), "listed": len(rows), "first": first, "watch": watch, **more}
        window = rows[first : first + watch.count]
        self.table.draw(Snapshot(at=0, counts=Counts(), rows=window, **fields), 0, figures_due)  # type: ignore[arg-type]

    @property
    def lines(self) -> list[str]:
        return [
            "".join(segment.text for segment in strip if not segment.control)
            for strip in self.table.render_lines(self.table.size.region)
        ]


@asynccontextmanager
async def table(count: int = 100, size: tuple[int, int] = (120, 11)) -> AsyncIterator[tuple[TableApp, Pilot[None]]]:
    app = TableApp(count)
    async with app.run_test(size=size) as pilot:
        app.answer()
        yield app, pilot


async def test_the_window_is_shown_under_the_heads() -> None:
    async with table() as (app, _):
        assert app.lines[0].split()[:3] == ["▲id", "state", "queue"]
        assert [line.split("#")[1].split()[0] for line in app.lines[1:]] == [str(call) for call in range(1, 11)]


async def test_s_sorts_by_the_next_column_and_i_the_other_way_round() -> None:
    async with table() as (app, pilot):
        asked = []
        for key in ["s"] * len(COLUMNS) + ["i"]:
            await pilot.press(key)
            asked.append((app.table.wanted().order, app.table.wanted().descending))
        orders = [column.order for column in COLUMNS]
        assert [order for order, _ in asked] == [*orders[1:], "id", "id"]
        assert ("ttft", True) in asked
        assert ("prompt", False) in asked
        assert asked[-2:] == [("id", False), ("id", True)]


async def test_a_click_on_a_head_sorts_by_it_and_a_second_one_inverts() -> None:
    async with table() as (app, pilot):
        x = app.lines[0].index("TTFT") + 1
        await pilot.click(offset=(x, 0))
        assert (app.table.order, app.table.descending) == ("ttft", True)
        app.answer()
        assert "▼TTFT" in app.lines[0]
        await pilot.click(offset=(x, 0))
        assert (app.table.order, app.table.descending) == ("ttft", False)
        app.answer()
        assert "▲TTFT" in app.lines[0]


async def test_a_click_takes_the_cursor_and_two_open_the_call() -> None:
    async with table() as (app, pilot):
        await pilot.click(offset=(30, 4))
        app.answer()
        assert app.lines[4].startswith("▸")
        assert sum(line.startswith("▸") for line in app.lines) == 1
        await pilot.click(offset=(30, 5), times=2)
        assert app.opened == [5]


async def test_a_scroll_bar_says_where_the_window_stands_and_takes_clicks() -> None:
    async with table() as (app, pilot):
        assert [line[-1] for line in app.lines] == [" ", "▐", *" " * 9]
        await pilot.click(offset=(119, 10))
        app.answer()
        assert app.table.first == 90
        assert [line[-1] for line in app.lines] == [*" " * 10, "▐"]
        await pilot.click(offset=(119, 1))
        assert app.table.first == 0
    async with table(count=10) as (app, _):
        assert not any("▐" in line for line in app.lines)


async def test_the_scroll_bar_is_put_at_its_column_but_not_under_a_dialog() -> None:
    async with table() as (app, _):
        assert all("\x1b[120G" in strip.text for strip in app.table.render_lines(Region(0, 0, 120, 11)))
        app.table.mark_columns(False)
        assert not any("\x1b" in strip.text for strip in app.table.render_lines(Region(0, 0, 120, 11)))


async def test_figures_wait_until_they_are_due_but_a_moved_window_does_not() -> None:
    async with table() as (app, pilot):
        app.rows = [replace(row, tokens=999) for row in app.rows]
        app.answer(figures_due=False)
        assert "999" not in app.lines[1]
        await pilot.press("pagedown")
        app.answer(figures_due=False)
        assert "#11 " in app.lines[1]
        assert "999" in app.lines[1]


async def test_only_rows_that_changed_are_made_and_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with table() as (app, _):
        before = app.table.render_lines(app.table.size.region)
        painted: list[object] = []
        monkeypatch.setattr(app.table, "refresh", lambda *regions, **_: painted.extend(regions))
        app.answer()
        assert painted == []
        app.rows[3] = replace(app.rows[3], tokens=999)
        app.answer()
        assert painted == [Region(0, 4, 120, 1)]
        after = app.table.render_lines(app.table.size.region)
        assert [new is old for new, old in zip(after, before, strict=True)] == [y != 4 for y in range(11)]


async def test_columns_do_not_move_when_a_long_name_goes_by() -> None:
    async with table() as (app, _):
        app.rows[0] = replace(app.rows[0], model="another-model")
        app.answer()
        head = app.lines[0]
        app.rows[0] = replace(app.rows[0], model="gpt-4o-mini")
        app.answer()
        assert app.lines[0] == head


async def test_an_empty_table_says_why() -> None:
    async with table(count=0) as (app, _):
        assert "no calls yet" in "\n".join(app.lines)
        app.answer(run=replace(RUN, phase="finished"))
        assert "no calls" in "\n".join(app.lines)
        assert "yet" not in "\n".join(app.lines)
    async with table() as (app, _):
        app.query_text = "state:failed [/]"
        app.answer()
        assert "no call passes the filter state:failed [/]" in "\n".join(app.lines)
        assert "Esc clears it" in "\n".join(app.lines)


async def test_a_filter_that_cannot_be_read_is_told_above_all_calls() -> None:
    async with table() as (app, _):
        app.answer(query_error="there is no state faild")
        assert app.lines[1].startswith(" ▲ there is no state faild")
        assert "#1 " in app.lines[2]
        assert app.table.wanted().count == 9
        app.answer()
        assert "#1 " in app.lines[1]
        assert app.table.wanted().count == 10


async def test_a_message_does_not_push_the_cursor_out_of_sight() -> None:
    async with table() as (app, _):
        app.table.put_cursor(9)
        app.answer(query_error="there is no state faild")
        app.answer(query_error="there is no state faild")
        assert app.table.first == 1
        assert app.lines[-1].startswith("▸  #10")


async def test_a_click_means_the_row_it_is_on_below_a_message_too() -> None:
    async with table() as (app, pilot):
        app.answer(query_error="there is no state faild")
        await pilot.click(offset=(30, 4), times=2)
        assert app.opened == [3]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (20, 5), (80, 18), (300, 80)])
async def test_the_table_fills_any_screen(size: tuple[int, int]) -> None:
    async with table(size=size) as (app, _):
        app.answer(query_error="no")
        lines = app.table.render_lines(app.table.size.region)
        assert [strip.cell_length for strip in lines] == [size[0]] * size[1]


async def test_without_colour_no_colour_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with table() as (app, _):
        app.rows[2] = replace(app.rows[2], state=State.FAILED, status=500, error="worker died")
        app.answer()
        parts = [part for strip in app.table.render_lines(Region(0, 0, 120, 11)) for part in strip if part.style]
        hues = {colour.triplet for part in parts for colour in (part.style.color, part.style.bgcolor) if colour}
        assert all(hue is None or hue.red == hue.green == hue.blue for hue in hues)
        assert any(part.style.reverse for part in parts)
