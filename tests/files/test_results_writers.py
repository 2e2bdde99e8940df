"""Results as files: every format has every row, whole or not at all, and nothing that acts on who opens it."""

import csv
import json
import os
import stat
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tui.core.errors import RecordError, UsageError
from tui.core.results import ResultRow, ResultState, ResultTokens
from tui.files import results_writers
from tui.files.results_writers import COLUMNS, check_results_path, format_of, result_lines, write_results

DONE = ResultRow(
    id="a",
    source="a.md",
    output="three points",
    state=ResultState.DONE,
    error=None,
    attempts=2,
    ttft_s=0.25,
    tokens=ResultTokens(100, 10, 4, 3, "usage"),
    cost_usd=Decimal("0.000120"),
    model="m",
)
PENDING = ResultRow(
    id="b", source="b.md", output=None, state=ResultState.PENDING, error=None, attempts=0, ttft_s=None, tokens=None,
    cost_usd=Decimal(0), model="m",
)  # fmt: skip
UNPRICED = replace(PENDING, cost_usd=None)


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_line_of_json_has_the_documented_form_and_order(tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    assert write_results([DONE, UNPRICED], out) == 2
    first, second = out.read_text().splitlines()
    assert first == (
        '{"id": "a", "source": "a.md", "output": "three points", "state": "done", "error": null, "attempts": 2, '
        '"ttft_s": 0.25, "tokens": {"prompt": 100, "completion": 10, "reasoning": 4, "cached": 3, "source": "usage"}, '
        '"cost_usd": "0.00012", "model": "m"}'
    )
    assert json.loads(second)["tokens"] is None
    assert json.loads(second)["cost_usd"] is None


def test_a_table_has_the_same_rows_with_flat_tokens(tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    write_results([DONE, PENDING, UNPRICED], out)
    done, pending, unpriced = cells(out)
    assert tuple(done) == COLUMNS
    assert list(done.values()) == [
        "a", "a.md", "three points", "done", "", "2", "0.25", "100", "10", "4", "3", "usage", "0.00012", "m",
    ]  # fmt: skip
    assert (pending["cost_usd"], pending["prompt_tokens"], unpriced["cost_usd"]) == ("0", "", "")


def test_parquet_has_typed_columns_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(results_writers, "GROUP_ROWS", 2)
    out = tmp_path / "results.parquet"
    structured = replace(DONE, output={"a": [1]}, error="half \ud800")
    assert write_results([DONE, PENDING, structured, UNPRICED, DONE], out) == 5
    table = parquet.read_table(out)
    assert tuple(table.column_names) == COLUMNS
    assert parquet.ParquetFile(out).num_row_groups == 3
    assert table.column("output").to_pylist() == ["three points", None, '{"a": [1]}', None, "three points"]
    assert table.column("cost_usd").to_pylist() == [0.00012, 0.0, 0.00012, None, 0.00012]
    assert table.column("prompt_tokens").to_pylist() == [100, None, 100, None, 100]
    assert table.column("error")[2].as_py() == "half �"


def test_a_group_of_parquet_ends_when_its_text_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(results_writers, "GROUP_CHARS", 30)
    write_results([DONE] * 4, tmp_path / "r.parquet")
    assert parquet.ParquetFile(tmp_path / "r.parquet").num_row_groups == 2


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_batch_of_no_documents_is_a_file_of_no_rows(tmp_path: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"r.{ending}"
    assert write_results([], out) == 0
    assert (out.read_bytes() == b"") == (ending == "jsonl")


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\0x"])
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    out = tmp_path / "r.csv"
    write_results([replace(DONE, id=start, source=start, output=start, error=start, model=start)], out)
    (row,) = cells(out)
    assert all(row[name].startswith("'") for name in ("id", "source", "output", "error", "model"))
    assert not set("\0\r") & set(out.read_text())


def test_what_could_act_on_a_terminal_is_escaped_and_nothing_is_lost() -> None:
    hostile = "\x1b]52;c;aGk=\x07 \x9b \u202e \u2028 \ud83d 漢 \n\t"
    row = replace(DONE, output={hostile: hostile}, error=hostile)
    (line,) = result_lines([row], "jsonl")
    assert not set("\x1b\x07\x9b\u202e\u2028\t") & set(line.decode().rstrip("\n"))
    assert line.count(b"\n") == 1
    assert json.loads(line)["output"] == {hostile: hostile}
    assert "\x1b" not in b"".join(result_lines([row], "csv")).decode()


def test_a_file_is_private_and_whole_or_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    write_results([DONE], out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()

    def interrupted() -> Iterator[ResultRow]:
        yield DONE
        yield DONE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_results(interrupted(), out)
    assert out.read_bytes() == before
    assert os.listdir(tmp_path) == ["r.jsonl"]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_disk_without_room_is_told_and_leaves_nothing(tmp_path: Path, ending: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    out = tmp_path / f"r.{ending}"
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        with pytest.raises(RecordError, match="cannot be written"):
            write_results([DONE] * 10_000, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["r.txt", "r", "r.json", "/dev/stdout"])
def test_another_ending_is_refused_with_the_formats_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_results_path(tmp_path / name)
    assert raised.value.where == "--out"
    assert ".jsonl, .csv, .parquet" in raised.value.hint
    assert format_of(Path("R.CSV")) == "csv"


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_writers, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs pyarrow") as raised:
        check_results_path(tmp_path / "r.parquet")
    assert "streamweir[parquet]" in raised.value.hint


def test_where_results_cannot_go_is_known_before_anything_is_sent(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    check_results_path(out)
    assert os.listdir(tmp_path) == []
    out.write_text("theirs")
    with pytest.raises(UsageError, match="exists"):
        check_results_path(out)
    check_results_path(out, may_exist=True)
    assert out.read_text() == "theirs"
    places = [tmp_path / "nowhere" / "r.csv", out / "r.csv", tmp_path / f"{'x' * 300}.csv"]
    places += [Path("/proc/r.csv")] if sys.platform == "linux" else []
    for place in places:
        with pytest.raises(UsageError, match="cannot be written"):
            check_results_path(place)
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(UsageError, match="exists"):
        check_results_path(tmp_path / "d.csv", may_exist=True)
