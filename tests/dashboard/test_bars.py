"""A bar shows every part of a call's life in its place, however short."""

import pytest

from tui.core.calls import State
from tui.core.clock import NS_PER_S
from tui.core.views import Bar, Span, TryEnd
from tui.dashboard.bars import FAILED, LOOKS, REFUSED, Under, bar_cells, parts, row_pieces
from tui.dashboard.theme import COLOUR, PLAIN, Theme
from tui.dashboard.time_axis import TimeScale

SCALE = TimeScale(0, NS_PER_S, 20)


def at(t_s: float) -> int:
    return round(t_s * NS_PER_S)


def bar(*spans: tuple[str, float, float | None], failures: list[TryEnd] | None = None) -> Bar:
    """A call of these spans, that has ended unless one of them lasts."""
    made = [Span(kind, at(start), None if end is None else at(end)) for kind, start, end in spans]
    ended_at = None if any(span.end_at is None for span in made) else max(span.end_at or 0 for span in made)
    state = State.DONE if ended_at is not None else State.STREAMING
    return Bar(1, state, "m", "p", made[0].start_at, ended_at, made, failures or [])


def text(shown: Bar, now_s: float = 99.0, scale: TimeScale = SCALE, theme: Theme = COLOUR) -> str:
    under = Under(" " * scale.cells)
    return "".join(piece for piece, _ in row_pieces(bar_cells(shown, scale, at(now_s)), under, theme.style))


def test_a_whole_life_reads_from_left_to_right() -> None:
    life = bar(
        ("queue", 0, 2), ("limiter", 2, 5), ("connect", 5, 7), ("wait", 7, 10), ("stream", 10, 15), ("tail", 15, 17)
    )
    assert text(life) == "··░░░╍╍━━━█████──   "


def test_every_kind_can_be_told_without_colour() -> None:
    glyphs = [look.glyph for look in (*LOOKS.values(), FAILED, REFUSED)]
    assert len(set(glyphs)) == len(glyphs)
    for kind, look in LOOKS.items():
        assert text(bar((kind, 3, 6)), theme=PLAIN) == f"   {look.glyph * 3}".ljust(20)


def test_a_stream_ends_on_an_eighth_of_a_cell() -> None:
    assert text(bar(("stream", 2, 5.5))) == "  ███▌".ljust(20)
    assert text(bar(("stream", 2, 5.125))) == "  ███▏".ljust(20)


def test_a_stream_begins_on_an_eighth_of_a_cell() -> None:
    pieces = row_pieces(bar_cells(bar(("stream", 2.25, 5)), SCALE, 0), Under(" " * 20), COLOUR.style)
    ground, cut = pieces[0][1], pieces[1]
    assert cut[0] == "▎"
    # The glyph is the quarter that is missing, in the colour of the ground; behind it is the stream's.
    assert cut[1].color == ground.bgcolor
    assert cut[1].bgcolor == COLOUR.style("accent").color
    assert text(bar(("stream", 2.5, 5)), theme=PLAIN) == "  ▐██".ljust(20)


def test_a_wait_goes_on_until_more_than_half_a_cell_streams() -> None:
    assert text(bar(("wait", 1, 3.75), ("stream", 3.75, 6))) == " ━━━██".ljust(20)
    assert text(bar(("wait", 1, 3.25), ("stream", 3.25, 6))) == " ━━▎██".ljust(20)


def test_what_is_shorter_than_a_cell_is_still_seen() -> None:
    assert text(bar(("stream", 3.0, 3.0001))) == "   ▏".ljust(20)
    assert text(bar(("limiter", 3.4, 3.41))) == "   ░".ljust(20)
    assert text(bar(("stream", 3.4, 3.6))).strip() in "▏▎▍▌▋▊▉"


@pytest.mark.parametrize(
    ("strong", "weak"),
    [("stream", "wait"), ("wait", "limiter"), ("limiter", "backoff"), ("backoff", "connect"), ("connect", "queue")],
)
def test_the_more_telling_part_has_the_cell_that_two_share(strong: str, weak: str) -> None:
    for first, second in ((strong, weak), (weak, strong)):
        cell = bar_cells(bar((first, 3.0, 3.4), (second, 3.4, 4.0)), SCALE, 0)[3]
        assert cell is not None
        assert cell.ink == LOOKS[strong].ink


def test_a_tail_of_a_millisecond_lengthens_no_bar() -> None:
    assert text(bar(("stream", 2, 5), ("tail", 5, 5.001))) == "  ███".ljust(20)


def test_what_lasts_grows_to_now() -> None:
    growing = bar(("wait", 1, 3), ("stream", 3, None))
    assert text(growing, 6.5) == " ━━███▌".ljust(20)
    assert text(growing, 7.0) == " ━━████".ljust(20)


def test_failed_attempts_stand_at_their_instants_and_a_429_looks_otherwise() -> None:
    life = bar(
        ("wait", 0, 2), ("backoff", 2, 4), ("wait", 4, 6), ("backoff", 6, 8), ("wait", 8, 9), ("stream", 9, 12),
        failures=[TryEnd(at(2), 1, 429, "slow down"), TryEnd(at(6), 2, None, "reset")],
    )  # fmt: skip
    assert text(life) == "━━⊗╌━━✗╌━███".ljust(20)


def test_a_failure_is_seen_before_anything_else_in_its_cell() -> None:
    life = bar(("wait", 0, 2), ("stream", 2, 9), failures=[TryEnd(at(4.2), 1, 500, "no")])
    assert text(life)[4] == FAILED.glyph


def test_a_status_is_spelled_out_where_there_is_room() -> None:
    life = bar(("wait", 0, 2), ("backoff", 2, 9), ("wait", 9, 10), failures=[TryEnd(at(2), 1, 429, "")])
    assert text(life) == "━━⊗429╌╌╌━".ljust(20)
    ended = bar(("wait", 0, 2), failures=[TryEnd(at(2), 1, 503, "")])
    assert text(ended) == "━━✗503".ljust(20)
    cut = bar(("wait", 0, 2), ("stream", 2, 4), failures=[TryEnd(at(4), 1, 200, "cut")])
    assert text(cut) == "━━██✗".ljust(20)


def test_nothing_is_spelled_out_beyond_now() -> None:
    life = bar(("wait", 0, 2), ("backoff", 2, None), failures=[TryEnd(at(2), 1, 429, "")])
    assert text(life, 4.5) == "━━⊗╌╌".ljust(20)
    assert text(life, 8.0) == "━━⊗429╌╌".ljust(20)


def test_a_call_beyond_the_axis_leaves_a_mark_at_its_edge() -> None:
    scale = TimeScale(at(50), NS_PER_S, 10)
    assert text(bar(("stream", 2, 5)), scale=scale) == "‹".ljust(10)
    assert text(bar(("stream", 70, 75)), scale=scale) == "›".rjust(10)


def test_a_bar_is_cut_at_both_edges() -> None:
    assert text(bar(("stream", 2, 75)), scale=TimeScale(at(50), NS_PER_S, 10)) == "█" * 10


def test_ticks_and_now_show_where_there_is_no_bar() -> None:
    under = Under("┊    ┊    ", 7)
    pieces = row_pieces(bar_cells(bar(("stream", 4, 6)), TimeScale(0, NS_PER_S, 10), 0), under, COLOUR.style)
    assert "".join(piece for piece, _ in pieces) == "┊   ██ │  "


def test_parts_add_up_every_attempt_and_say_what_lasts() -> None:
    life = bar(("wait", 0, 2), ("backoff", 2, 3), ("wait", 3, 4), ("stream", 4, None))
    assert [(part.word, part.text) for part in parts(life, at(6))] == [
        ("first token", "3.00 s"),
        ("stream", "2.00 s…"),
        ("back-off", "1.00 s"),
        ("total", "6.00 s…"),
    ]
