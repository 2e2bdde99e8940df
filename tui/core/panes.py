"""From a call to its pane of the wall. Values only: draws nothing and decides nothing."""

from tui.core import call_figures as figures
from tui.core.calls import State
from tui.core.clock import NS_PER_S
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.ledger import Ledger, stream_tokens_per_s
from tui.core.secrets import NO_MASK, Mask
from tui.core.snapshot import Pane

_LIVE_WINDOW_NS = 2 * NS_PER_S


def pane(ledger: Ledger, call: CallEntry, now: int, tail_chars: int, mask: Mask = NO_MASK) -> Pane:
    """One call, as a pane shows it at `now` (ns), with the last `tail_chars` characters of its text."""
    attempt = figures.newest_attempt(call)
    delivering = call.delivering
    tokens, estimated = figures.tokens(ledger, attempt)
    return Pane(
        call=call.id,
        state=call.state,
        model=call.model,
        prompt=figures.prompt_head(call, mask),
        text=_masked_tail(attempt, tail_chars, mask) if attempt and tail_chars else "",
        text_end=attempt.shown_chars if attempt else 0,
        attempt=len(call.attempts),
        retries=figures.retries(call),
        ttft_ns=call.ttft_ns,
        ttft_mark=figures.ttft_mark(delivering),
        waited_ns=_waited_until(call, delivering, now) - call.due_at,
        tokens=tokens,
        tokens_estimated=estimated,
        tokens_per_s=_rate(call, attempt, tokens, now),
        quiet_ns=_quiet(call, attempt, now),
        backoff_until=call.backoff_until,
        cost=figures.shown_cost(figures.money(ledger, call, tokens)),
        error=figures.error(call),
        finish_reason=call.finish_reason,
        warmup=call.warmup,
    )


def _masked_tail(attempt: AttemptEntry, chars: int, mask: Mask) -> str:
    """The last `chars` characters, 1 or more; a secret of which only the end is among them is hidden as well."""
    return mask(attempt.tail(chars + mask.longest))[-chars:]


def _waited_until(call: CallEntry, delivering: AttemptEntry | None, now: int) -> int:
    if delivering is not None and delivering.first_token_at is not None:
        return delivering.first_token_at
    return call.ended_at if call.ended_at is not None else now


def _rate(call: CallEntry, attempt: AttemptEntry | None, tokens: int, now: int) -> float | None:
    if attempt is None or attempt.first_token_at is None or tokens < 2:
        return None
    if call.state is not State.STREAMING:
        return stream_tokens_per_s(attempt)
    samples = call.samples
    if not samples or now - samples[-1][0] >= NS_PER_S // 10:
        samples.append((now, tokens))
        while samples[0][0] < now - _LIVE_WINDOW_NS:
            samples.pop(0)
    since, before = samples[0]
    if now - since < NS_PER_S // 4:
        # Too young a window; the stream's own age says more.
        since, before = attempt.first_token_at, 1
    # An estimate may fall below what it was, or below the one token that began the stream.
    return max(0, tokens - before) * NS_PER_S / (now - since) if now > since else None


def _quiet(call: CallEntry, attempt: AttemptEntry | None, now: int) -> int | None:
    if call.state is not State.STREAMING or attempt is None or attempt.last_token_at is None:
        return None
    return max(0, now - attempt.last_token_at)
