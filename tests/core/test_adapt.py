"""The pace that a server bears, found in virtual time against the simulator's own limits, and the rules one by one."""

import dataclasses
from statistics import mean

import pytest
from adapt_world import World

from tui.core.adapt import BETWEEN_CUTS_S, FIRST_PATIENCE_S, LONGEST_HOLD_S, Pacer, Seen
from tui.core.refusals import AT_ONCE, QUOTA, TOO_FAST, UNCLEAR
from tui.simulator.settings import SimulatorSettings

SEEDS = range(10)
LENGTH_S = 480
SETTLED_S = 120


def worlds(settings: SimulatorSettings, **more: object) -> list[World]:
    found = [World(settings, seed, **more) for seed in SEEDS]  # type: ignore[arg-type]
    for world in found:
        world.run(LENGTH_S)
    return found


# ── converging ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "burst"), [("token-bucket", None), ("token-bucket", 5), ("fixed-window", None), ("sliding-window", None)]
)
def test_a_rate_limit_is_found_and_kept_to(kind: str, burst: int | None) -> None:
    for world in worlds(SimulatorSettings(rpm=60, limit_kind=kind, burst=burst)):
        assert world.passed_rpm(SETTLED_S, LENGTH_S) >= 0.85 * 60, world.seed
        assert world.refused_share(SETTLED_S) < 0.03, world.seed
        assert world.changes < LENGTH_S / 5, "a mark in the charts for each"


@pytest.mark.parametrize("limit", [2, 5])
def test_a_limit_on_calls_at_once_is_found_and_kept_to(limit: int) -> None:
    for world in worlds(SimulatorSettings(concurrency_limit=limit), answer_s=3.0):
        assert world.mean_at_once(SETTLED_S, LENGTH_S) >= 0.85 * limit, world.seed
        assert world.refused_share(SETTLED_S) < 0.03, world.seed
        assert world.pacer.rpm is None, "the rate was never the cause"


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


def quiet(at_s: float, **more: object) -> Seen:
    return dataclasses.replace(Seen(at_s, at_s, 60, passed=round(at_s), passed_at_s=at_s), **more)  # type: ignore[arg-type]


def refused(at_s: float, cause: str, **more: object) -> Seen:
    return quiet(at_s, refused=1, cause=cause, **more)


def test_too_fast_cuts_the_rate_and_too_many_at_once_the_number() -> None:
    pacer = Pacer(None, 8)
    assert pacer.look(refused(100, TOO_FAST, told_wait=True)).rpm == 52
    assert pacer.concurrency == 8
    pacer = Pacer(None, 8)
    assert pacer.look(refused(100, AT_ONCE, refused_in_flight=6)).concurrency == 4
    assert pacer.rpm is None


def test_in_doubt_both_are_cut_and_the_belief_says_so() -> None:
    pacer = Pacer(None, 8)
    pace = pacer.look(refused(100, UNCLEAR, refused_in_flight=6))
    assert (pace.rpm, pace.concurrency) == (52, 4)
    assert all("unclear" in sentence for sentence in pacer.belief)


def test_a_spent_quota_is_no_matter_of_pace() -> None:
    pacer = Pacer(120, 8)
    pace = pacer.look(refused(100, QUOTA))
    assert (pace.rpm, pace.concurrency, pace.hold_s) == (120, 8, 0.0)


def test_nothing_is_ever_raised_above_what_a_person_gave() -> None:
    pacer = Pacer(60, 4)
    pacer.look(refused(100, UNCLEAR, refused_in_flight=4))
    for second in range(101, 3000):
        pace = pacer.look(quiet(second, rate_binds=True, slots_bind=True, said_rpm=600))
        assert (pace.rpm or 0) <= 60
        assert pace.concurrency <= 4
    assert (pace.rpm, pace.concurrency) == (60, 4)


def test_the_headers_limit_is_taken_at_once_and_never_passed() -> None:
    pacer = Pacer(None, 4)
    assert pacer.look(quiet(1, said_rpm=500)).rpm == 500
    assert pacer.look(quiet(2, said_rpm=300, rate_binds=True)).rpm == 300
    for second in range(3, 500):
        assert pacer.look(quiet(second, said_rpm=300, rate_binds=True)).rpm == 300


def test_what_does_not_hold_anybody_back_is_not_raised() -> None:
    pacer = Pacer(None, 8)
    pacer.look(refused(100, TOO_FAST))
    for second in range(101, 1000):
        assert pacer.look(quiet(second)).rpm == 52


def test_a_cool_down_is_no_time_without_refusals() -> None:
    pacer = Pacer(None, 8)
    pacer.look(refused(100, TOO_FAST))
    for second in range(101, 1000):
        assert pacer.look(quiet(second, rate_binds=True, closed=True)).rpm == 52


def test_refusals_that_were_on_their_way_cut_no_second_time() -> None:
    pacer = Pacer(None, 8)
    pacer.look(refused(100, TOO_FAST))
    assert pacer.look(refused(100 + BETWEEN_CUTS_S - 1, TOO_FAST)).rpm == 52
    assert pacer.look(refused(100 + BETWEEN_CUTS_S + 1, TOO_FAST)).rpm == 46


def test_a_window_that_lets_nothing_through_is_not_answered_by_ever_deeper_cuts() -> None:
    pacer = Pacer(None, 8)
    pacer.look(refused(100, TOO_FAST))
    for second in range(106, 150):
        assert pacer.look(refused(second, TOO_FAST, passed_at_s=99.0)).rpm == 52


def test_without_a_word_of_the_server_the_wait_grows_until_one_is_let_through() -> None:
    pacer = Pacer(None, 8)
    waits = [pacer.look(refused(100 + 20 * n, TOO_FAST, passed_at_s=99.0)).hold_s for n in range(6)]
    assert waits == [1, 2, 4, 8, LONGEST_HOLD_S, LONGEST_HOLD_S]
    assert pacer.look(refused(300, TOO_FAST, passed_at_s=299.0)).hold_s == 1
    assert pacer.look(refused(320, TOO_FAST, told_wait=True)).hold_s == 0


def test_just_below_what_was_refused_it_waits_longer_each_time_in_vain() -> None:
    pacer = Pacer(None, 8)
    second, waits = 100, []
    for _ in range(3):
        pacer.look(refused(second, TOO_FAST, passed_60s=60))
        began = second
        while (pacer.rpm or 0) < 59:
            second += 1
            pacer.look(quiet(second, rate_binds=True))
        waits.append(second - began)
    assert waits[0] >= FIRST_PATIENCE_S
    assert waits[1] >= waits[0] + FIRST_PATIENCE_S
    assert waits[2] >= waits[1] + 2 * FIRST_PATIENCE_S


def test_a_persons_word_is_where_it_goes_on_from() -> None:
    pacer = Pacer(None, 8)
    pacer.look(refused(100, UNCLEAR, refused_in_flight=6))
    pacer.person_set_rate(200)
    pacer.person_set_at_once(12)
    pace = pacer.look(quiet(101))
    assert (pace.rpm, pace.concurrency) == (200, 12)
    assert pacer.belief[0] == "200 requests a minute go: as was set by hand"
