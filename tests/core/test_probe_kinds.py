"""Probes of the simulator's limits in virtual time: what kind it is, how much, how politely, with how many requests."""

import random
from collections.abc import Iterator

import pytest
from probed_limits import ProbedServer, probed

from tui.core.probe import Prober
from tui.core.probe_moves import MOST_UNMET, Send, Turn
from tui.core.probe_seen import Answer, Cause, Fate, Range
from tui.core.probe_verdict import _with_stated
from tui.simulator.settings import LIMIT_KINDS, RETRY_AFTER_STYLES, SimulatorSettings

SEEDS = range(20)
HONEST = {"honest": True, "none": None, "short": False}


def server_of(kind: str, seed: int) -> SimulatorSettings:
    """Every style of headers and of waits comes up; every second server states nothing in its headers."""
    rng = random.Random(seed)
    return SimulatorSettings(
        rpm=rng.choice([20, 60, 100, 333]),
        burst=rng.choice([None, 1, 5, 20, 50]) if kind == "token-bucket" else None,
        limit_kind=kind,
        header_style="none" if seed % 2 else ("openai", "azure", "anthropic")[seed // 2 % 3],
        retry_after_style=RETRY_AFTER_STYLES[seed % 3],
    )


@pytest.mark.parametrize("kind", LIMIT_KINDS)
def test_a_probe_names_the_kind_and_is_within_five_percent_of_rate_and_burst(kind: str) -> None:
    for seed in SEEDS:
        settings = server_of(kind, seed)
        verdict, server, _ = probed(settings, seed)
        rpm, burst = settings.rpm, settings.burst or settings.rpm
        assert rpm is not None
        assert burst is not None
        assert verdict.stopped is None, seed
        assert verdict.kind == kind, seed
        assert verdict.rpm.estimate == pytest.approx(rpm, rel=0.05), seed
        assert verdict.burst.estimate == pytest.approx(burst, rel=0.05), seed
        assert verdict.rpm.low is not None
        assert verdict.rpm.high is not None
        assert verdict.rpm.low <= rpm <= verdict.rpm.high, seed
        assert verdict.retry_after_honest in (None, HONEST[settings.retry_after_style]), seed
        assert server.impolite == 0, seed
        assert verdict.requests == len(server.asked)


@pytest.mark.parametrize("style", RETRY_AFTER_STYLES)
@pytest.mark.parametrize("kind", ["fixed-window", "sliding-window"])
def test_a_wait_that_is_asked_for_is_put_to_the_test(kind: str, style: str) -> None:
    settings = SimulatorSettings(rpm=60, limit_kind=kind, header_style="none", retry_after_style=style)
    assert probed(settings, 1)[0].retry_after_honest is HONEST[style]


def test_a_server_that_states_its_limit_is_asked_less() -> None:
    stated = SimulatorSettings(rpm=480, burst=20)
    silent = SimulatorSettings(rpm=480, burst=20, header_style="none")
    spared = [probed(silent, seed)[0].requests - probed(stated, seed)[0].requests for seed in range(4)]
    assert min(spared) > 10


def test_what_a_probe_uses_is_little_more_than_the_burst() -> None:
    for kind in LIMIT_KINDS:
        for style in ("openai", "none"):
            settings = SimulatorSettings(rpm=120, limit_kind=kind, header_style=style)
            assert max(probed(settings, seed)[0].requests for seed in range(2)) <= 2 * 120


def test_a_limit_on_how_many_at_once_is_found_beside_the_rate() -> None:
    for seed in range(3):
        settings = SimulatorSettings(rpm=120, burst=30, concurrency_limit=7, header_style="none")
        verdict, server, _ = probed(settings, seed)
        assert verdict.concurrency is not None
        assert verdict.concurrency.estimate == 7
        assert verdict.kind == "token-bucket"
        assert verdict.rpm.estimate == pytest.approx(120, rel=0.05)
        assert verdict.command is not None
        assert verdict.command.endswith("--concurrency 7")
        assert server.impolite == 0


def test_a_server_without_a_limit_is_let_off_at_the_most_requests() -> None:
    verdict, _, _ = probed(SimulatorSettings(), 1, max_requests=150)
    assert verdict.kind == "none"
    assert verdict.found
    assert (verdict.requests, verdict.rpm.estimate, verdict.rpm.low, verdict.command) == (150, None, 150, None)


def test_where_only_the_number_at_once_is_limited_a_minute_at_that_pace_is_enough() -> None:
    verdict, server, _ = probed(SimulatorSettings(concurrency_limit=2), 1)
    assert (verdict.kind, verdict.command) == ("none", "weir load --concurrency 2")
    assert verdict.found
    assert verdict.stopped is not None
    assert verdict.stopped.startswith("a minute with 2 at once")
    assert verdict.rpm.low is not None
    assert 200 < verdict.rpm.low < verdict.requests == len(server.asked) < 400
    assert 60 < server.asked[-1][0] - server.asked[0][0] < 75


def test_where_that_pace_is_high_a_few_hundred_requests_are_enough() -> None:
    verdict, server, _ = probed(SimulatorSettings(concurrency_limit=7), 1)
    assert (verdict.kind, verdict.command) == ("none", "weir load --concurrency 7")
    assert verdict.stopped is not None
    assert "requests with 7 at once" in verdict.stopped
    assert MOST_UNMET <= verdict.requests == len(server.asked) < MOST_UNMET + 100
    assert server.asked[-1][0] - server.asked[0][0] < 60


@pytest.mark.parametrize("style", ["none", "openai"])
def test_a_rate_within_reach_of_a_limited_number_at_once_is_found(style: str) -> None:
    rpm = 333 if style == "none" else MOST_UNMET + 100
    settings = SimulatorSettings(rpm=rpm, limit_kind="sliding-window", concurrency_limit=7, header_style=style)
    verdict, _, _ = probed(settings, 1)
    assert verdict.kind == "sliding-window"
    assert verdict.rpm.estimate == pytest.approx(rpm, rel=0.05)


def test_no_more_than_the_most_requests_are_sent_and_what_is_known_is_told() -> None:
    settings = SimulatorSettings(rpm=100, limit_kind="sliding-window", header_style="none")
    verdict, server, _ = probed(settings, 1, max_requests=102)
    assert len(server.asked) == verdict.requests == 102
    assert verdict.stopped == "--max-requests 102 are used up"
    # Refused once: no kind is known yet, and a fixed window may have ended in the middle of the burst.
    assert verdict.found
    assert (verdict.kind, verdict.rpm.estimate) == (None, None)
    assert 50 <= (verdict.burst.low or 0) <= 100 == verdict.burst.high


@pytest.mark.parametrize("bounds", [{"max_requests": 40}, {"time_s": 6.0}])
def test_bounds_that_end_the_search_end_it_with_the_same_verdict(bounds: dict[str, float]) -> None:
    verdict, _, _ = probed(SimulatorSettings(), 1, **bounds)  # type: ignore[arg-type]
    assert verdict.found
    assert (verdict.kind, verdict.rpm.estimate, verdict.command) == ("none", None, None)
    assert verdict.rpm.low is not None
    assert verdict.stopped is not None


def test_a_server_without_a_limit_is_let_off_after_a_few_hundred_requests() -> None:
    verdict, server, _ = probed(SimulatorSettings(), 1)
    assert (verdict.kind, verdict.found) == ("none", True)
    assert verdict.rpm.low == verdict.requests == len(server.asked)
    assert MOST_UNMET <= verdict.requests < MOST_UNMET + 64
    assert "--max-requests" in (verdict.stopped or "")


def test_a_stated_limit_that_is_out_of_reach_is_believed_without_being_reached() -> None:
    verdict, _, _ = probed(SimulatorSettings(rpm=10_000), 1)
    assert (verdict.kind, verdict.rpm.estimate, verdict.rpm.high) == ("none", 10_000, None)
    assert verdict.requests < MOST_UNMET + 64
    assert verdict.command == "weir load --rpm 10000"


@pytest.mark.parametrize(("rpm", "burst"), [(333, 1), (120, 1), (333, 2), (600, 5)])
def test_a_small_bucket_that_is_full_before_an_answer_has_ended_is_told_from_its_pace(rpm: int, burst: int) -> None:
    settings = SimulatorSettings(rpm=rpm, burst=burst, header_style="none")
    for seed in range(3):
        verdict, server, _ = probed(settings, seed)
        assert verdict.kind == "token-bucket", seed
        assert verdict.rpm.estimate == pytest.approx(rpm, rel=0.05), seed
        assert verdict.burst.estimate == burst, seed
        assert server.impolite == 0


@pytest.mark.parametrize("style", ["none", "openai"])
@pytest.mark.parametrize("kind", LIMIT_KINDS)
def test_a_busy_machine_widens_the_interval_and_it_holds_the_truth(kind: str, style: str) -> None:
    settings = SimulatorSettings(rpm=120, limit_kind=kind, header_style=style)
    for seed in range(6):
        # Requests leave up to some 60 ms late, and every third one is long under way; headers come with the answer.
        verdict, server, _ = probed(settings, seed, late_s=0.02, headers_after=1.0)
        assert verdict.kind == kind, seed
        assert verdict.rpm.estimate == pytest.approx(120, rel=0.05), seed
        assert (verdict.rpm.low or 999) <= 120 <= (verdict.rpm.high or 0), seed
        assert verdict.burst.estimate == pytest.approx(120, rel=0.05), seed
        assert server.impolite == 0, seed


@pytest.mark.parametrize("stated", [118, 122])
def test_what_the_server_states_is_the_estimate_where_nothing_speaks_against_it(stated: int) -> None:
    assert _with_stated(Range(120.0, 119.0, 121.0), stated).estimate == stated
    assert _with_stated(Range(120.0, 119.0, 121.0), stated).low == min(119, stated)
    assert _with_stated(Range(120.0, 119.0, 121.0), 10 * stated) == Range(120.0, 119.0, 121.0)


def test_a_wait_past_the_time_is_not_begun() -> None:
    settings = SimulatorSettings(rpm=60, limit_kind="fixed-window")
    server_now = ProbedServer(settings, 3).now_s
    verdict, server, _ = probed(settings, 3, time_s=10.0)
    assert verdict.stopped is not None
    assert "--time" in verdict.stopped
    assert server.now_s < server_now + 10.0


def test_a_limit_on_tokens_is_told_from_one_on_requests() -> None:
    verdict, _, _ = probed(SimulatorSettings(tpm=1_000, limit_kind="fixed-window", header_style="none"), 2)
    assert verdict.tpm is not None
    assert verdict.tpm.estimate == pytest.approx(1_000, rel=0.05)
    assert verdict.rpm.estimate is None
    assert verdict.command is not None
    assert "--tpm" in verdict.command
    assert "--rpm" not in verdict.command


# ── single answers ─────────────────────────────────────────────────────────────────────────────────────


def after(answer: Answer) -> Prober:
    """A probe whose first request met this."""
    prober = Prober(100, 8, 0.0, 100.0)
    steps: Iterator[object] = prober.steps()
    assert next(steps) == Send(1)
    with pytest.raises(StopIteration):
        steps.send(Turn(1.0, (answer,)))  # type: ignore[attr-defined]
    return prober


def test_a_spent_quota_ends_the_probe_at_once() -> None:
    refused = Answer(0.0, 0.1, 0.1, Fate.REFUSED, Cause.QUOTA, 429, message="You exceeded your current quota")
    assert "quota" in (after(refused).stopped or "")
    assert not after(refused).verdict().found


def test_a_first_request_that_fails_is_the_reason() -> None:
    failed = Answer(0.0, 0.1, 0.1, Fate.FAILED, None, 401, message="HTTP 401: no such key")
    assert after(failed).stopped == "HTTP 401: no such key"


def test_a_limit_that_is_in_use_is_left_alone() -> None:
    refused = Answer(0.0, 0.1, 0.1, Fate.REFUSED, Cause.RATE, 429, 3.0)
    assert "in use" in (after(refused).stopped or "")
