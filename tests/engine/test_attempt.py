"""One HTTP try: what it states of what comes, when, and what it says may have been billed."""

import asyncio
from itertools import pairwise

import pytest
from call_under_test import LIMITS, Witness, a_plan, lane_to, until
from rude_server import (
    DONE,
    END,
    ROLE,
    STOP,
    STREAM,
    USAGE,
    WELL,
    WHOLE_ANSWER,
    Act,
    RudeServer,
    answers_json,
    delta,
    event,
    refuses,
    reply,
    says,
    then_resets,
    then_silence,
    words,
)

from tui.core.calls import TextKind, Usage
from tui.core.clock import now_ns
from tui.core.facts import (
    AllowanceCame,
    AttemptEnded,
    Fact,
    HeadersCame,
    Queued,
    Sent,
    Stopped,
    TextCame,
    ToolNamed,
    UsageCame,
    Written,
)
from tui.core.retry import FailureKind
from tui.core.secrets import Secret
from tui.engine.attempt import Attempt, Outcome
from tui.engine.lane import Lane
from tui.engine.limiter import Limiter
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings
from tui.wire.chat_request import request_body

pytestmark = pytest.mark.looptime


async def tried(lane: Lane, witness: Witness) -> Outcome:
    plan = a_plan()
    witness(Queued(1, 1, 1, "m", ""))
    return await Attempt(lane.line, plan, request_body(plan), "key-1", witness).run()


async def told(act: Act) -> tuple[Outcome, Witness]:
    witness = Witness()
    async with RudeServer(act) as server, lane_to(server) as lane:
        return await tried(lane, witness), witness


async def test_the_facts_of_a_stream_come_in_order_and_time_never_runs_backwards() -> None:
    outcome, witness = await told(WELL)
    kinds: list[type[Fact]] = [type(fact) for fact in witness.facts]
    assert kinds == [Queued, Sent, Written, HeadersCame, TextCame, TextCame, Stopped, UsageCame, AttemptEnded]
    assert all(earlier.at <= later.at for earlier, later in pairwise(witness.facts))
    assert (outcome.failure, outcome.usage) == (None, Usage(7, 3))


async def test_an_attempt_that_delivered_ended_when_its_last_bytes_came() -> None:
    _, witness = await told(WELL)
    ended, usage = witness.of(AttemptEnded)[0], witness.of(UsageCame)[0]
    assert ended.error is None
    # The stamp is the kernel's, of the read that held [DONE]; the loop got to it later.
    assert usage.at <= ended.at <= now_ns()
    _, glued = await told(says(STREAM, words("Hello") + STOP + USAGE + DONE + END))
    assert glued.of(AttemptEnded)[0].at == glued.of(UsageCame)[0].at == glued.of(TextCame)[0].at


async def test_a_role_is_no_token() -> None:
    _, witness = await told(says(STREAM, ROLE, words("Hello"), DONE + END))
    assert [fact.text for fact in witness.of(TextCame)] == ["Hello"]


async def test_texts_of_one_read_share_its_stamp_and_say_so() -> None:
    _, witness = await told(says(STREAM, words("a", "b"), words("c"), DONE + END))
    assert [(fact.text, fact.shared) for fact in witness.of(TextCame)] == [("a", True), ("b", True), ("c", False)]
    first, second, third = witness.of(TextCame)
    assert first.at == second.at < third.at


async def test_text_that_comes_with_the_event_that_is_too_large_is_kept() -> None:
    giant = b"5\r\ndata:\r\n" + b"110000\r\n" + b"x" * 0x110000 + b"\r\n"
    outcome, witness = await told(says(STREAM, words("Hello") + giant))
    assert [fact.text for fact in witness.of(TextCame)] == ["Hello"]
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.after_first_token) == (FailureKind.PROTOCOL, True)


async def test_a_json_answer_has_one_stamp_for_all() -> None:
    outcome, witness = await told(answers_json(WHOLE_ANSWER))
    assert [fact.text for fact in witness.of(TextCame)] == ["Hello"]
    assert outcome.usage == Usage(7, 3)
    assert witness.of(Stopped)[0].reason == "stop"


async def test_tool_calls_reasoning_and_further_choices_are_told_apart() -> None:
    call = {"index": 1, "id": "id1", "function": {"name": "now", "arguments": "{}"}}
    _, witness = await told(
        says(
            STREAM,
            event(delta(reasoning_content="hm")),
            event(delta(tool_calls=[call])),
            event(delta(content="B", index=1)),
            event(delta(finish_reason="length", index=1)),
            STOP + DONE + END,
        )
    )
    pieces = [(fact.kind, fact.text, fact.choice, fact.tool) for fact in witness.of(TextCame)]
    assert pieces == [(TextKind.REASONING, "hm", 0, 0), (TextKind.TOOL, "{}", 0, 1), (TextKind.CONTENT, "B", 1, 0)]
    assert [(fact.index, fact.id, fact.name) for fact in witness.of(ToolNamed)] == [(1, "id1", "now")]
    assert [(fact.reason, fact.choice) for fact in witness.of(Stopped)] == [("length", 1), ("stop", 0)]


@pytest.mark.parametrize(
    ("act", "billed"),
    [
        (WELL, False),
        (then_resets(), True),
        (then_resets(STREAM, words("Hello")), True),
        (then_resets(STREAM, words("Hello"), USAGE.replace(b"choices", b"x_other")), False),
        (says(STREAM, words("Hello") + END), True),
        (refuses("503 Busy"), False),
        (refuses("400 Bad"), False),
        (says(STREAM, words("Hello"), event({"error": {"message": "died"}}) + END), True),
    ],
)
async def test_what_died_at_work_without_a_count_is_possibly_billed(act: Act, billed: bool) -> None:
    _, witness = await told(act)
    assert witness.of(AttemptEnded)[0].possibly_billed is billed


async def test_headers_give_status_and_request_id() -> None:
    _, witness = await told(says(reply("429 Slow", b"{}", "x-request-id: req-7")))
    (headers,) = witness.of(HeadersCame)
    assert (headers.status, headers.request_id) == (429, "req-7")


async def test_headers_are_stated_as_they_came_but_secrets() -> None:
    key = "sk-canary-0123456789abcdef"
    headers = (
        "Server: cat", "Set-Cookie: session=abc; Path=/", "X-Api-Key: other", f"X-Echo: you sent {key}",
        f"X-Cut: {'x' * 490}{key}", f"Content-Type: text/plain; key={key}",
    )  # fmt: skip
    witness = Witness()
    act = says(reply("400 Bad", f"key {key}".encode(), *headers))
    async with RudeServer(act) as server, lane_to(server, key=Secret(key)) as lane:
        await tried(lane, witness)
    (stated,) = witness.of(HeadersCame)
    assert stated.headers == (
        ("content-length", "30"),
        ("server", "cat"),
        ("set-cookie", "***"),
        ("x-api-key", "***"),
        ("x-echo", "you sent ***"),
        ("x-cut", f"{'x' * 490}***"),
        ("content-type", "text/plain; key=***"),
    )
    assert "canary" not in repr(witness.facts)
    assert [attempt.headers for attempt in witness.entry().attempts] == [stated.headers]


ALLOWANCE = (
    "x-ratelimit-limit-requests: 60", "x-ratelimit-remaining-requests: 59", "x-ratelimit-reset-requests: 1s",
    "x-ratelimit-limit-tokens: 9000", "x-ratelimit-remaining-tokens: 8000", "x-ratelimit-reset-tokens: 6m0s",
)  # fmt: skip


@pytest.mark.parametrize("status", ["200 OK", "429 Slow", "500 Oops"])
async def test_what_any_reply_s_headers_say_of_our_allowance_is_stated_as_they_say_it(status: str) -> None:
    _, witness = await told(says(reply(status, b"{}", *ALLOWANCE)))
    (headers,) = witness.of(HeadersCame)
    assert witness.of(AllowanceCame) == [AllowanceCame(1, headers.at, 60, 59, 1.0, 9000, 8000, 360.0)]


async def test_of_an_allowance_that_is_told_in_part_the_rest_is_absent_and_of_silence_nothing_is_stated() -> None:
    _, witness = await told(says(reply("200 OK", b"{}", "x-ratelimit-remaining-tokens: 5")))
    (allowance,) = witness.of(AllowanceCame)
    assert allowance == AllowanceCame(1, allowance.at, remaining_tokens=5)
    _, silent = await told(WELL)
    assert silent.of(AllowanceCame) == []


@pytest.mark.parametrize(
    ("act", "asked_s"),
    [
        (refuses("429 Slow", "slow down", None, "Retry-After: 7"), 7.0),
        (refuses("429 Slow", "slow down", None, "retry-after-ms: 1500"), 1.5),
        (refuses("503 Busy", "busy", None, "Retry-After: 0.5"), 0.5),
        (refuses("429 Slow", "slow down"), None),
        (refuses("429 Slow", "slow down", None, "Retry-After: never"), None),
        (then_resets(STREAM, words("Hello")), None),
        (WELL, None),
    ],
)
async def test_an_ended_attempt_tells_how_long_the_server_asked_to_wait(act: Act, asked_s: float | None) -> None:
    _, witness = await told(act)
    assert [fact.retry_after_s for fact in witness.of(AttemptEnded)] == [asked_s]


async def test_an_allowance_that_is_used_up_closes_the_lane_while_the_answer_still_streams() -> None:
    act = says(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        b"x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 6s\r\n\r\n"
    )
    heard: list[tuple[float, str]] = []
    limiter = Limiter(on_closed=lambda seconds, why: heard.append((seconds, why)))
    async with RudeServer(act) as server, lane_to(server, limiter=limiter) as lane:
        await Witness().run(lane)
    assert heard[0] == (6.0, "the server has no requests left for 6.0 s")


async def test_an_error_body_is_read_to_a_bound_only() -> None:
    outcome, _ = await told(says(b"HTTP/1.1 500 Oops\r\nContent-Length: 90000000\r\n\r\n" + b"x" * 200_000))
    assert outcome.failure is not None
    assert len(outcome.failure.message) < 300


async def test_the_request_is_what_the_api_wants() -> None:
    witness = Witness()
    async with RudeServer(WELL) as server, lane_to(server) as lane:
        await tried(lane, witness)
    (request,) = server.requests
    assert request.line == "POST /v1/chat/completions HTTP/1.1"
    assert request.headers["idempotency-key"] == "key-1"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert request.body == request_body(a_plan())


async def test_a_cancelled_attempt_has_ended_too() -> None:
    witness = Witness()
    async with RudeServer(then_silence(STREAM, words("Hello"))) as server, lane_to(server) as lane:
        task = asyncio.create_task(tried(lane, witness))
        await until(lambda: bool(witness.of(TextCame)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [fact.error for fact in witness.of(AttemptEnded)] == ["abandoned"]


async def test_a_connection_is_used_again_after_a_stream_that_was_read_to_its_end() -> None:
    witness = Witness()
    async with RudeServer(says(STREAM, words("Hi"), DONE, END)) as server, lane_to(server) as lane:
        await witness.run(lane, a_plan(1))
        await asyncio.sleep(0.05)
        await witness.run(lane, a_plan(2))
        ports = {request._writer.get_extra_info("peername") for request in server.requests}
    assert len(ports) == 1


async def test_the_stamps_are_within_the_server_s_own_truth() -> None:
    witness = Witness()
    settings = SimulatorSettings(ttft_s=0.02, itl_s=0.002, tokens=20, models=(("m", 1.0),))
    async with Simulator(settings) as simulator, lane_to(simulator.base_url, limits=LIMITS) as lane:
        await tried(lane, witness)
        (truth,) = simulator.truth()
    texts = witness.of(TextCame)
    assert (truth["tokens"], len(texts)) == (20, 20)
    assert witness.of(Sent)[0].at <= truth["accepted_ns"] <= truth["first_token_ns"] <= texts[0].at
    assert truth["last_token_ns"] <= texts[-1].at
