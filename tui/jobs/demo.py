"""The demo: a provider that is slow, limited and unreliable enough for every state to show within 20 s."""

from decimal import Decimal
from pathlib import Path

from tui.core.money import Price
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.setup import RunSetup
from tui.jobs.load import default_prompts, load_plans
from tui.simulator.settings import SimulatorSettings

MODEL = "sim-steady"
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


def demo_setup(
    base_url: str, *, requests: int, concurrency: int, rpm: int, seed: int, price: Price, out: Path | None
) -> RunSetup:
    """The run on it."""
    prompts = default_prompts(seed)
    return RunSetup(
        job="demo",
        model=MODEL,
        endpoint=Endpoint(base_url),
        plans=load_plans(lambda: iter(prompts), MODEL, {}, None, requests, warmup=0),
        planned=requests,
        concurrency=concurrency,
        rpm=rpm,
        burst=min(rpm, 4),
        limits=TimeLimits(first_byte_s=20.0, idle_s=4.0, total_s=60.0),
        price=price,
        seed=seed,
        out=out,
    )
