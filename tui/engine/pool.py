"""Slots pull calls from an iterator, so that a million of them cost no memory, and run them to their ends."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from msgspec.structs import replace

from tui.core.calls import CallPlan, State
from tui.core.clock import now_ns
from tui.core.errors import UsageError
from tui.core.facts import Queued
from tui.engine.attempt import Emit
from tui.engine.call import Ending, run_call
from tui.engine.lane import Lane

PROMPT_CHARS = 20_000
"""How much of a prompt people may want to see; the whole of it is in the record."""


class Pool:
    """Runs the plans of an iterator, `concurrency` at a time, until it is exhausted or told to stop."""

    def __init__(
        self,
        plans: Iterator[CallPlan],
        lane: Lane,
        emit: Emit,
        concurrency: int,
        room: Callable[[], Awaitable[None]],
        finish: Callable[[CallPlan, Ending], Awaitable[None]],
        planned: int | None = None,
        on_begun: Callable[[CallPlan], None] = lambda plan: None,
    ) -> None:
        """`room` waits until the record can take another call; `finish` puts an ended one on record.

        `planned` is how many plans there are, when known: more slots than that are not opened. `on_begun` hears of
        each call with the number that it got.
        """
        self._plans = plans
        self._lane = lane
        self._emit = emit
        self._room = room
        self._finish = finish
        self._on_begun = on_begun
        self.concurrency = concurrency
        self._planned = planned
        self._again: deque[tuple[CallPlan, int]] = deque()
        """Calls to do once more, before the plans go on, and which call each was."""
        self._shift = 0
        """How many of them were dispatched: by so much later calls' numbers have moved."""
        self._last_id = 0
        self._slots: set[asyncio.Task[None]] = set()
        self._open_slots = 0
        """How many of them may still take a call."""
        # Slots say that they have ended; asyncio.wait would look at each of a thousand whenever one does.
        self._ended: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
        self._running: dict[int, asyncio.Task[Ending]] = {}
        self._may_dispatch = asyncio.Event()
        self._may_dispatch.set()
        self._draining = False
        self.corpus_error: UsageError | None = None
        """Why no further plan could be read."""

    @property
    def draining(self) -> bool:
        """Nothing more is dispatched."""
        return self._draining

    async def run(self) -> None:
        """Until every call that was begun has ended; raises what the plans' iterator raised.

        Cancelled, it cancels the calls and waits for their ends first.
        """
        self._fill()
        try:
            while self._slots:
                slot = await self._ended.get()
                slot.result()
                self._slots.remove(slot)
        except BaseException:
            self.stop()
            await asyncio.gather(*self._slots, return_exceptions=True)
            raise

    def set_concurrency(self, concurrency: int) -> None:
        """More slots at once; fewer as running calls end."""
        self.concurrency = concurrency
        if not self._draining:
            self._fill()

    def again(self, plan: CallPlan) -> None:
        """Do a call once more, as a new one with the next number. Never while draining: it would not be dispatched."""
        assert not self._draining
        self._again.append((plan, plan.id))
        if self._planned is not None:
            self._planned += 1
        self._fill()

    def pause(self) -> None:
        """Dispatch nothing for now, neither new calls nor those that wait for the limiter."""
        self._may_dispatch.clear()
        self._lane.limiter.pause()

    def resume(self) -> None:
        """Dispatch again."""
        self._may_dispatch.set()
        self._lane.limiter.resume()

    def drain(self, ends_by_itself: Callable[[int], bool]) -> None:
        """Dispatch nothing more; calls are cancelled but those that end by themselves."""
        self._draining = True
        self._lane.drain()
        for call, task in self._running.items():
            if not ends_by_itself(call):
                task.cancel()
        self.resume()

    def stop(self) -> None:
        """Cancel whatever runs."""
        self.drain(lambda call: False)

    def cancel(self, call: int) -> None:
        """Cancel one call; one that has ended is left alone."""
        if (task := self._running.get(call)) is not None:
            task.cancel()

    def _next(self) -> tuple[CallPlan, int | None] | None:
        """The next plan, and the call that it does again; None when there is none, or the corpus is unreadable."""
        if self._again:
            plan, retry_of = self._again.popleft()
            self._shift += 1
            return replace(plan, id=self._last_id + 1, due_at=None), retry_of
        try:
            following = next(self._plans, None)
        except UsageError as error:
            self.corpus_error = error
            self._draining = True
            return None
        if following is None:
            return None
        return (replace(following, id=following.id + self._shift) if self._shift else following), None

    def _fill(self) -> None:
        most = self.concurrency if self._planned is None else min(self.concurrency, self._planned)
        while self._open_slots < most:
            self._open_slots += 1
            slot = asyncio.create_task(self._slot(), name="slot")
            slot.add_done_callback(self._ended.put_nowait)
            self._slots.add(slot)

    async def _slot(self) -> None:
        try:
            await self._run_calls()
        finally:
            self._open_slots -= 1

    async def _run_calls(self) -> None:
        while True:
            await self._room()
            await self._may_dispatch.wait()
            if self._draining or self._open_slots > self.concurrency:
                return
            following = self._next()
            if following is None:
                return
            plan, retry_of = following
            self._last_id = plan.id
            self._on_begun(plan)
            now = now_ns()
            due_at = now if plan.due_at is None else plan.due_at
            self._emit(Queued(plan.id, now, due_at, plan.model, plan.prompt[:PROMPT_CHARS], plan.warmup, retry_of))
            call = asyncio.create_task(run_call(plan, self._lane, self._emit), name=f"call-{plan.id}")
            self._running[plan.id] = call
            try:
                ending = await call
            except asyncio.CancelledError:
                # Cancelled before its first step, the task never ran, and so could not take the cancellation in.
                ending = Ending(State.CANCELLED, now_ns(), "cancelled")
            finally:
                del self._running[plan.id]
            await self._finish(plan, ending)
