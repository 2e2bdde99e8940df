"""Limits fitted to evidence: what passed bounds them from below, what was refused from above."""

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
    assert passed.spread_s > 0


def test_a_figure_without_both_bounds_is_never_narrow() -> None:
    assert Range(5.0, 5.0, None).spread == float("inf")
    assert Range(5.0, 4.0, 6.0).spread == 0.2
    assert Range(4.9, 4.2, 5.8).whole() == Range(5.0, 5.0, 5.0)
