"""From the ledger to a Snapshot: what one pair of eyes can see of a run at one instant."""

from tui.core.billing import call_cost
from tui.core.calls import State, Usage
from tui.core.clock import NS_PER_S
from tui.core.commands import Watch
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.histogram import Histogram
from tui.core.ledger import Ledger, stream_tokens_per_s
from tui.core.live_tokens import estimated_tokens
from tui.core.money import NOTHING, UNPRICED, CostSource, Money, cost_of
from tui.core.snapshot import (
    AttemptView,
    Cost,
    Counts,
    FullCall,
    Pane,
    RunView,
    Snapshot,
    Spread,
)
from tui.core.untrusted import clean_line

FULL_TEXT_CHARS = 200_000
PROMPT_HEAD_CHARS = 160
_LIVE_WINDOW_NS = 2 * NS_PER_S


class RunCard:
    """What a run is called: the part of the picture that facts do not carry."""

    def __init__(
        self,
        job: str,
        model: str,
        endpoint: str,
        planned: int | None = None,
        record: str | None = None,
    ) -> None:
        self.job = job
        self.model = clean_line(model)
        self.endpoint = clean_line(endpoint)
        self.planned = planned
        self.record = record
        self.deadline_at: int | None = None


def picture(ledger: Ledger, card: RunCard, watch: Watch, now: int) -> Snapshot:
    """The run as `watch` wants to see it at `now`."""
    calls = shown_calls(ledger, watch)
    rate = ledger.tokens_per_char
    focus = ledger.calls.get(watch.focus) if watch.focus is not None else None
    return Snapshot(
        at=now,
        run=_run(ledger, card, now),
        counts=Counts(**{state.name.lower(): count for state, count in ledger.states.items()}),
        attempts=ledger.attempts,
        retries=ledger.retries,
        http_429=ledger.http_429,
        attempts_60s=ledger.sent.within(now),
        attempts_by_second=ledger.sent_lately.by_second(now),
        tokens_60s=ledger.tokens_used.within(now),
        tokens=ledger.usage.completion + round(ledger.running_chars * rate),
        tokens_estimated=ledger.running_chars > 0 or ledger.tokens_estimated,
        tokens_per_s=_tokens_per_s(ledger, now),
        tokens_by_second=[round(chars * rate) for chars in ledger.chars_lately.by_second(now)],
        ttft=spread(ledger.ttft),
        ttft_by_second=ledger.ttft_lately.by_second(now),
        lag=spread(ledger.lag),
        late=ledger.late,
        shared=ledger.shared,
        cost=_cost(_priced(ledger, card.model, ledger.spent + _all_running_cost(ledger, card))),
        lane_closed_until=ledger.lane_closed_until,
        lane_closed_why=ledger.lane_closed_why,
        places=len(ledger.calls if watch.everything else ledger.places),
        everything=watch.everything,
        first=watch.first,
        panes=[pane(ledger, ledger.calls[call], now, watch.tail_chars) for call in calls],
        focus=_full(ledger, focus, now) if focus is not None else None,
    )


def shown_calls(ledger: Ledger, watch: Watch) -> list[int]:
    """The calls in the window that is watched."""
    if watch.everything:
        return ledger.order[watch.first : watch.first + watch.count]
    return ledger.places.window(watch.first, watch.count)


def _tokens_per_s(ledger: Ledger, now: int) -> float:
    """Of the last two seconds while it runs; of the whole run once it has ended."""
    if ledger.ended_at is None or ledger.measured_from is None or ledger.last_ended_at is None:
        return ledger.chars_lately.per_second(now) * ledger.tokens_per_char
    wall_ns = ledger.last_ended_at - ledger.measured_from
    return ledger.measured_usage.completion * NS_PER_S / wall_ns if wall_ns > 0 else 0.0


def spread(histogram: Histogram) -> Spread | None:
    """A histogram's figures; None when it is empty."""
    found = histogram.quantiles(0.5, 0.95, 0.99)
    if found is None:
        return None
    p50, p95, p99 = found
    return Spread(histogram.n, p50, p95, p99, histogram.maximum)


def pane(ledger: Ledger, call: CallEntry, now: int, tail_chars: int) -> Pane:
    """One call, as a pane shows it."""
    attempt = call.attempts[-1] if call.attempts else None
    delivering = call.delivering
    tokens, estimated = _tokens(ledger, call, attempt)
    return Pane(
        call=call.id,
        state=call.state,
        model=call.model,
        prompt=clean_line(call.prompt[:PROMPT_HEAD_CHARS]),
        text=attempt.tail(tail_chars) if attempt else "",
        text_end=attempt.shown_chars if attempt else 0,
        attempt=len(call.attempts),
        retries=max(0, len(call.attempts) - 1),
        ttft_ns=call.ttft_ns,
        ttft_mark=_mark(delivering),
        waited_ns=_waited_until(call, delivering, now) - call.due_at,
        tokens=tokens,
        tokens_estimated=estimated,
        tokens_per_s=_rate(call, attempt, tokens, now),
        quiet_ns=_quiet(call, attempt, now),
        backoff_until=call.backoff_until,
        cost=_cost(_priced(ledger, call.model, call_cost(call, ledger.prices) + _running_cost(ledger, call, tokens))),
        error=call.error or (attempt.error if attempt else None),
        finish_reason=call.finish_reason,
        warmup=call.warmup,
    )


def _run(ledger: Ledger, card: RunCard, now: int) -> RunView:
    return RunView(
        job=card.job,
        model=card.model,
        endpoint=card.endpoint,
        started_at=ledger.started_at if ledger.started_at is not None else now,
        phase=ledger.phase,
        ended_at=ledger.ended_at,
        planned=card.planned,
        deadline_at=card.deadline_at,
        concurrency=ledger.concurrency,
        rpm_limit=ledger.rpm,
        tpm_limit=ledger.tpm,
        record=card.record,
        notice=ledger.notice,
        notices=ledger.notices,
    )


def _mark(attempt: AttemptEntry | None) -> str:
    if attempt is None:
        return ""
    return "late" if attempt.late else "shared" if attempt.shared else ""


def _waited_until(call: CallEntry, delivering: AttemptEntry | None, now: int) -> int:
    if delivering is not None and delivering.first_token_at is not None:
        return delivering.first_token_at
    return call.ended_at if call.ended_at is not None else now


def _tokens(ledger: Ledger, call: CallEntry, attempt: AttemptEntry | None) -> tuple[int, bool]:
    """Completion tokens of the attempt shown, and whether they are an estimate."""
    if attempt is None:
        return 0, True
    if attempt.usage is not None:
        return attempt.usage.completion, attempt.usage_estimated
    uncounted = attempt.shown_chars - attempt.counted_chars
    return attempt.counted_tokens + round(uncounted * ledger.tokens_per_char), True


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


def _priced(ledger: Ledger, model: str, money: Money) -> Money:
    """`money`, or nothing known while nobody has said what the model costs: $0 would be a claim."""
    return money if ledger.prices.get(model) is not None else UNPRICED


def _running_cost(ledger: Ledger, call: CallEntry, tokens: int) -> Money:
    """What the attempt under way has cost so far, as far as one can tell."""
    price = ledger.prices.get(call.model)
    if call.state not in (State.CONNECTING, State.STREAMING) or price is None:
        return NOTHING
    return Money(cost_of(Usage(estimated_tokens(len(call.prompt)), tokens), price), CostSource.ESTIMATED)


def _all_running_cost(ledger: Ledger, card: RunCard) -> Money:
    """The same for all of them: characters and the mean prompt are the estimate, so that it costs no walk."""
    running = ledger.states[State.CONNECTING] + ledger.states[State.STREAMING]
    price = ledger.prices.get(card.model)
    if not running or price is None:
        return NOTHING
    usage = Usage(round(running * ledger.mean_prompt_tokens), round(ledger.running_chars * ledger.tokens_per_char))
    return Money(cost_of(usage, price), CostSource.ESTIMATED)


def _cost(money: Money) -> Cost:
    return Cost(None if money.amount is None else format(money.amount, "f"), money.source.value)


def _full(ledger: Ledger, call: CallEntry, now: int) -> FullCall:
    attempt = call.delivering or (call.attempts[-1] if call.attempts else None)
    usage = attempt.usage if attempt else None
    return FullCall(
        pane=pane(ledger, call, now, FULL_TEXT_CHARS),
        prompt=call.prompt,
        attempts=[_attempt(call, entry) for entry in call.attempts],
        queue_ns=call.admitted_at - call.due_at if call.admitted_at is not None else None,
        ttfa_ns=_ttfa(attempt),
        chunks=attempt.chunks if attempt else 0,
        largest_gap_ns=attempt.largest_gap_ns if attempt and attempt.chunks > 1 else None,
        prompt_tokens=usage.prompt if usage else None,
        reasoning_tokens=usage.reasoning if usage else None,
        cached_tokens=usage.cached if usage else None,
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
    )
