"""One process at a time works on a run, and the next one is told who has it."""

import json
import os
import signal
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tui.core.errors import UsageError
from tui.files.run_lock import RunLock

HOLDER = """
import sys
from pathlib import Path
from tui.files.run_lock import RunLock
lock = RunLock.take(Path(sys.argv[1]))
print("taken", flush=True)
sys.stdin.read()
"""


def held(folder: Path) -> "subprocess.Popen[str]":
    """A process that holds the lock until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    return process


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as raised:
        RunLock.take(folder)
    assert raised.value.where == "--resume"
    return raised.value.what


def test_who_holds_it_is_named_and_its_death_gives_it_back(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        since = json.loads((tmp_path / "lock").read_text())["since"]
        assert refusal(tmp_path) == (
            f"{tmp_path} is held by process {process.pid} since {datetime.fromisoformat(since).astimezone():%H:%M}"
        )
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        RunLock.take(tmp_path).close()


def test_in_one_process_there_is_one_holder_too_until_it_lets_go(tmp_path: Path) -> None:
    with RunLock.take(tmp_path):
        assert f"is held by process {os.getpid()}" in refusal(tmp_path)
    again = RunLock.take(tmp_path)
    again.close()
    again.close()


def test_what_a_dead_process_left_is_no_obstacle_and_is_private(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 1, "since": "2020-01-01T00:00:00+00:00"}' + " " * 100)
    before = os.umask(0)
    try:
        RunLock.take(tmp_path).close()
        (tmp_path / "lock").unlink()
        RunLock.take(tmp_path).close()
    finally:
        os.umask(before)
    assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        ("", "another process"),
        ("no JSON", "another process"),
        ('{"pid": "x\\u001b[31m", "since": 5}', "another process"),
        ('{"pid": 7, "since": "never"}', "process 7"),
        ("[" * 4000, "another process"),
    ],
)
def test_a_holder_that_does_not_say_who_it_is_holds_all_the_same(tmp_path: Path, said: str, holder: str) -> None:
    with RunLock.take(tmp_path):
        (tmp_path / "lock").write_text(said)
        assert refusal(tmp_path) == f"{tmp_path} is held by {holder}"


def test_since_another_day_is_told_with_its_date(tmp_path: Path) -> None:
    with RunLock.take(tmp_path):
        then = datetime.now().astimezone() - timedelta(days=3)
        (tmp_path / "lock").write_text(json.dumps({"pid": 7, "since": then.isoformat()}))
        assert refusal(tmp_path).endswith(f"is held by process 7 since {then:%Y-%m-%d %H:%M}")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "lock").symlink_to("theirs")
    assert "cannot be locked" in refusal(tmp_path)
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    assert "is no file" in refusal(tmp_path)
    assert "cannot be locked" in refusal(tmp_path / "nowhere")
