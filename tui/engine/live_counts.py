"""Live token figures of the calls that somebody looks at, by asking the counting process five times a second."""

import asyncio
from collections.abc import Callable, Iterable

from tui.core.calls import State
from tui.core.clock import now_ns
from tui.core.entries import CallEntry
from tui.core.facts import LiveCounted
from tui.engine.attempt import Emit
from tui.engine.tokens import TokenDesk

INTERVAL_S = 0.2


async def count_live(desk: TokenDesk, watched: Callable[[], Iterable[CallEntry]], emit: Emit) -> None:
    """Count until it is cancelled, for nobody looks any more, or nobody can count: characters are the estimate then."""
    told: dict[str, int] = {}
    await desk.grow({})  # starts the process now, before the first tokens come
    while True:
        await asyncio.sleep(INTERVAL_S)
        growth: dict[str, str] = {}
        asked: list[tuple[CallEntry, int, int]] = []
        for entry in watched():
            if entry.state is not State.STREAMING:
                continue
            attempt = entry.attempts[-1]
            key = f"{entry.id}.{attempt.number}"
            growth[key] = "".join(attempt.shown[told.get(key, 0) :])
            told[key] = len(attempt.shown)
            asked.append((entry, attempt.number, attempt.shown_chars))
        told = {key: told[key] for key in growth}  # as the process does
        if not growth:
            continue
        counted = await desk.grow(growth)
        if counted is None:
            return
        for (entry, number, chars), tokens in zip(asked, counted, strict=True):
            emit(LiveCounted(entry.id, now_ns(), number, tokens, chars))
