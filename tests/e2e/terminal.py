"""A command on a real terminal of its own: its keys, its screen, its settings, and every byte that reached it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pyte

PATIENCE_S = 40.0
END_MARK = b"<the end>"
LEAVE_ALTERNATE, ENTER_ALTERNATE = b"\x1b[?1049l", b"\x1b[?1049h"
SHOW_CURSOR, HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"


class Terminal:
    """The terminal and the command on it; the command's group is killed at the end of the `with`."""

    def __init__(self, command: list[str], columns: int = 120, rows: int = 40, **environment: str) -> None:
        self.output = bytearray()
        self._columns, self._rows = columns, rows
        self._ours, self._theirs = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self._theirs)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        inherited.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            command,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={**inherited, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
            preexec_fn=self._own_the_terminal,
        )

    def _own_the_terminal(self) -> None:
        """In the child: a session of its own, with this as its terminal, so that Ctrl-C and resizing mean it."""
        os.setsid()
        fcntl.ioctl(self._theirs, termios.TIOCSCTTY, 0)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._theirs)
        os.close(self._ours)

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Drag the window's corner."""
        self._columns, self._rows = columns, rows
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Take in what comes until it holds."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"never came: {what}\n{self.text()}\n{bytes(self.output[-500:])!r}"
            self._take()

    def shows(self, *words: str) -> None:
        """Wait until all of these are on the screen at once."""
        self.until(lambda: all(word in self.text() for word in words), f"{words} on the screen")

    def ends(self) -> int:
        """Wait for the command; its exit code."""
        self.until(lambda: self.process.poll() is not None, "its end")
        # A terminal hands bytes on a moment after they were written: a mark of ours tells that all have come.
        os.write(self._theirs, END_MARK)
        self.until(lambda: self.output.endswith(END_MARK), "its last bytes")
        del self.output[-len(END_MARK) :]
        return self.process.wait()

    def text(self) -> str:
        """What a person sees now."""
        screen = pyte.Screen(self._columns, self._rows)
        # pyte has one screen: what is drawn on the alternate one would stay, so it is left out once that is left.
        drawn = bytes(self.output)
        pyte.ByteStream(screen).feed(drawn[drawn.rfind(LEAVE_ALTERNATE) + 1 :])
        return "\n".join(screen.display)

    def after_the_screen(self) -> str:
        """What was written once the alternate screen was left for the last time."""
        return bytes(self.output).rpartition(LEAVE_ALTERNATE)[2].decode()

    @property
    def settings(self) -> list[Any]:
        """The terminal's settings now."""
        return termios.tcgetattr(self._theirs)

    def is_given_back(self) -> bool:
        """Settings as before, main screen, visible cursor, and no report of mouse or paste left on."""
        output = bytes(self.output)
        modes = (b"1000", b"1003", b"1004", b"2004")
        return (
            self.settings == self.before
            and output.rfind(LEAVE_ALTERNATE) > output.rfind(ENTER_ALTERNATE)
            and output.rfind(SHOW_CURSOR) > output.rfind(HIDE_CURSOR)
            and all(output.rfind(b"\x1b[?" + mode + b"l") >= output.rfind(b"\x1b[?" + mode + b"h") for mode in modes)
        )

    def _take(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 0.05)
        if ready:
            self.output += os.read(self._ours, 1 << 16)
        return bool(ready)


def child_that_runs(pid: int, module: str) -> int | None:
    """The process below `pid` that runs `module`; None while there is none."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            if module.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return child
    return None
