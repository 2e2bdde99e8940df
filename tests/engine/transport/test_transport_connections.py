"""Which connections are used again, which are closed, and that none is ever left behind."""

import asyncio
import socket

import httpx
import pytest
from transport_servers import (
    CHUNKED,
    OK,
    answering,
    body_of,
    chunked,
    post,
    quiet,
    read_all,
    read_request,
    reset_by_peer,
    stalling,
    until,
)

from tui.engine.transport import MeasuringTransport

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


async def ask(transport: MeasuringTransport, url: str) -> httpx.Response:
    response = await transport.handle_async_request(post(url))
    assert await read_all(response) == b"hello"
    return response


async def test_a_connection_is_used_again(serve, transport):
    url = await serve(answering(HELLO))
    first, second = await ask(transport, url), await ask(transport, url)
    assert not first.extensions["weir.instants"].reused
    assert second.extensions["weir.instants"].reused
    assert transport.open_connections == transport.idle_connections == 1


async def test_two_requests_at_once_have_two_connections(serve, transport):
    url = await serve(answering(HELLO))
    await asyncio.gather(ask(transport, url), ask(transport, url))
    assert transport.idle_connections == 2


async def test_origins_do_not_share_connections(serve, transport):
    await ask(transport, await serve(answering(HELLO)))
    response = await ask(transport, await serve(answering(HELLO)))
    assert not response.extensions["weir.instants"].reused


async def test_a_connection_that_the_server_closed_is_not_used(serve, transport):
    url = await serve(answering(HELLO, then_close=True))
    await ask(transport, url)
    await until(lambda: transport.idle_connections == 0)  # seen by the loop
    response = await ask(transport, url)
    assert not response.extensions["weir.instants"].reused


async def test_a_close_that_the_loop_has_not_seen_yet_is_found_before_the_request(transport):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        loop = asyncio.get_running_loop()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        async def one_answer() -> socket.socket:
            peer, _ = await loop.sock_accept(server)
            await loop.sock_recv(peer, 65536)
            await loop.sock_sendall(peer, HELLO)
            return peer

        answered = asyncio.ensure_future(one_answer())
        await ask(transport, url)
        peer = await answered
        answered = asyncio.ensure_future(one_answer())
        await asyncio.sleep(0)
        peer.close()  # and the very next thing, before the loop polls, is our request
        assert transport.idle_connections == 1
        response = await ask(transport, url)
        assert not response.extensions["weir.instants"].reused
        (await answered).close()


async def test_a_request_is_never_sent_twice(serve, transport):
    heads: list[bytes] = []

    async def answer_once_then_drop(reader, writer):
        heads.append(await read_request(reader))
        writer.write(HELLO)
        heads.append(await read_request(reader))

    url = await serve(answer_once_then_drop)
    await ask(transport, url)
    with pytest.raises(httpx.RemoteProtocolError, match=r"without a response \(a reused connection; the request"):
        await ask(transport, url)
    assert len(heads) == 2


@pytest.mark.looptime
async def test_idle_connections_are_closed_before_the_server_would(serve, transport):
    url = await serve(answering(HELLO))
    await asyncio.gather(ask(transport, url), ask(transport, url))
    await asyncio.sleep(3.9)
    assert transport.idle_connections == 2
    await ask(transport, url)
    await asyncio.sleep(0.2)
    assert transport.idle_connections == 1
    await asyncio.sleep(4)
    assert transport.open_connections == 0


@pytest.mark.looptime
async def test_a_connection_that_waited_too_long_is_not_used_even_before_it_was_swept(serve, transport):
    url = await serve(answering(HELLO))
    await ask(transport, url)
    transport._sweeper.cancel()  # as when a busy loop has not come to it
    await asyncio.sleep(4.5)
    assert transport.idle_connections == 1
    response = await ask(transport, url)
    assert not response.extensions["weir.instants"].reused


async def test_no_more_than_max_idle_connections_wait(serve):
    transport = MeasuringTransport(max_idle=1)
    url = await serve(answering(HELLO))
    await asyncio.gather(ask(transport, url), ask(transport, url))
    assert transport.open_connections == transport.idle_connections == 1
    await transport.aclose()


async def test_closing_in_mid_body_closes_the_socket_at_once(serve, transport):
    gone = asyncio.Event()

    async def endless(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED + b"5\r\nhello\r\n")
        await reader.read()
        gone.set()

    body = body_of(await transport.handle_async_request(post(await serve(endless))))
    await body.receive()
    body.close()
    assert transport.open_connections == 0
    await gone.wait()
    body.close()
    with pytest.raises(httpx.StreamClosed):
        await body.receive()


async def test_closing_wakes_whoever_receives(serve, transport):
    body = body_of(await transport.handle_async_request(post(await serve(stalling(CHUNKED)))))
    receiver = asyncio.ensure_future(body.receive())
    await asyncio.sleep(0)
    body.close()
    with pytest.raises(httpx.StreamClosed):
        await receiver


async def test_the_rest_of_a_body_comes_in_quietly_and_the_connection_is_used_again(serve, transport):
    rest = asyncio.Event()

    async def late_end(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED + b"5\r\nhello\r\n")
        await rest.wait()
        writer.write(chunked(b"rest"))
        await reader.read()

    body = body_of(await transport.handle_async_request(post(await serve(late_end))))
    await body.receive()
    body.finish_quietly()
    await body.aclose()
    assert (transport.open_connections, transport.idle_connections) == (1, 0)
    rest.set()
    await until(lambda: transport.idle_connections == 1)


@pytest.mark.looptime
async def test_a_quiet_finish_takes_250_ms_at_most(serve, transport):
    body = body_of(await transport.handle_async_request(post(await serve(stalling(CHUNKED)))))
    body.finish_quietly()
    await asyncio.sleep(0.24)
    assert transport.open_connections == 1
    await asyncio.sleep(0.02)
    assert transport.open_connections == 0


@pytest.mark.looptime
async def test_a_quiet_finish_takes_64_kb_at_most(serve, transport):
    loop = asyncio.get_running_loop()
    flood = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    body = body_of(await transport.handle_async_request(post(await serve(stalling(CHUNKED + flood * 200)))))
    began = loop.time()
    body.finish_quietly()
    await until(lambda: transport.open_connections == 0)
    assert loop.time() - began < 0.2  # before its time was up


async def test_a_reader_that_does_not_read_holds_the_server_back(serve):
    transport = MeasuringTransport(read_limit=64 * 1024)
    piece = b"x" * 4096
    written = 0

    async def flood(reader, writer):
        nonlocal written
        await read_request(reader)
        writer.write(CHUNKED)
        for _ in range(16_000):  # 64 MB
            writer.write(b"1000\r\n" + piece + b"\r\n")
            await writer.drain()
            written += len(piece)
        writer.write(b"0\r\n\r\n")
        await reader.read()

    body = body_of(await transport.handle_async_request(post(await serve(flood))))
    before = -1
    while written != before:  # until the server has stopped for a while
        before = written
        for _ in range(2000):
            await asyncio.sleep(0)
    assert written < 16_000 * 4096
    assert body.held_bytes < 3 * 64 * 1024
    total = 0
    while (read := await body.receive()) is not None:
        total += sum(map(len, read.pieces))
        assert body.held_bytes < 3 * 64 * 1024
    assert total == 16_000 * 4096
    assert transport.idle_connections == 1
    await transport.aclose()


SLOW_STARTS = {
    "no answer": quiet,
    "half of the headers": stalling(OK + b"X: "),
    "headers only": stalling(CHUNKED),
    "half of a chunk": stalling(CHUNKED + b"9\r\nhal"),
}


@pytest.mark.parametrize("name", SLOW_STARTS)
async def test_cancelling_after_any_number_of_steps_leaves_no_connection(serve, transport, name: str):
    url = await serve(SLOW_STARTS[name])

    async def use() -> None:
        async with (
            httpx.AsyncClient(transport=transport) as client,
            client.stream("POST", url, json={}, timeout=None) as response,
        ):
            await read_all(response)

    for steps in range(25):
        # A client of its own closes the transport with it, so that each round starts afresh.
        transport = MeasuringTransport()
        task = asyncio.ensure_future(use())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert transport.open_connections == 0


async def test_cancelling_twice_leaves_no_connection(serve, transport):
    url = await serve(SLOW_STARTS["headers only"])

    async def use() -> None:
        response = await transport.handle_async_request(post(url))
        try:
            await read_all(response)
        finally:
            await response.aclose()

    task = asyncio.ensure_future(use())
    await until(lambda: transport.open_connections == 1)
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert transport.open_connections == 0


async def test_closing_the_transport_ends_what_runs(serve):
    transport = MeasuringTransport()
    body = body_of(await transport.handle_async_request(post(await serve(stalling(CHUNKED)))))
    await transport.aclose()
    assert transport.open_connections == 0
    with pytest.raises(httpx.ReadError, match="closed"):
        await body.receive()


async def test_an_early_answer_ends_the_sending(serve, transport):
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        await asyncio.Event().wait()

    request = httpx.Request("POST", await serve(refuse), content=b"x" * 50_000_000)
    response = await transport.handle_async_request(request)
    assert response.status_code == 413
    assert await read_all(response) == b"no"
    assert response.extensions["weir.instants"].written_at is None
    assert transport.open_connections == 0


async def test_a_server_that_resets_while_we_send_is_an_error_with_words(serve, transport):
    async def reset(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reset_by_peer(writer)

    request = httpx.Request("POST", await serve(reset), content=b"x" * 50_000_000)
    with pytest.raises(httpx.NetworkError, match=r"failed: (Connection reset|Broken pipe)"):
        await transport.handle_async_request(request)
    assert transport.open_connections == 0


async def test_a_transport_stays_with_its_loop(serve, transport):
    url = await serve(answering(HELLO))
    await ask(transport, url)
    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(lambda: asyncio.run(transport.handle_async_request(post(url))))
