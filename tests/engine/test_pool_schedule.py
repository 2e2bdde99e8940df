"""Slots with a schedule, in virtual time: a call begins when it is due, and what is late shows as such."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from call_under_test import a_plan

from tui.core.arrivals import offsets
from tui.core.calls import CallPlan, State
from tui.core.clock import NS_PER_S
from tui.core.facts import Fact, Queued
from tui.engine import pool as pool_module
from tui.engine.call import Ending
from tui.engine.plan_source import Listed
from tui.engine.pool import Pool

pytestmark = pytest.mark.looptime


class _Limiter:
    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def set_at_once(self, most: int) -> None: ...


class _Lane:
    """What a pool needs of a lane when no call is really made."""

    def __init__(self) -> None:
        self.limiter = _Limiter()

    def drain(self) -> None: ...


class Run:
    """A pool whose calls only take time, in the loop's own seconds."""

    def __init__(self, schedule: Iterator[float] | None, calls: int | None = None, slots: int = 100, **more: Any):
        self.begun: list[Queued] = []
        self.call_s = more.pop("call_s", 1.0)
        self.ended: list[State] = []
        plans: Iterator[CallPlan] = more.pop("plans", None) or map(
            a_plan, count(1) if calls is None else range(1, calls + 1)
        )
        self.pool = Pool(Listed(plans), _Lane(), self._take, slots, self._room, self._finish, calls, schedule=schedule)  # type: ignore[arg-type]

    def _take(self, fact: Fact) -> None:
        assert isinstance(fact, Queued)
        self.begun.append(fact)

    async def _room(self) -> None: ...

    async def _finish(self, plan: CallPlan, ending: Ending) -> None:
        self.ended.append(ending.state)

    @property
    def at(self) -> list[float]:
        """When calls were begun, in seconds."""
        return [round(fact.at / NS_PER_S, 6) for fact in self.begun]

    @property
    def due(self) -> list[float]:
        return [round(fact.due_at / NS_PER_S, 6) for fact in self.begun]

    def drain(self) -> None:
        self.pool.drain(lambda call: True)


@pytest.fixture(autouse=True)
def virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's time for every stamp, and calls that take `Run.call_s` of it."""

    def now_ns() -> int:
        return round(asyncio.get_running_loop().time() * NS_PER_S)

    async def run_call(plan: CallPlan, lane: Any, emit: Any) -> Ending:
        try:
            await asyncio.sleep(emit.__self__.call_s)
        except asyncio.CancelledError:
            return Ending(State.CANCELLED, now_ns(), "cancelled")
        return Ending(State.DONE, now_ns())

    monkeypatch.setattr(pool_module, "now_ns", now_ns)
    monkeypatch.setattr(pool_module, "run_call", run_call)


async def test_each_call_begins_when_it_is_due_however_long_the_others_take() -> None:
    run = Run(iter([0.5, 1.0, 1.0, 7.25]), calls=4, call_s=100.0)
    await run.pool.run()
    assert run.at == run.due == [0.5, 1.0, 1.0, 7.25]
    assert all(fact.slot_ready for fact in run.begun)
    assert [fact.call for fact in run.begun] == [1, 2, 3, 4]


async def test_nothing_is_said_of_a_call_before_it_is_due() -> None:
    run = Run(iter([10.0, 20.0]), calls=2)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(9.99)
    assert run.begun == []
    await asyncio.sleep(0.02)
    assert len(run.begun) == 1
    await task


async def test_when_no_slot_is_free_the_lateness_is_queue_time_and_no_error_of_ours() -> None:
    run = Run(iter([0.5, 1.0, 1.5]), calls=3, slots=1, call_s=2.0)
    await run.pool.run()
    assert run.due == [0.5, 1.0, 1.5]
    assert run.at == [0.5, 2.5, 4.5]
    assert [fact.slot_ready for fact in run.begun] == [True, False, False]


async def test_without_a_schedule_a_call_is_due_when_a_slot_takes_it_up() -> None:
    run = Run(None, calls=3, slots=1, call_s=2.0)
    await run.pool.run()
    assert run.at == run.due == [0.0, 2.0, 4.0]
    assert not any(fact.slot_ready for fact in run.begun)


async def test_a_slot_that_waits_is_taken_back_by_a_drain_at_once() -> None:
    run = Run(iter([1.0, 1_000_000.0]), calls=2)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(3)
    run.drain()
    await task
    assert asyncio.get_running_loop().time() == pytest.approx(3.0)
    assert run.at == [1.0]


async def test_a_stop_in_the_middle_begins_nothing_more() -> None:
    run = Run(offsets("poisson", 600, seed=1), call_s=5.0)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(30)
    before = len(run.begun)
    run.pool.stop()
    await task
    assert len(run.begun) == before == len(run.ended)
    assert set(run.ended) == {State.DONE, State.CANCELLED}


async def test_a_pause_holds_the_schedule_so_that_nothing_is_late_and_nothing_bursts_afterwards() -> None:
    run = Run(offsets("constant", 60), calls=6)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(2.5)
    run.pool.pause()
    await asyncio.sleep(4)
    run.pool.pause()  # again: the pause began with the first one
    await asyncio.sleep(6)
    assert len(run.begun) == 3
    run.pool.resume()
    await task
    assert run.at == run.due == [0.0, 1.0, 2.0, 13.0, 14.0, 15.0]


async def test_a_drain_while_paused_ends_the_run_and_the_pause_made_nothing_overdue() -> None:
    run = Run(offsets("constant", 60))
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(2.5)
    run.pool.pause()
    await asyncio.sleep(100)
    run.drain()
    await task
    assert (len(run.begun), run.pool.overdue()) == (3, 0)


async def test_what_was_due_and_found_no_slot_before_the_end_is_counted() -> None:
    run = Run(offsets("constant", 60), slots=2, call_s=4.0)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(10.5)
    run.drain()
    await task
    assert len(run.begun) + run.pool.overdue() == 11  # at 0, 1, …, 10 s
    assert len(run.begun) == 6


async def test_with_free_slots_nothing_is_overdue_at_the_end() -> None:
    run = Run(offsets("constant", 60))
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(10.5)
    run.drain()
    await task
    assert (len(run.begun), run.pool.overdue()) == (11, 0)


async def test_a_call_is_done_again_at_once_and_not_when_the_next_one_is_due() -> None:
    run = Run(iter([0.5, 100.0]), calls=2)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(5)
    run.pool.again(a_plan(1))
    await task
    assert run.at == run.due == [0.5, 5.0, 100.0]
    assert [(fact.call, fact.retry_of, fact.slot_ready) for fact in run.begun] == [
        (1, None, True), (2, 1, False), (3, None, True),
    ]  # fmt: skip


async def test_fewer_slots_take_hold_while_all_of_them_wait() -> None:
    run = Run(iter([10.0, 10.0, 10.0]), calls=3, slots=3, call_s=1.0)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(5)
    run.pool.set_concurrency(1)
    await task
    assert run.at == [10.0, 11.0, 12.0]


async def test_more_slots_take_hold_while_one_waits() -> None:
    run = Run(iter([10.0, 10.0, 10.0]), calls=3, slots=1, call_s=1.0)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(5)
    run.pool.set_concurrency(3)
    await task
    assert run.at == [10.0, 10.0, 10.0]


async def test_a_thousand_slots_read_no_more_than_one_plan_ahead() -> None:
    read = 0

    def plans() -> Iterator[CallPlan]:
        nonlocal read
        for number in count(1):
            read += 1
            yield a_plan(number)

    run = Run(offsets("constant", 60), slots=1000, plans=plans())
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(2.5)
    assert (len(run.begun), read) == (3, 4)
    run.drain()
    await task


async def test_a_run_that_is_cancelled_while_its_slots_wait_leaves_none_of_them() -> None:
    others = asyncio.all_tasks()
    run = Run(iter([1_000.0]), calls=1)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == others


@pytest.mark.parametrize("arrival", ["constant", "poisson", "gamma"])
async def test_the_same_seed_gives_the_same_run(arrival: Any) -> None:
    def begun(seed: int) -> Run:
        return Run(offsets(arrival, 6000, 0.3, seed), calls=300, slots=1000)

    runs = [begun(7), begun(7), begun(8)]
    for run in runs:
        start = asyncio.get_running_loop().time()
        await run.pool.run()
        run.begun = [
            Queued(fact.call, fact.at - round(start * NS_PER_S), fact.due_at - round(start * NS_PER_S), "", "")
            for fact in run.begun
        ]
    first, same, other = ([fact.due_at for fact in run.begun] for run in runs)
    assert first == pytest.approx(same, abs=10)
    assert (first == pytest.approx(other, abs=10)) is (arrival == "constant")
    assert all(abs(fact.at - fact.due_at) < 10_000 for run in runs for fact in run.begun)
