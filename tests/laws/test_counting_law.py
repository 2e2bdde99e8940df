"""Every call that is wanted is counted once: it was begun, or it is overdue; and a run that ends loses none of them.

A run of so many calls: planned = ended in some state (warm-up calls too) + never sent. A run with a schedule and no
number of calls: due by the instant when dispatch ended = begun + overdue then. In virtual time, drawn from a number.
"""

import asyncio
import random
from itertools import count
from typing import Any

import pytest

from tui.core.arrivals import offsets
from tui.core.calls import CallPlan, State
from tui.core.clock import NS_PER_S
from tui.core.facts import Admitted, AttemptEnded, Fact, Finished, Sent, Waited
from tui.core.ledger import Ledger
from tui.core.picture import RunCard
from tui.core.summary import summary
from tui.engine import pool as pool_module
from tui.engine.call import Ending
from tui.engine.plan_source import Listed
from tui.engine.pool import Pool

pytestmark = pytest.mark.looptime(noop_cycles=1)

CARD = RunCard("load", "m", "host/v1")


class _Limiter:
    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def set_at_once(self, most: int) -> None: ...


class _Lane:
    def __init__(self) -> None:
        self.limiter = _Limiter()

    def drain(self) -> None: ...


def now_ns() -> int:
    return round(asyncio.get_running_loop().time() * NS_PER_S)


class Run:
    """A pool and its ledger; calls wait, are sent, and end, as the draw says."""

    def __init__(self, draw: random.Random, planned: int | None, schedule: Any, slots: int, warmup: int) -> None:
        self.draw = draw
        self.ledger = Ledger()
        plans = (
            CallPlan(number, "m", (), {}, warmup=number <= warmup)
            for number in (count(1) if planned is None else range(1, planned + 1))
        )
        self.pool = Pool(
            Listed(plans), _Lane(), self._fold, slots, self._room, self._finish, planned, schedule=schedule
        )  # type: ignore[arg-type]
        self.again = 0

    def _fold(self, fact: Fact) -> None:
        self.ledger.fold(fact)

    async def _room(self) -> None: ...

    async def _finish(self, plan: CallPlan, ending: Ending) -> None:
        self._fold(Finished(plan.id, ending.at, ending.state, ending.error))

    async def call(self, plan: CallPlan) -> Ending:
        sent = False
        try:
            self._fold(Waited(plan.id, now_ns()))
            await asyncio.sleep(self.draw.choice((0, 0, 0.3, 40)))
            self._fold(Admitted(plan.id, now_ns()))
            self._fold(Sent(plan.id, now_ns()))
            sent = True
            await asyncio.sleep(self.draw.uniform(0, 5))
        except asyncio.CancelledError:
            if sent:
                self._fold(AttemptEnded(plan.id, now_ns(), "cancelled"))
            return Ending(State.CANCELLED, now_ns(), "cancelled")
        self._fold(AttemptEnded(plan.id, now_ns(), None))
        return Ending(self.draw.choice((State.DONE, State.FAILED, State.REFUSED)), now_ns())

    async def meddle(self, lasts_s: float) -> None:
        """Run the pool; pause, resume, cancel, do again, change the number of slots; then let it drain, or stop it."""
        draw, pool, ends_at = self.draw, self.pool, asyncio.get_running_loop().time() + lasts_s
        running = asyncio.create_task(pool.run())
        while (left_s := ends_at - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left_s, draw.expovariate(1)))
            if running.done():
                break  # after its end nothing is done again
            match draw.randrange(9):
                case 0:
                    pool.pause()
                case 1 | 2:
                    pool.resume()
                case 3:
                    pool.set_concurrency(draw.randint(1, 12))
                case 4 if self.ledger.order:
                    pool.cancel(draw.choice(self.ledger.order))
                case 5 if self.ledger.ended_order:
                    pool.again(CallPlan(draw.choice(self.ledger.ended_order), "m", (), {}))
                    self.again += 1
            pool.overdue()  # to look changes nothing
        if draw.random() < 0.4:
            pool.stop()
        else:
            pool.drain(lambda call: bool(self.ledger.calls[call].attempts))
        await running


@pytest.fixture(autouse=True)
def virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_call(plan: CallPlan, lane: Any, emit: Any) -> Ending:
        return await emit.__self__.call(plan)

    monkeypatch.setattr(pool_module, "now_ns", now_ns)
    monkeypatch.setattr(pool_module, "run_call", run_call)


def drawn(number: int, planned: bool, scheduled: bool) -> Run:
    draw = random.Random(f"counting {number} {planned} {scheduled}")
    calls = draw.randint(1, 60) if planned else None
    schedule = offsets(draw.choice(("constant", "poisson", "gamma")), draw.choice((30, 300)), 0.4, number)
    return Run(draw, calls, schedule if scheduled else None, draw.choice((1, 3, 50)), draw.choice((0, 0, 4)))


def due_before(number: int, run: Run) -> int:
    """What the schedule wanted until dispatch was told to end, told without the pool's own counting."""
    draw = random.Random(f"counting {number} False True")
    shape, rate = draw.choice(("constant", "poisson", "gamma")), draw.choice((30, 300))
    end_s = (run.pool._drained_at - run.pool._origin) / NS_PER_S  # type: ignore[operator]
    instants = offsets(shape, rate, 0.4, number)
    assert instants is not None
    return next(index for index, instant in enumerate(instants) if instant > end_s)


async def test_each_call_that_a_schedule_wanted_was_begun_or_is_overdue_and_none_is_both_or_neither() -> None:
    for number in range(150):
        run = drawn(number, planned=False, scheduled=True)
        await run.meddle(run.draw.uniform(0, 40))
        begun = len(run.ledger.calls)
        assert begun + run.pool.overdue() == due_before(number, run) + run.again, f"run {number}"
        assert run.pool.overdue() == run.pool.overdue()


@pytest.mark.parametrize("scheduled", [False, True])
async def test_what_was_planned_has_ended_in_a_state_or_was_never_sent(scheduled: bool) -> None:
    for number in range(150):
        run = drawn(number, planned=True, scheduled=scheduled)
        planned = run.pool._planned
        assert planned is not None
        await run.meddle(run.draw.uniform(0, 40))
        ledger = run.ledger
        figures = summary(ledger, CARD, now_ns())
        calls = figures["calls"]
        never_sent = planned + run.again - len(ledger.calls) + ledger.withdrawn
        assert planned + run.again == figures["warmup_calls"] + calls["total"] + never_sent, f"run {number}"
        assert calls["total"] == sum(calls.values()) - calls["total"]
        assert run.pool.overdue() <= never_sent


async def test_while_a_run_goes_on_what_is_overdue_is_what_is_due_and_was_not_begun() -> None:
    run = Run(random.Random(1), None, offsets("constant", 60), slots=1, warmup=0)
    seen: list[tuple[int, int, int]] = []

    async def look() -> None:
        await asyncio.sleep(0.5)
        for due in range(1, 120):
            seen.append((due, len(run.ledger.calls), run.pool.overdue()))
            await asyncio.sleep(1)

    looking = asyncio.create_task(look())
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(120)
    run.pool.stop()
    await task
    await looking
    assert all(begun + overdue == due for due, begun, overdue in seen)
    assert max(overdue for _, _, overdue in seen) > 10


async def test_no_more_is_overdue_than_there_are_plans() -> None:
    run = Run(random.Random(1), 5, offsets("constant", 60), slots=1, warmup=0)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(30)
    assert len(run.ledger.calls) + run.pool.overdue() == 5
    run.pool.stop()
    await task


async def test_what_is_to_be_done_again_is_overdue_until_a_slot_takes_it_up() -> None:
    run = Run(random.Random(1), None, None, slots=1, warmup=0)
    task = asyncio.create_task(run.pool.run())
    await asyncio.sleep(0.1)
    run.pool.pause()
    run.pool.again(CallPlan(1, "m", (), {}))
    assert run.pool.overdue() == 1
    run.pool.stop()
    await task
    assert run.pool.overdue() == 1


async def test_where_the_plans_have_come_to_their_end_a_schedule_that_goes_on_wants_nothing() -> None:
    run = Run(random.Random(1), None, offsets("constant", 60), slots=1, warmup=0)
    run.pool._plans = Listed(iter([CallPlan(1, "m", (), {}), CallPlan(2, "m", (), {})]))
    await run.pool.run()
    await asyncio.sleep(30)
    assert (len(run.ledger.calls), run.pool.overdue()) == (2, 0)
