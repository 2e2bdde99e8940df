"""What a run knows about its limits, seen from both sides: ours, and what the server says. Decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from tui.core.calls import State
from tui.core.clock import NS_PER_S, nanoseconds
from tui.core.ledger import Ledger
from tui.core.views import LimitsView, Meter

PACE_TENTHS = 100
"""The pace is that of the last ten seconds."""
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Gauges:
    """What only the limiter knows at this instant."""

    requests_level: float | None = None
    """Requests that our bucket would let go now; None without one."""
    requests_size: float | None = None
    """Requests it would let go when rested."""
    tokens_level: float | None = None
    tokens_size: float | None = None
    tokens_reserved: int | None = None
    """Tokens that the attempts admitted in the last 60 s may use or have used; None without a limit."""
    tokens_reserved_peak: int | None = None
    """The most that was reserved at any time of the run."""
    in_limiter: int = 0
    """Calls that stand in its queue."""
    belief: tuple[str, ...] = ()
    """Of whoever adapts it to the server: what is believed, and why."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What the server last said of one kind of allowance."""

    at: int
    limit: int | None
    remaining: int | None
    reset_s: float | None


def limits_view(ledger: Ledger, gauges: Gauges, now: int) -> LimitsView:
    """Everything the run knows about limits at `now`."""
    refusals = ledger.refusals
    return LimitsView(
        requests=_requests(ledger, gauges, now),
        tokens=_tokens(ledger, gauges, now),
        in_limiter=gauges.in_limiter,
        in_flight=ledger.states[State.CONNECTING] + ledger.states[State.STREAMING],
        in_flight_peak=refusals.in_flight_peak,
        concurrency=ledger.concurrency,
        refusals=refusals.newest(),
        refused=refusals.total,
        verdict=refusals.verdict(ledger.rpm, ledger.concurrency),
        belief=list(gauges.belief),
    )


def eta_ns(used: float, limit: int | None, pace_per_s: float, came: Sequence[float]) -> int | None:
    """Nanoseconds until the last 60 s hold `limit`, if the pace stays; None: they will not, or there is no limit.

    `came` is what came in each of the last sixty seconds, oldest first, and leaves the window in that order. From
    second to second the window holds `used + pace - came[0]`, then `+ pace - came[1]`, and so on; within a second it
    moves in a straight line. At a pace of `limit` a minute or less it is never reached, unless it already is (0): a
    fast start may still leave the window full for a while, but nothing adds to what is in it.
    """
    if limit is None:
        return None
    if used >= limit:
        return 0
    if pace_per_s * MINUTE_S <= limit:
        return None
    level = used
    for second, leaving in enumerate(came):
        grown = level + pace_per_s - leaving
        if grown >= limit:
            return round((second + (limit - level) / (grown - level)) * NS_PER_S)
        level = grown
    # After a minute the window would hold the pace alone; sums that are estimates may say so a moment late.
    return MINUTE_S * NS_PER_S


def _requests(ledger: Ledger, gauges: Gauges, now: int) -> Meter:
    said = ledger.allowance
    return _meter(
        Meter(
            limit=ledger.rpm,
            used_60s=ledger.sent.within(now),
            peak_60s=ledger.sent.peak,
            level=gauges.requests_level,
            size=gauges.requests_size,
        ),
        None if said is None else _Said(said.at, said.limit_requests, said.remaining_requests, said.reset_requests_s),
        ledger.sent_lately.per_second(now, PACE_TENTHS),
        ledger.sent_lately.by_second(now),
    )


def _tokens(ledger: Ledger, gauges: Gauges, now: int) -> Meter:
    """Tokens are known when an attempt ends; at what pace they are used is told by what is sent and what text comes.

    Where we limit them, what counts is what the limiter has reserved for attempts that have not ended, too.
    """
    said = ledger.allowance
    reserved, reserved_peak = gauges.tokens_reserved, gauges.tokens_reserved_peak
    a_prompt, a_char = ledger.mean_prompt_tokens, ledger.tokens_per_char
    sent, chars = ledger.sent_lately, ledger.chars_lately
    by_second = zip(sent.by_second(now), chars.by_second(now), strict=True)
    return _meter(
        Meter(
            limit=ledger.tpm,
            used_60s=ledger.tokens_used.within(now) if reserved is None else reserved,
            peak_60s=ledger.tokens_used.peak if reserved_peak is None else reserved_peak,
            level=gauges.tokens_level,
            size=gauges.tokens_size,
        ),
        None if said is None else _Said(said.at, said.limit_tokens, said.remaining_tokens, said.reset_tokens_s),
        a_prompt * sent.per_second(now, PACE_TENTHS) + a_char * chars.per_second(now, PACE_TENTHS),
        [a_prompt * prompts + a_char * texts for prompts, texts in by_second],
    )


def _meter(ours: Meter, said: _Said | None, pace_per_s: float, came: Sequence[float]) -> Meter:
    """`ours` with what the server said and where the pace leads; `came` is by second, in the same unit."""
    limit = ours.limit
    if limit is None and said is not None and (said.reset_s is None or said.reset_s <= MINUTE_S):
        limit = said.limit  # whose reset is further away is no minute's: some providers state a day's requests
    came_in_all = sum(came)
    # What is in the window leaves it as it came, also where `came` is an estimate or ends within its oldest second.
    scale = ours.used_60s / came_in_all if came_in_all else 0.0
    meter = replace(
        ours,
        per_minute_now=pace_per_s * MINUTE_S,
        eta_ns=eta_ns(ours.used_60s, limit, pace_per_s, [amount * scale for amount in came]),
    )
    if said is None or (said.limit, said.remaining, said.reset_s) == (None, None, None):
        return meter
    return replace(
        meter,
        server_limit=said.limit,
        server_remaining=said.remaining,
        server_reset_at=None if said.reset_s is None else said.at + nanoseconds(said.reset_s),
        server_said_at=said.at,
    )
