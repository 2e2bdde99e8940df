"""Tokens that no server counted: tiktoken over the whole text, in a thread, loaded when it is first wanted."""

import asyncio

from tui.core.calls import CallPlan, Usage
from tui.core.clock import now_ns
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.facts import Counted
from tui.engine.attempt import Emit
from tui.files.token_counter import TokenCounter, load_counter


class TokenDesk:
    """Counts for one model. Loading (0.2 to 1.5 s) never holds the loop or the first request."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._loading: asyncio.Task[TokenCounter] | None = None

    async def counter(self) -> TokenCounter:
        """The counter, loaded once."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(load_counter, self._model))
        # Shielded: the first caller may be cancelled, the others still want it.
        return await asyncio.shield(self._loading)

    async def count_missing(self, plan: CallPlan, entry: CallEntry, emit: Emit) -> None:
        """State the tokens of every attempt that may cost money and that the server did not count."""
        for attempt in entry.attempts:
            if attempt.usage is None and (attempt.possibly_billed or attempt.error is None):
                usage = await asyncio.to_thread(_count, await self.counter(), plan, attempt)
                emit(Counted(plan.id, now_ns(), attempt.number, usage))


def _count(counter: TokenCounter, plan: CallPlan, attempt: AttemptEntry) -> Usage:
    return Usage(counter.prompt_tokens(plan.messages), sum(map(counter.count, attempt.all_texts())))
