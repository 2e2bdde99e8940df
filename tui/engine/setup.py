"""A run, resolved: everything the engine needs to know before the first request. Values only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.core.calls import CallPlan
from tui.core.money import Price
from tui.core.retry import RetryPolicy
from tui.engine.endpoint import Endpoint, TimeLimits


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What to run, where, how fast, and what to keep of it."""

    job: str
    model: str
    endpoint: Endpoint
    plans: Iterator[CallPlan]
    planned: int | None
    """How many plans there will be; None when only time ends the run."""
    duration_s: float | None = None
    """Dispatch stops after so long."""
    concurrency: int = 8
    rpm: int | None = None
    tpm: int | None = None
    burst: int | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    limits: TimeLimits = field(default_factory=TimeLimits)
    price: Price | None = None
    """Overrides the price book."""
    seed: int | None = None
    out: Path | None = None
    """The folder that gets the run's folder; None keeps nothing."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What the record should say of how the run was asked for; no secrets."""
