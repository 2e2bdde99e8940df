"""A batch's journal as one row a document, in the order of the input, also while it is being written. Changes nothing.

One pass over the documents with their calls beside them; what is in memory at a time is one document. Calls of
documents that are no longer in the corpus are in no row.
"""

import json
import math
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tui.core.calls import State, Usage
from tui.core.errors import UsageError
from tui.core.lookup import text_at, value_at
from tui.core.money import Price, cost_of
from tui.core.results import ResultRow, ResultState, ResultTokens, best_call
from tui.core.untrusted import clean_line
from tui.files.journal_opening import BATCH
from tui.files.journal_reader import fields_of, reading
from tui.files.journal_rows import FIRST_WITH_DOCUMENTS, text_of

# Of items that ask the same, in whatever document, the first one carries the attempts: these are the others. They are
# found by sorting once (in a file, when there are many), for an index of the keys would cost every document a fifth of
# what writing it costs (19 of 98 µs, and a page of the log).
FIND_REPEATS = (
    """
    CREATE TEMP TABLE repeats (
        number INTEGER, level INTEGER, part INTEGER, PRIMARY KEY (number, level, part)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO repeats SELECT number, level, part FROM (
        SELECT number, level, part, row_number() OVER (PARTITION BY item_key ORDER BY number, level, part) AS nth
        FROM document_items
    ) WHERE nth > 1
    """,
)
# Every table is walked in the order of its key, so nothing here is sorted and rows come one by one.
READ_ROWS = """
SELECT d.number, d.id, d.source, d.item_key, d.error,
       i.item_key, NOT EXISTS (
           SELECT 1 FROM repeats AS e WHERE e.number = i.number AND e.level = i.level AND e.part = i.part
       ) AS carries,
       c.id, c.model, r.state, r.prompt, r.completion, r.reasoning, r.cached, r.usage_source,
       a.number, a.sent_s, a.first_token_s, a.prompt, a.completion, a.reasoning, a.cached
FROM documents AS d
LEFT JOIN document_items AS i ON i.number = d.number
LEFT JOIN calls AS c ON c.item_key = i.item_key
LEFT JOIN results AS r ON r.call = c.id
LEFT JOIN attempts AS a ON a.call = c.id
ORDER BY d.number, i.level, i.part, c.id, a.number
"""
_READ_TEXT = "SELECT text, error FROM results WHERE call = ?"
_CACHE_KIB = 16_384
"""Of pages of the journal: the calls of neighbouring documents lie together, their keys do not."""
_NS_DIGITS = 9


class _Joined(NamedTuple):
    """A row of `READ_ROWS`: an attempt with all that is around it. None for what is not there."""

    number: int
    id: Any
    source: Any
    result_key: Any
    error: Any
    item_key: Any
    carries: int
    call: int | None
    model: Any
    state: Any
    prompt: Any
    completion: Any
    reasoning: Any
    cached: Any
    usage_source: Any
    attempt: int | None
    sent_s: Any
    first_token_s: Any
    attempt_prompt: Any
    attempt_completion: Any
    attempt_reasoning: Any
    attempt_cached: Any


def check_batch(path: Path) -> None:
    """UsageError that names the file when it is not the journal of a batch."""
    with reading(path) as connection:
        _batch_fields(connection, path)


def read_results(path: Path) -> Generator[ResultRow, None, None]:
    """Every document's row, of one state of the journal; UsageError when it is not a batch's.

    Holds a read transaction until the last row or `close`: a run that goes on meanwhile cannot shorten its
    write-ahead log.
    """
    with reading(path) as connection:
        rows = _Rows(connection, _batch_fields(connection, path))
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        for statement in FIND_REPEATS:
            connection.execute(statement)
        for _, of_document in groupby(map(_Joined._make, connection.execute(READ_ROWS)), key=itemgetter(0)):
            yield rows.row(list(of_document))


def _batch_fields(connection: sqlite3.Connection, path: Path) -> Mapping[str, Any]:
    where = clean_line(str(path.parent if path.name == "journal.db" else path))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    try:
        fields = fields_of(connection)
    except (ValueError, RecursionError) as error:
        raise UsageError(where, f"is damaged: {clean_line(str(error))}", "name the folder of a batch") from error
    if version < FIRST_WITH_DOCUMENTS or value_at(fields, "job") != BATCH:
        job = text_at(fields, "job") or "another job"
        raise UsageError(where, f"is a run of {job}, not a batch", "see its figures with weir report")
    return fields


class _Rows:
    """Documents as rows, with what the run says of all of them."""

    def __init__(self, connection: sqlite3.Connection, fields: Mapping[str, Any]) -> None:
        self._connection = connection
        self._structured = value_at(fields, "structured") is True
        self._keeps_text = value_at(fields, "keep_text") is not False
        self._model = text_at(fields, "model")
        self._price = _price(value_at(fields, "price"))

    def row(self, joined: Sequence[_Joined]) -> ResultRow:
        """One document from what `READ_ROWS` has of it."""
        of_document = joined[0]
        attempts = 0
        cost: Decimal | None = Decimal(0)
        states: dict[str, dict[int, str]] = {}  # of the calls, by item and call
        calls: dict[int, _Joined] = {}
        ttft_s: dict[int, float] = {}
        for each in joined:
            if each.call is None:
                continue
            states.setdefault(each.item_key, {})[each.call] = each.state
            calls[each.call] = each
            if each.attempt is not None and each.carries:
                attempts += 1
                cost = self._sum(cost, each)
            if each.first_token_s is not None:  # the last attempt that brought one is the one that counts
                ttft_s[each.call] = round(each.first_token_s - each.sent_s, _NS_DIGITS)
        best = {key: best_call(of_item.items()) for key, of_item in states.items()}
        final = best.get(of_document.result_key)
        state, error, output = ResultState.PENDING, text_of(of_document.error), None
        if final is not None:
            text, final_error = self._text(final)
            done = calls[final].state == State.DONE
            state, error = (ResultState.DONE, None) if done else (ResultState.FAILED, error or final_error)
            output = self._output(text, done)
        elif error is not None:
            state = ResultState.FAILED
        else:
            unsettled = [call for key, of_item in states.items() if best[key] is None for call in of_item]
            error = self._text(max(unsettled))[1] if unsettled else None
        return ResultRow(
            id=text_of(of_document.id) or "",
            source=text_of(of_document.source) or "",
            output=output,
            state=state,
            error=error,
            attempts=attempts,
            ttft_s=None if final is None else ttft_s.get(final),
            tokens=_tokens([calls[call] for call in dict.fromkeys(best.values()) if call is not None]),
            cost_usd=cost,
            model=self._model if final is None else text_of(calls[final].model) or self._model,
        )

    def _sum(self, cost: Decimal | None, attempt: _Joined) -> Decimal | None:
        """With an attempt's money, as `CallRecord.cost` has it."""
        if attempt.attempt_prompt is None:
            return cost
        if cost is None or self._price is None:
            return None
        usage = Usage(
            attempt.attempt_prompt, attempt.attempt_completion, attempt.attempt_reasoning, attempt.attempt_cached
        )
        return cost + cost_of(usage, self._price)

    def _text(self, call: int) -> tuple[str, str | None]:
        ((text, error),) = self._connection.execute(_READ_TEXT, (call,))
        return text_of(text) or "", text_of(error)

    def _output(self, text: str, done: bool) -> Any:
        """The answer; of a call that failed what there was of it, as it came."""
        if not self._keeps_text or (not done and not text):
            return None
        if self._structured and done:
            with suppress(ValueError, RecursionError):  # no JSON after all: then it is the text
                return json.loads(text, parse_constant=_no_number, parse_float=_finite)
        return text


def _tokens(calls: Sequence[_Joined]) -> ResultTokens | None:
    counted = [call for call in calls if call.prompt is not None]
    if not counted:
        return None
    return ResultTokens(
        sum(call.prompt for call in counted),
        sum(call.completion for call in counted),
        sum(call.reasoning for call in counted),
        sum(call.cached for call in counted),
        "usage" if all(call.usage_source == "usage" for call in counted) else "estimated",
    )


def _price(plain: Any) -> Price | None:
    """None for one that cannot be read: results are worth more than their price, and None says it is not known."""
    try:
        return Price.from_dict(plain) if plain is not None else None
    except (ValueError, msgspec.MsgspecError):
        return None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    """JSON has no infinity, which Python makes of 1e999."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number


__all__ = ["FIND_REPEATS", "READ_ROWS", "check_batch", "read_results"]
