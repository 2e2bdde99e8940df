"""What is stated of a run goes on record beside its calls; when it cannot, that is told once, and the run goes on."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from test_host import a_setup

from tui.core.clock import NS_PER_S
from tui.core.errors import RecordError
from tui.core.fact_log import RunChunk, facts_of_rows
from tui.core.facts import Fact, LoopLagged, Noticed, PhaseChanged
from tui.core.ledger import Ledger
from tui.engine.record import RunRecord
from tui.engine.tokens import TokenDesk
from tui.files.journal_reader import read_recording

START = 10**15


class Recorded:
    """A record without a run around it."""

    def __init__(self, out: Path | None) -> None:
        self.ledger = Ledger()
        self.errors: list[RecordError] = []
        setup = a_setup("http://127.0.0.1:1/v1", 1, out=out)
        self.record = RunRecord(setup, self.ledger, TokenDesk("m"), self.emit, self.errors.append)
        self.record.open("words")

    def emit(self, fact: Fact) -> None:
        self.ledger.fold(fact)
        self.record.hear(fact)

    def logged(self) -> list[list[Fact]]:
        assert self.record.folder is not None
        chunks = read_recording(self.record.folder / "journal.db").run_log
        decoded = [msgspec.msgpack.decode(chunk, type=RunChunk) for chunk in chunks]
        return [[heard.fact for heard in facts_of_rows(chunk.rows, None)] for chunk in decoded]


async def test_it_is_written_at_once_then_about_once_a_second_and_at_the_end(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    begun = PhaseChanged(START, "running")
    notices = [Noticed(START + tenth * NS_PER_S // 10, str(tenth)) for tenth in range(1, 25)]
    for fact in (begun, *notices):
        recorded.emit(fact)
    recorded.record.close({"never_sent": 0}, False, None, {})
    assert recorded.logged() == [[begun], notices[:10], notices[10:20], notices[20:]]
    recorded.emit(Noticed(START, "after the end"))
    assert not recorded.errors


async def test_a_log_that_cannot_be_written_is_told_of_once(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    assert recorded.record._journal is not None
    recorded.record._journal.close()
    for second in range(3):
        recorded.emit(LoopLagged(START + second * NS_PER_S, 5))
    await asyncio.sleep(0)
    assert [str(error).endswith("is closed") for error in recorded.errors] == [True]
    assert recorded.record.error is recorded.errors[0]


@pytest.mark.parametrize("facts", [1, 100])
async def test_without_a_record_nothing_is_kept(facts: int) -> None:
    recorded = Recorded(None)
    for number in range(facts):
        recorded.emit(Noticed(START + number * NS_PER_S, "words"))
    assert recorded.record._log is None
    assert not recorded.errors
