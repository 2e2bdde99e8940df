"""A pane says what its call does, in every state, at any size, whatever the texts hold."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tui.core.calls import State
from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.snapshot import Cost, Pane
from tui.core.untrusted import UNSAFE_CLASS
from tui.dashboard.pane import PaneView
from tui.dashboard.theme import COLOUR, MARKS, PLAIN

PANE = Pane(
    call=12,
    state=State.STREAMING,
    model="gpt-4o-mini",
    prompt="Explain a weir",
    text="A weir is a low wall.",
    text_end=21,
    attempt=1,
    ttft_ns=412 * NS_PER_MS,
    tokens=1204,
    tokens_estimated=True,
    tokens_per_s=48.2,
    cost=Cost("0.0123", "estimated"),
)
HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\x00\u202etxt\u2066 [/] [bold red]x[/] 堰e\u0301👩‍🔬\ud800\r\n\tend"
UNSAFE = re.compile(f"[{UNSAFE_CLASS}]")


def drawn(pane: Pane, width: int = 80, height: int = 8, now: int = 0, focused: bool = False) -> list[str]:
    view = PaneView(width, height, COLOUR)
    view.draw(pane, now, focused, True)
    return [strip.text for strip in view.rows]


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_glyph_and_word(state: State) -> None:
    title = drawn(replace(PANE, state=state))[0]
    assert MARKS[state].glyph in title
    assert MARKS[state].word in title
    assert "#12" in title
    assert "gpt-4o-mini" in title
    assert "Explain a weir" in title


def test_states_can_be_told_apart_without_words_or_colour() -> None:
    assert len({mark.glyph for mark in MARKS.values()}) == len(State)


def test_all_figures_stand_on_one_row_where_it_is_wide() -> None:
    row = drawn(PANE)[1]
    assert re.search(r"TTFT +412 ms +48 tok/s +~1,204 tok +~\$0\.0123", row)


def test_all_figures_stand_on_two_rows_where_it_is_narrow() -> None:
    first, second = drawn(PANE, width=29)[1:3]
    assert re.search(r"TTFT +412 ms +48 tok/s", first)
    assert re.search(r"~1,204 tok +~\$0\.0123", second)


def test_all_figures_fit_into_a_small_pane_with_short_units() -> None:
    assert re.search(r"412 ms +48/s +~1,204t +~\$0\.0123", drawn(PANE, width=40, height=6)[1])


@pytest.mark.parametrize(("width", "height"), [(width, height) for width in range(20, 90, 3) for height in (6, 8)])
def test_no_figure_is_ever_cut(width: int, height: int) -> None:
    whole = {"TTFT", "412", "ms", "48", "48/s", "tok/s", "~1,204", "~1,204t", "tok", "~$0.0123", "↻", "2"}
    rows = drawn(replace(PANE, retries=2), width, height)[1 : 3 if height >= 7 and width - 3 < 54 else 2]
    assert {word for row in rows for word in row[1:].split()} <= whole


def test_a_late_stamp_is_marked() -> None:
    assert "~412 ms" in drawn(replace(PANE, ttft_mark="shared"))[1]


def test_a_call_that_backs_off_counts_down() -> None:
    pane = replace(
        PANE, state=State.BACKING_OFF, text="", text_end=0, attempt=2, backoff_until=10 * NS_PER_S, error="HTTP 429"
    )
    view = PaneView(80, 8, COLOUR)
    view.draw(pane, 8 * NS_PER_S, False, True)
    assert "↻ 2 in 2.0 s" in view.rows[1].text
    view.draw(pane, 9 * NS_PER_S, False, True)
    assert "↻ 2 in 1.0 s" in view.rows[1].text
    assert any("HTTP 429" in strip.text for strip in view.rows)


def test_a_call_that_has_no_text_yet_shows_its_prompt() -> None:
    rows = drawn(replace(PANE, state=State.CONNECTING, text="", text_end=0))
    assert any("Explain a weir" in row for row in rows[2:])


@pytest.mark.parametrize("state", [State.FAILED, State.BROKEN, State.REFUSED])
def test_what_went_wrong_stands_below_the_text(state: State) -> None:
    rows = drawn(replace(PANE, state=state, error="the connection was reset"))
    said = next(y for y, row in enumerate(rows) if "the connection was reset" in row)
    assert any("low wall" in row for row in rows[:said])


def test_an_unknown_price_is_a_question_mark_and_an_unsent_call_has_none() -> None:
    unpriced = replace(PANE, cost=Cost(None, "unpriced"))
    assert "?" in drawn(unpriced)[1]
    assert "?" not in drawn(replace(unpriced, attempt=0, state=State.WAITING))[1]


def test_a_long_silence_is_pointed_out() -> None:
    assert "quiet 3.4 s" in drawn(replace(PANE, quiet_ns=3_400 * NS_PER_MS))[1]


def test_the_end_of_a_long_text_is_what_is_seen() -> None:
    text = "\n".join(f"row {n}" for n in range(100))
    rows = drawn(replace(PANE, text=text, text_end=len(text)), height=6)
    assert "row 99" in rows[-1]


def test_rows_that_say_the_same_stay_the_same_objects() -> None:
    view = PaneView(40, 8, COLOUR)
    view.draw(PANE, 0, False, True)
    before = view.rows
    view.draw(replace(PANE, text=PANE.text + " More", text_end=26), 0, False, False)
    changed = [y for y, (new, old) in enumerate(zip(view.rows, before, strict=True)) if new is not old]
    assert changed == [3]


@given(st.integers(1, 120), st.integers(1, 20), st.sampled_from(list(State)), st.text(max_size=80))
def test_any_pane_is_exactly_as_large_as_its_place(width: int, height: int, state: State, text: str) -> None:
    pane = replace(PANE, state=state, text=text, text_end=len(text), model=text, prompt=text, error=text)
    view = PaneView(width, height, PLAIN)
    view.draw(pane, 0, True, True)
    assert len(view.rows) == height
    assert all(strip.cell_length == width for strip in view.rows)
    assert all(sum(segment.cell_length for segment in strip) == width for strip in view.rows)


@pytest.mark.parametrize("state", list(State))
def test_hostile_text_never_reaches_a_row(state: State) -> None:
    pane = replace(PANE, state=state, model=HOSTILE, prompt=HOSTILE, text=HOSTILE, text_end=len(HOSTILE), error=HOSTILE)
    assert not any(UNSAFE.search(row) or "\t" in row or "\n" in row for row in drawn(pane))


def test_markup_is_shown_as_it_was_written() -> None:
    rows = drawn(replace(PANE, text="see [/] and [bold]x[/bold]", text_end=26))
    assert any("see [/] and [bold]x[/bold]" in row for row in rows)
