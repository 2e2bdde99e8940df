"""Holds a run to the pace that its server bears (`--adapt`): looks once a second, and turns limiter and pool.

The decisions are those of core/adapt.py.
"""

import asyncio

from tui.core.adapt import Pace, Pacer, seen
from tui.core.clock import now_ns
from tui.core.commands import SetConcurrency, SetRate
from tui.core.ledger import Ledger
from tui.engine.helm import Helm
from tui.engine.limiter import Limiter
from tui.engine.pool import Pool

LOOK_S = 1.0
COARSE = 0.03
"""A step up of our own by less is not made yet: each one is a mark in the charts. A lower rate is always set, and so
is a limit itself: a run that goes 2 % beyond what the server states is refused, whatever the charts look like."""


class Adapter:
    """Adapts one run."""

    def __init__(self, pacer: Pacer, ledger: Ledger, pool: Pool, limiter: Limiter, helm: Helm) -> None:
        self._pacer = pacer
        self._ledger = ledger
        self._pool = pool
        self._limiter = limiter
        self._helm = helm
        self._asked_rpm = limiter.rpm
        """What a person asked for; None: nothing."""
        self._refusals = 0
        """Of the run's, how many were looked at."""

    @property
    def belief(self) -> tuple[str, ...]:
        """What it believes of the server's limits, and why."""
        return self._pacer.belief

    async def run(self) -> None:
        """Adapt until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Look once, and obey what follows from it."""
        now = now_ns()
        run = seen(self._ledger, self._limiter.gauges.in_limiter, self._refusals, now)
        self._apply(self._pacer.look(run), run.said_rpm)
        self._refusals = self._ledger.refusals.total

    def person_set(self, command: SetRate | SetConcurrency) -> None:
        """A person has changed a limit, by a command that was obeyed: what it is now is the most from here on."""
        if isinstance(command, SetRate):
            self._asked_rpm = self._limiter.rpm
            self._pacer.person_set_rate(self._limiter.rpm)
        else:
            self._pacer.person_set_at_once(self._pool.concurrency)

    def _apply(self, pace: Pace, said_rpm: int | None) -> None:
        if pace.hold_s:
            self._limiter.close_for(pace.hold_s, "429: the server does not say how long to wait")
        if not (changed := self._is_news(pace.rpm, said_rpm)) and pace.concurrency == self._pool.concurrency:
            return
        if changed:
            self._limiter.set_rpm(pace.rpm)
        if pace.concurrency != self._pool.concurrency:
            self._pool.set_concurrency(pace.concurrency)
        self._helm.state_limits()

    def _is_news(self, rpm: int | None, said_rpm: int | None) -> bool:
        ours = self._limiter.rpm
        if rpm is None or ours is None:
            return rpm is not ours
        if rpm < ours or rpm in (said_rpm, self._asked_rpm):
            return rpm != ours
        return rpm - ours > COARSE * ours
