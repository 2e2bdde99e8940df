"""Which attempts we count ourselves, and that a run never depends on the process that counts."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
from call_under_test import Witness, a_plan

from tui.core.calls import TextKind, Usage
from tui.core.facts import AttemptEnded, Counted, Queued, Sent, TextCame, UsageCame
from tui.engine.tokens import TokenDesk
from tui.files.token_counter import TokenCounter

TEXT = TextCame(1, 3, TextKind.CONTENT, "The river measures itself against the weir. " * 3)


@pytest.fixture
async def desk() -> AsyncIterator[TokenDesk]:
    desk = TokenDesk("gpt-4o")
    yield desk
    await desk.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def counted(desk: TokenDesk, *facts: object) -> list[Counted]:
    witness = Witness()
    for fact in (Queued(1, 1, 1, "m", ""), Sent(1, 2), *facts):
        witness(fact)  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        await desk.count_missing(a_plan(), witness.entry(), witness)
    return witness.of(Counted)


async def test_what_the_server_counted_is_not_counted_again(desk: TokenDesk) -> None:
    assert await counted(desk, TEXT, UsageCame(1, 4, Usage(1, 2)), AttemptEnded(1, 5)) == []
    assert desk._process is None


async def test_each_attempt_that_may_cost_is_counted_whole_by_its_number(desk: TokenDesk) -> None:
    more = TextCame(1, 6, TextKind.REASONING, " and the weir does not mind")
    first, second = await counted(desk, AttemptEnded(1, 3, "reset", True), Sent(1, 4), TEXT, more, AttemptEnded(1, 7))
    assert (first.attempt, first.usage.completion) == (1, 0)
    assert first.usage.prompt == second.usage.prompt > 5
    assert second.attempt == 2
    whole = TokenCounter("o200k_base")
    assert second.usage.completion == whole.count(TEXT.text) + whole.count(more.text)


async def test_a_refused_attempt_is_not_counted(desk: TokenDesk) -> None:
    assert await counted(desk, TEXT, AttemptEnded(1, 5, "HTTP 503", False)) == []


async def test_when_the_counting_process_dies_characters_are_the_estimate(desk: TokenDesk) -> None:
    assert await desk.grow({"1.1": "warm up"}) != [0]
    process = await desk._started()
    process.kill()
    (during,) = await counted(desk, TEXT, AttemptEnded(1, 5))
    await process.wait()
    (after,) = await counted(desk, TEXT, AttemptEnded(1, 5))
    assert during.usage.completion == after.usage.completion == -(-len(TEXT.text) // 4)


async def test_when_there_can_be_no_counting_process_characters_are_the_estimate(
    desk: TokenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    (fact,) = await counted(desk, TEXT, AttemptEnded(1, 5))
    assert fact.usage.completion == -(-len(TEXT.text) // 4)
    assert desk.note is not None


async def test_a_prompt_that_has_no_utf_8_is_estimated(desk: TokenDesk) -> None:
    witness = Witness()
    for fact in (
        Queued(1, 1, 1, "m", ""),
        Sent(1, 2),
        TextCame(1, 3, TextKind.CONTENT, "half \ud83d"),
        AttemptEnded(1, 5),
    ):
        witness(fact)
    await desk.count_missing(a_plan(), witness.entry(), witness)
    assert witness.of(Counted)[0].usage.completion == 2
