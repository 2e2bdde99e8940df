"""Every document of a corpus in the order of the input, one in memory at a time. What is wrong with one is said in it.

Never raises for what a file or row holds: a document that cannot be read is a document with an error, never a gap.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any, BinaryIO

import msgspec

from tui.core.template import Template, shown_name
from tui.files.corpus import DEFAULT_ID_FIELD, STDIN, CorpusPlan, check_rows, has_rows, rows_of
from tui.files.corpus_folders import chooser, walk
from tui.files.corpus_rows import Row, jsonl_rows
from tui.files.corpus_text import Document, UnreadableError, label, open_regular, read_text

_ID_CHARS = 1_000
_KINDS = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def documents(plan: CorpusPlan, template: Template, stdin: BinaryIO) -> Iterator[Document]:
    """All of them. UsageError by the first `next`, if the prompt wants what the rows on stdin have not."""
    piped: Iterator[Row] = iter(())
    if STDIN in plan.inputs:
        rows = jsonl_rows(stdin)
        # Before the first document of all: nothing is to be sent when the prompt is wrong.
        piped = chain(check_rows(template, plan, "stdin", rows), rows)
    chosen = chooser(plan.globs)
    for path in plan.inputs:
        if path == STDIN:
            yield from (row_document(row, f"stdin:{row.line}", plan, template) for row in piped)
        elif _is_folder(path):
            for walked in walk(path, chosen):
                if walked.error is not None:
                    name = label(walked.path)
                    yield Document(id=name, source=name, error=f"this folder {walked.error}")
                else:
                    yield from _file_documents(walked.path, plan, template)
        else:
            yield from _file_documents(path, plan, template)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):  # gone since it was checked: reading it will say so
        return False


def _file_documents(path: str, plan: CorpusPlan, template: Template) -> Iterator[Document]:
    shown = label(path)
    try:
        if not has_rows(path):
            text = read_text(path)
            yield Document(id=shown, source=shown, text=text, values={"name": os.path.basename(shown), "id": shown})
            return
        with closing(open_regular(path)) as file:
            for row in rows_of(path, file):
                yield row_document(row, f"{shown}:{row.line}", plan, template)
    except UnreadableError as unreadable:
        yield Document(id=shown, source=shown, error=str(unreadable))


def row_document(row: Row, source: str, plan: CorpusPlan, template: Template) -> Document:
    """What a row holds for a prompt; a field that is missing is an error of this row."""
    if row.fields is None:
        return Document(id=source, source=source, error=row.error)
    name = source
    try:
        name = _id(row.fields, plan.id_field) or source
        values = {"name": name, "id": name}
        values.pop(plan.field, None)  # then it names the text
        for wanted in template.names - {"text", plan.field}:
            if wanted in row.fields or wanted not in values:
                values[wanted] = _value(row.fields, wanted)
        return Document(id=name, source=source, text=_text(row.fields, plan.field, template), values=values)
    except UnreadableError as unreadable:
        return Document(id=name, source=source, error=str(unreadable))


def _id(fields: dict[str, Any], id_field: str | None) -> str:
    """A row's own id, fit to be shown; "" when it has none and need not."""
    value = fields.get(id_field or DEFAULT_ID_FIELD)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and (shown := label(value)[:_ID_CHARS]):
        return shown
    if id_field is None:
        return ""
    what = "is empty" if value == "" or isinstance(value, str) else f"must be text or a number, not {_kind(value)}"
    if id_field not in fields:
        raise UnreadableError(f'has no field "{shown_name(id_field)}"')
    raise UnreadableError(f'its field "{shown_name(id_field)}" {what}')


def _text(fields: dict[str, Any], field: str, template: Template) -> str | None:
    value = fields.get(field)
    if isinstance(value, str) or template.names.isdisjoint({"text", field}):
        return value if isinstance(value, str) else None
    if field not in fields:
        raise UnreadableError(f'has no field "{shown_name(field)}"')
    raise UnreadableError(f'its field "{shown_name(field)}" must be text, not {_kind(value)}')


def _value(fields: dict[str, Any], name: str) -> str:
    if name not in fields:
        raise UnreadableError(f'has no field "{shown_name(name)}"')
    value = fields[name]
    if value is None:
        raise UnreadableError(f'its field "{shown_name(name)}" is null')
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null")
