"""The folder of one run, and files that only its owner can read. Knows nothing of what is in them.

Folders are 0700 and files 0600 from the moment they exist: the mode is in the call that creates them, so
there is no instant at which somebody else can open one. A symbolic link is never followed.
"""

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from tui.core.errors import RecordError, UsageError
from tui.core.untrusted import clean_line

_OUTSIDE = re.compile(r"[^A-Za-z0-9._]+")
_MAX_NAME = 60
"""Characters of a model's name; a file name may have 255 bytes, and people read this one."""
_MAX_SAME_NAME = 999


def create_run_folder(parent: Path, job: str, model: str, now: datetime) -> Path:
    """Make `parent/<date>-<job>-<model>` (0700) and return it; `-2`, `-3`, … when it is taken.

    `now` is the local time. UsageError that names `--out` when it cannot be made.
    """
    name = f"{now:%Y-%m-%dT%H-%M-%S}-{file_name(job)}-{file_name(model)}"
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, _MAX_SAME_NAME + 1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700)
                return folder
    except OSError as error:
        raise UsageError(
            "--out",
            f"cannot make a folder in {clean_line(str(parent))}: {error.strerror or error}",
            "name a folder that can be written to, or run with --no-save",
        ) from error
    raise UsageError(
        "--out",
        f"{clean_line(str(parent))} has {_MAX_SAME_NAME} folders named {name}",
        "name another folder",
    )


def file_name(text: str) -> str:
    """`text` as a part of a file name: letters, digits, dots, dashes; no path, no control, not too long."""
    return _OUTSIDE.sub("-", text).strip(".-")[:_MAX_NAME].rstrip(".-") or "unnamed"


def open_private(path: Path) -> BinaryIO:
    """A new file, 0600, open for writing; FileExistsError when anything is there, a link included."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)  # Unix has the one, Windows the other
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def write_private_atomic(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file (0600) so that it is either whole or as it was before, whatever happens.

    A file of that name is replaced. RecordError when it cannot be written.
    """
    with private_atomic(path) as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            file.writelines(content)


@contextmanager
def private_atomic(path: Path) -> Iterator[BinaryIO]:
    """A new file (0600) to write to, which takes the name at the end of the `with`; after an error it is gone.

    A file of that name is replaced. RecordError for an OSError, also one that is raised inside.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        file = open_private(temporary)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)  # closed, for Windows renames no open file
        except BaseException:  # half a file is left to nobody
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise RecordError(f"{clean_line(str(path))} cannot be written: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """`write_private_atomic` for text, in UTF-8; what has no UTF-8 (a lone surrogate) becomes `?`."""
    write_private_atomic(path, text.encode("utf-8", "replace"))


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where a folder can be opened (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
