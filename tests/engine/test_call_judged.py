"""A call whose answer has to be of a form: asked for again with what is wrong, and failed with its text kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from call_under_test import AT_ONCE, Witness, a_plan, lane_to
from rude_server import DONE, END, STOP, STREAM, Act, RudeServer, delta, event, refuses, says, then_silence, words

from tui.core.calls import CallPlan, State, Usage
from tui.core.documents import DocumentPart
from tui.core.facts import AttemptEnded, BackedOff, TextCame
from tui.core.money import Price, cost_of
from tui.core.record_of import record_of
from tui.core.retry import RetryBudget, RetryPolicy
from tui.core.secrets import Secret
from tui.core.structured import QUOTED_CHARS, Judge, judge_json, params_for
from tui.engine.hearing import LONG_CHARS
from tui.engine.lane import Lane
from tui.engine.limiter import Limiter
from tui.engine.purse import Purse
from tui.files.answer_schema import AnswerSchema
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

PRICE = Price(Decimal(1), Decimal(10), origin="--price")
PRICED = AnswerSchema({"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}).judge
WRONG, RIGHT = '{"price": "x"}', '{"price": 1}'
WHY = """at $.price: "x" is not of type 'number'"""


def counted(prompt: int, completion: int) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})


def answers(text: str, prompt: int = 7, completion: int = 3) -> Act:
    half = len(text) // 2
    return says(STREAM, words(text[:half]), words(text[half:]), STOP, counted(prompt, completion), DONE + END)


def stops_with(reason: str, text: str) -> Act:
    return says(STREAM, words(text), event(delta(finish_reason=reason)), counted(7, 3), DONE + END)


@asynccontextmanager
async def judged(server: RudeServer, judge: Judge = PRICED, **more: Any) -> AsyncIterator[Lane]:
    async with lane_to(server, **more) as lane:
        lane.judge = judge
        yield lane


def asked(server: RudeServer) -> list[list[dict[str, Any]]]:
    """The messages of every request."""
    return [json.loads(exchange.body)["messages"] for exchange in server.requests]


async def test_an_answer_that_is_accepted_is_asked_for_once() -> None:
    async with RudeServer(answers(RIGHT)) as server, judged(server) as lane:
        witness = Witness()
        ending = await witness.run(lane)
    assert (ending.state, len(server.requests)) == (State.DONE, 1)
    witness.check()


async def test_a_rejected_answer_is_sent_back_with_what_is_wrong_and_the_next_one_counts() -> None:
    witness = Witness()
    async with RudeServer(answers(WRONG), answers(RIGHT)) as server, judged(server) as lane:
        ending = await witness.run(lane)
    first, again = asked(server)
    assert ending.state is State.DONE
    assert again[:-2] == first
    assert again[-2] == {"role": "assistant", "content": WRONG}
    assert again[-1]["role"] == "user"
    assert WHY in again[-1]["content"]
    assert witness.entry().attempts[0].error == f"answer is not valid: {WHY}"
    delivering = witness.entry().delivering
    assert delivering is not None
    assert delivering.text() == RIGHT
    witness.check()


async def test_a_provider_that_errs_at_first_is_asked_until_it_is_right() -> None:
    schema = AnswerSchema(
        {
            "type": "object",
            "properties": {"price": {"type": "number"}},
            "required": ["price"],
            "additionalProperties": False,
        }
    )
    errs = SimulatorSettings(ttft_s=0.0, itl_s=0.0, tokens=8, models=(("m", 1.0),), invalid_rate=1.0)
    witness = Witness()
    async with Simulator(errs) as simulator, lane_to(simulator.base_url, policy=AT_ONCE) as lane:
        lane.judge = schema.judge
        for number in range(1, 9):
            plan = a_plan(number, seed=number, **params_for(schema.schema))
            assert (await witness.run(lane, plan)).state is State.DONE
    assert {len(witness.entry(number).attempts) for number in range(1, 9)} == {2}
    witness.check()


async def test_only_the_last_wrong_answer_is_sent_back() -> None:
    async with RudeServer(answers("Sure!"), answers(WRONG), answers(RIGHT)) as server, judged(server) as lane:
        await Witness().run(lane)
    assert [len(messages) for messages in asked(server)] == [1, 3, 3]
    assert asked(server)[2][1]["content"] == WRONG


async def test_another_answer_is_asked_for_under_another_key_and_at_once() -> None:
    witness = Witness()
    slow = RetryPolicy(first_backoff_s=60.0)
    async with RudeServer(answers(WRONG), answers(RIGHT)) as server, judged(server, policy=slow) as lane:
        await witness.run(lane)
    keys = [exchange.headers["idempotency-key"] for exchange in server.requests]
    assert len(set(keys)) == 2
    (waited,) = witness.of(BackedOff)
    assert waited.until == waited.at
    assert WHY in waited.why


async def test_a_try_that_fails_on_the_line_repeats_the_same_question_under_the_same_key() -> None:
    acts = (answers(WRONG), refuses("503 Busy"), answers(RIGHT))
    async with RudeServer(*acts) as server, judged(server) as lane:
        ending = await Witness().run(lane)
    one, two, three = server.requests
    assert ending.state is State.DONE
    assert two.body == three.body != one.body
    assert two.headers["idempotency-key"] == three.headers["idempotency-key"] != one.headers["idempotency-key"]


async def test_after_the_last_attempt_it_has_failed_and_the_texts_are_kept() -> None:
    witness = Witness()
    plan = a_plan()
    async with RudeServer(answers("first"), answers("second"), answers(WRONG)) as server, judged(server) as lane:
        ending = await witness.run(lane, plan)
    assert (ending.state, ending.error) == (State.FAILED, f"answer is not valid: {WHY} (after 3 attempts)")
    record = record_of(plan, witness.entry(), ending.state, ending.error, "o", 0)
    assert record.text == WRONG
    assert [attempt.superseded_text for attempt in record.attempts] == ["first", "second", None]
    assert all("answer is not valid" in (attempt.error or "") for attempt in record.attempts)
    witness.check()


async def test_without_retries_the_first_word_is_the_last() -> None:
    async with RudeServer(answers(WRONG)) as server, judged(server, policy=RetryPolicy(attempts=1)) as lane:
        ending = await Witness().run(lane)
    assert (ending.state, ending.error) == (State.FAILED, f"answer is not valid: {WHY}")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (stops_with("length", '{"price": 1'), "it was cut at max_tokens, which has to be larger"),
        (stops_with("content_filter", '{"price": '), "the server's content filter cut it"),
        (
            says(STREAM, event(delta(refusal="I cannot.")), STOP, counted(7, 3), DONE + END),
            "the model refused to answer",
        ),
    ],
)
async def test_what_another_try_would_not_mend_is_not_tried_again(act: Act, why: str) -> None:
    witness = Witness()
    async with RudeServer(act) as server, judged(server) as lane:
        ending = await witness.run(lane)
    assert (ending.state, ending.error) == (State.FAILED, f"answer is not valid: {why}")
    assert len(server.requests) == 1
    witness.check()


async def test_an_answer_that_is_whole_before_it_is_cut_will_do() -> None:
    async with RudeServer(stops_with("length", RIGHT + "\n\n")) as server, judged(server) as lane:
        assert (await Witness().run(lane)).state is State.DONE


async def test_an_empty_answer_is_asked_for_again_as_it_was() -> None:
    empty = says(STREAM, STOP, counted(7, 0), DONE + END)
    async with RudeServer(empty, answers(RIGHT)) as server, judged(server) as lane:
        ending = await Witness().run(lane)
    one, two = server.requests
    assert ending.state is State.DONE
    assert one.body == two.body
    assert one.headers["idempotency-key"] != two.headers["idempotency-key"]


async def test_only_the_first_choices_content_is_judged() -> None:
    pieces = (
        event(delta(reasoning_content="Let me think.")),
        event(delta(content="{")),
        event(delta(index=1, content="no JSON")),
        event(delta(content='"price": 1}')),
    )
    act = says(STREAM, *pieces, STOP, event(delta(finish_reason="length", index=1)), DONE + END)
    async with RudeServer(act) as server, judged(server) as lane:
        assert (await Witness().run(lane, a_plan(n=2))).state is State.DONE


async def test_a_stream_that_is_cut_is_not_judged() -> None:
    asked_of: list[str] = []

    def judge(text: str) -> str | None:
        asked_of.append(text)
        return None

    cut = says(STREAM, words('{"price"'))
    async with RudeServer(cut) as server, judged(server, judge) as lane:
        server_closes = asyncio.create_task(_close_after_text(server))
        ending = await Witness().run(lane)
        await server_closes
    assert (ending.state, asked_of) == (State.BROKEN, [])


async def _close_after_text(server: RudeServer) -> None:
    while not server.requests:  # noqa: ASYNC110 - the server sets no event
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    server.requests[0].close()


async def test_a_part_of_a_divided_document_is_not_judged_and_the_whole_is() -> None:
    def of(**part: Any) -> CallPlan:
        document = DocumentPart(number=1, id="a", source="a.md", hash="h", **part)
        return CallPlan(1, "m", ({"role": "user", "content": "u"},), document=document)

    async with RudeServer(answers("prose")) as server, judged(server, policy=RetryPolicy(attempts=1)) as lane:
        assert (await Witness().run(lane, of(part=2, parts=3))).state is State.DONE
        assert (await Witness().run(lane, of(part=1, parts=2, level=1, part_of=(1,)))).state is State.DONE
        assert (await Witness().run(lane, of(level=2, part_of=(1, 2)))).state is State.FAILED
        assert (await Witness().run(lane, of())).state is State.FAILED


async def test_a_long_answer_is_judged_beside_the_loop() -> None:
    turns = 0
    on_the_loop: list[bool] = []

    def judge(text: str) -> str | None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_the_loop.append(False)
        else:
            on_the_loop.append(True)
        return judge_json(text)

    for text in ("[]" + " " * LONG_CHARS, "[]"):
        async with RudeServer(answers(text)) as server, judged(server, judge) as lane:
            turns += (await Witness().run(lane)).state is State.DONE
    assert (turns, on_the_loop) == (2, [False, True])


# ── what it costs ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_rejected_answer_is_paid_for_as_the_server_counted_it() -> None:
    plan = a_plan(max_tokens=8)
    purse = Purse(Decimal(1), PRICE)
    async with RudeServer(answers(WRONG, 7, 3), answers(RIGHT, 40, 4)) as server, judged(server) as lane:
        lane.purse = purse
        witness = Witness()
        await witness.run(lane, plan)
    assert purse.budget.spent == cost_of(Usage(7, 3), PRICE) + cost_of(Usage(40, 4), PRICE)
    assert purse.budget.reserved == 0
    assert [attempt.usage for attempt in witness.entry().attempts] == [Usage(7, 3), Usage(40, 4)]
    assert not any(fact.possibly_billed for fact in witness.of(AttemptEnded))


async def test_the_longer_question_needs_the_more_money() -> None:
    """What was enough for the first attempt twice over is not enough for a second one with a longer prompt."""
    plan = a_plan(max_tokens=8)
    wrong = json.dumps({"price": "x" * 400})
    money = 2 * Purse(Decimal(1), PRICE).worst(plan).usd
    async with RudeServer(answers(wrong, 1, 1), answers(RIGHT)) as server, judged(server) as lane:
        lane.purse = Purse(money, PRICE)
        ending = await Witness().run(lane, plan)
    assert ending.state is State.FAILED
    assert "answer is not valid" in (ending.error or "")
    assert "another attempt may cost up to" in (ending.error or "")
    assert len(server.requests) == 1


@pytest.mark.looptime
async def test_the_longer_question_reserves_the_more_tokens() -> None:
    wrong = json.dumps({"price": "x" * 4_000})
    witness = Witness()
    async with RudeServer(answers(wrong)) as server, judged(server, limiter=Limiter(None, 600)) as lane:
        ending = await witness.run(lane, a_plan(max_tokens=100))
    assert ending.state is State.FAILED  # not `refused`: something was sent
    assert "another attempt needs" in (ending.error or "")
    assert len(server.requests) == 1
    witness.check()


async def test_rejected_answers_take_nothing_from_the_retry_budget() -> None:
    async with RudeServer(answers("no")) as server, judged(server, policy=RetryPolicy(attempts=30)) as lane:
        ending = await Witness().run(lane)
        assert lane.budget.tokens == RetryBudget.FULL
    assert (ending.state, len(server.requests)) == (State.FAILED, 30)


async def test_what_a_retry_took_comes_back_with_an_answer_that_is_rejected() -> None:
    acts = (refuses("503 Busy"), answers(WRONG), answers(RIGHT))
    async with RudeServer(*acts) as server, judged(server) as lane:
        await Witness().run(lane)
        assert lane.budget.tokens == RetryBudget.FULL


# ── how it can end in between ──────────────────────────────────────────────────────────────────────────


async def test_a_run_that_ends_asks_for_no_other_answer() -> None:
    async with RudeServer(answers(WRONG)) as server, judged(server) as lane:
        lane.drain()
        ending = await Witness().run(lane)
    assert ending.state is State.FAILED
    assert ending.error == f"answer is not valid: {WHY} (the run is ending, so it is not tried again)"
    assert len(server.requests) == 1


async def test_cancelled_on_the_second_attempt_it_is_cancelled() -> None:
    witness = Witness()
    async with RudeServer(answers(WRONG), then_silence(STREAM)) as server, judged(server) as lane:
        task = asyncio.create_task(witness.run(lane))
        while len(server.requests) < 2:  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.001)
        task.cancel()
        ending = await task
    assert ending.state is State.CANCELLED
    witness.check()


async def test_a_server_that_refuses_the_longer_question_ends_it_and_the_answer_is_kept() -> None:
    witness = Witness()
    too_long = refuses("400 Bad Request", "the context is too long")
    async with RudeServer(answers(WRONG), too_long) as server, judged(server) as lane:
        ending = await witness.run(lane)
    assert (ending.state, ending.error) == (State.FAILED, "HTTP 400: the context is too long")
    delivering = witness.entry().delivering
    assert delivering is not None
    assert delivering.text() == WRONG


@pytest.mark.parametrize("before", ["", "x" * (QUOTED_CHARS - 12)])
async def test_a_key_that_an_answer_echoes_is_not_in_the_error(before: str) -> None:
    """Neither is the half of it that a cropped quotation would leave."""
    echo = answers(json.dumps({"price": f"{before}sk-canary-0123456789"}))
    once = RetryPolicy(attempts=1)
    async with RudeServer(echo) as server, judged(server, policy=once, key=Secret("sk-canary-0123456789")) as lane:
        ending = await Witness().run(lane)
    assert "sk-c" not in (ending.error or "")
    assert "is not of type" in (ending.error or "")


async def test_without_a_judge_nothing_is_gathered_and_anything_will_do() -> None:
    witness = Witness()
    async with RudeServer(answers("prose")) as server, lane_to(server, policy=AT_ONCE) as lane:
        assert (await witness.run(lane)).state is State.DONE
    assert len(witness.of(TextCame)) == 2
