"""A response's body as it arrived, read by read. Does no I/O itself: a connection fills it, one caller empties it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

import httpx
import msgspec

_READ_COST = 256
"""What a read's own objects weigh in memory (bytes), so that a server that sends byte by byte is bounded too."""


class Read(msgspec.Struct, frozen=True, gc=False):
    """What came in with one read of the socket."""

    at: int
    """When its last byte arrived (monotonic ns). Never before an earlier read's, never later than now."""
    pieces: list[bytes]
    """The body's bytes in it, cut as the HTTP chunks were; at least one piece, none of them empty."""
    wire_bytes: int
    """Bytes read from the socket for it, framing and encryption included."""
    stamped: bool
    """`at` is the kernel's; else it is the moment of reading, late by as much as the loop was busy."""


class Source(Protocol):
    """The connection behind a body that is still coming."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def finish_quietly(self) -> None: ...


class Body(httpx.AsyncByteStream):
    """One response's body. `receive` for reads with their stamps; also a stream for httpx itself.

    Holds at most about `read_limit` bytes; above that the socket is left alone and TCP slows the server
    down, until the caller has taken half of it.
    """

    __slots__ = (
        "_closed",
        "_ended",
        "_failure",
        "_held",
        "_paused",
        "_read_limit",
        "_reads",
        "_source",
        "_waiter",
        "close_delimited",
        "kernel_stamped",
    )

    def __init__(self, source: Source, read_limit: int, kernel_stamped: bool) -> None:
        self.kernel_stamped = kernel_stamped
        """Reads carry the kernel's stamp."""
        self.close_delimited = False
        """Ends where the connection ends: a cut looks like the end."""
        self._source: Source | None = source
        self._read_limit = read_limit
        self._reads: deque[Read] = deque()
        self._held = 0
        self._paused = False
        self._ended = False
        self._closed = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def held_bytes(self) -> int:
        """What waits for the caller, with an estimate of what its objects weigh."""
        return self._held

    async def receive(self) -> Read | None:
        """The next read, at once when it already came; None at the body's clean end.

        Raises httpx.ReadTimeout after a silence, ReadError when the connection broke, RemoteProtocolError when
        it ended too early, each after every read that came before; StreamClosed after `close`. One caller only.
        """
        while not self._reads:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            if self._waiter is not None:
                raise RuntimeError("two tasks cannot receive from one body")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        read = self._reads.popleft()
        self._held -= read.wire_bytes + _READ_COST
        if self._paused and self._held < self._read_limit // 2:
            self._paused = False
            if self._source is not None:
                self._source.resume_reading()
        return read

    def close(self) -> None:
        """Want no more. Never waits; may be called at any time, any number of times.

        A body that was read to its end gave its connection back already; any other is closed at once.
        """
        if self._closed:
            return
        self._let_go()
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def finish_quietly(self) -> None:
        """Want no more, but let the rest come in behind the scenes so that the connection can be used again.

        For the few bytes after the last event: at most 64 kB and 250 ms of them, then it is closed after all.
        """
        if self._closed:
            return
        self._let_go()
        source, self._source = self._source, None
        if source is not None:
            source.finish_quietly()

    async def aclose(self) -> None:
        """`close`, for httpx; never waits either, so that a cancelled task cannot leave a socket behind."""
        self.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (read := await self.receive()) is not None:
            for piece in read.pieces:
                yield piece

    def _let_go(self) -> None:
        self._closed = True
        if self._failure is None and (self._reads or not self._ended):
            self._failure = httpx.StreamClosed()
        self._reads.clear()
        self._held = 0
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the connection calls.

    def put(self, read: Read) -> None:
        """A read came in."""
        self._reads.append(read)
        self._held += read.wire_bytes + _READ_COST
        if self._held > self._read_limit and not self._paused and self._source is not None:
            self._paused = True
            self._source.pause_reading()
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def end(self, failure: Exception | None = None) -> None:
        """Nothing more will come: the clean end, or what went wrong."""
        self._source = None
        self._ended = True
        self._failure = self._failure or failure
        self._wake()
