"""The way to a server that keeps failing: one request at a time, after growing pauses, until one is answered."""

import asyncio
import random

import pytest

from tui.engine.gate import FIRST_PAUSE_S, LONGEST_PAUSE_S, WHY, Gate
from tui.engine.limiter import Limiter, RequestTooLarge

pytestmark = pytest.mark.looptime


class Scene:
    """A gate, and a server that answers from an instant on; until then it fails, 0.1 s after it was asked."""

    def __init__(self, well_from_s: float = float("inf"), **limits: int) -> None:
        self.closed: list[tuple[float, str]] = []
        self.limiter = Limiter(**limits, on_closed=lambda seconds, why: self.closed.append((seconds, why)))
        self.gate = Gate(self.limiter, random.Random(1))
        self.well_from_s = well_from_s
        self.sent_s: list[float] = []
        self.callers: list[int] = []
        self.on_wire = self.most_on_wire = 0

    async def ask(self, caller: int = 0) -> bool:
        admission = await self.gate.admit(0)
        now = asyncio.get_running_loop().time
        self.sent_s.append(now())
        self.callers.append(caller)
        self.on_wire += 1
        self.most_on_wire = max(self.most_on_wire, self.on_wire)
        well: bool | None = None
        try:
            await asyncio.sleep(0.1)
            well = now() >= self.well_from_s
        finally:
            self.on_wire -= 1
            self.gate.left(admission, well)
        return well

    async def insist(self, caller: int) -> None:
        """As a call does that may try without end."""
        while not await self.ask(caller):
            pass

    def gaps_s(self) -> list[float]:
        return [after - before for before, after in zip(self.sent_s, self.sent_s[1:], strict=False)]


async def test_a_wide_gate_is_the_limiter() -> None:
    scene = Scene(0.0)
    await asyncio.gather(*(scene.ask() for _ in range(20)))
    assert scene.most_on_wire == 20
    assert not scene.closed


async def test_a_narrow_gate_lets_one_at_a_time_through_after_pauses_that_double_up_to_a_minute() -> None:
    scene = Scene()
    scene.gate.narrow()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(400):
            await asyncio.gather(*(scene.insist(caller) for caller in range(20)))
    assert scene.most_on_wire == 1
    pauses = [1, 2, 4, 8, 16, 32, 60, 60]
    assert scene.closed[:8] == [(pytest.approx(seconds * 1.05, rel=0.05), WHY) for seconds in pauses]
    assert all(pause <= gap <= pause * 1.1 + 0.2 for pause, gap in zip(pauses[1:], scene.gaps_s(), strict=False))
    assert (FIRST_PAUSE_S, LONGEST_PAUSE_S) == (1, 60)


async def test_they_take_turns_so_that_an_outage_costs_none_of_them_all_its_attempts() -> None:
    scene = Scene()
    scene.gate.narrow()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1000):
            await asyncio.gather(*(scene.insist(caller) for caller in range(4)))
    assert scene.callers[:12] == [0, 1, 2, 3] * 3


async def test_with_the_first_answer_all_go_at_once() -> None:
    scene = Scene(well_from_s=30.0)
    scene.gate.narrow()
    await asyncio.gather(*(scene.insist(caller) for caller in range(20)))
    assert asyncio.get_running_loop().time() < 70
    assert scene.most_on_wire == 19
    assert not scene.gate.is_narrow()


async def test_the_next_outage_begins_with_a_short_pause_again() -> None:
    scene = Scene(well_from_s=10.0)
    scene.gate.narrow()
    await scene.insist(1)
    scene.closed.clear()
    scene.gate.narrow()
    assert scene.closed == [(pytest.approx(1.05, rel=0.05), WHY)]


async def test_it_is_narrowed_once_by_all_that_fail_together() -> None:
    scene = Scene()
    for _ in range(10):
        scene.gate.narrow()
    assert len(scene.closed) == 1


async def test_who_stood_in_the_limiter_when_it_narrowed_is_not_sent_either() -> None:
    scene = Scene(rpm=60)
    waiting = [asyncio.create_task(scene.insist(caller)) for caller in range(8)]
    await asyncio.sleep(2.5)
    before = len(scene.sent_s)
    scene.gate.narrow()
    await asyncio.sleep(60)
    assert before == 3
    assert scene.gate.is_narrow()
    assert scene.gaps_s()[before + 1] >= 2
    assert len(scene.sent_s) - before <= 6
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert scene.limiter.gauges.in_limiter == 0


async def test_who_is_turned_back_at_the_limiter_leaves_nothing_behind() -> None:
    scene = Scene(tpm=1000)
    scene.limiter.set_at_once(1)
    first = await scene.gate.admit(10)
    second, third = (asyncio.create_task(scene.gate.admit(20)) for _ in range(2))
    await asyncio.sleep(0.1)
    scene.gate.narrow()
    scene.gate.left(first, False)
    admission = await second
    assert admission.alone
    assert scene.limiter.gauges.tokens_reserved == 10 + 20  # the first's, which was not settled, and its own
    scene.gate.left(admission, True)
    scene.gate.left(await third, True)
    assert scene.limiter.gauges.tokens_reserved == 10 + 20 + 20


async def test_a_stream_that_began_before_the_trouble_says_nothing_about_its_end() -> None:
    scene = Scene()
    early = await scene.gate.admit(0)
    scene.gate.narrow()
    scene.gate.left(early, True)
    assert scene.gate.is_narrow()


async def test_one_that_is_cancelled_makes_room_for_the_next() -> None:
    scene = Scene()
    scene.gate.narrow()
    first, second = (asyncio.create_task(scene.ask(caller)) for caller in (1, 2))
    await asyncio.sleep(0.5)
    first.cancel()  # it waits in the limiter, for the pause to end
    await second
    assert scene.callers == [2]
    third, fourth = (asyncio.create_task(scene.ask(caller)) for caller in (3, 4))
    while scene.on_wire == 0:  # noqa: ASYNC110 - a scene sets no event
        await asyncio.sleep(0.01)
    before = len(scene.closed)
    third.cancel()  # on the wire: of the server it says nothing
    await asyncio.sleep(0.01)
    assert len(scene.closed) == before
    await fourth
    assert scene.callers == [2, 3, 4]


async def test_a_request_that_no_limit_can_hold_does_not_keep_the_others_out() -> None:
    scene = Scene(0.0, tpm=100)
    scene.gate.narrow()
    with pytest.raises(RequestTooLarge):
        await scene.gate.admit(101)
    assert await scene.ask()
