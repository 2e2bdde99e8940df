"""A live run is steered: every command takes effect, is seen, and leaves a run that ends with figures that add up."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from call_under_test import until
from rude_server import END, STREAM, WELL, RudeServer, refuses, says, then_silence, words
from test_host import PRICE, a_setup, folder_of, lines_of, running

from tui.core.calls import State
from tui.core.commands import (
    AnyCommand,
    CancelCall,
    ChangeSpeed,
    Close,
    Drain,
    Export,
    Pause,
    RaiseBudget,
    Resume,
    RetryCall,
    RetryFailed,
    SaveCall,
    SaveScreenshot,
    Seek,
    SetConcurrency,
    SetRate,
    Stop,
    Watch,
)
from tui.core.money import Price
from tui.core.retry import RetryPolicy
from tui.core.views import CallRow
from tui.engine import host as host_module
from tui.engine.host import Host
from tui.engine.tokens import TokenDesk
from tui.files.journal_reader import read_journal
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

HANGS = then_silence(STREAM, words("Hello"))
FAILS = refuses("400 Bad", "no")
BREAKS = says(STREAM, words("Hel") + END)
ONCE = RetryPolicy(attempts=1)
TABLE = Watch("table", 0, 1000)


@pytest.fixture(autouse=True)
def _no_counting_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that hang are cut, and to start the process that counts their tokens would take most of a test's time."""

    async def none(desk: TokenDesk, *arguments: Any) -> None:
        pass

    monkeypatch.setattr(TokenDesk, "count_missing", none)


def rows_of(host: Host) -> dict[int, CallRow]:
    host.send(TABLE)
    return {row.call: row for row in host.latest.rows}


def markers_of(host: Host) -> list[str]:
    host.send(Watch("charts"))
    timeline = host.latest.timeline
    assert timeline is not None
    return [marker.what for marker in timeline.markers]


def request_of(host: Host) -> str:
    focus = host.latest.focus
    return (focus.request or "") if focus is not None else ""


def adds_up(host: Host, figures: dict[str, Any]) -> None:
    """What was begun has ended, once, in the figures as in the record; and what was planned is all accounted for."""
    calls, ledger = figures["calls"], host.ledger
    warm = sum(call.warmup for call in ledger.calls.values())
    assert calls["total"] == sum(calls.values()) - calls["total"] == len(ledger.calls) - warm
    assert ledger.order == list(range(1, len(ledger.calls) + 1))
    assert sorted(ledger.ended_order) == ledger.order
    assert host.latest.counts.ended == host.latest.calls == len(ledger.calls)
    planned = host.latest.run.planned
    assert planned is not None
    assert planned - len(ledger.calls) + ledger.withdrawn == figures["never_sent"]
    if host.folder is not None:
        recorded = sorted(record.id for record in read_journal(host.folder / "journal.db"))
        assert recorded == [line["id"] for line in lines_of(host)] == ledger.order


# ── each command ───────────────────────────────────────────────────────────────────────────────────────────


EFFECTS: dict[AnyCommand, Callable[[Host], bool]] = {
    TABLE: lambda host: len(host.latest.rows) == host.latest.calls > 0,
    Watch(focus=1, focus_request=True): lambda host: request_of(host).startswith("curl "),
    Pause(): lambda host: host.latest.run.phase == "paused" and markers_of(host) == ["paused"],
    Resume(): lambda host: host.latest.run.phase == "running",
    Drain(): lambda host: host.latest.run.phase == "draining" and host.latest.counts.streaming == 2,
    Stop(): lambda host: host.latest.counts.cancelled == 2 and host.latest.counts.running == 0,
    Close(): lambda host: host.latest.counts.streaming == 2,
    Seek(60.0): lambda host: host.latest.counts.streaming == 2,
    ChangeSpeed(2.0): lambda host: host.latest.counts.streaming == 2,
    RaiseBudget("5"): lambda host: host.latest.run.notice == "this run has no budget",
    CancelCall(1): lambda host: host.latest.counts.cancelled == 1,
    SetRate(7): lambda host: host.latest.run.rpm_limit == 7 and markers_of(host) == ["RPM limit 7"],
    SetConcurrency(4): lambda host: host.latest.counts.streaming == 4 and markers_of(host) == ["2 → 4 at once"],
    RetryCall(2): lambda host: 4 in rows_of(host) and rows_of(host)[4].retry_of == 2,
    RetryFailed(): lambda host: 4 in rows_of(host) and rows_of(host)[4].retry_of == 2,
    Export("jsonl"): lambda host: any(name.startswith("shown-") for name in os.listdir(folder_of(host))),
    SaveCall(1): lambda host: any(name.startswith("call-1-") for name in os.listdir(folder_of(host))),
    SaveScreenshot("<svg/>"): lambda host: any(name.endswith(".svg") for name in os.listdir(folder_of(host))),
}


def test_no_command_is_forgotten_here() -> None:
    assert {type(command) for command in EFFECTS} == set(get_args(AnyCommand))


@pytest.mark.parametrize("command", EFFECTS, ids=lambda command: type(command).__name__)
async def test_a_command_takes_effect_in_a_live_run(tmp_path: Path, command: AnyCommand) -> None:
    async with RudeServer(HANGS, FAILS, HANGS) as server:
        host = Host(a_setup(server.base_url, 9, concurrency=2, out=tmp_path))
        async with running(host) as task:
            await until(lambda: (host.latest.counts.streaming, host.latest.counts.failed) == (2, 1))
            if isinstance(command, Resume):
                host.send(Pause())
            host.send(command)
            if isinstance(command, RetryCall | RetryFailed):
                host.send(CancelCall(1))  # a slot must come free
            await until(lambda: EFFECTS[command](host))
            host.send(Stop())
        await host.asked_files_written()
    adds_up(host, task.result())


# ── calls that are done again ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("out", ["recorded", None])
async def test_a_run_whose_failures_are_asked_for_again_adds_up(tmp_path: Path, out: str | None) -> None:
    settings = SimulatorSettings(
        ttft_s=0.002, itl_s=0.0005, tokens=5, models=(("m", 1.0),), seed=3, reset_rate=0.2, error_rate=0.2
    )
    async with Simulator(settings) as simulator:
        folder = tmp_path / out if out is not None else None
        host = Host(a_setup(simulator.base_url, 60, concurrency=6, policy=ONCE, out=folder))
        async with running(host) as task:
            for so_far in (10, 30, 50):
                await until(lambda so_far=so_far: host.latest.counts.ended >= so_far)  # type: ignore[misc]
                host.send(RetryFailed())
                host.send(RetryFailed())  # nothing is done twice
        figures = task.result()
        truth = simulator.truth()
    adds_up(host, figures)
    rows = rows_of(host)
    again = [row.retry_of for row in rows.values() if row.retry_of is not None]
    assert len(again) == len(set(again)) > 0
    assert all(rows[call].state in (State.FAILED, State.BROKEN) for call in again)
    assert host.latest.run.planned == len(rows) == 60 + len(again) == len(truth)
    assert figures["never_sent"] == 0
    assert not host.interrupted


async def test_calls_are_done_again_when_all_slots_but_one_have_closed(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def slow(exchange: Any) -> None:
        await go.wait()
        await WELL(exchange)

    async with RudeServer(slow, FAILS, BREAKS, WELL) as server:
        host = Host(a_setup(server.base_url, 3, concurrency=3, out=tmp_path))
        async with running(host) as task:
            await until(lambda: host.latest.counts.ended == 2)
            host.send(RetryCall(2))
            host.send(RetryCall(3))
            assert host.latest.run.planned == 5
            await until(lambda: host.latest.counts.done == 2)
            assert not task.done()
            go.set()
        figures = task.result()
    adds_up(host, figures)
    assert (figures["calls"]["done"], figures["calls"]["failed"], figures["calls"]["broken"]) == (3, 1, 1)
    assert {call: row.retry_of for call, row in rows_of(host).items()} == {1: None, 2: None, 3: None, 4: 2, 5: 3}


async def test_while_paused_a_run_waits_even_for_calls_to_do_again() -> None:
    async with RudeServer(FAILS, HANGS, WELL) as server:
        host = Host(a_setup(server.base_url, 2, concurrency=2))
        async with running(host) as task:
            await until(lambda: (host.latest.counts.failed, host.latest.counts.streaming) == (1, 1))
            host.send(Pause())
            host.send(CancelCall(2))
            await until(lambda: host.latest.counts.cancelled == 1)
            host.send(RetryFailed())
            assert not task.done()
            host.send(Resume())
        figures = task.result()
    adds_up(host, figures)
    assert (figures["calls"]["done"], figures["calls"]["total"]) == (1, 3)


@pytest.mark.parametrize("end", [Drain(), Stop()])
async def test_what_was_to_be_done_again_when_the_run_was_ended_counts_as_never_sent(end: AnyCommand) -> None:
    async with RudeServer(FAILS, HANGS) as server:
        host = Host(a_setup(server.base_url, 5, concurrency=1))
        async with running(host) as task:
            await until(lambda: (host.latest.counts.failed, host.latest.counts.streaming) == (1, 1))
            host.send(RetryCall(1))
            host.send(end)
            host.send(RetryFailed())
            assert host.latest.run.notice == "nothing is retried: nothing more is sent"
            host.send(CancelCall(2))
        figures = task.result()
    adds_up(host, figures)
    assert (figures["calls"]["total"], figures["never_sent"]) == (2, 4)


async def test_after_the_end_nothing_is_steered_and_the_run_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asyncio.Event()

    class SlowBook:
        why = None

        async def find(self, model: str, base_url: str) -> Price:
            await found.wait()
            return PRICE

    monkeypatch.setattr(host_module, "PriceBook", SlowBook)
    async with RudeServer(FAILS) as server:
        host = Host(a_setup(server.base_url, 2, price=None))
        async with running(host) as task:
            await until(lambda: host._over)  # every call has ended; the run waits for the price
            before = host.latest.run
            for command in (RetryCall(1), RetryFailed(), SetRate(3), SetConcurrency(9), Pause(), CancelCall(1)):
                host.send(command)
            assert (host.latest.run.planned, host.latest.run.phase) == (before.planned, "running")
            found.set()
        figures = task.result()
        for command in (RetryCall(1), RetryFailed()):
            host.send(command)
        assert len(server.requests) == 2
    adds_up(host, figures)
    assert markers_of(host) == []


async def test_a_warm_up_call_that_is_done_again_is_a_warm_up_still() -> None:
    async with RudeServer(FAILS, HANGS, WELL) as server:
        host = Host(a_setup(server.base_url, 3, concurrency=1, warmup=2))
        async with running(host) as task:
            await until(lambda: (host.latest.counts.failed, host.latest.counts.streaming) == (1, 1))
            host.send(RetryCall(1))
            host.send(CancelCall(2))
        figures = task.result()
    adds_up(host, figures)
    assert [(row.warmup, row.retry_of) for row in rows_of(host).values()] == [
        (True, None), (True, None), (True, 1), (False, None),
    ]  # fmt: skip
    assert (figures["calls"]["total"], figures["calls"]["done"], figures["ttft_s"]["n"]) == (1, 1, 1)


async def test_a_run_without_a_planned_end_counts_no_plans_when_calls_are_done_again() -> None:
    async with RudeServer(FAILS, WELL) as server:
        host = Host(a_setup(server.base_url, None, concurrency=1))
        async with running(host):
            await until(lambda: host.latest.counts.failed == 1)
            host.send(RetryCall(1))
            await until(lambda: any(row.retry_of == 1 for row in rows_of(host).values()))
            assert host.latest.run.planned is None
            host.send(Stop())


# ── limits are marked where they were changed ──────────────────────────────────────────────────────────────


async def test_every_change_is_marked_on_the_charts_in_order() -> None:
    async with RudeServer(HANGS) as server:
        host = Host(a_setup(server.base_url, 50, concurrency=2, rpm=120))
        async with running(host):
            await until(lambda: host.latest.counts.streaming >= 1)
            for command in (SetRate(132), SetConcurrency(3), Pause(), SetRate(132), Resume(), SetRate(None), Drain()):
                host.send(command)
            assert markers_of(host) == [
                "RPM 120 → 132", "2 → 3 at once", "paused", "resumed", "no RPM limit", "stopped dispatching",
            ]  # fmt: skip
            timeline = host.latest.timeline
            assert timeline is not None
            assert [(step.rpm, step.concurrency) for step in timeline.limits] == [
                (120, 2), (132, 2), (132, 3), (None, 3),
            ]  # fmt: skip
            host.send(Stop())
