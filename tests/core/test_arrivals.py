"""Schedules of open loops: their rate, their spread, and that the same seed gives the same instants."""

import math
from collections import Counter
from itertools import islice, pairwise
from statistics import fmean, pvariance

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.core.arrivals import LEAST_BURSTINESS, MOST_BURSTINESS, Arrival, offsets
from tui.core.ramp import Ramp

MANY = 100_000
OPEN: list[Arrival] = ["constant", "poisson", "gamma"]


def due(
    count: int, arrival: Arrival, rate_rpm: float | Ramp, burstiness: float = 1.0, seed: int | None = 1
) -> list[float]:
    schedule = offsets(arrival, rate_rpm, burstiness, seed)
    assert schedule is not None
    return list(islice(schedule, count))


def gaps(instants: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise([0.0, *instants])]


def dispersion(instants: list[float], width_s: float) -> float:
    """Variance over mean of the number of arrivals in each stretch of `width_s`: 1 for a Poisson process."""
    counted = Counter(int(at_s / width_s) for at_s in instants)
    numbers = [counted[index] for index in range(int(instants[-1] / width_s))]
    return pvariance(numbers) / fmean(numbers)


def test_a_closed_loop_has_no_schedule() -> None:
    assert offsets("closed", 60.0) is None


# ── the rate ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate_rpm", [7, 60, 61.7, 12_000])
def test_constant_arrivals_never_drift_from_the_rate(rate_rpm: float) -> None:
    instants = due(MANY, "constant", rate_rpm)
    assert instants[0] == 0
    furthest = max(abs(at_s * rate_rpm / 60 - index) for index, at_s in enumerate(instants))
    assert furthest < 1e-10  # of an arrival


@pytest.mark.parametrize(
    ("arrival", "burstiness"), [("poisson", 1.0), ("gamma", 0.1), ("gamma", 0.5), ("gamma", 4.0), ("gamma", 100.0)]
)
def test_random_arrivals_have_the_rate_within_four_standard_errors(arrival: Arrival, burstiness: float) -> None:
    instants = due(MANY, arrival, 600, burstiness)
    assert MANY / instants[-1] == pytest.approx(10, rel=4 / math.sqrt(MANY * burstiness))


@pytest.mark.parametrize("ramp", [Ramp(600, 6000, 120.0), Ramp(600, 6000, 120.0, 600), Ramp(6000, 60, 1200.0)])
@pytest.mark.parametrize(("arrival", "off"), [("constant", 1.0), ("poisson", 4.0), ("gamma", 4.0)])
def test_a_ramp_has_its_rate_in_every_tenth_of_it(ramp: Ramp, arrival: Arrival, off: float) -> None:
    burstiness = 4.0
    instants = due(70_000, arrival, ramp, burstiness)
    assert instants[-1] > ramp.duration_s
    for tenth in range(10):
        began_s, ended_s = ramp.duration_s * tenth / 10, ramp.duration_s * (tenth + 1) / 10
        mean = ramp.rpm_at((began_s + ended_s) / 2) / 60 * ramp.duration_s / 10
        spread = {"constant": 0.0, "poisson": math.sqrt(mean), "gamma": math.sqrt(mean / burstiness)}[arrival]
        assert sum(began_s <= at_s < ended_s for at_s in instants) == pytest.approx(mean, abs=off * spread + 1)


def test_a_ramp_between_equal_rates_is_that_rate() -> None:
    for arrival in OPEN:
        assert due(500, arrival, Ramp(90, 90, 60.0), 0.5) == pytest.approx(due(500, arrival, 90, 0.5), rel=1e-12)


# ── the spread ─────────────────────────────────────────────────────────────────────────────────────────────


def test_poisson_arrivals_are_as_many_as_they_vary_and_their_gaps_are_exponential() -> None:
    instants = due(MANY, "poisson", 60)
    assert dispersion(instants, 10.0) == pytest.approx(1, abs=0.06)  # 4 standard errors of 10⁴ stretches
    ordered = sorted(gaps(instants))
    furthest = max(abs((index + 0.5) / MANY - (1 - math.exp(-gap))) for index, gap in enumerate(ordered))
    assert furthest < 1.95 / math.sqrt(MANY)  # Kolmogorov and Smirnov, one in a thousand


def test_poisson_arrivals_on_a_ramp_are_a_unit_process_in_the_ramps_own_time() -> None:
    ramp = Ramp(60, 6000, 600.0)
    slope = (6000 - 60) / 60 / 600
    instants = [at_s for at_s in due(40_000, "poisson", ramp) if at_s < 600]
    in_its_time = [at_s + slope / 2 * at_s * at_s for at_s in instants]
    assert fmean(gaps(in_its_time)) == pytest.approx(1, abs=4 / math.sqrt(len(instants)))
    assert dispersion(in_its_time, 10.0) == pytest.approx(1, abs=4 * math.sqrt(2 / (len(instants) / 10)))


@pytest.mark.parametrize(("burstiness", "off"), [(0.2, 0.08), (0.5, 0.05), (1.0, 0.04), (4.0, 0.03), (50.0, 0.03)])
def test_the_squared_variation_of_gamma_gaps_is_one_over_the_burstiness(burstiness: float, off: float) -> None:
    between = gaps(due(MANY, "gamma", 6000, burstiness))
    assert pvariance(between) / fmean(between) ** 2 == pytest.approx(1 / burstiness, rel=off)


def test_gamma_of_burstiness_one_is_poisson() -> None:
    assert due(1000, "gamma", 60, 1.0) == due(1000, "poisson", 60, 0.3)


# ── a schedule ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    for arrival in ("poisson", "gamma"):
        assert due(100, arrival, 60, 2.0, seed=5) == due(100, arrival, 60, 2.0, seed=5)
        assert due(100, arrival, 60, 2.0, seed=5) != due(100, arrival, 60, 2.0, seed=6)
        assert due(100, arrival, 60, 2.0, seed=None) != due(100, arrival, 60, 2.0, seed=None)


def test_a_schedule_stays_what_it_was_when_it_was_written_down() -> None:
    # A report names its seed: another schedule under the same seed would be another run.
    assert due(3, "poisson", 60, seed=7) == pytest.approx([0.69705938702, 3.185962230816, 3.435798938817], abs=1e-11)
    assert due(3, "gamma", Ramp(60, 600, 120.0), 0.5, seed=7) == pytest.approx(
        [0.136314615741, 0.255840217854, 0.713864710353], abs=1e-11
    )


@pytest.mark.parametrize("arrival", OPEN)
def test_a_faster_schedule_of_the_same_seed_is_the_same_one_played_faster(arrival: Arrival) -> None:
    slow, fast = due(200, arrival, 60, 0.5), due(200, arrival, 240, 0.5)
    assert [at_s / 4 for at_s in slow] == pytest.approx(fast, rel=1e-12)


@pytest.mark.parametrize("rate_rpm", [60.0, Ramp(1, 10**9, 3600.0), Ramp(1, 10**9, 3600.0, 1)])
@pytest.mark.parametrize("arrival", OPEN)
def test_a_schedule_is_drawn_as_it_is_asked_for(arrival: Arrival, rate_rpm: float | Ramp) -> None:
    # Drawn at once, an endless schedule, or one of a billion steps, would never come back.
    schedule = offsets(arrival, rate_rpm, 2.0, seed=1)
    assert schedule is not None
    assert next(schedule) <= next(schedule)


@pytest.mark.parametrize("rate_rpm", [0, -1, math.nan, math.inf])
def test_a_rate_that_gives_no_schedule_is_an_error_at_once(rate_rpm: float) -> None:
    with pytest.raises(ValueError, match="above 0 calls a minute, got"):
        offsets("constant", rate_rpm)


@pytest.mark.parametrize("burstiness", [0, -1, math.nan, math.inf, LEAST_BURSTINESS / 2, MOST_BURSTINESS * 2])
def test_a_burstiness_that_gives_no_schedule_is_an_error_at_once(burstiness: float) -> None:
    with pytest.raises(ValueError, match=r"burstiness is 0\.001 to 1,000,000, got"):
        offsets("gamma", 60.0, burstiness)


@given(
    st.sampled_from(OPEN),
    st.floats(1e-3, 1e9) | st.builds(Ramp, st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1e-3, 1e6)),
    st.floats(LEAST_BURSTINESS, MOST_BURSTINESS),
    st.integers(),
)
@example("gamma", 1.0, 0.001, 54)
def test_every_instant_is_finite_and_not_before_the_one_before_it(
    arrival: Arrival, rate_rpm: float | Ramp, burstiness: float, seed: int
) -> None:
    instants = due(200, arrival, rate_rpm, burstiness, seed)
    assert instants == sorted(instants)
    assert all(0 <= at_s < math.inf for at_s in instants)
