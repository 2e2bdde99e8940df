"""A whole run over real sockets: its end, its record, its commands, its secrets, its disk."""

import asyncio
import json
import logging
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from call_under_test import AT_ONCE, a_plan, until
from rude_server import (
    DONE,
    END,
    STOP,
    STREAM,
    WELL,
    RudeServer,
    delta,
    event,
    refuses,
    reply,
    says,
    then_silence,
    words,
)

from tui.core.calls import TERMINAL, CallPlan, State
from tui.core.commands import CancelCall, Close, Drain, Pause, Resume, SetConcurrency, SetRate, Stop, Watch
from tui.core.errors import RecordError, UsageError
from tui.core.money import Price
from tui.core.records import CallRecord
from tui.core.secrets import Secret
from tui.engine import host as host_module
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.host import Host
from tui.engine.setup import RunSetup
from tui.engine.tokens import TokenDesk
from tui.files.journal import Journal
from tui.files.journal_reader import read_journal, read_run
from tui.headless import progress_line, summary_text, troubles_text
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

PRICE = Price(Decimal(1), Decimal(10), origin="--price")
FAST = SimulatorSettings(ttft_s=0.002, itl_s=0.0005, tokens=8, models=(("m", 1.0),))
HANGS = then_silence(STREAM, words("Hello"))
CALL_KEYS = ["id", "state", "model", "due_s", "admitted_s", "attempts", "tokens", "cost_usd", "text", "finish_reason"]
ATTEMPT_KEYS = [
    "sent_s", "written_s", "headers_s", "first_token_s", "last_token_s", "ended_s", "status", "error", "request_id",
]  # fmt: skip


def a_setup(base_url: str, calls: int | None, **more: Any) -> RunSetup:
    numbers = range(1, calls + 1) if calls is not None else count(1)
    warmup = more.pop("warmup", 0)
    plans: Iterator[CallPlan] = (
        CallPlan(number, "m", a_plan(number).messages, {}, warmup=number <= warmup) for number in numbers
    )
    options: dict[str, Any] = {"concurrency": 4, "policy": AT_ONCE, "price": PRICE, "seed": 1, **more}
    endpoint = Endpoint(base_url, options.pop("key", Secret("")), options.pop("headers", ()))
    return RunSetup("load", "m", endpoint, plans, calls, **options)


def check(host: Host) -> None:
    """Every call in one terminal state, and nothing is left running."""
    ledger = host.ledger
    assert sum(ledger.states[state] for state in TERMINAL) == len(ledger.calls)
    assert all(attempt.ended_at is not None for call in ledger.calls.values() for attempt in call.attempts)
    left = [
        task
        for task in asyncio.all_tasks() - {asyncio.current_task()}
        if not any(name in repr(task.get_coro()) for name in ("RudeServer", "_accept_connection"))
    ]
    assert left == []
    assert host._transport is not None
    assert host._transport.open_connections == 0  # type: ignore[union-attr]


@asynccontextmanager
async def running(host: Host) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    task = asyncio.create_task(host.run())
    async with asyncio.timeout(20):
        yield task
        await asyncio.wait({task})
    check(host)


def folder_of(host: Host) -> Path:
    assert host.folder is not None
    return host.folder


def lines_of(host: Host) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder_of(host) / "calls.jsonl").read_text().splitlines()]


async def test_a_run_without_a_record_ends_with_its_summary() -> None:
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 10))
        figures = await host.run()
        assert len(simulator.truth()) == 10
    assert figures["calls"] == {"total": 10, "done": 10, "failed": 0, "broken": 0, "cancelled": 0, "refused": 0}
    assert (figures["tokens"]["completion"], figures["tokens"]["source"]) == (80, "usage")
    assert (figures["attempts"], figures["retries"], figures["rpm_peak_60s"]) == (10, 0, 10)
    assert figures["ttft_s"]["n"] == figures["server_ttft_s"]["n"] == figures["e2e_s"]["n"] == 10
    tokens = figures["tokens"]
    assert Decimal(figures["cost_usd"]) == (tokens["prompt"] * 1 + tokens["completion"] * 10) / Decimal(1_000_000)
    assert host.folder is None
    assert (host.latest.run.phase, host.latest.counts.done) == ("finished", 10)
    check(host)


async def test_a_run_with_a_record_keeps_every_call_and_only_for_its_owner(tmp_path: Path) -> None:
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 12, out=tmp_path / "runs"))
        figures = await host.run()
    folder = folder_of(host)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert files == {"journal.db": 0o600, "summary.json": 0o600, "calls.jsonl": 0o600}
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(figures))
    lines = lines_of(host)
    assert [line["id"] for line in lines] == list(range(1, 13))
    for line in lines:
        assert list(line)[: len(CALL_KEYS)] == [*CALL_KEYS[:8], "cost_source", "text"]
        assert set(CALL_KEYS) <= line.keys()
        (attempt,) = line["attempts"]
        assert list(attempt)[: len(ATTEMPT_KEYS)] == ATTEMPT_KEYS
        instants = [line["due_s"], line["admitted_s"], *(attempt[key] for key in ATTEMPT_KEYS[:6])]
        assert instants == sorted(instants)
        assert (line["state"], attempt["status"], line["finish_reason"]) == ("done", 200, "stop")
        assert line["text"]
    assert sum(Decimal(line["cost_usd"]) for line in lines) == Decimal(figures["cost_usd"])
    assert len(list(read_journal(folder / "journal.db"))) == 12
    run = read_run(folder / "journal.db")
    assert (run["job"], run["planned"], run["interrupted"], run["summary"]["schema"]) == ("load", 12, False, 1)
    check(host)


async def test_faults_are_told_apart_in_the_summary(tmp_path: Path) -> None:
    acts = [WELL, refuses("400 Bad", "no"), says(STREAM, words("Hel") + END), refuses("429 Slow"), WELL]
    async with RudeServer(*acts) as server:
        host = Host(a_setup(server.base_url, 4, concurrency=1, out=tmp_path))
        figures = await host.run()
    assert figures["calls"] == {"total": 4, "done": 2, "failed": 1, "broken": 1, "cancelled": 0, "refused": 0}
    assert (figures["attempts"], figures["retries"], figures["http_429"]) == (5, 1, 1)
    assert [line["state"] for line in lines_of(host)] == ["done", "failed", "broken", "done"]
    assert figures["cost_source"] == "possibly billed"
    check(host)


async def test_warm_up_is_in_no_figure_but_the_money_and_the_rate() -> None:
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 6, warmup=4, concurrency=1))
        figures = await host.run()
    assert (figures["calls"]["total"], figures["attempts"], figures["ttft_s"]["n"]) == (2, 2, 2)
    assert (figures["tokens"]["completion"], figures["rpm_peak_60s"]) == (16, 6)
    assert Decimal(figures["cost_usd"]) > 6 * 8 * 10 / Decimal(1_000_000)
    assert host.latest.counts.done == 6


async def test_a_run_of_a_given_duration_ends_and_lets_its_streams_end() -> None:
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, None, duration_s=0.3))
        figures = await host.run()
    assert figures["calls"]["done"] > 3
    assert figures["calls"]["failed"] == figures["calls"]["broken"] == 0
    assert not host.interrupted
    assert host.latest.run.deadline_at is not None
    check(host)


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_pause_resume_rate_and_concurrency_are_obeyed_and_seen() -> None:
    async with RudeServer(HANGS) as server:
        host = Host(a_setup(server.base_url, None, concurrency=2))
        host.send(Pause())  # before the run: changes nothing
        async with running(host):
            await until(lambda: host.latest.counts.streaming == 2)
            host.send(Pause())
            assert host.latest.run.phase == "paused"
            host.send(SetConcurrency(0))
            assert host.latest.run.concurrency == 1
            host.send(SetConcurrency(5))
            host.send(CancelCall(1))
            await until(lambda: host.latest.counts.cancelled == 1)
            assert host.latest.counts.running == 1
            host.send(Resume())
            await until(lambda: host.latest.counts.streaming == 5)
            host.send(SetRate(1))
            assert (host.latest.run.rpm_limit, host.latest.run.phase) == (1, "running")
            host.send(CancelCall(2))
            await until(lambda: host.latest.counts.waiting == 1)
            host.send(SetRate(None))
            await until(lambda: host.latest.counts.streaming == 5)
            host.send(Watch(first=1, count=2, tail_chars=3))
            assert [pane.text for pane in host.latest.panes] == ["llo", "llo"]
            host.send(Close())
            host.send(Stop())
    assert host.interrupted
    for command in (Resume(), Pause(), Drain(), Stop(), SetRate(5), SetConcurrency(9), CancelCall(1)):
        host.send(command)  # after the end: changes nothing
    assert host.latest.run.phase == "finished"


async def test_a_drain_says_so_and_ends_when_the_streams_have_ended(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def slow(exchange) -> None:  # type: ignore[no-untyped-def]
        await go.wait()
        await WELL(exchange)

    async with RudeServer(slow) as server:
        host = Host(a_setup(server.base_url, 50, concurrency=3, out=tmp_path))
        async with running(host) as task:
            await until(lambda: len(server.requests) == 3)
            host.send(Drain())
            assert "draining" in (host.latest.run.notice or "")
            go.set()
        figures = task.result()
    assert figures["calls"] == {"total": 3, "done": 3, "failed": 0, "broken": 0, "cancelled": 0, "refused": 0}
    assert host.interrupted
    assert read_run(folder_of(host) / "journal.db")["interrupted"] is True


async def test_a_stop_ends_at_once_and_its_record_is_whole(tmp_path: Path) -> None:
    async with RudeServer(HANGS) as server:
        host = Host(a_setup(server.base_url, 50, concurrency=3, out=tmp_path))
        async with running(host) as task:
            await until(lambda: host.latest.counts.streaming == 3)
            host.send(Drain())
            host.send(Stop())
        figures = task.result()
    assert figures["calls"]["cancelled"] == figures["calls"]["total"] == 3
    assert [(line["state"], line["text"]) for line in lines_of(host)] == [("cancelled", "Hello")] * 3


async def test_a_run_whose_task_is_cancelled_still_closes_its_record(tmp_path: Path) -> None:
    async with RudeServer(HANGS) as server:
        host = Host(a_setup(server.base_url, None, concurrency=3, out=tmp_path))
        async with running(host) as task:
            await until(lambda: host.latest.counts.streaming == 3)
            task.cancel()
    assert task.cancelled()
    assert len(lines_of(host)) == 3
    assert json.loads((folder_of(host) / "summary.json").read_text())["calls"]["cancelled"] == 3


async def test_a_corpus_that_turns_bad_ends_dispatch_and_its_error_is_kept(tmp_path: Path) -> None:
    def plans() -> Iterator[CallPlan]:
        yield a_plan(1)
        raise UsageError("prompts.jsonl:2", "broken", "mend it")

    async with RudeServer(WELL) as server:
        host = Host(RunSetup("load", "m", Endpoint(server.base_url), plans(), 2, price=PRICE, out=tmp_path))
        await host.run()
    assert "prompts.jsonl:2" in str(host.corpus_error)
    assert host.latest.run.notice == "stopped: prompts.jsonl:2: broken"
    assert [line["state"] for line in lines_of(host)] == ["done"]
    assert json.loads((folder_of(host) / "summary.json").read_text())["calls"]["total"] == 1
    check(host)


async def test_a_corpus_that_turns_bad_is_stated_and_what_then_drains_is_not_paused(tmp_path: Path) -> None:
    def plans() -> Iterator[CallPlan]:
        yield a_plan(1)
        raise UsageError("prompts.jsonl:2", "broken", "mend it")

    async with RudeServer(HANGS) as server:
        host = Host(RunSetup("load", "m", Endpoint(server.base_url), plans(), 2, price=PRICE, out=tmp_path))
        async with running(host) as task:
            await until(lambda: host.latest.counts.streaming == 1)
            assert host.latest.run.phase == "draining"
            host.send(Pause())
            assert host.latest.run.phase == "draining"
            host.send(Stop())
    assert task.result()["calls"]["cancelled"] == 1
    check(host)


async def test_a_spent_quota_stops_dispatch_visibly_and_takes_back_what_waits() -> None:
    async with RudeServer(WELL, refuses("429 Slow", "You exceeded your quota", "insufficient_quota")) as server:
        host = Host(a_setup(server.base_url, 500, concurrency=8))
        figures = await host.run()
    assert figures["calls"]["total"] <= 20
    assert figures["calls"]["failed"] >= 1
    assert "stopped: HTTP 429: You exceeded your quota" in (host.latest.run.notice or "")
    assert not host.interrupted
    check(host)


async def test_the_price_of_a_short_run_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class SlowBook:
        why = None

        async def find(self, model: str, base_url: str) -> Price:
            await asyncio.sleep(0.3)
            return PRICE

    monkeypatch.setattr(host_module, "PriceBook", SlowBook)
    async with Simulator(FAST) as simulator:
        figures = await Host(a_setup(simulator.base_url, 2, price=None)).run()
    assert figures["cost_source"] == "billed by usage"


async def test_a_price_that_never_comes_does_not_keep_a_run_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoBook:
        why = None

        async def find(self, model: str, base_url: str) -> Price:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(host_module, "PriceBook", NoBook)
    monkeypatch.setattr(host_module, "PRICE_GRACE_S", 0.05)
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 2, price=None))
        figures = await host.run()
    assert (figures["cost_usd"], figures["cost_source"]) == (None, "unpriced")
    check(host)


# ── the disk ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_record_that_cannot_be_written_stops_dispatch_and_the_run_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, commits = Journal._commit, []

    def full(self: Journal, group: list[Any]) -> None:
        commits.append(sum(isinstance(entry.what, CallRecord) for entry in group))
        if len(commits) > 2:
            raise OverflowError("disk full")
        commit(self, group)

    monkeypatch.setattr(Journal, "_commit", full)
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 100_000, out=tmp_path))
        figures = await host.run()
    assert isinstance(host.record_error, RecordError)
    assert "disk full" in str(host.record_error)
    assert "stopped: " in (host.latest.run.notice or "")
    assert figures["calls"]["total"] < 1000
    assert len(lines_of(host)) == sum(commits[:2])
    assert (folder_of(host) / "summary.json").exists()
    check(host)


FULL_DISK = """
import asyncio, json, resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_host import FAST, Host, Simulator, a_setup

async def main():
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 5000, out=Path(sys.argv[2])))
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        figures = await host.run()
    print(json.dumps({"error": str(host.record_error), "total": figures["calls"]["total"],
                      "notice": host.latest.run.notice, "folder": str(host.folder)}))

asyncio.run(main())
"""


def test_a_full_disk_ends_the_run_with_what_was_committed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(FULL_DISK), str(Path(__file__).parent), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "cannot be written" in said["error"]
    assert "stopped: " in said["notice"]
    assert 0 < said["total"] < 5000
    folder = Path(said["folder"])
    committed = list(read_journal(folder / "journal.db"))
    assert 0 < len(committed) <= said["total"]
    assert (folder / "summary.json").exists()
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────

KEY, TOKEN = "sk-canary-0123456789abcdef", "tok-canary-fedcba9876543210"


async def test_a_key_that_the_server_echoes_is_in_nothing_that_is_written_or_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"key {KEY} token {TOKEN} Bearer {KEY}"
    acts = [
        refuses("401 Unauthorized", f"Incorrect API key provided: {echo}", KEY, f"x-request-id: {KEY}"),
        says(STREAM, words("Hi"), event({"error": {"message": echo, "code": TOKEN}}) + END),
        says(STREAM, event(f"{{{echo}") + END),
        says(reply("503 Busy", echo.encode(), f"x-request-id: {TOKEN}")),
        says(STREAM, words("Hi"), event(delta(finish_reason=KEY)), DONE + END),
        says(reply("302 Found", b"", f"Location: http://[{KEY}")),
    ]
    async with RudeServer(*acts) as server:
        headers = (("x-token", Secret(f"Bearer {TOKEN}")),)
        setup = a_setup(server.base_url, 6, concurrency=1, key=Secret(KEY), headers=headers, out=tmp_path)
        host = Host(setup)
        host.send(Watch(focus=1, everything=True))
        figures = await host.run()
        assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert figures["calls"]["failed"] >= 2
    written = b"".join((folder_of(host) / name).read_bytes() for name in os.listdir(folder_of(host)))
    shown = (
        msgspec.msgpack.encode(host.latest)
        + json.dumps(figures).encode()
        + summary_text(figures, host.notes).encode()
        + troubles_text(figures).encode()
        + progress_line(host.latest).encode()
        + repr((setup, host.ledger.calls, [vars(host)])).encode()
        + caplog.text.encode()
    )
    assert b"***" in written
    assert b"canary" not in written
    assert b"canary" not in shown
    check(host)


# ── everything at once ────────────────────────────────────────────────────────────────────────────────────


async def test_a_thousand_calls_with_resets_stalls_and_refusals_each_end_once(tmp_path: Path) -> None:
    settings = SimulatorSettings(
        ttft_s=0.005, itl_s=0.0005, tokens=6, models=(("m", 1.0),), seed=7,
        reset_rate=0.05, stall_rate=0.05, refuse_rate=0.10, retry_after_s=0.0,
    )  # fmt: skip
    limits = TimeLimits(first_byte_s=10.0, idle_s=0.5, total_s=60.0)
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    async with Simulator(settings) as simulator:
        host = Host(a_setup(simulator.base_url, 1000, concurrency=100, limits=limits, out=tmp_path))
        figures = await host.run()
        truth = simulator.truth()
    check(host)
    calls = figures["calls"]
    assert calls["total"] == 1000 == sum(calls.values()) - calls["total"]
    ended = [record["ended"] for record in truth]
    assert figures["attempts"] == len(truth) == 1000 + figures["retries"]
    assert figures["http_429"] == ended.count("refused") > 50
    assert calls["done"] == ended.count("complete")
    assert calls["broken"] == ended.count("cut") + ended.count("stalled") > 50
    assert calls["cancelled"] == calls["refused"] == 0
    lines = lines_of(host)
    assert [line["id"] for line in lines] == list(range(1, 1001))
    assert {state: sum(line["state"] == state for line in lines) for state in ("done", "failed", "broken")} == {
        state: calls[state] for state in ("done", "failed", "broken")
    }
    assert host.latest.counts.ended == 1000
    if before:
        await until(_as_few_files_as(before))


def _as_few_files_as(before: int) -> Callable[[], bool]:
    return lambda: len(os.listdir("/proc/self/fd")) <= before


def test_the_states_a_summary_names_are_the_terminal_ones() -> None:
    assert {state.value for state in TERMINAL} == {"done", "failed", "broken", "cancelled", "refused"}
    assert State.DONE in TERMINAL


async def test_counting_tokens_holds_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    may_count = asyncio.Event()
    count_missing = TokenDesk.count_missing

    async def slow(desk: TokenDesk, *arguments: Any) -> None:
        await may_count.wait()
        await count_missing(desk, *arguments)

    monkeypatch.setattr(TokenDesk, "count_missing", slow)
    async with RudeServer(says(STREAM, words("Hi"), STOP, DONE + END)) as server:
        host = Host(a_setup(server.base_url, 5, concurrency=1))
        run = asyncio.create_task(host.run())
        await until(lambda: len(server.requests) == 5)
        may_count.set()
        figures = await run
    assert figures["calls"]["done"] == 5
    assert figures["tokens"]["source"] == "estimated"
    check(host)
