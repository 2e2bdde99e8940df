"""A plain HTTP client for the simulator's tests, on asyncio's streams: nothing of Weir's own is in the way."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from tui.simulator.settings import SimulatorSettings

QUICK = {"models": (("sim", 1.0),), "ttft_s": 0.0, "itl_s": 0.0, "jitter": 0.0, "tokens": 12}


def quick(**changes: Any) -> SimulatorSettings:
    """A provider that waits for nothing, changed by `changes`."""
    return SimulatorSettings(**{**QUICK, **changes})


def chat(prompt: str = "What is a weir?", **fields: Any) -> dict[str, Any]:
    """A request body."""
    return {"model": "sim", "messages": [{"role": "user", "content": prompt}], **fields}


@dataclass
class Answer:
    """One reply, and how it ended."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    ended: str = "whole"
    """`whole`, `short` (closed before its end) or `reset`."""
    chunks: list[bytes] = field(default_factory=list)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The chunks' JSON, without the final [DONE]."""
        data = [part.removeprefix(b"data: ") for part in self.body.split(b"\n\n") if part]
        return [json.loads(part) for part in data if part != b"[DONE]"]

    def deltas(self, choice: int = 0) -> list[str]:
        """The non-empty texts of one choice."""
        return [
            text
            for event in self.events()
            for one in event["choices"]
            if one["index"] == choice and (text := one["delta"].get("content"))
        ]


def rendered(method: str, path: str, body: bytes | dict[str, Any] | None = None, *headers: str) -> bytes:
    """A request as bytes."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body or b""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "Client":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(self, body: dict[str, Any], path: str = "/v1/chat/completions") -> Answer:
        """POST `body`, read the answer."""
        self.writer.write(rendered("POST", path, body))
        return await self.answer()

    async def get(self, path: str) -> Answer:
        """GET `path`."""
        self.writer.write(rendered("GET", path))
        return await self.answer()

    async def head(self) -> Answer:
        """Read status line and headers."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return Answer(int(lines[0].split()[1]), headers)

    async def chunk(self) -> bytes:
        """Read one chunk of a chunked body; empty: the last one."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def answer(self) -> Answer:
        """Read one reply to its end, whatever that is."""
        answer = await self.head()
        try:
            if "content-length" in answer.headers:
                answer.body = await self.reader.readexactly(int(answer.headers["content-length"]))
            else:
                while chunk := await self.chunk():
                    answer.chunks.append(chunk)
        except asyncio.IncompleteReadError:
            answer.ended = "short"
        except ConnectionResetError:
            answer.ended = "reset"
        answer.body = answer.body or b"".join(answer.chunks)
        return answer


async def ask(port: int, body: dict[str, Any]) -> Answer:
    """One chat completion on a connection of its own."""
    async with Client(port) as client:
        return await client.ask(body)
