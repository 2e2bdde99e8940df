"""The charts of a run: what each panel says, how they are laid out, and their keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.snapshot import RunView, Snapshot, Spread
from tui.core.timeline_rates import per_second, sliding_minute
from tui.core.views import Bin, LimitStep, Marker, Timeline
from tui.dashboard.chart_extras import change_line, change_rows, histogram_rows
from tui.dashboard.chart_panel import Frame, RowCache
from tui.dashboard.chart_series import charts, limits_by_step, trimmed
from tui.dashboard.charts_view import PANELS, ChartsView, layout
from tui.dashboard.theme import COLOUR, PLAIN

START = 1_000 * NS_PER_S


def snapshot(steps: int = 120, **changes: object) -> Snapshot:
    """A calm run of so many seconds; `changes` are of its timeline."""
    timeline = Timeline(
        START,
        NS_PER_S,
        attempts=[1] * steps,
        http_429=[0] * steps,
        errors=[0] * steps,
        tokens=[100.0] * steps,
        ttft_p50=[400 * NS_PER_MS] * steps,
        ttft_p95=[800 * NS_PER_MS] * steps,
        active=[4.0] * steps,
        queued=[2.0] * steps,
        cost_usd=[0.01] * steps,
        limits=[LimitStep(START, 90, None, 4)],
        ttft_bins=[
            Bin(100 * NS_PER_MS, 200 * NS_PER_MS, 1),
            Bin(200 * NS_PER_MS, 400 * NS_PER_MS, 8),
            Bin(400 * NS_PER_MS, 800 * NS_PER_MS, 3),
        ],
    )
    return Snapshot(
        START + steps * NS_PER_S,
        RunView("load", "m", "host/v1", START, "running", rpm_limit=90, concurrency=4),
        attempts_60s=min(60, steps),
        tokens_per_s=100.0,
        ttft=Spread(12, 300 * NS_PER_MS, 700 * NS_PER_MS, 780 * NS_PER_MS, 790 * NS_PER_MS),
        timeline=replace(timeline, **changes),  # type: ignore[arg-type]
    )


class Alone(App[None]):
    """The view, and nothing else."""

    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        yield ChartsView()


class Shown:
    """A view under test."""

    def __init__(self, view: ChartsView, pilot: Pilot[None], run: Snapshot) -> None:
        self.view, self.pilot, self.run = view, pilot, run

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        self.view.draw(self.run, self.run.at, charts_due=False)

    def rows(self) -> list[str]:
        return [strip.text for strip in self.view.render_lines(self.view.size.region)]

    def text(self) -> str:
        return "\n".join(self.rows())

    def panels(self) -> list[str]:
        """The names in the titles, in order."""
        names = ("RPM", "tok/s", "TTFT spread", "TTFT", "calls", "failures", "cost", "changes")
        found = []
        for row in self.rows():
            for half in row.replace("█", "▌").split("▌")[1:]:
                found += [name for name in names if half.startswith(f" {name} ")][:1]
        return found


@asynccontextmanager
async def shown(run: Snapshot | None = None, size: tuple[int, int] = (80, 18)) -> AsyncIterator[Shown]:
    run = run or snapshot()
    app = Alone()
    async with app.run_test(size=size) as pilot:
        view = app.query_one(ChartsView)
        view.focus()
        await pilot.pause()
        view.draw(run, run.at)
        yield Shown(view, pilot, run)


# ── series ─────────────────────────────────────────────────────────────────────────────────────────────


def test_requests_are_counted_over_the_last_sixty_seconds():
    counted = sliding_minute([1] * 90, NS_PER_S, 90 * NS_PER_S)
    assert (counted[0], counted[9], counted[59], counted[89]) == (1, 10, 60, 60)


def test_before_sixty_seconds_nothing_is_extrapolated():
    assert sliding_minute([5, 0, 3], NS_PER_S, 3 * NS_PER_S) == [5, 5, 8]


def test_a_step_wider_than_a_minute_gives_its_count_per_minute():
    assert sliding_minute([240, 240], 120 * NS_PER_S, 240 * NS_PER_S) == [120, 120]
    growing = sliding_minute([240, 200], 120 * NS_PER_S, 220 * NS_PER_S)
    assert growing == [120, 120]


def test_steps_without_a_price_stay_without_one():
    assert sliding_minute([None, 1.0, None], NS_PER_S, 3 * NS_PER_S) == [None, 1.0, None]


def test_the_newest_step_is_a_rate_over_the_part_that_has_been():
    assert per_second([100, 50], NS_PER_S, 3 * NS_PER_S // 2) == [100, 100]
    assert per_second([100, 5], NS_PER_S, NS_PER_S + NS_PER_S // 10) == [100, None]


def test_a_limit_holds_from_its_instant_on():
    timeline = Timeline(START, NS_PER_S, attempts=[1] * 4)
    limits = [LimitStep(START, 60, None, 1), LimitStep(START + 2 * NS_PER_S, None, None, 1)]
    assert limits_by_step(limits, timeline, lambda step: step.rpm) == [60, 60, None, None]


def test_a_limit_far_above_what_is_used_is_named_and_not_drawn():
    run = snapshot(limits=[LimitStep(START, 10_000, None, 4)])
    run = replace(run, run=replace(run.run, rpm_limit=10_000))
    chart = charts(run, run.timeline)[0]
    assert set(chart.series[0].values) == {None}
    assert chart.legend[1][:3] == ("↑", "limit", "10.0k")


def test_zeros_that_say_nothing_are_left_off_at_an_axis():
    assert [trimmed(text) for text in ("1.00 s", "1.50 s", "$0.0100", "10.0k", "100", "2m 00s")] == [
        "1 s",
        "1.5 s",
        "$0.01",
        "10k",
        "100",
        "2m 00s",
    ]


# ── panels ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_small_screen_shows_the_four_most_telling_panels():
    async with shown() as it:
        assert it.panels() == ["RPM", "tok/s", "TTFT", "calls"]
        assert it.view.where(it.run) == "whole run  panels 1–4 of 8"


async def test_a_common_screen_shows_all_of_them():
    async with shown(size=(120, 31)) as it:
        assert it.panels() == ["RPM", "tok/s", "TTFT", "calls", "failures", "cost", "TTFT spread", "changes"]
        assert it.view.where(it.run) == "whole run"


async def test_the_figures_of_now_stand_in_the_titles():
    async with shown(size=(120, 31)) as it:
        text = it.text()
        for words in ("60  ⠒⠒ limit 90", "p50  400 ms", "p95  800 ms", "active   4", "queued   2", "$0.6000"):
            assert words in text


async def test_instants_stand_below_each_other_in_all_panels():
    async with shown(size=(120, 31)) as it:
        ticks = [row for row in it.rows() if "00:30" in row]
        assert len(ticks) == 3
        assert len({(row.index("╵00:30"), row.rindex("╵00:30")) for row in ticks}) == 1


async def test_refusals_are_marked_over_the_requests_and_counted():
    refused = [0] * 120
    refused[60] = 3
    async with shown(snapshot(http_429=refused), size=(120, 31)) as it:
        assert "▾ 429s 3" in it.rows()[0]
        assert "▾" in it.rows()[1]


async def test_a_change_is_a_line_with_a_tag_whose_words_are_listed():
    run = snapshot(markers=[Marker(START + 60 * NS_PER_S, "RPM 90 → 99")])
    async with shown(run) as it:
        assert it.rows()[-1].startswith(" · 00:00 RPM 90, 4 at once   1 01:00 RPM 90 → 99")
        column = it.rows()[1].index("1", 10)
        assert it.rows()[2][column] in "│⣀⣤⣶⣿"


async def test_without_a_price_the_cost_is_a_question_mark():
    async with shown(snapshot(cost_usd=[None] * 120), size=(120, 31)) as it:
        assert "? no price is known" in it.text()


async def test_a_value_far_above_all_others_runs_out_of_the_picture_and_is_named():
    slow = [800 * NS_PER_MS] * 120
    slow[50] = 120 * NS_PER_S
    async with shown(snapshot(ttft_p95=slow), size=(120, 31)) as it:
        assert "▴ up to 2m 00s" in it.text()
        assert "1 s" in it.text()


async def test_before_anything_came_that_is_said():
    async with shown(replace(snapshot(), timeline=None)) as it:
        assert "nothing was sent yet" in it.text()
    empty = [None] * 3
    async with shown(snapshot(3, tokens=[0.0] * 3, ttft_p50=empty, ttft_p95=empty)) as it:
        assert it.text().count("no text has come yet") == 2


@pytest.mark.parametrize("steps", [1, 2, 3])
async def test_a_run_of_a_few_steps_is_drawn(steps):
    async with shown(snapshot(steps), size=(120, 31)) as it:
        assert "⣿" in it.text() or "⣀" in it.text() or "⣤" in it.text()


def test_the_histogram_names_its_bounds_and_percentiles():
    run = snapshot()
    assert run.timeline is not None
    text = "\n".join(
        strip.text for strip in histogram_rows(run.timeline.ttft_bins, run.ttft, Frame(60, 10, PLAIN), RowCache())
    )
    assert "╵100 ms" in text
    assert "╵400 ms" in text
    assert "p50│" in text
    assert "│p99" in text
    assert "p50  300 ms" in text


def test_changes_are_listed_from_new_to_old_and_none_is_cut_on_one_row():
    timeline = Timeline(
        START, NS_PER_S, attempts=[1], markers=[Marker(START + n * NS_PER_S, f"change {n}") for n in range(20)]
    )
    rows = [strip.text for strip in change_rows(timeline, Frame(40, 5, COLOUR), RowCache())]
    assert len(rows) == 5
    assert "change 19" in rows[1]
    assert "change 16" in rows[4]
    assert change_line(timeline, 40, COLOUR).text == " j 00:18 change 18   k 00:19 change 19  "


# ── layout ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [1, 2, 7, 20, 31, 75, 76, 80, 121, 300])
@pytest.mark.parametrize("height", [1, 2, 3, 6, 13, 15, 18, 31, 80])
def test_panels_fill_the_height_and_never_the_width_too_far(width, height):
    for zoomed in (False, True):
        laid = layout(width, height, zoomed)
        assert sum(laid.heights) + laid.line == height
        assert laid.columns * laid.width + laid.gap * (laid.columns - 1) <= width
        assert PANELS >= laid.capacity >= 1


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (20, 5), (29, 7), (40, 12), (76, 15), (80, 18), (200, 50)])
async def test_every_panel_is_drawn_at_every_size_in_rows_of_its_width(size):
    async with shown(size=size) as it:
        for _ in range(2):
            for panel in range(PANELS):
                it.view.action_focus_panel(panel)
                it.view.draw(it.run, it.run.at)
                assert {strip.cell_length for strip in it.view._rows} == {size[0]}
                assert len(it.view._rows) == size[1]
            it.view.action_zoom()


# ── keys ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_arrows_move_the_focus_and_the_page_follows():
    async with shown() as it:
        await it.press("right")
        assert it.view.focused_panel == 1
        await it.press("down", "down")
        assert it.view.focused_panel == 5
        assert it.panels() == ["TTFT", "calls", "failures", "cost"]
        await it.press("up", "up", "left")
        assert (it.view.focused_panel, it.view.first) == (0, 0)


async def test_pages_turn_and_end_at_the_last_panel():
    async with shown() as it:
        await it.press("pagedown")
        assert it.panels() == ["failures", "cost", "TTFT spread", "changes"]
        await it.press("pagedown", "pageup")
        assert (it.view.first, it.view.focused_panel) == (0, 0)
        await it.press("end")
        assert it.view.where(it.run) == "whole run  panels 5–8 of 8"
        await it.press("home")
        assert it.view.first == 0


async def test_z_gives_a_panel_the_whole_view_and_takes_it_back():
    async with shown() as it:
        await it.press("down", "z")
        assert it.panels() == ["TTFT"]
        assert it.view.where(it.run) == "whole run  panel 3 of 8"
        await it.press("right")
        assert it.panels() == ["calls"]
        await it.press("escape")
        assert it.panels() == ["RPM", "tok/s", "TTFT", "calls"]
        await it.press("z", "z")
        assert not it.view.zoomed


async def test_w_looks_at_the_last_minutes():
    async with shown(snapshot(300)) as it:
        assert "╵00:00" in it.text()
        await it.press("w")
        assert it.view.where(it.run).startswith("last 2 min")
        assert "╵00:00" not in it.text()
        assert "╵04:00" in it.text()
        await it.press("w", "w")
        assert it.view.where(it.run).startswith("whole run")


async def test_a_click_focuses_a_panel_and_a_second_one_zooms():
    async with shown() as it:
        await it.pilot.click(ChartsView, offset=(60, 3))
        assert it.view.focused_panel == 1
        await it.pilot.click(ChartsView, offset=(10, 12), times=2)
        assert (it.view.focused_panel, it.view.zoomed) == (2, True)


async def test_the_wheel_turns_the_page_and_keeps_the_focus_in_sight():
    async with shown() as it:
        it.view._scroll(1)
        assert (it.view.first, it.view.focused_panel) == (2, 2)
        it.view._scroll(-1)
        assert it.view.first == 0


# ── drawing ────────────────────────────────────────────────────────────────────────────────────────────


async def test_charts_are_drawn_when_they_are_due_and_not_before():
    async with shown() as it:
        before = it.view._rows
        later = snapshot(121)
        it.view.draw(later, later.at, charts_due=False)
        assert it.view._rows is before
        it.view.draw(later, later.at, charts_due=True)
        assert it.view._rows is not before


async def test_rows_that_say_the_same_are_the_same_strips():
    async with shown() as it:
        before = it.view._rows
        it.view.draw(it.run, it.run.at)
        assert all(old is new for old, new in zip(before, it.view._rows, strict=True) if "·" not in new.text)


async def test_a_restart_forgets_what_was_drawn():
    async with shown() as it:
        before = it.view._rows
        it.view.recolour()
        it.view.draw(it.run, it.run.at, charts_due=False)
        assert [row.text for row in before] == [row.text for row in it.view._rows]
        assert it.view._rows[0] is not before[0]
