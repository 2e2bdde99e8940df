"""From a call's entry to its bar in the waterfall: what it did, and for how long. Asks no clock, keeps nothing.

A bar has no holes and no overlaps: every stretch begins where the one before it ended. So instants that contradict
each other (a kernel's stamp of the first token may lie before our own stamp of the request's last byte) shorten a
stretch, and never turn one round.
"""

from tui.core.call_figures import prompt_head
from tui.core.calls import State
from tui.core.clock import NS_PER_MS
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.facts import ABANDONED
from tui.core.secrets import NO_MASK, Mask
from tui.core.views import Bar, Span, TryEnd

_GIVING_UP_NS = 10 * NS_PER_MS
"""From an attempt's end to its call's: what giving up takes even on a loop that is busy. Longer: it was waiting."""


def bar_of(call: CallEntry, mask: Mask = NO_MASK) -> Bar:
    """The call as a row of the waterfall shows it; about 3 µs for a call of one attempt."""
    line = _Line(call.due_at, call.ended_at)
    for attempt in call.attempts:
        _before(line, attempt.sent_at if attempt.waited_at is None else attempt.waited_at)
        line.until("limiter", attempt.sent_at)
        line.attempt = attempt.number
        _exchange(line, attempt)
    if call.ended_at is None:
        _now(line, call)
    else:
        _last_wait(line, call)
    return Bar(
        call=call.id,
        state=call.state,
        model=call.model,
        prompt=prompt_head(call, mask),
        due_at=call.due_at,
        ended_at=call.ended_at,
        spans=line.spans,
        failures=[
            TryEnd(attempt.ended_at, attempt.number, attempt.status, attempt.error)
            for attempt in call.attempts
            # Cut by us, an attempt failed only if its call did: its time was up.
            if attempt.error is not None
            and attempt.ended_at is not None
            and (attempt.error != ABANDONED or call.state in (State.FAILED, State.BROKEN))
        ],
        warmup=call.warmup,
    )


class _Line:
    """A call's time from when it was due, cut into spans from left to right."""

    __slots__ = ("at", "attempt", "end", "spans")

    def __init__(self, due_at: int, end: int | None) -> None:
        self.at = due_at
        """Everything before this is told."""
        self.end = end
        """The call's; None while it has not ended."""
        self.attempt = 0
        """Attempts sent by then."""
        self.spans: list[Span] = []

    def until(self, kind: str, instant: int | None) -> None:
        """The call did `kind` from where the line stands until `instant`; None: until it ended, or it still does."""
        end = self.end
        if instant is None or (end is not None and instant > end):
            instant = end
        if instant is None:
            self.spans.append(Span(kind, self.at, None, self.attempt))
        elif instant > self.at:
            self.spans.append(Span(kind, self.at, instant, self.attempt))
            self.at = instant


def _before(line: _Line, waited_at: int) -> None:
    """What came before an attempt stood in the limiter's queue."""
    line.until("backoff" if line.attempt else "queue", waited_at)


def _exchange(line: _Line, attempt: AttemptEntry) -> None:
    """One attempt, from its sending to its end."""
    over = attempt.ended_at if attempt.ended_at is not None else line.end
    first = attempt.first_token_at
    # A server may answer before it has read all of the request.
    written = attempt.written_at if attempt.written_at is not None else attempt.headers_at
    if first is not None and (written is None or first < written):
        written = first
    if written is None:
        line.until("connect", over)
        return
    line.until("connect", written)
    if first is None:
        line.until("wait", over)
        return
    line.until("wait", first)
    if over is None:
        line.until("stream", None)
        return
    line.until("stream", attempt.last_token_at)
    line.until("tail", over)


def _now(line: _Line, call: CallEntry) -> None:
    """What a call does that is on no attempt."""
    if call.state is State.QUEUED:
        line.until("queue", None)
    elif call.state is State.WAITING and call.waiting_since is not None:
        _before(line, call.waiting_since)
        line.until("limiter", None)
    elif call.state is State.BACKING_OFF:
        line.until("backoff", None)


def _last_wait(line: _Line, call: CallEntry) -> None:
    """What an ended call did after its last attempt, or instead of one: it was cancelled or refused as it waited."""
    assert call.ended_at is not None
    if call.waiting_since is not None:
        _before(line, call.waiting_since)
        line.until("limiter", None)
    elif not call.attempts:
        line.until("queue", call.queued_at)
        line.until("limiter", None)  # it goes there in the same turn of the loop that takes it up
    elif call.state is not State.DONE and call.ended_at - line.at > _GIVING_UP_NS:
        line.until("backoff", None)
