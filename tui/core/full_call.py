"""From a call to all that is known of it: what is shown when one call is open. Values only."""

from tui.core.buffering import buffered
from tui.core.calls import Usage
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.ledger import Ledger
from tui.core.panes import pane
from tui.core.secrets import NO_MASK, Mask
from tui.core.snapshot import AttemptView, FullCall
from tui.core.untrusted import clean_line
from tui.core.waterfall import bar_of

FULL_TEXT_CHARS = 200_000


def full_call(
    ledger: Ledger, call: CallEntry, now: int, tail_chars: int | None = None, mask: Mask = NO_MASK
) -> FullCall:
    """A call at `now` (ns), with the last `tail_chars` characters of its text; None: all of it, within bounds."""
    attempt = call.delivering or (call.attempts[-1] if call.attempts else None)
    usage: Usage | None = attempt.usage if attempt else None
    chars = FULL_TEXT_CHARS if tail_chars is None else min(tail_chars, FULL_TEXT_CHARS)
    return FullCall(
        pane=pane(ledger, call, now, chars, mask),
        prompt=mask(call.prompt),
        attempts=[_attempt(call, entry) for entry in call.attempts],
        queue_ns=call.admitted_at - call.due_at if call.admitted_at is not None else None,
        ttfa_ns=_ttfa(attempt),
        chunks=attempt.chunks if attempt else 0,
        largest_gap_ns=attempt.largest_gap_ns if attempt and attempt.chunks > 1 else None,
        prompt_tokens=usage.prompt if usage else None,
        reasoning_tokens=usage.reasoning if usage else None,
        cached_tokens=usage.cached if usage else None,
        bursts=attempt.bursts if attempt else 0,
        buffered=buffered(attempt) if attempt else None,
        bar=bar_of(call, mask),
    )


def _ttfa(attempt: AttemptEntry | None) -> int | None:
    if attempt is None or attempt.first_answer_at is None or attempt.first_answer_at == attempt.first_token_at:
        return None
    return attempt.first_answer_at - attempt.sent_at


def _attempt(call: CallEntry, attempt: AttemptEntry) -> AttemptView:
    def since_sent(instant: int | None) -> int | None:
        return None if instant is None else instant - attempt.sent_at

    return AttemptView(
        number=attempt.number,
        sent_after_ns=attempt.sent_at - call.due_at,
        written_ns=since_sent(attempt.written_at),
        headers_ns=since_sent(attempt.headers_at),
        first_token_ns=since_sent(attempt.first_token_at),
        last_token_ns=since_sent(attempt.last_token_at),
        ended_ns=since_sent(attempt.ended_at),
        status=attempt.status,
        error=attempt.error,
        request_id=attempt.request_id,
        limiter_ns=None if attempt.waited_at is None else attempt.sent_at - attempt.waited_at,
        retry_after_s=attempt.retry_after_s,
        headers=[(clean_line(name), clean_line(value)) for name, value in attempt.headers],
    )
