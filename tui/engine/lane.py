"""All that the calls to one provider share: line, gate, limiter, retry budget, and whether it is stopped."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from tui.core.calls import CallPlan
from tui.core.live_tokens import CHARS_A_TOKEN
from tui.core.retry import LONGEST_COOL_DOWN_S, Failure, RetryBudget, RetryPolicy
from tui.core.structured import Judge
from tui.engine.attempt import Line
from tui.engine.gate import Gate
from tui.engine.limiter import Limiter
from tui.engine.purse import Purse
from tui.wire.hints import RateHint


class Lane:
    """One provider, as every call to it meets it."""

    def __init__(
        self,
        line: Line,
        limiter: Limiter,
        policy: RetryPolicy,
        rng: random.Random,
        on_stopped: Callable[[str], None] = lambda why: None,
        purse: Purse | None = None,
        judge: Judge | None = None,
    ) -> None:
        """`on_stopped` hears why nothing more can succeed; `purse` holds the money, None: as much as it takes.

        `judge` says what is wrong with an answer; None: whatever comes will do.
        """
        self.line = replace(line, on_rate=self.heed)
        self.limiter = limiter
        self.gate = Gate(limiter, rng)
        """In front of the limiter: every attempt comes through it."""
        self.policy = policy
        self.rng = rng
        self.budget = RetryBudget()
        self.purse = purse
        self.judge = judge
        self.reached = False
        """Something was there, once, for a request to be sent to."""
        self.stopped: str | None = None
        """Why nothing sent to this provider can succeed now."""
        self._ending = asyncio.Event()
        self._on_stopped = on_stopped
        self._returns: dict[str, tuple[int, float]] = {}
        """By kind: the fewest that were seen missing, and how long one of them takes to come back, if it does so
        bit by bit (s)."""
        self._mean_completion = 512.0
        """What to reserve of the token limit for a call that names no maximum; follows what calls use."""

    def stop(self, why: str) -> None:
        """Nothing more can succeed here (the quota is spent): visible, and final for this run."""
        if self.stopped is None:
            self.stopped = why
            self._on_stopped(why)

    @property
    def draining(self) -> bool:
        """The run comes to its end: attempts on the wire are the last ones."""
        return self._ending.is_set()

    def drain(self) -> None:
        """From now on nothing is tried again; who waits to try again stops waiting."""
        self._ending.set()

    async def ends_within(self, seconds: float) -> bool:
        """Wait so long, or until the run comes to its end; whether it did."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        return self.draining

    def cool_down(self, failure: Failure) -> None:
        """Close the limiter until the instant that the server named.

        After a 429; where calls are patient, also after anything else that asks for a long wait.
        """
        quiet = failure.status == 429 or (self.policy.patient and failure.asks_for_quiet)
        if quiet and failure.hint_s is not None:
            why = f"{failure.status}: the server asks for {failure.hint_s:.1f} s"
            self.limiter.close_for(min(failure.hint_s, LONGEST_COOL_DOWN_S), why)

    def heed(self, rate: RateHint) -> None:
        """Close the limiter when the server says that nothing remains, until something does again.

        `reset` is when the allowance is whole. Where it comes back bit by bit (OpenAI's does), the next request has
        room long before that: there, what is missing and its reset grow together, while a window's reset does not.
        """
        for limit, remaining, reset_s, what in (
            (rate.limit_requests, rate.remaining_requests, rate.reset_requests_s, "requests"),
            (rate.limit_tokens, rate.remaining_tokens, rate.reset_tokens_s, "tokens"),
        ):
            if remaining is None or reset_s is None or not 0 < reset_s <= LONGEST_COOL_DOWN_S:
                continue
            missing = limit - remaining if limit is not None else 0
            if missing > 0 and remaining > 0:
                seen_missing, _ = self._returns.get(what, (missing, 0.0))
                if missing <= seen_missing:  # the fewer are missing, the plainer the difference
                    self._returns[what] = missing, reset_s / missing
            elif remaining == 0:
                _, one_returns_s = self._returns.get(what, (0, reset_s))
                bit_by_bit = missing > 0 and one_returns_s < 1.5 * reset_s / missing
                wait_s = reset_s / missing if bit_by_bit else reset_s
                self.limiter.close_for(wait_s, f"the server has no {what} left for {wait_s:.1f} s")

    def reservation(self, prompt_chars: int, plan: CallPlan) -> int:
        """Tokens to reserve for an attempt; characters are the estimate, for `settle` corrects it."""
        tpm = self.limiter.tpm
        if tpm is None:
            return 0
        prompt = prompt_chars // CHARS_A_TOKEN + 8
        answers = plan.params.get("n")
        answers = answers if isinstance(answers, int) and answers > 1 else 1
        if plan.max_tokens is not None:
            return prompt + answers * plan.max_tokens
        # What nobody bounded is a guess, and a guess is no reason to refuse; a prompt that is too long is one.
        return max(prompt, min(prompt + answers * int(self._mean_completion), tpm))

    def used(self, completion_tokens: int) -> None:
        """A call's answer was this long."""
        self._mean_completion += (completion_tokens - self._mean_completion) * 0.1
