"""Limits fitted to evidence: what passed bounds them from below, what was refused from above."""

import pytest

from tui.core.probe_fits import BUCKET, FIXED, SLIDING, bucket_fit, fits, fixed_fit, sliding_fit
from tui.core.probe_seen import Answer, Cause, Event, Fate, Range, batch_events

SLACK_S = 0.004
TEN_AT_ONCE = [Event(0.0, 10), Event(0.01, 0)]


def kinds(*events: Event) -> dict[str, int]:
    return {fit.kind: fit.misfits for fit in fits([*TEN_AT_ONCE, *events], SLACK_S)}


def test_one_emptying_alone_fits_every_kind() -> None:
    assert kinds() == {FIXED: 0, SLIDING: 0, BUCKET: 0}


def test_one_that_passes_early_and_the_next_that_does_not_are_a_bucket() -> None:
    found = kinds(Event(3.0, 0), Event(6.1, 1), Event(6.2, 0))
    assert found[BUCKET] == 0
    assert min(found[FIXED], found[SLIDING]) > 0


def test_everything_at_once_before_a_minute_has_passed_is_a_fixed_window() -> None:
    found = kinds(Event(20.0, 0), Event(30.0, 10), Event(30.1, 0))
    assert found[FIXED] == 0
    assert min(found[BUCKET], found[SLIDING]) > 2


def test_what_comes_back_as_it_was_used_is_a_sliding_window() -> None:
    events = [Event(0.0, 1), Event(3.0, 9), Event(3.1, 0), Event(59.0, 0), Event(60.1, 1), Event(60.2, 0)]
    found = {fit.kind: fit.misfits for fit in fits([*events, Event(62.0, 0), Event(63.2, 9)], SLACK_S)}
    assert found[SLIDING] == 0
    assert min(found[BUCKET], found[FIXED]) > 0


def test_a_windows_limit_is_exact_once_it_refused() -> None:
    assert sliding_fit(TEN_AT_ONCE, SLACK_S).rpm == Range(10.0, 10.0, 10.0)
    assert fixed_fit(TEN_AT_ONCE).rpm == Range(10.0, 10.0, 10.0)


def test_a_fixed_window_that_ended_in_the_middle_of_the_burst_leaves_its_limit_open() -> None:
    straddled = [Event(0.0, 5), Event(1.0, 5), Event(1.1, 0), Event(60.5, 5)]
    fit = fixed_fit(straddled)
    assert fit.misfits == 0
    assert fit.rpm.low is not None
    assert fit.rpm.low <= 5 <= (fit.rpm.high or 0)


def test_a_bucket_is_bounded_from_both_sides() -> None:
    # Ten at rest, one a second.
    events = [*TEN_AT_ONCE, Event(5.5, 5), Event(5.5, 0), Event(14.2, 9), Event(14.2, 0)]
    fit = bucket_fit(events, SLACK_S)
    assert fit.misfits == 0
    assert fit.burst.estimate == 10
    assert fit.rpm.low is not None
    assert fit.rpm.high is not None
    assert 52 < fit.rpm.low < 60 < fit.rpm.high < 68


def test_what_the_server_says_remains_spares_the_emptying() -> None:
    events = [Event(0.0, 10, left=0), Event(0.01, 0), Event(20.5, 1, left=8), Event(20.6, 1, left=7)]
    capped = bucket_fit(events, SLACK_S)
    assert capped.misfits == 0
    assert capped.burst.estimate == 10


def test_of_requests_sent_together_those_that_passed_come_first() -> None:
    answers = [
        Answer(1.00, 1.1, 1.1, Fate.REFUSED, Cause.RATE),
        Answer(1.02, 1.1, 1.4, Fate.PASSED, left=3),
        Answer(1.04, 1.1, 1.4, Fate.PASSED, left=2),
        Answer(1.06, 1.1, 1.1, Fate.REFUSED, Cause.AT_ONCE),
        Answer(1.08, 1.1, 1.1, Fate.FAILED),
    ]
    passed, refused = batch_events(answers)
    assert (passed.passed, passed.left, refused.passed) == (2, 2, 0)
    assert passed.at_s <= refused.at_s
    # The server judged them between the first one's sending and the last one's answer.
    assert (passed.at_s - passed.spread_s, passed.at_s + passed.spread_s) == pytest.approx((1.02, 1.1))


def test_what_is_let_through_was_judged_as_soon_as_what_is_refused() -> None:
    late = [Answer(1.0, 3.0, 3.4, Fate.PASSED)]
    assert batch_events(late)[0].spread_s == 1.0
    assert batch_events(late, judged_s=0.02)[0].spread_s == pytest.approx(0.01)


def test_of_requests_sent_apart_each_is_evidence_of_its_own_instant() -> None:
    row = [Answer(at, at + 0.02, at + 0.5, Fate.PASSED) for at in (1.0, 1.2)]
    row.append(Answer(1.4, 1.45, 1.45, Fate.REFUSED, Cause.RATE))
    first, second, refused = batch_events(row)
    assert (first.passed, second.passed, refused.passed) == (1, 1, 0)
    # What had not come back when it was judged had not when it was sent.
    assert (refused.at_s, refused.spread_s) == (1.4, 0.0)


def test_bounds_hold_however_late_within_its_time_a_request_was_judged() -> None:
    # Ten at rest, one a second; each was judged up to 0.4 s after it was sent, and none says when.
    for late_s in (0.0, 0.2, 0.4):
        answers = [Answer(0.0, 0.4, 0.4, Fate.PASSED)] * 10 + [Answer(0.41, 0.45, 0.45, Fate.REFUSED, Cause.RATE)]
        after = [Answer(8.0 + late_s, 8.0 + late_s + 0.4, 9.0, Fate.PASSED)] * 8
        refused = [Answer(8.5 + late_s, 8.9, 8.9, Fate.REFUSED, Cause.RATE)]
        fit = bucket_fit([*batch_events(answers), *batch_events([*after, *refused])], SLACK_S)
        assert fit.misfits == 0
        assert (fit.rpm.low or 99) < 60 < (fit.rpm.high or 0)


def test_a_figure_without_both_bounds_is_never_narrow() -> None:
    assert Range(5.0, 5.0, None).spread == float("inf")
    assert Range(5.0, 4.0, 6.0).spread == 0.2
    assert Range(4.9, 4.2, 5.8).whole() == Range(5.0, 5.0, 5.0)
