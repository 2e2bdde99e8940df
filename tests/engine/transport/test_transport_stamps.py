"""When bytes arrived: the kernel's word, in the house's clock."""

import asyncio
import socket
import struct
import sys
import threading
from time import time_ns

import pytest
from transport_servers import CHUNKED, body_of, chunked, post, read_request, until

from tui.core.clock import NS_PER_MS, NS_PER_S, now_ns
from tui.engine.transport.stamps import arrival

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands out receive time stamps")


def control_message(stamp_ns: int) -> list[tuple[int, int, bytes]]:
    return [(socket.SOL_SOCKET, 35, struct.pack("@qq", *divmod(stamp_ns, NS_PER_S)))]


def test_a_stamp_is_taken_by_its_age():
    at, stamped = arrival(control_message(time_ns() - 3 * NS_PER_S))
    assert stamped
    assert abs(now_ns() - at - 3 * NS_PER_S) < 500 * NS_PER_MS


@pytest.mark.parametrize(
    "ancillary",
    [
        [],
        control_message(time_ns() + 3600 * NS_PER_S),
        control_message(time_ns() - 3600 * NS_PER_S),
        [(socket.SOL_SOCKET, 35, b"short")],
        [(socket.SOL_SOCKET, 99, bytes(16))],
    ],
)
def test_without_a_believable_stamp_it_is_now(ancillary):
    before = now_ns()
    at, stamped = arrival(ancillary)
    assert not stamped
    assert before <= at <= now_ns()


async def test_instants_are_in_order(serve, transport):
    written: list[int] = []

    async def answer(reader, writer):
        for _ in range(2):
            await read_request(reader)
            for piece in (CHUNKED, b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"):
                writer.write(piece)
                await asyncio.sleep(0)
        await reader.read()

    url = await serve(answer)
    for reused in (False, True):
        began = now_ns()
        response = await transport.handle_async_request(post(url, **{"weir.on_written": written.append}))
        body = body_of(response)
        stamps = []
        while (read := await body.receive()) is not None:
            assert read.at <= now_ns()
            stamps.append(read.at)
        instants = response.extensions["weir.instants"]
        assert instants.reused == reused
        assert reused == (instants.connected_at < began)
        assert written.pop() == instants.written_at >= began
        assert [instants.written_at, instants.headers_at, *stamps] == sorted(
            [instants.written_at, instants.headers_at, *stamps]
        )


@linux
async def test_a_busy_loop_does_not_make_the_answer_late(transport):
    """The server is a thread with a blocking socket; it writes while the loop is kept busy on purpose."""
    sent_at: list[int] = []
    go = threading.Event()
    sent = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def one_client() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(CHUNKED)
                go.wait(10)
                sent_at.append(now_ns())
                peer.sendall(chunked(b"token"))
                sent.set()
                peer.recv(1)

        thread = threading.Thread(target=one_client, daemon=True)
        thread.start()
        response = await transport.handle_async_request(post(f"http://127.0.0.1:{server.getsockname()[1]}"))
        body = body_of(response)
        assert body.kernel_stamped
        go.set()
        sent.wait(10)
        busy_since = now_ns()
        while now_ns() - busy_since < 60 * NS_PER_MS:  # the loop can do nothing meanwhile
            pass
        handled_at = now_ns()
        read = await body.receive()
        assert read is not None
        assert read.stamped
        assert sent_at[0] <= read.at
        assert read.at - sent_at[0] < handled_at - read.at
        await transport.aclose()
        thread.join(10)


async def test_pieces_of_one_read_share_a_stamp_and_reads_keep_their_own(serve, transport):
    more = asyncio.Event()

    async def two_bursts(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED + b"1\r\na\r\n1\r\nb\r\n")
        await more.wait()
        writer.write(b"1\r\nc\r\n0\r\n\r\n")
        await reader.read()

    body = body_of(await transport.handle_async_request(post(await serve(two_bursts))))
    more.set()
    await until(lambda: transport.idle_connections == 1)  # both came before anyone looked
    first, second = await body.receive(), await body.receive()
    assert (first.pieces, second.pieces) == ([b"a", b"b"], [b"c"])
    assert first.at < second.at
    assert await body.receive() is None
