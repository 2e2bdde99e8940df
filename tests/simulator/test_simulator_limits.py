import pytest

from tui.simulator.allowances import Bucket
from tui.simulator.limit_headers import go_duration, retry_after
from tui.simulator.limits import RELEASE_S, Limits, Slots
from tui.simulator.settings import SimulatorSettings


def limits_of(**settings):
    return Limits("sim", SimulatorSettings(**settings), now_s=0.0)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0, "0s"),
        (0.0201, "21ms"),
        (0.02, "20ms"),
        (0.9999, "1s"),
        (1.0, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (360.0, "6m0s"),
        (3661.25, "1h1m1.25s"),
    ],
)
def test_durations_are_written_as_go_writes_them(duration_s, text):
    assert go_duration(duration_s) == text


def test_a_fresh_bucket_holds_the_whole_limit():
    assert Bucket(60, now_s=5.0).level(5.0) == 60.0


@pytest.mark.parametrize(("passed_s", "left"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (30.0, 30.0), (3600.0, 60.0)])
def test_a_bucket_refills_continuously_up_to_its_limit(passed_s, left):
    bucket = Bucket(60, now_s=0.0)
    bucket.take(60, 0.0)
    assert bucket.level(passed_s) == pytest.approx(left)


def test_a_clock_that_steps_back_refills_nothing():
    bucket = Bucket(60, now_s=10.0)
    bucket.take(60, 10.0)
    assert bucket.level(5.0) == 0.0
    assert bucket.level(11.0) == pytest.approx(1.0)


def test_after_waiting_exactly_as_told_there_is_enough():
    for limit in (1, 3, 7, 60, 333, 10_007):
        bucket = Bucket(limit, now_s=0.1)
        bucket.take(limit, 0.1)
        wait_s = bucket.wait_s(1, 0.1)
        assert wait_s > 0
        assert bucket.wait_s(1, 0.1 + wait_s) == 0.0


def test_requests_past_the_limit_are_refused_and_cost_nothing():
    limits = limits_of(rpm=3)
    assert [limits.admit(10, 0.0) for _ in range(3)] == [None, None, None]
    refusals = [limits.admit(10, 0.0) for _ in range(5)]
    assert {refusal.kind for refusal in refusals} == {"requests"}
    assert [refusal.wait_s for refusal in refusals] == [pytest.approx(20.0)] * 5
    assert refusals[0].message == (
        "Rate limit reached for sim on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s."
    )
    assert limits.admit(10, 20.0) is None


def test_tokens_past_the_limit_are_refused_without_using_a_request():
    limits = limits_of(rpm=10, tpm=100)
    assert limits.admit(80, 0.0) is None
    refusal = limits.admit(80, 0.0)
    assert refusal.kind == "tokens"
    assert refusal.wait_s == pytest.approx(36.0)
    assert ("x-ratelimit-remaining-requests", "9") in limits.headers(0.0)


def test_a_request_larger_than_the_limit_is_told_that_waiting_does_not_help():
    refusal = limits_of(tpm=100).admit(101, 0.0)
    assert refusal.wait_s is None
    assert "Limit 100, Requested 101" in refusal.message


def test_headers_say_what_is_left_and_when_it_is_full_again():
    limits = limits_of(rpm=60, tpm=6000)
    limits.admit(1500, 0.0)
    assert limits.headers(0.0) == [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "6000"),
        ("x-ratelimit-remaining-tokens", "4500"),
        ("x-ratelimit-reset-tokens", "15s"),
    ]


def test_there_are_no_headers_for_limits_that_are_not_set():
    assert limits_of().headers(1.0) == []


def test_retry_after_is_rounded_up_so_that_nobody_comes_early():
    assert retry_after(1.2001) == [("retry-after", "2"), ("retry-after-ms", "1201")]


def test_a_burst_is_what_a_rested_bucket_lets_pass_and_the_limit_stays_what_it_is():
    limits = limits_of(rpm=600, burst=20)
    assert [limits.admit(1, 0.0) for _ in range(20)] == [None] * 20
    refusal = limits.admit(1, 0.0)
    assert refusal.wait_s == pytest.approx(0.1)
    assert "Limit 600, Used 600, Requested 1. Please try again in 100ms." in refusal.message
    assert limits.headers(0.0) == [
        ("x-ratelimit-limit-requests", "600"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "2s"),
    ]
    assert limits.headers(3600.0)[1] == ("x-ratelimit-remaining-requests", "20")


def test_a_burst_of_requests_leaves_tokens_alone():
    limits = limits_of(rpm=60, tpm=6000, burst=1)
    assert limits.admit(6000, 0.0) is None


@pytest.mark.parametrize(
    ("style", "ending"),
    [
        ("honest", "Requested 1. Please try again in 20s."),
        ("short", "Please try again in 10s."),
        ("none", "Requested 1."),
    ],
)
def test_a_refusals_words_are_as_honest_as_its_headers(style, ending):
    limits = limits_of(rpm=3, retry_after_style=style)
    refusals = [limits.admit(1, 0.0) for _ in range(4)]
    assert refusals[3].message.endswith(ending)
    assert refusals[3].wait_s == pytest.approx(20.0)


# Slots.


def test_no_more_than_the_limit_run_at_once_and_the_words_say_so():
    slots = Slots("sim", 2, "honest")
    slots.take(5.0)
    assert slots.refusal(0.0) is None
    slots.take(3.0)
    refusal = slots.refusal(1.0)
    assert (refusal.kind, refusal.code) == ("concurrency", "concurrency_limit_exceeded")
    assert refusal.message == "Too many concurrent requests for sim: limit 2. Please try again in 2.05s."
    assert refusal.wait_s == pytest.approx(2.0 + RELEASE_S)
    assert slots.running == 2


def test_a_released_slot_is_free():
    slots = Slots("sim", 1, "honest")
    first = slots.take(5.0)
    assert slots.refusal(0.0) is not None
    first.release()
    assert slots.refusal(0.0) is None
    assert slots.running == 0


@pytest.mark.parametrize("ends_s", [float("inf"), 9.0])
def test_when_nobody_knows_when_a_slot_is_free_no_wait_is_told(ends_s):
    slots = Slots("sim", 1, "honest")
    slots.take(ends_s)
    refusal = slots.refusal(10.0)
    assert refusal.wait_s is None
    assert refusal.message == "Too many concurrent requests for sim: limit 1."
