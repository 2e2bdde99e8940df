"""Whatever a server does, a call ends once, in the right state, after the right number of attempts."""

import asyncio
import json
import random

import httpx
import pytest
from call_under_test import AT_ONCE, LIMITS, Witness, a_plan, lane_to, until
from rude_server import (
    DONE,
    END,
    GZIPPED,
    ROLE,
    STOP,
    STREAM,
    USAGE,
    WELL,
    WHOLE_ANSWER,
    Act,
    RudeServer,
    answers_json,
    chunk,
    delta,
    error_body,
    event,
    refuses,
    reply,
    says,
    then_closes,
    then_resets,
    then_silence,
    words,
)

from tui.core.calls import CallPlan, State
from tui.core.facts import BackedOff, Finished, Sent
from tui.core.retry import RetryBudget, RetryPolicy
from tui.core.secrets import Secret
from tui.engine.endpoint import TimeLimits
from tui.engine.limiter import Limiter

pytestmark = pytest.mark.looptime

DONE_1, FAILED_1, FAILED_3, BROKEN_1 = (
    (State.DONE, 1), (State.FAILED, 1), (State.FAILED, 3), (State.BROKEN, 1),
)  # fmt: skip
GIANT = chunk(b"data: " + b"x" * (1 << 20) + b"x")
BUSY = error_body("The engine is overloaded", "overloaded", "overloaded_error").decode()

FAULTS: dict[str, tuple[Act, tuple[State, int], str]] = {
    "answers well": (WELL, DONE_1, ""),
    "answers in one write": (says(STREAM + ROLE + words("Hello") + STOP + USAGE + DONE + END), DONE_1, ""),
    "stops without [DONE] or usage": (says(STREAM, words("Hi"), STOP + END), DONE_1, ""),
    "ends with [DONE] alone": (says(STREAM, words("Hi"), DONE + END), DONE_1, ""),
    "says [DONE] and resets": (then_resets(STREAM, words("Hi"), DONE), DONE_1, ""),
    "stops and resets before [DONE]": (then_resets(STREAM, words("Hi"), STOP), DONE_1, ""),
    "says [DONE] and never ends the body": (then_silence(STREAM, words("Hi"), STOP, DONE), DONE_1, ""),
    "hints early, then answers": (says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", STREAM, words("Hi"), DONE + END),
                                  DONE_1, ""),
    "answers in JSON": (answers_json(WHOLE_ANSWER), DONE_1, ""),
    "answers in JSON, spelled otherwise": (answers_json(WHOLE_ANSWER, "Application/JSON; charset=utf-8"), DONE_1, ""),
    "answers without a text": (says(STREAM, STOP, USAGE, DONE + END), DONE_1, ""),
    "says more than it should after [DONE]": (says(STREAM, words("Hi"), DONE + words("ghost") + END), DONE_1, ""),
    # before the first token, another try may help
    "resets at once": (then_resets(), FAILED_3, "reset"),
    "closes at once": (then_closes(), FAILED_3, "closed the connection without a response"),
    "closes within the headers": (then_closes(b"HTTP/1.1 200 OK\r\nContent-"), FAILED_3, "in the middle of the head"),
    "resets before the first token": (then_resets(STREAM, ROLE), FAILED_3, "reset"),
    "is cut before the first token": (then_closes(STREAM, ROLE), FAILED_3, "before the body's end"),
    "ends before the first token": (says(STREAM, ROLE + END), FAILED_3, "ended without a stop, a usage or [DONE]"),
    "sends an empty stream": (says(STREAM, END), FAILED_3, "the stream was empty"),
    "never answers": (then_silence(), FAILED_3, "no response headers within 20 s (first-byte time-out)"),
    "says its role and falls silent": (then_silence(STREAM, ROLE), FAILED_3, "for 10 s (idle time-out)"),
    "says in the stream that it is busy": (says(STREAM, ROLE, event(BUSY) + END), FAILED_3, "The engine is overloaded"),
    "says `event: error`": (says(STREAM, chunk(f"event: error\ndata: {BUSY}\n\n".encode()) + END), FAILED_3,
                            "The engine is overloaded"),
    "is busy under 200 and JSON": (answers_json(json.loads(BUSY)), FAILED_3, "The engine is overloaded"),
    "429 without a hint": (refuses("429 Too Many Requests", "slow down"), FAILED_3, "HTTP 429: slow down"),
    "503 in HTML": (says(reply("503 Busy", b"<h1>Busy</h1>")), FAILED_3, "HTTP 503: Busy"),
    "529 without a word": (says(reply("529 Overloaded")), FAILED_3, "HTTP 529"),
    "400 that may be retried": (refuses("400 Bad", "odd", None, "x-should-retry: true"), FAILED_3, "HTTP 400: odd"),
    # another try cannot help
    "503 that must not be retried": (refuses("503 Busy", "no", None, "x-should-retry: false"), FAILED_1, "HTTP 503"),
    "400": (refuses("400 Bad Request", "messages is empty"), FAILED_1, "HTTP 400: messages is empty"),
    "401": (refuses("401 Unauthorized", "bad key", "invalid_api_key"), FAILED_1, "HTTP 401: bad key"),
    "404 for the model": (refuses("404 Not Found", "no such model"), FAILED_1, "HTTP 404: no such model"),
    "204": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), FAILED_1, "HTTP 204"),
    "429 with an absurd hint": (refuses("429 Slow", "later", None, "Retry-After: 86400"), FAILED_1,
                                "the server asks to wait 86400 s, over 120 s"),
    "redirects": (says(reply("307 Moved", b"", "Location: http://127.0.0.1:1/")), FAILED_1, "redirects are not follow"),
    "redirects to nonsense": (says(reply("301 Moved", b"", "Location: http://[:bad")), FAILED_1,
                              "redirects are not followed"),
    "compresses": (GZIPPED, FAILED_1, "the reply is encoded (gzip), which was not asked for"),
    "sends a giant event": (says(STREAM, GIANT), FAILED_1, "larger than 1,048,576 bytes"),
    "sends giant headers": (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"), FAILED_1,
                            "bytes of headers"),
    "sends headers without end": (then_silence(*[b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"x" * 9000 + b"\r\n"] * 9]),
                                  FAILED_1, "bytes of headers"),
    "speaks another protocol": (then_closes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), FAILED_1, "not proper HTTP"),
    "sends a bad chunk": (then_closes(STREAM, b"zz\r\n"), FAILED_1, "not proper HTTP"),
    "sends chunks that are no JSON": (says(STREAM, event("{oops") + END), FAILED_1, "unreadable chunk: {oops"),
    "answers in JSON that is no answer": (answers_json({"hello": 1}), FAILED_1, "unreadable answer"),
    "refuses under 200": (answers_json({"error": {"message": "filtered", "code": "content_filter"}}), FAILED_1,
                          "filtered"),
    "fails in a word nobody knows": (says(STREAM, event({"error": "the cat did it"}) + END), FAILED_1,
                                     "the cat did it"),
    # past the commit point
    "resets in mid-stream": (then_resets(STREAM, words("Hel", "lo")), BROKEN_1, "reset"),
    "is cut in mid-stream": (then_closes(STREAM, words("Hel", "lo")), BROKEN_1, "before the body's end"),
    "ends without a stop": (says(STREAM, words("Hel", "lo") + END), BROKEN_1, "ended without a stop"),
    "falls silent in mid-stream": (then_silence(STREAM, words("Hello")), BROKEN_1, "idle time-out"),
    "fails in mid-stream": (says(STREAM, words("Hello"), event(BUSY) + END), BROKEN_1, "The engine is overloaded"),
    "fails in a chunk with text": (
        says(STREAM, event({**delta(content="Hello"), "error": {"message": "died", "code": 502}}) + END), BROKEN_1,
        "died"),
    "sends a giant event in mid-stream": (says(STREAM, words("Hello"), GIANT), BROKEN_1, "larger than 1,048,576"),
    "sends garbage in mid-stream": (then_closes(STREAM, words("Hello"), b"zz\r\n"), BROKEN_1, "not proper HTTP"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_server_that(fault: str) -> None:
    act, (state, attempts), message = FAULTS[fault]
    witness = Witness()
    async with RudeServer(act) as server, lane_to(server) as lane:
        ending = await witness.run(lane)
        assert (ending.state, len(witness.of(Sent)), len(server.requests)) == (state, attempts, attempts)
        assert message in (ending.error or "")
        assert (ending.failure is None) is (state is State.DONE)
        if attempts > 1:
            assert "after 3 attempts" in (ending.error or "")
    witness.check()
    if state is State.BROKEN:
        assert witness.entry().attempts[0].text() in ("Hello", "Hel")


async def test_nobody_listens() -> None:
    async with RudeServer(WELL) as server:
        address = server.base_url
    witness = Witness()
    async with lane_to(address) as lane:
        ending = await witness.run(lane)
    assert (ending.state, len(witness.of(Sent))) == (State.FAILED, 3)
    assert "cannot connect to 127.0.0.1:" in (ending.error or "")
    assert not any(attempt.possibly_billed for attempt in witness.entry().attempts)
    witness.check()


@pytest.mark.parametrize(
    "trouble",
    [then_resets(), refuses("503 Busy"), refuses("429 Slow", "x", None, "Retry-After: 3"), then_silence(STREAM, ROLE)],
)
async def test_a_call_that_succeeds_at_its_second_try_is_done(trouble: Act) -> None:
    witness = Witness()
    async with RudeServer(trouble, WELL) as server, lane_to(server) as lane:
        assert (await witness.run(lane)).state is State.DONE
    assert (len(witness.of(Sent)), witness.entry().attempts[1].text()) == (2, "Hello")
    witness.check()


async def test_every_attempt_of_a_call_has_its_one_idempotency_key_and_no_cookie() -> None:
    witness = Witness()
    cookie = refuses("503 Busy", "no", None, "Set-Cookie: sticky=backend-7; Path=/")
    async with RudeServer(cookie, cookie, WELL) as server, lane_to(server) as lane:
        await witness.run(lane)
        await witness.run(lane, a_plan(2))
        keys = [request.headers["idempotency-key"] for request in server.requests]
        assert keys[0] == keys[1] == keys[2] != keys[3]
        assert len(keys) == 4
        # One backend for every call, as a load balancer's cookie asks for, would measure that backend only.
        assert not any("cookie" in request.headers for request in server.requests)


@pytest.mark.parametrize(
    ("header", "least_s"),
    [("Retry-After: 7", 7.0), ("Retry-After: 1.5", 1.5), ("retry-after-ms: 2500", 2.5)],
)
async def test_a_hint_is_never_undercut(header: str, least_s: float) -> None:
    witness, loop = Witness(), asyncio.get_running_loop()
    async with RudeServer(refuses("429 Slow", "later", None, header), WELL) as server, lane_to(server) as lane:
        began = loop.time()
        assert (await witness.run(lane)).state is State.DONE
        assert least_s <= loop.time() - began <= least_s * 1.1 + 0.2
    (wait,) = witness.of(BackedOff)
    assert (wait.until - wait.at) / 1e9 >= least_s
    assert "HTTP 429: later" in wait.why


async def test_a_429_holds_the_other_calls_back_too() -> None:
    witness, loop = Witness(), asyncio.get_running_loop()
    hint = refuses("429 Slow", "later", None, "Retry-After: 30")
    async with RudeServer(hint, WELL) as server, lane_to(server, limiter=Limiter(rpm=600)) as lane:
        began = loop.time()
        first = asyncio.create_task(witness.run(lane))
        await until(lambda: bool(witness.of(BackedOff)))
        await witness.run(lane, a_plan(2))
        assert loop.time() - began >= 30
        await first
    witness.check()


async def test_a_hint_past_the_deadline_is_not_waited_for() -> None:
    witness, loop = Witness(), asyncio.get_running_loop()
    limits = TimeLimits(total_s=10.0)
    act = refuses("503 Busy", "later", None, "Retry-After: 60")
    async with RudeServer(act) as server, lane_to(server, limits=limits) as lane:
        began = loop.time()
        ending = await witness.run(lane)
        assert loop.time() - began < 1
    assert (ending.state, len(witness.of(Sent))) == (State.FAILED, 1)
    assert "would pass the call's deadline" in (ending.error or "")


@pytest.mark.parametrize("hint", ["0", "-5", "NaN", "inf", "soon", "", "1e3"])
async def test_a_hint_that_says_nothing_leaves_it_to_back_off(hint: str) -> None:
    witness = Witness()
    act = refuses("503 Busy", "later", None, f"Retry-After: {hint}")
    async with RudeServer(act) as server, lane_to(server) as lane:
        assert (await witness.run(lane)).state is State.FAILED
    assert len(witness.of(Sent)) == 3


async def test_without_retries_there_is_one_attempt_and_no_word_of_others() -> None:
    witness = Witness()
    async with RudeServer(refuses("503 Busy", "no")) as server, lane_to(server, policy=RetryPolicy(attempts=1)) as lane:
        ending = await witness.run(lane)
    assert (ending.error, len(witness.of(Sent))) == ("HTTP 503: no", 1)


async def test_a_spent_quota_stops_the_lane_for_everyone_once() -> None:
    witness, heard = Witness(), []
    act = refuses("429 Slow", "You exceeded your quota", "insufficient_quota", "Retry-After: 1")
    async with RudeServer(act) as server, lane_to(server, on_stopped=heard.append) as lane:
        first = await witness.run(lane)
        second = await witness.run(lane, a_plan(2))
    assert [first.state, second.state] == [State.FAILED] * 2
    assert len(witness.of(Sent)) == 1
    assert heard == [first.error] == [second.error]
    assert "HTTP 429: You exceeded your quota (the quota is spent)" in heard[0]
    witness.check()


async def test_a_thousand_calls_against_an_outage_send_at_most_1020_requests() -> None:
    witness = Witness()
    slots = asyncio.Semaphore(40)
    async with RudeServer(says(reply("503 Busy"))) as server, lane_to(server) as lane:

        async def one(call: int) -> None:
            async with slots:
                await witness.run(lane, a_plan(call))

        await asyncio.gather(*(one(call) for call in range(1, 1001)))
        assert 1000 < len(server.requests) <= 1020
    assert witness.ledger.states[State.FAILED] == 1000
    assert any("retry budget is spent" in fact.error for fact in witness.of(Finished))
    witness.check()


async def test_a_retry_that_succeeds_gives_its_cost_back() -> None:
    witness = Witness()
    async with RudeServer(refuses("503 Busy"), WELL) as server, lane_to(server) as lane:
        lane.budget.tokens = 40
        await witness.run(lane)
        assert lane.budget.tokens == 40
        await witness.run(lane, a_plan(2))
        assert lane.budget.tokens == 41


async def test_an_empty_budget_ends_the_call_and_says_so() -> None:
    witness = Witness()
    async with RudeServer(refuses("503 Busy", "no")) as server, lane_to(server) as lane:
        lane.budget.tokens = 4
        ending = await witness.run(lane)
        assert (ending.error, lane.budget.tokens) == ("HTTP 503: no (the retry budget is spent)", 4)
    assert RetryBudget.FULL == 100


async def test_each_attempt_takes_a_slot_of_the_rate() -> None:
    witness, loop = Witness(), asyncio.get_running_loop()
    async with RudeServer(refuses("503 Busy")) as server, lane_to(server, limiter=Limiter(rpm=6)) as lane:
        began = loop.time()
        await witness.run(lane)
        assert loop.time() - began >= 20


async def test_a_request_larger_than_the_token_limit_fails_at_once_with_both_figures() -> None:
    witness = Witness()
    async with RudeServer(WELL) as server, lane_to(server, limiter=Limiter(tpm=100)) as lane:
        ending = await witness.run(lane, a_plan(max_tokens=500))
    assert (ending.state, witness.of(Sent)) == (State.REFUSED, [])
    assert "the limit is 100 a minute" in (ending.error or "")
    witness.check()


async def test_an_answer_that_comes_in_one_read_reaches_the_call_that_asked() -> None:
    async def echo(exchange) -> None:  # type: ignore[no-untyped-def]
        asked = json.loads(exchange.body)["messages"][0]["content"]
        exchange.write_at_once(STREAM + words(asked) + STOP + USAGE + DONE + END)

    witness, rng = Witness(), random.Random(3)
    async with RudeServer(echo) as server, lane_to(server) as lane:

        async def several(first: int) -> None:
            for call in range(first, 400, 8):
                # So that some ask for a connection in the very turn in which it becomes free.
                for _ in range(rng.randrange(5)):
                    await asyncio.sleep(0)
                await witness.run(lane, CallPlan(call, "m", ({"role": "user", "content": f"question {call}"},), {}))

        await asyncio.gather(*(several(first) for first in range(1, 9)))
    answers = {call: entry.attempts[-1].text() for call, entry in witness.ledger.calls.items()}
    assert answers == {call: f"question {call}" for call in range(1, 400)}
    assert witness.ledger.retries == 0
    witness.check()


# ── the deadline ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("act", "state"), [(then_silence(), State.FAILED), (then_silence(STREAM, words("Hello")), State.BROKEN)]
)
async def test_the_deadline_ends_a_call_wherever_it_is(act: Act, state: State) -> None:
    witness = Witness()
    limits = TimeLimits(first_byte_s=60.0, idle_s=60.0, total_s=5.0)
    async with RudeServer(act) as server, lane_to(server, limits=limits) as lane:
        ending = await witness.run(lane)
    assert (ending.state, ending.error) == (state, "not done within 5 s (--timeout)")
    assert witness.entry().attempts[0].possibly_billed
    witness.check()


async def test_heart_beats_do_not_defeat_the_deadline() -> None:
    async def beat(exchange) -> None:  # type: ignore[no-untyped-def]
        await exchange.write(STREAM)
        while True:
            await exchange.write(chunk(b": ping\n\n"))
            await asyncio.sleep(1)

    witness = Witness()
    limits = TimeLimits(idle_s=5.0, total_s=20.0)
    async with RudeServer(beat) as server, lane_to(server, limits=limits) as lane:
        ending = await witness.run(lane)
    assert (ending.state, ending.error) == (State.FAILED, "not done within 20 s (--timeout)")


async def test_the_clock_of_a_call_does_not_run_in_the_limiter_s_queue() -> None:
    witness = Witness()
    limits = TimeLimits(total_s=5.0)
    async with RudeServer(WELL) as server, lane_to(server, limits=limits, limiter=Limiter(rpm=1)) as lane:
        await witness.run(lane)
        assert (await witness.run(lane, a_plan(2))).state is State.DONE


# ── cancelling ────────────────────────────────────────────────────────────────────────────────────────────

LATER = refuses("503 Busy", "later", None, "Retry-After: 100")


@pytest.mark.parametrize(
    ("act", "state", "attempts", "billed"),
    [
        (WELL, State.WAITING, 0, False),
        (then_silence(), State.CONNECTING, 1, True),
        (then_silence(STREAM, words("Hello")), State.STREAMING, 1, True),
        (LATER, State.BACKING_OFF, 1, False),
    ],
)
async def test_a_call_can_be_cancelled_in_every_state(act: Act, state: State, attempts: int, billed: bool) -> None:
    witness, limiter = Witness(), Limiter(rpm=1)
    async with RudeServer(act) as server, lane_to(server, limiter=limiter) as lane:
        if state is State.WAITING:
            await limiter.acquire()
        task = asyncio.create_task(witness.run(lane))
        await until(lambda: bool(witness.ledger.calls) and witness.entry().state is state)
        if state is State.CONNECTING:
            await until(lambda: bool(server.requests))
        task.cancel()
        ending = await task
    assert (ending.state, ending.error, len(witness.of(Sent))) == (State.CANCELLED, "cancelled", attempts)
    if attempts:
        assert witness.entry().attempts[0].possibly_billed is billed
    witness.check()


async def test_an_answer_that_comes_after_the_call_was_cancelled_reaches_nobody() -> None:
    go = asyncio.Event()

    async def late(exchange) -> None:  # type: ignore[no-untyped-def]
        await go.wait()
        await WELL(exchange)

    witness = Witness()
    async with RudeServer(late, WELL) as server, lane_to(server) as lane:
        task = asyncio.create_task(witness.run(lane))
        await until(lambda: bool(server.requests))
        task.cancel()
        await task
        before = len(witness.facts)
        go.set()
        await asyncio.sleep(1)
        assert len(witness.facts) == before
        assert (await witness.run(lane, a_plan(2))).state is State.DONE
    witness.check()


async def test_unasked_bytes_on_an_idle_connection_do_not_reach_the_next_call() -> None:
    ghost = says(STREAM, words("Hi"), DONE + END, STREAM + words("ghost") + DONE + END)
    witness = Witness()
    async with RudeServer(ghost, WELL) as server, lane_to(server) as lane:
        await witness.run(lane)
        await asyncio.sleep(0.1)
        await witness.run(lane, a_plan(2))
    assert [witness.entry(call).attempts[-1].text() for call in (1, 2)] == ["Hi", "Hello"]
    witness.check()


# ── secrets and surprises ─────────────────────────────────────────────────────────────────────────────────

KEY, HEADER = "sk-canary-0123456789abcdef", "Bearer tok-canary-fedcba9876543210"


@pytest.mark.parametrize(
    "act",
    [
        refuses("401 Unauthorized", f"Incorrect API key provided: {KEY}"),
        refuses("401 Unauthorized", f"Bad token {HEADER.partition(' ')[2]}."),
        refuses("400 Bad", "x" * 985 + KEY),
        says(reply("500 Oops", f"<pre>Authorization: Bearer {KEY}\n</pre>".encode())),
        says(STREAM, event({"error": {"message": f"key {KEY} is not allowed", "code": KEY}}) + END),
        says(STREAM, event(f"{KEY} oops") + END),
        says(reply("401 No", b"{}", f"x-request-id: {KEY}")),
        says(STREAM, event(delta(finish_reason=KEY)) + DONE + END),
        says(reply("200 OK", b"x", f"Content-Encoding: {KEY}")),
    ],
)
async def test_a_key_that_the_server_echoes_is_stated_nowhere(act: Act) -> None:
    witness = Witness()
    options = {"key": Secret(KEY), "headers": (("x-token", Secret(HEADER)),)}
    async with RudeServer(act) as server, lane_to(server, policy=RetryPolicy(attempts=1), **options) as lane:
        ending = await witness.run(lane)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert server.requests[0].headers["x-token"] == HEADER
        assert "canary" not in repr(lane.line)
    assert "canary" not in repr((ending, witness.facts))


async def test_a_header_that_http_does_not_allow_fails_the_call_without_showing_it() -> None:
    witness = Witness()
    options = {"headers": (("x-odd", Secret("canary\nvalue")),)}
    async with RudeServer(WELL) as server, lane_to(server, **options) as lane:
        ending = await witness.run(lane)
    assert (ending.state, len(witness.of(Sent))) == (State.FAILED, 1)
    assert "canary" not in (ending.error or "canary")
    witness.check()


async def test_a_hold_is_awaited_between_two_reads() -> None:
    witness, held = Witness(), []

    async def hold() -> None:
        held.append(witness.entry().attempts[-1].chunks)

    async with RudeServer(WELL) as server, lane_to(server) as lane:
        await witness.run(lane, hold=hold)
    assert held[:3] == [0, 1, 2]


def test_the_policy_of_these_tests_is_the_default_but_for_its_waits() -> None:
    assert (AT_ONCE.attempts, LIMITS.total_s) == (RetryPolicy().attempts, 300.0)
    assert httpx.__version__.startswith("0.28")
