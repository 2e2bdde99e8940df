"""A journal's database, made or taken up again, as a connection that writes durably. Knows of no calls."""

import json
import os
import sqlite3
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tui.core.errors import UsageError
from tui.core.untrusted import clean_line
from tui.files.journal_rows import CORPUS_DOCUMENTS, SCHEMA, SCHEMA_VERSION, upsert_run
from tui.files.run_folder import open_private

BATCH = "batch"
"""The job whose runs can be taken up again."""
_OF_THE_END = ("ended", "interrupted", "summary", CORPUS_DOCUMENTS)
"""Fields of a run that has ended, which one that goes on has not."""
_NAME_A_BATCH = "name the folder of a batch; weir runs lists them"


def created(path: Path, fields: Mapping[str, Any]) -> sqlite3.Connection:
    """A new journal (0600) with these fields of the run, committed; UsageError that names `--out`."""
    values = run_fields(fields)
    connection: sqlite3.Connection | None = None
    try:
        # SQLite gives its -wal and -shm files the mode of the database file, which is set here.
        open_private(path).close()
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        _make_durable(connection)
        with connection:
            connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION};")
            upsert_run(connection, values)
    except (OSError, sqlite3.Error) as error:
        if connection is not None:
            connection.close()
        raise UsageError(
            "--out",
            f"{clean_line(str(path))} cannot be made: {reason(error)}",
            "name a folder on a local disk with room, or run with --no-save",
        ) from error
    return connection


def reopened(path: Path, fields: Mapping[str, Any]) -> sqlite3.Connection:
    """A batch's journal, with these fields in place of those of the same names and none of its end, committed.

    What a killed writer had committed is in it, and nothing of what it had not. UsageError that names `--resume`.
    """
    values = run_fields(fields)
    where = clean_line(str(path))
    connection: sqlite3.Connection | None = None
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise UsageError("--resume", f"{where} is no file", _NAME_A_BATCH)
        # mode=rw makes no file where there is none. The first read recovers the log of a writer that was killed.
        address = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        _check_batch(connection, where)
        _make_durable(connection)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM run WHERE name = ?", ((name,) for name in _OF_THE_END))
            upsert_run(connection, values)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, OSError | sqlite3.Error):
            raise UsageError(
                "--resume", f"{where} cannot be gone on with: {reason(error)}", f"{_NAME_A_BATCH}, on a disk with room"
            ) from error
        raise
    return connection


def run_fields(fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Fields of a run as they are stored; TypeError for what is no plain value, such as a secret."""
    # json and not msgspec alone: it writes a lone surrogate in a model's name as an escape.
    return tuple((name, json.dumps(value, default=msgspec.to_builtins)) for name, value in fields.items())


def reason(error: Exception) -> str:
    """Why something could not be read or written, for people."""
    return clean_line((error.strerror if isinstance(error, OSError) else None) or str(error))


def _make_durable(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise sqlite3.OperationalError("the file system has no write-ahead log")
    connection.execute("PRAGMA synchronous=FULL")


def _check_batch(connection: sqlite3.Connection, where: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise UsageError("--resume", f"{where} was written by a newer version", "update: pip install -U streamweir")
    if 0 < version < SCHEMA_VERSION:
        raise UsageError("--resume", f"{where} is from before there were batches", _NAME_A_BATCH)
    found = connection.execute("SELECT value FROM run WHERE name = 'job'").fetchone() if version else None
    if found is None or found[0] != json.dumps(BATCH):
        raise UsageError("--resume", f"{where} is not the journal of a batch", _NAME_A_BATCH)


__all__ = ["BATCH", "created", "reason", "reopened", "run_fields"]
