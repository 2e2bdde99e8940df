"""A journal as records again, also while it is being written and after a crash. Changes nothing in it."""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tui.core.errors import UsageError
from tui.core.records import CallRecord
from tui.core.untrusted import clean_line
from tui.files.journal_rows import (
    FIRST_WITH_TRACES,
    READ_ATTEMPTS,
    READ_RUN_LOG,
    READ_TRACES,
    SCHEMA_VERSION,
    attempt_of,
    call_of,
    inflated,
    read_calls,
)

_RIGHT_FILE = "name the journal.db of a run's folder"


@dataclass(frozen=True, slots=True)
class Recording:
    """A journal with everything that a replay needs, as it is on the disk."""

    fields: dict[str, Any]
    """Of the run."""
    records: list[CallRecord]
    traces: dict[int, bytes]
    """By call."""
    run_log: list[bytes]


def read_run(path: Path) -> dict[str, Any]:
    """The run's fields; UsageError that names the file when it is no journal."""
    with reading(path) as connection:
        return fields_of(connection)


def read_journal(path: Path) -> Iterator[CallRecord]:
    """Every committed record, by call number, a few in memory at a time; UsageError when it is no journal."""
    with reading(path) as connection:
        yield from _records(connection)


def read_recording(path: Path) -> Recording:
    """A journal for a replay, one state of all of it; UsageError when it is none, or too old to have traces."""
    with reading(path) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] < FIRST_WITH_TRACES:
            raise UsageError(
                clean_line(str(path)),
                "was recorded before runs kept when each piece of text came",
                "record a new run; this one's figures are in its summary.json",
            )
        return Recording(
            fields_of(connection),
            list(_records(connection)),
            {call: inflated(trace) for call, trace in connection.execute(READ_TRACES)},
            [inflated(chunk) for (chunk,) in connection.execute(READ_RUN_LOG)],
        )


def fields_of(connection: sqlite3.Connection) -> dict[str, Any]:
    """The run's fields, of a connection from `reading`."""
    return {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM run")}


def _records(connection: sqlite3.Connection) -> Iterator[CallRecord]:
    attempts = groupby(connection.execute(READ_ATTEMPTS), key=lambda row: row[0])
    call, rows = next(attempts, (None, iter(())))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for row in connection.execute(read_calls(version)):
        if call == row[0]:
            yield call_of(row, tuple(attempt_of(attempt) for attempt in rows))
            call, rows = next(attempts, (None, iter(())))
        else:
            yield call_of(row, ())


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection that sees one state of the journal, whatever is written meanwhile."""
    where = clean_line(str(path))
    # A journal with a write-ahead log is being written, or its writer was killed: mode=ro replays the log and
    # creates nothing that is not there. Without one it is closed, and immutable=1 keeps SQLite from leaving
    # an empty log beside it, which a read-only connection makes and cannot take away.
    closed = not path.with_name(f"{path.name}-wal").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if closed else ''}"
    before = _stamp(path)
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise UsageError(where, "was written by a newer version", "update: pip install -U streamweir")
            if version == 0:
                raise UsageError(where, "holds no run", _RIGHT_FILE)
            yield connection
        if closed and _stamp(path) != before:  # immutable=1 holds off no writer, and sees what it writes half done
            raise UsageError(where, "was taken up again while it was read", "read it once more")
    except (sqlite3.Error, zlib.error) as error:
        raise UsageError(where, f"cannot be read: {clean_line(str(error))}", _RIGHT_FILE) from error


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when the file does."""
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size
    return None
