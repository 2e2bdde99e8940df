"""Live token figures of the calls that somebody looks at."""

import asyncio
from collections.abc import Callable

import pytest

from tui.core.calls import TextKind
from tui.core.entries import CallEntry
from tui.core.facts import Fact, LiveCounted, Queued, Sent, TextCame
from tui.core.ledger import Ledger
from tui.engine.live_counts import count_live
from tui.engine.tokens import TokenDesk


class Counter(TokenDesk):
    """Counts a token a character of what it is told; nothing at all once `gone`."""

    def __init__(self) -> None:
        super().__init__("m")
        self.growths: list[dict[str, str]] = []
        self.gone = False
        self._texts: dict[str, str] = {}

    async def grow(self, growth: dict[str, str]) -> list[int] | None:
        self.growths.append(growth)
        if self.gone:
            return None
        self._texts = {key: self._texts.get(key, "") + text for key, text in growth.items()}
        return [len(text) for text in self._texts.values()]


def a_ledger(*texts: str) -> Ledger:
    """A call for each text, streaming it."""
    ledger = Ledger()
    for call, text in enumerate(texts, start=1):
        for fact in (Queued(call, 1, 1, "m", ""), Sent(call, 2), TextCame(call, 3, TextKind.CONTENT, text)):
            ledger.fold(fact)
    return ledger


@pytest.mark.looptime
async def test_each_call_tells_only_what_has_come_since() -> None:
    ledger, desk = a_ledger("abc", "de"), Counter()
    emitted: list[Fact] = []
    work = asyncio.create_task(count_live(desk, lambda: list(ledger.calls.values()), emitted.append))
    await asyncio.sleep(0.25)
    ledger.fold(TextCame(1, 4, TextKind.CONTENT, "xyz"))
    await asyncio.sleep(0.2)
    work.cancel()
    assert desk.growths == [{}, {"1.1": "abc", "2.1": "de"}, {"1.1": "xyz", "2.1": ""}]
    assert [(fact.call, fact.tokens, fact.chars) for fact in emitted if isinstance(fact, LiveCounted)] == [
        (1, 3, 3), (2, 2, 2), (1, 6, 6), (2, 2, 2),
    ]  # fmt: skip


@pytest.mark.looptime
async def test_a_call_that_was_not_looked_at_for_a_while_is_told_whole_again() -> None:
    ledger, desk = a_ledger("abc", "de"), Counter()
    watched: list[Callable[[], list[CallEntry]]] = [
        lambda: [ledger.calls[1]], lambda: [ledger.calls[2]], lambda: [ledger.calls[1]],
    ]  # fmt: skip
    turns = iter(watched)
    work = asyncio.create_task(count_live(desk, lambda: next(turns)(), lambda fact: None))
    await asyncio.sleep(0.65)
    work.cancel()
    assert desk.growths == [{}, {"1.1": "abc"}, {"2.1": "de"}, {"1.1": "abc"}]


@pytest.mark.looptime
async def test_when_nobody_can_count_characters_stay_the_estimate() -> None:
    ledger, desk = a_ledger("abcdefgh"), Counter()
    desk.gone = True
    async with asyncio.timeout(5):
        await count_live(desk, lambda: list(ledger.calls.values()), ledger.fold)
    attempt = ledger.calls[1].attempts[-1]
    assert (attempt.counted_tokens, attempt.counted_chars) == (0, 0)  # not: no tokens in eight characters
