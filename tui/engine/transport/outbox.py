"""What still has to go out on one socket. Sends at once what the kernel takes, the rest when it can take more."""

import asyncio
import socket
from collections.abc import Callable

from tui.core.clock import now_ns


class Outbox:
    """Bytes for one non-blocking socket."""

    __slots__ = ("_descriptor", "_loop", "_on_empty", "_on_refused", "_sock", "_unsent", "given_at", "moved_at")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_empty: Callable[[], None],
        on_refused: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._descriptor = sock.fileno()
        self._on_empty = on_empty
        self._on_refused = on_refused
        self._unsent = bytearray()
        self.given_at = 0
        """When the latest bytes were handed to the kernel (monotonic ns)."""
        self.moved_at = 0.0
        """When the kernel last took some, or was first asked to (loop time)."""

    def __bool__(self) -> bool:
        """Something waits."""
        return bool(self._unsent)

    def push(self, data: bytes) -> None:
        """Send `data` after what waits already. Calls `on_empty` when nothing waits any more, maybe at once."""
        if self._unsent:
            self._unsent += data
            return
        self._unsent += data
        self.moved_at = self._loop.time()
        if self._flush():
            self._loop.add_writer(self._descriptor, self._on_writable)

    def close(self) -> None:
        """Forget what waits."""
        self._loop.remove_writer(self._descriptor)
        self._unsent.clear()

    def _on_writable(self) -> None:
        if not self._flush():
            self._loop.remove_writer(self._descriptor)

    def _flush(self) -> bool:
        """Whether the socket's becoming writable is worth waiting for."""
        if self._unsent:
            # Stamped before the call, not after: on loopback an answer can arrive before `send` returns.
            at = now_ns()
            try:
                sent = self._sock.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError as error:
                self._on_refused(error)
                return False
            self.given_at = at
            self.moved_at = self._loop.time()
            del self._unsent[:sent]
        if not self._unsent:
            self._on_empty()
        return bool(self._unsent)
