"""The calls that the screen shows, as a table (CSV) or as lines of JSON. Chooses none and computes nothing.

A cell that a spreadsheet would take for a formula gets an apostrophe in front; the JSON lines have the text as it is.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from tui.core.clock import seconds
from tui.core.errors import UsageError
from tui.core.untrusted import clean
from tui.core.views import CallRow
from tui.files.export import json_text
from tui.files.run_folder import write_private_atomic

FIELDS = (
    "id", "state", "model", "prompt", "queue_s", "attempts", "status", "ttft_s", "ttft_mark", "tokens_per_s",
    "tokens", "tokens_estimated", "cost_usd", "cost_source", "total_s", "error", "warmup", "retry_of",
)  # fmt: skip
"""In the order of the columns."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")

Format = Literal["csv", "jsonl"]


def write_shown(path: Path, rows: Iterable[CallRow], format: Format) -> int:
    """Write the rows (0600, atomic, one in memory at a time) and return how many there were.

    Absent is an empty cell or null. UsageError for another format, RecordError when the file cannot be written.
    """
    if format not in ("csv", "jsonl"):
        raise UsageError("export", f'"{clean(format)}" is no format', "take csv or jsonl")
    written = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal written
        for row in rows:
            yield _fields(row)
            written += 1

    write_private_atomic(path, _csv(counted()) if format == "csv" else _jsonl(counted()))
    return written


def _fields(row: CallRow) -> dict[str, Any]:
    values = (
        row.call,
        row.state.value,
        row.model,
        row.prompt,
        _seconds(row.queue_ns),
        row.attempts,
        row.status,
        _seconds(row.ttft_ns),
        row.ttft_mark,
        None if row.tokens_per_s is None else round(row.tokens_per_s, 3),
        row.tokens,
        row.tokens_estimated,
        row.cost.usd,
        row.cost.source,
        seconds(row.total_ns),
        row.error,
        row.warmup,
        row.retry_of,
    )
    return dict(zip(FIELDS, values, strict=True))


def _seconds(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else seconds(duration_ns)


def _jsonl(lines: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for line in lines:
        yield f"{json_text(line)}\n".encode()


def _csv(lines: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    # Every line by itself, for rows may be many; "\n" because a tool that reads lines would keep a "\r".
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(FIELDS)
    for line in lines:
        writer.writerow([_cell(value) for value in line.values()])
        yield _taken(buffer)
    yield _taken(buffer)  # the header, when there was no row


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        guard = "'" if value.startswith(_FORMULA) else ""
        return f"{guard}{clean(value)}"
    return str(value)
