"""The transport: keeps connections, lends them out, closes them. Constant work per request.

One per run. It belongs to the event loop that first used it.
"""

import asyncio
import ssl

import httpx

from tui.engine.transport.bounds import bounds_of
from tui.engine.transport.connect import Resolver, connect
from tui.engine.transport.connection import READ_SIZE, Connection
from tui.engine.transport.errors import place
from tui.engine.transport.request import request_head
from tui.engine.transport.tls import TlsPipe, require_verification, shared_context

Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}


class MeasuringTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 for httpx, with the instant at which each read of a body arrived.

    `ssl_context` must verify; None makes the default one with the first https request. `connect_timeout_s` holds
    for requests without a time-out of their own. A body may hold `read_limit` bytes before its socket is left
    alone; a server may send `header_limit` bytes without any of body. A connection waits up to `keepalive_s`
    for its next request (llama.cpp and uvicorn close after 5 s), at most `max_idle` of them at a time.

    Understands the request extensions `timeout` (httpx's), `weir.first_byte_s`, `weir.idle_s` and
    `weir.on_written`; its responses carry `weir.body` (Body) and `weir.instants` (Instants).
    Raises httpx.TransportError and its kin, always with a message.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        connect_timeout_s: float | None = 10.0,
        read_limit: int = 256 * 1024,
        header_limit: int = 64 * 1024,
        keepalive_s: float = 4.0,
        max_idle: int = 1000,
    ) -> None:
        if ssl_context is not None:
            require_verification(ssl_context)
        self.wire = memoryview(bytearray(READ_SIZE))
        self.plain = memoryview(bytearray(READ_SIZE))
        self.read_limit = read_limit
        self.header_limit = header_limit
        self._ssl_context = ssl_context
        self._connect_timeout_s = connect_timeout_s
        self._keepalive_s = keepalive_s
        self._max_idle = max_idle
        self._resolver = Resolver()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[Connection] = set()
        self._connecting = 0
        # Per origin, the one that waits longest first; a dict, so that any of them can leave at once.
        self._idle: dict[Origin, dict[Connection, None]] = {}
        self._idle_count = 0
        self._origin_of: dict[Connection, Origin] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def open_connections(self) -> int:
        """Connections that exist or are being made, the idle ones included."""
        return len(self._open) + self._connecting

    @property
    def idle_connections(self) -> int:
        """Connections that wait for a request."""
        return self._idle_count

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` over an idle connection or a new one; returns when the response's headers are here."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("this transport belongs to another event loop")
        url = request.url
        if url.scheme not in _PORTS:
            raise httpx.UnsupportedProtocol(f"cannot speak {url.scheme!r}", request=request)
        origin = (url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        bounds = bounds_of(request, self._connect_timeout_s)
        connection = self._take_idle(origin)
        if connection is None:
            request_head(request)  # what cannot be sent opens no connection
            connection = await self._connect(origin, bounds.connect_s, request)
        try:
            return await connection.exchange(request, bounds)
        except BaseException:
            connection.close()
            raise

    async def aclose(self) -> None:
        """Close every connection, those in use included. Never waits."""
        self._closed = True
        for connection in list(self._open):
            connection.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # What a connection says.

    def on_idle(self, connection: Connection) -> None:
        """It can take another request."""
        if self._idle_count >= self._max_idle or self._closed or self._loop is None:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(self._origin_of[connection], {})[connection] = None
        self._idle_count += 1
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._keepalive_s, self._sweep)

    def on_closed(self, connection: Connection) -> None:
        """Its socket is closed."""
        self._open.discard(connection)
        origin = self._origin_of.pop(connection)
        waiting = self._idle.get(origin)
        if waiting is not None and connection in waiting:
            self._leave(origin, waiting, connection)

    def _leave(self, origin: Origin, waiting: dict[Connection, None], connection: Connection) -> None:
        del waiting[connection]
        self._idle_count -= 1
        if not waiting:
            del self._idle[origin]

    def _take_idle(self, origin: Origin) -> Connection | None:
        """The connection that was used last: the others may then grow old and go."""
        while waiting := self._idle.get(origin):
            connection = next(reversed(waiting))
            self._leave(origin, waiting, connection)
            if connection.idle_since + self._keepalive_s <= self._now():
                connection.close()
            elif connection.is_fresh():
                return connection
        return None

    def _sweep(self) -> None:
        """Close what waited too long; the one timer of all idle connections."""
        self._sweeper = None
        now = self._now()
        oldest = now
        for waiting in list(self._idle.values()):
            for connection in list(waiting):
                if connection.idle_since + self._keepalive_s > now:
                    oldest = min(oldest, connection.idle_since)
                    break
                connection.close()
        if self._idle_count and self._loop is not None:
            self._sweeper = self._loop.call_later(oldest + self._keepalive_s - now, self._sweep)

    def _now(self) -> float:
        return self._loop.time() if self._loop is not None else 0.0

    async def _connect(self, origin: Origin, within_s: float | None, request: httpx.Request) -> Connection:
        scheme, host, port = origin
        try:
            async with asyncio.timeout(within_s):
                connection = await self._open_connection(origin)
                try:
                    await connection.handshake()
                except BaseException:
                    connection.close()
                    raise
                return connection
        except TimeoutError:
            where = f"{scheme}://{host}:{port}"
            raise httpx.ConnectTimeout(
                f"no connection to {where} within {within_s:g} s (connect time-out)", request=request
            ) from None

    async def _open_connection(self, origin: Origin) -> Connection:
        scheme, host, port = origin
        tls = None
        if scheme == "https":
            if self._ssl_context is None:
                self._ssl_context = shared_context()
            try:
                tls = TlsPipe(self._ssl_context, host)
            except ValueError as error:  # UnicodeError is one: a label that is empty or too long
                raise httpx.LocalProtocolError(f"{host} is no name that a certificate can have: {error}") from error
        self._connecting += 1
        try:
            sock = await connect(host, port, self._resolver)
        finally:
            self._connecting -= 1
        if self._closed or self._loop is None:
            sock.close()
            raise httpx.ConnectError("the transport was closed")
        connection = Connection(self._loop, sock, place(host, port), tls, self)
        self._open.add(connection)
        self._origin_of[connection] = origin
        return connection
