"""A provider by hand that misbehaves as it is told, request by request, over a real socket."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

Act = Callable[["Exchange"], Awaitable[None]]
"""What the server does with one request; it may leave the connection open for the next one."""


class Exchange:
    """One request and the line to answer it on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        self._reader, self._writer = reader, writer
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        self.body = body

    async def write(self, data: bytes) -> None:
        """Send and let it leave as a read of its own."""
        self._writer.write(data)
        await self._writer.drain()
        await asyncio.sleep(0.001)

    def write_at_once(self, data: bytes) -> None:
        """Send, and be ready for the next request at once."""
        self._writer.write(data)

    def close(self) -> None:
        """End the connection properly."""
        self._writer.close()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def until_client_leaves(self) -> None:
        """Say nothing more."""
        await self._reader.read()


class RudeServer:
    """Plays its acts, one a request; the last one again and again."""

    def __init__(self, *acts: Act) -> None:
        self._acts = acts
        self.requests: list[Exchange] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "RudeServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    head = await reader.readuntil(b"\r\n\r\n")
                    size = next(
                        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")),
                        0,
                    )
                    exchange = Exchange(reader, writer, head[:-4], await reader.readexactly(size))
                    self.requests.append(exchange)
                    act = self._acts[min(len(self.requests), len(self._acts)) - 1]
                    await act(exchange)
        finally:
            self.tasks.discard(task)
            writer.close()


# ── what goes over the wire ────────────────────────────────────────────────────────────────────────────────

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(value: Any) -> bytes:
    """A server-sent event in an HTTP chunk of its own."""
    text = value if isinstance(value, str) else json.dumps(value)
    return chunk(f"data: {text}\n\n".encode())


def delta(finish_reason: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": index, "delta": fields, "finish_reason": finish_reason}]}


ROLE = event(delta(role="assistant", content=""))
STOP = event(delta(finish_reason="stop"))
USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}})
DONE = event("[DONE]")


def words(*texts: str) -> bytes:
    return b"".join(event(delta(content=text)) for text in texts)


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    """A whole reply with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def error_body(message: str, code: str | None = None, type: str = "server_error") -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": None, "code": code}}).encode()


# ── acts ───────────────────────────────────────────────────────────────────────────────────────────────────


def says(*writes: bytes) -> Act:
    """Send these, each as a read of its own, and keep the connection."""

    async def act(exchange: Exchange) -> None:
        for data in writes:
            await exchange.write(data)

    return act


def then_closes(*writes: bytes) -> Act:
    async def act(exchange: Exchange) -> None:
        await says(*writes)(exchange)
        exchange.close()

    return act


def then_resets(*writes: bytes) -> Act:
    async def act(exchange: Exchange) -> None:
        await says(*writes)(exchange)
        exchange.reset()

    return act


def then_silence(*writes: bytes) -> Act:
    async def act(exchange: Exchange) -> None:
        await says(*writes)(exchange)
        await exchange.until_client_leaves()

    return act


def refuses(status: str, message: str = "no", code: str | None = None, *headers: str) -> Act:
    return says(reply(status, error_body(message, code), "Content-Type: application/json", *headers))


def answers_json(value: Any, content_type: str = "application/json") -> Act:
    return says(reply("200 OK", json.dumps(value).encode(), f"Content-Type: {content_type}"))


WELL = says(STREAM, ROLE, words("Hel"), words("lo"), STOP, USAGE, DONE + END)
WHOLE_ANSWER = {
    "id": "c1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}
GZIPPED = says(
    reply("200 OK", gzip.compress(b"data: [DONE]\n\n"), "Content-Type: text/event-stream", "Content-Encoding: gzip")
)
