"""A batch as a live session: money that is asked for, calls that are cancelled and done again, a corpus or a disk that
gives out; and in every case a run that goes on to the same end.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from batch_sessions import a_session, corpus, folder_of, run_session

from tui.core.batch_view import BatchView
from tui.core.calls import State, Usage
from tui.core.commands import CancelCall, Drain, Pause, RaiseBudget, Resume, RetryCall, RetryFailed, Watch
from tui.core.errors import UsageError
from tui.core.results import ResultRow
from tui.engine.host import Host
from tui.files import journal_rows
from tui.files.journal_reader import read_run
from tui.files.results_reader import read_results
from tui.simulator.server import Simulator

TREES = corpus(*(f"tree {number}" for number in range(12)))
LONG = corpus(["one ", "two ", "three "])
BY_HAND = pytest.mark.parametrize("simulator", [{"ttft_s": 0.03, "same_answers": True}], indirect=True)
"""Streams that last long enough for somebody to take a hand."""


@pytest.fixture(autouse=True)
def _counted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """To start the process that counts the tokens of what was cut would take most of a test's time."""

    async def usage(desk: Any, plan: Any, attempt: Any) -> Usage:
        return Usage(9, attempt.chars)

    monkeypatch.setattr("tui.engine.tokens.TokenDesk._usage", usage)


@asynccontextmanager
async def running(host: Host) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    task = asyncio.create_task(host.run())
    async with asyncio.timeout(20):
        yield task
        await task


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a picture sets no event
        await asyncio.sleep(0.001)


def batch_of(host: Host) -> BatchView:
    view = host.latest.batch
    assert view is not None
    return view


def states(host: Host) -> dict[State, int]:
    return {state: n for state, n in host.ledger.states.items() if n}


def rows_of(runs: Path) -> list[ResultRow]:
    return list(read_results(folder_of(runs) / "journal.db"))


# ── money ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_is_asked_for_money_and_gives_it_has_all_documents(simulator: Simulator, tmp_path: Path) -> None:
    options: dict[str, Any] = {"budget_usd": Decimal("0.0005"), "asks_for_money": True}
    async with a_session(simulator.base_url, tmp_path / "runs", TREES, **options) as host, running(host) as task:
        await until(lambda: batch_of(host).asking is not None)
        view = batch_of(host)
        assert view.asking == "the budget of $0.00050 is reached"
        assert view.budget_usd == 0.0005
        host.send(RaiseBudget("0.0001"))
        assert "the budget stays" in (host.ledger.notice or "")
        assert batch_of(host).asking is not None
        host.send(RaiseBudget("1"))
        assert batch_of(host).asking is None
        figures = await task
    assert (figures["documents"]["done"], figures["interrupted"]) == (12, False)
    assert (host.refused_for_money, figures["budget"]["refused"]) == (0, 0)
    assert float(figures["budget"]["limit_usd"]) == 1.0
    assert read_run(folder_of(tmp_path / "runs") / "journal.db")["budget_usd"] == "1", "it counts on another day, too"


async def test_who_is_asked_for_money_and_drains_has_a_run_that_goes_on_with_more(
    simulator: Simulator, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    options: dict[str, Any] = {"budget_usd": Decimal("0.0005"), "asks_for_money": True}
    async with a_session(simulator.base_url, runs, TREES, **options) as host, running(host) as task:
        await until(lambda: batch_of(host).asking is not None)
        host.send(Drain())
        figures = await task
    assert not figures["interrupted"], "the budget ended it, and not a person"
    assert host.refused_for_money > 0
    done = figures["documents"]["done"]
    assert 0 < done < 12
    figures = await run_session(simulator.base_url, runs, TREES, budget_usd=Decimal("0.0005"))
    assert figures["documents"]["done"] == done, "what was spent in the first session counts"
    figures = await run_session(simulator.base_url, runs, TREES, budget_usd=Decimal(1))
    assert (figures["documents"]["done"], figures["calls"]["refused"]) == (12, 0)
    assert figures["budget"]["charged_usd"] == figures["cost_usd"]
    assert len(simulator.truth()) == 12


async def test_the_projection_ends_at_what_was_spent_also_in_a_run_that_goes_on(
    simulator: Simulator, tmp_path: Path
) -> None:
    documents = corpus(*(f"tree {number}" for number in range(12)), None, "tree 3", ["a ", "b "])
    runs = tmp_path / "runs"
    await run_session(simulator.base_url, runs, documents[:5])
    async with a_session(simulator.base_url, runs, documents) as host, running(host) as task:
        await task
    view, spent = batch_of(host), host.ledger.spent.amount
    assert spent is not None
    assert view.projection is not None
    assert view.projection.low_usd == view.projection.usd == view.projection.high_usd == pytest.approx(float(spent))
    assert (view.reused, view.shared, view.done, view.failed) == (6, 1, 14, 1)


async def test_a_run_without_a_budget_says_so_to_who_raises_it(simulator: Simulator, tmp_path: Path) -> None:
    async with a_session(simulator.base_url, tmp_path / "runs", TREES) as host, running(host) as task:
        host.send(RaiseBudget("1"))
        assert host.ledger.notice == "this run has no budget"
        await task


# ── by hand ────────────────────────────────────────────────────────────────────────────────────────────


@BY_HAND
async def test_equal_documents_wait_for_one_call_and_share_its_end_whatever_it_is(
    simulator: Simulator, tmp_path: Path
) -> None:
    same, runs = corpus("same", "same", "other"), tmp_path / "runs"
    async with a_session(simulator.base_url, runs, same) as host, running(host) as task:
        await until(lambda: batch_of(host).corpus_ended)
        host.send(CancelCall(1))
        figures = await task
    assert (figures["documents"]["done"], figures["documents"]["pending"]) == (1, 2)
    assert [row.state.value for row in rows_of(runs)] == ["pending", "pending", "done"]
    figures = await run_session(simulator.base_url, runs, same)
    assert (figures["documents"]["done"], figures["documents"]["shared"]) == (3, 1)
    assert len(simulator.truth()) == 3


@BY_HAND
async def test_a_part_that_was_cancelled_and_is_done_again_at_the_very_end_completes_its_document(
    simulator: Simulator, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    async with a_session(simulator.base_url, runs, LONG) as host, running(host) as task:
        await until(lambda: states(host) == {State.CONNECTING: 3})
        host.send(Pause())  # else the run is over before anybody can say anything
        host.send(CancelCall(2))
        await until(lambda: states(host) == {State.DONE: 2, State.CANCELLED: 1})
        host.send(RetryCall(2))
        host.send(Resume())
        figures = await task
    assert (figures["documents"]["done"], figures["calls"]["done"]) == (1, 4)
    (row,) = rows_of(runs)
    assert (row.state.value, row.attempts) == ("done", 5)


@BY_HAND
async def test_the_calls_of_a_document_are_seen_together(simulator: Simulator, tmp_path: Path) -> None:
    async with a_session(simulator.base_url, tmp_path / "runs", LONG) as host, running(host) as task:
        await task
        host.send(Watch("call", focus=2))
        focus = host.latest.focus
    assert focus is not None
    assert focus.family is not None
    assert [(member.level, member.call, member.state) for member in focus.family.members] == [
        (0, 1, State.DONE),
        (0, 2, State.DONE),
        (0, 3, State.DONE),
        (1, 4, State.DONE),
    ]


@pytest.mark.parametrize("simulator", [{"error_rate": 0.5, "same_answers": True}], indirect=True)
async def test_failed_documents_are_done_again_by_hand_until_all_are_done(simulator: Simulator, tmp_path: Path) -> None:
    enough = asyncio.Event()

    async def until_enough() -> None:
        await enough.wait()

    runs = tmp_path / "runs"
    async with a_session(simulator.base_url, runs, [*TREES, until_enough()]) as host, running(host) as task:
        await until(lambda: batch_of(host).done + batch_of(host).failed == 12)
        failed = batch_of(host).failed
        assert failed
        while batch_of(host).failed:
            host.send(RetryFailed())
            await asyncio.sleep(0)
            await until(lambda: batch_of(host).done + batch_of(host).failed == 12)
        enough.set()
        figures = await task
    assert (figures["documents"]["done"], figures["documents"]["failed"], figures["documents"]["pending"]) == (12, 0, 0)
    assert figures["done_again"] >= failed
    assert {row.state.value for row in rows_of(runs)} == {"done"}
    sent = len(simulator.truth())
    again = await run_session(simulator.base_url, runs, TREES)
    assert (again["calls"]["total"], again["calls"]["done"]) == (12, 12), "what was done again counts once"
    assert len(simulator.truth()) == sent


async def test_a_drain_while_a_document_is_being_read_does_not_wait_for_it(
    simulator: Simulator, tmp_path: Path
) -> None:
    reached = asyncio.Event()

    async def never() -> None:
        reached.set()
        await asyncio.Event().wait()

    runs = tmp_path / "runs"
    async with a_session(simulator.base_url, runs, [TREES[0], never()]) as host, running(host) as task:
        await reached.wait()
        host.send(Drain())
        figures = await task
    assert figures["interrupted"]
    assert figures["documents"] == {
        "total": 1, "done": 1, "failed": 0, "pending": 0, "shared": 0, "reused": 0, "cut": 0,
        "errors": [], "read_to_the_end": False,
    }  # fmt: skip


# ── what gives out ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_corpus_that_breaks_off_leaves_what_was_read_and_goes_on(simulator: Simulator, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    gone = UsageError("rows.jsonl", "cannot be read", "bring it back")
    async with a_session(simulator.base_url, runs, [*TREES[:4], gone, *TREES[4:]]) as host, running(host) as task:
        figures = await task
    assert host.corpus_error is gone
    assert not figures["documents"]["read_to_the_end"]
    assert {row.state.value for row in rows_of(runs)} <= {"done", "pending"}
    figures = await run_session(simulator.base_url, runs, TREES)
    assert (figures["documents"]["done"], len(simulator.truth())) == (12, 12)


async def test_a_disk_that_is_full_while_documents_are_written_stops_dispatch_and_the_run_goes_on_later(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_document = journal_rows.put_document
    written: list[int] = []

    def full(connection: sqlite3.Connection, row: Any, items: Any) -> None:
        written.append(row.number)
        if len(written) > 20:
            raise sqlite3.OperationalError("database or disk is full")
        put_document(connection, row, items)

    many, runs = corpus(*(f"tree {number}" for number in range(400))), tmp_path / "runs"
    with monkeypatch.context() as patched:
        patched.setattr("tui.files.journal.put_document", full)
        async with a_session(simulator.base_url, runs, many) as host, running(host) as task:
            figures = await task
    assert "disk is full" in str(host.record_error)
    assert figures["documents"]["read_to_the_end"] is False
    assert len(written) < 100, "nothing more was dispatched"
    committed = {row.id for row in rows_of(runs) if row.state.value == "done"}
    asked = len(simulator.truth())
    figures = await run_session(simulator.base_url, runs, many)
    assert figures["documents"]["done"] == 400
    assert len(simulator.truth()) - asked == 400 - len(committed)


async def test_the_corpus_may_change_between_two_sessions(simulator: Simulator, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    await run_session(simulator.base_url, runs, corpus("alder", "birch", "cedar", "dogwood"))
    changed = corpus("elm", "cedar", "alder", "alder")
    figures = await run_session(simulator.base_url, runs, changed)
    assert [row.output is not None for row in rows_of(runs)] == [True] * 4
    assert (figures["documents"]["total"], figures["documents"]["done"], figures["documents"]["shared"]) == (4, 4, 1)
    assert len(simulator.truth()) == 5
