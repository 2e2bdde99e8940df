"""What earlier sessions settled counts as if they had been one; what they only tried was sent and is paid for."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from batch_sessions import PRICE, a_session, corpus, folder_of, run_session

from tui.core.budget import worst_cost
from tui.core.calls import CallPlan, State, Usage
from tui.core.clock import NS_PER_S
from tui.core.commands import Drain, Stop
from tui.core.facts import Queued
from tui.core.money import cost_of
from tui.core.records import AttemptRecord, CallRecord
from tui.files.done_items import DoneItems
from tui.files.journal import Journal
from tui.jobs.past import past_ledger
from tui.jobs.replay import read_replay
from tui.jobs.replay_session import ReplaySession
from tui.simulator.server import Simulator

DOCUMENTS = corpus(
    "alder", "birch", None, "cedar", "alder", ["one ", "two ", "three "], *(f"tree {number}" for number in range(20)),
    "birch", ["one ", "two ", "three "],
)  # fmt: skip
NEVER_THE_SAME = {
    "ttft_s", "server_ttft_s", "user_ttft_s", "queue_s", "tpot_s", "chunk_gap_s", "e2e_s", "stream_tokens_per_s",
    "run_tokens_per_s", "wall_s", "rpm_peak_60s", "engine_lag_s", "ttft_marks", "attempts", "retries", "http_429",
    "record", "endpoint",
}  # fmt: skip
"""Timings, counts of attempts, and where it ran."""


def told(figures: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in figures.items() if name not in NEVER_THE_SAME}
    documents = {name: n for name, n in kept.pop("documents").items() if name != "reused"}
    goodput = {name: value for name, value in (kept.pop("goodput") or {}).items() if name != "per_s"}
    return {**kept, "documents": documents, "goodput": goodput}


async def cut_off(base_url: str, runs: Path, documents: Sequence[Any], after: int, command: Any) -> dict[str, Any]:
    """A session that is told to end once so many calls have begun."""
    async with a_session(base_url, runs, documents) as host, asyncio.timeout(20):
        fold = host.ledger.fold
        begun = 0

        def fold_and_count(fact: Any) -> None:
            nonlocal begun
            fold(fact)
            begun += isinstance(fact, Queued)
            if begun == after and isinstance(fact, Queued):
                asyncio.get_running_loop().call_soon(host.send, command)

        host.ledger.fold = fold_and_count  # type: ignore[method-assign]
        return await host.run()


@pytest.mark.parametrize("simulator", [{"same_answers": True, "ttft_s": 0.003}], indirect=True)
async def test_a_run_that_was_cut_off_twice_tells_what_one_that_was_not_tells(
    simulator: Simulator, tmp_path: Path
) -> None:
    whole = await run_session(simulator.base_url, tmp_path / "whole", DOCUMENTS)
    sent = len(simulator.truth())
    first = await cut_off(simulator.base_url, tmp_path / "cut", DOCUMENTS, 6, Drain())
    second = await cut_off(simulator.base_url, tmp_path / "cut", DOCUMENTS, 9, Drain())
    last = await run_session(simulator.base_url, tmp_path / "cut", DOCUMENTS)
    assert first["interrupted"]
    assert second["interrupted"]
    assert 3 <= first["calls"]["done"] < second["calls"]["done"] < whole["calls"]["done"]
    assert told(last) == told(whole)
    assert whole["documents"]["shared"] == 3
    assert len(simulator.truth()) == 2 * sent, "nothing was asked twice"
    for name in ("ttft_s", "e2e_s", "queue_s"):
        assert last[name]["n"] == whole[name]["n"]
    results = [(tmp_path / name).glob("*/results.jsonl") for name in ("whole", "cut")]
    texts = [
        [[row[name] for name in ("id", "output", "state", "error", "tokens", "cost_usd")] for row in map(_row, lines)]
        for lines in (next(found).read_text().splitlines() for found in results)
    ]
    assert texts[0] == texts[1]


def _row(line: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line)
    return row


@pytest.mark.parametrize("simulator", [{"same_answers": True, "ttft_s": 0.005, "itl_s": 0.001}], indirect=True)
async def test_what_was_stopped_on_the_wire_is_paid_for_and_settles_nothing(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def usage(desk: Any, plan: Any, attempt: Any) -> Usage:
        return Usage(9, attempt.chars)  # to start the process that counts would take most of the test's time

    monkeypatch.setattr("tui.engine.tokens.TokenDesk._usage", usage)
    whole = await run_session(simulator.base_url, tmp_path / "whole", DOCUMENTS)
    first = await cut_off(simulator.base_url, tmp_path / "cut", DOCUMENTS, 8, Stop())
    assert first["calls"]["cancelled"] > 0
    last = await run_session(simulator.base_url, tmp_path / "cut", DOCUMENTS)
    again, once = told(last), told(whole)
    for name in ("cost_usd", "cost_source"):  # the attempts that were cut have cost something, too
        again.pop(name)
        once.pop(name)
    assert again == once
    assert float(last["cost_usd"]) > float(whole["cost_usd"])
    assert last["attempts"] == whole["attempts"]


@pytest.mark.parametrize("simulator", [{"same_answers": True, "ttft_s": 0.003}], indirect=True)
async def test_the_whole_of_a_run_is_replayed_on_one_clock(simulator: Simulator, tmp_path: Path) -> None:
    await cut_off(simulator.base_url, tmp_path / "runs", DOCUMENTS, 6, Drain())
    await cut_off(simulator.base_url, tmp_path / "runs", DOCUMENTS, 9, Drain())
    async with a_session(simulator.base_url, tmp_path / "runs", DOCUMENTS) as host, asyncio.timeout(20):
        figures = await host.run()
        live = host.ledger
        begun = live.started_at
        assert begun is not None
        instants = {call: entry.ended_at - begun for call, entry in live.calls.items() if entry.ended_at is not None}
    replay = ReplaySession(read_replay(folder_of(tmp_path / "runs")))
    replay.tell_all()
    ledger = replay.ledger
    assert ledger.states[State.DONE] == figures["calls"]["done"]
    assert ledger.started_at is not None
    assert ledger.calls.keys() == instants.keys()
    for call, entry in ledger.calls.items():
        assert entry.ended_at is not None
        assert abs(entry.ended_at - ledger.started_at - instants[call]) < NS_PER_S // 20
    due = [ledger.calls[call].due_at for call in sorted(ledger.calls)]
    assert due == sorted(due), "sessions follow one another"


# ── the fold itself ────────────────────────────────────────────────────────────────────────────────────


def a_call(number: int, key: str, state: State = State.DONE, **fields: Any) -> CallRecord:
    done = state is State.DONE
    attempt = AttemptRecord(
        sent_s=number, first_token_s=number + 0.25, last_token_s=number + 1.0, ended_s=number + 1.0, status=200,
        usage=Usage(100, 10), error=None if done else "HTTP 500",
    )  # fmt: skip
    return CallRecord(
        id=number, state=state, model="m", item_key=key, plan_json=b"{}", due_s=number, attempts=(attempt,),
        usage=Usage(100, 10) if done else None, usage_source="usage" if done else None, text="secret answer",
        error=None if done else "HTTP 500", **fields,
    )  # fmt: skip


def past_of(tmp_path: Path, *records: CallRecord, retry_failed: bool = False) -> tuple[Any, int]:
    return past_with_charges(tmp_path, *records, retry_failed=retry_failed)[:2]


def past_with_charges(tmp_path: Path, *records: CallRecord, retry_failed: bool = False) -> tuple[Any, int, Decimal]:
    journal = Journal.create(tmp_path / "journal.db", {"job": "batch"})
    for record in records:
        journal.append(record)
    journal.close()
    settled = DoneItems(tmp_path / "journal.db")
    try:
        instant = settled.last_instant_s()
        return past_ledger(tmp_path / "journal.db", settled.outcome, instant, 10**15, PRICE, None, retry_failed)
    finally:
        settled.close()


def test_the_clock_goes_on_from_the_last_instant_on_record(tmp_path: Path) -> None:
    past, tries = past_of(tmp_path, a_call(1, "a"), a_call(2, "b"))
    assert tries == 0
    assert past.started_at == 10**15 - 3 * NS_PER_S
    assert past.last_ended_at == 10**15


def test_of_several_calls_with_one_key_the_one_that_settled_it_counts(tmp_path: Path) -> None:
    failed, again, spare = a_call(1, "a", State.FAILED), a_call(2, "a", retry_of=1), a_call(3, "a")
    past, tries = past_of(tmp_path, failed, again, spare)
    assert tries == 2
    assert past.measured_states[State.DONE] == 1
    assert past.measured_states[State.FAILED] == 0
    assert past.measured_attempts == 1
    assert past.attempts == 3
    assert past.usage.completion == 30
    assert past.spent.amount == 3 * (100 * PRICE.input + 10 * PRICE.output) / 10**6


@pytest.mark.parametrize(("retry_failed", "failed"), [(False, 1), (True, 0)])
def test_what_failed_counts_unless_it_is_asked_again(tmp_path: Path, retry_failed: bool, failed: int) -> None:
    past, tries = past_of(tmp_path, a_call(1, "a", State.FAILED), a_call(2, "b"), retry_failed=retry_failed)
    assert past.measured_states[State.FAILED] == failed
    assert sum(past.errors.values()) == failed
    assert tries == 1 - failed


def test_figures_are_kept_and_texts_are_not(tmp_path: Path) -> None:
    past, _ = past_of(tmp_path, a_call(1, "a"))
    attempt = past.calls[1].delivering
    assert attempt is not None
    assert attempt.text() == ""
    assert past.ttft.n == 1


def test_what_may_be_billed_and_was_not_counted_weighs_on_the_budget_as_it_did(tmp_path: Path) -> None:
    asked = json.dumps({"messages": [{"role": "user", "content": "x"}], "params": {"max_tokens": 100}}).encode()
    counted = AttemptRecord(sent_s=1.0, ended_s=2.0, usage=Usage(10, 20))
    cut = AttemptRecord(
        sent_s=0.0, ended_s=1.0, usage=Usage(10, 2), usage_estimated=True, possibly_billed=True, error="reset"
    )
    refused = AttemptRecord(sent_s=0.0, ended_s=0.5, status=429, error="HTTP 429")
    record = msgspec.structs.replace(a_call(1, "a"), attempts=(refused, cut, counted), plan_json=asked)
    worst = worst_cost(CallPlan(1, "m", ({"role": "user", "content": "x"},), {"max_tokens": 100}), PRICE)
    assert past_with_charges(tmp_path, record)[2] == worst + cost_of(Usage(10, 20), PRICE)
