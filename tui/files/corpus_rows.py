"""Rows of JSONL and of CSV, one in memory at a time. A row that is wrong is told and passed over; the next one counts.

JSONL: each line that is not blank is an object. CSV: RFC 4180, the first row names the columns. Lines end in LF or
CRLF and in nothing else, so that U+2028 inside a text stays inside.
"""

import csv
import re
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from tui.core.template import shown_name
from tui.files.corpus_text import BOM, DOCUMENT_BYTES, TOO_LARGE, UnreadableError, decoded, reason

_PIECE_BYTES = 1 << 20
_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


class Row(msgspec.Struct, frozen=True):
    """One row, or why it is none."""

    line: int
    """Where it begins, from 1."""
    fields: dict[str, Any] | None
    error: str | None = None


def jsonl_rows(file: BinaryIO) -> Iterator[Row]:
    """The rows of a file or stream. Never raises for what it holds."""
    line = 0
    try:
        for line, data in enumerate(_lines(file), start=1):
            if not data.endswith(b"\n") and len(data) > DOCUMENT_BYTES:
                _skip_line(file)
                yield Row(line, None, TOO_LARGE)
            elif data.strip():
                try:
                    row = Row(line, _object(data))
                except UnreadableError as unreadable:
                    row = Row(line, None, str(unreadable))
                yield row
    except OSError as error:
        yield Row(line + 1, None, reason(error))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines without a byte order mark. One that is too long is only begun; `_skip_line` reads over the rest."""
    mark: bytes | None = BOM
    while line := file.readline(DOCUMENT_BYTES + 1):
        yield line if mark is None else line.removeprefix(mark)
        mark = None


def _skip_line(file: BinaryIO) -> None:
    while (piece := file.readline(_PIECE_BYTES)) and not piece.endswith(b"\n"):
        pass


def _object(data: bytes) -> dict[str, Any]:
    text = decoded(data)
    try:
        fields = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if _HALF_A_CHARACTER.search(text):
            raise UnreadableError("is not JSON: it may hold half a character, such as \\ud83d alone") from error
        raise UnreadableError(f"is not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableError("is nested too deeply") from error
    if not isinstance(fields, dict):
        raise UnreadableError("is not a JSON object")
    return fields


def csv_rows(file: BinaryIO) -> Iterator[Row]:
    """The rows below the header. A header that cannot be used is the one row that there is."""
    records = _records(file)
    header: list[str] | None = None
    for line, data, error in records:
        try:
            if error is not None:
                raise UnreadableError(error)
            cells = _cells(data)
            if header is None and cells:
                header = _header(cells)
            elif header is not None and cells:
                if len(cells) != len(header):
                    raise UnreadableError(f"has {len(cells)} cells, where the header has {len(header)}")
                yield Row(line, dict(zip(header, cells, strict=True)))
        except UnreadableError as unreadable:
            if header is None:
                yield Row(line, None, f"the header {unreadable}")
                return
            yield Row(line, None, str(unreadable))


def _header(names: list[str]) -> list[str]:
    twice = [name for name, times in Counter(names).items() if times > 1 and name]
    if twice:
        raise UnreadableError(f'names "{shown_name(twice[0])}" twice')
    return names


_FIELD_LIMIT = threading.Lock()
"""The csv module has one bound for the whole process, and a thread may count the rows that another one reads."""


def _cells(data: bytes) -> list[str]:
    """The cells of a record; none of a blank line."""
    text = decoded(data)
    with _FIELD_LIMIT:
        usual = csv.field_size_limit()
        try:
            csv.field_size_limit(max(usual, len(text)))
            # Strict: a quote too many would else join rows into one, unseen.
            return next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise UnreadableError(f"is not CSV: {error}") from error
        finally:
            csv.field_size_limit(usual)


_CLOSING = re.compile(rb'(?:[^"]++|"")*+"')
"""From inside a quoted cell up to and with the quote that ends it."""


def _ends_inside(line: bytes, inside: bool) -> bool:
    """Whether a quoted cell is still open at the end of this line, if one was or was not at its beginning."""
    at = 0
    if not inside:
        if not line.startswith(b'"'):
            at = line.find(b',"') + 1
            if at == 0:
                return False
        at += 1
    while (closing := _CLOSING.match(line, at)) is not None:
        at = line.find(b',"', closing.end()) + 2
        if at == 1:
            return False
    return True


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes, str | None]]:
    """The lines of each record together: the line it begins on, its bytes, or what is wrong with it."""
    pieces, size, first, line = list[bytes](), 0, 1, 0
    inside = False
    try:
        for line, data in enumerate(_lines(file), start=1):
            if not data.endswith(b"\n") and len(data) > DOCUMENT_BYTES:
                if inside or b'"' in data:
                    # Nobody can say where it ends, and to take the rest of its text for rows would cost money.
                    yield first, b"", f"{TOO_LARGE}; the rows below it are not read"
                    return
                _skip_line(file)
            size += len(data)
            if size <= DOCUMENT_BYTES:
                pieces.append(data)
            else:
                pieces.clear()
            inside = _ends_inside(data, inside)
            if not inside:
                yield first, b"".join(pieces), TOO_LARGE if size > DOCUMENT_BYTES else None
                pieces, size, first = [], 0, line + 1
    except OSError as error:
        yield line + 1, b"", reason(error)
        return
    if inside:
        yield first, b"", "opens a quote that is never closed"
