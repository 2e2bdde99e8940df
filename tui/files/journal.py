"""The run's one durable record: SQLite in a file of its own. Never holds the event loop, never loses quietly.

A call is written when it has ended; it counts as done once its transaction is on the disk (WAL with
`synchronous=FULL`). One thread writes, in groups of at most 50 records or 20 ms: one fsync for all of them is
what makes thousands a second possible where one by one gives some hundreds. What a model says is stored raw;
headers and keys never come here.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from tui.core.errors import RecordError
from tui.core.records import CallRecord
from tui.core.results import DocumentRow, ItemRow
from tui.core.untrusted import clean_line
from tui.files.journal_opening import created, reason, reopened, run_fields
from tui.files.journal_rows import (
    add_items,
    append_run_log,
    end_corpus,
    insert_call,
    put_document,
    settle_document,
    upsert_run,
)

MAX_GROUP = 50
MAX_WAIT_S = 0.020
AWAITED_WAIT_S = 0.005
"""The same where a slot waits. Not 0: as many transactions as records cost the loop a tenth of what it can do (at 700
answers a second 50 slots had 0.79 of what they have where none waits for the disk, 0.86 with this, 0.83 with 10 ms)."""
MAX_BACKLOG = 256
"""Records that may wait for the disk before `room` holds dispatch back."""


class _Entry:
    """One thing to write, and whom to tell."""

    __slots__ = ("on_commit", "on_error", "since", "what", "write")

    def __init__(
        self,
        write: Callable[[sqlite3.Connection, Any], None],
        what: Any,
        on_commit: Callable[[], None] | None,
        on_error: Callable[[RecordError], None] | None,
    ) -> None:
        self.write = write
        """Writes `what`, in the transaction that is open."""
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
        """Use `create` or `reopen`."""
        self.path = path
        self.error: RecordError | None = None
        self.commits = 0
        """Transactions so far, the creation's own not among them."""
        self._connection = connection
        self._changed = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._writing = 0
        self._hurried = False
        """Somebody waits for one of the entries."""
        self._closing = False
        self._waiting_for_room: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()
        self._thread = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, path: Path, run: Mapping[str, Any]) -> "Journal":
        """A new journal (0600) with these fields of the run, committed; blocks for some milliseconds.

        UsageError that names `--out` when it cannot be made, or something is there already.
        """
        return cls(path, created(path, run))

    @classmethod
    def reopen(cls, path: Path, fields: Mapping[str, Any]) -> "Journal":
        """A batch's journal to go on with: what was committed stays, and what is appended comes after it.

        These fields of the run replace those of the same names, and what was said of its end is gone: `ended`,
        `interrupted`, `summary` and how many documents there are. UsageError that names `--resume` when it cannot be.
        """
        return cls(path, reopened(path, fields))

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
        awaited: bool = False,
    ) -> None:
        """Have a record written; returns at once. One that is `awaited` waits less for others.

        Exactly one of the two callbacks is called, once: `on_commit` from the writer's thread when the record
        is on the disk, `on_error` from there, or from here when the journal has failed or is closed. Neither
        may block. Without `on_error`, RecordError is raised here in that case.
        """
        self._put(_Entry(insert_call, record, on_commit, on_error), awaited)

    def set_run(self, fields: Mapping[str, Any]) -> None:
        """Write fields of the run (JSON values), replacing those of the same names; as `append`."""
        self._put(_Entry(upsert_run, run_fields(fields), None, None))

    def log_run(self, chunk: bytes, on_error: Callable[[RecordError], None] | None = None) -> None:
        """Have a chunk of what was stated of the run written, in order; as `append`."""
        self._put(_Entry(append_run_log, chunk, None, on_error))

    def put_document(
        self, row: DocumentRow, items: tuple[ItemRow, ...] = (), on_error: Callable[[RecordError], None] | None = None
    ) -> None:
        """Write a document and its items, in place of the row and all the items of that number; as `append`.

        A row with an item key and no items has that one item: a document that is asked about as a whole.
        """
        if not items and row.item_key is not None:
            items = (ItemRow(row.number, 0, 1, row.item_key),)
        self._put(_Entry(partial(put_document, items=items), row, None, on_error))

    def add_items(self, items: tuple[ItemRow, ...], on_error: Callable[[RecordError], None] | None = None) -> None:
        """Write further items of documents; as `append`."""
        self._put(_Entry(add_items, items, None, on_error))

    def settle_document(
        self,
        number: int,
        item_key: str | None,
        error: str | None = None,
        on_error: Callable[[RecordError], None] | None = None,
    ) -> None:
        """Write which item has the document's result, or why none has; its items stay as they are. As `append`."""
        self._put(_Entry(partial(settle_document, item_key=item_key, error=error), number, None, on_error))

    def end_corpus(self, last_number: int, on_error: Callable[[RecordError], None] | None = None) -> None:
        """The corpus has been read to its end: documents after the last one, from before, are none of it any more.

        The run's field `corpus_documents` says from now on how many there are. As `append`.
        """
        self._put(_Entry(end_corpus, last_number, None, on_error))

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

    def _put(self, entry: _Entry, awaited: bool = False) -> None:
        with self._changed:
            if self.error is None and not self._closing:
                self._entries.append(entry)
                hurried, self._hurried = self._hurried, self._hurried or awaited
                # The writer sleeps until the first record, then until the group is full or its time is up.
                if len(self._entries) in (1, MAX_GROUP) or self._hurried is not hurried:
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
            failure = RecordError(f"{name} cannot be written: {reason(error)}")
        finally:
            self._stop(group, failure)
            self._connection.close()

    def _next_group(self) -> list[_Entry]:
        """What to write next; waits for it. Empty when the journal is closed and everything is written."""
        with self._changed:
            while not self._entries and not self._closing:
                self._changed.wait()
            while 0 < len(self._entries) < MAX_GROUP and not self._closing:
                most_s = AWAITED_WAIT_S if self._hurried else MAX_WAIT_S
                left_s = self._entries[0].since + most_s - monotonic()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
            group = [self._entries.popleft() for _ in range(min(MAX_GROUP, len(self._entries)))]
            self._hurried = self._hurried and bool(self._entries)
            self._writing = len(group)
            return group

    def _commit(self, group: list[_Entry]) -> None:
        with self._connection as connection:  # commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            for entry in group:
                entry.write(connection, entry.what)
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
