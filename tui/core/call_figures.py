"""The figures of one call, as the table shows them, the filter compares them and the order sorts by them.

One place for all three, so that `ttft>500ms` never lists a row that reads less. Formats nothing.
"""

from collections.abc import Callable
from decimal import Decimal

from tui.core.billing import call_cost
from tui.core.calls import State, Usage
from tui.core.clock import NS_PER_S
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.ledger import Ledger
from tui.core.money import NOTHING, UNPRICED, CostSource, Money, cost_of
from tui.core.secrets import NO_MASK, Mask
from tui.core.untrusted import clean_line
from tui.core.views import Cost

PROMPT_HEAD_CHARS = 160

Figure = Callable[[Ledger, CallEntry, int], int | float | Decimal | None]
"""A number of a call at an instant; None when it is absent."""


def newest_attempt(call: CallEntry) -> AttemptEntry | None:
    """The attempt whose text and status are shown."""
    return call.attempts[-1] if call.attempts else None


def prompt_head(call: CallEntry, mask: Mask = NO_MASK) -> str:
    """What lists call it, on one line and without what `mask` hides: its title, else the start of its prompt."""
    # The prompts of a batch all begin alike.
    text = call.title or call.prompt
    # Masked before it is cut: what a cut leaves of a secret may be too short to be known for one.
    return clean_line(mask(text[: PROMPT_HEAD_CHARS + mask.longest])[:PROMPT_HEAD_CHARS])


def queue_ns(call: CallEntry) -> int | None:
    """Due to admitted; None until then."""
    return None if call.admitted_at is None else call.admitted_at - call.due_at


def retries(call: CallEntry) -> int:
    """Attempts after the first."""
    return max(0, len(call.attempts) - 1)


def status(call: CallEntry) -> int | None:
    """HTTP status of the newest attempt; None before its headers."""
    return call.attempts[-1].status if call.attempts else None


def total_ns(call: CallEntry, now: int) -> int:
    """Since the call was due, until its end or now; 0 before it is due."""
    return max(0, (now if call.ended_at is None else call.ended_at) - call.due_at)


def error(call: CallEntry) -> str | None:
    """Why it ended, or what its newest attempt died of."""
    if call.error is not None or not call.attempts:
        return call.error
    return call.attempts[-1].error


def ttft_mark(attempt: AttemptEntry | None) -> str:
    """How far the TTFT can be trusted: `late`, `shared` or nothing to say; see `Pane.ttft_mark`."""
    if attempt is None:
        return ""
    return "late" if attempt.late else "shared" if attempt.shared else ""


def tokens(ledger: Ledger, attempt: AttemptEntry | None) -> tuple[int, bool]:
    """Completion tokens of an attempt, and whether they are an estimate."""
    if attempt is None:
        return 0, True
    if attempt.usage is not None:
        return attempt.usage.completion, attempt.usage_estimated
    uncounted = attempt.shown_chars - attempt.counted_chars
    return attempt.counted_tokens + round(uncounted * ledger.tokens_per_char), True


def whole_rate(attempt: AttemptEntry | None, n: int) -> float | None:
    """Tokens per second of the whole stream so far, with `n` tokens: (n - 1) / (last token - first token).

    None below two tokens, and when all came in one instant.
    """
    if attempt is None or attempt.first_token_at is None or attempt.last_token_at is None or n < 2:
        return None
    stream_ns = attempt.last_token_at - attempt.first_token_at
    return (n - 1) * NS_PER_S / stream_ns if stream_ns > 0 else None


def running_money(ledger: Ledger, call: CallEntry, n: int) -> Money:
    """What the attempt under way has cost with `n` tokens so far, as far as one can tell."""
    price = ledger.prices.get(call.model)
    if call.state not in (State.CONNECTING, State.STREAMING) or price is None:
        return NOTHING
    prompt = round(len(call.prompt) * ledger.prompt_tokens_per_char)
    return Money(cost_of(Usage(prompt, n), price), CostSource.ESTIMATED)


def money(ledger: Ledger, call: CallEntry, n: int) -> Money:
    """What all of its attempts cost, the one under way included.

    Unpriced while nobody has said what the model costs: $0 would be a claim.
    """
    if ledger.prices.get(call.model) is None:
        return UNPRICED
    return call_cost(call, ledger.prices) + running_money(ledger, call, n)


def shown_cost(amount: Money) -> Cost:
    """Money as a snapshot carries it."""
    return Cost(None if amount.amount is None else format(amount.amount, "f"), amount.source.value)


def uncounted(call: CallEntry) -> bool:
    """Its tokens may still be counted by us, even after its end, so that tokens, rate and cost will change."""
    for attempt in call.attempts:
        if attempt.usage is None and (attempt.possibly_billed or attempt.error is None):
            return True
    return False


def _tokens_now(ledger: Ledger, call: CallEntry) -> int:
    return tokens(ledger, newest_attempt(call))[0]


FIGURES: dict[str, Figure] = {
    "id": lambda ledger, call, now: call.id,
    "queue": lambda ledger, call, now: queue_ns(call),
    "attempts": lambda ledger, call, now: len(call.attempts),
    "retries": lambda ledger, call, now: retries(call),
    "status": lambda ledger, call, now: status(call),
    "ttft": lambda ledger, call, now: call.ttft_ns,
    "tok/s": lambda ledger, call, now: whole_rate(newest_attempt(call), _tokens_now(ledger, call)),
    "tokens": lambda ledger, call, now: _tokens_now(ledger, call),
    "cost": lambda ledger, call, now: money(ledger, call, _tokens_now(ledger, call)).amount,
    "total": lambda ledger, call, now: total_ns(call, now),
}
"""By the name that the filter and the table's columns have for them. Durations in ns, money in USD."""

COUNTED_LATE = frozenset({"tok/s", "tokens", "cost"})
"""Those that may change after a call's end, when its tokens are counted."""
