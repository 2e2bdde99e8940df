"""Run folders: which there are, how each ended, and that none of them, however broken, raises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import call, finished_run, make_run

from tui.core.errors import UsageError
from tui.files.run_list import find_runs, read_run_folder, resolve_run


def test_runs_are_listed_newest_first_and_other_folders_are_left_out(tmp_path: Path) -> None:
    make_run(tmp_path, "old", started="2026-01-01T00:00:00+00:00")
    make_run(tmp_path, "new", started="2026-03-01T00:00:00+02:00")
    make_run(tmp_path, "middle", started="2026-02-01T00:00:00+00:00")
    (tmp_path / "photos").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    assert [run.name for run in find_runs(tmp_path)] == ["new", "middle", "old"]


def test_a_run_says_how_it_ended(tmp_path: Path) -> None:
    assert read_run_folder(finished_run(tmp_path, "a", call(1))).state == "finished"
    assert read_run_folder(make_run(tmp_path, "b", ended="x", interrupted=True)).state == "interrupted"
    assert read_run_folder(make_run(tmp_path, "c")).state == "crashed"


def test_a_run_whose_journal_another_process_has_open_is_running_and_one_whose_writer_was_killed_is_not(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    script = (
        "import sys; from pathlib import Path; from tui.files.journal import Journal\n"
        f"Journal.create(Path({str(folder / 'journal.db')!r}), {{'job': 'load'}})\n"
        "print(1, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        alive = read_run_folder(folder).state
        writer.kill()
    assert (alive, read_run_folder(folder).state) == ("running", "crashed")


@pytest.mark.parametrize("started", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00", "soon", 7, None])
def test_a_start_that_is_no_date_gives_way_to_the_folders_own(tmp_path: Path, started: object) -> None:
    assert 1970 < read_run_folder(make_run(tmp_path, "run", started=started)).began.astimezone().year < 9999


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"calls": 3}', b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_a_broken_summary_is_told_with_its_path(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "summary.json").write_bytes(content)
    run = read_run_folder(folder)
    assert run.state == "unreadable"
    assert run.problem is not None
    assert str(folder / "summary.json") in run.problem


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\1" * 4096])
def test_a_broken_journal_is_told_with_its_path(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "journal.db").write_bytes(content)
    run = read_run_folder(folder)
    assert run.state == "unreadable"
    assert run.problem is not None
    assert str(folder / "journal.db") in run.problem


def test_a_summary_stands_in_for_a_journal_that_is_gone_and_the_journal_for_a_broken_summary(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, "a", call(1), summary={"calls": {"done": 5}})
    (folder / "summary.json").write_text("{")
    assert read_run_folder(folder).summary == {"calls": {"done": 5}}
    (folder / "summary.json").write_text(json.dumps({"calls": {"done": 6}, "interrupted": True}))
    (folder / "journal.db").unlink()
    run = read_run_folder(folder)
    assert (run.state, run.summary) == ("interrupted", {"calls": {"done": 6}, "interrupted": True})


def test_a_run_is_named_by_its_folder_its_name_its_files_or_as_the_last_one(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "one")
    newest = make_run(tmp_path, "two", started="2027-01-01T00:00:00+00:00")
    assert resolve_run(str(folder), tmp_path / "elsewhere") == folder
    assert resolve_run("one", tmp_path) == folder
    assert resolve_run(str(folder / "journal.db"), tmp_path) == folder
    assert resolve_run("last", tmp_path) == newest


def test_the_beginning_of_a_name_is_enough_while_it_is_that_of_one_run(tmp_path: Path) -> None:
    folders = [make_run(tmp_path, f"2026-01-0{day}-load") for day in (1, 2, 3)]
    (tmp_path / "2026-01-01-photos").mkdir()
    assert resolve_run("2026-01-02", tmp_path) == folders[1]
    assert resolve_run("2026-01-01", tmp_path) == folders[0]
    with pytest.raises(UsageError, match="3 runs begin: 2026-01-01-load, 2026-01-02-load, 2026-01-03-load"):
        resolve_run("2026", tmp_path)
    whole = make_run(tmp_path, "2026")
    assert resolve_run("2026", tmp_path) == whole


@pytest.mark.parametrize("name", ["nothing", "", "a\0b", "x" * 5000, "last"])
def test_what_is_no_run_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        resolve_run(name, tmp_path)
