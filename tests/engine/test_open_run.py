"""A batch's run folder in this process's hands: made or taken up, by one at a time, and given back whole."""

import asyncio
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from tui.core.errors import RecordError, UsageError
from tui.core.results import DocumentRow
from tui.engine.open_run import OpenRun
from tui.files.journal import MAX_BACKLOG, Journal
from tui.files.journal_reader import read_run
from tui.files.results_reader import read_results
from tui.files.run_lock import RunLock


def document(number: int) -> DocumentRow:
    return DocumentRow(number=number, id=f"d{number}", source=f"d{number}.md", item_key=f"k{number}")


def ids(folder: Path) -> list[str]:
    return [row.id for row in read_results(folder / "journal.db")]


def full(*_: Any, **__: Any) -> None:
    raise sqlite3.OperationalError("database or disk is full")


async def test_a_new_run_is_private_says_what_it_is_and_leaves_no_log_behind(tmp_path: Path) -> None:
    record = OpenRun.create(tmp_path, "gpt-4o", {"settings": {"documents": ["docs"]}})
    record.put_document(document(1))
    record.end_corpus(1)
    record.close()
    assert record.folder.name.endswith("-batch-gpt-4o")
    assert stat.S_IMODE(record.folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in record.folder.iterdir()) == ["journal.db", "lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in record.folder.iterdir()} == {0o600}
    fields = read_run(record.folder / "journal.db")
    assert (fields["job"], fields["settings"]["documents"], fields["corpus_documents"]) == ("batch", ["docs"], 1)
    assert ids(record.folder) == ["d1"]


async def test_a_run_that_goes_on_knows_what_it_said_of_itself_and_has_not_ended(tmp_path: Path) -> None:
    first = OpenRun.create(tmp_path, "m", {"model": "m", "rpm": 5})
    first.put_document(document(1))
    first.journal.set_run({"ended": "now", "summary": {}, "interrupted": True})
    first.close()
    (first.folder / "summary.json").write_text("{}")
    assert first.earlier is None
    second = OpenRun.take_up(first.folder, {"rpm": 6})
    assert second.earlier is not None
    assert (second.earlier["rpm"], second.earlier["ended"]) == (5, "now")
    assert not (first.folder / "summary.json").exists()
    second.put_document(document(2))
    second.close()
    fields = read_run(first.folder / "journal.db")
    assert (fields["rpm"], fields["model"]) == (6, "m")
    assert not {"ended", "summary", "interrupted"} & fields.keys()
    assert ids(first.folder) == ["d1", "d2"]


async def test_one_holds_a_run_and_lets_the_next_have_it_whatever_went_wrong(tmp_path: Path) -> None:
    held = OpenRun.create(tmp_path, "m", {})
    with pytest.raises(UsageError, match="is held by process"):
        OpenRun.take_up(held.folder, {})
    held.put_document(document(1))
    held.close()
    held.close()  # twice is once
    no_batch = tmp_path / "load"
    no_batch.mkdir()
    Journal.create(no_batch / "journal.db", {"job": "load"}).close()
    (no_batch / "summary.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(UsageError, match="batch"):
            OpenRun.take_up(no_batch, {})
        RunLock.take(no_batch).close()
    OpenRun.take_up(held.folder, {}).close()
    assert ids(held.folder) == ["d1"]


async def test_a_folder_that_is_no_batch_keeps_its_summary(tmp_path: Path) -> None:
    Journal.create(tmp_path / "journal.db", {"job": "load"}).close()
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(UsageError):
        OpenRun.take_up(tmp_path, {})
    assert (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("what", ["put_document", "end_corpus"])
async def test_what_cannot_be_written_is_told_in_the_loop_and_room_never_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(f"tui.files.journal.{what}", full)
    record = OpenRun.create(tmp_path, "m", {})
    lost: asyncio.Queue[RecordError] = asyncio.Queue()
    record.on_lost = lost.put_nowait
    for _ in range(2):  # from the writer's thread, and at once when it has failed
        record.put_document(document(1)) if what == "put_document" else record.end_corpus(1)
        assert "disk is full" in str(await asyncio.wait_for(lost.get(), 10))
    await record.room()
    await asyncio.to_thread(record.close)


async def test_room_waits_until_the_disk_has_caught_up(tmp_path: Path) -> None:
    record = OpenRun.create(tmp_path, "m", {})
    for number in range(1, 3 * MAX_BACKLOG):
        record.put_document(document(number))
    assert record.journal.backlog >= MAX_BACKLOG
    await asyncio.wait_for(record.room(), 10)
    assert record.journal.backlog < MAX_BACKLOG
    await asyncio.to_thread(record.close)
