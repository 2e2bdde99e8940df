"""A record is told again in the order of the run, and one that cannot be told is refused with a reason."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from recorded_run import CALLS, FIELDS, START, a_recording, at, facts_of_run, recorded_run

from tui.core.errors import UsageError
from tui.core.facts import Finished, LoopLagged
from tui.core.ledger import Ledger
from tui.core.summary import summary
from tui.files.price_book import PriceBook
from tui.jobs.replay import NO_LOCAL_PRICE, Replay, read_replay


def told_to_the_end(replay: Replay) -> Ledger:
    ledger = replay.ledger()
    for _, fact in replay.told():
        ledger.fold(fact)
    return ledger


def test_a_run_is_told_fact_for_fact(tmp_path: Path) -> None:
    replay = read_replay(recorded_run(tmp_path))
    told = [fact for _, fact in replay.told()]
    stated = facts_of_run()
    for kind in (True, False):  # when a lag was taken says nothing of what was stated before it
        assert [fact for fact in told if isinstance(fact, LoopLagged) is kind] == [
            fact for fact in stated if isinstance(fact, LoopLagged) is kind
        ]
    assert [fact for _, fact in replay.told()] == told  # any number of times


def test_instants_to_tell_at_never_go_back_and_are_those_of_the_facts(tmp_path: Path) -> None:
    told = list(Replay(a_recording(tmp_path), "run").told())
    instants = [instant for instant, _ in told]
    assert instants == sorted(instants)
    # No two facts but texts are told in one instant: some ns later is near enough.
    assert all(0 <= instant - fact.at < 1000 for instant, fact in told)


def test_it_lasts_from_its_first_fact_to_its_last(tmp_path: Path) -> None:
    replay = Replay(a_recording(tmp_path), "run")
    assert (replay.starts_at, replay.ends_at) == (START, at(1000 * CALLS - 100))


def test_its_figures_are_the_fold_s_with_what_the_run_wrote_of_itself(tmp_path: Path) -> None:
    written = {"interrupted": False, "never_sent": 3, "budget": {"refused": 1}, "calls": "not looked at"}
    replay = Replay(a_recording(tmp_path, summary=written), "the/run")
    figures = replay.figures(told_to_the_end(replay))
    ledger = Ledger()
    for fact in facts_of_run():
        ledger.fold(fact)
    ledger.set_price("m", None)
    theirs = {"interrupted": False, "never_sent": 3, "budget": {"refused": 1}}
    ours = summary(ledger, replay.card(), at(0)) | {"endpoint": "host/v1", "record": "the/run"}
    assert figures == {**ours, **theirs}
    assert list(figures)[:4] == ["interrupted", "never_sent", "budget", "calls"]


def test_what_the_run_had_to_say_to_its_figures_is_said_again(tmp_path: Path) -> None:
    said = {"tokens": "estimated", "cost": "no price\x1b[31m", "wire": "not here"}
    kept = Replay(a_recording(tmp_path, figure_notes=said), "run").notes
    assert kept == {"tokens": "estimated", "cost": "no price�[31m", "wire": "words"}


def test_a_server_on_this_machine_has_no_price_though_the_record_does_not_say_so(tmp_path: Path) -> None:
    for number, (base_url, why) in enumerate(
        (("http://127.0.0.1:8600/v1", NO_LOCAL_PRICE), ("https://api.example/v1", None), (None, None))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert Replay(a_recording(folder, base_url=base_url), "run").notes["cost"] == why


async def test_the_reason_is_in_the_words_of_the_price_book(tmp_path: Path) -> None:
    book = PriceBook(tmp_path)
    assert await book.find("m", "http://localhost:1/v1") is None
    assert book.why == NO_LOCAL_PRICE


def test_price_and_objectives_are_those_of_the_run(tmp_path: Path) -> None:
    fields = {"price": {"input": "1", "output": "10", "cached": None, "tiers": []}, "objectives_ns": {"ttft": 10**8}}
    replay = Replay(a_recording(tmp_path, **fields), "run")
    figures = replay.figures(told_to_the_end(replay))
    assert Decimal(figures["cost_usd"]) == Decimal("0.00105")
    assert figures["goodput"]["met"] == CALLS


def test_of_a_run_that_was_cut_off_every_call_on_record_ends(tmp_path: Path) -> None:
    replay = read_replay(recorded_run(tmp_path, last_chunk=False))
    ledger = told_to_the_end(replay)
    figures = replay.figures(ledger)
    assert figures["calls"]["done"] == CALLS
    assert (figures["interrupted"], figures["never_sent"]) == (True, 0)
    assert ledger.ended_at is None
    ends = [fact.call for _, fact in replay.told() if isinstance(fact, Finished)]
    assert ends == sorted(ends)
    assert not any(isinstance(fact, LoopLagged) for _, fact in replay.told())


def test_a_folder_or_its_journal_names_a_run(tmp_path: Path) -> None:
    recorded_run(tmp_path)
    assert read_replay(tmp_path).ends_at == read_replay(tmp_path / "journal.db").ends_at


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no journal"):
        read_replay(tmp_path)
    with pytest.raises(UsageError, match="is no run's folder"):
        read_replay(tmp_path / "nowhere")
    (tmp_path / "journal.db").write_text("words")
    with pytest.raises(UsageError, match="cannot be read"):
        read_replay(tmp_path)


def test_a_run_of_which_nothing_was_written_is_refused(tmp_path: Path) -> None:
    from tui.files.journal import Journal

    Journal.create(tmp_path / "journal.db", FIELDS).close()
    with pytest.raises(UsageError, match="holds nothing to replay"):
        read_replay(tmp_path)


@pytest.mark.parametrize("table", ["traces SET trace", "run_log SET chunk"])
@pytest.mark.parametrize("content", [b"", b"\x93", b"\x92\x91\x95\x63\x01\x01\x00\x00\x90"])
def test_a_record_that_is_not_ours_is_refused(tmp_path: Path, table: str, content: bytes) -> None:
    import zlib

    path = recorded_run(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {table} = ?", (zlib.compress(content),))
    connection.close()
    with pytest.raises(UsageError, match="cannot be replayed"):
        read_replay(path)


@pytest.mark.parametrize(
    "field",
    [
        {"objectives_ns": [1]}, {"objectives_ns": {"ttft": "x"}}, {"objectives_ns": {"speed": 1}}, {"planned": "ten"},
        {"planned": -1}, {"planned": True}, {"price": {"input": "NaN", "output": "1"}}, {"price": "dear"},
        {"price": {"input": "-1", "output": "1"}}, {"summary": [1]}, {"model": 5}, {"endpoint": {}}, {"job": []},
    ],
)  # fmt: skip
def test_a_record_with_a_field_that_is_not_ours_is_refused(tmp_path: Path, field: dict[str, object]) -> None:
    path = recorded_run(tmp_path, FIELDS | field)
    with pytest.raises(UsageError, match="cannot be replayed"):
        read_replay(path)
