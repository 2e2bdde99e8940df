"""What the screen shows, as a file: every field of every row, nothing that a spreadsheet runs or a terminal obeys."""

import csv
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tui.core.calls import State
from tui.core.errors import RecordError, UsageError
from tui.core.untrusted import clean
from tui.core.views import CallRow, Cost
from tui.files.run_folder import write_text
from tui.files.shown_export import FIELDS, write_shown

WHOLE = CallRow(
    call=7,
    state=State.BACKING_OFF,
    model="m",
    prompt='Say "a, b".',
    queue_ns=1_500_000,
    attempts=2,
    status=429,
    ttft_ns=412_000_000,
    ttft_mark="shared",
    tokens_per_s=48.123456,
    tokens=100,
    tokens_estimated=False,
    cost=Cost("0.00199", "billed by usage"),
    total_ns=2_000_000_000,
    error="HTTP 429: slow",
    warmup=True,
    retry_of=3,
)
BARE = CallRow(call=8, state=State.QUEUED, model="m", prompt="p")


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_table_has_every_field_and_an_empty_cell_for_what_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "shown.csv"
    assert write_shown(path, [WHOLE, BARE], "csv") == 2
    assert path.read_bytes() == (
        b"id,state,model,prompt,queue_s,attempts,status,ttft_s,ttft_mark,tokens_per_s,tokens,tokens_estimated,cost_usd,"
        b"cost_source,total_s,error,warmup,retry_of\n"
        b'7,backing off,m,"Say ""a, b"".",0.0015,2,429,0.412,shared,48.123,100,false,0.00199,billed by usage,2.0,'
        b"HTTP 429: slow,true,3\n"
        b"8,queued,m,p,,0,,,,,0,true,,unpriced,0.0,,false,\n"
    )


def test_lines_of_json_have_the_same_fields_and_null_for_what_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "shown.jsonl"
    assert write_shown(path, [WHOLE, BARE], "jsonl") == 2
    whole, bare = lines(path)
    assert tuple(whole) == tuple(bare) == FIELDS
    assert whole == {
        "id": 7, "state": "backing off", "model": "m", "prompt": 'Say "a, b".', "queue_s": 0.0015, "attempts": 2,
        "status": 429, "ttft_s": 0.412, "ttft_mark": "shared", "tokens_per_s": 48.123, "tokens": 100,
        "tokens_estimated": False, "cost_usd": "0.00199", "cost_source": "billed by usage", "total_s": 2.0,
        "error": "HTTP 429: slow", "warmup": True, "retry_of": 3,
    }  # fmt: skip
    absent = {name for name, value in bare.items() if value is None}
    assert absent == {"queue_s", "status", "ttft_s", "tokens_per_s", "cost_usd", "error", "retry_of"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0"])
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    row = CallRow(call=1, state=State.FAILED, model=text, prompt=text, error=text)
    write_shown(tmp_path / "a.csv", [row], "csv")
    (cell,) = cells(tmp_path / "a.csv")
    assert cell["model"] == cell["prompt"] == cell["error"] == f"'{clean(text)}"
    write_shown(tmp_path / "a.jsonl", [row], "jsonl")
    assert lines(tmp_path / "a.jsonl")[0]["prompt"] == text


def test_an_ordinary_cell_gets_no_apostrophe(tmp_path: Path) -> None:
    write_shown(tmp_path / "a.csv", [CallRow(call=1, state=State.DONE, model="a=b", prompt="1-1 'x'")], "csv")
    (cell,) = cells(tmp_path / "a.csv")
    assert (cell["model"], cell["prompt"]) == ("a=b", "1-1 'x'")


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_hostile_text_is_one_row_and_harmless(tmp_path: Path, format: Any) -> None:
    hostile = 'é漢😀 \x1b]52;c;aGk=\x07\x9b31m\u202e\u2028\ud83d "q",\nnext'
    path = tmp_path / "shown"
    write_shown(path, [CallRow(call=1, state=State.DONE, model=hostile, prompt=hostile), BARE], format)
    content = path.read_text("utf-8")
    assert clean(content) == content
    if format == "csv":
        assert [row["prompt"] for row in cells(path)] == [clean(hostile), "p"]
    else:
        assert [row["prompt"] for row in lines(path)] == [hostile, "p"]


def test_of_no_rows_a_table_is_its_header_and_lines_are_none(tmp_path: Path) -> None:
    assert write_shown(tmp_path / "a.csv", [], "csv") == write_shown(tmp_path / "a.jsonl", [], "jsonl") == 0
    assert (tmp_path / "a.csv").read_text() == ",".join(FIELDS) + "\n"
    assert (tmp_path / "a.jsonl").read_text() == ""


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_the_file_is_its_owners_and_replaces_the_one_before(tmp_path: Path, format: Any) -> None:
    path = tmp_path / "shown"
    path.write_text("old")
    before = os.umask(0)
    try:
        write_shown(path, [BARE], format)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "old" not in path.read_text()
    assert os.listdir(tmp_path) == ["shown"]


def test_what_breaks_off_leaves_the_file_before_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "shown.csv"
    path.write_text("old")

    def broken() -> Iterator[CallRow]:
        yield BARE
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_shown(path, broken(), "csv")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["shown.csv"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nowhere/shown\.csv cannot be written"):
        write_shown(tmp_path / "nowhere" / "shown.csv", [BARE], "csv")


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='"xls�" is no format'):
        write_shown(tmp_path / "a", [BARE], "xls\x1b")  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


def test_a_saved_text_is_its_owners_and_is_written_whatever_is_in_it(tmp_path: Path) -> None:
    write_text(tmp_path / "call.md", "é 漢 \ud83d\n")
    assert (tmp_path / "call.md").read_text("utf-8") == "é 漢 ?\n"
    assert stat.S_IMODE((tmp_path / "call.md").stat().st_mode) == 0o600
