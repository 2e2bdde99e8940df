"""The simulator over real sockets: what it answers, what goes wrong on request, and what it says about both."""

import asyncio
import json
import socket

import pytest
from simulator_client import Client, ask, chat, quick, rendered

from tui.core.clock import now_ns
from tui.core.errors import UsageError
from tui.simulator.server import Simulator


async def test_a_stream_is_role_then_text_then_reason_then_done():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        answer = await client.ask(chat(stream=True))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.events()
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert len(answer.deltas()) == 12
    assert events[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert {event["id"] for event in events} == {answer.headers["x-request-id"]}
    assert all("usage" not in event for event in events)


async def test_head_and_role_leave_before_the_first_token():
    async with Simulator(quick(ttft_s=0.02)) as simulator, Client(simulator.port) as client:
        client.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=True)))
        await client.head()
        assert b'"role"' in await client.chunk()
        role_seen_ns = now_ns()
        while await client.chunk():
            pass
        assert role_seen_ns < simulator.truth()[0]["first_token_ns"]


async def test_usage_comes_last_and_only_when_asked_for():
    async with Simulator(quick()) as simulator:
        answer = await ask(simulator.port, chat(stream=True, stream_options={"include_usage": True}, max_tokens=5))
    *chunks, last = answer.events()
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 5
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + 5
    assert all(chunk["usage"] is None for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


async def test_a_blocking_answer_is_the_text_that_a_stream_would_have():
    async with Simulator(quick()) as simulator:
        answer = (await ask(simulator.port, chat(n=2))).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert all(choice["message"]["content"].endswith(".") for choice in answer["choices"])
    assert answer["usage"]["completion_tokens"] == 24


async def test_choices_are_told_apart_by_their_index():
    async with Simulator(quick()) as simulator:
        answer = await ask(simulator.port, chat(stream=True, n=3))
        assert simulator.truth()[0]["tokens"] == 36
    texts = {"".join(answer.deltas(choice)) for choice in range(3)}
    assert len(texts) == 3
    reasons = [c["finish_reason"] for event in answer.events() for c in event["choices"] if c["finish_reason"]]
    assert reasons == ["stop"] * 3


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "gauge", "schema": {
            "type": "object", "properties": {"level": {"type": "number"}}, "required": ["level"]}}},
    ],
)  # fmt: skip
async def test_json_is_answered_where_json_is_asked_for(form, stream):
    async with Simulator(quick()) as simulator:
        answer = await ask(simulator.port, chat(stream=stream, response_format=form))
    text = "".join(answer.deltas()) if stream else answer.json()["choices"][0]["message"]["content"]
    value = json.loads(text)
    assert isinstance(value, dict)
    assert form["type"] == "json_object" or isinstance(value["level"], float)


async def test_glued_tokens_are_fewer_chunks_with_the_same_text():
    async with Simulator(quick()) as one, Simulator(quick(coalesce=4)) as four:
        single, glued = await ask(one.port, chat(stream=True)), await ask(four.port, chat(stream=True))
        assert four.truth()[0]["tokens"] == 12
    assert len(glued.deltas()) == 4
    assert "".join(glued.deltas()) == "".join(single.deltas())


async def test_a_connection_serves_one_request_after_another():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        for _ in range(3):
            assert (await client.ask(chat(stream=True))).ended == "whole"
            assert (await client.get("/v1/models")).status == 200


async def test_pipelined_requests_are_answered_in_order():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        prompts = [f"number {number}" for number in range(40)]
        client.writer.write(b"".join(rendered("POST", "/v1/chat/completions", chat(p, stream=True)) for p in prompts))
        answers = [await client.answer() for _ in prompts]
    async with Simulator(quick()) as simulator:
        alone = [await ask(simulator.port, chat(prompt, stream=True)) for prompt in prompts]
    assert [a.body for a in answers] == [a.body for a in alone]


async def test_the_client_may_ask_to_close():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        client.writer.write(rendered("POST", "/v1/chat/completions", chat(), "Connection: close"))
        assert (await client.answer()).headers["connection"] == "close"
        assert await client.reader.read() == b""


async def test_models_are_listed_and_shown():
    async with Simulator(quick(models=(("a", 1.0), ("b", 2.0)))) as simulator, Client(simulator.port) as client:
        assert [m["id"] for m in (await client.get("/v1/models")).json()["data"]] == ["a", "b"]
        assert (await client.get("/v1/models/b")).json()["id"] == "b"
        assert (await client.get("/v1/models/c")).status == 404


async def test_the_same_seed_answers_with_the_same_bytes_in_any_order():
    settings = quick(error_rate=0.2, reset_rate=0.2, tokens=30)
    bodies = [chat(f"number {number % 15}", stream=True) for number in range(30)]

    async def answers(order):
        async with Simulator(settings) as simulator:
            found = [await ask(simulator.port, bodies[number]) for number in order]
        return sorted((answer.status, answer.body) for answer in found)

    assert await answers(range(30)) == await answers(reversed(range(30)))


# Faults.


async def test_errors_are_500_and_503_with_a_body_like_openais():
    async with Simulator(quick(error_rate=1.0)) as simulator:
        answers = [await ask(simulator.port, chat(stream=True)) for _ in range(20)]
        assert {record["ended"] for record in simulator.truth()} == {"refused"}
    assert {answer.status for answer in answers} == {500, 503}
    assert answers[0].json()["error"]["type"] == "server_error"


async def test_a_cut_stream_ends_early_in_one_of_two_ways():
    async with Simulator(quick(reset_rate=1.0)) as simulator:
        answers = [await ask(simulator.port, chat(stream=True)) for _ in range(20)]
        truth = {record["id"]: record for record in simulator.truth()}
    assert {answer.ended for answer in answers} == {"short", "reset"}
    for answer in answers:
        record = truth[answer.headers["x-request-id"]]
        assert record["ended"] == "cut"
        assert 1 <= record["tokens"] < 12
        if answer.ended == "short":
            assert len(answer.deltas()) == record["tokens"]


async def test_a_cut_blocking_answer_is_short():
    async with Simulator(quick(reset_rate=1.0)) as simulator:
        answers = [await ask(simulator.port, chat()) for _ in range(10)]
    assert {answer.ended for answer in answers} == {"short", "reset"}


async def test_a_stalled_stream_says_nothing_more_and_stays_open():
    async with Simulator(quick(stall_rate=1.0)) as simulator, Client(simulator.port) as client:
        client.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=True)))
        await client.head()
        await client.chunk()
        await client.chunk()
        # The truth is asked over another connection, after everything that is due was sent.
        async with Client(simulator.port) as other:
            [record] = (await other.get("/_truth")).json()["requests"]
        assert record["ended"] == "stalled"
        for _ in range(record["tokens"] - 1):
            await client.chunk()
        async with Client(simulator.port) as other:
            assert (await other.get("/_truth")).json()["requests"] == [record]
        assert not client.reader.at_eof()
    assert simulator.truth() == [record]


async def test_a_refusal_by_rate_asks_for_the_pause_that_was_set():
    async with Simulator(quick(refuse_rate=1.0, retry_after_s=0.25)) as simulator:
        answer = await ask(simulator.port, chat())
    assert answer.status == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["retry-after-ms"] == "250"
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_retry_of_the_same_request_can_succeed():
    async with Simulator(quick(refuse_rate=0.5)) as simulator:
        assert {(await ask(simulator.port, chat())).status for _ in range(20)} == {200, 429}


# Limits.


async def test_past_the_limit_the_answer_is_429_and_every_reply_says_what_is_left():
    async with Simulator(quick(rpm=2, tpm=10_000)) as simulator:
        answers = [await ask(simulator.port, chat()) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
    assert all("x-ratelimit-reset-tokens" in answer.headers for answer in answers)
    refused = answers[2]
    assert 29 <= int(refused.headers["retry-after"]) <= 30
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "Please try again in" in error["message"]


async def test_each_model_has_its_own_limits():
    async with Simulator(quick(models=(("sim", 1.0), ("other", 1.0)), rpm=1)) as simulator:
        assert [(await ask(simulator.port, chat())).status for _ in range(2)] == [200, 429]
        assert (await ask(simulator.port, {**chat(), "model": "other"})).status == 200


async def test_a_request_refused_by_a_limit_is_answered_later_as_if_it_were_the_first():
    async with Simulator(quick()) as simulator:
        first = await ask(simulator.port, chat())
    async with Simulator(quick(tpm=40)) as simulator:
        await ask(simulator.port, chat("something else that takes the whole allowance up"))
        assert (await ask(simulator.port, chat())).status == 429
        simulator.refill()
        assert (await ask(simulator.port, chat())).json()["id"] == first.json()["id"]


# Truth.


async def test_the_truth_is_what_the_client_saw():
    async with Simulator(quick(ttft_s=0.01, itl_s=0.001)) as simulator, Client(simulator.port) as client:
        before_ns = now_ns()
        client.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=True)))
        answer = await client.answer()
        after_ns = now_ns()
        [record] = (await client.get("/_truth")).json()["requests"]
    assert record["id"] == answer.headers["x-request-id"]
    assert (record["model"], record["status"], record["ended"]) == ("sim", 200, "complete")
    assert record["tokens"] == len(answer.deltas()) == 12
    assert before_ns <= record["accepted_ns"] < record["first_token_ns"] < record["last_token_ns"] <= after_ns
    # The plan is kept: never early, measured from the request's arrival.
    assert record["first_token_ns"] - record["accepted_ns"] >= 10_000_000
    assert record["last_token_ns"] - record["accepted_ns"] >= 21_000_000


async def test_every_refusal_is_in_the_truth_under_the_id_that_the_client_got():
    async with Simulator(quick(rpm=1)) as simulator:
        bodies = [chat(), chat(), {**chat(), "model": "nobody"}, {**chat(), "n": 0}]
        answers = [await ask(simulator.port, body) for body in bodies]
        truth = simulator.truth()
    assert [record["status"] for record in truth] == [200, 429, 404, 400]
    assert [record["id"] for record in truth] == [answer.headers["x-request-id"] for answer in answers]
    assert [record["ended"] for record in truth] == ["complete", "refused", "refused", "refused"]
    assert truth[1]["first_token_ns"] is None


async def test_the_truth_tells_which_requests_were_the_same():
    async with Simulator(quick()) as simulator:
        for prompt in ("one", "two", "one"):
            await ask(simulator.port, chat(prompt))
        first, other, again = simulator.truth()
    assert first["asked"] == again["asked"] != other["asked"]
    assert first["id"] != again["id"]


async def test_a_client_that_leaves_cancels_its_stream():
    async with Simulator(quick(itl_s=3600.0)) as simulator:
        async with Client(simulator.port) as client:
            client.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=True)))
            await client.head()
            await client.chunk()
            await client.chunk()
            assert simulator.truth()[0]["ended"] is None
        async with Client(simulator.port) as other:
            [record] = (await other.get("/_truth")).json()["requests"]
    assert (record["ended"], record["tokens"]) == ("cut", 1)


async def test_a_slow_reader_holds_back_its_own_stream_only():
    async with Simulator(quick(tokens=60_000)) as simulator:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", simulator.port))
        slow.setblocking(False)
        slow.send(rendered("POST", "/v1/chat/completions", chat(stream=True)))
        # Another client is served to the end while the slow one reads nothing.
        assert (await ask(simulator.port, chat(stream=True, max_tokens=50))).ended == "whole"
        held = simulator.truth()[0]
        assert held["ended"] is None
        assert 1 <= held["tokens"] < 60_000
        loop, received = asyncio.get_running_loop(), bytearray()
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += await loop.sock_recv(slow, 1 << 20)
        slow.close()
        assert simulator.truth()[0]["ended"] == "complete"
        assert simulator.truth()[0]["tokens"] == 60_000 == received.count(b'"delta":{"content":')


async def test_reset_forgets_everything():
    async with Simulator(quick(rpm=1)) as simulator, Client(simulator.port) as client:
        first = await client.ask(chat())
        assert (await client.ask({}, "/_reset")).status == 200
        assert simulator.truth() == []
        again = await client.ask(chat())
    assert again.body == first.body


# Hostile and mistaken clients.


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (rendered("GET", "/v1/chat/completions"), 405),
        (rendered("PUT", "/v1/models"), 405),
        (rendered("GET", "/nowhere"), 404),
        (rendered("POST", "/v1/chat/completions", b"{"), 400),
        (rendered("POST", "/v1/chat/completions", b"\xff"), 400),
        (rendered("POST", "/v1/chat/completions", b"[" * 100_000), 400),
        (rendered("POST", "/v1/chat/completions", chat() | {"stream": "yes"}), 400),
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET /" + b"a" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, 431),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_a_reason(request_bytes, status):
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        client.writer.write(request_bytes)
        answer = await client.answer()
        assert answer.status == status
        assert answer.json()["error"]["message"]
        # Whoever comes next is served.
        assert (await ask(simulator.port, chat())).status == 200


@pytest.mark.parametrize("header", ["Connection: close", "Connection: keep-alive", "Expect: 100-continue"])
async def test_a_client_of_http_1_0_gets_a_body_that_ends_with_the_connection(header: str):
    """nginx asks the servers behind it in HTTP/1.0 unless it is told otherwise."""
    async with Simulator(quick(itl_s=0.0001)) as simulator:
        same = await ask(simulator.port, chat(stream=True))
        async with Client(simulator.port) as client, Client(simulator.port) as second:
            await second.ask({}, "/_reset")
            request = rendered("POST", "/v1/chat/completions", chat(stream=True), header)
            client.writer.write(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
            answer = await client.head()
            assert answer.status == 200
            assert "transfer-encoding" not in answer.headers
            assert answer.headers["connection"] == "close"
            assert await client.reader.read() == same.body


async def test_a_whole_answer_in_http_1_0_has_its_length_and_closes():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        client.writer.write(b"GET /v1/models HTTP/1.0\r\n\r\n")
        answer = await client.answer()
        assert answer.json()["data"][0]["id"] == "sim"
        assert answer.headers["connection"] == "close"
        assert await client.reader.read() == b""


async def test_an_endless_chunked_body_is_refused():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        client.writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%b\r\n" % (1 << 20, b" " * (1 << 20))
        for _ in range(17):
            client.writer.write(chunk)
        assert (await client.head()).status == 413


async def test_a_body_that_waits_for_leave_is_told_to_come():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        head, _, body = rendered("POST", "/v1/chat/completions", chat(), "Expect: 100-continue").partition(b"\r\n\r\n")
        client.writer.write(head + b"\r\n\r\n")
        assert (await client.head()).status == 100
        client.writer.write(body)
        assert (await client.answer()).status == 200


async def test_a_request_may_come_byte_by_byte():
    async with Simulator(quick()) as simulator, Client(simulator.port) as client:
        for byte in rendered("POST", "/v1/chat/completions", chat()):
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.answer()).status == 200


async def test_many_streams_at_once_all_end():
    async with Simulator(quick(tokens=20, itl_s=0.0005)) as simulator:
        answers = await asyncio.gather(*(ask(simulator.port, chat(f"{n}", stream=True)) for n in range(150)))
        assert [record["ended"] for record in simulator.truth()] == ["complete"] * 150
    assert {len(answer.deltas()) for answer in answers} == {20}


async def test_a_port_in_use_is_a_usage_error_that_names_the_flag():
    async with Simulator(quick()) as simulator:
        with pytest.raises(UsageError) as refused:
            await Simulator(quick(port=simulator.port)).start()
    assert refused.value.where == "--port"
    assert "--port 0" in refused.value.hint
