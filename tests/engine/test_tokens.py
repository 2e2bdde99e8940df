"""Which attempts we count ourselves, and that a run never depends on the process that counts."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from call_under_test import Witness, a_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.calls import TextKind, Usage
from tui.core.facts import AttemptEnded, Counted, Queued, Sent, TextCame, UsageCame
from tui.core.frames import FRAME_LIMIT
from tui.engine import tokens
from tui.engine.tokens import TokenDesk
from tui.files.prompt_texts import counted_texts
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


async def test_a_text_larger_than_a_frame_is_counted_and_the_next_one_too(
    desk: TokenDesk, capfd: pytest.CaptureFixture[str]
) -> None:
    unit = "hello world, "
    huge = TextCame(1, 3, TextKind.CONTENT, unit * (FRAME_LIMIT // len(unit) + 1000))
    exact = TokenCounter("o200k_base").count(unit * 1000) / 1000
    (fact,) = await counted(desk, huge, AttemptEnded(1, 5))
    assert fact.usage.completion == pytest.approx(exact * len(huge.text) / len(unit), rel=0.001)
    (small,) = await counted(desk, TEXT, AttemptEnded(1, 5))
    assert small.usage.completion == TokenCounter("o200k_base").count(TEXT.text)
    assert desk.note is None
    assert capfd.readouterr().err == ""


async def test_a_prompt_larger_than_a_frame_is_counted_with_its_overhead(desk: TokenDesk) -> None:
    message = {"role": "user", "content": "hello world, " * (FRAME_LIMIT // 13 + 1000)}
    usage = await asyncio.wait_for(desk._count(list(counted_texts([message]))), 20)
    assert usage == pytest.approx(TokenCounter("o200k_base").prompt_tokens([message]) - 6, rel=0.001)


async def test_growth_larger_than_a_frame_is_counted(desk: TokenDesk) -> None:
    unit = "hello world, "
    text = unit * (FRAME_LIMIT // len(unit) + 1000)
    first, second = await desk.grow({"1.1": text, "2.1": TEXT.text}) or []
    assert first == pytest.approx(
        TokenCounter("o200k_base").count(unit * 1000) * len(text) / len(unit) / 1000, rel=0.01
    )
    assert second == TokenCounter("o200k_base").count(TEXT.text)
    assert (await desk.grow({"1.1": "", "2.1": " and more"}) or [])[0] == first


@given(st.lists(st.text(max_size=300), max_size=20), st.integers(20, 200))
@settings(max_examples=100, deadline=None)
def test_portions_lose_no_character_and_none_is_larger_than_asked(texts: list[str], chars: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_PORTION_CHARS", chars)
        portions = list(tokens._portions(texts))
        growth = {str(index): text for index, text in enumerate(texts)}
        grown = list(tokens._portions_of_growth(growth))
    assert "".join("".join(portion) for portion in portions) == "".join(texts)
    assert max((sum(map(len, portion)) for portion in portions), default=0) <= chars
    assert {key: "".join(portion[key] for portion in grown) for key in growth} == growth
    assert max(sum(map(len, portion.values())) for portion in grown) <= chars


@pytest.mark.parametrize("model", ["gpt\0-4o", "gpt-4o\ud83d", "", "--help", "x" * (FRAME_LIMIT + 1)])
async def test_a_hostile_name_of_a_model_does_not_end_counting(model: str, capfd: pytest.CaptureFixture[str]) -> None:
    desk = TokenDesk(model)
    try:
        (fact,) = await counted(desk, TEXT, AttemptEnded(1, 5))
        assert fact.usage.completion == TokenCounter("o200k_base").count(TEXT.text)
    finally:
        await desk.close()
    assert capfd.readouterr().err == ""


async def test_a_process_that_dies_in_mid_question_leaves_no_exception_unheard(
    desk: TokenDesk, caplog: pytest.LogCaptureFixture
) -> None:
    process = await desk._started()
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unheard.append(context))
    os.kill(process.pid, signal.SIGSTOP)  # so that the pipe fills up
    growth = {"1.1": "x" * (1 << 20)}
    asking = [asyncio.ensure_future(desk.grow(growth)) for _ in range(3)]
    gone = asyncio.ensure_future(desk.grow(growth))
    await asyncio.sleep(0)
    gone.cancel()
    os.kill(process.pid, signal.SIGKILL)
    assert await asyncio.gather(*asking) == [None] * 3
    assert desk._open == {}
    assert desk.note is not None
    del asking, gone
    gc.collect()
    await asyncio.sleep(0)
    assert unheard == []
    assert "never retrieved" not in caplog.text


async def test_closing_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = TokenDesk("m")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "py\0thon")
        assert await broken.grow({"1.1": "x"}) is None
    assert broken.note is not None
    await broken.close()
    interrupted = TokenDesk("m")
    asking = asyncio.ensure_future(interrupted.grow({"1.1": "x"}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert interrupted._process is not None
    interrupted._process.cancel()
    await interrupted.close()
    await asyncio.gather(asking, return_exceptions=True)
    dead = TokenDesk("m")
    await dead.grow({})
    (await dead._started()).kill()
    await dead.close()
    await dead.close()


async def test_our_own_end_of_the_process_is_nothing_to_tell(desk: TokenDesk) -> None:
    await desk.grow({"1.1": "warm up"})
    await desk.close()
    assert desk.note is None
