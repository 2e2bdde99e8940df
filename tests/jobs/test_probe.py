"""A probe over real sockets: every outcome becomes evidence, facts go to a ledger, and money and Ctrl-C end it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest

from tui.core import probe
from tui.core.budget import worst_cost
from tui.core.calls import CallPlan
from tui.core.commands import Drain, Pause, Stop, Watch
from tui.core.errors import UsageError
from tui.core.money import parse_price
from tui.core.probe_moves import Pace
from tui.engine.attempt import Line
from tui.engine.endpoint import Endpoint
from tui.jobs.probe import PROMPT, ProbeSession, ProbeSetup
from tui.simulator.server import Simulator

pytestmark = pytest.mark.usefixtures("_without_a_rest")
PRICE = parse_price("in=1,out=1")


@pytest.fixture
def _without_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause after the first request tells windows apart, and there are none here."""
    monkeypatch.setattr(probe, "GAP_S", 0.01)


def setup_for(simulator: Simulator, **changes: Any) -> ProbeSetup:
    return ProbeSetup(**{"endpoint": Endpoint(simulator.base_url), "model": "sim", **changes})


def worst(tokens: int) -> Decimal:
    """The most that one request may cost that asks for so many tokens."""
    return worst_cost(CallPlan(0, "m", ({"role": "user", "content": PROMPT},), {"max_tokens": tokens}), PRICE)


def server_with(**changes: Any) -> Any:
    quick = {"ttft_s": 0.05, "rpm": 240, "burst": 10}
    return pytest.mark.parametrize("simulator", [quick | changes], indirect=True)


@server_with()
async def test_a_bucket_is_found_and_every_request_of_it_is_on_record(simulator: Simulator) -> None:
    notes: list[str] = []
    session = ProbeSession(setup_for(simulator), notes.append)
    verdict = await session.run()
    assert verdict.kind == "token-bucket"
    assert verdict.found
    assert verdict.rpm.estimate == pytest.approx(240, rel=0.05)
    assert verdict.burst.estimate == 10
    assert verdict.command == "weir load --rpm 240 --burst 10"
    assert verdict.requests == len(simulator.truth()) == session.ledger.attempts
    assert verdict.refusal is not None
    assert verdict.refusal.status == 429
    assert "retry-after" in dict(verdict.refusal.headers)
    snapshot = session.latest
    assert (snapshot.run.job, snapshot.run.phase) == ("probe", "finished")
    assert snapshot.run.notice == verdict.command
    assert any("token bucket" in note for note in notes)


@server_with(burst=1, rpm=120, ttft_s=0.6, header_style="none", retry_after_style="honest")
async def test_a_row_of_requests_ends_where_one_is_refused(simulator: Simulator) -> None:
    session = ProbeSession(setup_for(simulator, time_s=20.0))
    line = Line.to(session.setup.endpoint, session.setup.limits, session._choice.transport, lambda: 0)
    answers = await session._send(Pace((0.0, 0.3, 0.3, 0.3)), line)
    await session._choice.transport.aclose()
    assert answers is not None
    assert sorted(answer.fate for answer in answers) == ["passed", "refused"]


@server_with(burst=8, concurrency_limit=3)
async def test_a_limit_on_how_many_at_once_is_met_first(simulator: Simulator) -> None:
    verdict = await ProbeSession(setup_for(simulator)).run()
    assert verdict.concurrency is not None
    assert verdict.concurrency.estimate == 3
    assert verdict.kind == "token-bucket"


@server_with()
async def test_the_budget_is_never_passed(simulator: Simulator) -> None:
    # What a request really costs is far less than its worst case.
    budget = worst(32) * Decimal("1.2")
    session = ProbeSession(setup_for(simulator, price=PRICE, budget=budget))
    verdict = await session.run()
    assert session.over_budget
    assert verdict.stopped == "the budget is used up"
    assert session.ledger.spent.amount is not None
    assert 0 < session.ledger.spent.amount <= budget
    assert 1 < verdict.requests == len(simulator.truth()) < 10


@server_with()
async def test_a_budget_without_a_price_is_refused_before_anything_is_sent(simulator: Simulator) -> None:
    with pytest.raises(UsageError, match="no price is known"):
        ProbeSession(setup_for(simulator, budget=Decimal(1)))
    assert simulator.truth() == []


@pytest.mark.parametrize("command", [Drain(), Stop()])
@server_with()
async def test_whoever_ends_it_gets_what_is_known(simulator: Simulator, command: Drain | Stop) -> None:
    def once_refused(note: str) -> None:
        if note.startswith("refused after"):
            session.send(command)

    session = ProbeSession(setup_for(simulator), once_refused)
    verdict = await session.run()
    assert session.interrupted
    assert verdict.stopped == "interrupted"
    # What the server states is all there is: no kind is known yet.
    assert (verdict.kind, verdict.rpm.estimate) == (None, 240)
    assert (verdict.burst.low or 0) >= 8


@server_with()
async def test_a_model_that_is_not_there_is_the_reason(simulator: Simulator) -> None:
    verdict = await ProbeSession(setup_for(simulator, model="other")).run()
    assert not verdict.found
    assert verdict.stopped is not None
    assert verdict.stopped.startswith("HTTP 404")
    assert verdict.requests == 1


@server_with()
async def test_a_probe_is_watched_like_any_run_and_keeps_its_own_pace(simulator: Simulator) -> None:
    session = ProbeSession(setup_for(simulator, max_requests=2))
    session.send(Watch(view="table", count=5))
    session.send(Pause())
    await session.run()
    assert [row.call for row in session.latest.rows] == [1, 2]


# ── servers that tell nothing, or do not end ───────────────────────────────────────────────────────────

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ANSWER = b'data: {"choices":[{"index":0,"delta":{"content":"Yes"},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}\n\n'
DONE = b"data: [DONE]\n\n"
COUNT_SO_FAR = (
    b'data: {"choices":[{"index":0,"delta":{"content":"Y"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}\n\n'
)
BROKEN = COUNT_SO_FAR + b'data: {"error":{"message":"the model fell over","type":"server_error"}}\n\n'


@asynccontextmanager
async def answering(reply: bytes, ends: bool = True) -> AsyncIterator[tuple[str, list[None], asyncio.Event]]:
    """A server that answers every request with this: its address, what it was asked, and when it first was."""
    asked: list[None] = []
    was_asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            asked.append(None)
            was_asked.set()
            writer.write(reply)
            if not ends:
                await reader.read()  # the rest of the request
                await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked, was_asked


@pytest.mark.parametrize("reply", [ANSWER + DONE, BROKEN], ids=["delivered without usage", "broken after a count"])
async def test_what_may_be_billed_and_is_not_accounted_for_counts_as_its_worst_case(reply: bytes) -> None:
    async with answering(HEAD + reply) as (base_url, asked, _):
        # Enough for two at worst; of each, next to nothing is counted, if anything.
        setup = ProbeSetup(Endpoint(base_url), "m", price=PRICE, budget=worst(32) * Decimal("2.2"), max_requests=20)
        session = ProbeSession(setup)
        await session.run()
        assert session._budget is not None
        assert session._budget.reserved == 0
        assert session._budget.spent >= len(asked) * worst(1) * Decimal("0.9")
        assert len(asked) <= 2


async def test_an_accounted_answer_gives_back_what_it_did_not_cost() -> None:
    async with answering(HEAD + ANSWER + USAGE + DONE) as (base_url, asked, _):
        setup = ProbeSetup(Endpoint(base_url), "m", price=PRICE, budget=worst(32) * Decimal("2.2"), max_requests=20)
        await ProbeSession(setup).run()
        assert len(asked) == 20


async def test_a_server_that_hangs_holds_a_drain_and_not_a_stop() -> None:
    async with answering(HEAD, ends=False) as (base_url, _, was_asked), asyncio.timeout(30):
        session = ProbeSession(ProbeSetup(Endpoint(base_url), "m"))
        running = asyncio.create_task(session.run())
        await was_asked.wait()
        session.send(Drain())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not running.done()
        session.send(Stop())
        verdict = await running
    assert verdict.stopped == "interrupted"
    assert session.interrupted
