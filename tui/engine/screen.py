"""The engine's end of the screen: starts the child process, sends it pictures, takes its commands.

The screen is a window on the run and nothing more: when it dies, however it dies, the terminal is put back in
order and the run goes on. Latest picture wins: while the pipe is behind, pictures are skipped, never queued.
"""

import asyncio
import os
import socket
import subprocess
from contextlib import suppress

import msgspec

from tui.core.child import child_environment, python_child
from tui.core.commands import AnyCommand, Close
from tui.core.errors import UsageError
from tui.core.frames import FRAME_LIMIT, FrameError, Frames, frame
from tui.core.session import Session
from tui.core.snapshot import Snapshot

FRAMES_PER_S = 15
UNSENT_LIMIT = 256 << 10
"""Bytes the screen may be behind before pictures are skipped."""
GOODBYE_S = 2.0
"""How long a screen that was told to go may take to put the terminal back."""

# Off with: alternate screen, hidden cursor, mouse, focus, in-band resize and bracketed paste reports, the kitty
# keyboard protocol, synchronised output, colours. What Textual turns on, and a killed child leaves on.
_RESTORE = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2048l\x1b[?2004l"
    b"\x1b[<u\x1b[?2026l\x1b[0m\x1b[?1049l\x1b[?25h"
)


def terminal() -> int:
    """The descriptor of the terminal to draw on; UsageError when there is none."""
    # stderr first: stdout may go to a pipe that wants the summary.
    found = next((fd for fd in (2, 1) if os.isatty(fd)), None)
    if found is None or not os.isatty(0):
        raise UsageError("--ui", "there is no terminal to show a dashboard on", "use --ui plain")
    return found


class Screen:
    """The child process that shows one run on this terminal. UsageError when there is no terminal."""

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
        self._terminal = _Terminal()

    def start(self) -> None:
        """Start it, send pictures and take commands from now on; inside the running loop."""
        self._sock, theirs = socket.socketpair()
        self._sock.setblocking(False)
        try:
            self._child = subprocess.Popen(
                python_child("tui.dashboard", "--fd", str(theirs.fileno())),
                env=child_environment(os.environ),
                pass_fds=(theirs.fileno(),),
                stderr=self._terminal.fd,  # where Textual draws
            )
        finally:
            theirs.close()
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
            picture = self._encoder.encode(self._picture())
            if len(picture) > FRAME_LIMIT:
                self.dropped += 1  # the screen would take it for nonsense, and go
            else:
                self._send(frame(picture))
        # A late picture shifts the next ones: catching up would draw two for one pair of eyes.
        self._due = max(self._due + 1 / FRAMES_PER_S, loop.time())
        if self._sock.fileno() >= 0:
            self._timer = loop.call_at(self._due, self._tick)

    def _picture(self) -> Snapshot | None:
        latest = self._session.latest
        # How much of the run its viewer missed is the one thing that only this end knows.
        return latest and msgspec.structs.replace(latest, frames_dropped=self.dropped)

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


class _Terminal:
    """The terminal that the screen draws on, and its settings while the screen has it."""

    def __init__(self) -> None:
        self.fd = terminal()
        import termios  # Unix only

        self._settings = termios.tcgetattr(0)

    def restore(self, killed: bool) -> None:
        """Settings as they were; after a child that could not clean up, the terminal's modes too."""
        import termios

        assert self.fd is not None
        with suppress(OSError, termios.error):  # the terminal itself may be gone: its window was closed
            if killed:
                os.write(self.fd, _RESTORE)
            termios.tcsetattr(0, termios.TCSAFLUSH, self._settings)
