"""`weir replay` as a process: what it prints and returns. How it plays is the session's own test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from weir_process import weir

from tui.cli import main
from tui.simulator.process import SimulatorProcess


def the_run(simulator: SimulatorProcess, out: Path, *arguments: str) -> Path:
    ran = weir(
        "load", "--base-url", simulator.base_url, "--requests", "6", "--out", str(out), "--ui", "none", *arguments
    )
    assert ran.returncode == 0, ran.stderr
    (folder,) = out.iterdir()
    return folder


@pytest.mark.parametrize("more", [(), ("--price", "in=1,out=2", "--goodput", "ttft:1", "--budget", "1")])
def test_the_summary_of_a_replay_is_the_run_s_own_to_the_last_byte(
    quick: SimulatorProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
) -> None:
    """In words and as JSON; found by its path, by the beginning of its name and as the last one."""
    load = ("load", "--base-url", quick.base_url, "--requests", "6", "--max-tokens", "9", "--ui", "none")
    ran = weir(*load, *more, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    monkeypatch.chdir(tmp_path)
    (folder,) = (tmp_path / "weir-runs").iterdir()
    printed = json.dumps(json.loads((folder / "summary.json").read_text())) + "\n"
    for name in (str(folder), folder.name[:13], "last"):
        assert main(["replay", name, "--ui", "none"]) == 0
        assert tuple(capsys.readouterr()) == (ran.stdout, "")
        assert main(["replay", name, "--ui", "none", "--json"]) == 0
        assert tuple(capsys.readouterr()) == (printed, "")
    assert sorted(os.listdir(folder)) == ["calls.jsonl", "journal.db", "summary.json"]  # and nothing is written


def test_plain_it_plays_in_lines_and_ends_in_words(quick: SimulatorProcess, tmp_path: Path) -> None:
    run = the_run(quick, tmp_path / "runs")
    played = weir("replay", str(run), "--ui", "plain", "--speed", "1000")
    assert played.returncode == 0
    assert "6/6" in played.stderr
    assert "6 of 6 done" in played.stdout


@pytest.mark.parametrize("speed", ["0", "-1", "1e9", "nan", "fast"])
def test_a_speed_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str], speed: str) -> None:
    assert main(["replay", "run", "--speed", speed]) == 2
    assert "--speed" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["replay", str(tmp_path / "no\x1b[31mne")]) == 2
    error = capsys.readouterr().err
    assert "is no run folder, here or in weir-runs" in error
    assert "\x1b" not in error


def test_nothing_that_sends_is_loaded_to_replay() -> None:
    """Offline is offline: no HTTP client, no simulator, no screen in this process."""
    code = (
        "import sys, tui.jobs.replay_session; print([m for m in ('httpx', 'textual', 'tiktoken') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
