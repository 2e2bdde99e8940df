"""One client's connection: non-blocking reads and writes, one reply at a time. Knows HTTP, not chat.

Requests that come while a reply is under way wait their turn (pipelining). What the kernel does not take is kept
and the reply pauses until it went, so a slow reader holds back its own reply only, in bounded memory.
"""

import asyncio
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from tui.simulator import http

_READ_BYTES = 64 * 1024
_MOST_WAITING = 16
"""Pipelined requests kept; the socket is not read while there are more."""
_LINGER_S = 2.0
_LINGER_BYTES = 64 * 1024 * 1024

# Python 3.11 does not name it. 35 in Linux's generic socket header, which x86 and ARM use; the control message
# that answers it has the same number and holds seconds and nanoseconds.
_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_STAMP.size) if hasattr(socket, "CMSG_SPACE") else 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request's last byte reached this machine's kernel."""

    at_ns: int
    """Monotonic."""
    at_loop: float
    """The same instant in the loop's time."""


class Reply(Protocol):
    """What is being sent."""

    def drained(self, at_ns: int) -> None:
        """All of what was written went, at `at_ns`."""

    def abandoned(self) -> None:
        """The client left."""


class Handler(Protocol):
    """Who answers."""

    def handle(self, connection: "Connection", request: http.Request, arrival: Arrival) -> None:
        """Answer by `begin` and `write`, then `finished`; now or later."""

    def closed(self, connection: "Connection") -> None:
        """The connection is gone."""


class Connection:
    """A socket, what was read from it and what is still to be sent."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, handler: Handler, stamped: bool) -> None:
        self._sock = sock
        self._loop = loop
        self._handler = handler
        self._reader = http.RequestReader()
        self._waiting: deque[tuple[http.Request, Arrival]] = deque()
        self._busy = False
        self._reply: Reply | None = None
        self._unsent = memoryview(b"")
        self._open = True
        self._lingering_bytes: int | None = None
        self._stamped = stamped
        loop.add_reader(sock.fileno(), self._readable)

    def begin(self, reply: Reply) -> None:
        """`reply` writes from now on, until it calls `finished` or `cut`."""
        self._reply = reply

    def write(self, data: bytes) -> bool:
        """Hand `data` to the kernel; False when not all of it went: the reply will be told what followed."""
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # The client is gone; this may be said inside the scheduler, so clean up in a turn of its own.
            self._loop.call_soon(self._lost)
            return False
        if sent == len(data):
            return True
        self._unsent = memoryview(data)[sent:]
        self._loop.add_writer(self._sock.fileno(), self._writable)
        return False

    def finished(self, keep_alive: bool) -> None:
        """The reply was sent to its end."""
        self._reply = None
        self._loop.call_soon(self._next if keep_alive else self._linger)

    def cut(self, abrupt: bool) -> None:
        """Close in the middle of a reply; `abrupt`: with a TCP reset instead of an orderly end."""
        self._reply = None
        if abrupt and self._open:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Let go of the socket; a reply under way is abandoned."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        self._waiting.clear()
        if self._reply is not None:
            self._reply.abandoned()
            self._reply = None
        self._handler.closed(self)

    def _lost(self) -> None:
        self.close()

    def _readable(self) -> None:
        if not self._open:
            return
        try:
            if self._stamped:
                data, ancillary, _, _ = self._sock.recvmsg(_READ_BYTES, _ANCILLARY_BYTES)
            else:
                data, ancillary = self._sock.recv(_READ_BYTES), []
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not data:
            self.close()
            return
        if self._lingering_bytes is not None:
            self._lingering_bytes -= len(data)
            if self._lingering_bytes < 0:
                self.close()
            return
        try:
            requests = self._reader.feed(data)
        except http.Malformed as malformed:
            self._refuse(malformed)
            return
        if requests:
            arrival = self._arrival(ancillary)
            self._waiting.extend((request, arrival) for request in requests)
            if len(self._waiting) > _MOST_WAITING:
                self._loop.remove_reader(self._sock.fileno())
            if not self._busy:
                self._next()
        elif self._reader.wants_continue and not self._busy:
            self.write(http.CONTINUE)

    def _next(self) -> None:
        """Answer the request that waits longest."""
        self._busy = False
        if not self._open or not self._waiting:
            return
        request, arrival = self._waiting.popleft()
        if len(self._waiting) == _MOST_WAITING:
            self._loop.add_reader(self._sock.fileno(), self._readable)
        self._busy = True
        self._handler.handle(self, request, arrival)

    def _refuse(self, malformed: http.Malformed) -> None:
        body = http.error_body(malformed.message, "invalid_request_error")
        if self._busy:
            # A reply is under way and nothing may be put into it: the connection cannot go on.
            self.close()
            return
        self._busy = True
        self.begin(Last(self))
        if self.write(http.whole(malformed.status, body, [], keep_alive=False)):
            self.finished(keep_alive=False)

    def _writable(self) -> None:
        at_ns = time.monotonic_ns()
        try:
            sent = self._sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._loop.remove_writer(self._sock.fileno())
            if self._reply is not None:
                self._reply.drained(at_ns)

    def _linger(self) -> None:
        """Close when the client has read the reply.

        Closing with unread input would send a TCP reset, which can overtake the reply.
        """
        if not self._open:
            return
        self._lingering_bytes = _LINGER_BYTES
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self._loop.call_later(_LINGER_S, self.close)

    def _arrival(self, ancillary: list[tuple[int, int, bytes]]) -> Arrival:
        at_ns, at_loop = time.monotonic_ns(), self._loop.time()
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _STAMP.size:
                seconds, nanoseconds = _STAMP.unpack_from(data)
                # By age, so that setting the wall clock moves only what arrives in that very moment.
                age_ns = time.time_ns() - (seconds * 1_000_000_000 + nanoseconds)
                if 0 <= age_ns < 60_000_000_000:
                    # A loop that keeps a time of its own (virtual time) cannot take an age of the machine's off it:
                    # who waited until a limit lets him through would seem to have come before.
                    keeps_time = abs(at_loop - at_ns / 1e9) < 1.0
                    return Arrival(at_ns - age_ns, at_loop - age_ns / 1e9 if keeps_time else at_loop)
        return Arrival(at_ns, at_loop)


class Last:
    """A short reply after which the connection is done or free again."""

    def __init__(self, connection: Connection, keep_alive: bool = False) -> None:
        self._connection = connection
        self._keep_alive = keep_alive

    def drained(self, at_ns: int) -> None:
        self._connection.finished(self._keep_alive)

    def abandoned(self) -> None:
        pass


def ask_for_stamps(listener: socket.socket) -> bool:
    """Whether the kernel will say when bytes arrived on what `listener` accepts.

    Asked of the listener, which hands it down: a request may be there before its connection is accepted.
    """
    if sys.platform != "linux":
        return False
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True
