"""calls.jsonl and summary.json: complete, exact, and safe to `cat`."""

import json
import os
import re
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from tui.core.calls import State, Usage
from tui.core.errors import UsageError
from tui.core.money import Price
from tui.core.records import AttemptRecord, CallRecord
from tui.core.untrusted import UNSAFE_CLASS, clean
from tui.files.export import write_calls_jsonl, write_summary_json
from tui.files.journal import Journal

HOSTILE = "é 漢 😀 \x1b]52;c;aGk=\x07 \x9b31m \u202e evil \u2028 \x7f \0 \ud83d end\n\ttab"


def record(number: int, text: str = "x") -> CallRecord:
    return CallRecord(
        id=number,
        state=State.DONE,
        model="m",
        item_key="k",
        plan_json=b"{}",
        due_s=0.5,
        admitted_s=0.75,
        attempts=(
            AttemptRecord(sent_s=1.0, status=503, error="busy", ended_s=1.5),
            AttemptRecord(sent_s=2.0, status=200, usage=Usage(1000, 100, 20, 10), request_id="r"),
        ),
        usage=Usage(1000, 100, 20, 10),
        usage_source="usage",
        text=text,
        finish_reason="stop",
    )


def exported(tmp_path: Path, *records: CallRecord, price: Price | None = None) -> bytes:
    journal = Journal.create(tmp_path / "journal.db", {})
    for each in records:
        journal.append(each)
    journal.close()
    write_calls_jsonl(tmp_path / "journal.db", tmp_path / "calls.jsonl", price)
    return (tmp_path / "calls.jsonl").read_bytes()


def test_a_line_has_the_documented_form(tmp_path: Path) -> None:
    line = json.loads(exported(tmp_path, record(1), price=Price(Decimal(1), Decimal(10), Decimal(0))))
    absent = dict.fromkeys(["written_s", "headers_s", "first_token_s", "last_token_s", "superseded_text"])
    assert line == {
        "id": 1,
        "state": "done",
        "model": "m",
        "due_s": 0.5,
        "admitted_s": 0.75,
        "attempts": [
            {
                **absent,
                "sent_s": 1.0,
                "ended_s": 1.5,
                "status": 503,
                "error": "busy",
                "request_id": None,
                "possibly_billed": False,
            },
            {
                **absent,
                "sent_s": 2.0,
                "ended_s": None,
                "status": 200,
                "error": None,
                "request_id": "r",
                "possibly_billed": False,
            },
        ],
        "tokens": {"prompt": 1000, "completion": 100, "reasoning": 20, "cached": 10, "source": "usage"},
        "cost_usd": "0.00199",
        "cost_source": "billed by usage",
        "text": "x",
        "reasoning": "",
        "tool_calls": [],
        "choices": [],
        "finish_reason": "stop",
        "error": None,
        "warmup": False,
        "retry_of": None,
        "item_key": "k",
    }


def test_there_is_a_line_for_each_call_by_number(tmp_path: Path) -> None:
    lines = exported(tmp_path, record(3), record(1), record(2)).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2, 3]


def test_a_call_without_a_price_has_no_cost_and_not_a_cost_of_0(tmp_path: Path) -> None:
    line = json.loads(exported(tmp_path, record(1)))
    assert (line["cost_usd"], line["cost_source"]) == (None, "unpriced")


def test_hostile_text_is_harmless_in_the_file_and_whole_when_it_is_read(tmp_path: Path) -> None:
    content = exported(tmp_path, record(1, HOSTILE)).decode("utf-8")
    assert re.findall(f"[{UNSAFE_CLASS}]", content) == []
    assert clean(content) == content
    assert "é 漢 😀" in content
    assert json.loads(content)["text"] == HOSTILE


def test_files_are_their_owners_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        exported(tmp_path, record(1))
        write_summary_json(tmp_path / "summary.json", {})
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"journal.db": 0o600, "calls.jsonl": 0o600, "summary.json": 0o600}


def test_a_summary_is_readable_json(tmp_path: Path) -> None:
    summary = {"schema": 1, "model": "\x1b[31m漢", "ttft_s": None, "cost_usd": "0.5"}
    write_summary_json(tmp_path / "summary.json", summary)
    content = (tmp_path / "summary.json").read_text("utf-8")
    assert json.loads(content) == summary
    assert content.startswith('{\n  "schema": 1,\n  "model": "\\u001b[31m漢"')
    assert content.endswith("}\n")


def test_a_figure_that_is_no_number_is_refused_rather_than_written_as_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary_json(tmp_path / "summary.json", {"ttft_s": float("nan")})


def test_an_export_of_no_journal_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_calls_jsonl(tmp_path / "missing.db", tmp_path / "calls.jsonl", None)
    assert os.listdir(tmp_path) == []
