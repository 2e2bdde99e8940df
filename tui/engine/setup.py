"""A run, resolved: everything the engine needs to know before the first request. Values only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tui.core.calls import CallPlan
from tui.core.ledger import Ledger
from tui.core.money import Price
from tui.core.objectives import Objectives
from tui.core.retry import RetryPolicy
from tui.core.structured import Judge
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.open_run import OpenRun
from tui.engine.plan_source import PlanSource


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What to run, where, how fast, and what to keep of it."""

    job: str
    model: str
    endpoint: Endpoint
    plans: Iterator[CallPlan] | PlanSource
    planned: int | None
    """How many plans there will be; None when only time ends the run."""
    schedule: Iterator[float] | None = None
    """When each plan is due, in seconds since the run's start; None: when a slot falls free."""
    duration_s: float | None = None
    """Dispatch stops after so long."""
    concurrency: int = 8
    rpm: int | None = None
    tpm: int | None = None
    burst: int | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    limits: TimeLimits = field(default_factory=TimeLimits)
    judge: Judge | None = None
    """Says what is wrong with a whole answer; one that it rejects is asked for again, within `policy`."""
    price: Price | None = None
    """Overrides the price book."""
    objectives: Objectives | None = None
    """What a call must meet to count as goodput."""
    budget_usd: Decimal | None = None
    """USD that the run may not pass; needs `price`."""
    asks_for_money: bool = False
    """A budget that is reached pauses dispatch until somebody at the screen raises it, or drains. False: it ends it."""
    adapt: bool = False
    """Find the rate and the number at once that the server bears; `rpm` and `concurrency` are the most."""
    seed: int | None = None
    record: OpenRun | None = None
    """A record that is open already: the run's calls go there, whatever `out` says."""
    past: tuple[Ledger, int, Decimal] | None = None
    """What earlier sessions of the run came to (jobs/past.py)."""
    sent_lately_s: tuple[float, ...] = ()
    """How long ago earlier sessions of the run sent what they sent in the last minute (s)."""
    out: Path | None = None
    """The folder that gets the run's folder; None keeps nothing."""
    keep_text: bool = True
    """False: prompts and answers stay out of the record; errors and figures are in it."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What the record should say of how the run was asked for; no secrets."""
