"""What `weir batch` asks about: which documents, with which prompt. Says what is wrong with it before anything is sent.

The documents themselves are read by a process of its own (corpus_feed.py), one at a time.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import BinaryIO, Literal

import msgspec

from tui.core.errors import UsageError
from tui.core.template import Template, shown_name
from tui.core.untrusted import clean_line
from tui.files.corpus_folders import chooser
from tui.files.corpus_rows import Row, csv_rows, jsonl_rows
from tui.files.corpus_text import UnreadableError, open_regular, reason

STDIN = "-"
DEFAULT_GLOBS = ("**/*.md", "**/*.txt", "**/*.rst")
DEFAULT_PROMPT = "Summarise the following document in three bullet points.\n\n{text}"
DEFAULT_ID_FIELD = "id"
_LOOKED_AT = 100
"""Rows that may be wrong before the names of fields are taken as unknown."""
_HINT = "name files, folders, or - for JSONL on stdin"
_ROWS = {".jsonl": jsonl_rows, ".ndjson": jsonl_rows, ".csv": csv_rows}


class CorpusPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which documents, and what is asked about each."""

    inputs: tuple[str, ...]
    """Files, folders and `-`, in the order of the documents."""
    globs: tuple[str, ...] = DEFAULT_GLOBS
    """Which files of a folder; a file that is itself an input need not match."""
    field: str = "text"
    """Which field of a row is the document's text."""
    id_field: str | None = None
    """Which field of a row is its id. None: `id`, in rows that have one."""
    prompt: str = DEFAULT_PROMPT
    """A template; see core/template.py."""
    prompt_from: str = "--prompt"
    """The flag or file it came from, for messages."""
    system: str | None = None
    """A system message, sent as it is."""
    model: str = ""
    """Whose tokens are counted."""
    max_input_tokens: int | None = None
    """Of the document's text in one request; None: whatever it has."""
    long: Literal["cut", "split", "refuse"] = "cut"
    """What becomes of a document that has more."""
    count_tokens: bool = False
    """Whether tokens are counted even if nothing is limited."""


def check_corpus(plan: CorpusPlan) -> None:
    """Look at every input, without reading it through; UsageError at the first thing that cannot be.

    Stdin is not looked at: its rows are checked when they are read, also before anything is sent.
    """
    for where, text in ((plan.prompt_from, plan.prompt), ("--system", plan.system or ""), ("--field", plan.field)):
        _encodable(where, text)
    _encodable("--id-field", plan.id_field or "")
    template = Template.parse(plan.prompt, plan.prompt_from)
    chooser(plan.globs)
    if plan.max_input_tokens is not None and plan.max_input_tokens < 1:
        raise UsageError("--max-input-tokens", "must be 1 or more", "leave it out to send whole documents")
    if not plan.inputs:
        raise UsageError("documents", "none are named", _HINT)
    if plan.inputs.count(STDIN) > 1:
        raise UsageError(STDIN, "is named twice, and stdin can be read once", _HINT)
    for path in plan.inputs:
        if path == STDIN:
            if sys.stdin is None or sys.stdin.isatty():
                raise UsageError(STDIN, "nothing is piped into stdin", "pipe JSONL into it, one row a line")
        elif _is_folder(path):
            if not all(map(has_rows, plan.globs)):
                _check_names_of_files(template, plan)
        elif has_rows(path):
            try:
                with closing(open_regular(path)) as file:
                    check_rows(template, plan, clean_line(path), rows_of(path, file))
            except UnreadableError as unreadable:
                raise UsageError(clean_line(path), str(unreadable), _HINT) from unreadable
        else:
            _check_names_of_files(template, plan)


def has_rows(path: str) -> bool:
    """Whether each row of such a file is a document, and not the file."""
    return os.path.splitext(path)[1].lower() in _ROWS


def rows_of(path: str, file: BinaryIO) -> Iterator[Row]:
    """The rows of a file that `has_rows`."""
    return _ROWS[os.path.splitext(path)[1].lower()](file)


def check_rows(template: Template, plan: CorpusPlan, where: str, rows: Iterable[Row]) -> list[Row]:
    """Check the prompt's names against the first good row; UsageError when it has not what the prompt wants.

    The rows that this took from `rows`.
    """
    taken = list[Row]()
    for row in islice(rows, _LOOKED_AT):
        taken.append(row)
        if row.fields is not None:
            _check_fields(template, plan, where, row.fields.keys())
            break
    return taken


def _check_fields(template: Template, plan: CorpusPlan, where: str, fields: Iterable[str]) -> None:
    known = frozenset(fields)
    has = "it has " + ", ".join(map(shown_name, sorted(known)[:20])) if known else "it has none"
    if "text" in template.names and plan.field not in known:
        hint = f"{has}; name the one that holds the text"
        raise UsageError("--field", f'"{shown_name(plan.field)}" is no field of {where}', hint)
    if plan.id_field is not None and plan.id_field not in known:
        raise UsageError("--id-field", f'"{shown_name(plan.id_field)}" is no field of {where}', has)
    if not template.names:
        raise UsageError(plan.prompt_from, "names nothing of the document", "put {text} where the document goes")
    template.check(known | {"text", "name", "id"}, plan.prompt_from)


def _check_names_of_files(template: Template, plan: CorpusPlan) -> None:
    template.check(frozenset({"text", "name", "id"}), plan.prompt_from)
    if "text" not in template.names:
        raise UsageError(plan.prompt_from, "has no {text}", "put {text} where the document goes")


def _is_folder(path: str) -> bool:
    """Whether it is a folder or a file that can be read; UsageError when it is neither."""
    where = clean_line(path)
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            open_regular(path).close()
            return False
        os.scandir(path).close()
    except (OSError, ValueError) as error:
        raise UsageError(where, reason(error), _HINT) from error
    except UnreadableError as unreadable:
        raise UsageError(where, str(unreadable), _HINT) from unreadable
    return True


def _encodable(where: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(where, "is not UTF-8", "save or type it as UTF-8") from error
