"""A batch's journal: documents beside their calls, and going on where a killed process stopped."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from batch_journal import RUN, append, call, document, done, rows, write

from tui.core.calls import State
from tui.core.errors import RecordError, UsageError
from tui.core.results import ItemRow, ResultState
from tui.files.journal import Journal
from tui.files.journal_reader import read_journal, read_recording, read_run
from tui.files.run_figures import reported
from tui.files.run_list import read_run_folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def items_of(path: Path) -> list[tuple[int, int, int, str]]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT * FROM document_items ORDER BY number, level, part").fetchall()
    connection.close()
    return found


def test_a_document_with_a_key_and_no_items_has_that_one_item(path: Path) -> None:
    write(path, document(1, "k"), document(2))
    assert items_of(path) == [(1, 0, 1, "k")]


def test_putting_a_document_again_replaces_its_items_and_settling_it_keeps_them(path: Path) -> None:
    journal = Journal.create(path, RUN)
    journal.put_document(document(1), (ItemRow(1, 0, 1, "old"), ItemRow(1, 0, 2, "old")))
    journal.put_document(document(1), (ItemRow(1, 0, 1, "a"), ItemRow(1, 0, 2, "b")))
    journal.add_items((ItemRow(1, 1, 1, "c"),))
    journal.settle_document(1, "c")
    append(journal, [done(1, "a"), done(2, "b"), done(3, "c")])
    journal.close()
    assert items_of(path) == [(1, 0, 1, "a"), (1, 0, 2, "b"), (1, 1, 1, "c")]
    assert [row.output for row in rows(path)] == ["about c"]


def test_at_the_end_of_the_corpus_documents_beyond_it_are_gone(path: Path) -> None:
    journal = Journal.create(path, RUN)
    append(journal, [document(number, "k") for number in range(1, 6)])
    assert "corpus_documents" not in read_run(path)
    journal.end_corpus(3)
    journal.close()
    assert read_run(path)["corpus_documents"] == 3
    assert [row.id for row in rows(path)] == ["d1", "d2", "d3"]
    assert len(items_of(path)) == 3


def test_documents_and_records_are_written_in_the_order_in_which_they_came(path: Path) -> None:
    journal = Journal.create(path, RUN)
    for number in range(1, 121):
        journal.put_document(document(number))
        journal.put_document(document(number, f"k{number}"))
        journal.append(done(number, f"k{number}"))
    journal.close()
    assert journal.commits <= 2 + 360 // 50
    assert [row.output for row in rows(path)] == [f"about k{number}" for number in range(1, 121)]


def test_names_that_have_no_utf_8_come_back_as_they_were(path: Path) -> None:
    journal = Journal.create(path, RUN)
    journal.put_document(document(1, error="no \ud800"))
    journal.close()
    assert rows(path)[0].error == "no \ud800"


def test_a_call_says_which_one_it_does_again(path: Path) -> None:
    write(path, call(1, "k", state=State.FAILED), call(2, "k", retry_of=1))
    assert [record.retry_of for record in read_journal(path)] == [None, 1]


def test_a_document_that_cannot_be_written_any_more_says_so(path: Path) -> None:
    journal = Journal.create(path, RUN)
    journal.close()
    lost: list[RecordError] = []
    journal.put_document(document(1), on_error=lost.append)
    journal.add_items((ItemRow(1, 0, 1, "k"),), lost.append)
    journal.settle_document(1, None, on_error=lost.append)
    journal.end_corpus(1, lost.append)
    assert len(lost) == 4
    with pytest.raises(RecordError, match="is closed"):
        journal.put_document(document(1))


# ── going on ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_goes_on_keeps_what_was_written_and_has_no_end(path: Path) -> None:
    write(path, document(1, "a"), done(1, "a"), ended="then", interrupted=True, summary={}, started="first")
    journal = Journal.reopen(path, {"resumed": "now"})
    assert read_run(path).keys() == {*RUN, "started", "resumed"}
    append(journal, [document(2, "b"), done(2, "b")])
    journal.close()
    assert journal.error is None
    assert [row.state for row in rows(path)] == [ResultState.DONE] * 2
    assert os.listdir(path.parent) == ["journal.db"]


def test_a_journal_that_was_reopened_waits_for_the_disk_as_before(path: Path) -> None:
    write(path)
    journal = Journal.reopen(path, {})
    assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    journal.close()


def _set_version(path: Path, version: int) -> None:
    write(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={version}")
    connection.close()


def _link(path: Path) -> None:
    write(path.with_name("other.db"))
    path.symlink_to("other.db")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: None, "cannot be gone on with: No such file"),
        (lambda path: path.write_bytes(b"not a database" * 100), "cannot be gone on with: file is not a database"),
        (lambda path: path.write_bytes(b""), "is not the journal of a batch"),
        (lambda path: write(path, job="load"), "is not the journal of a batch"),
        (lambda path: _set_version(path, 99), "was written by a newer version"),
        (lambda path: _set_version(path, 2), "is from before there were batches"),
        (_link, "is no file"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused_by_name_and_left_as_it_is(path: Path, make: object, what: str) -> None:
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(UsageError, match=what) as raised:
        Journal.reopen(path, {"resumed": "now"})
    assert raised.value.where == "--resume"
    assert (path.read_bytes() if path.exists() else None) == before


ONE_SESSION = """
import os, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from batch_journal import RUN, document, done
from tui.files.done_items import DoneItems
from tui.files.journal import Journal

path, documents = Path(sys.argv[1]), int(sys.argv[3])
journal = Journal.reopen(path, {}) if path.exists() else Journal.create(path, RUN)
known = DoneItems(path)
free = threading.Semaphore(8)
next_call = known.last_call()

def told(key):
    os.write(1, key.encode() + b"\\n")
    free.release()

for number in range(1, documents + 1):
    key = f"k{number}"
    free.acquire()
    journal.put_document(document(number, key))
    if known.outcome(key) is not None:
        free.release()
        continue
    next_call += 1
    journal.append(done(next_call, key), lambda key=key: told(key))
journal.end_corpus(documents)
journal.close()
"""
DOCUMENTS = 400


def test_killed_again_and_again_it_loses_nothing_and_repeats_nothing(path: Path) -> None:
    rng = random.Random(5)
    command = [sys.executable, "-c", ONE_SESSION, str(path), str(Path(__file__).parent), str(DOCUMENTS)]
    acknowledged: set[bytes] = set()
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(rng.randrange(1, 60)):
                acknowledged.add(writer.stdout.readline().strip())
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged |= {line.strip() for line in writer.stdout if line.endswith(b"\n")}
        committed = [record.item_key.encode() for record in read_journal(path)]
        assert len(set(committed)) == len(committed)
        assert acknowledged <= set(committed)
    assert len(acknowledged) < DOCUMENTS  # it was killed in the middle each time
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    uninterrupted = write(path.with_name("other.db"), *(document(n, f"k{n}") for n in range(1, DOCUMENTS + 1)),
                          *(done(n, f"k{n}") for n in range(1, DOCUMENTS + 1)))  # fmt: skip
    assert rows(path) == rows(uninterrupted)
    assert len(list(read_journal(path))) == DOCUMENTS


FULL_DISK = """
import json, resource, sys
from itertools import count
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from batch_journal import document, done
from tui.core.errors import RecordError
from tui.files.journal import Journal

journal = Journal.reopen(Path(sys.argv[1]), {})
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
refused = []
for number in count(1):
    try:
        journal.put_document(document(number, "k" * 5000), on_error=lambda error: refused.append(str(error)))
    except RecordError:
        break
    if refused:
        break
journal.close()
print(json.dumps([number, len(refused), str(journal.error)]))
"""


def test_a_disk_that_fills_up_with_documents_is_told_and_the_run_can_go_on(path: Path) -> None:
    write(path, document(1, "a"), done(1, "a"))
    command = [sys.executable, "-c", FULL_DISK, str(path), str(Path(__file__).parent)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    tried, refused, error = json.loads(said.stdout)
    assert "cannot be written" in error
    assert refused > 0
    assert [record.item_key for record in read_journal(path)] == ["a"]
    kept = len(rows(path))
    assert 0 < kept < tried
    journal = Journal.reopen(path, {})
    append(journal, [document(1, "a"), document(2, "b"), done(2, "b")])
    journal.end_corpus(2)
    journal.close()
    assert journal.error is None
    assert [row.output for row in rows(path)] == ["about a", "about b"]


# ── journals from before ───────────────────────────────────────────────────────────────────────────────

SCHEMA_2 = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, item_key TEXT NOT NULL, model TEXT NOT NULL, plan BLOB NOT NULL,
    due_s REAL NOT NULL, admitted_s REAL, warmup INTEGER NOT NULL
);
CREATE TABLE attempts (
    call INTEGER NOT NULL REFERENCES calls, number INTEGER NOT NULL,
    sent_s REAL NOT NULL, written_s REAL, headers_s REAL, first_token_s REAL, last_token_s REAL, ended_s REAL,
    status INTEGER, error TEXT, request_id TEXT,
    prompt INTEGER, completion INTEGER, reasoning INTEGER, cached INTEGER,
    usage_estimated INTEGER NOT NULL, possibly_billed INTEGER NOT NULL, superseded_text TEXT,
    PRIMARY KEY (call, number)
) WITHOUT ROWID;
CREATE TABLE results (
    call INTEGER PRIMARY KEY REFERENCES calls, state TEXT NOT NULL,
    prompt INTEGER, completion INTEGER, reasoning INTEGER, cached INTEGER, usage_source TEXT,
    text TEXT NOT NULL, reasoning_text TEXT NOT NULL, tool_calls TEXT NOT NULL, choices TEXT NOT NULL,
    finish_reason TEXT, error TEXT
);
CREATE TABLE traces (call INTEGER PRIMARY KEY REFERENCES calls, trace BLOB NOT NULL);
CREATE TABLE run_log (number INTEGER PRIMARY KEY, chunk BLOB NOT NULL);
CREATE INDEX calls_by_item ON calls (item_key);
INSERT INTO run VALUES ('job', '"load"'), ('model', '"m"'), ('ended', '"2026-11-22T10:01:00+00:00"');
INSERT INTO calls VALUES (1, 'k', 'm', x'7B7D', 0.5, 0.5, 0);
INSERT INTO attempts VALUES (1, 1, 1.0, 1.0, 1.1, 1.25, 2.0, 2.0, 200, NULL, 'r', 100, 10, 0, 0, 0, 0, NULL);
INSERT INTO results VALUES (1, 'done', 100, 10, 0, 0, 'usage', 'about k', '', '[]', '[]', 'stop', NULL);
PRAGMA user_version=2;
"""


def test_a_run_from_before_there_were_batches_is_read_and_reported_and_has_no_results(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA_2)
    connection.close()
    (record,) = read_journal(path)
    assert (record.text, record.retry_of) == ("about k", None)
    assert read_recording(path).records == [record]
    figures = reported(read_run_folder(path.parent))
    assert figures.figures["calls"]["done"] == 1
    with pytest.raises(UsageError, match="is a run of load, not a batch"):
        rows(path)
