"""How many turns of the loop an admission takes: none where nobody was admitted in this one; in a crowd, one each."""

import asyncio

import pytest

from tui.engine.limiter import Limiter

pytestmark = pytest.mark.looptime


class Turns:
    """Counts the turns of the loop while it is entered; virtual time stands still meanwhile."""

    def __init__(self) -> None:
        self.now = 0

    def _count(self) -> None:
        self.now += 1
        self._next = asyncio.get_running_loop().call_soon(self._count)

    def __enter__(self) -> "Turns":
        self._next = asyncio.get_running_loop().call_soon(self._count)
        return self

    def __exit__(self, *error: object) -> None:
        self._next.cancel()


@pytest.mark.parametrize("limiter", [Limiter(), Limiter(rpm=60_000), Limiter(rpm=60_000, tpm=60_000)])
async def test_who_comes_alone_goes_in_the_turn_in_which_it_came(limiter: Limiter) -> None:
    with Turns() as turns:
        for _ in range(5):
            before = turns.now
            await limiter.acquire(10)
            assert turns.now == before
            await asyncio.sleep(0)
            await asyncio.sleep(0)


async def test_the_second_of_a_turn_goes_in_the_next_one() -> None:
    limiter = Limiter()
    with Turns() as turns:
        await asyncio.sleep(0)
        before = turns.now
        await limiter.acquire()
        await limiter.acquire()
        assert turns.now - before == 1


async def test_a_crowd_is_admitted_one_a_turn() -> None:
    limiter, admitted = Limiter(), []

    async def one() -> None:
        await limiter.acquire()
        admitted.append(turns.now)

    with Turns() as turns:
        await asyncio.gather(*(one() for _ in range(200)))
    assert len(set(admitted)) == 200
    assert max(admitted) - min(admitted) < 2 * 200  # it is not kept waiting for longer than that needs


async def test_a_refusal_in_the_turn_of_an_admission_holds_the_next_one_back() -> None:
    limiter, loop = Limiter(), asyncio.get_running_loop()
    await limiter.acquire()
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0)
    limiter.close_for(5, "429")
    began = loop.time()
    again = asyncio.ensure_future(limiter.acquire())
    await asyncio.gather(waiting, again)
    assert loop.time() - began >= 5
