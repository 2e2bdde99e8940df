"""Tokens that were taken for a call which then left the queue: they are there for the next one."""

import asyncio

import pytest

from tui.engine.limiter import Limiter

pytestmark = pytest.mark.looptime


async def test_a_head_of_the_queue_that_is_cancelled_gives_its_tokens_back():
    limiter = Limiter(rpm=6000, tpm=60_000)
    limiter.pause()
    for _ in range(3):
        waiting = asyncio.ensure_future(limiter.acquire(2000))
        await asyncio.sleep(0.01)
        assert limiter.gauges.tokens_level < 4100
        waiting.cancel()
        await asyncio.wait([waiting])
    assert limiter.gauges.tokens_level == limiter.gauges.tokens_size
    assert limiter.gauges.tokens_reserved == 0


async def test_the_slices_of_a_large_request_come_back_when_it_is_cancelled_between_them():
    limiter, loop = Limiter(tpm=6000), asyncio.get_running_loop()
    large = asyncio.ensure_future(limiter.acquire(3000))
    await asyncio.sleep(7)  # two slices of 600 are taken, the third is waited for
    assert limiter.gauges.tokens_level == pytest.approx(100, abs=2)
    large.cancel()
    await asyncio.wait([large])
    began = loop.time()
    await limiter.acquire(600)
    assert loop.time() == began


async def test_a_cancelled_head_gives_back_no_more_than_it_took():
    limiter = Limiter(tpm=6000)
    await limiter.acquire(300)
    limiter.pause()
    waiting = asyncio.ensure_future(limiter.acquire(200))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert limiter.gauges.tokens_level == pytest.approx(300, abs=1)
    limiter.resume()
    await limiter.acquire(100)
    assert limiter.gauges.tokens_level == pytest.approx(200, abs=1)


async def test_every_slice_comes_back_and_not_only_the_last():
    limiter = Limiter(tpm=6000)
    limiter.pause()
    waiting = asyncio.ensure_future(limiter.acquire(700))
    await asyncio.sleep(1.5)  # 600 at once, and 100 more a second later
    assert limiter.gauges.tokens_level < 100
    waiting.cancel()
    await asyncio.wait([waiting])
    assert limiter.gauges.tokens_level == limiter.gauges.tokens_size
