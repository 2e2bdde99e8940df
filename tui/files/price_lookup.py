"""One price from genai-prices, as JSON on stdout. A process of its own; nothing of Weir is imported.

`python -m tui.files.price_lookup MODEL --base-url URL` prints `{"price": …, "until": …}` or
`{"unknown": "why"}`. genai-prices costs 0.3 s and 40 MB to import (1.2 s and 108 MB before its bytecode is
cached), which a program that measures milliseconds does not want in its own process. Reads the data that came
with the package, so it needs no network.

What genai-prices offers and is left out, because a chat completion's usage does not tell it: cache writes,
audio, images, web searches, service tiers and batch discounts.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, ModelPrice

_RATES = {"input": "input_mtok", "output": "output_mtok", "cached": "cache_read_mtok"}
_UNAVOIDABLE = {
    "output_reasoning_mtok": "reasoning tokens at a rate of their own",
    "output_citation_mtok": "citations",
    "requests_kcount": "each request",
}
"""Charges that every answer of a model carries and that tokens alone do not tell."""


def main() -> int:
    """Entry point; exit code 0 whenever there is an answer, "unknown" included."""
    parser = argparse.ArgumentParser(prog="price_lookup")
    parser.add_argument("model")
    parser.add_argument("--base-url", default=None, help="the API's address, with its scheme")
    arguments = parser.parse_args()
    if hasattr(os, "nice"):
        os.nice(10)  # the run that wants the price is measuring; it goes first
    answer = look_up(arguments.model, arguments.base_url, datetime.now(UTC))
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def look_up(model_name: str, base_url: str | None, now: datetime) -> dict[str, Any]:
    """`{"price": …, "until": …}` or `{"unknown": …}`; `until` (ISO 8601, UTC) is None when no change is planned.

    With an address, the price is that of the provider behind it; without one, that of the model's maker.
    """
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import ModelPrice

    try:
        provider, model = get_snapshot().find_provider_model(model_name, None, None, base_url)
    except LookupError as error:
        return {"unknown": str(error)}
    rates = model.get_prices(now)
    for key, meaning in _UNAVOIDABLE.items():
        if getattr(rates, key, None) is not None:
            return {"unknown": f"{provider.id} also charges {model.id} by {meaning}"}
    if rates.input_mtok is None or rates.output_mtok is None:
        return {"unknown": f"{provider.id} has no rates for tokens in and out of {model.id}"}
    price = {
        **_base_rates(rates),
        "tiers": _tiers(rates),
        "origin": f"genai-prices {version('genai-prices')}, {provider.id} {model.id}",
    }
    until = None if isinstance(model.prices, ModelPrice) else _next_change(model.prices, now)
    return {"price": price, "until": None if until is None else until.isoformat()}


def _base_rates(rates: "ModelPrice") -> dict[str, str | None]:
    return {name: _rate(getattr(rates, key), 0) for name, key in _RATES.items()}


def _tiers(rates: "ModelPrice") -> list[dict[str, Any]]:
    starts = {tier.start for key in _RATES.values() for tier in getattr(getattr(rates, key), "tiers", ())}
    return [
        {"above": start, **{name: _rate(getattr(rates, key), start + 1) for name, key in _RATES.items()}}
        for start in sorted(starts)
    ]


def _rate(rate: Any, prompt_tokens: int) -> str | None:
    """The rate at a prompt of that many tokens, as a decimal string."""
    if rate is None:
        return None
    if isinstance(rate, Decimal):
        return str(rate)
    reached = [tier.price for tier in rate.tiers if prompt_tokens > tier.start]
    return str(reached[-1] if reached else rate.base)


def _next_change(prices: "list[ConditionalPrice]", now: datetime) -> datetime | None:
    """When another of a model's prices takes over: on a date, or at a time of day."""
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    changes: list[datetime] = []
    for conditional in prices:
        constraint = conditional.constraint
        if isinstance(constraint, StartDateConstraint):
            changes.append(datetime.combine(constraint.start_date, time(), UTC))
        elif isinstance(constraint, TimeOfDateConstraint):
            changes += (_next_time(edge, now) for edge in (constraint.start_time, constraint.end_time))
    return min((change for change in changes if change > now), default=None)


def _next_time(edge: time, now: datetime) -> datetime:
    today = datetime.combine(now.astimezone(edge.tzinfo or UTC).date(), edge, edge.tzinfo or UTC)
    return (today if today > now else today + timedelta(days=1)).astimezone(UTC)


if __name__ == "__main__":
    raise SystemExit(main())
