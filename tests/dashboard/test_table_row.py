"""A row says of a call what the engine knows, keeps its columns, and lets no text of others out of its cells."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.style import Style
from textual.strip import Strip

from tui.core.calls import State
from tui.core.clock import NS_PER_MS
from tui.core.snapshot import Cost
from tui.core.untrusted import UNSAFE_CLASS
from tui.core.views import CallRow
from tui.dashboard.table_columns import COLUMNS, Layout, head_strip, lay_out
from tui.dashboard.table_row import row_segments
from tui.dashboard.theme import COLOUR, LIGHT, MARKS, PLAIN, Palette, Theme

ROW = CallRow(
    call=12,
    state=State.STREAMING,
    model="gpt-4o-mini",
    prompt="Explain a weir",
    queue_ns=31 * NS_PER_MS,
    attempts=1,
    status=200,
    ttft_ns=412 * NS_PER_MS,
    tokens_per_s=48.2,
    tokens=1204,
    tokens_estimated=True,
    cost=Cost("0.0123", "estimated"),
    total_ns=2_340 * NS_PER_MS,
)
HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\x00\u202etxt\u2066 [/] [bold red]x[/] 堰e\u0301👩‍🔬\ud800\r\n\tend"
UNSAFE = re.compile(f"[{UNSAFE_CLASS}]")


def layout(width: int = 160, order: str = "id", several: bool = True) -> Layout:
    return lay_out(width, 400, 11, several, order)


def row_strip(row: CallRow, layout: Layout, focused: bool, style: Palette) -> Strip:
    return Strip(row_segments(row, layout, focused, style))


def drawn(row: CallRow, width: int = 160, focused: bool = False, theme: Theme = COLOUR) -> str:
    return row_strip(row, layout(width), focused, theme.style).text


def ink_of(word: str, row: CallRow, theme: Theme = COLOUR) -> Style | None:
    return next(part.style for part in row_strip(row, layout(), False, theme.style) if word in part.text)


def test_a_wide_row_says_everything() -> None:
    text = drawn(ROW)
    figures = r"#12 ● streaming +31 ms +1 +200 +412 ms +48 +~1,204 +~\$0\.0123 +2\.34 s  gpt-4o-mini  Explain a weir"
    assert re.search(figures, text)


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_glyph_and_where_there_is_room_its_word(state: State) -> None:
    row = replace(ROW, state=state)
    assert f"{MARKS[state].glyph} {MARKS[state].word}" in drawn(row)
    assert MARKS[state].glyph in drawn(row, 30)


def test_figures_end_where_their_heads_do() -> None:
    wide = layout()
    head, row = head_strip(wide, "id", False, COLOUR.style).text, drawn(ROW)
    for column, start, width in wide.places:
        if column.right:
            assert head[: start + width].endswith(column.head)
            assert row[start + width - 1] != " "
            assert row[start + width] == " "


@pytest.mark.parametrize("order", [column.order for column in COLUMNS])
def test_no_figure_is_ever_cut(order: str) -> None:
    row = replace(ROW, prompt="", model="m")
    whole = set(drawn(row).split())
    for width in range(20, 200):
        text = row_strip(row, layout(width, order), False, COLOUR.style).text
        assert set(text.split()) <= whole


def test_a_figure_longer_than_its_column_pushes_no_other() -> None:
    long = replace(ROW, ttft_ns=12 * 60_000 * NS_PER_MS, ttft_mark="late", cost=Cost("1234567", "possibly billed"))
    usual, row = drawn(ROW), drawn(long)
    assert row.index("gpt-4o-mini") == usual.index("gpt-4o-mini")
    assert "~12m 00s" in row
    absurd = drawn(replace(ROW, total_ns=10**24))
    assert absurd.index("gpt-4o-mini") == usual.index("gpt-4o-mini")
    assert "…" in absurd


def test_what_is_not_known_is_a_dash_and_what_has_no_price_a_question() -> None:
    nothing = CallRow(1, State.QUEUED, "m", "p")
    assert drawn(nothing).split() == ["#1", "○", "queued", "—", "0", "—", "—", "—", "0", "—", "0.0", "ms", "m", "p"]
    assert " ? " in drawn(replace(nothing, attempts=1))


@pytest.mark.parametrize("mark", ["late", "shared"])
def test_a_ttft_that_is_too_high_is_marked(mark: str) -> None:
    assert "~412 ms" in drawn(replace(ROW, ttft_mark=mark))
    assert "~412 ms" not in drawn(ROW)


def test_refusals_are_amber_and_other_errors_red() -> None:
    assert ink_of("429", replace(ROW, status=429)) == COLOUR.style("amber", "panel")
    assert ink_of("400", replace(ROW, status=400)) == COLOUR.style("red", "panel")
    assert ink_of("503", replace(ROW, status=503)) == COLOUR.style("red", "panel")


def test_the_error_of_a_call_in_trouble_comes_before_its_prompt() -> None:
    row = replace(ROW, state=State.FAILED, status=500, error="HTTP 500: worker died")
    text = drawn(row)
    assert "  worker died  Explain a weir" in text
    assert "HTTP 500" not in text
    assert ink_of("worker died", row) == COLOUR.style("red", "panel")
    assert "Explain" not in drawn(row, 79)
    assert "worker died" not in drawn(replace(row, state=State.STREAMING))


def test_warm_up_and_repeated_calls_are_marked() -> None:
    assert "  warm-up Explain a weir" in drawn(replace(ROW, warmup=True))
    assert "  ↻ #7 Explain a weir" in drawn(replace(ROW, retry_of=7))


@pytest.mark.parametrize("theme", [COLOUR, LIGHT, PLAIN])
def test_the_cursor_can_be_seen_without_colour(theme: Theme) -> None:
    assert drawn(ROW, focused=True, theme=theme).startswith("▸")
    assert drawn(ROW, theme=theme).startswith(" ")


@given(st.integers(0, 220), st.sampled_from([column.order for column in COLUMNS]), st.booleans(), st.booleans())
def test_a_row_has_its_width_whatever_others_wrote(width: int, order: str, focused: bool, several: bool) -> None:
    row = replace(ROW, model=HOSTILE, prompt=HOSTILE, error=HOSTILE, state=State.FAILED, warmup=True, retry_of=3)
    places = lay_out(width, 123_456, 40, several, order)
    for strip in (row_strip(row, places, focused, COLOUR.style), head_strip(places, order, True, COLOUR.style)):
        assert strip.cell_length == sum(segment.cell_length for segment in strip) == width
        assert not UNSAFE.search(strip.text)


@pytest.mark.parametrize("call", [7, 400, 1061, 10_000, 123_456])
def test_the_number_of_a_call_is_whole(call: int) -> None:
    layout = lay_out(120, call, 11, True, "id")
    assert f"#{call} " in row_strip(replace(ROW, call=call), layout, False, COLOUR.style).text
