"""The waterfall follows what is new, stands where one looks, and says in words what the bars show."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.core.calls import State
from tui.core.clock import NS_PER_S
from tui.core.commands import Watch
from tui.core.snapshot import Counts, RunView, Snapshot
from tui.core.untrusted import UNSAFE_CLASS
from tui.core.views import Bar, Span, TryEnd
from tui.dashboard.theme import COLOUR, MARKS
from tui.dashboard.time_axis import TimeScale
from tui.dashboard.view import View
from tui.dashboard.waterfall import WaterfallView
from tui.dashboard.waterfall_rows import columns, detail_strip, head_strip, label_strip, legend_strip

START = 1_000 * NS_PER_S
HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\x00\u202etxt\u2066 [/] [bold red]x[/] 堰e\u0301👩‍🔬\ud800\r\n\tend"
UNSAFE = re.compile(f"[{UNSAFE_CLASS}]")


def at(t_s: float) -> int:
    return START + round(t_s * NS_PER_S)


def call(number: int, now_s: float, prompt: str = "Explain a weir") -> Bar:
    """Call n is due at second n, waits one second for its first token and streams for four."""
    due_s = float(number)
    spans = [Span("wait", at(due_s), at(due_s + 1) if now_s >= due_s + 1 else None, 1)]
    if now_s >= due_s + 1:
        spans.append(Span("stream", at(due_s + 1), at(due_s + 5) if now_s >= due_s + 5 else None, 1))
    ended_at = at(due_s + 5) if now_s >= due_s + 5 else None
    state = State.DONE if ended_at is not None else State.STREAMING if len(spans) > 1 else State.CONNECTING
    return Bar(number, state, "gpt-4o-mini", prompt, at(due_s), ended_at, spans)


def picture(
    t_s: float,
    watch: Watch,
    calls: int | None = None,
    phase: str = "running",
    prompt: str = "Explain a weir",
    error: str | None = None,
) -> Snapshot:
    """A run that begins a call a second, `t_s` seconds after its start."""
    listed = int(t_s) if calls is None else calls
    first = max(0, listed - watch.count) if watch.follow else watch.first
    ids = range(first + 1, min(listed, first + watch.count) + 1)
    ended_at = at(t_s) if phase == "finished" else None
    return Snapshot(
        at=at(t_s),
        run=RunView("load", "gpt-4o-mini", "host/v1", START, phase, ended_at),
        counts=Counts(),
        calls=max(listed, 1),
        watch=watch,
        listed=listed,
        first=first,
        bars=[call(number, t_s, prompt) for number in ids],
        query_error=error,
    )


class Shown(App[None]):
    """The view alone; it is drawn when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.view = WaterfallView()
        self.opened: list[int] = []
        self.pilot: Pilot[None]

    def compose(self) -> ComposeResult:
        yield self.view

    def on_view_opened(self, event: View.Opened) -> None:
        self.opened.append(event.call)

    def draw(self, t_s: float, **more: object) -> None:
        """Draw what is asked for, and again in case that asks for something else."""
        for _ in range(2):
            snapshot = picture(t_s, self.view.wanted(), **more)  # type: ignore[arg-type]
            self.view.draw(snapshot, snapshot.at)

    async def press(self, t_s: float, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            self.draw(t_s)

    @property
    def rows(self) -> list[str]:
        strips = self.view.render_lines(self.view.size.region)
        return ["".join(segment.text for segment in strip if not segment.control) for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    @property
    def scale(self) -> TimeScale:
        assert self.view.scale is not None
        return self.view.scale


@asynccontextmanager
async def shown(t_s: float = 300.0, size: tuple[int, int] = (120, 31), **more: object) -> AsyncIterator[Shown]:
    app = Shown()
    async with app.run_test(size=size) as pilot:
        app.pilot = pilot
        app.view.focus()
        await pilot.pause()
        app.draw(t_s, **more)
        yield app


async def test_it_shows_the_newest_calls_up_to_now() -> None:
    async with shown(300) as app:
        assert app.view.wanted().follow
        assert "#300" in app.rows[-3]
        assert "following" in app.view.where(picture(300, app.view.wanted()))
        assert app.scale.shows(at(300), at(300))
        assert "▾" in app.rows[0]
        app.draw(310)
        assert "#310" in app.rows[-3]
        assert app.scale.shows(at(310), at(310))


async def test_a_row_is_a_call_with_its_bar_and_its_total() -> None:
    async with shown(300) as app:
        row = next(row for row in app.rows if "#290" in row)
        assert re.search(r"#290 ✓ Explain a weir +.*━+[▏▎▍▌▋▊▉]?█+[▏▎▍▌▋▊▉]? .*5\.00 s", row)


async def test_the_axis_is_as_wide_as_the_listed_calls_need_until_somebody_zooms() -> None:
    async with shown(300) as app:
        assert app.scale.width_ns == pytest.approx(30 * NS_PER_S, rel=0.01)
        await app.press(300, "minus")
        assert app.scale.width_ns == pytest.approx(60 * NS_PER_S, rel=0.01)
        assert app.view.window.follows
        await app.press(300, "plus", "plus")
        assert app.scale.width_ns == pytest.approx(20 * NS_PER_S, rel=0.01)
        await app.press(300, "f")
        assert app.scale.width_ns == pytest.approx(30 * NS_PER_S, rel=0.01)


async def test_the_whole_run_fits_on_one_axis() -> None:
    async with shown(300) as app:
        await app.press(300, "0")
        assert app.scale.start_at == START
        assert app.scale.shows(at(300), at(300))
        assert "00:00" in app.rows[0]


async def test_looking_back_in_time_stops_following_until_it_is_asked_for_again() -> None:
    async with shown(300) as app:
        await app.press(300, "left", "left")
        before = app.scale
        assert not app.view.following
        assert before.end_at < at(300)
        app.draw(320)
        assert app.scale == before
        assert "#300" in app.text
        assert "#320" not in app.text
        await app.press(320, "right")
        assert app.scale.start_at > before.start_at
        await app.press(320, "f")
        assert "#320" in app.text
        assert app.scale.shows(at(320), at(320))


@pytest.mark.parametrize("key", ["f", "end"])
async def test_list_and_time_follow_together(key: str) -> None:
    async with shown(300) as app:
        await app.press(300, "home")
        await app.press(300, key)
        assert app.view.following
        assert app.view.window.follows


async def test_scrolling_leaves_time_alone_while_the_bar_is_in_sight() -> None:
    async with shown(300) as app:
        before = app.scale
        await app.press(300, "up", "up", "up")
        assert app.view.focused_bar is not None
        assert app.view.focused_bar.call == 297
        assert app.scale == before


async def test_time_moves_to_a_bar_that_would_be_out_of_sight() -> None:
    async with shown(300) as app:
        await app.press(300, "home")
        bar = app.view.focused_bar
        assert bar is not None
        assert bar.call == 1
        assert app.scale.shows(bar.due_at, bar.due_at)
        assert "━" in app.rows[1]


async def test_calls_beyond_the_axis_are_marked_at_its_edge() -> None:
    async with shown(300) as app:
        await app.press(300, "plus", "plus")
        assert "‹" in app.rows[1]


async def test_once_the_run_has_finished_the_axis_stands_and_there_is_no_now() -> None:
    async with shown(300, phase="finished") as app:
        before = app.scale
        snapshot = picture(300, app.view.wanted(), phase="finished")
        app.view.draw(snapshot, at(900))
        assert app.scale == before
        assert "▾" not in app.rows[0]
        assert "│" not in app.text


async def test_a_growing_bar_reaches_now() -> None:
    async with shown(300.4) as app:
        before = next(row for row in app.rows if "#298" in row)
        app.draw(300.9)
        after = next(row for row in app.rows if "#298" in row)
        assert after.count("█") > before.count("█")


async def test_a_row_that_says_the_same_is_the_same_object() -> None:
    async with shown(300.1) as app:
        ended, running = app.view._rows[5], app.view._rows[28]
        app.draw(300.15)
        assert app.view._rows[5] is ended
        assert app.view._rows[28] is not running


async def test_between_figures_only_another_window_is_drawn() -> None:
    async with shown(300) as app:
        before = app.rows
        snapshot = picture(300.9, app.view.wanted(), calls=300)
        app.view.draw(snapshot, snapshot.at, figures_due=False)
        assert app.rows == before
        await app.pilot.press("up")
        snapshot = picture(300.9, app.view.wanted(), calls=300)
        app.view.draw(snapshot, snapshot.at, figures_due=False)
        assert app.rows != before


async def test_the_call_under_the_cursor_is_told_in_words() -> None:
    async with shown(300) as app:
        await app.press(300, *["up"] * 10)
        assert "#290 ✓ first token 1.00 s · stream 4.00 s · total 5.00 s" in app.rows[-2]


async def test_there_is_always_a_legend() -> None:
    async with shown(300) as app:
        for word in ("queue", "limiter", "connect", "first token", "stream", "tail", "back-off", "failed", "429"):
            assert word in app.rows[-1]
    assert "stream" in legend_strip(40, TimeScale(0, NS_PER_S, 10), COLOUR.style).text


async def test_a_filter_that_passes_nothing_or_cannot_be_read_is_said() -> None:
    async with shown(300) as app:
        watch = app.view.wanted()
        empty = picture(300, Watch(**{**_fields(watch), "query": "state:failed"}), calls=0)
        app.view.draw(empty, empty.at)
        assert "state:failed" in app.text
        app.draw(300, error="what is ttft>>? Try ttft>500ms")
        assert "what is ttft>>?" in app.rows[1]
        assert "#300" in app.rows[-3]


def _fields(watch: Watch) -> dict[str, object]:
    return {name: getattr(watch, name) for name in watch.__struct_fields__}


async def test_a_run_without_calls_says_so() -> None:
    async with shown(0.5, calls=0) as app:
        assert "no calls yet" in app.text
        assert app.view.focused_call is None
        for key in ("plus", "minus", "left", "right", "0", "f", "home", "end", "up", "down", "pageup", "pagedown"):
            await app.pilot.press(key)
            app.draw(0.5, calls=0)


async def test_a_click_takes_a_row_and_a_second_one_opens_it() -> None:
    async with shown(300) as app:
        await app.pilot.click(app.view, offset=(40, 3))
        app.draw(300)
        assert app.view.focused_bar is not None
        assert "▸" in app.rows[3]
        await app.pilot.click(app.view, offset=(40, 3), times=2)
        await app.pilot.pause()
        assert app.opened == [app.view.focused_bar.call]


async def test_a_click_beside_the_rows_takes_none() -> None:
    async with shown(300) as app:
        for y in (0, 29, 30):
            await app.pilot.click(app.view, offset=(40, y))
        app.draw(300)
        assert app.view.following


async def test_a_wheel_that_turns_sideways_moves_time() -> None:
    async with shown(300) as app:
        before = app.scale
        app.view.post_message(events.MouseScrollLeft(app.view, 40, 3, 0, 0, 0, False, False, False))
        await app.pilot.pause()
        app.draw(300)
        assert app.scale.end_at < before.end_at


async def test_hostile_prompts_draw_no_control_sequence_and_push_no_bar() -> None:
    async with shown(300, prompt=HOSTILE) as app:
        assert all(not UNSAFE.search(row) for row in app.rows)
        strip = app.view._rows[5]
        place = columns(119, 300)
        marks = [segment for segment in strip if segment.control]
        assert [segment.text for segment in marks] == [f"\x1b[{place.plot_x + 1}G"]
        app.view.mark_columns(False)
        assert not any(segment.control for strip in app.view._rows for segment in strip)
        assert app.rows[5] == strip.text.replace(marks[0].text, "")


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 5), (12, 4), (20, 5), (36, 9), (80, 18), (200, 50), (300, 80)])
async def test_it_can_be_drawn_at_any_size(size: tuple[int, int]) -> None:
    async with shown(300, size=size) as app:
        await app.press(300, "plus", "left", "up", "home", "0", "end")
        strips = app.view.render_lines(app.view.size.region)
        assert [strip.cell_length for strip in strips] == [size[0]] * size[1]


async def test_colours_that_change_are_taken_up_where_one_looks() -> None:
    async with shown(300) as app:
        await app.press(300, "left")
        before, scale = app.view._rows[3], app.scale
        app.view.recolour()
        app.draw(300)
        assert app.view._rows[3] is not before
        assert app.scale == scale


async def test_another_filter_begins_at_the_end_that_is_followed() -> None:
    async with shown(300) as app:
        app.view.restart()
        app.draw(300, calls=7)
        assert "#7" in app.text
        assert app.view.following


# Rows


@pytest.mark.parametrize("width", range(0, 320, 7))
def test_columns_fill_a_row_and_leave_most_of_it_to_the_bars(width: int) -> None:
    place = columns(width, 12_345)
    assert place.plot_x + place.plot + place.total == width or place.plot == 0
    if width >= 40:
        assert place.plot >= width * 0.5


def test_ids_have_room_from_the_start_and_no_column_moves_until_ten_thousand_calls() -> None:
    assert columns(120, 3) == columns(120, 9_999)


def test_labels_of_ticks_are_whole_or_not_there() -> None:
    for width in range(20, 160):
        place = columns(width, 99)
        ticks = TimeScale(START, NS_PER_S, max(1, place.plot)).ticks(START)
        head = head_strip(place, ticks, -1, COLOUR.style).text
        assert len(head) == width + 1
        assert all(
            word in ("id", "prompt", "model", "total") or re.fullmatch(r"\d\d:\d\d", word) for word in head.split()
        )


@pytest.mark.parametrize("state", list(State))
def test_a_label_says_which_call_and_its_state(state: State) -> None:
    bar = Bar(12, state, "gpt-4o-mini", "Explain a weir", START, None, warmup=True)
    label = label_strip(bar, columns(199, 12), False, COLOUR.style).text
    for part in ("#12", MARKS[state].glyph, "gpt-4o-mini", "warm-up", "Explain a weir"):
        assert part in label


def test_words_leave_out_the_least_telling_parts_first() -> None:
    spans = [
        Span(kind, at(second), at(second + 1), 1)
        for second, kind in enumerate(("queue", "limiter", "connect", "wait", "stream", "tail"))
    ]
    bar = Bar(12, State.DONE, "m", "p", START, at(6), spans)
    for width in range(10, 140):
        words = detail_strip(bar, at(9), width, COLOUR.style).text
        assert len(words) == width
        shown = [word for word in ("total", "first token", "stream", "limiter", "queue") if f"{word} " in words]
        if "tail 1.00 s" in words:
            assert len(shown) == 5
    assert "total 6.00 s" in detail_strip(bar, at(9), 24, COLOUR.style).text


def test_words_end_with_why_it_failed() -> None:
    failures = [TryEnd(at(1), 1, 429, "slow down"), TryEnd(at(2), 2, 500, "upstream\x1b[2J died")]
    bar = Bar(12, State.FAILED, "m", "p", START, at(2), [Span("wait", at(0), at(2), 1)], failures)
    words = detail_strip(bar, at(9), 120, COLOUR.style).text
    assert "✗ 2 failed attempts, the last: upstream" in words
    assert not UNSAFE.search(words)
