import asyncio
import random

import pytest

from tui.core.limits_view import Gauges
from tui.engine.limiter import Limiter, RequestTooLarge

pytestmark = pytest.mark.looptime


def most_in_a_minute(instants: list[float]) -> int:
    ordered = sorted(instants)
    return max(sum(1 for at in ordered if start <= at < start + 60) for start in ordered)


async def admissions(limiter: Limiter, count: int) -> list[float]:
    loop = asyncio.get_running_loop()
    instants: list[float] = []

    async def one() -> None:
        await limiter.acquire()
        instants.append(loop.time())

    await asyncio.gather(*(one() for _ in range(count)))
    return instants


@pytest.mark.parametrize(("rpm", "burst"), [(1, None), (7, None), (60, None), (60, 20), (60, 60), (1200, None)])
async def test_no_sliding_minute_holds_more_than_the_limit_and_none_is_wasted(rpm, burst):
    instants = await admissions(Limiter(rpm=rpm, burst=burst), rpm * 3)
    assert most_in_a_minute(instants) <= rpm
    assert max(instants) - min(instants) <= 180 * 1.01


async def test_a_late_loop_still_uses_the_rate():
    limiter, loop = Limiter(rpm=6000), asyncio.get_running_loop()
    began, count = loop.time(), 6000
    for index in range(count):
        await limiter.acquire()
        if index % 5 == 0:
            await asyncio.sleep(0.010)
    assert count / (loop.time() - began) > 0.97 * 100


async def test_the_order_of_asking_is_the_order_of_admission():
    limiter, order = Limiter(rpm=600, tpm=6000), []

    async def ask(number: int, tokens: int) -> None:
        await limiter.acquire(tokens)
        order.append(number)

    rng = random.Random(5)
    await asyncio.gather(*(ask(number, rng.choice((1, 5, 900))) for number in range(40)))
    assert order == list(range(40))


async def test_a_request_over_a_whole_minutes_tokens_is_an_error_that_names_both():
    with pytest.raises(RequestTooLarge, match=r"7000 tokens.*6000 a minute"):
        await Limiter(tpm=6000).acquire(7000)


async def test_tokens_are_held_to_the_limit_and_what_was_not_used_comes_back():
    loop = asyncio.get_running_loop()
    limiter = Limiter(tpm=6000)
    began = loop.time()
    for _ in range(12):
        await limiter.acquire(1000)
    held = loop.time() - began
    assert held >= 100

    limiter = Limiter(tpm=6000)
    began = loop.time()
    for _ in range(12):
        limiter.settle(await limiter.acquire(1000), 100)
    assert loop.time() - began < held / 2


async def test_no_sliding_minute_holds_more_tokens_than_the_limit():
    loop, rng = asyncio.get_running_loop(), random.Random(3)
    limiter, taken = Limiter(tpm=6000), []
    for _ in range(300):
        tokens = rng.choice((10, 200, 700))
        taken.append((await limiter.acquire(tokens)).at)
        taken[-1] = (taken[-1], tokens)
    assert max(sum(n for at, n in taken if start <= at < start + 60) for start, _ in taken) <= 6000
    assert sum(n for _, n in taken) / (loop.time() / 60) > 0.9 * 6000


async def test_a_pause_holds_those_who_already_wait():
    limiter, loop = Limiter(rpm=60), asyncio.get_running_loop()
    await limiter.acquire()
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0.1)
    limiter.pause()
    await asyncio.sleep(30)
    assert not waiting.done()
    limiter.resume()
    began = loop.time()
    await waiting
    assert loop.time() - began < 0.1


async def test_nothing_is_admitted_before_the_hinted_instant_and_the_longest_hint_wins():
    heard = []
    limiter = Limiter(rpm=600, on_closed=lambda seconds, why: heard.append((seconds, why)))
    loop = asyncio.get_running_loop()
    began = loop.time()
    limiter.close_for(10, "429")
    limiter.close_for(3, "429")
    await limiter.acquire()
    assert loop.time() - began >= 10
    assert heard == [(10, "429")]


async def test_a_cool_down_that_comes_while_an_attempt_waits_holds_it_back_too():
    limiter, loop = Limiter(rpm=60), asyncio.get_running_loop()
    await limiter.acquire()
    began = loop.time()
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0.5)
    limiter.close_for(8, "429")
    await waiting
    assert loop.time() - began >= 8.5


async def test_a_new_rate_reaches_those_who_already_wait():
    limiter, loop = Limiter(rpm=1), asyncio.get_running_loop()
    await limiter.acquire()
    began = loop.time()
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(1)
    limiter.set_rpm(600)
    await waiting
    assert loop.time() - began < 2


async def test_lowering_and_raising_the_rate_never_forgets_what_the_minute_held():
    limiter = Limiter(rpm=100)
    instants = await admissions(limiter, 100)
    limiter.set_rpm(10)
    limiter.set_rpm(100)
    instants += await admissions(limiter, 100)
    assert most_in_a_minute(instants) <= 100


async def test_a_cancelled_waiter_leaves_the_queue_to_the_next():
    limiter = Limiter(rpm=60)
    await limiter.acquire()
    first, second = asyncio.ensure_future(limiter.acquire()), asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0.1)
    first.cancel()
    await second
    assert first.cancelled()


async def test_random_schedules_with_cancellation_and_rate_changes_stay_under_the_limit():
    rng = random.Random(11)
    for _ in range(30):
        rpm = rng.choice((1, 5, 30, 120))
        limiter, loop = Limiter(rpm=rpm, burst=rng.choice((None, 1, 5, 50))), asyncio.get_running_loop()
        instants: list[float] = []

        async def one(limiter=limiter, instants=instants, loop=loop) -> None:
            await limiter.acquire()
            instants.append(loop.time())

        tasks = []
        for _ in range(rpm * 2):
            tasks.append(asyncio.ensure_future(one()))
            await asyncio.sleep(rng.random() * 2)
            if rng.random() < 0.2:
                rng.choice(tasks).cancel()
            if rng.random() < 0.1:
                limiter.set_rpm(rng.randint(1, rpm))
        limiter.set_rpm(rpm)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most_in_a_minute(instants) <= rpm


# ── how it stands ──────────────────────────────────────────────────────────────────────────────────────────


async def test_without_limits_there_is_nothing_to_show():
    assert Limiter().gauges == Gauges()


async def test_the_gauges_show_what_may_go_now_and_fill_as_time_passes():
    limiter = Limiter(rpm=600, burst=10, tpm=6000)
    assert limiter.gauges == Gauges(10, 10, 600, 600, 0, 0)
    await limiter.acquire(300)
    gauges = limiter.gauges
    assert (gauges.requests_level, gauges.tokens_level) == (pytest.approx(9, abs=0.1), pytest.approx(300, abs=1))
    await asyncio.sleep(1)
    assert limiter.gauges == Gauges(10, 10, pytest.approx(400, abs=1), 600, 300, 300)


async def test_looking_at_the_gauges_changes_nothing():
    looked_at, left_alone = Limiter(rpm=60, burst=5, tpm=6000), Limiter(rpm=60, burst=5, tpm=6000)
    for limiter in (looked_at, left_alone):
        for _ in range(5):
            await limiter.acquire(50)
    for _ in range(20):
        await asyncio.sleep(0.05)
        assert looked_at.gauges.requests_level >= 0
    instants = await asyncio.gather(admissions(looked_at, 3), admissions(left_alone, 3))
    assert instants[0] == pytest.approx(instants[1], abs=1e-3)


async def test_a_bucket_that_owes_tokens_lets_nothing_go_rather_than_less_than_nothing():
    limiter = Limiter(tpm=6000)
    limiter.settle(await limiter.acquire(600), 2000)
    assert limiter.gauges.tokens_level == 0
    await asyncio.sleep(20)
    assert limiter.gauges.tokens_level == pytest.approx(600)


async def test_whoever_stands_in_the_queue_is_counted_until_admitted_refused_or_gone():
    limiter = Limiter(rpm=60, burst=1, tpm=600)
    waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(4)]
    await asyncio.sleep(0.1)
    assert limiter.gauges.in_limiter == 3
    waiting[2].cancel()
    await asyncio.sleep(0)
    assert limiter.gauges.in_limiter == 2
    with pytest.raises(RequestTooLarge):
        await limiter.acquire(601)
    assert limiter.gauges.in_limiter == 2
    await asyncio.wait(waiting)
    assert limiter.gauges.in_limiter == 0


async def test_a_new_rate_is_what_the_gauges_show_at_once():
    limiter = Limiter()
    limiter.set_rpm(6000)
    assert limiter.gauges == Gauges(10, 10)
    limiter.set_rpm(None)
    assert limiter.gauges == Gauges()


async def test_tokens_settled_after_their_minute_are_not_reserved_for_ever():
    limiter, loop = Limiter(tpm=6000), asyncio.get_running_loop()
    reservation = await limiter.acquire(6000)
    await asyncio.sleep(70)
    limiter.settle(reservation, 100)
    began = loop.time()
    await limiter.acquire(600)
    assert loop.time() == began


async def test_what_is_reserved_is_in_the_gauges_until_it_is_settled_or_leaves_the_window():
    limiter = Limiter(tpm=6000)
    first = await limiter.acquire(600)
    second = await limiter.acquire(300)
    assert (limiter.gauges.tokens_reserved, limiter.gauges.tokens_reserved_peak) == (900, 900)
    limiter.settle(first, 100)
    assert limiter.gauges.tokens_reserved == 400
    limiter.settle(second, 1000)
    assert (limiter.gauges.tokens_reserved, limiter.gauges.tokens_reserved_peak) == (1100, 1100)
    await asyncio.sleep(70)
    assert (limiter.gauges.tokens_reserved, limiter.gauges.tokens_reserved_peak) == (0, 1100)


async def test_without_a_limit_of_tokens_none_are_said_to_be_reserved():
    limiter = Limiter(rpm=600)
    await limiter.acquire(500)
    assert (limiter.gauges.tokens_reserved, limiter.gauges.tokens_reserved_peak) == (None, None)


# ── so many at once ────────────────────────────────────────────────────────────────────────────────────────


class Wire:
    """Attempts that ask in order, and each of which lasts until the test ends it."""

    def __init__(self, limiter: Limiter, attempts: int) -> None:
        self.limiter = limiter
        self.on_it: list[int] = []
        self.most = 0
        self._ends = [asyncio.Event() for _ in range(attempts)]
        self.tasks = [asyncio.ensure_future(self._attempt(number)) for number in range(attempts)]

    async def _attempt(self, number: int) -> None:
        await self.limiter.acquire()
        try:
            self.on_it.append(number)
            self.most = max(self.most, len(self.on_it))
            await self._ends[number].wait()
        finally:
            self.on_it.remove(number)
            self.limiter.ended()

    async def end(self, *numbers: int) -> list[int]:
        for number in numbers:
            self._ends[number].set()
        await asyncio.sleep(0.1)
        return self.on_it

    async def end_all(self) -> None:
        await self.end(*range(len(self.tasks)))
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_number_at_once_that_is_lowered_in_a_cool_down_holds_for_all_who_stand_in_it():
    limiter = Limiter()
    limiter.set_at_once(64)
    limiter.close_for(6, "429")
    wire = Wire(limiter, 64)
    await asyncio.sleep(1)
    limiter.set_at_once(4)
    await asyncio.sleep(10)
    assert wire.on_it == [0, 1, 2, 3]
    assert limiter.gauges.in_limiter == 60
    assert await wire.end(1) == [0, 2, 3, 4]
    await wire.end_all()
    assert wire.most == 4


async def test_who_is_on_the_wire_stays_when_the_number_is_lowered_and_a_raise_takes_effect_at_once():
    limiter = Limiter()
    wire = Wire(limiter, 8)
    await asyncio.sleep(0.1)
    more = Wire(limiter, 5)
    limiter.set_at_once(3)
    await asyncio.sleep(0.1)
    assert (len(wire.on_it), more.on_it) == (8, [])
    await wire.end(0, 1, 2, 3, 4)
    assert more.on_it == []
    await wire.end(5)
    assert more.on_it == [0]
    limiter.set_at_once(6)
    await asyncio.sleep(0.01)
    assert more.on_it == [0, 1, 2, 3]
    limiter.set_at_once(None)
    await asyncio.sleep(0.01)
    assert more.on_it == [0, 1, 2, 3, 4]
    await wire.end_all()
    await more.end_all()


async def test_a_place_on_the_wire_comes_free_when_its_attempt_is_cancelled_and_not_when_a_waiter_is():
    limiter = Limiter()
    limiter.set_at_once(2)
    wire = Wire(limiter, 6)
    await asyncio.sleep(0.1)
    wire.tasks[2].cancel()  # the first of those who wait
    wire.tasks[4].cancel()
    await asyncio.sleep(0.1)
    assert wire.on_it == [0, 1]
    wire.tasks[0].cancel()
    await asyncio.sleep(0.1)
    assert wire.on_it == [1, 3]
    await wire.end_all()
    assert wire.most == 2


async def test_as_many_slots_as_may_be_at_once_wait_for_nothing():
    async def turns_taken(at_once: int | None) -> int:
        limiter, turns, done = Limiter(), 0, False
        limiter.set_at_once(at_once)

        async def slot() -> None:
            for _ in range(50):
                await limiter.acquire()
                try:
                    await asyncio.sleep(0)
                finally:
                    limiter.ended()

        async def count() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        await asyncio.gather(*(slot() for _ in range(8)))
        done = True
        await counting
        return turns

    assert await turns_taken(8) == await turns_taken(None)


async def test_random_ends_cancellations_and_numbers_never_admit_more_than_the_number_nor_strand_anyone():
    rng = random.Random(7)
    for _ in range(20):
        limiter, at_once = Limiter(rpm=rng.choice((None, 6000))), 1
        limiter.set_at_once(at_once)
        wire = Wire(limiter, 40)
        for _ in range(60):
            before = list(wire.on_it)
            if rng.random() < 0.3:
                at_once = rng.randint(1, 12)
                limiter.set_at_once(at_once)
            if rng.random() < 0.2:
                rng.choice(wire.tasks).cancel()
            if before and rng.random() < 0.6:
                await wire.end(rng.choice(before))
            await asyncio.sleep(0.2)
            assert len(wire.on_it) <= max(at_once, len(before))
            waiting = limiter.gauges.in_limiter
            assert waiting == 0 or len(wire.on_it) >= at_once
            assert wire.on_it == sorted(wire.on_it)
        await wire.end_all()
        assert limiter.gauges.in_limiter == 0
        assert wire.on_it == []


async def test_what_an_earlier_session_sent_is_in_the_window_until_a_minute_has_passed():
    limiter, began = Limiter(rpm=60, burst=60), asyncio.get_running_loop().time()
    limiter.remember([70.0, 50.0, *([20.0] * 39)])
    instants = [at - began for at in await admissions(limiter, 60)]
    assert sum(at < 9 for at in instants) == 20
    assert sum(at < 39 for at in instants) == 21
    assert max(instants) < 62
