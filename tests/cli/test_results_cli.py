"""`weir results`: rows on stdout or in a file, of a batch that has ended, is under way or was killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from weir_process import environment, weir

from tui.cli import main
from tui.core.calls import State
from tui.core.records import AttemptRecord, CallRecord
from tui.core.results import DocumentRow
from tui.files.journal import Journal

DOCUMENTS = 5_000


def a_call(number: int, state: State, error: str | None = None) -> CallRecord:
    return CallRecord(
        id=number, state=state, model="m", item_key=f"k{number}", plan_json=b"{}", due_s=0.0, error=error,
        attempts=(AttemptRecord(sent_s=0.0),), text="réponse \x1b[31m",
    )  # fmt: skip


def a_batch(folder: Path, documents: int, job: str = "batch", read: bool = True) -> Journal:
    """The first document is answered, the second failed, the others wait."""
    folder.mkdir(parents=True)
    journal = Journal.create(folder / "journal.db", {"job": job, "model": "m"})
    for number in range(1, documents + 1):
        name = f"{number}.md"
        journal.put_document(DocumentRow(number=number, id=name, source=name, item_key=f"k{number}"))
    journal.append(a_call(1, State.DONE))
    journal.append(a_call(2, State.FAILED, "HTTP 500"))
    if read:
        journal.end_corpus(documents)
    return journal


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose weir-runs has one batch of three documents."""
    a_batch(tmp_path / "weir-runs" / "2026-batch", 3).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_rows_are_lines_of_json_on_stdout_whatever_the_locale(runs: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tui", "results", "last"],
        capture_output=True, cwd=runs, env=environment(LC_ALL="C", PYTHONIOENCODING="ascii"), check=True, timeout=30,
    )  # fmt: skip
    lines = [json.loads(line) for line in said.stdout.decode("utf-8").splitlines()]
    assert [(line["id"], line["state"]) for line in lines] == [
        ("1.md", "done"),
        ("2.md", "failed"),
        ("3.md", "pending"),
    ]
    assert lines[0]["output"] == "réponse \x1b[31m"
    assert b"\x1b" not in said.stdout
    assert said.stderr == b""


@pytest.mark.parametrize(("state", "id"), [("done", "1.md"), ("failed", "2.md"), ("pending", "3.md")])
def test_only_documents_in_one_state(
    runs: Path, state: str, id: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["results", str(runs / "weir-runs" / "2026-batch"), "--state", state]) == 0
    (line,) = capsysbinary.readouterr().out.splitlines()
    assert json.loads(line)["id"] == id


def test_a_table_on_stdout_and_files_by_their_ending(runs: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["results", "2026-batch", "--format", "csv"]) == 0
    table = capsysbinary.readouterr().out
    assert table.startswith(b"id,source,output,state,error,")
    assert main(["results", "last", "--out", "r.csv"]) == 0
    assert (runs / "r.csv").read_bytes() == table
    assert b"wrote 3 rows to r.csv" in capsysbinary.readouterr().err
    assert main(["results", "last", "--out", "r.csv", "--state", "done"]) == 0  # asked for by name: replaced
    assert len((runs / "r.csv").read_bytes().splitlines()) == 2
    assert main(["results", "last", "--out", "table.txt", "--format", "csv"]) == 0
    assert (runs / "table.txt").read_bytes() == table


def test_a_batch_that_is_being_written_is_read(tmp_path: Path) -> None:
    journal = a_batch(tmp_path / "batch", 3)
    try:
        while journal.backlog:
            pass
        said = weir("results", str(tmp_path / "batch"))
    finally:
        journal.close()
    assert (said.returncode, len(said.stdout.splitlines())) == (0, 3)


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    a_batch(tmp_path / "batch", DOCUMENTS).close()
    with subprocess.Popen(
        [sys.executable, "-m", "tui", "results", str(tmp_path / "batch")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "error: nothing: is no run folder"),
        (("load",), "error: weir-runs/load: is a run of load, not a batch\nhint: see its figures with weir report"),
        (("old",), "error: old: has no journal.db"),
        (("2026-batch", "--out", "r.txt"), 'error: --out: r.txt: ".txt" is no format of results'),
        (("2026-batch", "--out", "no/r.csv"), "error: --out: no/r.csv cannot be written"),
        (("2026-batch", "--state", "lost"), "error: --state"),
        (("2026-batch", "--format", "pdf"), "error: --format"),
    ],
)
def test_errors_name_what_was_wrong(
    runs: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a_batch(runs / "weir-runs" / "load", 1, job="load").close()
    (runs / "weir-runs" / "old").mkdir()
    (runs / "weir-runs" / "old" / "summary.json").write_text('{"calls": {}}')
    assert main(["results", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(said)
    assert shown.out == ""


def test_a_run_that_has_not_read_all_of_its_documents_is_said_to_be_such(
    runs: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    a_batch(runs / "weir-runs" / "2027-batch", 2, read=False).close()
    assert main(["results", "2027"]) == 0
    said = capsysbinary.readouterr()
    assert said.err == b"weir: the run has not read all of its documents yet: those are in no row\n"
    assert said.out.count(b"\n") == 2
