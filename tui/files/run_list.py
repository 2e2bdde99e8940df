"""Run folders on disk: which there are, what each says of itself, and how it ended. Changes nothing in them.

A folder that says nothing readable is told of as such and never raises; names and contents are untrusted.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tui.core.errors import UsageError
from tui.core.lookup import text_at, value_at
from tui.core.untrusted import clean_line
from tui.files.journal_reader import read_run

try:
    import fcntl
except ImportError:  # Windows has none: there nobody can say whether the writer of a journal lives
    fcntl = None  # type: ignore[assignment]

JOURNAL, SUMMARY = "journal.db", "summary.json"
LAST = "last"
MOST_SUMMARY_BYTES = 32 << 20
"""A summary has some kB; what is larger is something else."""
PROBLEM_HINT = "what can still be read is listed; restore the file from a copy, or move its folder away"
"""For people, of a run that has a problem."""
_MOST_LISTED = 4
"""Names in an error."""

# Where SQLite keeps its lock on a database that is open (https://sqlite.org/src/file/src/os.h, "SHARED_FIRST").
_SQLITE_SHARED_FIRST, _SQLITE_SHARED_SIZE = 0x40000002, 510

RunState = Literal["finished", "interrupted", "running", "crashed", "unreadable"]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """One run folder."""

    folder: Path
    state: RunState
    """`running` or `crashed` where the record has no end: somebody has it open, or nobody does."""
    fields: Mapping[str, Any]
    """What the journal says of the run; empty without one."""
    summary: Mapping[str, Any] | None
    """None: not finished, or unreadable."""
    problem: str | None
    """What could not be read, and why, with its path."""
    began: datetime
    """UTC; the folder's own date when nothing says."""
    size_bytes: int
    """Of everything in it."""

    @property
    def name(self) -> str:
        """The folder's name, clean."""
        return clean_line(self.folder.name)

    @property
    def journal(self) -> Path | None:
        """Its journal, if it has a readable one."""
        return self.folder / JOURNAL if self.fields else None


def find_runs(parent: Path) -> list[FoundRun]:
    """Every run in a folder, newest first; `parent` may be a run itself. Folders that hold no run are left out.

    UsageError that names the folder when it cannot be read.
    """
    if is_run(parent):
        return [read_run_folder(parent)]
    try:
        folders = [Path(entry.path) for entry in os.scandir(parent) if entry.is_dir()]
    except OSError as error:
        raise UsageError(
            clean_line(str(parent)), f"cannot be read: {error.strerror}", "name the folder that holds run folders"
        ) from error
    runs = [read_run_folder(folder) for folder in folders if is_run(folder)]
    return sorted(runs, key=lambda run: (run.began, run.folder.name), reverse=True)


def is_run(folder: Path) -> bool:
    """Whether it holds a journal or a summary."""
    return (folder / JOURNAL).is_file() or (folder / SUMMARY).is_file()


def resolve_run(name: str, parent: Path) -> Path:
    """The folder of a run by its path, its name in `parent` or the beginning of it, or `last` for the newest there.

    A run's own files name it too. UsageError when there is none, or when a beginning is that of several.
    """
    if name == LAST and not is_run(Path(name)):
        runs = find_runs(parent) if parent.is_dir() else []
        if not runs:
            raise UsageError(LAST, f"there is no run in {clean_line(str(parent))}", "make one: weir demo")
        return runs[0].folder
    for path in (Path(name), parent / name):
        with suppress(OSError, ValueError):  # a name with a NUL, or far too long, is no path: it is not found
            folder = path.parent if path.name in (JOURNAL, SUMMARY) and path.is_file() else path
            if is_run(folder):
                return folder
            if folder.is_dir():
                raise UsageError(
                    clean_line(str(folder)), f"holds neither {JOURNAL} nor {SUMMARY}", "name the folder of a run"
                )
    begun = _begun_with(name, parent)
    if len(begun) == 1:
        return begun[0]
    if begun:
        listed = ", ".join(clean_line(folder.name) for folder in begun[:_MOST_LISTED])
        more = f" and {len(begun) - _MOST_LISTED} more" if len(begun) > _MOST_LISTED else ""
        raise UsageError(clean_line(name), f"is how {len(begun)} runs begin: {listed}{more}", "name one of them")
    raise UsageError(
        clean_line(name), f"is no run folder, here or in {clean_line(str(parent))}", "see the names with weir runs"
    )


def _begun_with(name: str, parent: Path) -> list[Path]:
    """The runs in `parent` whose names begin so, by name."""
    try:
        with os.scandir(parent) as entries:
            folders = [Path(entry.path) for entry in entries if name and entry.name.startswith(name)]
    except OSError:
        return []  # then there is no run of that name either, which is what is said
    return sorted(folder for folder in folders if is_run(folder))


def read_run_folder(folder: Path) -> FoundRun:
    """What a folder says of its run."""
    problems: list[str] = []
    fields = _fields(folder / JOURNAL, problems)
    summary = _summary(folder / SUMMARY, problems)
    if summary is None and isinstance(kept := value_at(fields, "summary"), dict):
        summary = kept
    return FoundRun(
        folder,
        _state(folder, fields, summary, bool(problems)),
        fields,
        summary,
        "; ".join(problems) or None,
        _began(folder, fields),
        _size(folder),
    )


def _fields(journal: Path, problems: list[str]) -> dict[str, Any]:
    if not journal.is_file():
        return {}
    try:
        return read_run(journal)
    except UsageError as error:
        problems.append(str(error))
    except (ValueError, RecursionError) as error:  # a value that is no JSON
        problems.append(f"{clean_line(str(journal))}: is damaged: {clean_line(str(error))}")
    return {}


def _summary(path: Path, problems: list[str]) -> dict[str, Any] | None:
    where = clean_line(str(path))
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > MOST_SUMMARY_BYTES:
            problems.append(f"{where}: is too large for a summary")
            return None
        found = json.loads(path.read_bytes())
    except OSError as error:
        problems.append(f"{where}: cannot be read: {error.strerror}")
        return None
    except (ValueError, RecursionError):
        problems.append(f"{where}: is no JSON")
        return None
    if not isinstance(value_at(found, "calls"), Mapping):
        problems.append(f"{where}: is no summary of a run")
        return None
    return found  # type: ignore[no-any-return]  # an object with calls, as was looked at


def _state(folder: Path, fields: Mapping[str, Any], summary: Mapping[str, Any] | None, troubled: bool) -> RunState:
    if "ended" in fields or (summary is not None and not fields):
        stopped = value_at(fields, "interrupted") is True or value_at(summary, "interrupted") is True
        return "interrupted" if stopped else "finished"
    if not fields:
        return "unreadable"
    return "running" if _is_open(folder / JOURNAL) else "crashed"


def _is_open(journal: Path) -> bool:
    """Whether another process has the journal open: SQLite locks these bytes as long as it has.

    Not to be asked in a process that has it open itself: there the lock would be given up.
    """
    if fcntl is None or not journal.with_name(f"{journal.name}-wal").exists():
        return False
    try:
        with journal.open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SQLITE_SHARED_SIZE, _SQLITE_SHARED_FIRST)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    return False


def _began(folder: Path, fields: Mapping[str, Any]) -> datetime:
    with suppress(ValueError, OverflowError):
        said = datetime.fromisoformat(text_at(fields, "started") or "").astimezone(UTC)
        if 1970 < said.year < 9999:  # at the ends of the calendar local time has no name
            return said
    with suppress(OSError):
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


def _size(folder: Path) -> int:
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                yield os.lstat(os.path.join(parent, name)).st_size


__all__ = ["LAST", "PROBLEM_HINT", "FoundRun", "RunState", "find_runs", "is_run", "read_run_folder", "resolve_run"]
