"""The limiter's two laws over random schedules of asking, cancelling and changing the rate, in virtual time.

Never too much: under a rate of r a minute, no admission is more than the r-th of the 60 s that end with it. Never too
little: while work waits, an admission comes at most 1 % later than the rate asks for, which is 60 s / r after the one
before it or, when the minute is full, 60 s after the r-th before it; so r of them never take more than 60.6 s.

Each schedule is drawn from its own number, so that a failure names the one to run again.
"""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from tui.engine.limiter import Limiter

# Sockets and threads are what the idle turns before each leap in time are for; here they would be most of the work.
pytestmark = pytest.mark.looptime(noop_cycles=1)

RUNGS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60)
WINDOW_S = 60.0
DAY_S = 24 * 3600.0
"""Whoever has not been let go by then never will be."""
TIMER_S = 1e-5
"""The virtual loop counts in microseconds, and a wait is a few of its timers."""


@dataclass(frozen=True)
class Admission:
    """One caller who was let go."""

    at: float
    asked_at: float
    rpm: int | None
    """The limit in force."""
    since: float
    """When that limit came into force."""


@dataclass
class Schedule:
    """One limiter, who asks it for what, and whom it let go."""

    number: int
    limiter: Limiter = field(init=False)
    since: float = field(init=False)
    admitted: list[Admission] = field(default_factory=list)

    async def run(self) -> None:
        """Ask in bursts and trickles, change the rate and one's mind, and wait until nobody waits."""
        draw = random.Random(f"schedule {self.number}")
        now = asyncio.get_running_loop().time
        rpm = draw.choice(RUNGS)
        self.limiter = Limiter(rpm=rpm, burst=draw.choice((None, None, 1, draw.randint(1, rpm), rpm, 2 * rpm)))
        self.since = now()
        pace_s = WINDOW_S / rpm * draw.choice((0.01, 0.3, 0.9, 1.5))
        changes, cancels = draw.choice((0.0, 0.02, 0.1)), draw.choice((0.0, 0.05, 0.4))
        asking: list[asyncio.Task[None]] = []
        asks = draw.randint(10, 90)
        while len(asking) < asks:
            asking += [asyncio.ensure_future(self._ask(now())) for _ in range(draw.choice((1, 1, 1, 2, 5, 30)))]
            await asyncio.sleep(draw.expovariate(1 / pace_s) if draw.random() < 0.95 else draw.uniform(0, 90))
            if draw.random() < cancels:
                for task in draw.sample(asking, draw.randint(1, min(5, len(asking)))):
                    task.cancel()
            if draw.random() < changes:
                self._change_rate(draw)
        async with asyncio.timeout(DAY_S):
            for ended in await asyncio.gather(*asking, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended

    def _change_rate(self, draw: random.Random) -> None:
        # Once in a while there is no limit: what goes then still counts for the next one.
        self.limiter.set_rpm(None if draw.random() < 0.05 else draw.choice(RUNGS))
        self.since = asyncio.get_running_loop().time()

    async def _ask(self, asked_at: float) -> None:
        await self.limiter.acquire()
        at = asyncio.get_running_loop().time()
        self.admitted.append(Admission(at, asked_at, self.limiter.rpm, self.since))

    def breaches(self) -> list[str]:
        """Every admission that breaks a law, and how."""
        found = []
        for index, this in enumerate(self.admitted):
            if this.rpm is None:
                continue
            due = max(this.asked_at, this.since)
            if index:
                due = max(due, self.admitted[index - 1].at + WINDOW_S / this.rpm * 1.01)
            if index >= this.rpm:
                left_at = self.admitted[index - this.rpm].at + WINDOW_S
                due = max(due, left_at + WINDOW_S * 0.01)
                if this.at < left_at:
                    found.append(self._said(index, f"too early: the window is full until {left_at:.6f}"))
            if this.at > due + TIMER_S:
                found.append(self._said(index, f"too late: due by {due:.6f}"))
        return found

    def _said(self, index: int, what: str) -> str:
        this = self.admitted[index]
        return f"schedule {self.number}: admission {index} at {this.at:.6f} under {this.rpm} rpm is {what}"


async def breaches_of(numbers: range) -> list[str]:
    found: list[str] = []
    for number in numbers:
        schedule = Schedule(number)
        await schedule.run()
        assert schedule.admitted
        found += schedule.breaches()
    return found


async def test_no_schedule_gets_more_than_the_limit_or_waits_longer_than_it_asks_for():
    assert await breaches_of(range(500)) == []


async def test_no_minute_holds_more_tokens_than_the_limit_however_late_they_are_settled():
    now = asyncio.get_running_loop().time
    for number in range(40):
        draw = random.Random(f"tokens {number}")
        tpm = draw.choice((600, 6000, 100_000))
        limiter, admitted = Limiter(rpm=draw.choice((None, 30, 600)), tpm=tpm), []

        async def one(needed, used, lasts_s, limiter=limiter, admitted=admitted, number=number, tpm=tpm) -> None:
            reservation = await limiter.acquire(needed)
            admitted.append(reservation)
            held = sum(each.tokens for each in admitted if each.at > now() - WINDOW_S)
            assert held <= tpm, f"schedule {number}: {held} tokens at {now():.6f}"
            await asyncio.sleep(lasts_s)
            limiter.settle(reservation, used)

        asking = []
        for _ in range(60):
            needed = draw.randint(1, draw.choice((tpm, tpm // 8, tpm // 8, tpm // 8)))
            asking.append(asyncio.ensure_future(one(needed, draw.randint(0, needed), draw.choice((1, 10, 70)))))
            await asyncio.sleep(draw.expovariate(1))
            if draw.random() < 0.2:
                draw.choice(asking).cancel()
        async with asyncio.timeout(DAY_S):
            for ended in await asyncio.gather(*asking, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended


@pytest.mark.long
async def test_neither_does_any_of_ten_thousand():
    assert await breaches_of(range(10_000)) == []
