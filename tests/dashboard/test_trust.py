"""The badge says what was measured: nothing is good before it was looked at, nothing bad without a reason."""

import pytest
from fake_session import FakeSession
from msgspec.structs import replace

from tui.core.clock import NS_PER_MS
from tui.core.snapshot import Snapshot, Spread
from tui.dashboard.trust import BAD, BEHIND, DOUBTFUL, GOOD, UNKNOWN, Grade, doubts, grade

QUIET = FakeSession().go(14)
TTFT = Spread(1_000, 1, 1, 1, 1)


def lag(ms: float) -> Spread:
    return Spread(900, 1, 1, int(ms * NS_PER_MS), int(ms * NS_PER_MS))


def said(snapshot: Snapshot) -> str:
    return "\n".join(doubt.words for doubt in doubts(snapshot))


def test_a_run_without_a_first_token_is_not_called_good() -> None:
    assert grade(replace(QUIET, ttft=None)) == UNKNOWN
    assert grade(replace(QUIET, lag=None)) == UNKNOWN
    assert "no first token yet" in said(replace(QUIET, ttft=None))


@pytest.mark.parametrize(("ms", "worth"), [(0.3, GOOD), (9.9, GOOD), (10, DOUBTFUL), (49.9, DOUBTFUL), (50, BAD)])
def test_a_lag_is_judged_by_its_p99(ms: float, worth: Grade) -> None:
    assert grade(replace(QUIET, lag=lag(ms))) == worth


@pytest.mark.parametrize(("late", "worth"), [(0, GOOD), (1, DOUBTFUL), (10, DOUBTFUL), (11, BAD)])
def test_more_than_one_late_stamp_in_a_hundred_is_bad(late: int, worth: Grade) -> None:
    shown = replace(QUIET, ttft=TTFT, late=late)
    assert grade(shown) == worth
    assert f"{late} of 1,000 TTFTs are client-bound" in said(shown)


@pytest.mark.parametrize(("shared", "worth"), [(0, GOOD), (50, GOOD), (51, DOUBTFUL)])
def test_first_tokens_that_came_with_others_are_upper_bounds(shared: int, worth: Grade) -> None:
    shown = replace(QUIET, ttft=TTFT, shared=shared)
    assert grade(shown) == worth
    assert ("upper bound" in said(shown)) == bool(shared)


@pytest.mark.parametrize(("skipped", "worth"), [(0, GOOD), (29, GOOD), (30, BEHIND)])
def test_skipped_pictures_doubt_the_screen_and_not_the_timing(skipped: int, worth: Grade) -> None:
    shown = replace(QUIET, frames_dropped=skipped)
    assert grade(shown) == worth
    assert "timing" not in BEHIND.word
    assert ("no figure suffers" in said(shown)) == bool(skipped)


@pytest.mark.parametrize(("ms", "worth"), [(2, GOOD), (10, DOUBTFUL), (50, BAD)])
def test_a_schedule_is_judged_by_what_we_were_late_by(ms: float, worth: Grade) -> None:
    assert "schedule" not in said(QUIET)
    shown = replace(QUIET, dispatch_error=lag(ms))
    assert grade(shown) == worth
    assert "after due, where a slot stood ready" in said(shown)


def test_calls_that_are_due_and_wait_for_a_slot_are_counted() -> None:
    assert "1 call is due" in said(replace(QUIET, overdue=1))
    assert "1,200 calls are due" in said(replace(QUIET, overdue=1200))


def test_the_worst_doubt_counts() -> None:
    assert grade(replace(QUIET, ttft=TTFT, late=500, frames_dropped=900)) == BAD
