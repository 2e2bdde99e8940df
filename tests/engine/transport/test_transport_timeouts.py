"""Every bound ends its wait, says which it was, and lets a slow but living server be. All in the loop's own time."""

import asyncio
import socket

import httpx
import pytest
from transport_servers import CHUNKED, OK, body_of, post, quiet, read_all, read_request, read_rest, stalling

from tui.engine.transport import MeasuringTransport

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_no_answer_ends_with_the_first_byte_time_out(serve, transport):
    request = post(await serve(quiet), **{"weir.first_byte_s": 7.5})
    began = now()
    with pytest.raises(httpx.ReadTimeout, match=r"no response headers within 7\.5 s \(first-byte time-out\)"):
        await transport.handle_async_request(request)
    assert now() - began == pytest.approx(7.5, abs=0.01)
    assert transport.open_connections == 0


async def test_headers_that_drip_meet_the_first_byte_time_out(serve, transport):
    async def drip(reader, writer):
        await read_request(reader)
        writer.write(OK)
        while True:
            writer.write(b"X: y\r\n")
            await asyncio.sleep(1)

    began = now()
    with pytest.raises(httpx.ReadTimeout, match="first-byte"):
        await transport.handle_async_request(post(await serve(drip), **{"weir.first_byte_s": 5}))
    assert now() - began == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("first_byte_s", [2.0, 600.0])
async def test_a_silence_in_the_body_ends_with_the_idle_time_out(serve, transport, first_byte_s: float):
    async def three_then_silence(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED)
        for _ in range(3):
            await asyncio.sleep(8)
            writer.write(b"1\r\nx\r\n")
        await reader.read()

    extensions = {"weir.first_byte_s": first_byte_s, "weir.idle_s": 10.0}
    response = await transport.handle_async_request(post(await serve(three_then_silence), **extensions))
    began = now()
    with pytest.raises(httpx.ReadTimeout, match=r"no byte of the body for 10 s \(idle time-out\)"):
        await read_all(response)
    assert now() - began == pytest.approx(34, abs=0.1)
    assert transport.open_connections == 0


async def test_httpx_s_own_read_time_out_holds_where_nothing_else_is_said(serve, transport):
    async with httpx.AsyncClient(transport=transport, timeout=3) as client:
        with pytest.raises(httpx.ReadTimeout, match="within 3 s"):
            await client.get(await serve(quiet))


async def test_a_server_that_stops_taking_meets_the_write_time_out(serve, transport):
    async def deaf(reader, writer):
        await asyncio.Event().wait()

    url = await serve(deaf)
    request = httpx.Request("POST", url, content=b"x" * 50_000_000, extensions={"timeout": {"write": 4.0}})
    with pytest.raises(httpx.WriteTimeout, match=r"for 4 s \(write time-out\)"):
        await transport.handle_async_request(request)
    assert transport.open_connections == 0


async def test_a_pause_of_our_own_is_not_the_server_s_silence(serve):
    transport = MeasuringTransport(read_limit=16 * 1024)
    url = await serve(stalling(CHUNKED + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 64 + b"0\r\n\r\n"))
    body = body_of(await transport.handle_async_request(post(url, **{"weir.idle_s": 5.0})))
    await asyncio.sleep(0.1)
    held = body.held_bytes
    await asyncio.sleep(60)
    assert body.held_bytes == held
    total = 0
    while (read := await body.receive()) is not None:
        total += sum(map(len, read.pieces))
    assert total == 64 * 4096
    await transport.aclose()


async def test_silence_is_counted_from_when_we_listened_again(serve):
    transport = MeasuringTransport(read_limit=4 * 1024)
    more = asyncio.Event()

    async def two_parts(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED + b"2000\r\n" + b"x" * 8192 + b"\r\n")
        await more.wait()
        writer.write(b"0\r\n\r\n")
        await reader.read()

    body = body_of(await transport.handle_async_request(post(await serve(two_parts), **{"weir.idle_s": 5.0})))
    await asyncio.sleep(62)
    asyncio.get_running_loop().call_later(4, more.set)
    assert await read_rest(body) == b"x" * 8192
    await transport.aclose()


async def test_bytes_that_lie_in_the_kernel_when_the_timer_fires_are_no_silence(serve, transport):
    peers = []

    async def start(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED)
        peers.append(writer)
        await reader.read()

    body = body_of(await transport.handle_async_request(post(await serve(start), **{"weir.idle_s": 5.0})))
    # Due in the same turn of the loop as the time-out and just before it, so that nobody can have read it.
    asyncio.get_running_loop().call_at(now() + 5.0 - 1e-10, peers[0].write, b"5\r\nhello\r\n0\r\n\r\n")
    read = await body.receive()
    assert read is not None
    assert read.pieces == [b"hello"]


async def test_a_listener_that_does_not_accept_meets_the_connect_time_out(transport):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        crowd = []
        for _ in range(3):  # fill the backlog
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            crowd.append(filler)
        request = post(f"http://127.0.0.1:{address[1]}", timeout={"connect": 2.0})
        with pytest.raises(httpx.ConnectTimeout, match=r"no connection to .* within 2 s \(connect time-out\)"):
            await transport.handle_async_request(request)
        assert transport.open_connections == 0
        for filler in crowd:
            filler.close()
