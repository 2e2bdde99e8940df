"""A provider in the test's own loop, and a check that nothing of a test outlives it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings


@pytest.fixture
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    """Quick, with one model; `indirect` parameters change its settings."""
    changes = getattr(request, "param", {})
    quick = {"ttft_s": 0.0, "itl_s": 0.0, "jitter": 0.0, "tokens": 12, "models": (("sim", 1.0),)}
    async with Simulator(SimulatorSettings(**{**quick, **changes})) as simulator:
        before = asyncio.all_tasks()
        yield simulator
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        assert not left, left
