"""Providers that the command line's tests talk to, each a process of its own."""

from collections.abc import Iterator

import pytest

from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

ONE_MODEL = (("sim", 1.0),)
QUICK = SimulatorSettings(ttft_s=0.0, itl_s=0.002, jitter=0.0, tokens=8, models=ONE_MODEL)
ENDLESS = SimulatorSettings(ttft_s=0.0, itl_s=0.05, jitter=0.0, tokens=100_000, models=ONE_MODEL)


@pytest.fixture(scope="session")
def _quick() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(QUICK) as simulator:
        yield simulator


@pytest.fixture
def quick(_quick: SimulatorProcess) -> SimulatorProcess:
    """A provider with one model that answers eight tokens at once; its truth begins with the test."""
    _quick.reset()
    return _quick


@pytest.fixture(scope="session")
def _endless() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(ENDLESS) as simulator:
        yield simulator


@pytest.fixture
def endless(_endless: SimulatorProcess) -> SimulatorProcess:
    """A provider whose streams end only when they are cut."""
    _endless.reset()
    return _endless
