"""Slots pull calls and run each to its end; pausing, draining, stopping and an error in the plans lose none."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from call_under_test import Witness, a_plan, lane_to, until
from rude_server import STREAM, WELL, Act, RudeServer, refuses, then_silence, words

from tui.core.calls import CallPlan, State
from tui.core.facts import Finished, Queued, Sent
from tui.engine.call import Ending
from tui.engine.pool import Pool

pytestmark = pytest.mark.looptime
HANGS = then_silence(STREAM, words("Hello"))


class Run:
    """A pool on a rude server, with its ledger."""

    def __init__(self, pool: Pool, witness: Witness, server: RudeServer) -> None:
        self.pool, self.witness, self.server = pool, witness, server

    @property
    def states(self) -> dict[State, int]:
        return {state: count for state, count in self.witness.ledger.states.items() if count}

    def drain(self) -> None:
        on_the_wire = (State.CONNECTING, State.STREAMING)
        self.pool.drain(lambda call: self.witness.ledger.calls[call].state in on_the_wire)


@asynccontextmanager
async def a_run(
    *acts: Act,
    calls: int | None = 10,
    concurrency: int = 3,
    plans: Iterator[CallPlan] | None = None,
    room: Callable[[], object] | None = None,
) -> AsyncIterator[Run]:
    witness = Witness()

    async def finish(plan: CallPlan, ending: Ending) -> None:
        witness(Finished(plan.id, ending.at, ending.state, ending.error))

    async def no_wait() -> None:
        return

    numbers = iter(range(1, calls + 1)) if calls is not None else iter(range(1, 10**9))
    async with RudeServer(*acts) as server, lane_to(server) as lane:
        source = plans if plans is not None else (a_plan(number) for number in numbers)
        yield Run(Pool(source, lane, witness, concurrency, room or no_wait, finish), witness, server)  # type: ignore[arg-type]
    witness.check()


async def test_every_plan_becomes_a_call_that_ends() -> None:
    async with a_run(WELL, calls=10) as run:
        await run.pool.run()
    assert run.states == {State.DONE: 10}


async def test_never_more_run_at_once_than_there_are_slots_and_no_plan_is_pulled_early() -> None:
    pulled = []

    def plans() -> Iterator[CallPlan]:
        for number in range(1, 8):
            pulled.append(number)
            yield a_plan(number)

    async with a_run(HANGS, plans=plans(), concurrency=3) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 3})
        await asyncio.sleep(1)
        assert pulled == [1, 2, 3]
        run.pool.stop()
        await task
    assert run.states == {State.CANCELLED: 3}


async def test_no_plans_is_a_run_that_is_over() -> None:
    async with a_run(WELL, calls=0) as run:
        await run.pool.run()
    assert run.states == {}


async def test_more_slots_at_once_and_fewer_as_calls_end() -> None:
    async with a_run(HANGS, calls=None, concurrency=1) as run:
        task = asyncio.create_task(run.pool.run())
        run.pool.set_concurrency(4)
        await until(lambda: run.states == {State.STREAMING: 4})
        run.pool.set_concurrency(2)
        for call in (1, 2):  # the first slots' own: nothing takes their place while four are more than two
            run.pool.cancel(call)
        await until(lambda: run.states.get(State.CANCELLED) == 2)
        await asyncio.sleep(1)
        assert run.states == {State.STREAMING: 2, State.CANCELLED: 2}
        run.pool.cancel(3)
        await until(lambda: len(run.witness.of(Queued)) == 5)
        run.pool.set_concurrency(3)
        await until(lambda: run.states.get(State.STREAMING) == 3)
        run.pool.stop()
        await task


async def test_a_paused_pool_dispatches_nothing_and_goes_on_where_it_was() -> None:
    async with a_run(WELL, calls=6, concurrency=1) as run:
        run.pool.pause()
        task = asyncio.create_task(run.pool.run())
        await asyncio.sleep(5)
        run.pool.resume()
        await task
    assert run.states == {State.DONE: 6}


async def test_a_pause_while_the_record_makes_room_holds_too() -> None:
    may_go = asyncio.Event()

    async def room() -> None:
        await may_go.wait()

    async with a_run(WELL, calls=2, room=room) as run:
        task = asyncio.create_task(run.pool.run())
        await asyncio.sleep(1)
        run.pool.pause()
        may_go.set()
        await asyncio.sleep(1)
        assert run.states == {}
        run.pool.resume()
        await task
    assert run.states == {State.DONE: 2}


async def test_a_drain_lets_streams_end_and_takes_back_what_waits() -> None:
    go = asyncio.Event()

    async def slow(exchange) -> None:  # type: ignore[no-untyped-def]
        await go.wait()
        await WELL(exchange)

    later = refuses("503 Busy", "later", None, "Retry-After: 100")
    async with a_run(slow, later, calls=None, concurrency=2) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.CONNECTING: 1, State.BACKING_OFF: 1})
        run.drain()
        go.set()
        await task
        assert run.pool.draining
    assert run.states == {State.DONE: 1, State.CANCELLED: 1}


async def test_a_call_that_fails_while_draining_is_not_tried_again() -> None:
    go = asyncio.Event()

    async def fails(exchange) -> None:  # type: ignore[no-untyped-def]
        await go.wait()
        await refuses("503 Busy", "busy", None, "Retry-After: 60")(exchange)

    loop = asyncio.get_running_loop()
    async with a_run(fails, calls=None, concurrency=1) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: len(run.server.requests) == 1)
        run.drain()
        began = loop.time()
        go.set()
        await task
        assert loop.time() - began < 1
    assert (run.states, len(run.witness.of(Sent))) == ({State.FAILED: 1}, 1)
    assert "HTTP 503: busy (the run is ending" in (run.witness.entry().error or "")


async def test_draining_a_paused_pool_ends_it() -> None:
    async with a_run(WELL, calls=None) as run:
        run.pool.pause()
        task = asyncio.create_task(run.pool.run())
        await asyncio.sleep(1)
        run.drain()
        await task
    assert run.states == {}


async def test_stopping_at_any_step_leaves_every_call_in_one_state() -> None:
    later = refuses("503 Busy", "later", None, "Retry-After: 100")
    for steps in range(0, 120, 3):
        async with a_run(WELL, HANGS, later, WELL, calls=None, concurrency=4) as run:
            task = asyncio.create_task(run.pool.run())
            for _ in range(steps):
                await asyncio.sleep(0)
            run.pool.stop()
            await task
        assert set(run.states) <= {State.DONE, State.CANCELLED, State.FAILED}


async def test_cancelling_one_call_leaves_the_others_and_an_unknown_one_is_no_error() -> None:
    async with a_run(HANGS, HANGS, WELL, calls=6, concurrency=2) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 2})
        for call in (1, 2, 1, 99):
            run.pool.cancel(call)
        await task
    assert run.states == {State.CANCELLED: 2, State.DONE: 4}


async def test_an_error_in_the_plans_ends_the_running_calls_first_and_is_raised() -> None:
    def plans() -> Iterator[CallPlan]:
        yield a_plan(1)
        yield a_plan(2)
        raise ValueError("prompts.jsonl:3: broken")

    async with a_run(HANGS, plans=plans(), concurrency=3) as run:
        with pytest.raises(ValueError, match=r"prompts\.jsonl:3"):
            await run.pool.run()
    assert run.states == {State.CANCELLED: 2}


async def test_a_pool_whose_own_task_is_cancelled_ends_its_calls_and_dispatches_no_more() -> None:
    async with a_run(HANGS, calls=None, concurrency=3) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 3})
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = len(run.witness.of(Queued))
        await asyncio.sleep(1)
        assert len(run.witness.of(Queued)) == before
    assert run.states == {State.CANCELLED: 3}


async def test_a_long_prompt_is_cut_for_the_eyes_only() -> None:
    plan = CallPlan(1, "m", ({"role": "user", "content": "x" * 50_000},), {})
    async with a_run(WELL, plans=iter([plan])) as run:
        await run.pool.run()
        assert b"x" * 50_000 in run.server.requests[0].body
    assert len(run.witness.of(Queued)[0].prompt) == 20_000
