"""The header says how the run stands; where room is short it leaves out whole figures, never halves."""

import re

import pytest
from fake_session import START, FakeSession
from msgspec.structs import replace

from tui.core.snapshot import Counts, Snapshot, Spread
from tui.dashboard.footer import footer_row
from tui.dashboard.header import header_height, header_rows
from tui.dashboard.main_screen import STEERING_HINTS
from tui.dashboard.theme import COLOUR, PLAIN
from tui.dashboard.wall import Wall

WORDS = {"streaming", "waiting", "backing", "off", "done", "failed", "broken", "cancelled", "retries", "429s"}
WORDS |= {"RPM", "tok/s", "TTFT", "p50", "p95", "p99", "cost", "ms", "no", "limit"}


def snapshot(**kinds: object) -> Snapshot:
    return FakeSession(**kinds).go(14)  # type: ignore[arg-type]


def text(shown: Snapshot, width: int = 120, height: int = 8, now_s: float = 14) -> str:
    rows = header_rows(shown, START + int(now_s * 1e9), width, height, COLOUR)
    return "\n".join(row.text for row in rows)


@pytest.mark.parametrize("width", [80, 120, 200, 300])
def test_everything_that_was_promised_is_there(width: int) -> None:
    shown = text(snapshot(), width, header_height(24 if width == 80 else 60))
    for word in ("load", "gpt-4o-mini", "127.0.0.1:8600/v1", "running", "00:14", "16 / 400", "streaming", "waiting"):
        assert word in shown
    for word in ("done", "failed", "RPM", "240", "tok/s", "TTFT", "518 ms", "1.08 s", "1.51 s", "retries", "429s"):
        assert word in shown
    assert "~$0.0037" in shown
    assert re.search(r"lag.*0\.3 ms", shown, re.DOTALL)


@pytest.mark.parametrize("height", [1, 2, 5, 8])
def test_rows_are_as_wide_as_the_screen_and_no_label_is_cut(height: int) -> None:
    shown = snapshot()
    for width in [*range(8, 210), 300]:
        rows = header_rows(shown, START + 14_000_000_000, width, height, COLOUR)
        assert len(rows) == height
        assert all(row.cell_length == width for row in rows)
        if height >= 5:
            said = re.findall(r"[A-Za-z][A-Za-z0-9/]+", " ".join(row.text for row in rows[2:-2]))
            assert set(said) <= WORDS, width


def test_a_header_on_a_small_screen_leaves_most_of_it_to_the_wall() -> None:
    assert header_height(24) <= 5
    assert header_height(5) == 1


def test_a_closed_lane_is_said_with_its_end_and_reason() -> None:
    assert "closed 12 s: 429: Rate limit reached for gpt-4o-mini" in text(snapshot(lane_closed_s=12.5), 80, 5)
    assert "closed" not in text(snapshot(lane_closed_s=12.5), 80, 5, now_s=30)


@pytest.mark.parametrize("height", [1, 2, 5, 8])
def test_the_runs_notice_is_seen_at_every_height(height: int) -> None:
    assert "no space left" in text(snapshot(notice="no space left on device"), 80, height)


def test_a_finished_run_says_so_and_how_to_leave() -> None:
    session = FakeSession(count=60, phase="finished")
    shown = text(session.go(60), 80, 5, now_s=900)
    assert "✓ finished" in shown
    assert "51 done, 6 failed, 3 cancelled" in shown
    assert "q quits" in shown
    assert "01:00" in shown


def test_a_run_of_a_given_duration_shows_what_is_left_of_it() -> None:
    assert "1m 16s left" in text(snapshot(planned=False))


def test_a_run_without_a_limit_says_that() -> None:
    assert "no limit" in text(snapshot(rpm_limit=None))


def test_what_is_unknown_is_a_dash() -> None:
    shown = text(replace(snapshot(), ttft=None, lag=None))
    assert shown.count("—") == 3
    assert "not timed yet" in shown


def test_late_stamps_are_counted_beside_the_lag() -> None:
    shown = replace(snapshot(), late=3, lag=Spread(9, 1, 1, 40_000_000, 1))
    assert "40 ms 3 late" in text(shown, 200)


def test_nothing_sets_a_colour_when_none_is_wanted() -> None:
    rows = header_rows(snapshot(lane_closed_s=9), START, 120, 8, PLAIN)
    styles = [segment.style for row in rows for segment in row]
    assert all(style is None or (style.color is None and style.bgcolor is None) for style in styles)


def test_the_footer_shows_whole_hints_only() -> None:
    hints = [*Wall.HINTS, *STEERING_HINTS]
    words = {word for _, word in hints} | {key for key, _ in hints} | {"16 places"}
    for width in range(1, 130):
        shown = footer_row(hints, None, "16 places", width, COLOUR)
        assert shown.cell_length == width
        assert set(shown.text.split()) <= {part for word in words for part in word.split()}


@pytest.mark.parametrize("height", [5, 8])
def test_a_token_limit_and_skipped_pictures_are_shown_when_there_are_any(height: int) -> None:
    shown = snapshot()
    assert "TPM" not in text(shown, 200, height)
    limited = replace(shown, run=replace(shown.run, tpm_limit=120_000), tokens_60s=4_200, frames_dropped=17)
    assert "TPM" in text(limited, 200, height)
    assert "120k" in text(limited, 200, height)
    assert "17 skipped" in text(limited, 200, height)


def test_each_ttft_has_its_name_on_a_small_screen() -> None:
    assert "TTFT p50 518 ms  p95 1.08 s  p99 1.51 s" in text(snapshot(), 80, 5)


@pytest.mark.parametrize(("width", "height"), [(80, 5), (120, 8), (200, 8)])
def test_cancelled_calls_are_counted_at_every_width(width: int, height: int) -> None:
    shown = snapshot()
    some = replace(shown, counts=replace(shown.counts, cancelled=7))
    assert "⊘ 7" in text(some, width, height)


def test_large_numbers_shorten_the_words_and_lose_no_figure() -> None:
    shown = snapshot()
    counts = Counts(streaming=1_024, waiting=12_345, done=88_812, failed=4_321, broken=2_000, cancelled=9_876)
    said = text(replace(shown, counts=counts, retries=23_456, http_429=34_567), 80, 5)
    for figure in ("● 1,024", "◔ 12.3k", "✓ 88.8k", "✗ 6,321", "⊘ 9,876", "↻ 23.5k", "429s 34.6k"):
        assert figure in said
