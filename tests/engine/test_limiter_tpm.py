"""Another limit of tokens while a run is under way: what the last minute held counts on, and who waits hears of it."""

import asyncio
import random

import pytest

from tui.core.limits_view import Gauges
from tui.engine.limiter import Limiter, RequestTooLarge

pytestmark = pytest.mark.looptime


async def test_a_higher_limit_reaches_those_who_already_wait() -> None:
    limiter, loop = Limiter(tpm=600), asyncio.get_running_loop()
    await limiter.acquire(600)
    waiting = asyncio.ensure_future(limiter.acquire(600))
    await asyncio.sleep(1)
    began = loop.time()
    limiter.set_tpm(60_000)
    await waiting
    assert loop.time() - began < 1


async def test_a_lower_limit_counts_what_the_minute_already_holds() -> None:
    limiter, loop = Limiter(tpm=6000), asyncio.get_running_loop()
    await limiter.acquire(600)
    await asyncio.sleep(10)
    began = loop.time()
    limiter.set_tpm(1000)
    await limiter.acquire(300)
    assert loop.time() - began < 30
    await limiter.acquire(300)
    assert loop.time() - began >= 50


async def test_who_waits_with_more_than_the_new_limit_is_told_so_at_once_and_the_next_one_goes() -> None:
    limiter, loop = Limiter(tpm=6000), asyncio.get_running_loop()
    await limiter.acquire(6000)
    large, small = asyncio.ensure_future(limiter.acquire(3000)), asyncio.ensure_future(limiter.acquire(500))
    await asyncio.sleep(1)
    began = loop.time()
    limiter.set_tpm(1000)
    with pytest.raises(RequestTooLarge, match=r"3000 tokens.*1000 a minute"):
        await large
    assert loop.time() == began
    limiter.set_tpm(60_000)
    await small
    assert loop.time() - began < 1
    assert limiter.gauges.in_limiter == 0


async def test_without_a_limit_any_number_of_tokens_goes_at_once() -> None:
    limiter, loop = Limiter(tpm=600), asyncio.get_running_loop()
    await limiter.acquire(600)
    waiting = asyncio.ensure_future(limiter.acquire(600))
    await asyncio.sleep(0.1)
    began = loop.time()
    limiter.set_tpm(None)
    await asyncio.gather(waiting, limiter.acquire(1_000_000))
    assert loop.time() == began
    assert limiter.gauges == Gauges()


async def test_what_was_used_before_there_was_a_limit_counts_under_it() -> None:
    limiter, loop = Limiter(), asyncio.get_running_loop()
    limiter.settle(await limiter.acquire(0), 900)
    began = loop.time()
    limiter.set_tpm(1000)
    assert (limiter.gauges.tokens_reserved, limiter.gauges.tokens_reserved_peak) == (900, 900)
    await limiter.acquire(200)
    assert loop.time() - began >= 60


async def test_the_bucket_stays_as_full_as_it_was_and_holds_no_more_than_the_new_one_can() -> None:
    limiter = Limiter(tpm=6000)
    await limiter.acquire(250)
    limiter.set_tpm(60_000)
    assert limiter.gauges.tokens_level == pytest.approx(6000 - 250, abs=1)
    limiter.set_tpm(1000)
    assert (limiter.gauges.tokens_level, limiter.gauges.tokens_size) == (0, 100)


async def test_a_head_of_the_queue_that_is_cancelled_after_a_change_owes_nothing() -> None:
    limiter = Limiter(tpm=6000)
    limiter.pause()
    waiting = asyncio.ensure_future(limiter.acquire(400))
    await asyncio.sleep(0.01)
    limiter.set_tpm(3000)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert limiter.gauges.tokens_level == limiter.gauges.tokens_size == 300


async def test_random_changes_never_let_more_into_a_minute_than_the_limit_of_that_moment_and_strand_nobody() -> None:
    now = asyncio.get_running_loop().time
    for number in range(25):
        draw = random.Random(f"changes {number}")
        limiter, admitted = Limiter(rpm=draw.choice((None, 60)), tpm=6000), []

        async def one(tokens: int, limiter=limiter, admitted=admitted, number=number) -> None:
            try:
                reservation = await limiter.acquire(tokens)
            except RequestTooLarge:
                assert tokens > limiter.tpm
                return
            admitted.append(reservation)
            held = sum(each.tokens for each in admitted if each.at > now() - 60)
            assert limiter.tpm is None or held <= limiter.tpm, f"schedule {number}: {held} tokens at {now():.6f}"

        asking = []
        for _ in range(40):
            asking.append(asyncio.ensure_future(one(draw.randint(1, 1500))))
            await asyncio.sleep(draw.expovariate(0.5))
            if draw.random() < 0.2:
                limiter.set_tpm(draw.choice((None, 600, 2000, 6000, 100_000)))
            if draw.random() < 0.1:
                draw.choice(asking).cancel()
        async with asyncio.timeout(24 * 3600):
            for ended in await asyncio.gather(*asking, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
        assert limiter.gauges.in_limiter == 0
