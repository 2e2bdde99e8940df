"""Slots pull calls and run each to its end; pausing, draining, stopping and an error in the plans lose none."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from call_under_test import Witness, a_plan, lane_to, until
from msgspec.structs import replace
from rude_server import END, STREAM, WELL, Act, RudeServer, refuses, says, then_silence, words

from tui.core.calls import CallPlan, State
from tui.core.errors import UsageError
from tui.core.facts import Finished, Queued, Sent
from tui.engine.call import Ending
from tui.engine.plan_source import Listed
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
    planned: int | None = None,
    on_begun: Callable[[CallPlan], None] = lambda plan: None,
    after_finish: Callable[[CallPlan, Ending], Awaitable[None]] | None = None,
) -> AsyncIterator[Run]:
    witness = Witness()

    async def finish(plan: CallPlan, ending: Ending) -> None:
        witness(Finished(plan.id, ending.at, ending.state, ending.error))
        if after_finish is not None:
            await after_finish(plan, ending)

    async def no_wait() -> None:
        return

    numbers = iter(range(1, calls + 1)) if calls is not None else iter(range(1, 10**9))
    async with RudeServer(*acts) as server, lane_to(server) as lane:
        source = plans if plans is not None else (a_plan(number) for number in numbers)
        pool = Pool(Listed(source), lane, witness, concurrency, room or no_wait, finish, planned, on_begun)  # type: ignore[arg-type]
        yield Run(pool, witness, server)
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


# ── calls that are done again ──────────────────────────────────────────────────────────────────────────────

REFUSES = refuses("400 Bad", "no")


def numbers_of(run: Run) -> list[int]:
    return [fact.call for fact in run.witness.of(Queued)]


def retries_of(run: Run) -> dict[int, int]:
    return {fact.call: fact.retry_of for fact in run.witness.of(Queued) if fact.retry_of is not None}


async def test_a_call_that_is_done_again_gets_the_next_number_and_those_after_it_move() -> None:
    heard: list[int] = []
    async with a_run(HANGS, WELL, calls=5, concurrency=1, on_begun=lambda plan: heard.append(plan.id)) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 1})
        plan = a_plan(1)
        run.pool.again(plan)
        run.pool.again(plan)
        run.pool.cancel(1)
        await task
        bodies = [request.body for request in run.server.requests]
    assert (numbers_of(run), heard) == ([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7])
    assert retries_of(run) == {2: 1, 3: 1}
    assert run.states == {State.CANCELLED: 1, State.DONE: 6}
    assert bodies[0] == bodies[1] == bodies[2]


async def test_what_is_done_again_is_due_when_it_is_taken_up_and_keeps_its_warm_up_and_its_parameters() -> None:
    plan = replace(a_plan(3, max_tokens=5), due_at=1, warmup=True)
    async with a_run(WELL, calls=0, planned=0) as run:
        run.pool.again(plan)
        await run.pool.run()
        (request,) = run.server.requests
    (queued,) = run.witness.of(Queued)
    assert (queued.call, queued.retry_of, queued.warmup, queued.due_at) == (1, 3, True, queued.at)
    assert json.loads(request.body)["max_tokens"] == 5


async def test_calls_are_done_again_while_the_last_one_still_runs() -> None:
    async with a_run(HANGS, WELL, calls=3, concurrency=3, planned=3) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 1, State.DONE: 2})
        assert run.pool._open_slots == 1  # the others found nothing more to do
        run.pool.again(a_plan(2))
        run.pool.again(a_plan(3))
        await until(lambda: run.states == {State.STREAMING: 1, State.DONE: 4})
        assert not task.done()
        run.pool.cancel(1)
        await task
    assert retries_of(run) == {4: 2, 5: 3}


async def test_a_call_is_done_again_in_the_very_turn_in_which_the_last_slot_ended() -> None:
    pool: list[Pool] = []

    async def finish(plan: CallPlan, ending: Ending) -> None:
        if plan.id < 3:
            # Before the slot that awaits this can say that it has ended, and before the run looks.
            asyncio.get_running_loop().call_soon(pool[0].again, plan)

    async with a_run(WELL, calls=1, concurrency=1, planned=1, after_finish=finish) as run:
        pool.append(run.pool)
        await run.pool.run()
    assert run.states == {State.DONE: 3}


async def test_what_is_to_be_done_again_while_paused_waits_for_the_resume() -> None:
    async with a_run(WELL, calls=1, concurrency=2) as run:
        run.pool.pause()
        task = asyncio.create_task(run.pool.run())
        run.pool.again(a_plan(1))
        await asyncio.sleep(5)
        assert run.states == {}
        run.pool.resume()
        await task
    assert run.states == {State.DONE: 2}


async def test_with_fewer_slots_than_are_open_no_further_one_opens_for_what_is_done_again() -> None:
    async with a_run(HANGS, calls=4, concurrency=4, planned=4) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 4})
        run.pool.set_concurrency(2)
        run.pool.again(a_plan(1))
        run.pool.again(a_plan(2))
        await asyncio.sleep(1)
        assert run.states == {State.STREAMING: 4}
        for call in (1, 2):
            run.pool.cancel(call)
        await asyncio.sleep(1)
        assert run.states == {State.STREAMING: 2, State.CANCELLED: 2}
        for call in (3, 4):
            run.pool.cancel(call)
        await until(lambda: run.states == {State.STREAMING: 2, State.CANCELLED: 4})
        assert retries_of(run) == {5: 1, 6: 2}
        run.pool.stop()
        await task


@pytest.mark.parametrize("end", ["drain", "stop"])
async def test_what_was_to_be_done_again_is_not_begun_in_a_run_that_ends(end: str) -> None:
    async with a_run(HANGS, calls=9, concurrency=1) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 1})
        run.pool.again(a_plan(1))
        if end == "drain":
            run.drain()
            run.pool.cancel(1)
        else:
            run.pool.stop()
        await task
    assert numbers_of(run) == [1]


async def test_a_corpus_that_turns_bad_takes_nothing_back_that_is_to_be_done_again() -> None:
    def plans() -> Iterator[CallPlan]:
        yield a_plan(1)
        raise UsageError("prompts.jsonl:2", "broken", "mend it")

    async with a_run(HANGS, WELL, plans=plans(), concurrency=1) as run:
        task = asyncio.create_task(run.pool.run())
        await until(lambda: run.states == {State.STREAMING: 1})
        run.pool.again(a_plan(1))
        run.pool.cancel(1)
        await task
        assert run.pool.corpus_error is not None
    assert retries_of(run) == {2: 1}


@pytest.mark.parametrize("seed", range(6))
async def test_however_retries_come_in_between_every_number_is_given_once_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    acts = [rng.choice((WELL, REFUSES, says(STREAM, words("Hel") + END))) for _ in range(200)]
    failed: list[CallPlan] = []
    asked: list[int] = []
    pool: list[Pool] = []

    async def finish(plan: CallPlan, ending: Ending) -> None:
        """Now and then somebody wants one of those that failed so far again, a retry perhaps."""
        if ending.state in (State.FAILED, State.BROKEN):
            failed.append(plan)
        for _ in range(rng.randint(0, min(2, len(failed)))):
            again = failed.pop(rng.randrange(len(failed)))
            asked.append(again.id)
            pool[0].again(again)
        if rng.random() < 0.2:
            pool[0].set_concurrency(rng.randint(1, 6))

    async with a_run(*acts, calls=40, concurrency=4, planned=40, after_finish=finish) as run:
        pool.append(run.pool)
        await run.pool.run()
    assert numbers_of(run) == list(range(1, 41 + len(asked)))
    assert sorted(retries_of(run).values()) == sorted(asked)
    assert any(call in retries_of(run) for call in asked)
