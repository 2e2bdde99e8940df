"""A server and a transport that leave nothing behind."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from transport_servers import Handler

from tui.engine.transport import MeasuringTransport

Serve = Callable[..., Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server for a handler; its URL. The handler's connection closes when the handler returns."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(handler: Handler, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> str:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await handler(reader, writer)
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(run, host, 0, ssl=context)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        return f"{'https' if context else 'http'}://{'localhost' if context else host}:{port}"

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for server in servers:
        server.close()


@pytest.fixture
async def transport() -> AsyncIterator[MeasuringTransport]:
    made = MeasuringTransport()
    yield made
    await made.aclose()
    assert made.open_connections == 0
