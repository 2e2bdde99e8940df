"""`weir report`: a real run in each format, several side by side, and errors that name what was wrong."""

import csv
import json
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from weir_process import weir

from tui.cli import main
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

LOAD = ("load", "-m", "sim", "--requests", "6", "--concurrency", "3", "--ui", "none", "--price", "in=1,out=2")
SETTINGS = SimulatorSettings(ttft_s=0.02, itl_s=0.002, jitter=0.2, tokens=8, models=(("sim", 1.0),), error_rate=0.2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs in weir-runs."""
    folder = tmp_path_factory.mktemp("runs")
    with SimulatorProcess(SETTINGS) as simulator:
        for seed in ("1", "2"):
            done = weir(*LOAD, "--base-url", simulator.base_url, "--seed", seed, cwd=folder)
            assert done.returncode in (0, 1), done.stderr
    return folder


def test_a_report_says_what_the_summary_says(runs: Path) -> None:
    (run,) = json.loads(weir("report", "last", "--format", "json", cwd=runs).stdout)
    summary = json.loads((runs / "weir-runs" / run["name"] / "summary.json").read_text())
    assert run["summary"] == summary
    assert sum(run["series"]["attempts"]) == summary["attempts"]


def test_the_record_read_again_gives_the_figures_of_the_run(runs: Path) -> None:
    """The fold of the record and the fold of the live run are one: without its summary a run says the same."""
    folder = min((runs / "weir-runs").iterdir())
    summary = json.loads((folder / "summary.json").read_text())
    again = json.loads(weir("report", folder.name, "--format", "json", cwd=_without_summary(runs, folder)).stdout)
    (run,) = again
    assert "no summary (crashed)" in run["notes"][0]
    for name in ("calls", "attempts", "retries", "http_429", "tokens", "cost_usd", "finish_reasons", "errors"):
        assert run["summary"][name] == summary[name], name
    for name in ("ttft_s", "server_ttft_s", "user_ttft_s", "queue_s", "tpot_s", "e2e_s"):
        assert run["summary"][name] == pytest.approx(summary[name], rel=0.002, abs=1e-8), name


def _without_summary(runs: Path, folder: Path) -> Path:
    """A copy of a run as it is when its program was killed just before the end; the price is known."""
    copy = runs / "killed"
    shutil.copytree(folder, copy / "weir-runs" / folder.name)
    (copy / "weir-runs" / folder.name / "summary.json").unlink()
    with sqlite3.connect(copy / "weir-runs" / folder.name / "journal.db") as journal:
        journal.execute("DELETE FROM run WHERE name IN ('summary', 'ended', 'interrupted')")
    journal.close()
    return copy


def test_markdown_is_the_default_and_two_runs_stand_side_by_side(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = sorted(folder.name for folder in (runs / "weir-runs").iterdir())
    assert main(["report", *names, "--runs", str(runs / "weir-runs")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("# 2 runs side by side\n")
    assert "| TTFT p50 " in said


def test_the_ending_of_the_file_says_the_format_and_the_file_is_private(runs: Path, tmp_path: Path) -> None:
    page, table = tmp_path / "report.html", tmp_path / "report.csv"
    assert main(["report", "last", "--runs", str(runs / "weir-runs"), "--out", str(page)]) == 0
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert main(["report", "last", "--runs", str(runs / "weir-runs"), "--out", str(table)]) == 0
    with table.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["calls.total"] == "6"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "error: nothing: is no run folder"),
        (("last", "--runs", "nowhere"), "error: last: there is no run in nowhere"),
        (("weir-runs",), "error: weir-runs: holds neither journal.db nor summary.json"),
        (("last", "--out", "no/such/folder/r.md"), "error: --out: no/such/folder/r.md cannot be written"),
        ((*["last"] * 27,), "error: RUN: 27 runs are too many"),
        (("last", "--format", "pdf"), "error: --format"),
        (("last", "--out", "r.pdf"), 'error: --out: ".pdf" is no format of a report\nhint: .md, .markdown, .html,'),
    ],
)
def test_errors_name_what_was_wrong(
    runs: Path,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(runs)
    assert main(["report", *arguments]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_a_format_that_is_asked_for_goes_before_the_ending(runs: Path, tmp_path: Path) -> None:
    for name, start in (("r.txt", "# load"), ("r.csv", "# load"), ("r", "# load")):
        asked = () if name == "r" else ("--format", "md")
        assert main(["report", "last", "--runs", str(runs / "weir-runs"), "--out", str(tmp_path / name), *asked]) == 0
        assert (tmp_path / name).read_text("utf-8").startswith(start)


@pytest.mark.parametrize("format", ["md", "html", "json", "csv"])
def test_a_damaged_run_is_reported_as_far_as_it_goes(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "half"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"calls": {"done": 4, "total": 5}}')
    (folder / "journal.db").write_bytes(b"SQLite format 3\0" + b"\1" * 4000)
    assert main(["report", "half", "--runs", str(tmp_path), "--format", format]) == 0
    said = capsys.readouterr()
    assert str(folder / "journal.db") in said.err.replace("\n", "")
    assert "half" in said.out
