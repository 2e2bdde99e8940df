"""A rate that changes: what people type, the rate at each moment, and arrivals where its integral reaches a number."""

import math
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.ramp import LARGEST_RPM, Ramp, parse_ramp

RATES = st.integers(1, LARGEST_RPM) | st.integers(1, 1000)
RAMPS = st.builds(Ramp, RATES, RATES, st.floats(1e-3, 1e5), st.none())
STEPPED = st.builds(Ramp, st.integers(1, 1000), st.integers(1, 1000), st.floats(1e-3, 1e5), st.integers(1, 2000))


def arrivals_by(ramp: Ramp, at_s: float, slices: int = 40_000) -> float:
    """The integral of the rate, summed by midpoints: knows nothing of how the ramp inverts it."""
    width = at_s / slices
    return math.fsum(ramp.rpm_at((index + 0.5) * width) for index in range(slices)) * width / 60


# ── as typed ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "ramp"),
    [
        ("60..600/2m", Ramp(60, 600, 120.0)),
        ("60..600/2m:60", Ramp(60, 600, 120.0, 60)),
        ("600..60/90", Ramp(600, 60, 90.0)),
        ("60..60/1h", Ramp(60, 60, 3600.0)),
        (" 1..1000000000/1.5s:7 ", Ramp(1, LARGEST_RPM, 1.5, 7)),
    ],
)
def test_two_rates_a_duration_and_perhaps_a_step(text: str, ramp: Ramp) -> None:
    assert parse_ramp(text) == ramp


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected FROM..TO/DURATION"),
        ("60", "expected FROM..TO/DURATION"),
        ("60..600", "expected FROM..TO/DURATION"),
        ("60-600/2m", "expected FROM..TO/DURATION"),
        ("60...600/2m", "expected FROM..TO/DURATION"),
        ("60..600/", "expected FROM..TO/DURATION"),
        ("60..600/2m:", "expected FROM..TO/DURATION"),
        ("60..600/2m:60:60", "expected FROM..TO/DURATION"),
        ("60..600/2m: 60", "expected FROM..TO/DURATION"),
        ("60..600/2m:-60", "expected FROM..TO/DURATION"),
        ("6.5..600/2m", "expected FROM..TO/DURATION"),
        ("-60..600/2m", "expected FROM..TO/DURATION"),
        ("٦..600/2m", "expected FROM..TO/DURATION"),
        ("9" * 5000 + "..1/2m", "expected FROM..TO/DURATION"),
        ("0..600/2m", "from and to 1 to 1,000,000,000 requests a minute, got 0"),
        ("600..0/2m", "from and to 1 to 1,000,000,000 requests a minute, got 0"),
        ("60..1000000001/2m", "requests a minute, got 1000000001"),
        ("60..600/2m:0", "the step of a ramp is 1 request a minute or more"),
        ("60..600/2x", "expected a duration such as 300ms, 2s or 1m"),
        ("60..600/0s", "lasts more than 0 s and at most a year"),
        ("60..600/9000h", "lasts more than 0 s and at most a year"),
    ],
)
def test_anything_else_is_an_error_that_says_what_was_given(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="got") as error:
        parse_ramp(text)
    assert said in str(error.value)


# ── the rate ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_straight_ramp_has_the_mean_rate_half_way_and_keeps_its_last() -> None:
    ramp = Ramp(60, 600, 120.0)
    assert [ramp.rpm_at(at_s) for at_s in (0, 60, 119, 120, 10_000)] == [60, 330, pytest.approx(595.5), 600, 600]
    assert ramp.steps is None


def test_steps_share_the_time_equally_the_first_and_last_rate_included() -> None:
    ramp = Ramp(60, 600, 120.0, 60)
    assert ramp.steps == 10
    assert [ramp.rpm_at(12 * index + 0.001) for index in range(10)] == list(range(60, 601, 60))
    assert [ramp.rpm_at(12 * index + 11.999) for index in range(10)] == list(range(60, 601, 60))
    assert ramp.rpm_at(10_000) == 600


def test_the_last_step_is_what_is_left_and_steps_go_down_too() -> None:
    assert [Ramp(100, 600, 60.0, 200).rpm_at(at_s) for at_s in (0, 15, 30, 45)] == [100, 300, 500, 600]
    assert [Ramp(600, 100, 60.0, 200).rpm_at(at_s) for at_s in (0, 15, 30, 45)] == [600, 400, 200, 100]
    assert Ramp(60, 90, 60.0, 1000).steps == 2
    assert Ramp(60, 60, 60.0, 5).steps == 1


# ── arrivals ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "ramp",
    [Ramp(60, 600, 120.0), Ramp(600, 60, 90.0), Ramp(60, 600, 120.0, 60), Ramp(700, 90, 77.7, 130), Ramp(60, 61, 3.0)],
)
def test_an_arrival_comes_when_the_integral_of_the_rate_reaches_its_number(ramp: Ramp) -> None:
    for number in (1, 2, 50, 300, 659, 661, 2000):
        (at_s,) = ramp.instants([number])
        assert arrivals_by(ramp, at_s) == pytest.approx(number, abs=0.1)


def test_a_straight_ramp_is_the_root_of_its_square() -> None:
    # 60 to 660 a minute in 100 s: t + t²/20 arrivals by t, so that arrival 60 comes at the root of t² + 20 t = 1200.
    assert list(Ramp(60, 660, 100.0).instants([0, 60])) == [0, pytest.approx(math.sqrt(1300) - 10, rel=1e-15)]


def test_each_step_holds_exactly_its_share_of_arrivals() -> None:
    instants = list(islice(Ramp(60, 600, 120.0, 60).instants(count()), 900))
    for index in range(10):
        within = [at_s for at_s in instants if 12 * index <= at_s < 12 * (index + 1)]
        assert len(within) == 12 * (index + 1)
        assert within[0] == pytest.approx(12 * index)


@pytest.mark.parametrize("step", [None, 7])
def test_long_after_the_ramp_no_rounding_has_gathered(step: int | None) -> None:
    ramp, late = Ramp(1, 7200, 600.0, step), 10**12
    (at_s,) = ramp.instants([late])
    steps = 1029  # 1, 8, …, 7190 and 7197, and what is left to 7200
    assert step is None or ramp.steps == steps + 1
    rates = [min(1 + 7 * index, 7200) for index in range(steps + 1)]
    in_ramp = 3600.5 * 10 if step is None else sum(rates) * 10 / len(rates)
    assert at_s == pytest.approx(600 + (late - in_ramp) / 120, rel=1e-15)


def test_arrivals_are_taken_one_for_each_instant_asked_for() -> None:
    numbers = iter([0, 1, 2])
    next(Ramp(60, 600, 120.0).instants(numbers))
    assert list(numbers) == [1, 2]


@given(RAMPS | STEPPED, st.lists(st.floats(0, 1e12), max_size=50))
def test_instants_are_finite_and_in_the_order_of_their_arrivals(ramp: Ramp, arrivals: list[float]) -> None:
    instants = list(ramp.instants(sorted(arrivals)))
    assert instants == sorted(instants)
    assert all(0 <= at_s < math.inf for at_s in instants)


@given(RAMPS, st.floats(0, 1))
def test_a_ramp_that_comes_back_mirrors_the_one_that_went(ramp: Ramp, share: float) -> None:
    back = Ramp(ramp.end_rpm, ramp.start_rpm, ramp.duration_s)
    whole = (ramp.start_rpm + ramp.end_rpm) * ramp.duration_s / 120
    ((there,), (mirrored,)) = list(ramp.instants([whole * share])), list(back.instants([whole - whole * share]))
    # Near the end of a way down to almost nothing, an arrival is worth much time: hence the loose bound.
    assert there + mirrored == pytest.approx(ramp.duration_s, rel=1e-5)
