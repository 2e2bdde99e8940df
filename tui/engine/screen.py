"""The engine's end of the screen: starts the child process, sends it pictures, takes its commands.

The screen is a window on the run and nothing more: when it dies, however it dies, the terminal is put back in
order and the run goes on. Latest picture wins: while the pipe is behind, pictures are skipped, never queued.
"""

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

import msgspec

from tui.core.commands import AnyCommand, Close
from tui.core.frames import FrameError, Frames, frame
from tui.core.session import Session

FRAMES_PER_S = 15
UNSENT_LIMIT = 256 << 10
"""Bytes the screen may be behind before pictures are skipped."""
GOODBYE_S = 2.0
"""How long a screen that was told to go may take to put the terminal back."""

# Off with: alternate screen, hidden cursor, mouse, focus, in-band resize and bracketed paste reports, the kitty
# keyboard protocol, synchronised output, colours. What Textual turns on, and a killed child leaves on.
_RESTORE = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2048l\x1b[?2004l"
    "\x1b[<u\x1b[?2026l\x1b[0m\x1b[?1049l\x1b[?25h"
)


class Screen:
    """The child process that shows one run on this terminal."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.dropped = 0
        self.closed = asyncio.Event()
        """The screen has gone, and the terminal is as it was."""
        self.asked_to_close = False
        """It went because somebody there wanted it to."""
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(AnyCommand)
        self._frames = Frames()
        self._unsent = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._terminal = _TerminalState()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._sock = ours
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "tui.dashboard", "--fd", str(theirs.fileno())], pass_fds=(theirs.fileno(),)
            )
        finally:
            theirs.close()

    def start(self) -> None:
        """Send pictures and take commands from now on; inside the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock, self._readable)
        self._due = loop.time()
        self._tick()

    async def close(self) -> None:
        """Have the screen go, and wait until the terminal is as it was."""
        self._hang_up()
        await self.closed.wait()

    # ── pictures out ───────────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if len(self._unsent) > UNSENT_LIMIT:
            self.dropped += 1
        else:
            self._send(frame(self._encoder.encode(self._session.latest)))
        # A late picture shifts the next ones: catching up would draw two for one pair of eyes.
        self._due = max(self._due + 1 / FRAMES_PER_S, loop.time())
        if self._sock.fileno() >= 0:
            self._timer = loop.call_at(self._due, self._tick)

    def _send(self, data: bytes) -> None:
        idle = not self._unsent
        self._unsent += data
        if idle:
            self._writable()

    def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            sent = self._sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._hang_up()
            return
        del self._unsent[:sent]
        if self._unsent:
            loop.add_writer(self._sock, self._writable)
        else:
            loop.remove_writer(self._sock)

    # ── commands in ────────────────────────────────────────────────────────────────────────────────────

    def _readable(self) -> None:
        try:
            data = self._sock.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        try:
            commands = [self._decoder.decode(body) for body in self._frames.take(data)]
        except (FrameError, msgspec.MsgspecError):
            # Not our screen any more; without it the run is as whole as before.
            self._hang_up()
            return
        for command in commands:
            if isinstance(command, Close):
                self.asked_to_close = True
            self._session.send(command)

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────

    def _hang_up(self) -> None:
        if self._sock.fileno() < 0:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        loop.remove_writer(self._sock)
        self._sock.close()
        if self._timer is not None:
            self._timer.cancel()
        self._farewell = asyncio.ensure_future(asyncio.to_thread(self._bury))
        self._farewell.add_done_callback(lambda _: self.closed.set())

    def _bury(self) -> None:
        try:
            self._child.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._terminal.restore(killed=self._child.returncode != 0)


class _TerminalState:
    """The terminal's settings, kept while another process has it."""

    def __init__(self) -> None:
        self._attributes: list[Any] | None = None
        self._fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
        if os.name == "posix" and self._fd >= 0 and os.isatty(self._fd):
            import termios  # Unix only

            self._attributes = termios.tcgetattr(self._fd)

    def restore(self, killed: bool) -> None:
        """Settings as they were; after a child that could not clean up, the terminal's modes too."""
        if killed and sys.__stdout__ is not None and sys.__stdout__.isatty():
            sys.__stdout__.write(_RESTORE)
            sys.__stdout__.flush()
        if self._attributes is not None:
            import termios  # Unix only

            with suppress(termios.error):  # the terminal itself may be gone (its window was closed)
                termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._attributes)
