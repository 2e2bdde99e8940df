"""A batch's run folder, held by this process: its lock, its journal, and what is committed in it. Begins nothing.

Made anew or taken up again; either way a run is written by one process at a time. What goes wrong while documents are
written down is told to whoever runs the run, as with its calls.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tui.core.errors import RecordError, UsageError
from tui.core.results import DocumentRow, ItemRow
from tui.core.untrusted import clean_line
from tui.engine.limiter import WINDOW_S
from tui.files.done_items import DoneItems
from tui.files.journal import Journal
from tui.files.journal_opening import BATCH
from tui.files.journal_reader import read_run
from tui.files.run_folder import create_run_folder
from tui.files.run_list import JOURNAL, SUMMARY
from tui.files.run_lock import RunLock

RESULTS = "results.jsonl"
"""In the run's folder, unless people name another place."""


class OpenRun:
    """The record of a batch while it runs. Use `create` or `take_up`."""

    def __init__(
        self,
        folder: Path,
        lock: RunLock,
        journal: Journal,
        earlier: Mapping[str, Any] | None,
        idle_s: float = math.inf,
    ) -> None:
        """`idle_s`: how long nobody has written to it."""
        self.folder = folder
        self.journal = journal
        self.earlier = earlier
        """What the run said of itself in its earlier sessions; None: this is the first one."""
        self.on_lost: Callable[[RecordError], None] = lambda error: None
        """Hears in the loop that something could not be written down."""
        self.at_end: Callable[[], None] = lambda: None
        """Makes what people read of the run, once all of it is in the journal; waits for the disk."""
        self._lock = lock
        self._idle_s = idle_s
        self.settled = DoneItems(journal.path)

    @classmethod
    def create(cls, parent: Path, model: str, fields: Mapping[str, Any]) -> "OpenRun":
        """A new run's folder in `parent`; UsageError when that cannot be."""
        folder = create_run_folder(parent, BATCH, model, datetime.now())
        lock = RunLock.take(folder)
        try:
            return cls(folder, lock, Journal.create(folder / JOURNAL, {"job": BATCH, **fields}), None)
        except BaseException:
            lock.close()
            raise

    @classmethod
    def take_up(cls, folder: Path, fields: Mapping[str, Any]) -> "OpenRun":
        """A run that goes on; UsageError when somebody else holds it, or when it is no batch."""
        lock = RunLock.take(folder)
        try:
            idle_s = max(0.0, time.time() - _written_at(folder / JOURNAL))
            earlier = read_run(folder / JOURNAL)
            if earlier.get("job") == BATCH:
                _clear_away(folder)
            return cls(folder, lock, Journal.reopen(folder / JOURNAL, fields), earlier, idle_s)
        except BaseException:
            lock.close()
            raise

    def sent_lately_s(self) -> tuple[float, ...]:
        """How long ago (s) earlier sessions sent what may still be in a minute's window."""
        if self._idle_s >= WINDOW_S:
            return ()
        ended_s = self.settled.last_instant_s() + self._idle_s
        return tuple(ended_s - sent_s for sent_s in self.settled.sent_since(ended_s - WINDOW_S))

    def put_document(self, row: DocumentRow, items: tuple[ItemRow, ...] = ()) -> None:
        """Write a document down, with the calls that it takes so far."""
        self.journal.put_document(row, items, self._in_the_loop())

    def end_corpus(self, last_number: int) -> None:
        """Every document is written down."""
        self.journal.end_corpus(last_number, self._in_the_loop())

    async def room(self) -> None:
        """Wait until not too much waits for the disk."""
        with suppress(RecordError):  # told by `on_lost`
            await self.journal.room()

    def close(self) -> None:
        """Write what waits and let the next one have it; waits for the disk."""
        self.settled.close()  # first, else an empty log stays beside the journal
        self.journal.close()
        self._lock.close()

    def _in_the_loop(self) -> Callable[[RecordError], None]:
        loop = asyncio.get_running_loop()

        def tell(error: RecordError) -> None:
            loop.call_soon_threadsafe(self.on_lost, error)

        return tell


def _written_at(journal: Path) -> float:
    """When somebody last wrote to it, by the files' own clock (s): what is not flushed yet is in its log."""
    log = journal.with_name(f"{journal.name}-wal")
    return max((path.stat().st_mtime for path in (journal, log) if path.exists()), default=0.0)


def _clear_away(folder: Path) -> None:
    """The summary of a run that has not ended, and what a writer that was killed has left half done."""
    try:
        for path in (folder / SUMMARY, *folder.glob(f".{RESULTS}.*"), *folder.glob(f".{SUMMARY}.*")):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            "--resume",
            f"{clean_line(str(folder))} cannot be written to: {error.strerror or error}",
            "make it a folder that can be written to",
        ) from error
