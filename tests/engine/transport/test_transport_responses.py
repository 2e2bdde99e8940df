"""What a response means, and what it does to its connection, however its bytes are cut."""

import asyncio

import httpx
import pytest
from transport_servers import (
    CHUNKED,
    OK,
    answering,
    body_of,
    chunked,
    post,
    read_all,
    read_request,
    read_rest,
    reset_by_peer,
)

from tui.engine.transport import MeasuringTransport, UnreadableReply

RESPONSES = {
    "content-length": (OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
    "chunked": (CHUNKED + chunked(b"he", b"llo"), b"hello", True),
    "chunk extension and trailers": (
        CHUNKED + b"5;a=b\r\nhello\r\n0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n",
        b"hello",
        True,
    ),
    "after 100 and 103": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + OK
        + b"Content-Length: 5\r\n\r\nhello",
        b"hello",
        True,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", True),
    "connection: close": (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "HTTP/1.0 that keeps alive": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
        True,
    ),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "garbage behind it": (OK + b"Content-Length: 5\r\n\r\nhelloGARBAGE", b"hello", False),
    "a second response behind it": (
        OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 3\r\n\r\nbad",
        b"hello",
        False,
    ),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_a_response_is_read_to_its_end(serve, transport: MeasuringTransport, name: str):
    wire, text, kept = RESPONSES[name]
    response = await transport.handle_async_request(post(await serve(answering(wire))))
    assert await read_all(response) == text
    assert not body_of(response).close_delimited
    assert transport.open_connections == transport.idle_connections == kept


@pytest.mark.parametrize("name", RESPONSES)
async def test_a_response_means_the_same_when_every_byte_comes_alone(serve, transport, name: str):
    wire, text, kept = RESPONSES[name]

    async def byte_by_byte(reader, writer):
        await read_request(reader)
        for byte in wire:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await reader.read()

    response = await transport.handle_async_request(post(await serve(byte_by_byte)))
    assert await read_all(response) == text
    # Bytes behind a response may come after it was over: then the connection is idle, and closed on sight.
    if kept:
        assert transport.idle_connections == 1


async def test_a_body_that_ends_with_its_connection_says_so(serve, transport):
    url = await serve(answering(OK + b"\r\nhello", then_close=True))
    response = await transport.handle_async_request(post(url))
    assert await read_all(response) == b"hello"
    assert body_of(response).close_delimited
    assert transport.open_connections == 0


async def test_the_answer_to_head_has_no_body(serve, transport):
    url = await serve(answering(OK + b"Content-Length: 5\r\n\r\n"))
    response = await transport.handle_async_request(httpx.Request("HEAD", url))
    assert await read_all(response) == b""
    assert transport.open_connections == 0


async def test_headers_status_and_reason_reach_httpx(serve, transport):
    wire = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 3\r\nX-Two: a\r\nX-Two: b\r\nContent-Length: 0\r\n\r\n"
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.post(await serve(answering(wire)))
    assert (response.status_code, response.reason_phrase) == (429, "Slow Down")
    assert response.headers["retry-after"] == "3"
    assert response.headers.get_list("x-two") == ["a", "b"]


async def test_stock_httpx_can_read_the_body(serve):
    url = await serve(answering(CHUNKED + chunked(b"he", b"llo")))
    async with httpx.AsyncClient(transport=MeasuringTransport()) as client:
        assert (await client.post(url)).text == "hello"
        async with client.stream("POST", url) as response:
            assert b"".join([piece async for piece in response.aiter_raw()]) == b"hello"


async def test_an_encoded_body_is_passed_through_raw(serve, transport):
    url = await serve(answering(OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b!"))
    response = await transport.handle_async_request(post(url))
    assert await read_all(response) == b"\x1f\x8b!"


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (b"<html>hello", "not proper HTTP"),
        (b"", "without a response"),
        (OK + b"X-Half: ", "in the middle of the headers"),
        (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "not proper HTTP"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "switches"),
    ],
)
async def test_what_is_no_response_is_a_protocol_error(serve, transport, wire: bytes, message: str):
    url = await serve(answering(wire, then_close=True))
    with pytest.raises(httpx.RemoteProtocolError, match=message) as caught:
        await transport.handle_async_request(post(url))
    assert caught.value.request.url == url
    cut = message in ("without a response", "in the middle of the headers")
    assert isinstance(caught.value, UnreadableReply) is not cut
    assert transport.open_connections == 0


@pytest.mark.parametrize(
    "cut",
    [OK + b"Content-Length: 9\r\n\r\nhello", CHUNKED + b"5\r\nhello\r\n", CHUNKED + b"5\r\nhello\r\n9\r\nhal"],
)
async def test_a_cut_body_gives_what_came_and_then_an_error(serve, transport, cut: bytes):
    response = await transport.handle_async_request(post(await serve(answering(cut, then_close=True))))
    body = body_of(response)
    read = await body.receive()
    assert read is not None
    assert read.pieces[0] == b"hello"
    with pytest.raises(httpx.RemoteProtocolError, match="before the body's end") as caught:
        await read_rest(body)
    assert not isinstance(caught.value, UnreadableReply)
    assert transport.open_connections == 0


async def test_a_broken_chunk_gives_what_came_and_then_an_error(serve, transport):
    url = await serve(answering(CHUNKED + b"5\r\nhello\r\nZZ\r\n"))
    body = body_of(await transport.handle_async_request(post(url)))
    read = await body.receive()
    assert read is not None
    assert read.pieces == [b"hello"]
    with pytest.raises(UnreadableReply, match="not proper HTTP"):
        await body.receive()


async def test_a_reset_is_a_read_error_with_words(serve, transport):
    seen = asyncio.Event()

    async def reset(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED + b"5\r\nhello\r\n")
        await seen.wait()  # a reset may throw away what was not read yet
        reset_by_peer(writer)

    body = body_of(await transport.handle_async_request(post(await serve(reset))))
    assert (await body.receive()).pieces == [b"hello"]
    seen.set()
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        await body.receive()
    assert transport.open_connections == 0


@pytest.mark.parametrize(
    ("wire", "part"),
    [
        (OK + b"X: " + b"a" * 9000, "headers"),
        (OK + b"".join(b"X-%d: aaaaaaaa\r\n" % i for i in range(900)), "headers"),
        (OK + b"X: " + b"a" * 9000 + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "headers"),
        (OK + b"X: " + b"a" * 9000 + b"\r\nContent-Length: 0\r\n\r\n", "headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 500, "headers"),
        (CHUNKED + b"0\r\nX: " + b"a" * 9000, "framing"),
        (CHUNKED + b"5;" + b"a" * 9000, "framing"),
    ],
)
async def test_endless_headers_and_framing_meet_a_bound(serve, wire: bytes, part: str):
    small = MeasuringTransport(header_limit=4096)

    async def endless(reader, writer):
        await read_request(reader)
        writer.write(wire)
        await reader.read()

    with pytest.raises(UnreadableReply, match=f"more than 4096 bytes of {part}"):
        await read_all(await small.handle_async_request(post(await serve(endless))))
    assert small.open_connections == 0
