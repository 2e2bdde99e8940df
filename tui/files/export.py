"""What people and scripts read of a run: calls.jsonl and summary.json. Both can be made again from the journal.

Text is UTF-8 as it came; only what could act on a terminal or cannot be encoded (control characters,
bidirectional controls, lone surrogates) is written as a JSON escape, so that `cat` is safe and nothing is lost.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tui.core.money import Price
from tui.core.records import AttemptRecord, CallRecord
from tui.core.untrusted import UNSAFE_CLASS
from tui.files.journal_reader import read_journal
from tui.files.run_folder import write_private_atomic

# A newline stays: JSON has escaped those inside strings, and the others are between its tokens.
_UNSAFE = re.compile(f"[{UNSAFE_CLASS}]")
_ONE_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
"""One for all lines: `json.dumps` makes an encoder for each."""


def write_calls_jsonl(journal: Path, out: Path, price: Price | None) -> None:
    """Write every call of a journal as a line of JSON, by number (0600, atomic, a few in memory at a time).

    UsageError when the journal cannot be read, RecordError when the file cannot be written.
    """
    write_private_atomic(out, _lines(journal, price))


def write_summary_json(path: Path, summary: Mapping[str, Any]) -> None:
    """Write the summary (0600, atomic); RecordError when it cannot be written."""
    write_private_atomic(path, f"{json_text(summary, indent=2)}\n".encode())


def _lines(journal: Path, price: Price | None) -> Iterator[bytes]:
    for record in read_journal(journal):
        yield f"{json_text(call_line(record, price))}\n".encode()


def call_line(record: CallRecord, price: Price | None) -> dict[str, Any]:
    """One line of calls.jsonl as plain values. Instants are seconds from the run's start; absent is null."""
    usage = record.usage
    cost = record.cost(price)
    return {
        "id": record.id,
        "state": record.state.value,
        "model": record.model,
        "due_s": record.due_s,
        "admitted_s": record.admitted_s,
        "attempts": [_attempt_line(attempt) for attempt in record.attempts],
        "tokens": None
        if usage is None
        else {
            "prompt": usage.prompt,
            "completion": usage.completion,
            "reasoning": usage.reasoning,
            "cached": usage.cached,
            "source": record.usage_source,
        },
        "cost_usd": None if cost.amount is None else format(cost.amount, "f"),
        "cost_source": cost.source.value,
        "text": record.text,
        "reasoning": record.reasoning,
        "tool_calls": msgspec.to_builtins(record.tool_calls),
        "choices": msgspec.to_builtins(record.choices),
        "finish_reason": record.finish_reason,
        "error": record.error,
        "warmup": record.warmup,
        "retry_of": record.retry_of,
        "item_key": record.item_key,
    }


def _attempt_line(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "sent_s": attempt.sent_s,
        "written_s": attempt.written_s,
        "headers_s": attempt.headers_s,
        "first_token_s": attempt.first_token_s,
        "last_token_s": attempt.last_token_s,
        "ended_s": attempt.ended_s,
        "status": attempt.status,
        "error": attempt.error,
        "request_id": attempt.request_id,
        "possibly_billed": attempt.possibly_billed,
        "superseded_text": attempt.superseded_text,
    }


def json_text(value: Any, indent: int | None = None) -> str:
    """`value` as JSON that is safe to `cat`; ValueError for a number that is none."""
    text = _ONE_LINE(value) if indent is None else json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
