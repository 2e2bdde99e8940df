"""What stands above the pages of an open call."""

import pytest
from a_call import a_bar, a_call, at, ms

from tui.core.calls import State
from tui.core.snapshot import FullCall
from tui.dashboard.call_head import call_rows
from tui.dashboard.theme import COLOUR, PLAIN

BUFFERED = "412 tokens came in 3 bursts, the longest pause 2.41 s: something holds the stream back"


def head(full: FullCall, width: int = 80, height: int = 24) -> list[str]:
    return [row.text for row in call_rows(full, at(14_000), width, height, PLAIN)]


def test_the_title_says_who_it_is_and_how_it_stands() -> None:
    title = head(a_call())[0]
    for words in ("✓ #42", "gpt-4o-mini", "Explain how", "HTTP 200", "done (stop)"):
        assert words in title


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
def test_all_figures_and_the_bar_with_its_ticks_and_times_are_there(width: int, height: int) -> None:
    text = "\n".join(head(a_call(), width, height))
    for words in ("TTFT    1.08 s", "waited  7.56 s", "queue   310 ms", "largest gap  310 ms", "$0.00025"):
        assert words in text
    for words in ("┊00:00", "┊00:04", "⊗429", "✗503", "stream 5.65 s", "back-off 3.89 s", "total 13.2 s"):
        assert words in text


def test_how_many_tokens_a_chunk_held() -> None:
    row = next(row for row in head(a_call(chunks=206)) if "tok/chunk" in row)
    assert row.split("tok/chunk")[1].split()[0] == "2.0"


def test_reasoning_that_was_never_sent_came_in_no_chunk() -> None:
    text = "a" * 400
    hidden = a_call(tokens=2_100, reasoning_tokens=2_000, chunks=100, text=text)
    shown = a_call(tokens=2_100, reasoning_tokens=2_000, chunks=100, text=text, ttfa_ns=ms(3000))
    assert "~1.0" in "\n".join(head(hidden))
    assert " 21 " in "\n".join(head(shown))


def test_time_to_the_first_answer_is_shown_when_the_model_reasoned_first() -> None:
    assert "TTFA" not in "\n".join(head(a_call()))
    assert "TTFA    8.23 s" in "\n".join(head(a_call(ttfa_ns=ms(8230))))


def test_a_stream_that_came_in_bursts_is_pointed_out_in_full() -> None:
    text = " ".join(" ".join(head(a_call(buffered=BUFFERED))).split())
    assert f"▲ buffered upstream: {BUFFERED}" in text


def test_a_failure_and_the_wait_for_the_next_attempt_are_told() -> None:
    assert "HTTP 503: overloaded" in "\n".join(head(a_call(state=State.FAILED, error="HTTP 503: overloaded")))
    waits = a_call(state=State.BACKING_OFF, error="HTTP 429", backoff_until=at(16_500), attempt=1)
    assert "↻ 1 in 2.5 s" in "\n".join(head(waits))


def test_a_bar_that_grows_says_so() -> None:
    text = "\n".join(head(a_call(state=State.STREAMING, bar=a_bar(live=True))))
    assert "stream 6.44 s…" in text


def test_what_is_wrong_stays_when_little_room_is_left() -> None:
    rows = head(a_call(buffered=BUFFERED), 60, 12)
    assert len(rows) <= 6
    assert "buffered upstream" in "\n".join(rows)


def test_no_figure_is_cut_at_any_width() -> None:
    for width in range(1, 200):
        rows = head(a_call(ttfa_ns=ms(8230)), width, 60)
        assert all(len(row) == width for row in rows)
        text = "\n".join(rows)
        for label, value in (("waited", "7.56 s"), ("largest gap", "310 ms"), ("retries", "2")):
            assert (f" {label} " in text) == any(label in row and value in row for row in rows)


def test_nothing_raises_at_any_size() -> None:
    for full in (a_call(), a_call(bar=None, attempts=[], buffered=BUFFERED)):
        for width in (1, 2, 5, 19, 33, 150):
            for height in (1, 2, 5, 24, 60):
                assert 1 <= len(call_rows(full, at(0), width, height, COLOUR)) <= max(1, height // 2)


def test_hostile_words_stay_on_their_line_and_have_no_controls() -> None:
    hostile = "a\x1b]52;c;aGk=\x07\u202eb\nc\x9b31m"
    full = a_call(model=hostile, prompt=hostile, error=hostile, finish_reason=hostile, state=State.FAILED)
    for row in call_rows(full, at(0), 120, 40, COLOUR):
        assert not set("\x1b\x07\x9b\u202e\n") & set(row.text)
        assert row.cell_length == 120
