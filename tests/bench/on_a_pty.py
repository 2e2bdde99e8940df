"""A command on a real pseudo-terminal of a given size, its output read as fast as it comes (or as slowly as asked)."""

import fcntl
import os
import pty
import select
import struct
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path


class OnAPty:
    """A child on a terminal of its own. `close` waits for it."""

    def __init__(self, command: list[str], columns: int, rows: int, bytes_per_s: int | None = None) -> None:
        self.output = bytearray()
        self.peak_mb = 0.0
        """Most memory that the child and all its children held together (PSS: shared pages are counted once)."""
        self._bytes_per_s = bytes_per_s
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.environ.pop("NO_COLOR", None)
            os.execvp(command[0], command)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._fd, keys.encode())

    def wait_until(self, condition: Callable[[], bool], within_s: float = 120.0) -> None:
        """Wait for something outside to become true, noting memory; TimeoutError when it does not."""
        end = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {within_s:g} s; the terminal's last words: {self.output[-300:]!r}")
            self.note_memory()
            select.select([], [], [], 0.1)

    def note_memory(self) -> None:
        """Add up what every process holds at this moment."""
        held_kb = 0
        for pid in (self.pid, *children(self.pid)):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:  # it has just gone
                continue
            held_kb += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        self.peak_mb = max(self.peak_mb, held_kb / 1024)

    def close(self) -> int:
        """Wait for the child; its exit code."""
        _, status = os.waitpid(self.pid, 0)
        self._reader.join(2)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 4096 if self._bytes_per_s else 1 << 16)
            except OSError:
                return
            if not data:
                return
            self.output += data
            if self._bytes_per_s:
                select.select([], [], [], len(data) / self._bytes_per_s)


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that live."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:  # the thread has just gone
            continue
    return found + [grandchild for child in found for grandchild in children(child)]
