"""From a call to its row of the table. Values only: draws nothing and decides nothing."""

from tui.core.call_figures import (
    error,
    money,
    newest_attempt,
    prompt_head,
    queue_ns,
    shown_cost,
    status,
    tokens,
    total_ns,
    ttft_mark,
    whole_rate,
)
from tui.core.entries import CallEntry
from tui.core.ledger import Ledger
from tui.core.secrets import NO_MASK, Mask
from tui.core.views import CallRow


def row(ledger: Ledger, call: CallEntry, now: int, mask: Mask = NO_MASK) -> CallRow:
    """The call as the table shows it at `now` (ns), without what `mask` hides."""
    attempt = newest_attempt(call)
    n, estimated = tokens(ledger, attempt)
    return CallRow(
        call=call.id,
        state=call.state,
        model=call.model,
        prompt=prompt_head(call, mask),
        queue_ns=queue_ns(call),
        attempts=len(call.attempts),
        status=status(call),
        ttft_ns=call.ttft_ns,
        ttft_mark=ttft_mark(call.delivering),
        tokens_per_s=whole_rate(attempt, n),
        tokens=n,
        tokens_estimated=estimated,
        cost=shown_cost(money(ledger, call, n)),
        total_ns=total_ns(call, now),
        error=error(call),
        warmup=call.warmup,
        retry_of=call.retry_of,
    )
