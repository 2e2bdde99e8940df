"""One call run for real against a server, with all that was stated of it, and a check that nothing is left behind."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from rude_server import RudeServer

from tui.core.calls import TERMINAL, CallPlan, State
from tui.core.entries import CallEntry
from tui.core.facts import AttemptEnded, Fact, Finished, Queued, Sent
from tui.core.ledger import Ledger
from tui.core.retry import RetryPolicy
from tui.engine.attempt import Line
from tui.engine.call import Ending, run_call
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.lane import Lane
from tui.engine.limiter import Limiter
from tui.engine.transport import MeasuringTransport
from tui.wire.chat import chat_url

AT_ONCE = RetryPolicy(first_backoff_s=0.0)
"""Three attempts without a wait between them."""
LIMITS = TimeLimits(connect_s=5.0, first_byte_s=20.0, idle_s=10.0, total_s=300.0)


def a_plan(call: int = 1, **params: Any) -> CallPlan:
    return CallPlan(call, "m", ({"role": "user", "content": "Say hello."},), params)


class Witness:
    """Folds what is stated, and keeps it."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.ledger = Ledger()

    def __call__(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.ledger.fold(fact)

    def of(self, kind: type[Any], call: int | None = None) -> list[Any]:
        return [fact for fact in self.facts if type(fact) is kind and (call is None or fact.call == call)]

    def entry(self, call: int = 1) -> CallEntry:
        return self.ledger.calls[call]

    async def run(
        self, lane: Lane, plan: CallPlan | None = None, hold: Callable[[], Awaitable[None]] | None = None
    ) -> Ending:
        """Run one call and state its end, as its owner does."""
        plan = plan or a_plan()
        self(Queued(plan.id, 1, 1, plan.model, plan.prompt))
        ending = await run_call(plan, lane, self, hold)
        self(Finished(plan.id, ending.at, ending.state, ending.error))
        return ending

    def check(self) -> None:
        """Every call is in exactly one terminal state, and every attempt has ended once."""
        states = self.ledger.states
        assert sum(states[state] for state in TERMINAL) == len(self.ledger.calls) == sum(states.values())
        assert len(self.of(Finished)) == len(self.ledger.calls)
        assert len(self.of(Sent)) == len(self.of(AttemptEnded)) == self.ledger.attempts
        for call in self.ledger.calls.values():
            assert (call.error is None) is (call.state is State.DONE)
            assert all(attempt.ended_at is not None for attempt in call.attempts)


@asynccontextmanager
async def lane_to(
    server: RudeServer | str,
    *,
    policy: RetryPolicy = AT_ONCE,
    limits: TimeLimits = LIMITS,
    limiter: Limiter | None = None,
    on_stopped: Callable[[str], None] = lambda why: None,
    **endpoint: Any,
) -> AsyncIterator[Lane]:
    """A lane to the server; at its end no task of ours and no connection in use may be left."""
    base_url = server if isinstance(server, str) else server.base_url
    others = asyncio.all_tasks()
    transport = MeasuringTransport(connect_timeout_s=limits.connect_s)
    target = Endpoint(base_url, **endpoint)
    async with transport:
        line = Line(transport, target, httpx.URL(chat_url(base_url)), target.request_headers(), limits, lambda: 0)
        yield Lane(line, limiter or Limiter(), policy, random.Random(1), on_stopped)
        for _ in range(500):
            if transport.open_connections == transport.idle_connections:
                break
            await asyncio.sleep(0.001)
        assert transport.open_connections == transport.idle_connections
    assert transport.open_connections == 0
    served = server.tasks if isinstance(server, RudeServer) else set()
    left = {task for task in asyncio.all_tasks() - others - served if not _is_server(task)}
    assert not left, left


def _is_server(task: asyncio.Task[Any]) -> bool:
    """A connection that the server is about to take, or has not noticed is gone."""
    return any(name in repr(task.get_coro()) for name in ("RudeServer", "_accept_connection"))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition` holds; the test's own time-out is the bound."""
    while not condition():  # noqa: ASYNC110 - what a ledger counts sets no event
        await asyncio.sleep(0.0005)
