"""`weir runs`: what is on disk, in words and as JSON, and no traceback whatever is there."""

import json
from pathlib import Path

import pytest
from weir_process import weir

from tui.cli import main
from tui.simulator.process import SimulatorProcess


def test_a_run_is_listed_with_its_figures(
    quick: SimulatorProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = ("load", "--base-url", quick.base_url, "-m", "sim", "--requests", "3", "--ui", "none")
    assert weir(*load, cwd=tmp_path).returncode == 0
    listed = weir("runs", cwd=tmp_path)
    assert listed.returncode == 0
    head, line = listed.stdout.splitlines()
    assert head.split()[:3] == ["name", "state", "began"]
    assert "finished" in line
    assert "3/3" in line
    capsys.readouterr()
    assert main(["runs", str(tmp_path / "weir-runs"), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert run["summary"]["calls"]["done"] == 3
    assert Path(run["folder"], "journal.db").is_file()


def test_without_runs_there_is_a_hint_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "hint: make one: weir demo" in said.err
    assert main(["runs", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_hostile_and_broken_folders_are_listed_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "evil\x1b]52;c;aGk=\x07\n\u202e"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{")
    (folder / "journal.db").write_text("no database")
    for number in range(3):
        (tmp_path / f"run-{number}").mkdir()
        (tmp_path / f"run-{number}" / "summary.json").write_text('{"calls": {"done": 1, "total": 2}}')
    assert main(["runs", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "summary.json: is no JSON" in said.err
    assert "journal.db: " in said.err
    assert said.err.splitlines()[-1].startswith("hint: what can still be read is listed")
    assert "unreadable" in said.out
    assert not set("\x1b\x07\u202e") & set(said.out + said.err)
    assert len(said.out.splitlines()) == 5
    assert main(["runs", str(tmp_path), "--limit", "2"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert "2 older runs are not shown" in said.err


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: cannot be read" in capsys.readouterr().err
