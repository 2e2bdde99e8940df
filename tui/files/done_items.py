"""What a batch has settled already, looked up beside its writer. Read-only; keeps nothing in memory.

A lookup sees whatever is committed at that moment. One thread at a time.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tui.core.calls import State
from tui.core.errors import RecordError
from tui.core.results import Outcome, best_call
from tui.core.untrusted import clean_line
from tui.files.journal_rows import text_of

_OUTCOMES = """
SELECT id, state, text, finish_reason, error, completion
FROM calls JOIN results ON results.call = calls.id WHERE item_key = ?
"""
_LAST_INSTANT = """
SELECT max(max(sent_s, ifnull(ended_s, sent_s), ifnull(last_token_s, sent_s), ifnull(headers_s, sent_s)))
FROM attempts
"""
# Calls come in the order of their numbers, so the last one's instants are the latest. Those of all would cost reading
# every plan, which stands before them in its row.
_LAST_CALL = "SELECT due_s, admitted_s FROM calls ORDER BY id DESC LIMIT 1"


class DoneItems:
    """The outcomes of a journal, also one that is being written; RecordError when it cannot be read."""

    def __init__(self, path: Path) -> None:
        """Open a journal. Where its writer has it open, close this first: who closes last takes its log away."""
        self._name = clean_line(str(path))
        # Without a write-ahead log nobody has it open, and immutable=1 leaves none beside it (files/journal_reader.py).
        closed = not path.with_name(f"{path.name}-wal").exists()
        address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if closed else ''}"
        try:
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def outcome(self, key: str) -> Outcome | None:
        """What became of the item with that key; None when it is still to be asked.

        Of several calls the first that is done, else the last that failed.
        """
        # One query: it takes half the time of two, and more than one call asks the same only after a retry.
        rows = self._rows(_OUTCOMES, key)
        call = best_call((row[0], row[1]) for row in rows)
        if call is None:
            return None
        _, state, text, finish_reason, error, completion = next(row for row in rows if row[0] == call)
        return Outcome(
            call=call,
            state=State(state),
            text=text_of(text) or "",
            finish_reason=text_of(finish_reason),
            error=text_of(error),
            completion_tokens=completion,
        )

    def last_call(self) -> int:
        """The largest number of a call; 0 when there is none."""
        ((last,),) = self._rows("SELECT ifnull(max(id), 0) FROM calls")
        return int(last)

    def last_instant_s(self) -> float:
        """The latest instant of any call on record, in seconds from the run's start; 0 when there is none.

        Reads every attempt: once at the start of a run.
        """
        instants = [*self._rows(_LAST_INSTANT), *self._rows(_LAST_CALL)]
        return max((float(each) for row in instants for each in row if each is not None), default=0.0)

    def sent_since(self, instant_s: float) -> list[float]:
        """When attempts were sent after an instant (s from the run's start). Reads every attempt."""
        return [float(sent_s) for (sent_s,) in self._rows("SELECT sent_s FROM attempts WHERE sent_s > ?", instant_s)]

    def close(self) -> None:
        """Give the journal back."""
        self._connection.close()

    def _rows(self, query: str, *values: str | float) -> Sequence[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> RecordError:
        return RecordError(f"{self._name} cannot be read: {clean_line(str(error))}")


__all__ = ["DoneItems"]
