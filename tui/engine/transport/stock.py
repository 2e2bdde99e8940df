"""httpx's stock transport behind the measuring one's interface, for proxies, HTTP/2 and loops without readers.

httpcore's pool does work in proportion to requests times connections (300 streams in one pool took over 100 s
of CPU), so the streams are dealt out to small pools. Stamps are made when the loop gets to a chunk.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from tui.core.clock import now_ns
from tui.engine.transport.body import Read
from tui.engine.transport.bounds import Bounds, bounds_of
from tui.engine.transport.instants import Instants
from tui.engine.transport.stock_words import worded
from tui.engine.transport.tls import make_context

STREAMS_A_POOL = 20


class StockTransport(httpx.AsyncBaseTransport):
    """As many stock transports as it takes to give each at most `STREAMS_A_POOL` streams.

    Takes the same request extensions and gives the same response extensions as MeasuringTransport.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        proxy_shown: str | None = None,
        http2: bool = False,
        connect_timeout_s: float | None = 10.0,
    ) -> None:
        """`proxy` is its address, with any password; `proxy_shown` is what people are told of it."""
        # A context of its own and one for all pools: httpcore writes its ALPN list into it.
        self._ssl_context = ssl_context or make_context()
        self._proxy = proxy
        self._proxy_shown = proxy_shown
        self._http2 = http2
        self._connect_timeout_s = connect_timeout_s
        self._pools: list[_Pool] = []
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def streams(self) -> int:
        """Exchanges that are neither read to their end nor closed."""
        return sum(pool.streams for pool in self._pools)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` through the first pool that has room."""
        pool = next((pool for pool in self._pools if pool.streams < STREAMS_A_POOL), None)
        if pool is None:
            pool = _Pool(self._make())
            self._pools.append(pool)
        bounds = bounds_of(request, self._connect_timeout_s)
        instants = Instants(now_ns(), reused=True)
        request.extensions["trace"] = watch = _Watch(request, instants)
        request.extensions.setdefault("timeout", {"connect": bounds.connect_s})
        pool.streams += 1
        try:
            response = await self._send(pool.transport, request, bounds, watch)
        except BaseException:
            pool.streams -= 1
            raise
        instants.headers_at = now_ns()
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = StockBody(response.stream, bounds, request, self._part_with(pool))
        response.stream = body
        response.extensions["weir.body"] = body
        response.extensions["weir.instants"] = instants
        return response

    async def aclose(self) -> None:
        """Close every pool."""
        for pool in self._pools:
            await pool.transport.aclose()
        if self._farewells:
            await asyncio.wait(self._farewells)

    def _make(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=STREAMS_A_POOL, keepalive_expiry=4.0)
        return httpx.AsyncHTTPTransport(
            verify=self._ssl_context, trust_env=False, http2=self._http2, limits=limits, proxy=self._proxy
        )

    async def _send(
        self, transport: httpx.AsyncHTTPTransport, request: httpx.Request, bounds: Bounds, watch: "_Watch"
    ) -> httpx.Response:
        # Connecting has its own bound in httpcore; the first byte's is counted on top of it.
        within_s = None if bounds.first_byte_s is None else bounds.first_byte_s + (bounds.connect_s or 0)
        try:
            async with asyncio.timeout(within_s):
                return await transport.handle_async_request(request)
        except TimeoutError:
            why = f"no response headers within {bounds.first_byte_s:g} s (first-byte time-out)"
            raise httpx.ReadTimeout(why, request=request) from None
        except httpx.RequestError as error:
            raise worded(error, request, watch.step, self._proxy_shown, bounds.connect_s) from error

    def _part_with(self, pool: "_Pool") -> Callable[[httpx.AsyncByteStream], None]:
        def part(stream: httpx.AsyncByteStream) -> None:
            pool.streams -= 1
            # In a task of its own: httpcore loses a pool's slot for ever when its closing is cancelled.
            task = asyncio.ensure_future(stream.aclose())
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

        return part


class StockBody(httpx.AsyncByteStream):
    """Body's interface over a stock stream. `at` is when the loop got to the chunk."""

    kernel_stamped = False
    close_delimited = False
    """Not known here."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        bounds: Bounds,
        request: httpx.Request,
        part: Callable[[httpx.AsyncByteStream], None],
    ) -> None:
        self._stream: httpx.AsyncByteStream | None = stream
        self._chunks = aiter(stream)
        self._idle_s = bounds.idle_s
        self._request = request
        self._part = part
        self._ended = False

    async def receive(self) -> Read | None:
        """The next read; None at the body's clean end. Errors as Body's."""
        if self._stream is None:
            if self._ended:
                return None
            raise httpx.StreamClosed()
        try:
            async with asyncio.timeout(self._idle_s):
                chunk = b""
                while not chunk:
                    chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._ended = True
            self.close()
            return None
        except TimeoutError:
            why = f"no byte of the body for {self._idle_s:g} s (idle time-out)"
            raise httpx.ReadTimeout(why, request=self._request) from None
        except httpx.RequestError as error:
            raise worded(error, self._request) from error
        return Read(now_ns(), [chunk], len(chunk), False)

    def close(self) -> None:
        """Want no more. Never waits; the stock transport's own closing goes on behind the scenes."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._part(stream)

    def finish_quietly(self) -> None:
        """As `close`: the stock transport cannot read on by itself."""
        self.close()

    async def aclose(self) -> None:
        """`close`, for httpx."""
        self.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (read := await self.receive()) is not None:
            for piece in read.pieces:
                yield piece


class _Pool:
    """One stock transport and how many streams it has."""

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.transport = transport
        self.streams = 0


class _Watch:
    """httpcore's trace call-back: notes the instants it can tell, and how far the connecting got."""

    def __init__(self, request: httpx.Request, instants: Instants) -> None:
        self.step = ""
        """The latest step of connecting that began, such as `proxy.start_tls`."""
        self._instants = instants
        self._on_written: Callable[[int], None] | None = request.extensions.get("weir.on_written")
        self._asks_the_proxy = False
        """What is being sent is the CONNECT that comes before the request."""

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        step, _, phase = event.rpartition(".")
        if step.endswith((".connect_tcp", ".start_tls")):
            self.step = step
            if phase == "complete":
                self._instants.connected_at = now_ns()
                self._instants.reused = False
        elif event.endswith(".send_request_headers.started"):
            self._asks_the_proxy = info["request"].method == b"CONNECT"
        elif event.endswith(".send_request_body.complete") and not self._asks_the_proxy:
            self._instants.written_at = now_ns()
            if self._on_written is not None:
                self._on_written(self._instants.written_at)
