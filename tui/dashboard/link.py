"""The screen's end of the socket to the engine: snapshots in, commands out. Never waits, starts nothing.

Snapshots that piled up are skipped: only the newest whole one is decoded.
"""

import asyncio
import socket
from collections.abc import Callable

import msgspec

from tui.core.commands import AnyCommand
from tui.core.frames import FrameError, Frames, frame
from tui.core.snapshot import Snapshot

_READ = 1 << 18
_UNSENT_LIMIT = 8 << 20
"""Bytes of commands that the engine has not read: then it is as good as gone. A picture of a screen is one command, of
0.9 MB at 300x90 (measured), and a socket takes 0.2 MB at a time; so it may be several pictures, below the frame limit.
"""


class LinkSession:
    """A Session at the other end of a connected stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._latest: Snapshot | None = None
        self._frames = Frames()
        self._decoder = msgspec.msgpack.Decoder(Snapshot)
        self._unsent = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lost: Callable[[FrameError | None], None] | None = None

    @property
    def latest(self) -> Snapshot | None:
        """The newest picture; None before the first one."""
        return self._latest

    def start(self, loop: asyncio.AbstractEventLoop, lost: Callable[[FrameError | None], None]) -> None:
        """Read from now on. `lost` is called once, when the link ends: with an error if it sent nonsense."""
        self._loop = loop
        self._lost = lost
        loop.add_reader(self._sock, self._readable)
        if self._unsent:
            loop.add_writer(self._sock, self._writable)

    def send(self, command: AnyCommand) -> None:
        """Hand a command to the kernel, or keep it until the kernel has room. Nothing happens once closed."""
        if self._sock.fileno() < 0:
            return
        idle = not self._unsent
        self._unsent += frame(msgspec.msgpack.encode(command))
        if idle:
            self._writable()
        if len(self._unsent) > _UNSENT_LIMIT:
            self._end(FrameError("the engine no longer reads what the screen asks"))

    def close(self) -> None:
        """Let go of the socket."""
        if self._sock.fileno() < 0:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
        self._sock.close()

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._end(None)
            return
        try:
            bodies = self._frames.take(data)
            if bodies:
                self._latest = self._decoder.decode(bodies[-1])
        except msgspec.MsgspecError as error:
            self._end(FrameError(f"a frame that is no snapshot: {error}"))
        except FrameError as error:
            self._end(error)

    def _writable(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._end(None)
            return
        del self._unsent[:sent]
        if self._loop is None:
            return
        if self._unsent:
            self._loop.add_writer(self._sock, self._writable)
        else:
            self._loop.remove_writer(self._sock)

    def _end(self, error: FrameError | None) -> None:
        self.close()
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(error)
