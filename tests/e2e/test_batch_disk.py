"""A full disk, a folder that cannot be written to, and signals: the batch stops, says why, and goes on later."""

import ctypes
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from killed_batch import ANSWERS, PATIENCE_S, Batch, until, write_corpus

from tui.simulator.process import SimulatorProcess

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts are Linux's")]

DOCUMENTS = 400
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


@pytest.fixture
def provider() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(replace(ANSWERS, ttft_s=0.01)) as simulator:
        yield simulator


@pytest.fixture
def batch(tmp_path: Path, provider: SimulatorProcess) -> Batch:
    corpus = tmp_path / "corpus.jsonl"
    write_corpus(corpus, DOCUMENTS)
    return Batch(corpus, tmp_path, provider.base_url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        made = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        made = False
    if not made:
        pytest.skip("nobody lets us mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def limited_files() -> None:
    """No file of ours grows larger than this."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


def without_override() -> None:
    """Permissions hold for root, too."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def check_it_stopped(batch: Batch, provider: SimulatorProcess, code: int) -> None:
    """Dispatch has stopped, and the reason is said with what to do."""
    assert code == 1
    assert batch.folder is not None
    assert f"error: {batch.folder}/journal.db cannot be written: " in batch.said
    assert f"weir batch --resume {batch.folder}" in batch.said
    assert "Traceback" not in batch.said
    committed, asked = len(batch.committed()), len(provider.truth())
    assert committed > 0
    assert asked - committed <= batch.concurrency, "dispatch went on"


def check_it_goes_on(batch: Batch, provider: SimulatorProcess) -> None:
    """The rest is asked, and nothing that was on the disk."""
    before, committed = provider.truth(), batch.committed()
    on_disk = {request for _, request in committed.values()}
    settled = {record["asked"] for record in before if record["id"] in on_disk}
    assert batch.run() == 1, batch.said  # some of the documents are none
    asked = [record["asked"] for record in provider.truth()[len(before) :]]
    assert asked
    assert settled.isdisjoint(asked)
    assert len(set(asked)) == len(asked)
    assert committed.items() <= batch.committed().items()
    assert batch.results is not None
    assert len(batch.results.splitlines()) == DOCUMENTS
    assert b'"pending"' not in batch.results


def test_a_full_disk_stops_dispatch_and_the_run_goes_on_once_there_is_room(
    batch: Batch, provider: SimulatorProcess, small_disk: Path
) -> None:
    batch.runs = small_disk
    code = batch.run()
    check_it_stopped(batch, provider, code)
    assert "disk is full" in batch.said

    assert batch.run() not in (0, 130)  # there is still no room
    assert "cannot be" in batch.said
    assert "Traceback" not in batch.said

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    check_it_goes_on(batch, provider)


def test_a_file_that_may_not_grow_stops_dispatch_and_the_run_goes_on_without_the_limit(
    batch: Batch, provider: SimulatorProcess
) -> None:
    code = batch.run(limited_files)
    check_it_stopped(batch, provider, code)
    check_it_goes_on(batch, provider)


def test_a_folder_that_cannot_be_written_to_any_more_costs_no_answer(batch: Batch, provider: SimulatorProcess) -> None:
    session = batch.start(without_override)
    until(lambda: batch.find_folder() is not None and len(batch.committed()) > 0, "an answer on the disk")
    assert batch.folder is not None
    batch.folder.chmod(0o500)
    try:
        assert session.wait(PATIENCE_S) == 1
        assert "cannot be written: Permission denied" in batch.said
        assert "Traceback" not in batch.said
        assert batch.results is None
        assert f"weir batch --resume {batch.folder}" in batch.said
        assert batch.run(without_override) not in (0, 130)
        assert "Permission denied" in batch.said
    finally:
        batch.folder.chmod(0o700)
    asked = len(provider.truth())
    assert batch.run(without_override) == 1, batch.said
    assert batch.results is not None
    assert b'"pending"' not in batch.results
    assert len({record["asked"] for record in provider.truth()}) == len(provider.truth())
    assert len(provider.truth()) >= asked


def test_a_finished_run_whose_folder_cannot_be_written_to_says_so(batch: Batch) -> None:
    write_corpus(batch.corpus, 5)
    assert batch.run() == 0, batch.said
    assert batch.folder is not None
    batch.folder.chmod(0o500)
    try:
        assert batch.run(without_override) == 2
        assert "cannot be written to: Permission denied" in batch.said
        assert "Traceback" not in batch.said
        assert (batch.folder / "summary.json").exists()
    finally:
        batch.folder.chmod(0o700)


def test_what_a_killed_writer_left_half_done_is_cleared_away(batch: Batch) -> None:
    write_corpus(batch.corpus, 5)
    assert batch.run() == 0, batch.said
    assert batch.folder is not None
    (batch.folder / ".results.jsonl.0123456789abcdef").write_text("half")
    assert batch.run() == 0, batch.said
    assert batch.half_written() == set()


def test_where_no_run_can_be_begun_nothing_is_sent(batch: Batch, provider: SimulatorProcess) -> None:
    assert batch.runs is not None
    batch.runs.mkdir(0o500)
    assert batch.run(without_override) == 2
    assert "Permission denied" in batch.said
    assert provider.truth() == []


@pytest.mark.parametrize(
    ("signals", "end"),
    [((signal.SIGINT,), "complete"), ((signal.SIGINT, signal.SIGINT), "cut"), ((signal.SIGTERM,), "cut")],
)
def test_a_signal_ends_it_with_130_and_the_way_to_go_on(batch: Batch, signals: tuple[int, ...], end: str) -> None:
    itl_s = 0.02 if end == "complete" else 60.0
    with SimulatorProcess(replace(ANSWERS, itl_s=itl_s)) as slow:
        batch.base_url = slow.base_url
        session = batch.start()
        until(lambda: sum(record["tokens"] > 0 for record in slow.truth()) == batch.concurrency, "answers that stream")
        first, *second = signals
        session.send_signal(first)
        if second:
            until(lambda: "Ctrl-C again stops now" in batch.said, "word of the first one")
            session.send_signal(second[0])
        assert session.wait(PATIENCE_S) == 130
        batch.find_folder()
        assert f"to go on: weir batch --resume {batch.folder}" in batch.said
        assert "Traceback" not in batch.said
        assert {record["ended"] for record in slow.truth()} == {end}
        assert len(batch.committed()) == (len(slow.truth()) if end == "complete" else 0)
    batch.wait_until_none_is_left()
