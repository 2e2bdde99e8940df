"""What a run's pace is judged by: how the run stood at one look, read from its ledger. Decides nothing."""

from dataclasses import dataclass

from tui.core.calls import State
from tui.core.clock import NS_PER_S
from tui.core.ledger import Ledger
from tui.core.views import Refusal

LONGEST_RESET_S = 60.0
"""A limit whose allowance takes longer than this to come back is no minute's."""
NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Seen:
    """How a run stood at one look."""

    at_s: float
    since_s: float
    """For how long requests have been sent, at this look."""
    passed_60s: int
    """Attempts that the server let through in the last 60 s."""
    passed: int = 0
    """In all."""
    passed_at_s: float = NEVER
    """When it last let one through."""
    sent: int = 0
    """Attempts in all."""
    unanswered: int = 0
    """Of them, those on the wire of whose fate nothing is known."""
    refused_sent_at_s: tuple[float, ...] = ()
    """When each attempt was sent of which a 429 came since the last look."""
    cause: str = ""
    """Why, as core/refusals.py judges it; empty without any."""
    refused_in_flight: int | None = None
    """The fewest that were in flight, itself included, when one of them was sent."""
    streaming: int = 0
    """Answers that arrive: so many at once are borne."""
    told_wait_s: float | None = None
    """The longest wait that the server asked for; None when it asked for none."""
    said_rpm: int | None = None
    """The requests a minute that its headers state."""
    said_tpm: int | None = None
    """The tokens a minute."""
    rate_binds: bool = False
    """Calls stand in the limiter's queue, and it is open."""
    slots_bind: bool = False
    """As many are in flight as may be."""
    closed: bool = False
    """Nothing may go at this moment: a cool-down, or a pause."""


def seen(ledger: Ledger, in_limiter: int, looked_at: int, now: int) -> Seen:
    """A run at `now` (ns), of whose refusals `looked_at` were looked at before."""
    fresh = ledger.refusals.total - looked_at
    refusals = ledger.refusals.newest(fresh) if fresh else []
    closed = ledger.phase != "running" or (ledger.lane_closed_until is not None and ledger.lane_closed_until > now)
    said = ledger.allowance
    return Seen(
        at_s=now / NS_PER_S,
        since_s=(now - ledger.started_at) / NS_PER_S if ledger.started_at is not None else 0.0,
        passed_60s=ledger.passed.within(now),
        passed=ledger.passed_in_all,
        passed_at_s=ledger.passed_at / NS_PER_S if ledger.passed_at is not None else NEVER,
        sent=ledger.attempts,
        unanswered=ledger.states[State.CONNECTING],
        refused_sent_at_s=tuple(_sent_at_s(ledger, refusal) for refusal in refusals),
        cause=ledger.refusals.verdict(ledger.rpm, ledger.concurrency).kind if fresh else "",
        refused_in_flight=min((refusal.in_flight for refusal in refusals), default=None),
        streaming=ledger.states[State.STREAMING],
        told_wait_s=max(
            (wait_s for refusal in refusals if (wait_s := refusal.retry_after_s) is not None), default=None
        ),
        said_rpm=None if said is None else _a_minutes(said.limit_requests, said.reset_requests_s),
        said_tpm=None if said is None else _a_minutes(said.limit_tokens, said.reset_tokens_s),
        # Who is held back by the number at once stands in the limiter too.
        rate_binds=in_limiter > 0 and not closed and ledger.in_flight < ledger.concurrency,
        slots_bind=ledger.in_flight >= ledger.concurrency,
        closed=closed,
    )


def _sent_at_s(ledger: Ledger, refusal: Refusal) -> float:
    attempts = ledger.calls[refusal.call].attempts
    return next(attempt.sent_at for attempt in reversed(attempts) if attempt.ended_at == refusal.at) / NS_PER_S


def _a_minutes(limit: int | None, reset_s: float | None) -> int | None:
    return limit if reset_s is None or reset_s <= LONGEST_RESET_S else None
