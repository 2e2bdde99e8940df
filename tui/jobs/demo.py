"""The demo: a provider that is slow, limited and unreliable enough for every state to show within 20 s.

What chance would not bring in time is staged: one request that the server refuses to understand, one that asks
for more tokens than a minute allows, and one that is cancelled while it streams.
"""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from tui.core.calls import CallPlan, State
from tui.core.commands import CancelCall
from tui.core.money import Price
from tui.core.session import Session
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.setup import RunSetup
from tui.jobs.load import default_prompts, load_plans
from tui.simulator.settings import SimulatorSettings

MODEL = "sim-steady"
TPM = 120_000
UNREADABLE_CALL = 10
GREEDY_CALL = 14
DEMO_PRICE = Price(Decimal("2.50"), Decimal("10"), origin="the demo's own price")


def demo_simulator(seed: int) -> SimulatorSettings:
    """The provider."""
    return SimulatorSettings(
        models=((MODEL, 1.0),),
        seed=seed,
        ttft_s=0.6,
        itl_s=0.045,
        jitter=0.5,
        tokens=110,
        error_rate=0.10,
        refuse_rate=0.05,
        retry_after_s=2.0,
        reset_rate=0.06,
        stall_rate=0.03,
    )


async def cancel_one(session: Session) -> None:
    """Cancel a call in the middle of its text, as a person might."""
    while True:
        await asyncio.sleep(0.1)
        snapshot = session.latest
        if snapshot is None:
            continue
        for pane in snapshot.panes:
            if pane.call > 8 and pane.state is State.STREAMING and pane.text_end > 60:
                session.send(CancelCall(pane.call))
                return


def _plans(requests: int, seed: int) -> Iterator[CallPlan]:
    """The run's calls, with the staged ones among the first."""
    prompts = default_prompts(seed)
    plans = load_plans(lambda: iter(prompts), MODEL, {}, None, requests, warmup=0)
    for plan in plans:
        if plan.id == UNREADABLE_CALL:
            yield replace(plan, params={"max_tokens": 0})
        elif plan.id == GREEDY_CALL:
            yield replace(plan, params={"max_tokens": 2 * TPM})
        else:
            yield plan


def demo_setup(
    base_url: str, *, requests: int, concurrency: int, rpm: int, seed: int, price: Price, out: Path | None
) -> RunSetup:
    """The run on it."""
    return RunSetup(
        job="demo",
        model=MODEL,
        endpoint=Endpoint(base_url),
        plans=_plans(requests, seed),
        planned=requests,
        concurrency=concurrency,
        rpm=rpm,
        tpm=TPM,
        burst=min(rpm, 4),
        limits=TimeLimits(first_byte_s=20.0, idle_s=4.0, total_s=60.0),
        price=price,
        seed=seed,
        out=out,
    )
