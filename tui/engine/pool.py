"""Slots pull calls from an iterator, so that a million of them cost no memory, and run them to their ends.

With a schedule (an open loop) a call is begun when it is due, by a slot that stands ready for it; when none does, it is
begun late and its lateness is queue time. Slots take turns: one of them waits for the next instant, the others for it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from tui.core.calls import CallPlan, State
from tui.core.clock import NS_PER_S, nanoseconds, now_ns
from tui.core.errors import WeirError
from tui.core.facts import Queued
from tui.engine.attempt import Emit
from tui.engine.call import Ending, run_call
from tui.engine.lane import Lane
from tui.engine.plan_source import PlanSource
from tui.engine.thread_turns import short_thread_turns

PROMPT_CHARS = 20_000
"""How much of a prompt people may want to see; the whole of it is in the record."""
MOST_OVERDUE = 1_000_000
"""How far the calls are counted that a schedule wanted and no slot took up."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A call that a slot may begin now."""

    plan: CallPlan
    at: int
    due_at: int
    slot_ready: bool = False
    retry_of: int | None = None


class Pool:
    """Runs the plans of an iterator, `concurrency` at a time, until it is exhausted or told to stop."""

    def __init__(
        self,
        plans: PlanSource,
        lane: Lane,
        emit: Emit,
        concurrency: int,
        room: Callable[[], Awaitable[None]],
        finish: Callable[[CallPlan, Ending], Awaitable[None]],
        planned: int | None = None,
        on_begun: Callable[[CallPlan], None] = lambda plan: None,
        schedule: Iterator[float] | None = None,
        on_unreadable: Callable[[WeirError], None] = lambda error: None,
    ) -> None:
        """`room` waits until the record can take another call; `finish` puts an ended one on record.

        `planned` is how many plans there are, when known: more slots than that are not opened. `on_begun` hears of
        each call with the number that it got. `schedule` says when each plan is due: seconds since `run` began,
        ascending, at least as many as there are plans. None: when a slot takes it up. `on_unreadable` hears of an
        error in the plans, after which nothing more is dispatched; calls that were begun go on.
        """
        self._plans = plans
        self._lane = lane
        self._emit = emit
        self._room = room
        self._finish = finish
        self._on_begun = on_begun
        self.concurrency = concurrency
        lane.limiter.set_at_once(concurrency)
        self._planned = planned
        self._schedule = schedule
        self._on_unreadable = on_unreadable
        self._origin = now_ns()
        """The instant of the schedule's 0: it moves by each pause, for what nobody dispatches is not late."""
        self._paused_at: int | None = None
        self._drained_at: int | None = None
        self._ahead: deque[float] = deque()
        """Instants drawn from the schedule before their plans were read: those that have come, and at most one more."""
        self._unread = planned
        """Plans that were not read yet; None: nobody knows how many."""
        self._coming: tuple[CallPlan, float | None] | None = None
        """The next plan, when it had to be read before it was due, and its instant in the schedule."""
        self._reading: asyncio.Task[CallPlan | None] | None = None
        """The question for the next plan: whoever asked may have to leave, and its answer must not be lost."""
        self._asked_too_early = False
        """An answer has come since that was asked, which may lead to another call."""
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        """Set when whoever waits for an instant must look again."""
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
        self.corpus_error: WeirError | None = None
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
        self._origin = now_ns()
        if self._paused_at is not None:
            self._paused_at = self._origin
        try:
            with short_thread_turns():
                while self._slots:
                    slot = await self._ended.get()
                    slot.result()
                    self._slots.remove(slot)
        except BaseException:
            self.stop()
            await asyncio.gather(*self._slots, return_exceptions=True)
            raise

    def set_concurrency(self, concurrency: int) -> None:
        """More slots at once; fewer as running calls end. Of calls that wait, no more than that many are sent."""
        self.concurrency = concurrency
        self._lane.limiter.set_at_once(concurrency)
        self._wake()
        if not self._draining:
            self._fill()

    def again(self, plan: CallPlan) -> None:
        """Do a call once more, as a new one with the next number. Never while draining: it would not be dispatched."""
        assert not self._draining
        self._again.append((plan, plan.id))
        if self._planned is not None:
            self._planned += 1
        self._wake()
        self._fill()

    def pause(self) -> None:
        """Dispatch nothing for now, neither new calls nor those that wait for the limiter. A schedule stands still."""
        if self._paused_at is None:
            self._paused_at = now_ns()
        self._may_dispatch.clear()
        self._wake()
        self._lane.limiter.pause()

    def resume(self) -> None:
        """Dispatch again."""
        if self._paused_at is not None:
            self._origin += now_ns() - self._paused_at
            self._paused_at = None
        self._may_dispatch.set()
        self._lane.limiter.resume()

    def drain(self, ends_by_itself: Callable[[int], bool]) -> None:
        """Dispatch nothing more; calls are cancelled but those that end by themselves."""
        self._draining = True
        self._lane.drain()
        for call, task in self._running.items():
            if not ends_by_itself(call):
                task.cancel()
        if self._reading is not None:
            self._reading.cancel()
        self.resume()
        self._wake()
        if self._drained_at is None:
            self._drained_at = now_ns()

    def stop(self) -> None:
        """Cancel whatever runs."""
        self.drain(lambda call: False)

    def look_again(self) -> None:
        """An answer has come that may lead to another call."""
        self._asked_too_early = True
        self._wake()

    def cancel(self, call: int) -> None:
        """Cancel one call; one that has ended is left alone."""
        if (task := self._running.get(call)) is not None:
            task.cancel()

    def overdue(self) -> int:
        """Calls that are wanted by now (or were before dispatch was told to end) and that no slot has taken up.

        Those that the schedule wants, at most `MOST_OVERDUE`, and those to be done again. Cheap to ask: each instant
        of the schedule is drawn once. While paused the schedule stands still.
        """
        return len(self._again) + self._unmet()

    def _unmet(self) -> int:
        """Of the schedule: each call from the instant when it is due until a slot takes it up."""
        if self._schedule is None:
            return 0
        until = next((at for at in (self._drained_at, self._paused_at) if at is not None), None)
        until_s = ((now_ns() if until is None else until) - self._origin) / NS_PER_S
        if self._coming is not None and (offset_s := self._coming[1]) is not None and offset_s > until_s:
            return 0
        ahead = self._ahead
        most = MOST_OVERDUE if self._unread is None else min(MOST_OVERDUE, self._unread)
        while len(ahead) < most and (not ahead or ahead[-1] <= until_s):
            if (offset_s := next(self._schedule, None)) is None:
                break
            ahead.append(offset_s)
        due = len(ahead)
        while due and ahead[due - 1] > until_s:
            due -= 1
        return min(due, most) + (self._coming is not None)

    # ── which call is next, and when ───────────────────────────────────────────────────────────────────

    async def _next_turn(self) -> _Turn | None:
        """Wait for the next call that may begin; None when this slot is to end."""
        ready_at = now_ns()
        async with self._turn:
            while True:
                await self._room()
                await self._may_dispatch.wait()
                if self._draining or self._open_slots > self.concurrency:
                    return None
                now = now_ns()
                if self._again:
                    plan, retry_of = self._again.popleft()
                    self._shift += 1
                    # One that is done again was due once; now it is due when a slot takes it up.
                    return _Turn(replace(plan, id=self._last_id + 1, due_at=None), now, now, retry_of=retry_of)
                if self._coming is None:
                    more = self._read()
                    if self._coming is None and not more:
                        return None
                    if self._coming is None:
                        await self._changed.wait()
                        continue
                plan, offset_s = self._coming
                wanted_at = plan.due_at if offset_s is None else self._origin + nanoseconds(offset_s)
                if wanted_at is not None and wanted_at > now:
                    await self._wait((wanted_at - now) / NS_PER_S)
                    continue
                self._coming = None
                plan = replace(plan, id=plan.id + self._shift) if self._shift else plan
                if wanted_at is None:
                    return _Turn(plan, now, now)
                return _Turn(plan, now, wanted_at, slot_ready=ready_at <= wanted_at)

    def _read(self) -> bool:
        """Have the next plan in `_coming`; False: there is none. True without one: look again when told."""
        if self._reading is None:
            self._asked_too_early = False
            self._reading = asyncio.create_task(self._plans.next(), name="next plan")
            self._reading.add_done_callback(self._was_read)
        if not self._reading.done():
            return True
        reading, self._reading = self._reading, None
        try:
            plan = reading.result()
        except WeirError as error:
            self.corpus_error = error
            self._draining = True
            self._unread = 0
            self._on_unreadable(error)
            return False
        if plan is None:
            if self._asked_too_early:  # while nobody waited to be woken
                return self._read()
            if not self._plans.expects_more:
                self._unread = 0
            return self._plans.expects_more
        if self._unread is not None:
            self._unread -= 1
        if self._schedule is None:
            self._coming = plan, None
        else:
            self._coming = plan, self._ahead.popleft() if self._ahead else next(self._schedule)
        return True

    def _was_read(self, reading: "asyncio.Task[CallPlan | None]") -> None:
        if not reading.cancelled():
            reading.exception()  # seen, should the run end before somebody takes it: else asyncio complains
        self._wake()

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until something changes."""
        changed = self._changed
        # Not asyncio.timeout: it cancels and raises its way to the same end, at several times the cost.
        timer = asyncio.get_running_loop().call_later(seconds, self._wake)
        try:
            await changed.wait()
        finally:
            timer.cancel()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # ── slots ──────────────────────────────────────────────────────────────────────────────────────────

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
        while (turn := await self._next_turn()) is not None:
            plan = turn.plan
            self._last_id = plan.id
            self._on_begun(plan)
            prompt = plan.prompt[:PROMPT_CHARS]
            title = plan.document.title if plan.document is not None else ""
            self._emit(
                Queued(
                    plan.id,
                    turn.at,
                    turn.due_at,
                    plan.model,
                    prompt,
                    plan.warmup,
                    turn.retry_of,
                    turn.slot_ready,
                    title,
                )
            )
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
