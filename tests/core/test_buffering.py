"""Streams that were held back are told from fast models, from models that stall and from servers with large pieces."""

from collections.abc import Iterable

from tests.core.call_story import Story
from tui.core.buffering import buffered, text_tokens
from tui.core.calls import Usage
from tui.core.entries import AttemptEntry

TOKEN = "word"


def streamed(
    arrivals_ms: Iterable[float], text: str = TOKEN, usage: Usage | None = None, ended: bool = True
) -> AttemptEntry:
    """An attempt sent and written at 0, with a piece of text at each instant."""
    story = Story()
    story.queued(0)
    story.sent(0, written=0)
    last = 0.0
    for last in arrivals_ms:
        story.text(last, text)
    if ended:
        story.attempt_ended(last)
    attempt = story.ledger.calls[1].attempts[0]
    attempt.usage = usage
    return attempt


def pieces(n: int, first_ms: float, each_ms: float) -> list[float]:
    return [first_ms + index * each_ms for index in range(n)]


def bursts(starts_ms: Iterable[float], n: int, each_ms: float = 0.02) -> list[float]:
    return [instant for start in starts_ms for instant in pieces(n, start, each_ms)]


# ── held back ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_comes_all_at_once_after_a_long_silence_was_held_back() -> None:
    attempt = streamed(pieces(413, 4800, 12 / 412), usage=Usage(10, 412))
    assert buffered(attempt) == (
        "412 tokens came all within 12 ms after 4.80 s without any text: "
        "the answer was not streamed, or something on the way held it back"
    )


def test_an_answer_in_one_piece_was_not_streamed() -> None:
    said = buffered(streamed([2000], TOKEN * 300))
    assert said is not None
    assert said.startswith("~300 tokens came in one piece after 2.00 s without any text")


def test_an_answer_in_a_few_bursts_with_long_pauses_was_held_back() -> None:
    attempt = streamed([*bursts([1800, 3900], 137), *pieces(138, 5900, 0.02)], usage=Usage(10, 412))
    assert buffered(attempt) == (
        "412 tokens came in 3 bursts, the longest pause 2.10 s: "
        "something between the model and here holds the stream back"
    )


def test_two_bursts_are_enough() -> None:
    assert buffered(streamed(bursts([1000, 3000], 50))) is not None


def test_pauses_of_any_length_between_bursts_are_told_from_a_models_pace() -> None:
    assert buffered(streamed(bursts([800, 1100, 3900, 4300, 9000, 9400, 9800, 12000, 12500, 13000], 30))) is not None


def test_bursts_are_seen_while_the_stream_still_runs() -> None:
    assert buffered(streamed(bursts([1000, 2000, 3000], 60), ended=False)) is not None


def test_a_first_burst_is_no_whole_answer_while_the_stream_still_runs() -> None:
    arrivals = pieces(100, 2000, 0.02)
    assert buffered(streamed(arrivals, ended=False)) is None
    assert buffered(streamed(arrivals)) is not None


# ── not held back ──────────────────────────────────────────────────────────────────────────────────────


def test_a_model_of_everyday_pace_is_not_held_back() -> None:
    for tokens_per_s in (5, 15, 19, 21, 60, 150):
        assert buffered(streamed(pieces(500, 800, 1000 / tokens_per_s))) is None


def test_the_fastest_models_are_not_held_back_however_long_the_queue_before_them() -> None:
    assert buffered(streamed(pieces(2000, 300, 1 / 3))) is None
    assert buffered(streamed(pieces(2000, 8000, 1 / 3))) is None
    assert buffered(streamed(pieces(200, 2000, 0.21))) is None, "just below the pace that nobody has"
    assert buffered(streamed(pieces(200, 2000, 0.19))) is not None, "just above it"


def test_a_quick_answer_all_at_once_is_not_held_back() -> None:
    assert buffered(streamed(pieces(400, 990, 0.01))) is None
    assert buffered(streamed(pieces(400, 1010, 0.01))) is not None


def test_few_tokens_say_nothing() -> None:
    assert buffered(streamed(pieces(63, 4000, 0.01))) is None
    assert buffered(streamed(pieces(64, 4000, 0.01))) is not None
    assert buffered(streamed(bursts([1000, 2000, 3000], 15))) is None
    assert buffered(streamed([])) is None


def test_a_model_that_stalls_is_not_held_back() -> None:
    once = [*pieces(200, 500, 10), *pieces(200, 4500, 10)]
    assert buffered(streamed(once)) is None
    twice_unlike = [*pieces(150, 500, 10), *pieces(150, 4000, 10), *pieces(100, 5560, 10)]
    assert buffered(streamed(twice_unlike)) is None
    every_50_tokens = [instant for n in range(8) for instant in pieces(50, 300 + n * 800, 10)]
    assert buffered(streamed(every_50_tokens)) is None


def test_a_model_that_stalls_as_if_a_buffer_filled_is_not_held_back() -> None:
    stalls_alike = [*pieces(60, 2000, 10), *pieces(60, 4600, 10), *pieces(200, 5300, 10)]
    assert buffered(streamed(stalls_alike)) is None


def test_a_server_that_sends_large_pieces_as_it_has_them_is_not_held_back() -> None:
    assert buffered(streamed(pieces(20, 600, 400), TOKEN * 40)) is None


def test_short_pauses_between_bursts_are_nobodys_concern() -> None:
    assert buffered(streamed(bursts([500, 740], 60))) is None
    assert buffered(streamed(bursts([500, 760], 60))) is not None


def test_stamps_that_were_late_because_we_were_blame_nobody_else() -> None:
    attempt = streamed(pieces(400, 4000, 0.01))
    attempt.late = True
    assert buffered(attempt) is None


def test_hidden_reasoning_is_no_text_that_came_at_once() -> None:
    attempt = streamed(pieces(30, 9000, 0.01), usage=Usage(10, 2030, reasoning=2000))
    assert text_tokens(attempt) == 30
    assert buffered(attempt) is None


def test_a_few_large_pieces_are_pointed_out_and_nobody_is_blamed() -> None:
    said = buffered(streamed(pieces(3, 600, 600), TOKEN * 40))
    assert said is not None
    assert "in 3 bursts" in said
    assert "the server sends large pieces, or" in said
