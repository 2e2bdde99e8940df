"""The journal's tables, and records as their rows. Opens nothing.

Texts come from models and servers and may hold lone surrogates, which are no UTF-8: such a text is stored as
a BLOB in "surrogatepass" UTF-8, any other as TEXT that every SQLite tool can read.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from tui.core.calls import State, Usage
from tui.core.records import AttemptRecord, CallRecord, ChoiceRecord, ToolCallRecord
from tui.core.results import DocumentRow, ItemRow

SCHEMA_VERSION = 3
"""In `PRAGMA user_version`. A reader refuses a higher one."""
FIRST_WITH_TRACES = 2
"""Older ones cannot be replayed; they are read as before."""
FIRST_WITH_DOCUMENTS = 3
"""Older ones are no batches, and do not say which call did another one again."""
CORPUS_DOCUMENTS = "corpus_documents"
"""The run's field that says how many documents there are; absent until the corpus has been read to its end."""

SCHEMA = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, item_key TEXT NOT NULL, model TEXT NOT NULL, plan BLOB NOT NULL,
    due_s REAL NOT NULL, admitted_s REAL, warmup INTEGER NOT NULL, retry_of INTEGER
);
CREATE TABLE attempts (
    call INTEGER NOT NULL REFERENCES calls, number INTEGER NOT NULL,
    sent_s REAL NOT NULL, written_s REAL, headers_s REAL, first_token_s REAL, last_token_s REAL, ended_s REAL,
    status INTEGER, error TEXT, request_id TEXT,
    prompt INTEGER, completion INTEGER, reasoning INTEGER, cached INTEGER,
    usage_estimated INTEGER NOT NULL, possibly_billed INTEGER NOT NULL, superseded_text TEXT,
    PRIMARY KEY (call, number)
) WITHOUT ROWID;
CREATE TABLE results (
    call INTEGER PRIMARY KEY REFERENCES calls, state TEXT NOT NULL,
    prompt INTEGER, completion INTEGER, reasoning INTEGER, cached INTEGER, usage_source TEXT,
    text TEXT NOT NULL, reasoning_text TEXT NOT NULL, tool_calls TEXT NOT NULL, choices TEXT NOT NULL,
    finish_reason TEXT, error TEXT
);
CREATE TABLE traces (call INTEGER PRIMARY KEY REFERENCES calls, trace BLOB NOT NULL);
CREATE TABLE run_log (number INTEGER PRIMARY KEY, chunk BLOB NOT NULL);
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, item_key TEXT, error TEXT,
    tokens INTEGER, cut_tokens INTEGER NOT NULL, parts INTEGER NOT NULL
);
CREATE TABLE document_items (
    number INTEGER NOT NULL, level INTEGER NOT NULL, part INTEGER NOT NULL, item_key TEXT NOT NULL,
    PRIMARY KEY (number, level, part)
) WITHOUT ROWID;
CREATE INDEX calls_by_item ON calls (item_key);
"""

_READ_CALLS = """
SELECT id, item_key, model, plan, due_s, admitted_s, warmup,
       state, prompt, completion, reasoning, cached, usage_source,
       text, reasoning_text, tool_calls, choices, finish_reason, error, {retry_of}
FROM calls JOIN results ON results.call = calls.id ORDER BY id
"""
READ_ATTEMPTS = """
SELECT call, sent_s, written_s, headers_s, first_token_s, last_token_s, ended_s, status, error, request_id,
       prompt, completion, reasoning, cached, usage_estimated, possibly_billed, superseded_text
FROM attempts ORDER BY call, number
"""

READ_TRACES = "SELECT call, trace FROM traces"
READ_RUN_LOG = "SELECT chunk FROM run_log ORDER BY number"

Stored = str | bytes | None


def insert_call(connection: sqlite3.Connection, record: CallRecord) -> None:
    """Write one record's rows, in the transaction that is open."""
    connection.execute(
        "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.id,
            record.item_key,
            _stored(record.model),
            record.plan_json,
            record.due_s,
            record.admitted_s,
            record.warmup,
            record.retry_of,
        ),
    )
    connection.executemany(
        f"INSERT INTO attempts VALUES ({', '.join('?' * 18)})",
        (
            (
                record.id,
                number,
                attempt.sent_s,
                attempt.written_s,
                attempt.headers_s,
                attempt.first_token_s,
                attempt.last_token_s,
                attempt.ended_s,
                attempt.status,
                _stored(attempt.error),
                _stored(attempt.request_id),
                *_usage_columns(attempt.usage),
                attempt.usage_estimated,
                attempt.possibly_billed,
                _stored(attempt.superseded_text),
            )
            for number, attempt in enumerate(record.attempts, start=1)
        ),
    )
    connection.execute(
        f"INSERT INTO results VALUES ({', '.join('?' * 13)})",
        (
            record.id,
            record.state.value,
            *_usage_columns(record.usage),
            record.usage_source,
            _stored(record.text),
            _stored(record.reasoning),
            _json(record.tool_calls),
            _json(record.choices),
            _stored(record.finish_reason),
            _stored(record.error),
        ),
    )

    if record.trace:
        connection.execute("INSERT INTO traces VALUES (?, ?)", (record.id, zlib.compress(record.trace)))


def put_document(connection: sqlite3.Connection, row: DocumentRow, items: Iterable[ItemRow]) -> None:
    """Write a document's row and its items in place of those of that number, in the transaction that is open."""
    connection.execute("DELETE FROM document_items WHERE number = ?", (row.number,))
    connection.execute(
        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.number,
            _stored(row.id),
            _stored(row.source),
            row.item_key,
            _stored(row.error),
            row.tokens,
            row.cut_tokens,
            row.parts,
        ),
    )
    add_items(connection, items)


def settle_document(connection: sqlite3.Connection, number: int, item_key: str | None, error: str | None) -> None:
    """Write which call has the document's result, or why none has, in the transaction that is open."""
    connection.execute(
        "UPDATE documents SET item_key = ?, error = ? WHERE number = ?", (item_key, _stored(error), number)
    )


def add_items(connection: sqlite3.Connection, items: Iterable[ItemRow]) -> None:
    """Write calls that make up documents, in the transaction that is open; one of the same place is replaced."""
    connection.executemany(
        "INSERT OR REPLACE INTO document_items VALUES (?, ?, ?, ?)",
        ((item.number, item.level, item.part, item.item_key) for item in items),
    )


def end_corpus(connection: sqlite3.Connection, last_number: int) -> None:
    """Forget the documents after the last one, and write how many there are, in the transaction that is open."""
    for table in ("documents", "document_items"):
        connection.execute(f"DELETE FROM {table} WHERE number > ?", (last_number,))
    upsert_run(connection, ((CORPUS_DOCUMENTS, json.dumps(last_number)),))


def append_run_log(connection: sqlite3.Connection, chunk: bytes) -> None:
    """Write what was stated of the run, after what was written before, in the transaction that is open."""
    connection.execute("INSERT INTO run_log (chunk) VALUES (?)", (zlib.compress(chunk),))


def inflated(stored: bytes) -> bytes:
    """A trace or a chunk as it was given; zlib.error when it is none."""
    return zlib.decompress(stored)


def upsert_run(connection: sqlite3.Connection, fields: Iterable[tuple[str, str]]) -> None:
    """Write fields of the run (name, JSON), in the transaction that is open."""
    connection.executemany(
        "INSERT INTO run VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", fields
    )


def read_calls(version: int) -> str:
    """The query for a journal of that schema's calls."""
    return _READ_CALLS.format(retry_of="retry_of" if version >= FIRST_WITH_DOCUMENTS else "NULL")


def call_of(row: tuple[Any, ...], attempts: tuple[AttemptRecord, ...]) -> CallRecord:
    """A record from a row of `read_calls`."""
    return CallRecord(
        id=row[0],
        item_key=row[1],
        model=text_of(row[2]) or "",
        plan_json=row[3],
        due_s=row[4],
        admitted_s=row[5],
        warmup=bool(row[6]),
        attempts=attempts,
        state=State(row[7]),
        usage=_usage_of(row[8:12]),
        usage_source=row[12],
        text=text_of(row[13]) or "",
        reasoning=text_of(row[14]) or "",
        tool_calls=msgspec.convert(json.loads(row[15]), tuple[ToolCallRecord, ...]),
        choices=msgspec.convert(json.loads(row[16]), tuple[ChoiceRecord, ...]),
        finish_reason=text_of(row[17]),
        error=text_of(row[18]),
        retry_of=row[19],
    )


def attempt_of(row: tuple[Any, ...]) -> AttemptRecord:
    """A record from a row of `READ_ATTEMPTS`."""
    return AttemptRecord(
        sent_s=row[1],
        written_s=row[2],
        headers_s=row[3],
        first_token_s=row[4],
        last_token_s=row[5],
        ended_s=row[6],
        status=row[7],
        error=text_of(row[8]),
        request_id=text_of(row[9]),
        usage=_usage_of(row[10:14]),
        usage_estimated=bool(row[14]),
        possibly_billed=bool(row[15]),
        superseded_text=text_of(row[16]),
    )


def _stored(text: str | None) -> Stored:
    if text is None:
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_of(stored: Stored) -> str | None:
    """A text as it was given."""
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored


def _json(structs: tuple[msgspec.Struct, ...]) -> str:
    # json and not msgspec: it writes a lone surrogate as an escape, and reads it back.
    return json.dumps(msgspec.to_builtins(structs)) if structs else "[]"


def _usage_columns(usage: Usage | None) -> tuple[int | None, int | None, int | None, int | None]:
    if usage is None:
        return (None, None, None, None)
    return (usage.prompt, usage.completion, usage.reasoning, usage.cached)


def _usage_of(columns: tuple[Any, ...]) -> Usage | None:
    return None if columns[0] is None else Usage(*columns)
