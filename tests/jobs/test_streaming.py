"""The library as its documentation has it, over real sockets."""

import asyncio
import json
import socket
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from tui import CallError, Stream, StreamClient, UsageError, stream
from tui.core.calls import State, TextKind, Usage
from tui.core.errors import WeirError
from tui.engine.endpoint import TimeLimits
from tui.jobs import streaming
from tui.simulator.server import Simulator

PRICE = "in=1,out=10"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

endless = pytest.mark.parametrize("simulator", [{"itl_s": 0.01, "tokens": 5_000}], indirect=True)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until it holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a truth is a list, and sets no event
            await asyncio.sleep(0.001)


@asynccontextmanager
async def answering(*events: Any, then: bytes = b"") -> AsyncIterator[str]:
    """The address of a server that answers every request with these chunks' JSON."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + then)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def to_the_end(s: Stream, came: list[str] | None = None) -> None:
    """Read all that there is."""
    async for piece in s:
        if came is not None:
            came.append(piece)


def delta(finish_reason: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": fields, "finish_reason": finish_reason}]}


DONE = b"data: [DONE]\n\n"


# ── what it gives ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("simulator", [{"itl_s": 0.005}], indirect=True)
async def test_a_stream_gives_its_text_piece_by_piece_and_then_its_figures(simulator: Simulator) -> None:
    async with stream("Hello?", model="sim", base_url=simulator.base_url, price=PRICE) as s:
        pieces = [piece async for piece in s]
        assert "".join(pieces) == s.text
    (truth,) = simulator.truth()
    assert len(pieces) == truth["tokens"] == 12
    assert s.usage is not None
    assert (s.usage.completion, s.usage_estimated, s.state, s.finish_reason) == (12, False, State.DONE, "stop")
    assert s.cost.amount == Decimal(s.usage.prompt + 120) / 1_000_000
    timing = s.timing
    assert timing.attempts == 1
    assert timing.queue_s is not None
    assert timing.ttft_s is not None
    assert timing.e2e_s is not None
    assert timing.total_s is not None
    assert timing.server_ttft_s is not None
    assert timing.queue_s >= 0
    assert 0 < timing.server_ttft_s <= timing.ttft_s <= timing.e2e_s <= timing.total_s
    assert timing.tpot_s is not None
    assert timing.tokens_per_s is not None


async def test_the_documented_example_runs(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", simulator.base_url)
    assert streaming.__doc__ is not None
    example = textwrap.dedent(streaming.__doc__[streaming.__doc__.index("    import asyncio\n") :])
    # The loop runs already, and no price is known for a simulated model.
    example = example.replace("asyncio.run(main())", "").replace('"gpt-4o-mini"', f'"sim", price="{PRICE}"')
    scope: dict[str, Any] = {}
    exec(example, scope)
    await scope["main"]()
    assert "Usage(prompt=" in capsys.readouterr().out
    assert simulator.truth()[0]["ended"] == "complete"


async def test_without_a_model_the_servers_only_one_is_asked(simulator: Simulator) -> None:
    async with stream("Hello?", base_url=simulator.base_url, price=PRICE) as s:
        assert [piece async for piece in s]
    assert (s.model, simulator.truth()[0]["model"]) == ("sim", "sim")


async def test_messages_system_and_fields_go_into_the_request(simulator: Simulator) -> None:
    asked = [{"role": "user", "content": "Hello?"}]
    async with StreamClient(base_url=simulator.base_url, price=PRICE) as client:
        async with client.stream(asked, model="sim", system="Be brief.", max_tokens=3, temperature=0, top_p=1) as s:
            assert len([piece async for piece in s]) == 3
        assert s.finish_reason == "length"
        async with client.stream("Hello?", model="sim") as plain:
            assert len([piece async for piece in plain]) == 12
    assert s.usage is not None
    assert plain.usage is not None
    assert s.usage.prompt > plain.usage.prompt


async def test_reasoning_and_tool_arguments_are_deltas_of_their_own_kind() -> None:
    tool = {"index": 0, "id": "t1", "function": {"name": "f", "arguments": "{}"}}
    events = [
        delta(reasoning_content="Hmm."), delta(content="Yes"), delta(index=1, content="other"),
        delta(tool_calls=[tool]), delta("stop", refusal="No"),
    ]  # fmt: skip
    async with answering(*events, then=DONE) as base_url:
        async with stream("Hello?", model="m", base_url=base_url, price=PRICE) as s:
            kinds = [pair async for pair in s.deltas()]
        async with stream("Hello?", model="m", base_url=base_url, price=PRICE) as again:
            pieces = [piece async for piece in again]
    assert kinds == [
        (TextKind.REASONING, "Hmm."),
        (TextKind.CONTENT, "Yes"),
        (TextKind.TOOL, "{}"),
        (TextKind.REFUSAL, "No"),
    ]
    assert pieces == ["Yes", "No"]
    assert s.reasoning == "Hmm."


async def test_tokens_that_no_server_counted_are_estimated() -> None:
    events = (delta(content="The river "), delta("stop", content="rises."))
    async with (
        answering(*events, then=DONE) as base_url,
        stream("Hello?", model="gpt-4o", base_url=base_url, price=PRICE) as s,
    ):
        assert s.usage is None
        assert "".join([piece async for piece in s]) == "The river rises."
    assert s.usage_estimated is True
    assert s.usage == Usage(prompt=s.usage.prompt, completion=4)
    assert s.cost.source.value == "estimated"


# ── how it ends ────────────────────────────────────────────────────────────────────────────────────────────


@endless
async def test_leaving_early_makes_the_server_stop(simulator: Simulator) -> None:
    async with stream("Hello?", model="sim", base_url=simulator.base_url, price=PRICE) as s:
        async for _ in s:
            break
    assert s.state is State.CANCELLED
    await until(lambda: simulator.truth()[0]["ended"] == "cut")
    assert simulator.truth()[0]["tokens"] < 5_000
    with pytest.raises(CallError) as raised:
        await to_the_end(s)  # of the pieces that had come
    assert raised.value.state == "cancelled"


@endless
async def test_a_cancelled_consumer_leaves_nothing_behind(simulator: Simulator) -> None:
    begun = asyncio.Event()

    async def consume() -> None:
        async with stream("Hello?", model="sim", base_url=simulator.base_url, price=PRICE) as s:
            async for _ in s:
                begun.set()

    consumer = asyncio.create_task(consume())
    await begun.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    await until(lambda: simulator.truth()[0]["ended"] == "cut")


@pytest.mark.parametrize("simulator", [{"error_rate": 1.0}], indirect=True)
async def test_a_call_that_fails_raises_with_its_status_after_its_retries(simulator: Simulator) -> None:
    async with stream("Hello?", model="sim", base_url=simulator.base_url, price=PRICE, retries=1) as s:
        with pytest.raises(CallError) as raised:
            await anext(s)
    assert (raised.value.state, raised.value.status) == ("failed", simulator.truth()[-1]["status"])
    assert isinstance(raised.value, WeirError)
    assert s.timing.attempts == len(simulator.truth()) == 2
    assert s.cost.amount == 0


@pytest.mark.parametrize("simulator", [{"reset_rate": 1.0}], indirect=True)
async def test_a_cut_stream_gives_what_came_and_then_raises_broken(simulator: Simulator) -> None:
    came: list[str] = []
    async with stream("Hello?", model="sim", base_url=simulator.base_url, price=PRICE) as s:
        with pytest.raises(CallError) as raised:
            await to_the_end(s, came)
    assert raised.value.state == "broken"
    assert "".join(came) == s.text != ""
    assert len(simulator.truth()) == 1  # committed with its first token: not tried again


async def test_a_stream_without_an_end_is_broken() -> None:
    async with (
        answering(delta(content="half")) as base_url,
        stream("Hello?", model="m", base_url=base_url, price=PRICE) as s,
    ):
        assert await anext(s) == "half"
        with pytest.raises(CallError) as raised:
            await anext(s)
    assert raised.value.state == "broken"


@endless
async def test_a_time_limit_ends_a_call(simulator: Simulator) -> None:
    limits = TimeLimits(total_s=0.5)
    async with stream("Hello?", model="sim", base_url=simulator.base_url, price=PRICE, limits=limits) as s:
        with pytest.raises(CallError, match="not done within"):
            await to_the_end(s)
    assert s.state is State.BROKEN


async def test_a_stream_that_was_not_entered_says_what_to_do() -> None:
    s = stream("Hello?", model="m", base_url="http://127.0.0.1:9")
    with pytest.raises(RuntimeError, match="async with"):
        await anext(s)
    with pytest.raises(RuntimeError, match="async with"):
        _ = s.usage


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"rpm": 0}, "rpm"),
        ({"tpm": -1}, "tpm"),
        ({"rpm": 5, "burst": 0}, "burst"),
        ({"retries": -1}, "retries"),
        ({"price": "cheap"}, "--price"),
        ({"base_url": "host"}, "--base-url"),
        ({"api_key": "sk-é"}, "api_key"),
        ({"headers": {"x-a": "b\r\nx-c: d"}}, "headers"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "headers"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_at_once(arguments: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as raised:
        StreamClient(**{"base_url": "http://127.0.0.1:9", **arguments})
    assert raised.value.where == where
    assert "sk-" not in str(raised.value)


# ── several ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_streams_of_one_client_run_side_by_side(simulator: Simulator) -> None:
    async def ask(client: StreamClient, number: int) -> bool:
        async with client.stream(f"Question {number}?", model="sim") as s:
            return "".join([piece async for piece in s]) == s.text != ""

    async with StreamClient(base_url=simulator.base_url, price=PRICE) as client:
        assert await asyncio.gather(*(ask(client, number) for number in range(8))) == [True] * 8
    assert [request["ended"] for request in simulator.truth()] == ["complete"] * 8


async def test_streams_of_one_client_share_its_limit(simulator: Simulator) -> None:
    async with StreamClient(base_url=simulator.base_url, rpm=2, burst=2, price=PRICE) as client:
        streams = [client.stream(f"Question {number}?", model="sim") for number in range(4)]
        for s in streams:
            await s.__aenter__()
        for s in streams[:2]:
            assert [piece async for piece in s]
        assert [s.state.value for s in streams] == ["done", "done", "waiting", "waiting"]
        assert len(simulator.truth()) == 2
    # The client's end is the end of its streams.
    assert [s.state.value for s in streams] == ["done", "done", "cancelled", "cancelled"]
    with pytest.raises(CallError):
        await anext(streams[2])


@endless
async def test_closing_a_client_ends_the_streams_under_way(simulator: Simulator) -> None:
    client = StreamClient(base_url=simulator.base_url, price=PRICE)
    async with client.stream("Hello?", model="sim") as s:
        await anext(s)
        await client.aclose()
        with pytest.raises(CallError) as raised:
            await to_the_end(s)
    assert raised.value.state == "cancelled"
    await until(lambda: simulator.truth()[0]["ended"] == "cut")


# ── answers that are JSON ──────────────────────────────────────────────────────────────────────────────────

ORDER = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
FORM = {"type": "json_schema", "json_schema": {"name": "order", "schema": ORDER}}


async def test_a_structured_answer_is_read_to_its_end_and_parsed(simulator: Simulator) -> None:
    async with stream("u", model="sim", base_url=simulator.base_url, price=PRICE, response_format=FORM) as s:
        value = await s.json(ORDER)
        assert value == json.loads(s.text)
        assert isinstance(value["price"], float)
        assert await s.json() == value, "as often as one likes"


async def test_an_answer_that_was_read_already_can_be_parsed() -> None:
    pieces = (delta(content='```json\n{"price"'), delta(content=": 1}\n```"), delta("stop"))
    async with answering(*pieces, then=DONE) as base_url, stream("u", model="m", base_url=base_url, price=PRICE) as s:
        await to_the_end(s)
        assert await s.json(ORDER) == {"price": 1}


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ((delta(content="Sure!"), delta("stop")), "not JSON: Expecting value at line 1, column 1"),
        ((delta(content='{"price": "x"}'), delta("stop")), """at $.price: "x" is not of type 'number'"""),
        ((delta(content='{"price": '), delta("length")), "it was cut at max_tokens, which has to be larger"),
        ((delta(refusal="I cannot."), delta("stop")), "the model refused to answer"),
        ((delta("stop"),), "it is empty"),
    ],
)
async def test_an_answer_that_is_not_valid_raises_and_its_text_stays(pieces: tuple[Any, ...], why: str) -> None:
    async with answering(*pieces, then=DONE) as base_url, stream("u", model="m", base_url=base_url, price=PRICE) as s:
        with pytest.raises(CallError) as raised:
            await s.json(ORDER)
        assert str(raised.value) == f"answer is not valid: {why}"
        assert raised.value.state == "failed"
        assert bool(s.text) is (len(pieces) > 1)


async def test_a_call_that_failed_raises_its_own_error_where_json_was_wanted() -> None:
    async with answering(delta(content="{")) as base_url, stream("u", model="m", base_url=base_url, price=PRICE) as s:
        with pytest.raises(CallError) as raised:
            await s.json()
        assert raised.value.state == "broken"


async def test_a_schema_that_is_none_is_refused(simulator: Simulator) -> None:
    async with stream("u", model="sim", base_url=simulator.base_url, price=PRICE) as s:
        with pytest.raises(UsageError, match=r"schema: is no JSON Schema"):
            await s.json({"type": "nothing"})


# ── a slow reader ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_slow_reader_holds_the_server_back_in_bounded_memory() -> None:
    piece = b"data: %s\n\n" % json.dumps(delta(content="x" * 1000)).encode()
    blocked, sent = asyncio.Event(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        writer.transport.set_write_buffer_limits(0)
        writer.write(HEAD)
        while sent < 32 << 20:
            writer.write(piece)
            drained = asyncio.ensure_future(writer.drain())
            done, _ = await asyncio.wait({drained}, timeout=0.5)
            if not done:  # nobody has taken anything for that long
                blocked.set()
            await drained
            sent += len(piece)
        writer.write(DONE)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(60):
        base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with stream("Hello?", model="m", base_url=base_url, price=PRICE) as s:
            assert await anext(s) == "x" * 1000
            await blocked.wait()
            held = len(s.text) + sum(len(each.text) for each in s._pieces)
            assert held < 1 << 20
            assert sent < 16 << 20  # what is not held here waits in the kernel's buffers
            before = sent
            async for _ in s:
                if sent > before + (4 << 20):
                    break  # it goes on as soon as somebody reads
