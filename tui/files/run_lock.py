"""Who works on a run's folder: one process at a time. Never removes the file, and follows no link.

The kernel holds the lock (flock; on Windows a locked byte), so that of a process that died nothing remains but a file
that says who it was.
"""

import json
import os
import stat
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tui.core.errors import UsageError
from tui.core.lookup import text_at, whole_at
from tui.core.untrusted import clean_line

LOCK = "lock"
_MOST_BYTES = 4096
_HELD_HINT = "wait until it has ended, or stop it; weir results shows what is done so far"
_BEYOND = 1 << 30
"""The byte that Windows locks: a locked one cannot be read, and who holds the lock is to be read."""


class RunLock:
    """The lock on one run's folder, held until `close` or the end of the process."""

    def __init__(self, handle: int) -> None:
        """Use `take`."""
        self._handle: int | None = handle

    @classmethod
    def take(cls, folder: Path) -> "RunLock":
        """Take the lock; UsageError that names `--resume`, and who holds it and since when, when it is taken."""
        path = folder / LOCK
        where = clean_line(str(folder))
        try:
            handle = os.open(
                path,
                os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0),
                0o600,
            )
        except OSError as error:
            raise _cannot(path, error) from error
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UsageError("--resume", f"{clean_line(str(path))} is no file", "take it away")
            if not _lock(handle):
                raise UsageError("--resume", f"{where} is held by {_holder(handle)}", _HELD_HINT)
            _say_who(handle)
        except BaseException as error:
            os.close(handle)
            if isinstance(error, OSError):
                raise _cannot(path, error) from error
            raise
        return cls(handle)

    def close(self) -> None:
        """Let the next one have it. The file stays: to remove it would leave two processes with a lock each."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        os.lseek(handle, _BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _say_who(handle: int) -> None:
    said = {"pid": os.getpid(), "since": datetime.now().astimezone().isoformat(timespec="seconds")}
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, f"{json.dumps(said)}\n".encode())


def _holder(handle: int) -> str:
    """`process 1234 since 14:03`; less when the file does not say, as in the instant before it is written."""
    said = None
    with suppress(OSError, ValueError, RecursionError):
        os.lseek(handle, 0, os.SEEK_SET)
        said = json.loads(os.read(handle, _MOST_BYTES))
    pid = whole_at(said, "pid")
    holder = "another process" if pid is None else f"process {pid}"
    with suppress(ValueError, OverflowError):
        since = datetime.fromisoformat(text_at(said, "since") or "").astimezone()
        today = since.date() == datetime.now().date()
        return f"{holder} since {since:%H:%M}" if today else f"{holder} since {since:%Y-%m-%d %H:%M}"
    return holder


def _cannot(path: Path, error: OSError) -> UsageError:
    return UsageError(
        "--resume",
        f"{clean_line(str(path))} cannot be locked: {error.strerror or error}",
        "the run's folder must be writable, and on a disk that has locks",
    )


__all__ = ["RunLock"]
