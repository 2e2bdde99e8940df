"""A batch's results as JSON lines, as a table (CSV) or as Parquet. Chooses no rows and computes nothing.

JSON has the texts as they are, escaped where a terminal could act on them; a cell of the table is clean, and one that
a spreadsheet would take for a formula gets an apostrophe in front. One row in memory at a time, in Parquet a group.
"""

import csv
import io
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Literal

from tui.core.errors import UsageError
from tui.core.results import ResultRow
from tui.core.untrusted import clean, clean_line
from tui.files.export import json_text
from tui.files.run_folder import open_private, private_atomic

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
"""By the ending of a file's name."""

COLUMNS = (
    "id", "source", "output", "state", "error", "attempts", "ttft_s",
    "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "tokens_source", "cost_usd", "model",
)  # fmt: skip
"""Of CSV and Parquet, where tokens are flat."""

GROUP_ROWS = 5_000
GROUP_CHARS = 8_000_000
"""A group of Parquet's rows has no more text than that: it is held in memory until it is whole."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
_SURROGATES = re.compile("[\ud800-\udfff]")


def format_of(path: Path, flag: str = "--out") -> Format:
    """What a file's ending says; UsageError that names the flag for another one, or without what Parquet needs."""
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        said = f'"{clean_line(path.suffix)}" is no format of results' if path.suffix else "has no ending"
        raise UsageError(flag, f"{clean_line(str(path))}: {said}", f"name a file that ends in {', '.join(FORMATS)}")
    if format == "parquet" and find_spec("pyarrow") is None:
        raise UsageError(flag, "writing Parquet needs pyarrow", "pip install streamweir[parquet]")
    return format


def check_results_path(path: Path, may_exist: bool = False, flag: str = "--out") -> None:
    """Find out before anything is sent whether results can be written there; UsageError that names the flag.

    What is there already is an error unless it `may_exist`, as in a run that goes on and wrote it itself.
    """
    format_of(path, flag)
    where = clean_line(str(path))
    if os.path.isdir(path) or (os.path.lexists(path) and not may_exist):
        raise UsageError(flag, f"{where} exists", "name another file, or take that one away")
    # Only an attempt tells: permissions say nothing of a disk that is mounted read-only, and root has them all.
    attempt = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        open_private(attempt).close()
        attempt.unlink()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(
            flag,
            f"{where} cannot be written: {reason or clean_line(str(error))}",
            "name a file in a folder that is there and can be written to",
        ) from error


def write_results(rows: Iterable[ResultRow], out: Path, format: Format | None = None) -> int:
    """Write the rows (0600, whole or not at all) and return how many there were; a file of that name is replaced.

    Without a format, the name's ending says it. UsageError as `format_of`, RecordError when it cannot be written.
    """
    written = 0

    def counted() -> Iterator[ResultRow]:
        nonlocal written
        for row in rows:
            yield row
            written += 1

    format = format or format_of(out)
    with private_atomic(out) as file:
        if format == "parquet":
            _write_parquet(counted(), file)
        else:
            file.writelines(result_lines(counted(), format))
    return written


def result_lines(rows: Iterable[ResultRow], format: Literal["jsonl", "csv"]) -> Iterator[bytes]:
    """The rows as lines in UTF-8, safe to `cat`; CSV has a header, and a line of it may span several."""
    return _csv(rows) if format == "csv" else (f"{json_text(result_line(row))}\n".encode() for row in rows)


def result_line(row: ResultRow) -> dict[str, Any]:
    """One line of results.jsonl as plain values. Absent is null; money is a string, for it is exact."""
    tokens = row.tokens
    return {
        "id": row.id,
        "source": row.source,
        "output": row.output,
        "state": row.state.value,
        "error": row.error,
        "attempts": row.attempts,
        "ttft_s": row.ttft_s,
        "tokens": None
        if tokens is None
        else {
            "prompt": tokens.prompt,
            "completion": tokens.completion,
            "reasoning": tokens.reasoning,
            "cached": tokens.cached,
            "source": tokens.source,
        },
        "cost_usd": None if row.cost_usd is None else _money(row.cost_usd),
        "model": row.model,
    }


def _money(amount: Decimal) -> str:
    """One form for one amount: how many zeros a sum ends in depends on what was added."""
    return format(amount.normalize(), "f")


def _flat(row: ResultRow) -> tuple[Any, ...]:
    """The values of `COLUMNS`; an answer that is a JSON value is one text."""
    tokens = row.tokens
    return (
        row.id,
        row.source,
        row.output if row.output is None or isinstance(row.output, str) else json_text(row.output),
        row.state.value,
        row.error,
        row.attempts,
        row.ttft_s,
        *((None,) * 5 if tokens is None else (
            tokens.prompt, tokens.completion, tokens.reasoning, tokens.cached, tokens.source
        )),
        row.cost_usd,
        row.model,
    )  # fmt: skip


def _csv(rows: Iterable[ResultRow]) -> Iterator[bytes]:
    # "\n" because a tool that reads lines would keep a "\r".
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(value) for value in _flat(row)])
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
    if isinstance(value, Decimal):
        return _money(value)
    if isinstance(value, str):
        guard = "'" if value.startswith(_FORMULA) else ""
        return f"{guard}{clean(value)}"
    return str(value)


def _write_parquet(rows: Iterable[ResultRow], file: BinaryIO) -> None:
    # An extra, which most have not: by name, so that neither its presence nor its types matter to anybody else.
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    schema = _schema(arrow)
    with parquet.ParquetWriter(file, schema) as writer:
        for group in _groups(rows):
            columns = zip(*group, strict=True)
            arrays = [arrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _schema(arrow: Any) -> Any:
    whole, real = arrow.int64(), arrow.float64()
    types = {"attempts": whole, "ttft_s": real, "cost_usd": real}
    types |= {name: whole for name in COLUMNS if name.endswith("_tokens")}
    return arrow.schema([(name, types.get(name, arrow.string())) for name in COLUMNS])


def _groups(rows: Iterable[ResultRow]) -> Iterator[list[list[Any]]]:
    group: list[list[Any]] = []
    chars = 0
    for row in rows:
        values = [_parquet_value(value) for value in _flat(row)]
        chars += sum(len(value) for value in values if isinstance(value, str))
        group.append(values)
        if len(group) == GROUP_ROWS or chars >= GROUP_CHARS:
            yield group
            group, chars = [], 0
    if group:
        yield group


def _parquet_value(value: Any) -> Any:
    """A number is one that every tool can add up, so money is rounded to a float; half a surrogate pair is no text."""
    if isinstance(value, Decimal):
        return float(value)
    return _SURROGATES.sub("�", value) if isinstance(value, str) else value


__all__ = [
    "COLUMNS",
    "FORMATS",
    "Format",
    "check_results_path",
    "format_of",
    "result_line",
    "result_lines",
    "write_results",
]
