"""The run's one durable record: SQLite in a file of its own. Never holds the event loop, never loses quietly.

A call is written when it has ended; it counts as done once its transaction is on the disk (WAL with
`synchronous=FULL`). One thread writes, in groups of at most 50 records or 20 ms: one fsync for all of them is
what makes thousands a second possible where one by one gives some hundreds. What a model says is stored raw;
headers and keys never come here.
"""

import asyncio
import json
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from tui.core.errors import RecordError, UsageError
from tui.core.records import CallRecord
from tui.core.untrusted import clean_line
from tui.files.journal_rows import SCHEMA, SCHEMA_VERSION, append_run_log, insert_call, upsert_run
from tui.files.run_folder import open_private

MAX_GROUP = 50
MAX_WAIT_S = 0.020
MAX_BACKLOG = 256
"""Records that may wait for the disk before `room` holds dispatch back."""


class _Entry:
    """One thing to write, and whom to tell."""

    __slots__ = ("on_commit", "on_error", "since", "what")

    def __init__(
        self,
        what: CallRecord | tuple[tuple[str, str], ...] | bytes,
        on_commit: Callable[[], None] | None,
        on_error: Callable[[RecordError], None] | None,
    ) -> None:
        self.what = what
        self.on_commit = on_commit
        self.on_error = on_error
        self.since = monotonic()


class Journal:
    """A journal that is being written. All methods but `room` may be called from any thread.

    After the first error nothing more is written: `error` is set, whatever waits is told through its
    `on_error`, and what was committed before stays.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `create`."""
        self.path = path
        self.error: RecordError | None = None
        self.commits = 0
        """Transactions so far, the creation's own not among them."""
        self._connection = connection
        self._changed = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._writing = 0
        self._closing = False
        self._waiting_for_room: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()
        self._thread = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, path: Path, run: Mapping[str, Any]) -> "Journal":
        """A new journal (0600) with these fields of the run, committed; blocks for some milliseconds.

        UsageError that names `--out` when it cannot be made, or something is there already.
        """
        fields = _run_fields(run)
        connection: sqlite3.Connection | None = None
        try:
            # SQLite gives its -wal and -shm files the mode of the database file, which is set here.
            open_private(path).close()
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise sqlite3.OperationalError("the file system has no write-ahead log")
            connection.execute("PRAGMA synchronous=FULL")
            with connection:
                connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION};")
                upsert_run(connection, fields)
        except (OSError, sqlite3.Error) as error:
            if connection is not None:
                connection.close()
            raise UsageError(
                "--out",
                f"{clean_line(str(path))} cannot be made: {_reason(error)}",
                "name a folder on a local disk with room, or run with --no-save",
            ) from error
        return cls(path, connection)

    @property
    def backlog(self) -> int:
        """Records that are not committed yet."""
        with self._changed:
            return len(self._entries) + self._writing

    def append(
        self,
        record: CallRecord,
        on_commit: Callable[[], None] | None = None,
        on_error: Callable[[RecordError], None] | None = None,
    ) -> None:
        """Have a record written; returns at once.

        Exactly one of the two callbacks is called, once: `on_commit` from the writer's thread when the record
        is on the disk, `on_error` from there, or from here when the journal has failed or is closed. Neither
        may block. Without `on_error`, RecordError is raised here in that case.
        """
        self._put(_Entry(record, on_commit, on_error))

    def set_run(self, fields: Mapping[str, Any]) -> None:
        """Write fields of the run (JSON values), replacing those of the same names; as `append`."""
        self._put(_Entry(_run_fields(fields), None, None))

    def log_run(self, chunk: bytes, on_error: Callable[[RecordError], None] | None = None) -> None:
        """Have a chunk of what was stated of the run written, in order; as `append`."""
        self._put(_Entry(chunk, None, on_error))

    async def room(self) -> None:
        """Wait until fewer than `MAX_BACKLOG` records wait for the disk; RecordError when the journal failed."""
        while True:
            with self._changed:
                if self.error is not None:
                    raise self.error
                if self.backlog < MAX_BACKLOG:
                    return
                loop = asyncio.get_running_loop()
                waiter = (loop, loop.create_future())
                self._waiting_for_room.add(waiter)
            try:
                await waiter[1]
            finally:
                with self._changed:
                    self._waiting_for_room.discard(waiter)

    def close(self) -> None:
        """Write what waits, fold the write-ahead log into the file, give it back. Blocks; look at `error` after."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _put(self, entry: _Entry) -> None:
        with self._changed:
            if self.error is None and not self._closing:
                self._entries.append(entry)
                # The writer sleeps until the first record, then until the group is full or its time is up.
                if len(self._entries) in (1, MAX_GROUP):
                    self._changed.notify()
                return
            error = self.error or RecordError(f"{clean_line(str(self.path))} is closed")
        if entry.on_error is None:
            raise error
        entry.on_error(error)

    def _write_until_closed(self) -> None:
        """The writer's thread."""
        group: list[_Entry] = []
        name = clean_line(str(self.path))
        failure: RecordError | None = RecordError(f"the writer of {name} ended unexpectedly")
        try:
            while group := self._next_group():
                self._commit(group)
                self._make_room()
                while group:
                    _tell(group.pop(0).on_commit)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            failure = None
        except (sqlite3.Error, OverflowError, ValueError) as error:
            # OverflowError, ValueError: a figure or text that SQLite has no form for.
            failure = RecordError(f"{name} cannot be written: {_reason(error)}")
        finally:
            self._stop(group, failure)
            self._connection.close()

    def _next_group(self) -> list[_Entry]:
        """What to write next; waits for it. Empty when the journal is closed and everything is written."""
        with self._changed:
            while not self._entries and not self._closing:
                self._changed.wait()
            while 0 < len(self._entries) < MAX_GROUP and not self._closing:
                left_s = self._entries[0].since + MAX_WAIT_S - monotonic()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
            group = [self._entries.popleft() for _ in range(min(MAX_GROUP, len(self._entries)))]
            self._writing = len(group)
            return group

    def _commit(self, group: list[_Entry]) -> None:
        with self._connection as connection:  # commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            for entry in group:
                if isinstance(entry.what, CallRecord):
                    insert_call(connection, entry.what)
                elif isinstance(entry.what, bytes):
                    append_run_log(connection, entry.what)
                else:
                    upsert_run(connection, entry.what)
        self.commits += 1

    def _make_room(self) -> None:
        """The group is written: those who wait for room look again."""
        with self._changed:
            self._writing = 0
            waiting = list(self._waiting_for_room)
        _wake(waiting)

    def _stop(self, group: list[_Entry], failure: RecordError | None) -> None:
        """Nothing is written from now on; tell everyone who waits."""
        with self._changed:
            self.error = failure
            self._closing = True
            untold = [*group, *self._entries]
            self._entries.clear()
            self._writing = 0
            waiting = list(self._waiting_for_room)
        if failure is not None:
            for entry in untold:
                _tell(entry.on_error, failure)
        _wake(waiting)


def _tell(callback: Callable[..., None] | None, *arguments: RecordError) -> None:
    if callback is not None:
        # call_soon_threadsafe raises RuntimeError when its loop is closed: who wanted to know has gone.
        with suppress(RuntimeError):
            callback(*arguments)


def _wake(waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]]) -> None:
    for loop, future in waiting:
        _tell(lambda loop=loop, future=future: loop.call_soon_threadsafe(_resolve, future))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _run_fields(fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    # json and not msgspec alone: it writes a lone surrogate in a model's name as an escape.
    return tuple((name, json.dumps(value, default=msgspec.to_builtins)) for name, value in fields.items())


def _reason(error: Exception) -> str:
    return clean_line((error.strerror if isinstance(error, OSError) else None) or str(error))
