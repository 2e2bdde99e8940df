"""The pacer's word on a real limiter and pool: what is set, how often, and what is said of it."""

import asyncio
from typing import Any

import pytest
from call_under_test import AT_ONCE, Witness, a_plan

from tui.core.adapt import Pace, Pacer
from tui.core.adapt_seen import Seen
from tui.core.calls import CallPlan
from tui.core.clock import now_ns
from tui.core.commands import SetConcurrency, SetRate, Watch
from tui.core.facts import (
    AllowanceCame,
    AttemptEnded,
    HeadersCame,
    LimitsChanged,
    PhaseChanged,
    Queued,
    Sent,
)
from tui.engine.adapter import Adapter
from tui.engine.endpoint import Endpoint
from tui.engine.helm import Helm
from tui.engine.host import Host
from tui.engine.limiter import Limiter
from tui.engine.plan_shelf import PlanShelf
from tui.engine.setup import RunSetup
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings


class APool:
    """Takes a number at once, and runs nothing."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.draining = False

    def set_concurrency(self, concurrency: int) -> None:
        self.concurrency = concurrency


class Bench:
    """An adapter on a limiter, with a server's words put in its mouth."""

    def __init__(self, rpm: int | None = None, tpm: int | None = None) -> None:
        self.witness, self.limiter, self.pool = Witness(), Limiter(rpm, tpm), APool(8)
        pool: Any = self.pool
        self.helm = Helm(self.witness.ledger, pool, self.limiter, PlanShelf(), self.witness, lambda: None)
        self.adapter = Adapter(Pacer(rpm, 8), self.witness.ledger, pool, self.limiter, self.helm)
        self.helm.on_limit = self.adapter.person_set
        self.witness(PhaseChanged(now_ns(), "running"))

    def says(self, rpm: int, reset_s: float | None = None) -> None:
        self.witness(AllowanceCame(1, now_ns(), rpm, None, reset_s))
        self.adapter.look()


async def test_a_limit_in_the_headers_is_set_and_stated() -> None:
    bench = Bench()
    bench.says(130)
    assert bench.limiter.rpm == 130
    (stated,) = bench.witness.of(LimitsChanged)
    assert (stated.rpm, stated.concurrency) == (130, 2)


async def test_the_pace_of_the_start_is_set_before_anything_is_sent() -> None:
    bench = Bench()
    assert (bench.limiter.rpm, bench.pool.concurrency) == (120, 2)


async def test_a_limit_of_tokens_in_the_headers_is_set_unless_a_person_wants_fewer() -> None:
    for asked, said, then in ((None, 40_000, 40_000), (90_000, 40_000, 40_000), (10_000, 40_000, 10_000)):
        bench = Bench(rpm=500, tpm=asked)
        bench.witness(AllowanceCame(1, now_ns(), limit_tokens=said, reset_tokens_s=6.0))
        bench.adapter.look()
        assert bench.limiter.tpm == then


class ScriptedPacer(Pacer):
    """Wants one rate after the other, whatever it sees."""

    def __init__(self, *rates: int) -> None:
        super().__init__(None, 8)
        self._rates = iter(rates)

    def look(self, seen: Seen) -> Pace:
        return Pace(next(self._rates), 8)


def on_script(bench: Bench, *rates: int) -> Bench:
    pool: Any = bench.pool
    bench.adapter = Adapter(ScriptedPacer(*rates), bench.witness.ledger, pool, bench.limiter, bench.helm)
    bench.helm.on_limit = bench.adapter.person_set
    return bench


def rates_set(bench: Bench, *wanted: int) -> list[int | None]:
    on_script(bench, *wanted)
    for _ in wanted:
        bench.adapter.look()
    return [fact.rpm for fact in bench.witness.of(LimitsChanged)]


async def test_a_step_up_of_less_than_three_in_a_hundred_is_no_mark_in_the_charts() -> None:
    assert rates_set(Bench(), 500, 505, 510, 515, 516) == [500, 516]


async def test_a_lower_rate_is_set_however_small_the_step() -> None:
    assert rates_set(Bench(), 500, 499, 499, 490) == [500, 499, 490]


async def test_a_small_step_up_to_the_rate_that_was_asked_for_is_set() -> None:
    assert rates_set(Bench(rpm=500), 492, 499, 500, 500) == [492, 500]


async def test_a_small_step_up_to_what_a_person_set_is_set() -> None:
    bench = on_script(Bench(rpm=500), 505, 508, 510)
    bench.helm.obey(SetRate(510))
    for _ in range(3):
        bench.adapter.look()
    assert [fact.rpm for fact in bench.witness.of(LimitsChanged)] == [510, 505, 510]


async def test_a_limit_stated_a_little_below_or_above_the_rate_in_force_is_obeyed_and_shown() -> None:
    bench = Bench(rpm=1000)
    for said in (500, 490, 495):
        bench.says(said)
        assert bench.limiter.rpm == said
        assert f"a limit of {said}" in bench.adapter.belief[0]
    assert [fact.rpm for fact in bench.witness.of(LimitsChanged)] == [500, 490, 495]


async def test_a_limit_stated_a_little_below_the_rate_that_was_asked_for_is_obeyed() -> None:
    bench = Bench(rpm=500)
    bench.says(486)
    assert bench.limiter.rpm == 486


async def test_a_limit_that_comes_back_in_hours_is_no_minutes() -> None:
    bench = Bench()
    bench.says(50, reset_s=7200.0)
    assert bench.limiter.rpm == 120
    assert bench.witness.of(LimitsChanged) == []


async def test_what_a_person_sets_is_the_most_from_then_on() -> None:
    bench = Bench()
    bench.says(600)
    bench.helm.obey(SetRate(200))
    bench.helm.obey(SetConcurrency(3))
    bench.says(600)
    assert (bench.limiter.rpm, bench.pool.concurrency) == (200, 3)


async def test_a_run_adapts_and_shows_its_belief_in_the_limits_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.engine.adapter.LOOK_S", 0.02)
    quick = SimulatorSettings(ttft_s=0.001, itl_s=0.0002, tokens=8, models=(("m", 1.0),), rpm=90_000)
    async with Simulator(quick) as simulator:
        plans = (CallPlan(number, "m", a_plan().messages) for number in range(1, 200))
        setup = RunSetup("load", "m", Endpoint(simulator.base_url), plans, 199, policy=AT_ONCE, adapt=True)
        host = Host(setup)
        host.send(Watch(view="limits"))
        assert host.latest.limits is not None
        run = asyncio.create_task(host.run())
        async with asyncio.timeout(20):
            while host.ledger.rpm is None and not run.done():  # noqa: ASYNC110 - a ledger sets no event
                await asyncio.sleep(0.001)
            await run
    assert host.ledger.rpm == 90_000
    assert host.latest.limits is not None
    assert any("headers state a limit of 90,000" in sentence for sentence in host.latest.limits.belief)


async def test_without_a_word_of_how_long_it_closes_the_lane_itself() -> None:
    closed: list[tuple[float, str]] = []
    bench = Bench()
    bench.limiter._on_closed = lambda seconds, why: closed.append((seconds, why))
    at = now_ns()
    for fact in (
        Queued(1, at, at, "m", "?"),
        Sent(1, at),
        HeadersCame(1, at, 429),
        AttemptEnded(1, at, "HTTP 429: Rate limit reached: 5 requests per minute"),
    ):
        bench.witness(fact)
    bench.adapter.look()
    assert closed == [(1.0, "429: waiting to learn at which pace it refills")]
    assert bench.limiter.rpm is not None
