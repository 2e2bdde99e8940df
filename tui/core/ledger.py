"""The ledger folds facts into calls and totals. The only mutable picture of a run; nobody else decides.

It waits for nothing and asks no clock: every instant comes with its fact. The fold of one token's fact is on the
hot path (it runs once a token), so that handler is written for speed and the others for reading.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tui.core.billing import attempt_cost, call_cost
from tui.core.calls import TERMINAL, State, TextKind, Usage
from tui.core.clock import NS_PER_S
from tui.core.entries import BURST_PAUSE_NS, AttemptEntry, CallEntry
from tui.core.facts import (
    ABANDONED,
    Admitted,
    AllowanceCame,
    AttemptEnded,
    BackedOff,
    CallFact,
    Counted,
    Fact,
    Finished,
    HeadersCame,
    LaneClosed,
    LimitsChanged,
    LiveCounted,
    LoopLagged,
    Noticed,
    PhaseChanged,
    Queued,
    RunFact,
    Sent,
    Stopped,
    TextCame,
    ToolNamed,
    UsageCame,
    Waited,
    Written,
)
from tui.core.histogram import Histogram
from tui.core.history import History
from tui.core.money import NOTHING, Price
from tui.core.places import Places
from tui.core.refusals import Refusals
from tui.core.untrusted import clean, clean_line
from tui.core.windows import LastMinute, MedianBySecond, SlidingCount

if TYPE_CHECKING:
    from tui.core.objectives import Goodput

KEPT_TEXTS = 5_000
"""Ended calls whose text stays in memory; older ones have theirs in the record only."""
KEPT_CHARS = 32_000_000
"""Of their prompts and answers together: documents may be long."""
REQUEST_ID_CHARS = 200
_PHASE_WORDS = {"running": "resumed", "draining": "stopped dispatching"}
LATE_FRACTION = 20
"""A stamp is late when it may be off by more than 1/20 (5 %) of the figure it makes."""


class Ledger:
    """A run, folded from its facts."""

    def __init__(self, goodput: "Goodput | None" = None) -> None:
        """`goodput` counts the calls that met the objectives; None: none are stated."""
        self.goodput = goodput
        self.calls: dict[int, CallEntry] = {}
        self.order: list[int] = []
        """The calls' numbers in the order of their beginning."""
        self.ended_order: list[int] = []
        """The ended calls' numbers in the order of their ending."""
        self._with_text: deque[CallEntry] = deque()
        """Ended calls that still have their text, oldest first."""
        self._text_chars = 0
        """Of them all."""
        self.places = Places()
        self.states: dict[State, int] = dict.fromkeys(State, 0)
        """Calls by state, warm-up included: what a screen shows."""
        self.measured_states: dict[State, int] = dict.fromkeys(State, 0)
        """Ended calls by state, without warm-up and without the withdrawn ones: what a summary counts."""
        self.withdrawn = 0
        """Cancelled calls of which nothing was ever sent, without warm-up. A summary counts them as never sent."""
        self.done_again = 0
        """Begun calls that do an earlier one again because a person asked for it, without warm-up."""
        self.earlier_tries = 0
        """Of a run that goes on: calls of earlier sessions that settled nothing."""
        self.errors: Counter[str] = Counter()
        """Why measured calls are not done."""
        self.finish_reasons: Counter[str | None] = Counter()
        """Why the models of done calls stopped; None: they did not say."""
        self.phase = "running"
        self.started_at: int | None = None
        self.measured_from: int | None = None
        """When the first call that is no warm-up was due."""
        self.ended_at: int | None = None
        self.last_ended_at: int | None = None
        """When the last measured call so far ended."""
        self.rpm: int | None = None
        self.tpm: int | None = None
        self.concurrency = 1
        self.lane_closed_until: int | None = None
        self.lane_closed_why: str | None = None
        self.allowance: AllowanceCame | None = None
        """What the server last said of it."""
        self.notice: str | None = None
        self.notices = 0

        self.attempts = 0
        self.retries = 0
        self.http_429 = 0
        self.in_flight = 0
        """Attempts on the wire. Not a sum of states: a call keeps its last one until it is on record."""
        self.unanswered = 0
        """Failed and broken calls that have not been done again."""
        self.measured_attempts = 0
        self.measured_retries = 0
        self.measured_429 = 0
        self.history = History()
        self.refusals = Refusals()
        self.sent = SlidingCount()
        self.passed = SlidingCount()
        """Attempts that the server let through: status 200 to 299."""
        self.passed_in_all = 0
        self.passed_at: int | None = None
        """When it last let one through."""
        self.sent_lately = LastMinute()
        self.tokens_used = SlidingCount()
        self.chars_lately = LastMinute()

        self.ttft = Histogram()
        self.server_ttft = Histogram()
        self.user_ttft = Histogram()
        self.queue = Histogram()
        self.dispatch_error = Histogram()
        """Due to sent, without the limiter's wait, of scheduled calls for which a slot stood ready."""
        self.tpot = Histogram()
        self.chunk_gap = Histogram()
        self.e2e = Histogram()
        self.stream_rate = Histogram()
        """Tokens per 1,000 s of each stream, so that the histogram's whole numbers are fine enough."""
        self.lag = Histogram()
        self.late = 0
        self.shared = 0
        self.ttft_lately = MedianBySecond()

        self.usage = Usage()
        """Sum over every attempt whose tokens are known, warm-up included: it was paid for."""
        self.tokens_estimated = False
        """Some of `usage` was counted by us."""
        self.measured_usage = Usage()
        self.usage_sources: set[str] = set()
        self.running_chars = 0
        self.running_prompt_chars = 0
        """Of the prompts, as far as they are kept, of the attempts on the wire."""
        self._known_prompt_chars = 0
        self._known_prompt_tokens = 0
        self._known_attempts = 0
        self._known_chars = 0
        self._known_tokens = 0

        self.prices: dict[str, Price | None] = {}
        self.spent = NOTHING

    def fold(self, fact: Fact) -> None:
        """Take one fact in."""
        _FOLDS[type(fact)](self, fact)

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────

    def _queued(self, fact: Queued) -> None:
        prompt, model = clean(fact.prompt), clean_line(fact.model)
        call = CallEntry(fact.call, model, prompt, fact.due_at, fact.warmup, fact.at, fact.retry_of)
        call.slot_ready = fact.slot_ready
        call.title = clean_line(fact.title)
        self.calls[fact.call] = call
        self.order.append(fact.call)
        if fact.retry_of is not None and (again := self.calls.get(fact.retry_of)) is not None:
            self.unanswered -= again.state in (State.FAILED, State.BROKEN)
        self.done_again += fact.retry_of is not None and not fact.warmup
        self.states[State.QUEUED] += 1
        self._gauge(fact.at)
        self.places.began(fact.call)
        if not fact.warmup and self.measured_from is None:
            self.measured_from = fact.due_at

    def _move(self, call: CallEntry, state: State, at: int) -> None:
        self.states[call.state] -= 1
        self.states[state] += 1
        call.state = state
        self._gauge(at)

    def _gauge(self, at: int) -> None:
        states = self.states
        waiting = states[State.QUEUED] + states[State.WAITING] + states[State.BACKING_OFF]
        self.history.states(at, self.in_flight, waiting)

    def _waited(self, fact: Waited) -> None:
        call = self.calls[fact.call]
        call.backoff_until = None
        call.waiting_since = fact.at
        self._move(call, State.WAITING, fact.at)

    def _admitted(self, fact: Admitted) -> None:
        call = self.calls[fact.call]
        if call.admitted_at is None:
            call.admitted_at = fact.at
            if not call.warmup:
                self.queue.record(fact.at - call.due_at)

    def _sent(self, fact: Sent) -> None:
        call = self.calls[fact.call]
        if call.slot_ready and not call.attempts and not call.warmup:
            self._dispatched(call, fact.at)
        if call.attempts and not call.warmup:
            self._superseded(call, call.attempts[-1])
        call.attempts.append(AttemptEntry(len(call.attempts) + 1, fact.at, call.waiting_since))
        call.waiting_since = call.backoff_until = None
        call.finish_reasons.clear()
        call.samples.clear()
        self.in_flight += 1
        self.running_prompt_chars += len(call.prompt)
        if call.warmup and self.measured_from is not None:
            # Who waits behind the warm-up waits for that, and not for what is measured.
            self.measured_from = max(self.measured_from, fact.at)
        self._move(call, State.CONNECTING, fact.at)
        retry = len(call.attempts) > 1
        self.attempts += 1
        self.retries += retry
        if not call.warmup:
            self.measured_attempts += 1
            self.measured_retries += retry
        self.sent.add(fact.at)
        self.sent_lately.add(fact.at)
        self.history.sent(fact.at)
        self.refusals.sent(fact.call, fact.at, self.in_flight, self.sent.within(fact.at))

    def _dispatched(self, call: CallEntry, at: int) -> None:
        if call.waiting_since is not None and call.admitted_at is not None:
            self.dispatch_error.record(at - call.due_at - (call.admitted_at - call.waiting_since))

    def _written(self, fact: Written) -> None:
        self.calls[fact.call].attempts[-1].written_at = fact.at

    def _headers(self, fact: HeadersCame) -> None:
        call = self.calls[fact.call]
        attempt = call.attempts[-1]
        attempt.headers_at = fact.at
        attempt.status = fact.status
        attempt.headers = tuple((clean_line(name), clean_line(value)) for name, value in fact.headers)
        attempt.request_id = clean_line(fact.request_id)[:REQUEST_ID_CHARS] if fact.request_id is not None else None
        self.refusals.answered(fact.call, fact.at, fact.status)
        if 200 <= fact.status < 300:
            self.passed.add(fact.at)
            self.passed_in_all += 1
            self.passed_at = fact.at
        if fact.status == 429:
            self.history.refused(fact.at)
            self.http_429 += 1
            if not call.warmup:
                self.measured_429 += 1

    def _text(self, fact: TextCame) -> None:
        call = self.calls[fact.call]
        attempt = call.attempts[-1]
        at, size = fact.at, len(fact.text)
        last = attempt.last_token_at
        if last is None:
            self._first_token(call, attempt, fact)
        else:
            gap = at - last
            if gap > attempt.largest_gap_ns:
                attempt.largest_gap_ns = gap
            if gap >= BURST_PAUSE_NS:
                attempt.bursts += 1
                attempt.paused_ns += gap
            if fact.opens_chunk and not call.warmup:
                self.chunk_gap.record(gap)
        if attempt.first_answer_at is None and fact.kind is TextKind.CONTENT:
            attempt.first_answer_at = at
        attempt.last_token_at = at
        attempt.arrived(at)
        if fact.opens_chunk:
            attempt.chunks += 1
        else:
            attempt.arrivals.join()
        attempt.chars += size
        attempt.add_text(fact.choice, fact.kind, fact.tool, fact.text)
        self.running_chars += size
        self.chars_lately.add(at, size)
        self.history.text(at, size)

    def _first_token(self, call: CallEntry, attempt: AttemptEntry, fact: TextCame) -> None:
        attempt.first_token_at = fact.at
        attempt.bursts = 1
        ttft = fact.at - attempt.sent_at
        attempt.shared = fact.shared
        attempt.late = fact.late_ns * LATE_FRACTION > ttft
        self._move(call, State.STREAMING, fact.at)
        if call.warmup:
            return
        self.history.first_token(fact.at, ttft)
        self.shared += attempt.shared
        self.late += attempt.late
        self.ttft.record(ttft)
        if attempt.written_at is not None:
            self.server_ttft.record(fact.at - attempt.written_at)
        self.user_ttft.record(fact.at - call.due_at)
        self.ttft_lately.add(fact.at, ttft)

    def _superseded(self, call: CallEntry, attempt: AttemptEntry) -> None:
        """Another attempt begins anew: TTFT is that of the one that delivers."""
        if attempt.first_token_at is None:
            return
        self.shared -= attempt.shared
        self.late -= attempt.late
        self.ttft.forget(attempt.first_token_at - attempt.sent_at)
        if attempt.written_at is not None:
            self.server_ttft.forget(attempt.first_token_at - attempt.written_at)
        self.user_ttft.forget(attempt.first_token_at - call.due_at)

    def _tool(self, fact: ToolNamed) -> None:
        self.calls[fact.call].attempts[-1].tools[fact.choice, fact.index] = (fact.id, fact.name)

    def _usage(self, fact: UsageCame) -> None:
        self.calls[fact.call].attempts[-1].usage = fact.usage

    def _stopped(self, fact: Stopped) -> None:
        self.calls[fact.call].finish_reasons[fact.choice] = clean_line(fact.reason)

    def _attempt_ended(self, fact: AttemptEnded) -> None:
        call = self.calls[fact.call]
        attempt = call.attempts[-1]
        attempt.ended_at = fact.at
        self.in_flight -= 1
        self.running_prompt_chars -= len(call.prompt)
        self._gauge(fact.at)
        attempt.error = clean_line(fact.error) if fact.error is not None else None
        attempt.possibly_billed = fact.possibly_billed
        attempt.retry_after_s = fact.retry_after_s
        attempt.compact()
        self.refusals.ended(fact.call, fact.at, attempt.error, attempt.status, fact.retry_after_s)
        if attempt.error not in (None, ABANDONED) and attempt.status != 429:
            self.history.failed(fact.at)
        self.running_chars -= attempt.chars
        if attempt.usage is not None:
            if attempt.chars:
                self._known_chars += attempt.chars
                self._known_tokens += attempt.usage.completion
            self._spend(call, attempt, "usage", fact.at)

    def _counted(self, fact: Counted) -> None:
        call = self.calls[fact.call]
        attempt = call.attempts[fact.attempt - 1]
        attempt.usage = fact.usage
        attempt.usage_estimated = True
        self.tokens_estimated = True
        self._spend(call, attempt, "estimated", fact.at)

    def _live_counted(self, fact: LiveCounted) -> None:
        attempt = self.calls[fact.call].attempts[fact.attempt - 1]
        attempt.counted_tokens, attempt.counted_chars = fact.tokens, fact.chars

    def _spend(self, call: CallEntry, attempt: AttemptEntry, source: str, at: int) -> None:
        usage = attempt.usage
        assert usage is not None
        self.usage = add_usage(self.usage, usage)
        self._known_attempts += 1
        self._known_prompt_chars += len(call.prompt)
        self._known_prompt_tokens += usage.prompt
        if not call.warmup:
            self.measured_usage = add_usage(self.measured_usage, usage)
            self.usage_sources.add(source)
        self.tokens_used.add(at, usage.prompt + usage.completion)
        self.history.spent(at, call.model, usage)
        self.spent += attempt_cost(attempt, self.prices.get(call.model))

    def _backed_off(self, fact: BackedOff) -> None:
        call = self.calls[fact.call]
        call.backoff_until = fact.until
        self._move(call, State.BACKING_OFF, fact.at)

    def _finished(self, fact: Finished) -> None:
        call = self.calls[fact.call]
        assert call.state not in TERMINAL, f"call {call.id} ended twice"
        call.ended_at = fact.at
        call.backoff_until = None  # `waiting_since` stays: it tells how the call ended
        call.error = clean_line(fact.error) if fact.error is not None else None
        call.samples.clear()
        self._move(call, fact.state, fact.at)
        self.ended_order.append(call.id)
        if fact.state in (State.FAILED, State.BROKEN) and call.attempts and call.attempts[-1].error == ABANDONED:
            self.history.failed(fact.at)  # its time was up: a failure, where one that somebody cancelled is none
        self.unanswered += fact.state in (State.FAILED, State.BROKEN)
        self.places.ended(call.id, fact.state is State.DONE)
        self._with_text.append(call)
        self._text_chars += call.text_chars
        while len(self._with_text) > KEPT_TEXTS or (self._text_chars > KEPT_CHARS and len(self._with_text) > 1):
            oldest = self._with_text.popleft()
            self._text_chars -= oldest.text_chars
            oldest.forget_text()
        if call.warmup:
            return
        self.last_ended_at = max(self.last_ended_at or fact.at, fact.at)
        if fact.state is State.CANCELLED and not call.attempts:
            self.withdrawn += 1
            return
        self.measured_states[fact.state] += 1
        if call.error is not None:
            self.errors[call.error] += 1
        if fact.state is State.DONE:
            self.finish_reasons[call.finish_reasons.get(0)] += 1
        if fact.state is State.DONE:
            self._measure(call)
        if self.goodput is not None:
            self.goodput.add(call)

    def _measure(self, call: CallEntry) -> None:
        attempt = call.delivering
        if attempt is None or attempt.ended_at is None:
            return
        self.e2e.record(attempt.ended_at - attempt.sent_at)
        tpot = tpot_ns(attempt)
        if tpot is not None:
            self.tpot.record(round(tpot))
        rate = stream_tokens_per_s(attempt)
        if rate is not None:
            self.stream_rate.record(round(rate * 1000))

    # ── the run ────────────────────────────────────────────────────────────────────────────────────────

    def _phase(self, fact: PhaseChanged) -> None:
        if self.started_at is None:
            self.started_at = fact.at
            self.history.began(fact.at)
        elif fact.phase not in (self.phase, "finished"):
            self.history.marker(fact.at, _PHASE_WORDS.get(fact.phase, fact.phase))
        self.phase = fact.phase
        if fact.phase == "finished":
            self.ended_at = fact.at

    def _limits(self, fact: LimitsChanged) -> None:
        self.rpm, self.tpm, self.concurrency = fact.rpm, fact.tpm, fact.concurrency
        self.history.limits(fact.at, fact.rpm, fact.tpm, fact.concurrency)

    def _lane_closed(self, fact: LaneClosed) -> None:
        self.lane_closed_until = fact.until
        self.lane_closed_why = clean_line(fact.why)

    def _allowance(self, fact: AllowanceCame) -> None:
        self.allowance = fact

    def _lagged(self, fact: LoopLagged) -> None:
        self.lag.record(fact.lag_ns)

    def _noticed(self, fact: Noticed) -> None:
        self.notice = clean_line(fact.text)
        self.notices += 1

    def go_on_from(self, past: "Ledger", now: int, tries: int) -> None:
        """Take over what earlier sessions of this run came to, before anything of this one is folded.

        `past` is folded on this session's clock, with instants up to `now` (ns); it is used up. `tries` of its calls
        settled nothing, and count as warm-up. Charts, windows and the wall begin with this session.
        """
        assert not self.calls
        self.earlier_tries = tries
        self.calls, self.order, self.ended_order = past.calls, past.order, past.ended_order
        self.states, self.measured_states = past.states, past.measured_states
        self.errors, self.finish_reasons = past.errors, past.finish_reasons
        self.started_at, self.measured_from, self.last_ended_at = (
            past.started_at,
            past.measured_from,
            past.last_ended_at,
        )
        self.attempts, self.retries, self.http_429 = past.attempts, past.retries, past.http_429
        self.measured_attempts, self.measured_retries = past.measured_attempts, past.measured_retries
        self.measured_429, self.done_again = past.measured_429, past.done_again
        for name in ("ttft", "server_ttft", "user_ttft", "queue", "tpot", "e2e", "stream_rate"):
            setattr(self, name, getattr(past, name))
        self.usage, self.tokens_estimated, self.measured_usage = past.usage, past.tokens_estimated, past.measured_usage
        self.usage_sources, self.prices, self.spent = past.usage_sources, past.prices, past.spent
        self.goodput = past.goodput
        self.sent.peak = past.sent.peak
        self.history.began(now)

    # ── money and estimates ────────────────────────────────────────────────────────────────────────────

    def set_price(self, model: str, price: Price | None) -> None:
        """The price of a model is known from now on; what was spent before is priced again."""
        self.prices[model] = price
        self.spent = NOTHING
        for call in self.calls.values():
            self.spent += call_cost(call, self.prices)

    @property
    def mean_prompt_tokens(self) -> float:
        """Of the attempts whose tokens are known; 0 before the first one."""
        return self.usage.prompt / self._known_attempts if self._known_attempts else 0.0

    @property
    def prompt_tokens_per_char(self) -> float:
        """Learned from the attempts whose tokens are known; a quarter before the first one."""
        return self._known_prompt_tokens / self._known_prompt_chars if self._known_prompt_chars else 0.25

    @property
    def tokens_per_char(self) -> float:
        """Learned from the calls whose tokens are known; a quarter before the first one."""
        return self._known_tokens / self._known_chars if self._known_chars else 0.25


def add_usage(a: Usage, b: Usage) -> Usage:
    """Sum, field by field."""
    return Usage(a.prompt + b.prompt, a.completion + b.completion, a.reasoning + b.reasoning, a.cached + b.cached)


def tpot_ns(attempt: AttemptEntry) -> float | None:
    """(last token - first token) / (n - 1) in ns; None below two tokens."""
    if attempt.usage is None or attempt.first_token_at is None or attempt.last_token_at is None:
        return None
    if attempt.usage.completion < 2 or attempt.last_token_at <= attempt.first_token_at:
        return None  # too few tokens, or all in one read: nothing is known of the time between them
    return (attempt.last_token_at - attempt.first_token_at) / (attempt.usage.completion - 1)


def stream_tokens_per_s(attempt: AttemptEntry) -> float | None:
    """(n - 1) / (last token - first token); None when all came in one instant."""
    tpot = tpot_ns(attempt)
    return NS_PER_S / tpot if tpot else None


_FOLDS: dict[type[CallFact | RunFact], Callable[[Ledger, Any], None]] = {
    Queued: Ledger._queued,
    Waited: Ledger._waited,
    Admitted: Ledger._admitted,
    Sent: Ledger._sent,
    Written: Ledger._written,
    HeadersCame: Ledger._headers,
    TextCame: Ledger._text,
    ToolNamed: Ledger._tool,
    UsageCame: Ledger._usage,
    Stopped: Ledger._stopped,
    AttemptEnded: Ledger._attempt_ended,
    Counted: Ledger._counted,
    LiveCounted: Ledger._live_counted,
    BackedOff: Ledger._backed_off,
    Finished: Ledger._finished,
    PhaseChanged: Ledger._phase,
    LimitsChanged: Ledger._limits,
    LaneClosed: Ledger._lane_closed,
    LoopLagged: Ledger._lagged,
    AllowanceCame: Ledger._allowance,
    Noticed: Ledger._noticed,
}
