"""A pool whose calls come from a source that waits, and that learns from answers what to ask next."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from call_under_test import Witness, a_plan, lane_to, until
from rude_server import STREAM, WELL, Act, RudeServer, then_silence, words

from tui.core.batch_view import FamilyView, Projection
from tui.core.calls import CallPlan, State
from tui.core.errors import RecordError, UsageError, WeirError
from tui.core.facts import Finished, Queued
from tui.core.records import CallRecord
from tui.engine.call import Ending
from tui.engine.pool import Pool

pytestmark = pytest.mark.looptime
HANGS = then_silence(STREAM, words("Hello"))


class Source:
    """Gives what the test puts into it; `None` for "nothing now"."""

    view = None

    def __init__(self, *plans: CallPlan | None) -> None:
        self.given = deque[CallPlan | WeirError | None](plans)
        self.more = asyncio.Event()
        self.expects_more = False
        self.waits = False
        """For more, where nothing is left; else there is none."""
        self.asked = self.cancelled = 0
        self.begun_as: list[int] = []

    async def next(self) -> CallPlan | None:
        self.asked += 1
        while not self.given and self.waits:
            self.more.clear()
            try:
                await self.more.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        found = self.given.popleft() if self.given else None
        if isinstance(found, WeirError):
            raise found
        return found

    def put(self, *plans: CallPlan | WeirError | None) -> None:
        self.given += plans
        self.more.set()

    def begun(self, plan: CallPlan) -> None:
        self.begun_as.append(plan.id)

    def recorded(self, plan: CallPlan, record: CallRecord) -> None:
        raise AssertionError("the pool leaves that to its owner")

    def family(self, call: int) -> FamilyView | None:
        return None

    def projection(self, spent_usd: Decimal) -> Projection | None:
        return None


class Run:
    """A pool over a source, with what was stated of its calls."""

    def __init__(self, pool: Pool, witness: Witness) -> None:
        self.pool, self.witness = pool, witness
        self.errors: list[WeirError] = []
        self.task = asyncio.create_task(pool.run())

    @property
    def states(self) -> dict[State, int]:
        return {state: count for state, count in self.witness.ledger.states.items() if count}

    async def ends(self) -> None:
        async with asyncio.timeout(100):
            await self.task


@asynccontextmanager
async def a_run(
    source: Source,
    *acts: Act,
    concurrency: int = 2,
    on_finish: Callable[[CallPlan], None] = lambda plan: None,
) -> AsyncIterator[Run]:
    witness, errors = Witness(), list[WeirError]()

    async def finish(plan: CallPlan, ending: Ending) -> None:
        witness(Finished(plan.id, ending.at, ending.state, ending.error))
        on_finish(plan)

    async def room() -> None:
        return

    async with RudeServer(*acts) as server, lane_to(server) as lane:
        pool = Pool(
            source, lane, witness, concurrency, room, finish, on_begun=source.begun, on_unreadable=errors.append
        )
        run = Run(pool, witness)
        run.errors = errors
        try:
            yield run
        finally:
            pool.stop()
            await asyncio.wait({run.task})
    witness.check()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "next plan"]


async def test_a_source_that_waits_is_asked_once_and_its_call_begins_when_it_comes() -> None:
    source = Source()
    source.waits = True
    async with a_run(source, WELL) as run:
        await asyncio.sleep(50)
        assert (source.asked, run.states) == (1, {})
        source.put(a_plan(1))
        await until(lambda: run.states == {State.DONE: 1})
        source.waits = False
        source.put(None)
        await run.ends()
    assert source.begun_as == [1]


async def test_draining_cancels_the_question_and_lets_streams_end() -> None:
    source = Source(a_plan(1))
    source.waits = True
    async with a_run(source, HANGS) as run:
        await until(lambda: run.states == {State.STREAMING: 1})
        await asyncio.sleep(1)
        run.pool.drain(lambda call: True)
        await until(lambda: source.cancelled == 1)
        assert run.states == {State.STREAMING: 1}
        run.pool.cancel(1)
        await run.ends()
    assert source.asked == 2


async def test_while_paused_nothing_begins_and_what_was_read_meanwhile_begins_after_it() -> None:
    source = Source()
    source.waits = True
    async with a_run(source, WELL) as run:
        await asyncio.sleep(1)
        run.pool.pause()
        source.put(a_plan(1), a_plan(2), a_plan(3))
        await asyncio.sleep(20)
        assert run.witness.of(Queued) == []
        run.pool.resume()
        await until(lambda: run.states == {State.DONE: 3})
        source.waits = False
        source.put()
        await run.ends()
    assert source.begun_as == [1, 2, 3]


async def test_with_answers_to_come_the_slots_wait_and_go_on_when_one_leads_to_a_call() -> None:
    source = Source(a_plan(1))
    source.expects_more = True

    def answered(plan: CallPlan) -> None:
        async def later() -> None:  # an answer is known some time after its call has ended: when it is on the disk
            await asyncio.sleep(3)
            if plan.id < 3:
                source.put(a_plan(plan.id + 1))
            else:
                source.expects_more = False
            run.pool.look_again()

        commits.append(asyncio.create_task(later()))

    commits: list[asyncio.Task[None]] = []
    async with a_run(source, WELL, concurrency=4, on_finish=answered) as run:
        await run.ends()
    assert run.states == {State.DONE: 3}
    assert source.begun_as == [1, 2, 3]
    assert source.asked < 20  # nobody asks in vain, again and again


@pytest.mark.parametrize("turns", range(6))
async def test_an_answer_that_comes_while_the_source_is_being_asked_is_not_missed(turns: int) -> None:
    class Late(Source):
        async def next(self) -> CallPlan | None:
            found = await super().next()
            if found is None and self.expects_more and not after:
                after.append(asyncio.create_task(arrive()))
            return found

    async def arrive() -> None:
        for _ in range(turns):  # of the loop, between the source's "not yet" and the pool's hearing of it
            await asyncio.sleep(0)
        source.put(a_plan(2))
        run.pool.look_again()

    def ended(plan: CallPlan) -> None:
        if plan.id == 2:
            source.expects_more = False
            run.pool.look_again()

    after: list[asyncio.Task[None]] = []
    source = Late(a_plan(1))
    source.expects_more = True
    async with a_run(source, WELL, concurrency=1, on_finish=ended) as run:
        await run.ends()
    assert run.states == {State.DONE: 2}


async def test_a_call_that_is_done_again_at_the_end_may_lead_to_others() -> None:
    source = Source(a_plan(1))

    def answered(plan: CallPlan) -> None:
        if plan.id == 1:
            asyncio.get_running_loop().call_soon(run.pool.again, plan)

    class Reopened(Source):
        def begun(self, plan: CallPlan) -> None:
            super().begun(plan)
            if plan.id == 2:  # done again: its answer leads to one more
                self.expects_more = True
                asyncio.get_running_loop().call_later(5, self.learn)

        def learn(self) -> None:
            self.put(a_plan(2))  # the source's own second: the pool has moved its number on
            self.expects_more = False
            run.pool.look_again()

    source = Reopened(a_plan(1))
    async with a_run(source, WELL, concurrency=1, on_finish=answered) as run:
        await run.ends()
    assert source.begun_as == [1, 2, 3]
    assert run.states == {State.DONE: 3}


@pytest.mark.parametrize("error", [UsageError("rows.jsonl", "is gone", "bring it back"), RecordError("disk")])
async def test_an_error_ends_dispatch_and_what_was_begun_is_waited_for(error: WeirError) -> None:
    source = Source(a_plan(1), a_plan(2))
    source.waits = True
    async with a_run(source, HANGS, concurrency=3) as run:
        await until(lambda: run.states == {State.STREAMING: 2})
        source.put(error)
        await until(lambda: run.errors == [error])
        assert (run.pool.corpus_error, run.pool.draining) == (error, True)
        assert run.states == {State.STREAMING: 2}
        run.pool.cancel(1)
        run.pool.cancel(2)
        await run.ends()
