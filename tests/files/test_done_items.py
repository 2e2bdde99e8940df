"""What a batch has settled is found again, also while it is being written."""

import threading
from pathlib import Path

import pytest
from batch_journal import RUN, attempt, call, done, write

from tui.core.calls import State
from tui.core.errors import RecordError
from tui.core.results import Outcome
from tui.files.done_items import DoneItems
from tui.files.journal import Journal


def outcome_of(path: Path, key: str) -> Outcome | None:
    items = DoneItems(path)
    try:
        return items.outcome(key)
    finally:
        items.close()


def test_an_outcome_says_what_was_answered(tmp_path: Path) -> None:
    path = write(tmp_path / "j", call(7, "k", attempt(), finish_reason="stop", text="half \ud83d"))
    assert outcome_of(path, "k") == Outcome(
        call=7, state=State.DONE, text="half \ud83d", finish_reason="stop", error=None, completion_tokens=10
    )
    assert outcome_of(path, "other") is None


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ((State.CANCELLED, State.REFUSED), None),
        ((State.FAILED, State.CANCELLED), 1),
        ((State.FAILED, State.BROKEN), 2),
        ((State.FAILED, State.DONE, State.FAILED), 2),
        ((State.DONE, State.DONE), 1),
    ],
)
def test_of_several_calls_the_first_that_is_done_counts_else_the_last_that_failed(
    tmp_path: Path, states: tuple[State, ...], found: int | None
) -> None:
    path = write(tmp_path / "j", *(call(number, "k", state=state) for number, state in enumerate(states, start=1)))
    outcome = outcome_of(path, "k")
    assert (None if outcome is None else outcome.call) == found


def test_what_is_committed_is_seen_at_once(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", RUN)
    items = DoneItems(tmp_path / "j")
    assert items.outcome("k") is None
    committed = threading.Event()
    journal.append(done(1, "k"), committed.set)
    assert committed.wait(20)
    assert items.outcome("k") is not None
    items.close()
    journal.close()


def test_numbers_and_instants_go_on_after_the_last_ones(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write(path)
    items = DoneItems(path)
    assert (items.last_call(), items.last_instant_s()) == (0, 0.0)
    items.close()
    path.unlink()
    write(path, call(9, "a", attempt(sent_s=40.0)), call(12, "b", attempt(sent_s=3.0)))
    items = DoneItems(path)
    assert (items.last_call(), items.last_instant_s()) == (12, 41.0)
    items.close()


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"j cannot be read"):
        DoneItems(tmp_path / "j")
