"""One document of a corpus as it was found, and how bytes become its text. Asks nothing, keeps nothing.

Text is UTF-8, with or without a byte order mark. What is not is an error of that document, never of the run.
"""

import codecs
import os
import stat
from collections.abc import Mapping
from typing import BinaryIO

import msgspec

from tui.core.errors import WeirError
from tui.core.untrusted import clean

DOCUMENT_BYTES = 64 << 20
"""A document that is larger is an error: no context holds a tenth of it, and memory holds it several times over."""
TOO_LARGE = f"is larger than {DOCUMENT_BYTES >> 20} MB"
BOM = codecs.BOM_UTF8


_ON_ONE_LINE = {ord("\n"): "�", ord("\t"): "�"}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at one place of the input."""

    id: str
    source: str
    text: str | None = None
    """None with an error, and in a row whose text nobody wants."""
    values: Mapping[str, str] = {}
    """What the prompt may name besides the text."""
    error: str | None = None


class UnreadableError(WeirError):
    """A document cannot be read; says why, such as "is not UTF-8 at byte 17"."""


def label(text: str) -> str:
    """A path or id, safe to show and to write: on one line, and else as it is, blanks included."""
    return clean(text).translate(_ON_ONE_LINE)


def decoded(data: bytes) -> str:
    """The text of a document's or row's bytes; UnreadableError when it has none."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UnreadableError("is UTF-16, not UTF-8") from error
        raise UnreadableError(f"is not UTF-8 at byte {error.start + 1}") from error
    # UTF-16 without a mark, and many a binary file, is UTF-8 with zeros in it.
    if (zero := data.find(b"\0")) >= 0:
        raise UnreadableError(f"is not text: byte {zero + 1} is zero")
    return text


def read_text(path: str) -> str:
    """A file's text, without a byte order mark; UnreadableError when it cannot be had."""
    with open_regular(path) as file:
        try:
            data = file.read(DOCUMENT_BYTES + 1)
        except OSError as error:
            raise UnreadableError(reason(error)) from error
    if len(data) > DOCUMENT_BYTES:
        raise UnreadableError(TOO_LARGE)
    return decoded(data).removeprefix("\ufeff")


def open_regular(path: str) -> BinaryIO:
    """A file, open for reading; UnreadableError when it cannot be, or is something else than a file."""
    try:
        # O_NONBLOCK: opening a pipe would wait for its writer for ever. O_BINARY: Windows would change line ends.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UnreadableError(reason(error)) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UnreadableError("is not a regular file")
    return os.fdopen(handle, "rb")


def reason(error: OSError | ValueError) -> str:
    """Why something cannot be read."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read: {why}"
