"""Journals of batches for tests: documents, and calls about them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tui.core.calls import State, Usage
from tui.core.money import parse_price
from tui.core.records import AttemptRecord, CallRecord
from tui.core.results import DocumentRow, ItemRow, ResultRow
from tui.files.journal import Journal
from tui.files.results_reader import read_results

RUN: dict[str, Any] = {"job": "batch", "model": "m", "price": parse_price("in=1,out=2").to_dict()}
"""A prompt token costs a millionth of a dollar, a completion token two."""


def document(number: int, key: str | None = None, **fields: Any) -> DocumentRow:
    """A document that is named after its number."""
    return DocumentRow(number=number, id=f"d{number}", source=f"d{number}.md", item_key=key, **fields)


USAGE = Usage(100, 10)


def attempt(usage: Usage | None = USAGE, sent_s: float = 1.0, **fields: Any) -> AttemptRecord:
    """An attempt that brought its first token after a quarter of a second."""
    return AttemptRecord(sent_s=sent_s, first_token_s=sent_s + 0.25, ended_s=sent_s + 1.0, usage=usage, **fields)


def call(
    number: int, key: str, *attempts: AttemptRecord, state: State = State.DONE, text: str | None = None, **fields: Any
) -> CallRecord:
    """A call that ended; done ones have the tokens of their last attempt, and a text that names their key."""
    usage = attempts[-1].usage if attempts else None
    return CallRecord(
        id=number,
        state=state,
        model="m",
        item_key=key,
        plan_json=b"{}",
        due_s=0.5,
        attempts=attempts,
        usage=usage,
        usage_source=None if usage is None else "usage",
        text=(f"about {key}" if state is State.DONE else "") if text is None else text,
        **fields,
    )


def done(number: int, key: str) -> CallRecord:
    """A call that was answered at its first attempt."""
    return call(number, key, attempt())


def write(path: Path, *entries: DocumentRow | ItemRow | CallRecord, **fields: Any) -> Path:
    """A closed journal with these entries, in this order."""
    journal = Journal.create(path, {**RUN, **fields})
    append(journal, entries)
    journal.close()
    assert journal.error is None
    return path


def append(journal: Journal, entries: Iterable[DocumentRow | ItemRow | CallRecord]) -> None:
    for entry in entries:
        if isinstance(entry, DocumentRow):
            journal.put_document(entry)
        elif isinstance(entry, ItemRow):
            journal.add_items((entry,))
        else:
            journal.append(entry)


def rows(path: Path) -> list[ResultRow]:
    return list(read_results(path))
