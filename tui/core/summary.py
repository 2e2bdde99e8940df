"""A run in one JSON object: what `--json` prints and `summary.json` holds.

The formulas stand in the README under "How each number is measured".
"""

import re
from typing import Any

from tui.core.calls import TERMINAL, State
from tui.core.clock import NS_PER_S
from tui.core.histogram import Histogram
from tui.core.ledger import Ledger
from tui.core.picture import RunCard

SCHEMA = 1
_DIGITS = re.compile(r"\d+")


def summary(ledger: Ledger, card: RunCard, now: int) -> dict[str, Any]:
    """The summary of a run that has ended, or of one that runs, up to `now`. Durations in seconds.

    Warm-up calls are in none of it but `warmup_calls`, `rpm_peak_60s` and the money: they were sent and paid for.
    Calls that were withdrawn before anything was sent are no `calls`; whoever ends the run counts them as never sent,
    with those that were planned and not begun: planned = warmup_calls + calls.total + never_sent.
    """
    states = ledger.measured_states
    # To the end of the last call: what the program does after it (waiting for a price, the disk) is no load.
    ended_at = ledger.last_ended_at if ledger.ended_at is not None and ledger.last_ended_at is not None else now
    began = ledger.measured_from if ledger.measured_from is not None else ended_at
    wall_s = max(0, ended_at - began) / NS_PER_S
    usage = ledger.measured_usage
    return {
        "schema": SCHEMA,
        "job": card.job,
        "model": card.model,
        "calls": {
            "total": sum(states.values()),
            "done": states[State.DONE],
            "failed": states[State.FAILED],
            "broken": states[State.BROKEN],
            "cancelled": states[State.CANCELLED],
            "refused": states[State.REFUSED],
        },
        "attempts": ledger.measured_attempts,
        "retries": ledger.measured_retries,
        "http_429": ledger.measured_429,
        "ttft_s": distribution(ledger.ttft),
        "server_ttft_s": distribution(ledger.server_ttft),
        "user_ttft_s": distribution(ledger.user_ttft),
        "queue_s": distribution(ledger.queue),
        "tpot_s": distribution(ledger.tpot),
        "chunk_gap_s": distribution(ledger.chunk_gap),
        "e2e_s": distribution(ledger.e2e),
        "stream_tokens_per_s": distribution(ledger.stream_rate, 1000),
        "tokens": {
            "prompt": usage.prompt,
            "completion": usage.completion,
            "reasoning": usage.reasoning,
            "cached": usage.cached,
            "source": _source(ledger.usage_sources),
        },
        "run_tokens_per_s": usage.completion / wall_s if wall_s else None,
        "cost_usd": None if ledger.spent.amount is None else format(ledger.spent.amount, "f"),
        "cost_source": ledger.spent.source.value,
        "wall_s": wall_s,
        "rpm_peak_60s": ledger.sent.peak,
        "engine_lag_s": distribution(ledger.lag),
        "ttft_marks": {"late": ledger.late, "shared": ledger.shared},
        "finish_reasons": {reason or "": n for reason, n in ledger.finish_reasons.most_common()},
        "errors": errors(ledger),
        "dispatch_error_s": distribution(ledger.dispatch_error),
        "goodput": None if ledger.goodput is None else ledger.goodput.to_dict(wall_s),
        "warmup_calls": _warmup_calls(ledger),
        "done_again": ledger.done_again,
    }


def _warmup_calls(ledger: Ledger) -> int:
    """Warm-up calls that have ended, however."""
    ended = sum(ledger.states[state] for state in TERMINAL)
    return ended - sum(ledger.measured_states.values()) - ledger.withdrawn - ledger.earlier_tries


def errors(ledger: Ledger, most: int = 20) -> list[dict[str, str | int]]:
    """Why calls are not done, most frequent first; errors that differ in figures only are one."""
    alike: dict[str, tuple[str, int]] = {}
    for error, n in ledger.errors.items():
        key = _DIGITS.sub("#", error)
        first, before = alike.get(key, (error, 0))
        alike[key] = (first, before + n)
    ordered = sorted(alike.values(), key=lambda each: -each[1])
    return [{"error": error, "n": n} for error, n in ordered[:most]]


def distribution(histogram: Histogram, unit: int = NS_PER_S) -> dict[str, float | int] | None:
    """A histogram's figures in `unit`s (nanoseconds to seconds unless told otherwise); None when empty."""
    found = histogram.quantiles(0.5, 0.9, 0.95, 0.99)
    if found is None:
        return None
    p50, p90, p95, p99 = found
    mean = histogram.mean or 0.0
    return {
        "n": histogram.n,
        "mean": mean / unit,
        "min": histogram.minimum / unit,
        "p50": p50 / unit,
        "p90": p90 / unit,
        "p95": p95 / unit,
        "p99": p99 / unit,
        "max": histogram.maximum / unit,
    }


def _source(sources: set[str]) -> str | None:
    if len(sources) > 1:
        return "mixed"
    return next(iter(sources), None)
