"""Holds a run to the pace that its server bears (`--adapt`): looks many times a second, and turns limiter and pool.

The decisions are those of core/adapt.py.
"""

import asyncio
from typing import Any

from tui.core.adapt import Pace, Pacer
from tui.core.adapt_seen import seen
from tui.core.clock import now_ns
from tui.core.commands import SetConcurrency, SetRate
from tui.core.ledger import Ledger
from tui.engine.helm import Helm
from tui.engine.limiter import Limiter
from tui.engine.pool import Pool

LOOK_S = 0.05
"""What goes out between a refusal and the look at it is refused as well. A look costs some 20 µs."""
COARSE = 0.03
"""A step up of our own by less is not made yet: each one is a mark in the charts. A lower rate is always set, and so
is a limit itself: a run that goes 2 % beyond what the server states is refused, whatever the charts look like."""


class Adapter:
    """Adapts one run. To be made before its pool runs: the pace of the start is set at once."""

    def __init__(self, pacer: Pacer, ledger: Ledger, pool: Pool, limiter: Limiter, helm: Helm) -> None:
        self._pacer = pacer
        self._ledger = ledger
        self._pool = pool
        self._limiter = limiter
        self._helm = helm
        self._asked_rpm = limiter.rpm
        """What a person asked for; None: nothing."""
        self._asked_tpm = limiter.tpm
        self._refusals = 0
        """Of the run's, how many were looked at."""
        if pacer.rpm != limiter.rpm:
            limiter.set_rpm(pacer.rpm)
        if pacer.concurrency != pool.concurrency:
            pool.set_concurrency(pacer.concurrency)

    @property
    def belief(self) -> tuple[str, ...]:
        """What it believes of the server's limits, and why."""
        return self._pacer.belief

    def found(self) -> dict[str, Any]:
        """What it has come to, for the summary."""
        limiter = self._limiter
        return {
            "rpm": limiter.rpm,
            "tpm": limiter.tpm,
            "concurrency": self._pool.concurrency,
            "belief": list(self.belief),
        }

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
            self._limiter.close_for(pace.hold_s, "429: waiting to learn at which pace it refills")
        faster_or_slower = self._is_news(pace.rpm, said_rpm)
        if faster_or_slower:
            self._limiter.set_rpm(pace.rpm)
        more_or_fewer = pace.concurrency != self._pool.concurrency
        if more_or_fewer:
            self._pool.set_concurrency(pace.concurrency)
        tpm = self._asked_tpm if pace.tpm is None else min(pace.tpm, self._asked_tpm or pace.tpm)
        more_or_fewer_tokens = tpm != self._limiter.tpm
        if more_or_fewer_tokens:
            self._limiter.set_tpm(tpm)
        if faster_or_slower or more_or_fewer or more_or_fewer_tokens:
            self._helm.state_limits()

    def _is_news(self, rpm: int | None, said_rpm: int | None) -> bool:
        ours = self._limiter.rpm
        if rpm is None or ours is None:
            return rpm is not ours
        if rpm < ours or rpm in (said_rpm, self._asked_rpm):
            return rpm != ours
        return rpm - ours > COARSE * ours
