"""The runs of a sweep behind one Session: their order, their numbers, what is seen of them, how they are stopped."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tui.core.commands import AnyCommand, Drain, Stop, Watch
from tui.core.money import Price
from tui.core.sweep import parse_sweep
from tui.engine.endpoint import Endpoint
from tui.engine.host import Host
from tui.engine.setup import RunSetup
from tui.jobs.load import load_plans, prompts_of
from tui.jobs.sweep import Step, SweepSession, steps_of
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

FAST = SimulatorSettings(ttft_s=0.0, itl_s=0.0, tokens=2, models=(("m", 1.0),))
ENDLESS = SimulatorSettings(ttft_s=0.0, itl_s=0.02, tokens=100_000, models=(("m", 1.0),))
PRICE = Price(Decimal(1), Decimal(1))


class TheSweep:
    """A sweep over a provider of its own."""

    def __init__(self, base_url: str, values: str, requests: int = 3) -> None:
        self.hosts: list[Host] = []
        self.begun: list[str] = []
        self.phases: list[str] = []
        self._base_url, self._requests = base_url, requests
        self.session = SweepSession(steps_of(parse_sweep(values)), self._make)

    def _make(self, step: Step, first: int) -> Host:
        prompts = prompts_of(["a"])
        plans = load_plans(lambda: iter(prompts), "m", {}, None, self._requests, 0, first)
        setup = RunSetup(
            "sweep", "m", Endpoint(self._base_url), plans, self._requests, concurrency=step.value, price=PRICE
        )
        self.hosts.append(Host(setup))
        return self.hosts[-1]

    async def run(self) -> list[dict[str, Any]]:
        self.session.open()
        ended = []
        async with asyncio.timeout(20):
            async for step, host in self.session.runs(lambda step, host: self.begun.append(step.title)):
                self.phases.append(self.session.latest.run.phase)
                ended.append({**host.figures, "sweep": step.notes()})
        return ended


@pytest.fixture
async def fast() -> AsyncIterator[Simulator]:
    async with Simulator(FAST) as simulator:
        yield simulator


def test_steps_say_which_one_they_are_and_that_they_belong_together() -> None:
    steps = steps_of(parse_sweep("rpm=60,1200"))
    assert [step.title for step in steps] == ["sweep 1/2: rpm 60", "sweep 2/2: rpm 1,200"]
    assert {step.began for step in steps} == {steps[0].notes()["began"]}
    assert [step.notes()["value"] for step in steps] == [60, 1200]


async def test_one_run_a_value_one_after_the_other_each_with_its_own_summary(fast: Simulator) -> None:
    sweep = TheSweep(fast.base_url, "concurrency=1,2,3")
    ended = await sweep.run()
    assert [run["sweep"]["value"] for run in ended] == [1, 2, 3]
    assert [run["calls"]["done"] for run in ended] == [3, 3, 3]
    assert [host.setup.concurrency for host in sweep.hosts] == [1, 2, 3]
    assert sweep.begun == [f"sweep {n}/3: concurrency {n}" for n in (1, 2, 3)]
    assert not sweep.session.interrupted


async def test_calls_are_numbered_through_so_that_a_number_is_one_call(fast: Simulator) -> None:
    sweep = TheSweep(fast.base_url, "concurrency=2,2,2")
    await sweep.run()
    assert [sorted(host.ledger.calls) for host in sweep.hosts] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert [host.figures["never_sent"] for host in sweep.hosts] == [0, 0, 0]


async def test_what_is_seen_is_the_run_that_runs_and_only_the_last_one_is_finished(fast: Simulator) -> None:
    sweep = TheSweep(fast.base_url, "concurrency=1,2")
    assert sweep.session.latest.run.job == "sweep 1/2: concurrency 1"
    await sweep.run()
    assert sweep.phases == ["running", "finished"]
    latest = sweep.session.latest
    assert (latest.run.job, latest.run.concurrency, latest.counts.done) == ("sweep 2/2: concurrency 2", 2, 3)


async def test_the_next_run_shows_what_its_viewer_was_looking_at(fast: Simulator) -> None:
    sweep = TheSweep(fast.base_url, "concurrency=1,2")
    watch = Watch(view="table", count=7)
    sweep.session.send(watch)
    await sweep.run()
    assert sweep.session.latest.watch == watch


@pytest.mark.parametrize("command", [Drain(), Stop()])
async def test_who_stops_a_run_stops_the_sweep(command: AnyCommand) -> None:
    async with Simulator(ENDLESS) as simulator:
        sweep = TheSweep(simulator.base_url, "concurrency=1,2,3")
        task = asyncio.create_task(sweep.run())
        calls = sweep.hosts[0].ledger.calls
        while not any(call.attempts and call.attempts[-1].chars for call in calls.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        sweep.session.send(command)
        sweep.session.send(Stop())
        ended = await task
    assert len(ended) == len(sweep.hosts) == 1
    assert sweep.session.interrupted
    assert ended[0]["interrupted"]
    assert sweep.phases == ["finished"]


async def test_a_stop_between_two_runs_stops_the_sweep_and_one_after_the_last_run_stops_nothing(
    fast: Simulator,
) -> None:
    between, after = TheSweep(fast.base_url, "concurrency=1,2"), TheSweep(fast.base_url, "concurrency=1,2")
    for sweep, runs in ((between, 1), (after, 2)):
        sweep.session.open()
        ended = 0
        async for _ in sweep.session.runs(lambda step, host: None):
            ended += 1
            if ended == runs:
                sweep.session.send(Stop())
        assert ended == runs
    assert (between.session.interrupted, after.session.interrupted) == (True, False)
