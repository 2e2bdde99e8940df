"""Steering: what each command changes, how soon, what is said of it, and what is refused in so many words."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from call_under_test import Witness, a_plan, lane_to, until
from rude_server import END, STREAM, WELL, Act, RudeServer, refuses, says, then_silence, words

from tui.core.calls import CallPlan, State
from tui.core.commands import CancelCall, Pause, Resume, RetryCall, RetryFailed, SetConcurrency, SetRate
from tui.core.facts import Finished, LimitsChanged, PhaseChanged, Queued, Sent
from tui.engine.call import Ending
from tui.engine.helm import MOST_AT_ONCE, MOST_RPM, Helm, Steer
from tui.engine.limiter import Limiter
from tui.engine.plan_shelf import PlanShelf
from tui.engine.plan_source import Listed
from tui.engine.pool import Pool

pytestmark = pytest.mark.looptime

SOON_S = 0.25
"""How soon a command must have taken effect."""
HANGS = then_silence(STREAM, words("Hello"))
FAILS = refuses("400 Bad", "no")
BREAKS = says(STREAM, words("Hel") + END)


class Wheel:
    """A helm on a pool that runs against a rude server."""

    def __init__(self, witness: Witness, pool: Pool, limiter: Limiter, helm: Helm, shelf: PlanShelf) -> None:
        self.witness, self.pool, self.limiter, self.helm, self.shelf = witness, pool, limiter, helm, shelf
        self.more = 0

    def obey(self, *commands: Steer) -> None:
        for command in commands:
            self.helm.obey(command)

    @property
    def states(self) -> dict[State, int]:
        return {state: count for state, count in self.witness.ledger.states.items() if count}

    @property
    def notice(self) -> str | None:
        return self.witness.ledger.notice

    @property
    def markers(self) -> list[str]:
        ledger = self.witness.ledger
        return [marker.what for marker in ledger.history.timeline(2**62, 0.25, ledger.prices).markers]

    @property
    def retries_of(self) -> dict[int, int]:
        return {fact.call: fact.retry_of for fact in self.witness.of(Queued) if fact.retry_of is not None}

    async def within_s(self, condition: Callable[[], bool]) -> float:
        """Seconds of the loop's own time until it holds."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(condition)
        return loop.time() - began


@asynccontextmanager
async def steered(
    *acts: Act,
    calls: int = 4,
    concurrency: int = 2,
    rpm: int | None = None,
    burst: int | None = None,
    shelf: PlanShelf | None = None,
) -> AsyncIterator[Wheel]:
    """A run under way; it is stopped at the end of the `with` unless it has ended."""
    witness, limiter, plans = Witness(), Limiter(rpm, burst=burst), shelf or PlanShelf()

    async def finish(plan: CallPlan, ending: Ending) -> None:
        if ending.state is State.DONE:
            plans.ended_well(plan.id)
        witness(Finished(plan.id, ending.at, ending.state, ending.error))

    async def no_wait() -> None:
        return

    def one_more() -> None:
        wheel.more += 1

    async with RudeServer(*acts) as server, lane_to(server, limiter=limiter) as lane:
        source = (a_plan(number) for number in range(1, calls + 1))
        pool = Pool(Listed(source), lane, witness, concurrency, no_wait, finish, calls, plans.keep)
        helm = Helm(witness.ledger, pool, limiter, plans, witness, one_more)
        wheel = Wheel(witness, pool, limiter, helm, plans)
        witness(PhaseChanged(1, "running"))
        helm.state_limits()
        run = asyncio.create_task(pool.run())
        try:
            yield wheel
        finally:
            if not run.done():
                pool.stop()
            await run
    witness.check()


# ── rate, concurrency, pause ───────────────────────────────────────────────────────────────────────────────


async def test_a_higher_rate_lets_who_waits_go_within_a_quarter_of_a_second() -> None:
    async with steered(WELL, rpm=1) as wheel:
        await until(lambda: wheel.states == {State.DONE: 1, State.WAITING: 2})
        await asyncio.sleep(2)
        wheel.obey(SetRate(600))
        assert await wheel.within_s(lambda: len(wheel.witness.of(Sent)) >= 2) < SOON_S
        assert (wheel.witness.ledger.rpm, wheel.markers) == (600, ["RPM 1 → 600"])


async def test_a_lifted_limit_lets_all_go_within_a_quarter_of_a_second() -> None:
    async with steered(WELL, calls=9, rpm=1) as wheel:
        await until(lambda: wheel.states.get(State.DONE) == 1)
        wheel.obey(SetRate(None))
        assert await wheel.within_s(lambda: wheel.states == {State.DONE: 9}) < SOON_S
        assert wheel.markers == ["no RPM limit"]


async def test_a_lower_rate_holds_at_once_whoever_would_have_gone() -> None:
    async with steered(WELL, calls=20, concurrency=1, rpm=600, burst=1) as wheel:
        await until(lambda: len(wheel.witness.of(Sent)) == 5)
        wheel.obey(SetRate(2))
        await asyncio.sleep(30)
        assert len(wheel.witness.of(Sent)) == 5  # the last minute holds more than two already
        assert wheel.markers == ["RPM 600 → 2"]


async def test_more_streams_at_once_are_sent_within_a_quarter_of_a_second() -> None:
    async with steered(HANGS, calls=9) as wheel:
        await until(lambda: wheel.states == {State.STREAMING: 2})
        await asyncio.sleep(2)
        wheel.obey(SetConcurrency(7))
        assert await wheel.within_s(lambda: wheel.states == {State.STREAMING: 7}) < SOON_S
        assert (wheel.witness.ledger.concurrency, wheel.markers) == (7, ["2 → 7 at once"])


async def test_fewer_streams_at_once_take_no_running_one_and_begin_none_in_its_place() -> None:
    async with steered(HANGS, calls=9, concurrency=3) as wheel:
        await until(lambda: wheel.states == {State.STREAMING: 3})
        wheel.obey(SetConcurrency(1), CancelCall(1), CancelCall(2))
        await asyncio.sleep(2)
        assert wheel.states == {State.STREAMING: 1, State.CANCELLED: 2}
        assert wheel.markers == ["3 → 1 at once"]


async def test_fewer_at_once_hold_back_the_calls_that_a_cool_down_was_holding_already() -> None:
    async with steered(HANGS, calls=40, concurrency=12) as wheel:
        wheel.limiter.close_for(6, "429")
        await until(lambda: wheel.states == {State.WAITING: 12})
        wheel.obey(SetConcurrency(3))
        await asyncio.sleep(10)
        assert wheel.states == {State.WAITING: 9, State.STREAMING: 3}
        wheel.obey(CancelCall(2))
        await until(lambda: wheel.states == {State.WAITING: 8, State.STREAMING: 3, State.CANCELLED: 1})
        wheel.obey(SetConcurrency(12))
        assert await wheel.within_s(lambda: wheel.states == {State.STREAMING: 12, State.CANCELLED: 1}) < SOON_S


async def test_fewer_at_once_hold_for_attempts_that_fail_and_are_tried_again_too() -> None:
    async with steered(*[refuses("503 Busy")] * 6, *[BREAKS] * 6, WELL, calls=40, concurrency=12) as wheel:
        wheel.limiter.close_for(6, "429")
        await until(lambda: wheel.states == {State.WAITING: 12})
        wheel.obey(SetConcurrency(2))
        await until(lambda: sum(wheel.states.values()) == 40 and State.WAITING not in wheel.states)
        await until(lambda: wheel.witness.ledger.in_flight == 0)
        assert wheel.witness.ledger.refusals.in_flight_peak <= 2
        assert wheel.states == {State.BROKEN: 6, State.DONE: 34}


async def test_a_slip_of_the_finger_is_held_to_what_a_machine_can_bear() -> None:
    async with steered(HANGS, calls=2) as wheel:
        wheel.obey(SetRate(10**12), SetConcurrency(10**12))
        assert (wheel.limiter.rpm, wheel.pool.concurrency) == (MOST_RPM, MOST_AT_ONCE)
        wheel.obey(SetRate(-3), SetConcurrency(-3))
        assert (wheel.limiter.rpm, wheel.pool.concurrency) == (1, 1)
        limits = wheel.witness.of(LimitsChanged)[-1]
        assert (limits.rpm, limits.tpm, limits.concurrency) == (1, None, 1)


async def test_a_change_that_changes_nothing_is_not_marked() -> None:
    async with steered(HANGS, rpm=60) as wheel:
        wheel.obey(SetRate(60), SetConcurrency(2), Resume())
        assert wheel.markers == []


async def test_a_pause_begins_nothing_and_a_resume_goes_on_within_a_quarter_of_a_second() -> None:
    async with steered(HANGS, WELL, calls=6, concurrency=2) as wheel:
        wheel.obey(Pause())
        await asyncio.sleep(30)
        assert wheel.states.get(State.DONE) is None
        wheel.obey(Resume())
        assert await wheel.within_s(lambda: wheel.states == {State.STREAMING: 1, State.DONE: 5}) < SOON_S
        assert [fact.phase for fact in wheel.witness.of(PhaseChanged)] == ["running", "paused", "running"]
        assert wheel.markers == ["paused", "resumed"]


async def test_a_call_in_the_limiter_s_queue_is_held_by_a_pause_too() -> None:
    async with steered(WELL, calls=2, rpm=60, burst=1) as wheel:
        await until(lambda: wheel.states == {State.DONE: 1, State.WAITING: 1})
        wheel.obey(Pause())
        await asyncio.sleep(30)
        assert wheel.states == {State.DONE: 1, State.WAITING: 1}
        wheel.obey(Resume())
        assert await wheel.within_s(lambda: wheel.states == {State.DONE: 2}) < SOON_S


async def test_what_drains_can_be_neither_paused_nor_resumed() -> None:
    async with steered(HANGS) as wheel:
        await until(lambda: wheel.states == {State.STREAMING: 2})
        wheel.pool.drain(lambda call: True)
        wheel.obey(Pause(), Resume())
        assert [fact.phase for fact in wheel.witness.of(PhaseChanged)] == ["running"]


async def test_a_cancelled_call_ends_within_a_quarter_of_a_second_and_an_unknown_one_is_no_error() -> None:
    async with steered(HANGS, calls=2) as wheel:
        await until(lambda: wheel.states == {State.STREAMING: 2})
        wheel.obey(CancelCall(1), CancelCall(1), CancelCall(99))
        assert await wheel.within_s(lambda: wheel.states == {State.STREAMING: 1, State.CANCELLED: 1}) < SOON_S


# ── calls that are done again ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("act", "state"), [(FAILS, State.FAILED), (BREAKS, State.BROKEN)])
async def test_a_call_that_failed_is_done_again_within_a_quarter_of_a_second(act: Act, state: State) -> None:
    async with steered(act, HANGS, WELL, concurrency=2, calls=2) as wheel:
        await until(lambda: wheel.states == {state: 1, State.STREAMING: 1})
        wheel.obey(RetryCall(1))
        assert await wheel.within_s(lambda: wheel.states.get(State.DONE) == 1) < SOON_S
        assert (wheel.retries_of, wheel.more, wheel.notice) == ({3: 1}, 1, None)
        assert wheel.witness.entry(3).retry_of == 1


async def test_a_call_that_was_cancelled_is_done_again_when_it_is_asked_for_alone() -> None:
    async with steered(HANGS, HANGS, WELL, calls=2) as wheel:
        await until(lambda: wheel.states == {State.STREAMING: 2})
        wheel.obey(CancelCall(1))
        await until(lambda: wheel.states.get(State.CANCELLED) == 1)
        wheel.obey(RetryFailed())
        assert (wheel.more, wheel.notice) == (0, "no failed call is left to do again")
        wheel.obey(RetryCall(1))
        await until(lambda: wheel.states.get(State.DONE) == 1)
        assert wheel.retries_of == {3: 1}


async def test_a_retry_that_fails_can_be_retried_and_the_first_call_not_once_more() -> None:
    async with steered(FAILS, HANGS, FAILS, WELL, calls=2) as wheel:
        await until(lambda: wheel.states == {State.FAILED: 1, State.STREAMING: 1})
        wheel.obey(RetryCall(1))
        await until(lambda: wheel.states.get(State.FAILED) == 2)
        wheel.obey(RetryCall(1))
        assert wheel.notice == "#1 is not retried: it is done again already"
        wheel.obey(RetryFailed())
        assert wheel.notice == "1 call is done again"
        await until(lambda: wheel.states.get(State.DONE) == 1)
        assert (wheel.retries_of, wheel.more) == ({3: 1, 4: 3}, 2)


async def test_all_that_failed_are_done_again_once_each() -> None:
    async with steered(HANGS, FAILS, BREAKS, FAILS, WELL, calls=5, concurrency=2) as wheel:
        await until(lambda: wheel.states.get(State.DONE) == 1)
        wheel.obey(RetryFailed())
        assert wheel.notice == "3 calls are done again"
        wheel.obey(RetryFailed(), RetryCall(3))
        assert wheel.notice == "#3 is not retried: it is done again already"
        await until(lambda: wheel.states.get(State.DONE) == 4)
        wheel.obey(RetryFailed())
        assert wheel.notice == "no failed call is left to do again"
        assert (sorted(wheel.retries_of.values()), wheel.more) == ([2, 3, 4], 3)


async def test_what_cannot_be_retried_is_refused_with_the_reason() -> None:
    async with steered(HANGS, WELL, calls=2) as wheel:
        await until(lambda: wheel.states == {State.STREAMING: 1, State.DONE: 1})
        for call, why in ((1, "it has not ended"), (2, "it has its answer"), (3, "there is no such call")):
            wheel.obey(RetryCall(call))
            assert wheel.notice == f"#{call} is not retried: {why}"
        assert wheel.more == 0


async def test_nothing_is_retried_in_a_run_that_drains() -> None:
    async with steered(FAILS, HANGS, calls=2) as wheel:
        await until(lambda: wheel.states == {State.FAILED: 1, State.STREAMING: 1})
        wheel.pool.drain(lambda call: True)
        wheel.obey(RetryCall(1))
        assert wheel.notice == "#1 is not retried: nothing more is sent"
        wheel.obey(RetryFailed())
        assert wheel.notice == "nothing is retried: nothing more is sent"
        assert (wheel.more, wheel.retries_of) == (0, {})


async def test_a_call_whose_plan_is_gone_is_refused_and_may_be_counted_apart() -> None:
    shelf = PlanShelf(2_100)  # two short plans
    async with steered(HANGS, FAILS, FAILS, FAILS, WELL, calls=4, shelf=shelf) as wheel:
        await until(lambda: wheel.states == {State.STREAMING: 1, State.FAILED: 3})
        wheel.obey(RetryCall(2))
        assert wheel.notice == "#2 is not retried: what was asked is no longer in memory"
        wheel.obey(RetryFailed())
        assert wheel.notice == "2 calls are done again; 1 more failed: what was asked is no longer in memory"
        await until(lambda: wheel.states.get(State.DONE) == 2)
        assert wheel.more == 2
        wheel.obey(RetryFailed())
        assert wheel.notice == "no failed call is left to do again: what was asked is no longer in memory"
