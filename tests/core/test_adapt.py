"""The pace that a server bears, found in virtual time against the simulator's own limits, and the rules one by one."""

import dataclasses
from statistics import mean

import pytest
from adapt_world import World

from tui.core.adapt import AT_ONCE_START, LONGEST_HOLD_S, RATE_START, Pacer
from tui.core.adapt_knob import FIRST_PATIENCE_S
from tui.core.adapt_seen import Seen
from tui.core.refusals import AT_ONCE, QUOTA, TOO_FAST, UNCLEAR
from tui.simulator.settings import SimulatorSettings

SEEDS = range(2)
# Over many more of them: tests/bench/bench_adapt.py.
LENGTH_S = 300
LEARNT_S = 60
SETTLED_S = 120


def worlds(settings: SimulatorSettings, length_s: float = LENGTH_S, **more: object) -> list[World]:
    found = [World(settings, seed, **more) for seed in SEEDS]  # type: ignore[arg-type]
    for world in found:
        world.run(length_s)
    return found


# ── nothing fails while it learns ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("style", ["none", "short"])
@pytest.mark.parametrize(
    "limits",
    [
        {"rpm": 300, "burst": 5},
        {"rpm": 60, "burst": 2},
        {"rpm": 300},
        {"rpm": 60, "limit_kind": "fixed-window"},
        {"rpm": 60, "limit_kind": "sliding-window"},
        {"concurrency_limit": 4},
        {"rpm": 120, "burst": 5, "concurrency_limit": 10},
        {},
    ],
    ids=str,
)
def test_no_call_fails_while_the_limits_are_learnt(limits: dict[str, int], style: str) -> None:
    settings = SimulatorSettings(retry_after_style=style, **limits)  # type: ignore[arg-type]
    for world in worlds(settings, 600, requests=60):
        assert (world.done, world.failed) == (60, 0), world.seed
        assert len(world.refused) <= 20, world.seed


def test_a_limit_that_the_first_reply_states_is_never_passed() -> None:
    for world in worlds(SimulatorSettings(rpm=300, burst=5), 600, requests=60, states_limit=300):
        assert (world.done, len(world.refused)) == (60, 0)


def test_where_nothing_is_limited_it_grows_to_ten_times_its_start_in_thirty_seconds() -> None:
    for world in worlds(SimulatorSettings(), 32, at_once=50):
        assert world.passed_rpm(25, 32) >= 10 * RATE_START.first
        assert world.pacer.concurrency == 50


def test_a_handful_goes_out_before_the_first_answer() -> None:
    world = World(SimulatorSettings(), 1, ttft_s=20.0)
    world.run(19.0)
    assert len(world.sent) == AT_ONCE_START.first


# ── converging ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "burst", "rpm"),
    [
        ("token-bucket", None, 60),
        ("token-bucket", 5, 60),
        ("token-bucket", 5, 300),
        ("fixed-window", None, 60),
        ("sliding-window", None, 60),
    ],
)
def test_a_rate_limit_is_found_and_kept_to(kind: str, burst: int | None, rpm: int) -> None:
    found = worlds(SimulatorSettings(rpm=rpm, limit_kind=kind, burst=burst, retry_after_style="none"))
    assert mean(world.passed_rpm(LEARNT_S, LENGTH_S) for world in found) >= 0.85 * rpm
    for world in found:
        assert world.passed_rpm(LEARNT_S, LENGTH_S) >= 0.8 * rpm, world.seed
        assert world.refused_share(LEARNT_S) < 0.03, world.seed
        assert world.failed == 0, world.seed
        assert world.changes < 50, "a mark in the charts for each"


@pytest.mark.parametrize(("burst", "rpm"), [(5, 60), (5, 300), (20, 300)])
def test_the_rate_that_is_found_is_within_a_tenth_of_the_truth(burst: int, rpm: int) -> None:
    for world in worlds(SimulatorSettings(rpm=rpm, burst=burst)):
        assert world.pacer.rpm == pytest.approx(rpm, rel=0.1), world.seed


@pytest.mark.parametrize("limit", [2, 5])
def test_a_limit_on_calls_at_once_is_found_and_kept_to(limit: int) -> None:
    for world in worlds(SimulatorSettings(concurrency_limit=limit), answer_s=3.0):
        assert world.mean_at_once(SETTLED_S, LENGTH_S) >= 0.85 * limit, world.seed
        assert world.refused_share(SETTLED_S) < 0.03, world.seed
        assert "nothing was refused" in world.pacer.belief[0], "the rate was never the cause"


def test_a_limit_on_the_rate_leaves_the_number_at_once_as_it_was() -> None:
    world = World(SimulatorSettings(rpm=60, limit_kind="sliding-window"), 1)
    world.run(LENGTH_S)
    assert world.pacer.concurrency == 16


def test_where_refusals_name_no_cause_and_no_wait_either_cure_works() -> None:
    found = worlds(SimulatorSettings(rpm=60, limit_kind="sliding-window", retry_after_style="none"), mute=True)
    assert mean(world.passed_rpm(SETTLED_S, LENGTH_S) for world in found) >= 0.8 * 60
    assert mean(world.refused_share(SETTLED_S) for world in found) < 0.05


def test_a_limit_that_the_headers_state_is_taken_and_nothing_is_refused_from_then_on() -> None:
    for kind in ("token-bucket", "fixed-window", "sliding-window"):
        world = World(SimulatorSettings(rpm=60, limit_kind=kind), 3, states_limit=60)
        world.run(LENGTH_S)
        assert world.passed_rpm(SETTLED_S, LENGTH_S) >= 0.97 * 60
        assert world.refused_share(SETTLED_S) == 0.0
        assert "headers state a limit of 60" in world.pacer.belief[0] or world.refused


def test_a_limit_that_grows_is_followed() -> None:
    world = World(SimulatorSettings(rpm=60, limit_kind="token-bucket", burst=5), 2)
    world.run(300)
    world.limits._requests.limit = 240  # type: ignore[union-attr]
    world.resume(900)
    assert world.passed_rpm(800, 900) > 0.7 * 240


# ── rules ──────────────────────────────────────────────────────────────────────────────────────────────


def settled(at_once: int = 8) -> Pacer:
    """One that is not in its slow start."""
    pacer = Pacer(None, at_once)
    pacer.person_set_rate(None)
    pacer.person_set_at_once(at_once)
    return pacer


def quiet(at_s: float, **more: object) -> Seen:
    return dataclasses.replace(Seen(at_s, at_s, 60, passed=round(at_s), passed_at_s=at_s), **more)  # type: ignore[arg-type]


def refused(at_s: float, cause: str, **more: object) -> Seen:
    told = {"refused_sent_at_s": (at_s - 0.1,), "cause": cause, "sent": round(at_s * 1000)} | more
    return quiet(at_s, **told)


def test_too_fast_cuts_the_rate_and_too_many_at_once_the_number() -> None:
    pacer = settled()
    assert pacer.look(refused(100, TOO_FAST, told_wait_s=1.0)).rpm == 52
    assert pacer.concurrency == 8
    pacer = settled()
    assert pacer.look(refused(100, AT_ONCE, refused_in_flight=6)).concurrency == 4
    assert pacer.rpm is None


def test_in_doubt_both_are_cut_and_the_belief_says_so() -> None:
    pacer = settled()
    pace = pacer.look(refused(100, UNCLEAR, refused_in_flight=6))
    assert (pace.rpm, pace.concurrency) == (52, 4)
    assert all("unclear" in sentence for sentence in pacer.belief)


def test_a_spent_quota_is_no_matter_of_pace() -> None:
    pacer = Pacer(120, 8)
    pace = pacer.look(refused(100, QUOTA))
    assert (pace.rpm, pace.concurrency, pace.hold_s) == (120, 2, 0.0)


def test_nothing_is_ever_raised_above_what_a_person_gave() -> None:
    pacer = Pacer(60, 4)
    pacer.look(refused(100, UNCLEAR, refused_in_flight=4))
    for second in range(101, 3000):
        pace = pacer.look(quiet(second, rate_binds=True, slots_bind=True, said_rpm=600))
        assert (pace.rpm or 0) <= 60
        assert pace.concurrency <= 4
    assert (pace.rpm, pace.concurrency) == (60, 4)


def test_the_headers_limit_is_taken_at_once_and_never_passed() -> None:
    pacer = settled(4)
    assert pacer.look(quiet(1, said_rpm=500)).rpm == 500
    assert pacer.look(quiet(2, said_rpm=300, rate_binds=True)).rpm == 300
    for second in range(3, 500):
        assert pacer.look(quiet(second, said_rpm=300, rate_binds=True)).rpm == 300


def test_what_does_not_hold_anybody_back_is_not_raised() -> None:
    pacer = settled()
    pacer.look(refused(100, TOO_FAST))
    for second in range(101, 1000):
        assert pacer.look(quiet(second)).rpm == 52


def test_a_cool_down_is_no_time_without_refusals() -> None:
    pacer = settled()
    pacer.look(refused(100, TOO_FAST))
    for second in range(101, 1000):
        assert pacer.look(quiet(second, rate_binds=True, closed=True)).rpm == 52


def test_refusals_that_were_on_their_way_cut_no_second_time() -> None:
    pacer = settled()
    pacer.look(refused(100, TOO_FAST))
    assert pacer.look(refused(100.5, TOO_FAST, refused_sent_at_s=(99.9,))).rpm == 52
    assert pacer.look(refused(100.6, TOO_FAST, refused_sent_at_s=(99.9, 100.1))).rpm == 46


def test_a_window_that_lets_nothing_through_is_not_answered_by_ever_deeper_cuts() -> None:
    pacer = settled()
    pacer.look(refused(100, TOO_FAST))
    for second in range(106, 150):
        assert pacer.look(refused(second, TOO_FAST, passed_at_s=99.0)).rpm == 52


def test_without_a_word_of_the_server_the_wait_grows_until_one_is_let_through() -> None:
    pacer = settled()
    waits = [pacer.look(refused(100 + 20 * n, TOO_FAST, passed_at_s=99.0)).hold_s for n in range(6)]
    assert waits == [1, 4, LONGEST_HOLD_S, LONGEST_HOLD_S, LONGEST_HOLD_S, LONGEST_HOLD_S]
    assert pacer.look(refused(300, TOO_FAST, passed_at_s=299.0)).hold_s == 1
    assert pacer.look(refused(320, TOO_FAST, told_wait_s=1.0)).hold_s == 0


def test_just_below_what_was_refused_it_waits_longer_each_time_in_vain() -> None:
    pacer = settled()
    second, waits = 100, []
    for _ in range(3):
        tried = pacer.rpm or 60
        pacer.look(refused(second, TOO_FAST, passed_60s=60, sent=second))
        began = second
        while (pacer.rpm or 0) < tried:
            second += 1
            pacer.look(quiet(second, rate_binds=True))
        waits.append(second - began)
    assert waits[0] >= FIRST_PATIENCE_S
    assert waits[1] >= waits[0] + FIRST_PATIENCE_S
    assert waits[2] >= waits[1] + 2 * FIRST_PATIENCE_S


def test_a_persons_word_is_where_it_goes_on_from() -> None:
    pacer = settled()
    pacer.look(refused(100, UNCLEAR, refused_in_flight=6))
    pacer.person_set_rate(200)
    pacer.person_set_at_once(12)
    pace = pacer.look(quiet(101))
    assert (pace.rpm, pace.concurrency) == (200, 12)
    assert pacer.belief[0] == "200 requests a minute go: as was set by hand"


def test_the_start_is_slow_and_doubles_as_answers_come() -> None:
    pacer = Pacer(None, 16)
    assert (pacer.rpm, pacer.concurrency) == (120, 2)
    assert "nothing was refused yet, so a faster pace is tried next" in pacer.belief[0]
    pacer.look(quiet(1.0, passed=0, rate_binds=True, slots_bind=True))
    assert (pacer.rpm, pacer.concurrency) == (120, 2)
    pace = pacer.look(quiet(2.0, passed=2, rate_binds=True, slots_bind=True))
    assert (pace.rpm, pace.concurrency) == (240, 4)


def test_a_rate_that_a_person_names_is_taken_at_its_word() -> None:
    assert Pacer(500, 8).rpm == 500


def test_a_wait_much_longer_than_its_pace_is_that_of_a_full_window() -> None:
    pacer = Pacer(None, 16)
    pace = pacer.look(refused(8.0, TOO_FAST, passed_60s=60, passed_at_s=8.0, told_wait_s=40.0))
    assert pace.rpm == 52
    assert "refused when 60 a minute were let through" in pacer.belief[0]


def test_a_limit_of_tokens_in_the_headers_is_handed_on_and_said() -> None:
    pacer = Pacer(None, 4)
    assert pacer.look(quiet(1)).tpm is None
    assert pacer.look(quiet(2, said_tpm=40_000)).tpm == 40_000
    assert pacer.look(quiet(3)).tpm == 40_000
    assert pacer.belief[2] == "40,000 tokens a minute go: the server's headers state that limit"
