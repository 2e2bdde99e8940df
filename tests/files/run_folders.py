"""Run folders for tests: finished, half-written, damaged and hostile ones."""

import json
from pathlib import Path
from typing import Any

from tui.core.calls import State, Usage
from tui.core.money import Price, parse_price
from tui.core.records import AttemptRecord, CallRecord
from tui.files.journal import Journal

PRICE: Price = parse_price("in=2.5,out=10")
HOSTILE = "<script>alert(1)</script>\"'><img src=//evil.example/x onerror=y>\x1b]52;c;aGk=\x07\u202e|`[a](http://evil.example)"
RUN: dict[str, Any] = {
    "job": "load",
    "model": "m",
    "base_url": "http://user:secret@127.0.0.1:1/v1?key=secret",
    "started": "2026-11-22T10:00:00+00:00",
    "planned": 4,
    "concurrency": 2,
    "rpm": 60,
    "tpm": None,
    "seed": 7,
}


def call(number: int, at_s: float = 0.0, ttft_s: float = 0.25, error: str | None = None) -> CallRecord:
    """A call that was refused once with 429, and then answered with 11 tokens in a second (or failed)."""
    usage = Usage(100, 11)
    sent_s = at_s + 2.0
    refused = AttemptRecord(sent_s=at_s + 0.5, headers_s=at_s + 0.75, ended_s=at_s + 0.75, status=429, error="HTTP 429")
    last = AttemptRecord(
        sent_s=sent_s,
        written_s=sent_s + 0.001,
        headers_s=sent_s + 0.1,
        first_token_s=None if error else sent_s + ttft_s,
        last_token_s=None if error else sent_s + ttft_s + 1.0,
        ended_s=sent_s + ttft_s + 1.1,
        status=503 if error else 200,
        error=error,
        usage=None if error else usage,
    )
    return CallRecord(
        id=number,
        state=State.FAILED if error else State.DONE,
        model="m",
        item_key="k",
        plan_json=b"{}",
        due_s=at_s,
        admitted_s=at_s + 0.5,
        attempts=(refused, last),
        usage=None if error else usage,
        usage_source=None if error else "usage",
        text="x",
        finish_reason=None if error else "stop",
        error=error,
    )


def make_run(parent: Path, name: str, *records: CallRecord, **fields: Any) -> Path:
    """A run's folder whose record has no end."""
    folder = parent / name
    folder.mkdir(parents=True)
    journal = Journal.create(folder / "journal.db", {**RUN, **fields})
    for record in records:
        journal.append(record)
    journal.close()
    return folder


def finished_run(parent: Path, name: str, *records: CallRecord, **fields: Any) -> Path:
    """A run's folder with a summary, which is made of its record."""
    from tui.files.run_figures import reported
    from tui.files.run_list import read_run_folder

    folder = make_run(
        parent, name, *records, **{"ended": "2026-11-22T10:01:00+00:00", "price": PRICE.to_dict(), **fields}
    )
    (folder / "summary.json").write_text(json.dumps(dict(reported(read_run_folder(folder)).figures)), "utf-8")
    return folder
