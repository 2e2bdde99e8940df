"""What earlier sessions of a run have settled, as a ledger to go on from. Reads the journal; asks and sends nothing.

A call counts as it would in a run that was never cut off: one whose question was settled by another call, or not at
all, is in no figure but the attempts sent and the money, as a warm-up call is.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from tui.core.budget import UnboundedCost, worst_cost
from tui.core.calls import CallPlan, State
from tui.core.clock import nanoseconds
from tui.core.facts_of import call_facts
from tui.core.ledger import Ledger
from tui.core.money import Price, cost_of
from tui.core.objectives import Goodput
from tui.core.records import AttemptRecord, CallRecord
from tui.core.results import Outcome
from tui.core.structured import REJECTED
from tui.core.windows import SlidingCount
from tui.files.journal_reader import read_journal


def past_ledger(
    journal: Path,
    outcome: Callable[[str], Outcome | None],
    last_instant_s: float,
    now: int,
    price: Price | None,
    goodput: Goodput | None,
    retry_failed: bool,
) -> tuple[Ledger, int, Decimal]:
    """All that is on record, folded; how many of its calls settled nothing; and the USD that count in a budget.

    The run's clock goes on now (ns) from where it stood at `last_instant_s`.

    `outcome` says which call settled a question. With `retry_failed` those that failed are to be settled anew. Keeps
    figures only: the texts are on record.
    """
    past = Ledger(goodput)
    tries, charged = 0, Decimal(0)
    origin = past.started_at = now - nanoseconds(last_instant_s)
    for record in read_journal(journal):
        settled = outcome(record.item_key)
        counts = settled is not None and settled.call == record.id and (settled.state is State.DONE or not retry_failed)
        tries += not counts
        charged += _charged(record, price)
        past.prices.setdefault(record.model, price)
        _fold(past, record if counts else replace(record, warmup=True), origin)
    sent = SlidingCount()  # that of the fold has heard of the calls one after the other, whenever they were sent
    for at in sorted(attempt.sent_at for call in past.calls.values() for attempt in call.attempts):
        sent.add(at)
    past.sent = sent
    return past, tries, charged


def _charged(record: CallRecord, price: Price | None) -> Decimal:
    """USD that its attempts count for, by the rule under which they were made (engine/call.py, core/budget.py)."""
    total = Decimal(0)
    if price is None:
        return total
    for attempt in record.attempts:
        usage = attempt.usage
        came_whole = attempt.error is None or attempt.error.startswith(REJECTED)
        if usage is not None and came_whole and not attempt.usage_estimated:
            total += cost_of(usage, price)
        elif came_whole or attempt.possibly_billed or usage is not None:
            total += _worst(record, attempt, price)
    return total


def _worst(record: CallRecord, attempt: AttemptRecord, price: Price) -> Decimal:
    asked = json.loads(record.plan_json)
    plan = CallPlan(record.id, record.model, tuple(asked.get("messages", ())), asked.get("params", {}))
    try:
        return worst_cost(plan, price)
    except UnboundedCost:  # of a session that had no budget
        return cost_of(attempt.usage, price) if attempt.usage is not None else Decimal(0)


def _fold(past: Ledger, record: CallRecord, origin: int) -> None:
    for fact in call_facts(record, origin):
        past.fold(fact)
    past.calls[record.id].forget_text()
