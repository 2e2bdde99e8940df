"""The view of limits: what both sides say, what is held back, why it refuses; honest where nothing is known."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.core.clock import NS_PER_S
from tui.core.snapshot import RunView, Snapshot
from tui.core.views import LimitsView as Limits
from tui.core.views import Meter, Refusal, Verdict
from tui.dashboard.limit_layout import Painter, Picture, plan
from tui.dashboard.limit_lines import columns, longest
from tui.dashboard.limit_verdict import Cooling, evidence_rows
from tui.dashboard.limits import LimitsView
from tui.dashboard.plain import cells
from tui.dashboard.theme import COLOUR, PLAIN, Theme

START = 1_000 * NS_PER_S
NOW = START + 100 * NS_PER_S


def after(seconds: float) -> int:
    return NOW + int(seconds * NS_PER_S)


def snapshot(limits: Limits | None = None, **fields: Any) -> Snapshot:
    run = RunView("load", "m", "e", START, fields.pop("phase", "running"), rpm_limit=fields.pop("rpm_limit", 120))
    fields.setdefault("attempts_by_second", [2] * 60)
    fields.setdefault("tokens_by_second", [400] * 60)
    return Snapshot(NOW, run, limits=limits, **fields)


def text(
    shown: Snapshot,
    width: int = 120,
    height: int = 31,
    now: int = NOW,
    cooling: Cooling | None = None,
    theme: Theme = COLOUR,
) -> str:
    picture = Picture(shown, now, shown.attempts_by_second, shown.tokens_by_second, cooling)
    return "\n".join(strip.text for strip in Painter(width, height, theme).rows(picture))


def of_requests(meter: Meter, **fields: Any) -> Limits:
    return Limits(requests=meter, **fields)


def refusals(n: int, message: str = "Rate limit reached") -> list[Refusal]:
    return [Refusal(after(-2 - index), 500 - index, message, 12.0, 16, 118) for index in range(n)]


HEALTHY = Meter(120, 49, 60, 0.6, 2.0, 52.0, None, 500, 443, after(8.2), after(-2.1))
TOO_FAST = Verdict("too fast", ["All 14 refusals came above 500 requests a minute.", "The headers said 0 of 500."])


@pytest.mark.parametrize(("width", "height"), [(80, 18), (120, 31), (200, 50), (300, 80)])
@pytest.mark.parametrize("theme", [COLOUR, PLAIN])
def test_both_sides_of_both_limits_are_shown_at_every_common_size(width: int, height: int, theme: Theme) -> None:
    tokens = Meter(200_000, 81_200, 90_000, 14_200.0, 20_000.0, 230_000.0, 48 * NS_PER_S, 200_000, 118_000, after(24))
    limits = Limits(HEALTHY, replace(tokens, server_said_at=after(-2.1)), 3, 9, 12, 16, refusals(9), 9, TOO_FAST)
    shown = text(snapshot(limits), width, height, theme=theme)
    for words in ("49 / 120", "52/min", "peak 60", "stays below", "0.6 / 2.0 free", "443 / 500 left", "in 8.2 s"):
        assert words in shown
    for words in ("81.2k / 200k", "230k/min", "limit in 48 s", "118k / 200k left", "in 24 s", "2.1 s ago"):
        assert words in shown
    for words in ("9 / 16", "peak 12", "» too fast", "lower the rate with [ or :rpm N", "#500", "12.0 s"):
        assert words in shown
    for sentence in TOO_FAST.evidence:
        assert sentence in shown


def test_where_nothing_is_known_it_says_so_and_how_to_set_a_limit() -> None:
    shown = text(snapshot(Limits(), rpm_limit=None))
    assert "no limit of ours: set one with :rpm 120" in shown
    assert shown.count("says nothing about its limits") == 2
    assert "✓ no refusals" in shown
    assert "no cool-down now" in shown
    assert " / 0" not in shown


def test_before_the_first_picture_nothing_is_claimed() -> None:
    assert text(snapshot(None)).strip(" ▌") == "nothing is known about limits yet"


@pytest.mark.parametrize(
    ("meter", "held", "said"),
    [
        (Meter(120, 100, eta_ns=12 * NS_PER_S, per_minute_now=150.0), 0, "reaches the limit in 12 s"),
        (Meter(120, 100, per_minute_now=90.0), 0, "stays below at this pace"),
        (Meter(120, 10), 0, "stays below: nothing comes now"),
        (Meter(120, 120, eta_ns=0, per_minute_now=120.0), 12, "at the limit: the limiter holds 12 calls back"),
        (Meter(120, 121, eta_ns=0, per_minute_now=120.0), 1, "at the limit: the limiter holds 1 call back"),
        (Meter(120, 120, eta_ns=0), 0, "at the limit"),
        (Meter(None, 90, eta_ns=5 * NS_PER_S, server_limit=100), 0, "reaches the server's limit in 5.0 s"),
        (Meter(None, 100, eta_ns=0, server_limit=100), 4, "at the server's limit"),
        (Meter(None, 10, per_minute_now=5.0, server_limit=100), 0, "stays below the server's at this pace"),
    ],
)
def test_what_lies_ahead_is_said_in_words(meter: Meter, held: int, said: str) -> None:
    row = next(row for row in text(snapshot(of_requests(meter, in_limiter=held))).split("\n") if "ETA" in row)
    assert row[10:60].strip() == said


@pytest.mark.parametrize(
    ("left", "pace", "reset_s", "said"),
    [
        (25, 300.0, 7200, "25 left: 5.0 s at this pace"),
        (4900, 30.0, 86_000, "4,900 left: 2h 43m at this pace"),
        (4900, 30.0, 3600, "4,900 left: enough until the reset at this pace"),
        (25, 1e-300, 7200, "25 left: enough until the reset at this pace"),
        (25, 0.0, 7200, "25 left: nothing comes now"),
        (0, 300.0, 7200, "the server has none left until the reset"),
        (None, 300.0, 7200, "no limit of ours: set one with :rpm 120"),
    ],
)
def test_of_a_server_s_limit_that_is_not_a_minute_s_it_is_said_how_long_the_rest_lasts(
    left: int | None, pace: float, reset_s: float, said: str
) -> None:
    meter = Meter(None, 60, per_minute_now=pace, server_limit=5000, server_remaining=left)
    shown = text(snapshot(of_requests(replace(meter, server_reset_at=after(reset_s), server_said_at=NOW))))
    row = next(row for row in shown.split("\n") if "ETA" in row)
    assert row[10:60].strip() == said


def test_what_is_left_of_a_day_s_limit_runs_down_and_says_nothing_once_its_reset_has_passed() -> None:
    meter = Meter(None, 60, per_minute_now=300.0, server_limit=200, server_remaining=25)
    shown = snapshot(of_requests(replace(meter, server_reset_at=after(61), server_said_at=NOW)))
    assert "25 left: 3.0 s at this pace" in text(shown, now=after(2))
    assert "25 left: 0.0 s at this pace" in text(shown, now=after(20))
    past = text(shown, now=after(62))
    assert "at this pace" not in past
    assert "stays below" not in past


def test_time_to_the_limit_and_to_the_reset_runs_down_between_pictures() -> None:
    meter = replace(HEALTHY, eta_ns=12 * NS_PER_S)
    later = text(snapshot(of_requests(meter)), now=after(3))
    assert "reaches the limit in 9.0 s" in later
    assert "in 5.2 s" in later
    assert "heard 5.1 s ago" in later


def test_what_the_server_said_is_out_of_date_once_its_reset_has_passed() -> None:
    shown = text(snapshot(of_requests(HEALTHY)), now=after(20))
    assert "is past: out of date, heard 22 s ago" in shown
    assert "443 / 500 left" in shown


@pytest.mark.parametrize(
    ("meter", "said"),
    [
        (Meter(server_limit=500, server_said_at=after(-1)), "limit 500, what is left not said"),
        (Meter(server_remaining=37, server_said_at=after(-1)), "37 left"),
        (Meter(server_reset_at=after(4), server_said_at=after(-1)), "figures not said"),
        (Meter(server_remaining=37, server_said_at=after(-1)), "not said; heard 1.0 s ago"),
    ],
)
def test_headers_that_say_only_a_part_are_shown_as_what_they_are(meter: Meter, said: str) -> None:
    assert said in text(snapshot(of_requests(meter)))


def test_a_limit_that_is_nearly_used_up_is_marked_with_a_glyph_too() -> None:
    assert "▲ 95 % of the limit" in text(snapshot(of_requests(Meter(100, 95))))
    assert "▲" not in text(snapshot(of_requests(Meter(100, 94))))
    assert "▲ at the limit" in text(snapshot(of_requests(Meter(100, 100))))


def test_a_cool_down_is_counted_down_with_its_reason_and_its_bar_shrinks() -> None:
    cooling = Cooling(after(-2), after(8))
    shown = snapshot(of_requests(HEALTHY), lane_closed_why="429: Rate limit reached")

    def filled(seconds: float) -> int:
        rows = text(shown, now=after(seconds), cooling=cooling).split("\n")
        return next(row for row in rows if "cooling " in row and " left" in row).count("█")

    assert filled(0) > filled(4) > filled(7)
    said = text(shown, now=after(0.5), cooling=cooling)
    assert "7.5 s left" in said
    assert "429: Rate limit reached" in said
    assert "cooling down: nothing goes for 7.5 s" in said
    assert "no cool-down now" in text(shown, now=after(8), cooling=cooling)


@pytest.mark.parametrize(
    ("kind", "words", "advice"),
    [
        ("none", "✓ no refusals", "so far the server has refused no request"),
        ("too fast", "» too fast", "lower the rate with [ or :rpm N"),
        ("too many at once", "≡ too many at once", "lower concurrency with { or :concurrency N"),
        ("quota", "⊘ quota", "waiting will not help"),
        ("unclear", "? unclear", ""),
        ("something new", "? something new", ""),
    ],
)
def test_each_verdict_has_a_glyph_words_and_what_to_do(kind: str, words: str, advice: str) -> None:
    shown = text(snapshot(Limits(verdict=Verdict(kind))))
    assert words in shown
    assert advice in shown


def test_the_rate_key_is_not_offered_where_there_is_no_rate_to_move() -> None:
    shown = text(snapshot(Limits(verdict=TOO_FAST, refused=3), rpm_limit=None))
    assert "limit the rate with :rpm N" in shown
    assert "[" not in shown


def test_long_evidence_is_wrapped_and_never_hides_the_sentences_after_it() -> None:
    long = Verdict("unclear", ["first " + "word " * 60, "second", "third"])
    small = text(snapshot(Limits(verdict=long, refused=1)), 80, 18)
    assert "· first word" in small
    assert "· second" in small
    assert "· third" in small
    assert small.count("…") == 1
    assert evidence_rows(long.evidence, 40, 2)[-1] == "· second …"
    large = text(snapshot(Limits(verdict=long, refused=1)), 120, 50)
    assert large.count("word") == 60
    assert "…" not in large


def test_evidence_fits_its_rows_at_any_size() -> None:
    sentences = ["one two three four", "five " * 9, "日本語 " * 20]
    for width in range(1, 60):
        for height in range(-1, 12):
            rows = evidence_rows(sentences, width, height)
            assert len(rows) <= max(0, height)
            assert all(cells(row) <= width for row in rows)


def test_refusals_of_long_ago_are_not_denied() -> None:
    shown = text(snapshot(Limits(refused=14, verdict=Verdict("none", ["none of the last 300 attempts was refused"]))))
    assert "✓ no refusals lately" in shown
    assert "14 refused (429)" in shown
    assert "no request" not in shown


def test_a_finished_run_counts_nothing_down_to_a_limit() -> None:
    meter = replace(HEALTHY, eta_ns=12 * NS_PER_S)
    assert "the run has ended" in text(snapshot(of_requests(meter), phase="finished"))


def test_the_strip_has_a_cell_a_second_where_it_fits_and_else_whole_seconds() -> None:
    burst = [0] * 59 + [9]
    for width, size in ((200, 60), (120, 30), (80, 20)):
        shown = text(snapshot(of_requests(HEALTHY), attempts_by_second=burst), width, 18)
        row = next(row for row in shown.split("\n") if "sent" in row)
        assert row[10 : 10 + size] == "▁" * (size - 1) + "█"
        assert row[10 + size] == " "


def test_columns_are_sums_in_eighths_of_all_rows() -> None:
    assert columns([1, 1, 4, 4], 2, 2) == [" █", "▄█"]
    assert columns([0, 0], 2, 1) == ["▁▁"]
    assert columns([1, 2], 0, 1) == [""]


def test_the_longest_sentence_that_fits_is_taken_whole() -> None:
    assert longest(("three words long", "two words"), 10) == "two words"
    assert longest(("three words long",), 3) == ""


HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;t\x07 \u202e\u009b31m 日本語\u0301🏳️\u200d🌈\nline\ttab"


@pytest.mark.parametrize("width", [20, 47, 64, 80, 120, 300])
def test_text_of_others_is_drawn_as_plain_cells(width: int) -> None:
    limits = Limits(refusals=refusals(5, HOSTILE), refused=5, verdict=Verdict(HOSTILE, [HOSTILE * 3]))
    shown = snapshot(limits, lane_closed_why=HOSTILE)
    drawn = text(shown, width, 50, cooling=Cooling(NOW, after(5)))
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in drawn.replace("\n", ""))
    assert "\u202e" not in drawn
    if width >= 120:
        assert "[bold red]x[/]" in drawn


NUMBERS = st.one_of(st.none(), st.integers(0, 10**18))
COUNTS = st.integers(0, 10**18)
FLOATS = st.floats(0, 1e18)
METERS = st.builds(
    Meter, NUMBERS, COUNTS, COUNTS, st.none() | FLOATS, st.none() | FLOATS, FLOATS, NUMBERS, NUMBERS, NUMBERS, NUMBERS,
    NUMBERS,
)  # fmt: skip
REFUSALS = st.builds(Refusal, COUNTS, COUNTS, st.text(max_size=40), st.none() | FLOATS, COUNTS, COUNTS)
LIMITS = st.builds(
    Limits, METERS, METERS, COUNTS, COUNTS, COUNTS, COUNTS, st.lists(REFUSALS, max_size=20), COUNTS,
    st.builds(Verdict, st.text(max_size=20), st.lists(st.text(max_size=90), max_size=4)),
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.none() | LIMITS, st.integers(1, 300), st.integers(1, 80), NUMBERS, st.lists(COUNTS, max_size=60))
def test_any_figures_at_any_size_fill_rows_of_that_width(
    limits: Limits | None, width: int, height: int, until: int | None, series: list[int]
) -> None:
    shown = snapshot(limits, attempts_by_second=series, tokens_by_second=series)
    cooling = Cooling(NOW, until) if until is not None and until > NOW else None
    rows = Painter(width, height, COLOUR).rows(Picture(shown, NOW, series, series, cooling))
    assert len(rows) <= height
    assert all(row.cell_length == width for row in rows)


def test_no_word_of_ours_is_cut_at_any_width() -> None:
    limits = Limits(HEALTHY, replace(HEALTHY, limit=None, level=None, eta_ns=NS_PER_S), 3, 9, 12, 16)
    whole = set(text(snapshot(limits), 300, 80).split())
    shorter = {
        "Requests",
        "Tokens",
        "Refusals",
        "none",
        "of",
        "its",
        "stays",
        "below",
        "limiter",
        "sets",
        "one",
        "refused",
    }
    for width in range(1, 200):
        for height in (4, 9, 18, 31):
            letters = [word for word in text(snapshot(limits), width, height).split() if word.isalpha()]
            assert set(letters) <= whole | shorter, (width, height)


def test_rows_never_move_while_figures_change() -> None:
    quiet = text(snapshot(Limits()), 120, 31).split("\n")
    limits = Limits(HEALTHY, HEALTHY, refusals=refusals(20), refused=20, verdict=TOO_FAST)
    busy = text(snapshot(limits), 120, 31).split("\n")
    assert len(quiet) == len(busy)
    for label in ("used", "pace", "ETA", "bucket", "server", "resets", "at once", "Refusals"):
        assert [index for index, row in enumerate(quiet) if f" {label}" in row[:12]] == [
            index for index, row in enumerate(busy) if f" {label}" in row[:12]
        ]


@pytest.mark.parametrize("width", [1, 40, 63, 64, 80, 300])
def test_a_plan_uses_no_more_rows_than_there_are(width: int) -> None:
    for height in range(120):
        made = plan(width, height)
        meters = made.meters if made.side_by_side else 2 * made.meters
        assert meters + made.held + made.verdict + made.refusals + made.gaps <= height


def test_a_row_that_says_the_same_is_the_same_strip() -> None:
    shown = snapshot(Limits(HEALTHY, HEALTHY, refusals=refusals(3)))
    painter = Painter(120, 31, COLOUR)
    picture = Picture(shown, NOW, shown.attempts_by_second, shown.tokens_by_second, None)
    first = painter.rows(picture)
    second = painter.rows(picture._replace(now=after(1)))
    changed = [index for index, (old, new) in enumerate(zip(first, second, strict=True)) if old is not new]
    assert 1 <= len(changed) <= 2


# ── the widget ─────────────────────────────────────────────────────────────────────────────────────────


class Alone(App[None]):
    """The view and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[int] = []

    def compose(self) -> ComposeResult:
        yield LimitsView()

    def on_view_opened(self, event: LimitsView.Opened) -> None:
        self.opened.append(event.call)

    @property
    def limits(self) -> LimitsView:
        return self.query_one(LimitsView)

    def text(self) -> str:
        return "\n".join(strip.text for strip in self.limits.render_lines(self.limits.size.region))


def refused(n: int, newer: int = 0) -> Snapshot:
    """A run with `n` refusals, and `newer` that came after those."""
    new = [Refusal(after(index + 1), 900 + index, "newer", None, 1, 1) for index in reversed(range(newer))]
    return snapshot(Limits(HEALTHY, HEALTHY, refusals=[*new, *refusals(n)][:20], refused=n + newer))


async def press(pilot: Pilot[None], app: Alone, *keys: str) -> None:
    app.limits.focus()
    await pilot.press(*keys)


async def test_keys_move_a_cursor_through_the_refusals_and_enter_opens_the_call() -> None:
    app = Alone()
    async with app.run_test(size=(80, 18)) as pilot:
        app.limits.draw(refused(12), NOW)
        assert app.limits.where(refused(12)) == "refusals 1–2 of 12"
        assert app.limits.focused_call is None
        await press(pilot, app, "down", "down", "enter")
        assert app.opened == [498]
        assert "#498" in app.text()
        assert "#500" not in app.text()
        for key, call in (("end", 489), ("up", 490), ("pageup", 492), ("home", 500), ("pagedown", 498)):
            await press(pilot, app, key, "enter")
            assert app.opened[-1] == call
            assert f"#{call}" in app.text()


async def test_a_cursor_stays_with_its_refusal_while_newer_ones_come() -> None:
    app = Alone()
    async with app.run_test(size=(120, 31)) as pilot:
        app.limits.draw(refused(12), NOW)
        await press(pilot, app, "down", "down")
        app.limits.draw(refused(12, newer=3), after(4))
        await press(pilot, app, "enter")
        assert app.opened == [498]
        app.limits.draw(refused(12, newer=20), after(25))
        await press(pilot, app, "enter")
        assert app.opened[-1] == 900
        await press(pilot, app, "home")
        app.limits.draw(refused(12, newer=19), after(25))
        await press(pilot, app, "enter")
        assert app.opened[-1] == 918


async def test_a_click_puts_the_cursor_and_a_second_one_opens() -> None:
    app = Alone()
    async with app.run_test(size=(120, 31)) as pilot:
        app.limits.draw(refused(12), NOW)
        row = next(index for index, shown in enumerate(app.text().split("\n")) if "#497" in shown)
        await pilot.click(LimitsView, offset=(20, row))
        assert app.limits.cursor == 3
        assert app.opened == []
        await pilot.click(LimitsView, offset=(20, row), times=2)
        assert app.opened == [497]
        await pilot.click(LimitsView, offset=(20, 0))
        assert app.limits.cursor == 3


async def test_enter_without_refusals_opens_nothing() -> None:
    app = Alone()
    async with app.run_test(size=(80, 18)) as pilot:
        app.limits.draw(snapshot(Limits()), NOW)
        await press(pilot, app, "down", "end", "enter", "home", "pageup")
        assert app.opened == []
        assert app.limits.where(snapshot(Limits())) == "no refusals"
        assert app.limits.where(snapshot(None)) == ""


async def test_a_cool_down_is_measured_from_the_refusal_that_began_it() -> None:
    app = Alone()
    async with app.run_test(size=(120, 31)):
        shown = replace(refused(1), lane_closed_until=after(8), lane_closed_why="429")
        app.limits.draw(shown, NOW)
        assert "8.0 s left" in app.text()
        app.limits.draw(shown, after(3), figures_due=False)
        assert "8.0 s left" in app.text()
        app.limits.draw(shown, after(3))
        row = next(row for row in app.text().split("\n") if "cooling  " not in row and "5.0 s left" in row)
        # 29 cells for 10 s: it was refused 2 s before, and 5 s are left.
        assert row.count("█") == 14
        over = replace(shown, run=replace(shown.run, phase="finished"))
        app.limits.draw(over, after(4))
        assert "no cool-down now" in app.text()
        app.limits.draw(shown, after(8))
        assert "no cool-down now" in app.text()


async def test_charts_wait_for_their_turn_and_figures_do_not() -> None:
    app = Alone()
    async with app.run_test(size=(120, 31)):
        app.limits.draw(replace(refused(1), attempts_by_second=[0] * 60), NOW)
        later = replace(refused(1), attempts_by_second=[7] * 60)
        app.limits.draw(later, NOW, charts_due=False)
        assert "most 0/s" in app.text()
        app.limits.draw(later, NOW)
        assert "most 7/s" in app.text()


async def resize(pilot: Pilot[None], app: Alone, width: int, height: int) -> None:
    """Resize, and wait until the view has heard of it."""
    await pilot.resize_terminal(width, height)
    while tuple(app.limits.size) != (width, height):
        await pilot.pause()


async def test_any_size_and_another_theme_are_drawn_anew() -> None:
    app = Alone()
    rng = random.Random(5)
    async with app.run_test(size=(80, 18)) as pilot:
        app.limits.draw(refused(12), NOW)
        sizes = [(1, 1), (2, 40), (20, 5), (300, 80), *((rng.randint(1, 300), rng.randint(1, 80)) for _ in range(12))]
        for width, height in sizes:
            await resize(pilot, app, width, height)
            assert all(strip.cell_length == width for strip in app.limits.render_lines(app.limits.size.region))
            app.limits.recolour()
            assert app.text()
        await resize(pilot, app, 80, 18)
        assert "49 / 120" in app.text()
