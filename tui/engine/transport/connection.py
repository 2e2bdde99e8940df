"""One HTTP/1.1 connection: a non-blocking socket, a parser, at most one exchange at a time.

The event loop calls it when the socket is readable; it reads once, parses, and hands on what came together
with the instant it came. It makes no task, and no timer per read. It never sends a request twice.

Source: RFC 9112.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

import httpx

from tui.core.clock import now_ns
from tui.engine.transport.body import Body, Read
from tui.engine.transport.bounds import Bounds
from tui.engine.transport.errors import UnreadableReply, system_words, tls_words
from tui.engine.transport.instants import Instants
from tui.engine.transport.outbox import Outbox
from tui.engine.transport.parsing import ResponseParser, explain
from tui.engine.transport.request import body_at_hand, body_pieces, request_head
from tui.engine.transport.stamps import ANCILLARY_BYTES, arrival, ask_for_stamps
from tui.engine.transport.tls import TlsPipe

READ_SIZE = 64 * 1024
QUIET_BYTES = 64 * 1024
"""How much an abandoned body may still send before its connection is given up."""
QUIET_S = 0.25
"""How long it may take for that."""


class Owner(Protocol):
    """The pool that a connection belongs to."""

    wire: memoryview
    """What every connection reads into; parsed before the next one reads."""
    plain: memoryview
    """What TLS decrypts into."""
    read_limit: int
    header_limit: int

    def on_idle(self, connection: "Connection") -> None: ...
    def on_closed(self, connection: "Connection") -> None: ...


class Connection:
    """See the module. Owned by a pool, lent to one exchange after the other."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, where: str, tls: TlsPipe | None, owner: Owner
    ) -> None:
        self.idle_since = 0.0
        """Loop time; the pool's note."""
        self.closed = False
        self._loop = loop
        self._sock = sock
        self._descriptor = sock.fileno()
        self._receive_into = sock.recvmsg_into
        self._where = where
        """Host and port, for people."""
        self._tls = tls
        self._owner = owner
        self._wire = owner.wire
        self._buffers = [owner.wire]
        self._parser = ResponseParser()
        self._kernel_stamped = ask_for_stamps(sock)
        self._connected_at = now_ns()
        self._served = 0
        self._taken = False
        """The response under way was handed to whoever asked for it."""
        self._last_at = 0
        """The latest stamp given out."""
        self._failure: httpx.RequestError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._outbox = Outbox(loop, sock, self._on_outbox_empty, self._refused)
        self._end_of_request = False
        """Nothing comes after what is in the outbox."""
        self._quiet_bytes_left = 0
        self._barren_bytes = 0
        """Read since the last byte of body."""
        # All loop time:
        self._asked_at = 0.0
        self._heard_at = 0.0
        # The exchange under way; None between two of them.
        self._request: httpx.Request | None = None
        self._body: Body | None = None
        self._bounds = Bounds(None, None, None, None)
        self._instants = Instants(self._connected_at, False)
        loop.add_reader(self._descriptor, self._on_readable)

    def is_fresh(self) -> bool:
        """Still good for a request? Looks now, because the loop may not have seen the server's close yet.

        A request is never sent a second time (a POST may have been acted upon), so look before sending it.
        """
        if not self.closed:
            self._on_readable()
        return not self.closed

    async def handshake(self) -> None:
        """Do TLS's handshake; httpx.ConnectError, caused by the ssl error, when there is no trusted peer."""
        tls = self._tls
        if tls is not None:
            self._advance_handshake(tls)
            while not tls.ready:
                await self._wait()
            self._connected_at = now_ns()

    async def exchange(self, request: httpx.Request, bounds: Bounds) -> httpx.Response:
        """Send `request`; its response once the headers are here. The body comes by itself from then on.

        The caller closes the connection when this raises, cancellation included.
        """
        head = request_head(request)
        parser = self._parser
        parser.reset(head_only=request.method == "HEAD")
        body = Body(self, self._owner.read_limit, self._kernel_stamped)
        self._request, self._body, self._bounds = request, body, bounds
        self._instants = Instants(self._connected_at, self._served > 0)
        self._served += 1
        self._barren_bytes = 0
        self._end_of_request = False
        self._taken = False
        await self._send_request(head, request)
        if not parser.headers_done:
            self._asked_at = self._loop.time()
            self._set_timer(bounds.first_byte_s)
        while not parser.headers_done:
            await self._wait()
        self._taken = True
        extensions = {
            "http_version": b"HTTP/1.1",
            "reason_phrase": parser.reason,
            "weir.body": body,
            "weir.instants": self._instants,
        }
        response = httpx.Response(parser.status, headers=parser.headers, stream=body, extensions=extensions)
        if parser.complete:
            self._give_back()
        return response

    def close(self) -> None:
        """Close the socket now. Whoever waits for something from it gets the error that is due."""
        if self.closed:
            return
        self.closed = True
        self._cancel_timer()
        self._loop.remove_reader(self._descriptor)
        self._outbox.close()
        self._sock.close()
        self._parser.release()
        body, self._body = self._body, None
        if body is not None:
            body.end(self._failure or httpx.ReadError("the connection was closed", request=self._request))
        self._wake()
        self._owner.on_closed(self)

    # What a body asks for.

    def pause_reading(self) -> None:
        """Leave the socket alone, so that TCP slows the server down."""
        self._paused = True
        self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        """Read on."""
        if self._paused and not self.closed:
            self._paused = False
            self._heard_at = self._loop.time()  # the silence was ours
            self._loop.add_reader(self._descriptor, self._on_readable)

    def finish_quietly(self) -> None:
        """Nobody wants the rest of the body; read a little of it, so that the connection can be used again."""
        self._body = None
        self._quiet_bytes_left = QUIET_BYTES
        self._cancel_timer()
        self._timer = self._loop.call_later(QUIET_S, self.close)
        self.resume_reading()

    # Sending.

    async def _send_request(self, head: bytes, request: httpx.Request) -> None:
        at_hand = body_at_hand(request)
        if at_hand is not None:
            self._send(head + at_hand, last=True)
        else:
            self._send(head, last=False)
            async for piece in body_pieces(request):
                await self._all_sent()
                if self._parser.headers_done:  # answered in mid-body: the rest is not wanted
                    return
                self._send(piece, last=False)
            self._send(b"", last=True)
        await self._all_sent()

    def _send(self, data: bytes, *, last: bool) -> None:
        self._end_of_request = last
        if self._tls is not None and data:
            self._tls.encrypt(data)
            data = self._tls.take_out()
        if not self.closed:
            self._outbox.push(data)

    def _on_outbox_empty(self) -> None:
        if self._end_of_request and self._request is not None and self._instants.written_at is None:
            at = self._outbox.given_at
            self._instants.written_at = at
            self._last_at = max(self._last_at, at)
            on_written: Callable[[int], None] | None = self._request.extensions.get("weir.on_written")
            if on_written is not None:
                on_written(at)
        self._wake()

    def _refused(self, error: OSError) -> None:
        """The server takes no more; it may have said why before it closed."""
        if self._request is None:
            self._fail(httpx.ConnectError(tls_words(self._where, error)), error)
            return
        self._on_readable()
        if not self._parser.headers_done:
            self._fail(httpx.WriteError(f"sending the request failed: {system_words(error)}{self._stale()}"), error)

    async def _all_sent(self) -> None:
        """Wait until the kernel has taken everything, or an answer came before that."""
        while self._outbox and not self._parser.headers_done:
            if self._timer is None and self._bounds.write_s is not None:
                self._timer = self._loop.call_later(self._bounds.write_s, self._on_write_timer)
            await self._wait()
        if not self._parser.headers_done:
            self._cancel_timer()
            if self.closed:
                await self._wait()

    # Receiving.

    def _on_readable(self) -> None:
        try:
            count, ancillary, _, _ = self._receive_into(self._buffers, ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._broken(error)
            return
        at, stamped = arrival(ancillary)
        # A wall clock that stepped between two reads must not make time run backwards.
        if at < self._last_at:
            at = self._last_at
        else:
            self._last_at = at
        self._heard_at = self._loop.time()
        if count == 0:
            self._on_end()
        elif self._tls is not None:
            self._on_ciphertext(self._tls, at, count, stamped)
        elif self._request is None:
            self.close()  # bytes that nobody asked for
        else:
            self._parser.feed(self._wire[:count])
            self._deliver(at, count, stamped)

    def _on_ciphertext(self, tls: TlsPipe, at: int, count: int, stamped: bool) -> None:
        tls.take_in(self._wire[:count])
        if not tls.ready:
            self._advance_handshake(tls)
            return
        plain = self._owner.plain
        forged = None
        try:
            while size := tls.decrypt(plain):
                if self._request is None:
                    self.close()
                    return
                self._parser.feed(plain[:size])
        except ssl.SSLError as error:
            size, forged = None, error
        if answer := tls.take_out():  # an alert, or the answer to a key update
            self._outbox.push(answer)
        if self._request is not None:
            self._deliver(at, count, stamped)
        if forged is not None:
            self._fail(httpx.ReadError(f"TLS broke: {system_words(forged)}"), forged)
        elif size == 0:
            self._on_end()

    def _advance_handshake(self, tls: TlsPipe) -> None:
        refused = None
        try:
            tls.handshake()
        except ssl.SSLError as error:
            refused = error
        self._outbox.push(tls.take_out())
        if refused is not None:
            self._fail(httpx.ConnectError(tls_words(self._where, refused)), refused)
        elif tls.ready:
            self._wake()

    def _deliver(self, at: int, count: int, stamped: bool) -> None:
        """Hand on what one read brought: the body's pieces first, then the end or the error that came with it."""
        parser = self._parser
        if parser.headers_done and not self._instants.headers_at:
            self._on_headers(at)
        pieces = parser.take_pieces()
        body = self._body
        if pieces:
            self._barren_bytes = 0
            if body is not None:
                body.put(Read(at, pieces, count, stamped))
        else:
            self._barren_bytes += count
        limit = self._owner.header_limit
        if parser.header_bytes > limit or (self._barren_bytes > limit and not parser.complete):
            part = "framing without any body" if parser.headers_done else "headers"
            part = "headers" if parser.header_bytes > limit else part
            self._fail(UnreadableReply(f"more than {limit} bytes of {part}"))
        elif parser.complete:
            self._finish()
        elif parser.problem is not None:
            why = f"the server's answer is not proper HTTP: {explain(parser.problem)}"
            self._fail(UnreadableReply(why), parser.problem)
        elif body is None:
            self._quiet_bytes_left -= count
            if self._quiet_bytes_left < 0:
                self.close()

    def _on_headers(self, at: int) -> None:
        self._instants.headers_at = at
        if self._body is not None:
            self._body.close_delimited = self._parser.close_delimited
        if not self._parser.complete:
            self._set_timer(self._bounds.idle_s)
        self._wake()

    def _on_end(self) -> None:
        """The server closed its side."""
        if self.closed:
            return
        parser = self._parser
        if self._request is None:
            failure = httpx.ConnectError(f"{self._where} closed the connection during the TLS handshake")
            self._fail(failure)  # nobody hears it when the connection was idle
        elif parser.end_of_stream():
            self._finish()
        elif parser.headers_done:
            self._fail(httpx.RemoteProtocolError("the server closed the connection before the body's end"))
        else:
            where = "in the middle of the headers" if parser.started else "without a response"
            self._fail(httpx.RemoteProtocolError(f"the server closed the connection {where}{self._stale()}"))

    def _broken(self, error: OSError) -> None:
        if self._request is None:
            self._fail(
                httpx.ConnectError(tls_words(self._where, error)), error
            )  # nobody hears it when the connection was idle
        else:
            self._fail(httpx.ReadError(f"reading the response failed: {system_words(error)}{self._stale()}"), error)

    def _stale(self) -> str:
        """A note for the case that an idle connection's close crossed our request on the way."""
        early = self._instants.reused and not self._parser.started
        return " (a reused connection; the request was not repeated)" if early else ""

    def _finish(self) -> None:
        """The response is complete: the connection goes back to the pool, or is closed."""
        self._cancel_timer()
        body, self._body = self._body, None
        if body is not None:
            body.end()
        self._request = None
        # Whoever asked has not looked yet when all came in one read: lent out again now, this connection's parser
        # would be another request's by the time it does.
        if self._taken:
            self._give_back()

    def _give_back(self) -> None:
        if self._parser.keep_alive and self._instants.written_at is not None and not self.closed:
            self.resume_reading()
            self._owner.on_idle(self)
        else:
            self.close()

    def _fail(self, failure: httpx.RequestError, cause: Exception | None = None) -> None:
        if self.closed:
            return
        failure.__cause__ = cause
        if self._request is not None:
            failure.request = self._request
        self._failure = failure
        self.close()

    # Waiting.

    async def _wait(self) -> None:
        """Until something happened; the caller looks what. Raises what closed the connection."""
        if self.closed:
            raise self._failure or httpx.ReadError("the connection was closed", request=self._request)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, after_s: float | None) -> None:
        self._cancel_timer()
        if after_s is not None:
            self._timer = self._loop.call_later(after_s, self._on_timer)

    def _left_s(self) -> float | None:
        """Seconds until the server has been silent for too long; None: it may be silent for ever."""
        bound, since = self._bounds.first_byte_s, self._asked_at
        if self._parser.headers_done:
            bound, since = self._bounds.idle_s, self._heard_at
            if self._paused:
                return bound
        return None if bound is None else since + bound - self._loop.time()

    def _on_timer(self) -> None:
        """The one timer of a response: set again for the rest of the bound whenever something came meanwhile."""
        self._timer = None
        left = self._left_s()
        if left is not None and left <= 0:
            # After a busy spell of the loop the bytes may lie in the kernel: that silence was ours.
            request = self._request
            self._on_readable()
            if self.closed or self._request is not request:
                return
            left = self._left_s()
        if left is None or left > 0:
            if self._timer is None:
                self._set_timer(left)
        elif self._parser.headers_done:
            self._fail(httpx.ReadTimeout(f"no byte of the body for {self._bounds.idle_s:g} s (idle time-out)"))
        else:
            bound = self._bounds.first_byte_s
            self._fail(httpx.ReadTimeout(f"no response headers within {bound:g} s (first-byte time-out)"))

    def _on_write_timer(self) -> None:
        self._timer = None
        write_s = self._bounds.write_s
        if write_s is None:
            return
        left = self._outbox.moved_at + write_s - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._on_write_timer)
        else:
            why = f"the server took nothing of the request for {write_s:g} s (write time-out)"
            self._fail(httpx.WriteTimeout(why))
