"""Servers by hand: each test says, byte for byte, what its server does with a connection."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import httpx

from tui.engine.transport import Body

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request, head and body; IncompleteReadError when the client has gone."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return head + await reader.readexactly(int(line[15:]))
    return head


def answering(answer: bytes, then_close: bool = False) -> Handler:
    """A server that answers every request with the same bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(answer)
            if then_close:
                return

    return handler


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def post(url: str, **extensions: object) -> httpx.Request:
    return httpx.Request("POST", url, json={"stream": True}, extensions=extensions)


def body_of(response: httpx.Response) -> Body:
    body = response.extensions["weir.body"]
    assert isinstance(body, Body)
    return body


async def read_all(response: httpx.Response) -> bytes:
    return await read_rest(body_of(response))


async def read_rest(body: Body) -> bytes:
    pieces: list[bytes] = []
    while (read := await body.receive()) is not None:
        pieces += read.pieces
    return b"".join(pieces)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition` holds; the test's own time-out is the bound."""
    while not condition():  # noqa: ASYNC110 - what a transport counts sets no event
        await asyncio.sleep(0)


def reset_by_peer(writer: asyncio.StreamWriter) -> None:
    """End the connection with a reset instead of a proper close."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes a request and never answers."""
    await reader.read()


def stalling(start: bytes) -> Handler:
    """A server that answers with `start` and then says nothing more until the client goes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(start)
        await reader.read()

    return handler
