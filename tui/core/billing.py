"""What an attempt and a call cost, and how sure that is. Both attempts of a retried call are costed."""

from collections.abc import Mapping

from tui.core.entries import AttemptEntry, CallEntry
from tui.core.money import NOTHING, UNPRICED, CostSource, Money, Price, cost_of


def attempt_cost(attempt: AttemptEntry, price: Price | None) -> Money:
    """The money of one attempt; nothing for one that runs, or was refused before the server worked."""
    if attempt.usage is None or attempt.ended_at is None:
        return NOTHING
    if price is None:
        return UNPRICED
    return Money(cost_of(attempt.usage, price), source_of(attempt))


def source_of(attempt: AttemptEntry) -> CostSource:
    """How we know the attempt's tokens."""
    if not attempt.usage_estimated:
        return CostSource.BILLED
    return CostSource.POSSIBLY_BILLED if attempt.possibly_billed else CostSource.ESTIMATED


def call_cost(call: CallEntry, prices: Mapping[str, Price | None]) -> Money:
    """The money of all of a call's attempts."""
    total = NOTHING
    for attempt in call.attempts:
        total += attempt_cost(attempt, prices.get(call.model))
    return total
