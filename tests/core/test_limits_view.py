"""The limits of a run as a view shows them: from the ledger's counts, the limiter's gauges and the server's words."""

import pytest
from call_story import Story, at
from hypothesis import given
from hypothesis import strategies as st

from tui.core.calls import Usage
from tui.core.clock import NS_PER_S
from tui.core.facts import AllowanceCame, AttemptEnded, Counted, LimitsChanged
from tui.core.limits_view import Gauges, eta_ns, limits_view
from tui.core.views import LimitsView, Meter

NOTHING_CAME = [0.0] * 60


def begun(story: Story, calls: int, every_ms: float, from_ms: float = 0) -> None:
    """So many calls, one sent after the other, none of them answered."""
    first = len(story.ledger.calls) + 1
    for index in range(calls):
        story.queued(from_ms + index * every_ms, first + index)
        story.sent(from_ms + index * every_ms, first + index)


def test_what_is_believed_of_the_limits_is_handed_on() -> None:
    view = limits_view(Story().ledger, Gauges(belief=("60 requests a minute go: …",)), at(0))
    assert view.belief == ["60 requests a minute go: …"]
    assert limits_view(Story().ledger, Gauges(), at(0)).belief == []


# ── when the limit is reached ──────────────────────────────────────────────────────────────────────────


def test_an_empty_window_fills_at_the_pace() -> None:
    assert eta_ns(0, 60, 4.0, NOTHING_CAME) == 15 * NS_PER_S


def test_a_pace_within_the_limit_never_reaches_it() -> None:
    assert eta_ns(30, 60, 1.0, NOTHING_CAME) is None


def test_a_limit_that_is_reached_is_no_longer_waited_for() -> None:
    assert eta_ns(60, 60, 0.0, NOTHING_CAME) == 0
    assert eta_ns(75, 60, 0.0, NOTHING_CAME) == 0


def test_without_a_limit_nothing_is_reached() -> None:
    assert eta_ns(1000, None, 100.0, NOTHING_CAME) is None


def test_what_leaves_the_window_meanwhile_makes_room() -> None:
    came = [3.0] * 10 + [0.0] * 50
    # Ten seconds at 4 - 3, then the rest at 4 a second: 30 + 10 are there, 20 are missing.
    assert eta_ns(30, 60, 4.0, came) == 15 * NS_PER_S


@given(
    st.lists(st.integers(0, 20), min_size=60, max_size=60),
    st.integers(1, 600),
    st.integers(1, 400).map(lambda tenths: tenths / 10),
)
def test_the_time_is_when_a_recount_of_the_window_first_holds_the_limit(
    came: list[int], limit: int, pace: float
) -> None:
    eta = eta_ns(sum(came), limit, pace, came)
    if sum(came) >= limit:
        assert eta == 0
    elif pace * 60 <= limit:
        assert eta is None
    else:
        assert eta is not None
        assert 0 <= eta <= 60 * NS_PER_S + 1000

        def held(elapsed_s: float) -> float:
            whole, part = int(elapsed_s), elapsed_s % 1
            left = sum(came[:whole]) + (came[whole] * part if whole < 60 else 0)
            return sum(came) - left + pace * elapsed_s

        assert held(eta / NS_PER_S) == pytest.approx(limit, abs=0.01)
        assert all(held(second) < limit + 0.01 for second in range(eta // NS_PER_S))


# ── requests ───────────────────────────────────────────────────────────────────────────────────────────


def test_requests_are_those_sent_in_the_last_minute() -> None:
    story = Story()
    story.tell(LimitsChanged(at(0), 120, None, 8))
    begun(story, 90, 1000)
    view = limits_view(story.ledger, Gauges(3.5, 6.0, in_limiter=4), at(89_500))
    assert (view.requests.limit, view.requests.used_60s, view.requests.peak_60s) == (120, 60, 60)
    assert (view.requests.level, view.requests.size) == (3.5, 6.0)
    assert view.requests.per_minute_now == pytest.approx(60)
    assert view.requests.eta_ns is None
    assert (view.in_limiter, view.concurrency) == (4, 8)
    assert view.tokens.limit is None


def test_the_pace_is_that_of_the_last_ten_seconds() -> None:
    story = Story()
    begun(story, 20, 1000)
    begun(story, 40, 250, from_ms=20_000)
    assert limits_view(story.ledger, Gauges(), at(29_900)).requests.per_minute_now == pytest.approx(240)
    assert limits_view(story.ledger, Gauges(), at(45_000)).requests.per_minute_now == 0.0


def test_the_time_to_our_limit_follows_from_the_pace() -> None:
    story = Story()
    story.tell(LimitsChanged(at(0), 120, None, 8))
    begun(story, 60, 250)
    eta = limits_view(story.ledger, Gauges(), at(14_900)).requests.eta_ns
    assert eta == 15 * NS_PER_S


def test_the_server_s_limit_counts_where_we_have_none() -> None:
    story = Story()
    begun(story, 60, 250)
    story.tell(AllowanceCame(1, at(14_900), 120, 60, 30.0))
    assert limits_view(story.ledger, Gauges(), at(14_900)).requests.eta_ns == 15 * NS_PER_S


def test_a_server_s_limit_for_a_day_is_none_for_a_minute() -> None:
    story = Story()
    begun(story, 60, 250)
    story.tell(AllowanceCame(1, at(14_900), 120, 60, 7200.0))
    meter = limits_view(story.ledger, Gauges(), at(14_900)).requests
    assert meter.server_limit == 120
    assert meter.eta_ns is None


# ── what the server said ───────────────────────────────────────────────────────────────────────────────


def test_a_reset_counts_from_the_reply_that_named_it() -> None:
    story = Story()
    begun(story, 1, 0)
    story.tell(AllowanceCame(1, at(500), 60, 59, 1.5, None, 100, None))
    view = limits_view(story.ledger, Gauges(), at(9000))
    requests, tokens = view.requests, view.tokens
    assert (requests.server_limit, requests.server_remaining) == (60, 59)
    assert (requests.server_reset_at, requests.server_said_at) == (at(2000), at(500))
    assert (tokens.server_limit, tokens.server_remaining) == (None, 100)
    assert (tokens.server_reset_at, tokens.server_said_at) == (None, at(500))


def test_of_what_the_server_is_silent_nothing_was_said() -> None:
    story = Story()
    begun(story, 1, 0)
    story.tell(AllowanceCame(1, at(500), remaining_requests=0))
    view = limits_view(story.ledger, Gauges(), at(600))
    assert view.requests.server_remaining == 0
    assert view.tokens == Meter()


# ── tokens ─────────────────────────────────────────────────────────────────────────────────────────────


def test_tokens_are_the_used_ones_and_their_pace_is_prompts_and_text() -> None:
    story = Story()
    story.tell(LimitsChanged(at(0), None, 6000, 8))
    for call in range(1, 21):
        story.whole_call(call, (call - 1) * 1000, tokens=5)
    view = limits_view(story.ledger, Gauges(tokens_level=90.0, tokens_size=600.0), at(19_999))
    # Twenty calls in twenty seconds, of 10 prompt and 5 completion tokens each.
    assert (view.tokens.limit, view.tokens.used_60s, view.tokens.peak_60s) == (6000, 300, 300)
    assert view.tokens.per_minute_now == pytest.approx(900)
    assert (view.tokens.level, view.tokens.size) == (90.0, 600.0)
    assert view.tokens.eta_ns is None


def test_tokens_have_a_time_to_the_limit_too() -> None:
    story = Story()
    story.tell(LimitsChanged(at(0), None, 600, 8))
    for call in range(1, 21):
        story.whole_call(call, (call - 1) * 1000, tokens=5)
    assert limits_view(story.ledger, Gauges(), at(19_999)).tokens.eta_ns == 20 * NS_PER_S


def test_tokens_that_are_counted_late_are_used_all_the_same() -> None:
    story = Story()
    begun(story, 1, 0)
    story.tell(AttemptEnded(1, at(10)), Counted(1, at(20), 1, Usage(7, 3)))
    assert limits_view(story.ledger, Gauges(), at(30)).tokens.used_60s == 10


def test_where_tokens_are_limited_what_is_reserved_counts_as_used() -> None:
    story = Story()
    story.tell(LimitsChanged(at(0), None, 6000, 8))
    for call in range(1, 21):
        story.whole_call(call, (call - 1) * 1000, tokens=5)
    gauges = Gauges(tokens_level=90.0, tokens_size=600.0, tokens_reserved=5800, tokens_reserved_peak=5950)
    tokens = limits_view(story.ledger, gauges, at(19_999)).tokens
    assert (tokens.limit, tokens.used_60s, tokens.peak_60s) == (6000, 5800, 5950)
    full = Gauges(tokens_reserved=6000, tokens_reserved_peak=6000)
    assert limits_view(story.ledger, full, at(19_999)).tokens.eta_ns == 0


def test_what_is_reserved_brings_the_time_to_the_limit_nearer() -> None:
    story = Story()
    story.tell(LimitsChanged(at(0), None, 600, 8))
    for call in range(1, 21):
        story.whole_call(call, (call - 1) * 1000, tokens=5)
    gauges = Gauges(tokens_reserved=450, tokens_reserved_peak=450)
    # Fifteen tokens a second, as before, but 150 are missing where 300 were.
    assert limits_view(story.ledger, gauges, at(19_999)).tokens.eta_ns == 10 * NS_PER_S


# ── at once, and refusals ──────────────────────────────────────────────────────────────────────────────


def test_in_flight_is_what_has_been_sent_and_not_ended() -> None:
    story = Story()
    begun(story, 5, 10)
    story.text(100, call=1)
    story.attempt_ended(200, call=2)
    story.finished(201, call=2)
    view = limits_view(story.ledger, Gauges(), at(300))
    assert (view.in_flight, view.in_flight_peak) == (4, 5)


def test_refusals_come_with_their_number_and_the_verdict() -> None:
    story = Story()
    begun(story, 25, 10)
    for call in range(1, 26):
        story.headers(1000 + call, call, 429)
        story.attempt_ended(1000 + call, "HTTP 429: limit of 60 requests per minute", call)
    view = limits_view(story.ledger, Gauges(), at(2000))
    assert view.refused == 25
    assert [refusal.call for refusal in view.refusals] == list(range(25, 5, -1))
    assert (view.refusals[0].in_flight, view.refusals[0].attempts_60s) == (25, 25)
    assert view.verdict.kind == "too fast"


def test_a_run_that_has_not_begun_has_a_view() -> None:
    assert limits_view(Story().ledger, Gauges(), at(0)) == LimitsView()
