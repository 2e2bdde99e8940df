"""The way to one provider: its limiter and, while the server keeps failing, only one request at a time.

What a batch does where an interactive run fails its calls, because its retry budget is spent: the lane is closed for
a pause, then one request is tried, whosever it is; when that one fails too, the next pause is twice as long. As soon
as one is answered everybody may go again. Nobody gets more attempts for it than their policy allows: with a server
that never recovers, every call ends after as many as ever, in peace.

Decides nothing about retries: engine/call.py says when it narrows, and what came of the one that was tried.
"""

import asyncio
import random
from dataclasses import dataclass

from tui.engine.limiter import Limiter, Reservation

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
WHY = "the server keeps failing: one request is tried at a time"


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to send one attempt."""

    reservation: Reservation
    alone: bool
    """It is the one that is tried while the server keeps failing."""


class Gate:
    """Stands in front of the limiter. While all is well it is the limiter, and nothing else."""

    def __init__(self, limiter: Limiter, rng: random.Random) -> None:
        self._limiter = limiter
        self._rng = rng
        self._pause_s = 0.0
        """The last pause; 0: the gate is wide."""
        self._one = asyncio.Lock()
        """Whoever is tried alone has it, from before the limiter's queue to the attempt's end."""

    def is_narrow(self) -> bool:
        """The server keeps failing, as far as anybody knows."""
        return self._pause_s > 0

    def narrow(self) -> None:
        """From now on one at a time, after a first pause; no effect when it is so already."""
        if not self.is_narrow():
            self._pause(FIRST_PAUSE_S)

    async def admit(self, tokens: int) -> Admission:
        """Wait for a turn at the limiter, alone where need be; whoever got it says when it has `left`.

        Raises RequestTooLarge as `Limiter.acquire` does.
        """
        while True:
            if not self.is_narrow():
                reservation = await self._limiter.acquire(tokens)
                if not self.is_narrow():
                    return Admission(reservation, alone=False)
                # It has narrowed while this one stood in the limiter. Of the rate its place is lost, which is little:
                # it happens once for each that stood there, in an outage.
                self._limiter.settle(reservation, 0)
                self._limiter.ended()
            await self._one.acquire()
            try:
                if self.is_narrow():
                    return Admission(await self._limiter.acquire(tokens), alone=True)
            except BaseException:
                self._one.release()
                raise
            self._one.release()

    def left(self, admission: Admission, answered: bool | None) -> None:
        """An attempt is off the wire; whether the server answered it, for which a refusal of this one request will do.

        None: nobody knows, for it was cancelled or its time was up. Once for each that was admitted.
        """
        self._limiter.ended()
        if not admission.alone:
            return  # the end of a stream that began before the trouble does not say that it is over
        if answered:
            self._pause_s = 0.0
        elif answered is not None:
            self._pause(min(2 * self._pause_s, LONGEST_PAUSE_S))
        self._one.release()

    def _pause(self, seconds: float) -> None:
        self._pause_s = seconds
        # Up to a tenth more: several runs that saw the same outage begin do not come back in step.
        self._limiter.close_for(seconds * (1 + 0.1 * self._rng.random()), WHY)


__all__ = ["FIRST_PAUSE_S", "LONGEST_PAUSE_S", "WHY", "Admission", "Gate"]
