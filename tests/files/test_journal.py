"""What the journal says is written is written, whatever happens; what it cannot write, it says."""

import asyncio
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue

import pytest
from msgspec.structs import replace

from tui.core.calls import State, Usage
from tui.core.errors import RecordError, UsageError
from tui.core.records import AttemptRecord, CallRecord, ChoiceRecord, ToolCallRecord
from tui.core.secrets import Secret
from tui.files.journal import MAX_BACKLOG, Journal
from tui.files.journal_reader import read_journal, read_recording, read_run

FULL = CallRecord(
    id=7,
    state=State.BROKEN,
    model="meta/llama \ud800",
    item_key="ab" * 32,
    plan_json=b'{"messages":[]}',
    due_s=0.5,
    admitted_s=0.75,
    attempts=(
        AttemptRecord(sent_s=1.0, status=429, error="too many", ended_s=1.5),
        AttemptRecord(
            sent_s=2.0,
            written_s=2.1,
            headers_s=2.2,
            first_token_s=2.3,
            last_token_s=2.4,
            ended_s=2.5,
            status=200,
            error="cut",
            request_id="req_1",
            usage=Usage(10, 20, 5, 3),
            usage_estimated=True,
            possibly_billed=True,
            superseded_text="half \x1b[31m",
        ),
    ),
    usage=Usage(10, 20, 5, 3),
    usage_source="estimated",
    text="raw \x1b]52;c;\x07 \0 \ud83d 漢",
    reasoning="because",
    tool_calls=(ToolCallRecord("call_1", "find", '{"q": "\ud800"}'),),
    choices=(ChoiceRecord(index=1, text="other", finish_reason="stop"),),
    finish_reason="length",
    error="cut",
    warmup=True,
)


def call(number: int, text: str = "text") -> CallRecord:
    return CallRecord(
        id=number, state=State.DONE, model="m", item_key="k", plan_json=b"{}", due_s=0.0, text=text,
        attempts=(AttemptRecord(sent_s=0.0, usage=Usage(1, 2)),),
    )  # fmt: skip


TOO_LARGE = CallRecord(
    id=999, state=State.DONE, model="m", item_key="k", plan_json=b"{}", due_s=0.0, usage=Usage(1 << 70)
)
"""A figure that SQLite has no form for: writing it fails."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal.create(path, {"job": "load"})
    yield journal
    journal.close()


class Gate:
    """Holds the writer's thread in a callback, so that what comes meanwhile piles up."""

    def __init__(self, journal: Journal) -> None:
        self.opened = threading.Event()
        reached = threading.Event()

        def hold() -> None:
            reached.set()
            assert self.opened.wait(20)

        journal.append(call(1_000_000), hold)
        assert reached.wait(20)


def test_a_record_comes_back_as_it_went_in(journal: Journal, path: Path) -> None:
    journal.append(FULL)
    journal.append(call(3))
    journal.close()
    assert list(read_journal(path)) == [call(3), FULL]
    assert journal.error is None


def test_the_run_has_fields_that_can_be_set_again(journal: Journal, path: Path) -> None:
    journal.set_run({"job": "demo", "cost": Decimal("2.50"), "ended": None, "model": "\ud800"})
    journal.close()
    assert read_run(path) == {"job": "demo", "cost": "2.50", "ended": None, "model": "\ud800"}


def test_a_record_is_told_of_when_it_can_be_read_and_not_before(journal: Journal, path: Path) -> None:
    seen: SimpleQueue[list[int]] = SimpleQueue()
    journal.append(call(1), lambda: seen.put([record.id for record in read_journal(path)]))
    assert seen.get(timeout=20) == [1]


def test_records_that_come_together_are_committed_together(journal: Journal) -> None:
    gate = Gate(journal)
    before = journal.commits
    told: list[tuple[int, int]] = []
    for number in range(120):
        journal.append(call(number), lambda number=number: told.append((number, journal.commits - before)))
    assert journal.backlog == 120
    gate.opened.set()
    journal.close()
    assert journal.backlog == 0
    assert told == [(number, 1 + number // 50) for number in range(120)]


def test_a_closed_journal_is_one_file_that_refuses_more(journal: Journal, path: Path) -> None:
    journal.append(call(1))
    journal.close()
    journal.close()
    assert os.listdir(path.parent) == ["journal.db"]
    with pytest.raises(RecordError, match="is closed"):
        journal.append(call(2))
    refused: list[RecordError] = []
    journal.append(call(2), on_error=refused.append)
    assert len(refused) == 1


def test_nobody_else_can_read_any_of_its_files_while_it_is_open(path: Path) -> None:
    before = os.umask(0)
    try:
        journal = Journal.create(path, {})
        written = threading.Event()
        journal.append(call(1), written.set)
        assert written.wait(20)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        journal.close()
    finally:
        os.umask(before)
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


def test_a_commit_waits_for_the_disk(journal: Journal) -> None:
    # 2 is FULL. What a kill cannot show, a power cut would: the log is synced at each commit.
    assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_room_holds_back_whoever_dispatches_until_the_disk_has_caught_up(journal: Journal) -> None:
    await journal.room()
    gate = Gate(journal)
    for number in range(MAX_BACKLOG):
        journal.append(call(number))
    waiting = asyncio.create_task(journal.room())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    gate.opened.set()
    await waiting
    assert journal.backlog < MAX_BACKLOG


async def test_waiting_for_room_can_be_cancelled(journal: Journal) -> None:
    gate = Gate(journal)
    for number in range(MAX_BACKLOG):
        journal.append(call(number))
    waiting = asyncio.create_task(journal.room())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.opened.set()
    await journal.room()


async def test_after_an_error_nothing_hangs_and_everyone_is_told(journal: Journal, path: Path) -> None:
    gate = Gate(journal)
    committed: list[int] = []
    refused: list[str] = []
    journal.append(TOO_LARGE, lambda: committed.append(999), lambda error: refused.append(str(error)))
    for number in range(MAX_BACKLOG):
        journal.append(
            call(number),
            lambda number=number: committed.append(number),
            lambda error: refused.append(str(error)),
        )
    waiting = asyncio.create_task(journal.room())
    await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(RecordError, match="cannot be written"):
        await waiting
    journal.close()
    assert committed == []
    assert len(refused) == 1 + MAX_BACKLOG
    with pytest.raises(RecordError):
        journal.append(call(5))
    # What was committed before stays.
    assert [record.id for record in read_journal(path)] == [1_000_000]


def test_a_loop_that_has_gone_does_not_stop_the_writing(journal: Journal, path: Path) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    journal.append(call(1), lambda: loop.call_soon_threadsafe(print))
    journal.close()
    assert journal.error is None
    assert [record.id for record in read_journal(path)] == [1]


def test_a_secret_cannot_get_into_the_run(path: Path) -> None:
    with pytest.raises(TypeError):
        Journal.create(path, {"api_key": Secret("sk-canary")})
    assert not path.exists()


def test_reading_leaves_nothing_behind(journal: Journal, path: Path) -> None:
    journal.close()
    read_run(path)
    assert os.listdir(path.parent) == ["journal.db"]


def test_what_is_there_already_is_not_written_over(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"theirs")
    for place in (path, tmp_path / "no such folder" / "journal.db"):
        with pytest.raises(UsageError) as raised:
            Journal.create(place, {})
        assert raised.value.where == "--out"
    assert path.read_bytes() == b"theirs"


ENDLESS_WRITER = """
import os, sys, threading
from itertools import count
from pathlib import Path
from tui.core.calls import State
from tui.core.records import CallRecord
from tui.files.journal import Journal

journal = Journal.create(Path(sys.argv[1]), {"job": "load"})
free = threading.Semaphore(200)

def told(number):
    os.write(1, b"%d\\n" % number)
    free.release()

for number in count(1):
    free.acquire()
    done = CallRecord(id=number, state=State.DONE, model="m", item_key="k", plan_json=b"{}", due_s=0.0)
    journal.append(done, lambda number=number: told(number))
"""


def test_after_kill_9_every_record_that_was_told_of_is_there(path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS_WRITER, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(300)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    assert (path.parent / "journal.db-wal").stat().st_size > 0  # nothing was tidied up: the log holds them
    found = [record.id for record in read_journal(path)]
    assert found == list(range(1, len(found) + 1))
    assert set(acknowledged) <= set(found)


FULL_DISK_WRITER = """
import json, resource, sys, threading
from itertools import count
from pathlib import Path
from tui.core.calls import State
from tui.core.records import CallRecord
from tui.files.journal import Journal

journal = Journal.create(Path(sys.argv[1]), {"job": "load"})
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
free = threading.Semaphore(200)
committed, refused = [], []

def note(into, number):
    into.append(number)
    free.release()

for number in count(1):
    free.acquire()
    if journal.error is not None:
        break
    done = CallRecord(
        id=number, state=State.DONE, model="m", item_key="k", plan_json=b"{}", due_s=0.0, text="x" * 10_000
    )
    journal.append(done, lambda n=number: note(committed, n), lambda error, n=number: note(refused, n))
journal.close()
print(json.dumps([number - 1, committed, refused, str(journal.error)]))
"""


def test_a_full_disk_is_told_at_once_and_costs_nothing_that_was_committed(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK_WRITER, str(path)], capture_output=True, text=True, timeout=30, check=True
    )
    appended, committed, refused, error = json.loads(done.stdout)
    assert "cannot be written" in error
    assert refused
    assert sorted(committed + refused) == list(range(1, appended + 1))
    assert [record.id for record in read_journal(path)] == committed


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: path.write_bytes(b"not a database" * 100), "cannot be read: file is not a database"),
        (lambda path: path.write_bytes(b""), "holds no run"),
        (lambda path: None, "cannot be read: unable to open database file"),
        (lambda path: sqlite3.connect(path).execute("PRAGMA user_version=99"), "was written by a newer version"),
    ],
)
def test_what_is_no_journal_of_ours_is_refused_by_name(path: Path, make: object, what: str) -> None:
    make(path)  # type: ignore[operator]
    for read in (read_run, lambda path: list(read_journal(path))):
        with pytest.raises(UsageError) as raised:
            read(path)
        assert (raised.value.where, raised.value.what) == (str(path), what)


# ── what a replay needs ────────────────────────────────────────────────────────────────────────────────


def test_traces_and_the_run_s_log_come_back_in_their_order(journal: Journal, path: Path) -> None:
    journal.log_run(b"first " * 100)
    journal.append(replace(call(2), trace=b"life " * 100))
    journal.log_run(b"second")
    journal.append(call(1))
    journal.close()
    recording = read_recording(path)
    assert recording.fields == {"job": "load"}
    assert recording.records == [call(1), call(2)]
    assert recording.traces == {2: b"life " * 100}
    assert recording.run_log == [b"first " * 100, b"second"]


def test_a_log_that_cannot_be_written_any_more_says_so(journal: Journal) -> None:
    journal.close()
    lost: list[RecordError] = []
    journal.log_run(b"late", lost.append)
    assert len(lost) == 1
    with pytest.raises(RecordError, match="is closed"):
        journal.log_run(b"late")


def test_a_journal_from_before_there_were_traces_is_read_and_cannot_be_replayed(journal: Journal, path: Path) -> None:
    journal.append(FULL)
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.executescript("DROP TABLE traces; DROP TABLE run_log; PRAGMA user_version=1;")
    connection.close()
    assert list(read_journal(path)) == [FULL]
    with pytest.raises(UsageError, match="before runs kept when each piece of text came"):
        read_recording(path)


def test_a_trace_that_was_damaged_is_refused(journal: Journal, path: Path) -> None:
    journal.append(replace(call(1), trace=b"life"))
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE traces SET trace = x'00'")
    connection.close()
    with pytest.raises(UsageError, match="cannot be read"):
        read_recording(path)
