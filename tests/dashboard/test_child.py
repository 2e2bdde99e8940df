"""The screen's process on a real terminal: what reaches it, what comes back, and how it ends."""

import contextlib
import fcntl
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator

import msgspec
import pyte
import pytest
from fake_session import FakeSession
from msgspec.structs import replace

from tui.core.commands import AnyCommand, Close, Drain, Watch
from tui.core.snapshot import Snapshot

HOSTILE = "\x1b]52;c;aGFja2Vk\x07 \x9b31mHARMLESS \x1b[2J\x1b]0;title\x07 [/red] 堰堰"
PATIENCE_S = 20


class Child:
    """The process, our end of its terminal and our end of its link."""

    def __init__(self) -> None:
        self.link, theirs = socket.socketpair()
        self.terminal, tty = pty.openpty()
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = [sys.executable, "-m", "tui.dashboard", "--fd", str(theirs.fileno())]
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            command,
            stdin=tty,
            stdout=tty,
            stderr=tty,
            pass_fds=[theirs.fileno()],
            env=environment,
            start_new_session=True,
        )
        theirs.close()
        os.close(tty)
        self.output = b""
        self.screen = pyte.Screen(120, 40)
        self._stream = pyte.ByteStream(self.screen)
        self._unread = b""
        self.commands: list[AnyCommand] = []

    def show(self, snapshot: Snapshot) -> None:
        self.send(msgspec.msgpack.encode(snapshot))

    def send(self, body: bytes) -> None:
        self.link.sendall(len(body).to_bytes(4, "big") + body)

    def wait(self, until: Callable[[], bool]) -> None:
        """Take in what comes from both ends until something holds."""
        while not until():
            ready, _, _ = select.select([self.terminal, self.link], [], [], PATIENCE_S)
            assert ready, f"nothing came; the screen was:\n{self.text}"
            if self.terminal in ready:
                data = self._read()
                self.output += data
                self._stream.feed(data)
            if self.link in ready:
                self._take(self.link.recv(1 << 16))

    def _read(self) -> bytes:
        # Linux says EIO when the last process has let go of a terminal.
        with contextlib.suppress(OSError):
            return os.read(self.terminal, 1 << 16)
        return b""

    def _take(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= 4:
            size = int.from_bytes(self._unread[:4], "big")
            if len(self._unread) < 4 + size:
                return
            self.commands.append(msgspec.msgpack.decode(self._unread[4 : 4 + size], type=AnyCommand))
            self._unread = self._unread[4 + size :]

    def ends(self) -> int:
        """Its exit code."""
        while data := self._read():
            self.output += data
        return self.process.wait(PATIENCE_S)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.process.kill()
    made.process.wait()
    made.link.close()
    os.close(made.terminal)


def picture() -> Snapshot:
    session = FakeSession()
    session.send(Watch(count=16))
    return session.go(14)


def test_text_that_a_model_sent_cannot_command_the_terminal(child: Child) -> None:
    shown = picture()
    fields = {"text": HOSTILE, "text_end": len(HOSTILE), "prompt": HOSTILE, "model": HOSTILE, "error": HOSTILE}
    shown = replace(shown, panes=[replace(pane, **fields) for pane in shown.panes])
    child.show(replace(shown, run=replace(shown.run, model=HOSTILE, notice=HOSTILE)))
    child.wait(lambda: "#32" in child.text and "HARMLESS" in child.text)
    # Textual itself sets the shape of the mouse pointer, and ends that with a bell.
    output = re.sub(rb"\x1b\]22;[a-z]*\x07", b"", child.output)
    for sequence in (b"\x1b]52", b"\x1b]0;", "\x9b".encode(), b"\x1b[2J", b"\x1b[31m", b"\x07"):
        assert sequence not in output
    child.link.shutdown(socket.SHUT_RDWR)
    assert child.ends() == 0
    assert b"\x1b[?1049l" in child.output


def test_keys_travel_to_the_engine_and_the_terminal_is_given_back(child: Child) -> None:
    child.show(picture())
    child.wait(lambda: "#32" in child.text and any(isinstance(command, Watch) for command in child.commands))
    os.write(child.terminal, b"\x03")
    child.wait(lambda: Drain() in child.commands)
    child.show(FakeSession(count=20, phase="finished").go(60))
    child.wait(lambda: Close() in child.commands)
    assert child.ends() == 0
    assert b"\x1b[?1049l" in child.output
    assert b"\x1b[?25h" in child.output


def test_nonsense_on_the_link_gives_the_terminal_back_and_says_why(child: Child) -> None:
    child.show(picture())
    child.wait(lambda: "#32" in child.text)
    child.send(b"nonsense")
    assert child.ends() == 1
    assert child.output.rindex(b"weir: the screen lost the run") > child.output.rindex(b"\x1b[?1049l")


def test_a_run_that_is_gone_before_the_screen_is_up_ends_it(child: Child) -> None:
    child.link.shutdown(socket.SHUT_RDWR)
    assert child.ends() == 0
