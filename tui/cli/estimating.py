"""`--dry-run`: what a run would take and cost, said instead of run. Sends nothing.

Prompts are counted with tiktoken, here and now: nothing runs beside it that it could hold up. The upper figures are
those that a budget reserves (core/budget.py).
"""

import dataclasses
import json
import math
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from tui.core.errors import UsageError

if TYPE_CHECKING:
    from tui.core.estimate import Estimate
    from tui.engine.setup import RunSetup
    from tui.files.token_counter import TokenCounter


def dry_run(setup: "RunSetup", as_json: bool) -> int:
    """Print what a run would take, and send nothing; the exit code. Uses the setup's plans, an iterator, up."""
    from tui.files.token_counter import load_counter

    counter = load_counter(setup.model)
    found = _estimate(setup, counter)
    if as_json:
        sys.stdout.write(json.dumps(_estimate_figures(found, setup, counter)) + "\n")
    else:
        sys.stdout.write(_estimate_text(found, setup, counter) + "\n")
    return 0


def _estimate(setup: "RunSetup", counter: "TokenCounter") -> "Estimate":
    from tui.core.estimate import estimate, workload

    offsets_s = _due(setup)
    assert isinstance(setup.plans, Iterator)  # a source gives its plans to a run only
    plans = islice(setup.plans, _requests(setup) if offsets_s is None else len(offsets_s))
    work = workload(plans, prompt_tokens=counter.prompt_tokens)
    burst = setup.burst or max(1, (setup.rpm or 0) // 600)
    found = estimate(work, setup.price, setup.rpm, setup.tpm, setup.concurrency, burst)
    if offsets_s:  # the last call begins no earlier than it is due
        last_s, high_s = offsets_s[-1], found.duration_high_s
        high_s = None if high_s is None else last_s + high_s
        found = dataclasses.replace(found, duration_low_s=max(found.duration_low_s, last_s), duration_high_s=high_s)
    elif setup.planned is None and setup.duration_s is not None:
        found = dataclasses.replace(found, duration_low_s=setup.duration_s, duration_high_s=None)
    return found


def _due(setup: "RunSetup") -> list[float] | None:
    """When a schedule wants each of its calls, in seconds; None without one that ends."""
    if setup.schedule is None or (setup.planned is None and setup.duration_s is None):
        return None
    end_s = math.inf if setup.duration_s is None else setup.duration_s
    return list(takewhile(lambda offset_s: offset_s <= end_s, islice(setup.schedule, setup.planned)))


def _requests(setup: "RunSetup") -> int:
    """How many calls at most without a schedule; UsageError when nothing tells."""
    if setup.planned is not None:
        return setup.planned
    if setup.duration_s is not None and setup.rpm is not None:
        return math.ceil(setup.rpm * math.ceil(setup.duration_s / 60))  # a minute holds them all in its first second
    raise UsageError("--dry-run", "nothing tells how many calls there will be", "add --requests N, or --rpm N")


def _estimate_figures(found: "Estimate", setup: "RunSetup", counter: "TokenCounter") -> dict[str, Any]:
    def span(low: object, high: object) -> dict[str, Any]:
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in (("low", low), ("high", high))
        }

    return {
        "dry_run": True,
        "model": setup.model,
        "requests": found.requests,
        "tokens": span(found.tokens_low, found.tokens_high),
        "counted_by": counter.encoding_name,
        "duration_s": span(found.duration_low_s, found.duration_high_s),
        "cost_usd": span(found.cost_low, found.cost_high),
        "price": None if setup.price is None else setup.price.origin,
        "budget_usd": None if setup.budget_usd is None else format(setup.budget_usd, "f"),
    }


def _estimate_text(found: "Estimate", setup: "RunSetup", counter: "TokenCounter") -> str:
    from tui.core import figures
    from tui.core.budget import REQUEST_TOKENS
    from tui.core.clock import nanoseconds
    from tui.core.untrusted import clean_line

    def lasts(seconds: float | None) -> str | None:
        return None if seconds is None else figures.ms(nanoseconds(seconds))

    pace = [f"{setup.concurrency:,} at once"]
    pace += [f"{limit:,} {unit}" for limit, unit in ((setup.rpm, "rpm"), (setup.tpm, "tpm")) if limit is not None]
    tokens_high = None if found.tokens_high is None else figures.exact(found.tokens_high)
    cost = "? (no price is known; see --price)"
    if found.cost_low is not None and setup.price is not None:
        cost_high = None if found.cost_high is None else figures.usd(found.cost_high)
        cost = f"{_span(figures.usd(found.cost_low), cost_high)} ({setup.price.origin or 'by the price given'})"
    rows = [
        ("requests", figures.exact(found.requests)),
        ("tokens", _span(figures.exact(found.tokens_low), tokens_high)),
        ("duration", f"{_span(lasts(found.duration_low_s) or '', lasts(found.duration_high_s))} ({', '.join(pace)})"),
        ("cost", cost),
    ]
    if setup.budget_usd is not None:
        fits = found.cost_high is not None and found.cost_high <= setup.budget_usd
        word = "holds all of it" if fits else "may end the run before its last call"
        rows.append(("budget", f"{figures.usd(setup.budget_usd)} {word}"))
        rows.append(("", "of each attempt it reserves the high figure, and has back what was not needed"))
    counted = counter.note or f"prompts as {counter.encoding_name} counts them"
    rows.append(("low", f"{counted}; answers of one token"))
    rows.append(
        ("high", f"a token a byte, {REQUEST_TOKENS} a request for what a server may add; answers as long as allowed")
    )
    rows.append(("not in it", "retries, and what the server holds back"))
    head = f"{setup.job} · {clean_line(setup.model)} · nothing was sent"
    return "\n".join([head, *(f"  {name:<10} {value}" for name, value in rows)])


def _span(low: str, high: str | None) -> str:
    if high is None:
        return f"{low} or more: nothing bounds it"
    return low if low == high else f"{low} – {high}"
