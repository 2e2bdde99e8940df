"""Replayed to its end, a record gives the summary of the run itself, and the same picture, whatever the run met."""

import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tui.core.calls import CallPlan, State, Usage
from tui.core.commands import CancelCall, Drain, Pause, Resume, RetryFailed, SetConcurrency, SetRate, Watch
from tui.core.entries import AttemptEntry
from tui.core.money import Price
from tui.core.objectives import parse_goodput
from tui.core.retry import RetryPolicy
from tui.core.secrets import Secret
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.host import Host
from tui.engine.setup import RunSetup
from tui.engine.tokens import TokenDesk
from tui.files.journal_reader import read_recording
from tui.jobs.replay import read_replay
from tui.jobs.replay_session import ReplaySession
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

FAULTS = SimulatorSettings(
    ttft_s=0.01,
    itl_s=0.001,
    tokens=12,
    tokens_jitter=0.5,
    models=(("m", 1.0),),
    refuse_rate=0.1,
    retry_after_s=0.02,
    error_rate=0.1,
    reset_rate=0.15,
    stall_rate=0.05,
    stall_s=0.1,
    coalesce=2,
)
CALLS = 60


def a_host(base_url: str, out: Path, seed: int, **more: Any) -> Host:
    plans: Iterator[CallPlan] = (
        CallPlan(
            number,
            "m",
            ({"role": "user", "content": f"Tell me of river {number}."},),
            {"n": 2, "logprobs": True} if number % 5 == 0 else {},
            warmup=number <= 3,
        )
        for number in range(1, CALLS + 1)
    )
    options = {
        "concurrency": 8,
        "policy": RetryPolicy(attempts=2, first_backoff_s=0.01),
        "limits": TimeLimits(connect_s=5.0, first_byte_s=10.0, idle_s=5.0, total_s=20.0),
        "price": Price(Decimal("2.5"), Decimal(10), origin="--price"),
        "objectives": parse_goodput("ttft:20 e2e:1s"),
        **more,
    }
    return Host(RunSetup("load", "m", Endpoint(base_url, Secret(""), ()), plans, CALLS, seed=seed, out=out, **options))


async def steered(host: Host) -> dict[str, Any]:
    """The run, with everything done to it that a person may do."""
    steps = deque(
        (
            Pause(),
            Resume(),
            RetryFailed(),
            SetRate(30_000),
            CancelCall(14),
            CancelCall(15),
            SetConcurrency(5),
            CancelCall(20),
            CancelCall(21),
            CancelCall(22),
            RetryFailed(),
            Drain(),
        )
    )
    fold = host.ledger.fold
    seen = 0

    def steer_and_fold(fact: Any) -> None:
        nonlocal seen
        fold(fact)
        seen += 1
        if not steps or seen <= 150 or seen % 20:
            return
        if isinstance(steps[0], RetryFailed) and not host.ledger.unanswered:
            return  # not before there is something to do again
        host.send(steps.popleft())

    host.ledger.fold = steer_and_fold  # type: ignore[method-assign]
    return await host.run()


@pytest.fixture(autouse=True)
def _counted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut attempt's tokens are counted by us: the process that does so takes seconds to start."""

    async def usage(desk: TokenDesk, plan: CallPlan, attempt: AttemptEntry) -> Usage:
        return Usage(9, attempt.chars)

    monkeypatch.setattr(TokenDesk, "_usage", usage)


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async with Simulator(FAULTS) as simulator:
        yield simulator.base_url


def replayed(host: Host) -> ReplaySession:
    assert host.folder is not None
    session = ReplaySession(read_replay(host.folder))
    session.tell_all()
    return session


def as_printed(figures: dict[str, Any]) -> Any:
    return json.loads(json.dumps(figures))


def same_picture(host: Host, session: ReplaySession, watch: Watch) -> None:
    host.send(watch)
    session.send(watch)
    live, again = host.latest, session.latest
    assert again.run.replay
    again = replace(again, run=replace(again.run, replay=False))
    for name in live.__struct_fields__:
        if name not in ("timeline", "limits"):
            assert getattr(again, name) == getattr(live, name), name


@pytest.mark.parametrize("seed", range(3))
async def test_a_replay_told_to_its_end_has_the_run_s_summary_and_picture(
    tmp_path: Path, base_url: str, seed: int
) -> None:
    host = a_host(base_url, tmp_path, seed)
    figures = await host.run()
    session = replayed(host)
    assert as_printed(session.replay.figures(session.ledger)) == as_printed(figures)
    assert figures["retries"] > 0 < figures["calls"]["broken"]
    for watch in (Watch("wall", 0, 100, everything=True), Watch("table", 0, 100), Watch("waterfall", 0, 100)):
        same_picture(host, session, watch)


async def test_whatever_was_done_to_a_run_is_in_its_replay(tmp_path: Path, base_url: str) -> None:
    host = a_host(base_url, tmp_path, 5)
    figures = await steered(host)
    session = replayed(host)
    assert as_printed(session.replay.figures(session.ledger)) == as_printed(figures)
    assert any(call.retry_of is not None for call in session.ledger.calls.values())
    assert figures["calls"]["cancelled"] > 0
    assert figures["tokens"]["source"] == "mixed"
    same_picture(host, session, Watch("table", 0, 200))
    for each in (host, session):
        each.send(Watch("charts"))
    live, again = host.latest.timeline, session.latest.timeline
    assert live is not None
    assert again is not None
    for name in live.__struct_fields__:
        if name in ("active", "queued"):
            # Levels, weighted with time: which of two things within a millisecond came first moves them a little.
            assert getattr(again, name) == pytest.approx(getattr(live, name), rel=0.1, abs=0.5)
        else:
            assert getattr(again, name) == getattr(live, name), name


async def test_without_text_a_replay_has_every_figure_and_no_word(tmp_path: Path, base_url: str) -> None:
    host = a_host(base_url, tmp_path, 7, keep_text=False, notes={"system": "Tell me", "params": {"stop": "river"}})
    figures = await host.run()
    assert host.folder is not None
    said = [call.attempts[-1].text()[:30].encode() for call in host.ledger.calls.values() if call.state is State.DONE]
    session = replayed(host)
    assert as_printed(session.replay.figures(session.ledger)) == as_printed(figures)
    recording = read_recording(host.folder / "journal.db")
    written = b"".join([*(path.read_bytes() for path in host.folder.iterdir()), *recording.traces.values()])
    assert len(recording.traces) == CALLS
    assert len(said) > 20
    assert not [words for words in [*said, b"Tell me", b"of river"] if words in written]
    session.send(Watch("wall", 0, 100, everything=True))
    assert {character for pane in session.latest.panes for character in pane.text} <= {"▒", "\n"}


async def test_a_record_whose_writer_was_killed_plays_what_was_committed(
    tmp_path: Path, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = a_host(base_url, tmp_path, 8)
    monkeypatch.setattr("tui.engine.record.RunRecord.close", lambda *_: None)  # as after a kill
    figures = await host.run()
    session = replayed(host)
    again = session.replay.figures(session.ledger)
    assert again["calls"] == as_printed(figures)["calls"]
    assert again["ttft_s"] == figures["ttft_s"]
    assert again["interrupted"] is True
