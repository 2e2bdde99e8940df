"""All that the calls to one provider share: its line, its limiter, its retry budget, and whether it is stopped."""

import random
from collections.abc import Callable

from tui.core.retry import RetryBudget, RetryPolicy
from tui.engine.attempt import Line
from tui.engine.limiter import Limiter
from tui.wire.hints import RateHint

LONGEST_COOL_DOWN_S = 120.0


class Lane:
    """One provider, as every call to it meets it."""

    def __init__(
        self,
        line: Line,
        limiter: Limiter,
        policy: RetryPolicy,
        rng: random.Random,
        on_stopped: Callable[[str], None] = lambda why: None,
    ) -> None:
        self.line = line
        self.limiter = limiter
        self.policy = policy
        self.rng = rng
        self.budget = RetryBudget()
        self.stopped: str | None = None
        """Why nothing sent to this provider can succeed now."""
        self.draining = False
        """The run comes to its end: attempts on the wire are the last ones."""
        self._on_stopped = on_stopped
        self._mean_completion = 512.0
        """What to reserve of the token limit for a call that names no maximum; follows what calls use."""

    def stop(self, why: str) -> None:
        """Nothing more can succeed here (the quota is spent): visible, and final for this run."""
        if self.stopped is None:
            self.stopped = why
            self._on_stopped(why)

    def cool_down(self, status: int | None, hint_s: float | None, rate: RateHint | None) -> None:
        """Close the limiter after a 429, or when the server says that nothing remains, until it says otherwise."""
        if status == 429 and hint_s is not None and hint_s <= LONGEST_COOL_DOWN_S:
            self.limiter.close_for(hint_s, f"429: the server asks for {hint_s:.1f} s")
        elif rate is not None:
            for remaining, reset_s, what in (
                (rate.remaining_requests, rate.reset_requests_s, "requests"),
                (rate.remaining_tokens, rate.reset_tokens_s, "tokens"),
            ):
                if remaining == 0 and reset_s is not None and 0 < reset_s <= LONGEST_COOL_DOWN_S:
                    self.limiter.close_for(reset_s, f"the server has no {what} left for {reset_s:.1f} s")

    def reservation(self, prompt_chars: int, max_tokens: int | None) -> int:
        """Tokens to reserve for an attempt; characters are the estimate, for `settle` corrects it."""
        if self.limiter.tpm is None:
            return 0
        completion = max_tokens if max_tokens is not None else self._mean_completion
        return min(prompt_chars // 4 + 8 + int(completion), self.limiter.tpm if max_tokens is None else 1 << 62)

    def used(self, completion_tokens: int) -> None:
        """A call's answer was this long."""
        self._mean_completion += (completion_tokens - self._mean_completion) * 0.1
