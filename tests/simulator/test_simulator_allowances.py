"""Each kind of limit against its definition, written down a second time without any state but what was admitted.

Instants are whole ticks of 1/64 s, so that definitions are reckoned in whole numbers and instants are exact floats.
"""

import random

import pytest

from tui.simulator.allowances import Bucket, FixedWindow, SlidingWindow
from tui.simulator.limits import Limits
from tui.simulator.settings import LIMIT_KINDS, SimulatorSettings

TICKS_A_S = 64
TICKS_A_MINUTE = 60 * TICKS_A_S
NEXT_DAY_S = 86_400.0


class Defined:
    """What a kind of limit lets through, from the list of all that it let through."""

    def __init__(self, kind: str, limit: int, size: int, wall_ticks: int) -> None:
        self.kind, self.limit, self.size, self.wall_ticks = kind, limit, size, wall_ticks
        self.admitted: list[tuple[int, int]] = []

    def left(self, now: int) -> int:
        """What is left, in parts of which a unit has TICKS_A_MINUTE."""
        if self.kind == "fixed-window":
            minute = (now + self.wall_ticks) // TICKS_A_MINUTE
            used = sum(n for at, n in self.admitted if (at + self.wall_ticks) // TICKS_A_MINUTE == minute)
            return (self.limit - used) * TICKS_A_MINUTE
        if self.kind == "sliding-window":
            used = sum(n for at, n in self.admitted if now - TICKS_A_MINUTE < at <= now)
            return (self.limit - used) * TICKS_A_MINUTE
        # A token bucket: since no instant has more been taken than its size and what has flowed in since.
        left = self.size * TICKS_A_MINUTE
        used = 0
        for at, n in reversed(self.admitted):
            used += n
            left = min(left, self.size * TICKS_A_MINUTE + self.limit * (now - at) - used * TICKS_A_MINUTE)
        return left

    def lets(self, amount: int, now: int) -> bool:
        return amount * TICKS_A_MINUTE <= self.left(now)


def gap(rng: random.Random, limit: int) -> int:
    """Ticks to the next request: none, about the pace of the limit, some seconds, or more than a minute."""
    return rng.choice(
        (0, 0, rng.randint(0, 2 * TICKS_A_MINUTE // limit), rng.randint(0, 5 * TICKS_A_S), rng.randint(0, 5000))
    )


def made(kind: str, limit: int, size: int, wall_ticks: int) -> Bucket | FixedWindow | SlidingWindow:
    if kind == "token-bucket":
        return Bucket(limit, 0.0, size)
    return SlidingWindow(limit) if kind == "sliding-window" else FixedWindow(limit, 0.0, wall_ticks / TICKS_A_S)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("kind", LIMIT_KINDS)
def test_an_allowance_is_exactly_what_its_definition_lets_through(kind, seed):
    rng = random.Random(f"{kind} {seed}")
    limit = rng.choice((1, 2, 7, 60, 480, 6000))
    size = rng.choice((limit, rng.randint(1, 2 * limit))) if kind == "token-bucket" else limit
    wall_ticks = rng.randint(0, 1_800_000_000 * TICKS_A_S)
    allowance, defined = made(kind, limit, size, wall_ticks), Defined(kind, limit, size, wall_ticks)
    now, seen = 0, set()
    for _ in range(120):
        now += gap(rng, limit)
        now_s = now / TICKS_A_S
        amount = rng.choice((1, 1, 1, rng.randint(1, min(limit, size))))
        assert allowance.level(now_s) == pytest.approx(defined.left(now) / TICKS_A_MINUTE, abs=1e-6)
        wait_s = allowance.wait_s(amount, now_s)
        seen.add(wait_s == 0.0)
        assert (wait_s == 0.0) == defined.lets(amount, now)
        if wait_s == 0.0:
            allowance.take(amount, now_s)
            defined.admitted.append((now, amount))
            continue
        # The wait is the shortest one, to the tick, and asking took nothing.
        first = now + 1 + int(wait_s * TICKS_A_S - 1e-3)
        assert defined.lets(amount, first)
        assert not defined.lets(amount, first - 1)
        if rng.random() < 0.3:
            now = first
    assert seen == {True, False}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", LIMIT_KINDS)
def test_who_waits_exactly_as_told_is_let_through_on_any_clock(kind, seed):
    rng = random.Random(f"told {kind} {seed}")
    limit = rng.choice((1, 3, 7, 60, 333, 10_007))
    now_s = rng.uniform(0.0, 1e7)
    made_at = {
        "token-bucket": Bucket(limit, now_s),
        "sliding-window": SlidingWindow(limit),
        "fixed-window": FixedWindow(limit, now_s, rng.uniform(1e9, 2e9)),
    }
    allowance = made_at[kind]
    for _ in range(300):
        amount = rng.randint(1, limit)
        now_s += rng.choice((0.0, rng.uniform(0.0, 20.0))) + allowance.wait_s(amount, now_s)
        assert allowance.wait_s(amount, now_s) == 0.0
        allowance.take(amount, now_s)


@pytest.mark.parametrize("kind", LIMIT_KINDS)
def test_requests_and_tokens_are_both_kept_and_what_is_refused_takes_nothing_of_either(kind):
    seen = set()
    for seed in range(15):
        rng = random.Random(f"both {kind} {seed}")
        rpm, tpm = rng.choice((5, 40)), rng.choice((300, 4000))
        burst = rng.choice((None, 3)) if kind == "token-bucket" else None
        wall_ticks = rng.randint(0, 1_800_000_000 * TICKS_A_S)
        settings = SimulatorSettings(rpm=rpm, tpm=tpm, limit_kind=kind, burst=burst)
        limits = Limits("sim", settings, 0.0, wall_ticks / TICKS_A_S)
        requests = Defined(kind, rpm, burst or rpm, wall_ticks)
        tokens = Defined(kind, tpm, tpm, wall_ticks)
        now = 0
        for _ in range(150):
            now += gap(rng, rpm)
            amount = rng.choice((1, rng.randint(1, tpm // 3)))
            expected = None if requests.lets(1, now) else "requests"
            if expected is None and not tokens.lets(amount, now):
                expected = "tokens"
            refusal = limits.admit(amount, now / TICKS_A_S)
            assert (None if refusal is None else refusal.kind) == expected
            seen.add(expected)
            if refusal is None:
                requests.admitted.append((now, 1))
                tokens.admitted.append((now, amount))
            headers = dict(limits.headers(now / TICKS_A_S))
            assert headers["x-ratelimit-remaining-requests"] == str(requests.left(now) // TICKS_A_MINUTE)
            assert headers["x-ratelimit-remaining-tokens"] == str(tokens.left(now) // TICKS_A_MINUTE)
    assert seen == {None, "requests", "tokens"}


def test_a_window_of_the_wall_clock_ends_with_its_minute():
    # Made 50 s into a minute (1.8e9 is a whole number of them): the first window lasts 10 s, whoever came when.
    window = FixedWindow(3, now_s=100.0, wall_offset_s=1_800_000_050.0 - 100.0)
    window.take(3, 104.0)
    assert window.full_in_s(104.0) == pytest.approx(6.0)
    assert window.wait_s(1, 109.9) == pytest.approx(0.1)
    assert window.level(110.0) == 3.0
    assert window.full_in_s(110.0) == pytest.approx(60.0)
    window.take(3, 110.0)
    assert window.wait_s(1, 169.0) == pytest.approx(1.0)


def test_around_a_minutes_end_a_fixed_window_lets_twice_its_limit_pass_and_a_sliding_one_does_not():
    fixed, sliding = FixedWindow(5, 0.0, 0.0), SlidingWindow(5)
    for allowance, after in ((fixed, 5.0), (sliding, 0.0)):
        allowance.take(5, 59.0)
        assert allowance.level(60.0) == after


def test_a_sliding_window_gives_each_request_back_after_its_own_minute():
    window = SlidingWindow(3)
    for at_s in (0.0, 10.0, 20.0):
        window.take(1, at_s)
    assert window.wait_s(1, 30.0) == pytest.approx(30.0)
    assert window.wait_s(2, 30.0) == pytest.approx(40.0)
    assert [window.level(at_s) for at_s in (59.9, 60.0, 70.0, 80.0)] == [0.0, 1.0, 2.0, 3.0]


def test_a_sliding_window_is_whole_when_its_newest_request_has_left():
    window = SlidingWindow(3)
    window.take(1, 0.0)
    window.take(1, 10.0)
    assert window.full_in_s(30.0) == pytest.approx(40.0)
    assert window.full_in_s(70.0) == 0.0


@pytest.mark.parametrize("allowance", [FixedWindow(2, 100.0, 0.0), SlidingWindow(2)])
def test_a_clock_that_steps_back_gives_nothing_back(allowance):
    allowance.take(1, 121.0)
    allowance.take(1, 119.0)
    assert allowance.level(119.0) == 0.0
    assert allowance.level(179.9) == 0.0
    assert allowance.level(NEXT_DAY_S) == 2.0
