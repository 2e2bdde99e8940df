"""A server with limits, a crowd of callers and a pacer between them, in virtual time: one heap, no loop, no socket."""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from tui.core.adapt import Pacer
from tui.core.adapt_seen import seen
from tui.core.calls import State, TextKind
from tui.core.clock import NS_PER_S
from tui.core.facts import (
    Admitted,
    AllowanceCame,
    AttemptEnded,
    BackedOff,
    Fact,
    Finished,
    HeadersCame,
    LaneClosed,
    LimitsChanged,
    PhaseChanged,
    Queued,
    Sent,
    TextCame,
    Waited,
)
from tui.core.ledger import Ledger
from tui.core.retry import Failure, FailureKind, GiveUp, RetryBudget, RetryPolicy, decide
from tui.simulator.limits import Limits, Slot, Slots
from tui.simulator.settings import SimulatorSettings

START_S = 1000.0
LOOK_S = 0.05
BUCKET_S = 0.1
POLICY = RetryPolicy()


@dataclass
class World:
    """`at_once` callers who always want the next answer, for as long as it runs, or until `requests` were made.

    What is refused is tried again under the real policy, in the limiter's queue like everybody else.
    """

    settings: SimulatorSettings
    seed: int
    at_once: int = 16
    rpm: int | None = None
    requests: int | None = None
    answer_s: float = 1.5
    ttft_s: float = 0.01
    """From arriving to the reply's headers."""
    way_s: float = 0.01
    mute: bool = False
    """Refusals name no cause."""
    states_limit: int | None = None
    """In the headers of replies, from the first one on."""
    ledger: Ledger = field(default_factory=Ledger)
    sent: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    passed: list[float] = field(default_factory=list)
    busy: list[tuple[float, int]] = field(default_factory=list)
    changes: int = 0

    def __post_init__(self) -> None:
        self.now = START_S
        self.draw = random.Random(f"adapt {self.seed}")
        offset_s = self.draw.uniform(0, 60)
        self.limits = Limits("m", self.settings, self.now, offset_s)
        limit = self.settings.concurrency_limit
        self.slots = Slots("m", limit, self.settings.retry_after_style) if limit is not None else None
        self.pacer = Pacer(self.rpm, self.at_once)
        self.our_rpm, self.our_slots = self.pacer.rpm, self.pacer.concurrency
        self.closed_until = -inf
        self.admitted: deque[float] = deque()
        self.next_at = -inf
        self.on_wire = 0
        self.done = self.failed = 0
        self.tried: Counter[int] = Counter()
        self.retry_cost: dict[int, int] = {}
        self.budget = RetryBudget()
        self.rates: list[tuple[float, int | None, int]] = []
        self.queue: deque[int] = deque()
        self.open = 0
        self.serves_at = -inf
        self.calls = 0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = 0
        self.looked_at = 0
        self.running = 0

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────

    def run(self, seconds: float) -> None:
        self.tell(PhaseChanged(self.ns, "running"), LimitsChanged(self.ns, self.our_rpm, None, self.our_slots))
        self.fill()
        self.after(LOOK_S, self.look)
        self.resume(seconds)

    def resume(self, seconds: float) -> None:
        """Go on, until so long after the start."""
        while self.events and self.events[0][0] <= START_S + seconds:
            self.now, _, act = heapq.heappop(self.events)
            act()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self.order += 1
        heapq.heappush(self.events, (self.now + seconds, self.order, act))

    @property
    def ns(self) -> int:
        return round(self.now * NS_PER_S)

    def tell(self, *facts: Fact) -> None:
        for fact in facts:
            self.ledger.fold(fact)

    # ── our side ───────────────────────────────────────────────────────────────────────────────────────

    def fill(self) -> None:
        while self.open < self.our_slots and self.calls != self.requests:
            self.open += 1
            self.calls += 1
            self.tell(Queued(self.calls, self.ns, self.ns, "m", "?"))
            self.wait_in_line(self.calls)
        self.serve()

    def wait_in_line(self, call: int) -> None:
        self.tell(Waited(call, self.ns))
        self.queue.append(call)

    def free_at(self) -> float:
        """When the limiter lets the next one go: a bucket of a tenth of a second, and never more than a minute's."""
        at = max(self.now, self.closed_until)
        if self.our_rpm is not None:
            size = max(1, int(self.our_rpm * BUCKET_S / 60))
            at = max(at, self.next_at - (size - 1) * 60 / self.our_rpm)
            while self.admitted and self.admitted[0] <= self.now - 60.01:
                self.admitted.popleft()
            if len(self.admitted) >= self.our_rpm:
                at = max(at, self.admitted[len(self.admitted) - self.our_rpm] + 60.01)
        return at

    def serve(self) -> None:
        while self.queue and self.on_wire < self.our_slots:
            at = self.free_at()
            if at > self.now:
                if not self.now < self.serves_at <= at + 1e-5:
                    self.serves_at = at + 1e-6
                    self.after(self.serves_at - self.now, self.serve)
                return
            self.admitted.append(self.now)
            if self.our_rpm is not None:
                self.next_at = max(self.next_at, self.now) + 60 / self.our_rpm
            call = self.queue.popleft()
            self.on_wire += 1
            self.tried[call] += 1
            self.tell(Admitted(call, self.ns), Sent(call, self.ns))
            self.sent.append(self.now)
            way_s = self.way_s * self.draw.uniform(1, 1.5)
            self.after(way_s, lambda call=call: self.arrive(call))  # type: ignore[misc]

    def look(self) -> None:
        self.after(LOOK_S, self.look)
        pace = self.pacer.look(seen(self.ledger, len(self.queue), self.looked_at, self.ns))
        self.looked_at = self.ledger.refusals.total
        if pace.hold_s:
            self.close(pace.hold_s)
        if (pace.rpm, pace.concurrency) != (self.our_rpm, self.our_slots):
            if pace.rpm != self.our_rpm:
                self.next_at = -inf  # a rate that is set begins with a rested bucket
            self.our_rpm, self.our_slots = pace.rpm, pace.concurrency
            self.changes += 1
            self.rates.append((self.now - START_S, self.our_rpm, self.our_slots))
            self.tell(LimitsChanged(self.ns, self.our_rpm, None, self.our_slots))
            self.fill()

    def close(self, seconds: float) -> None:
        if self.now + seconds > self.closed_until:
            self.closed_until = self.now + seconds
            self.tell(LaneClosed(self.ns, round(self.closed_until * NS_PER_S), "429"))

    # ── the server ─────────────────────────────────────────────────────────────────────────────────────

    def arrive(self, call: int) -> None:
        refusal = self.slots.refusal(self.now) if self.slots is not None else None
        refusal = refusal or self.limits.admit(100, self.now)
        if refusal is not None:
            style = self.settings.retry_after_style
            told = {"honest": refusal.wait_s, "none": None, "short": (refusal.wait_s or 0) / 2}[style]
            words = "HTTP 429: no" if self.mute else refusal.message
            self.after(self.way_s, lambda: self.refuse(call, words, told))
            return
        lasts_s = self.ttft_s + self.draw.uniform(0.5, 1.5) * self.answer_s
        slot = self.slots.take(self.now + lasts_s) if self.slots is not None else None
        self.running += 1
        self.busy.append((self.now, self.running))
        self.passed.append(self.now)
        self.after(self.ttft_s, lambda: self.begin(call))
        self.after(lasts_s, lambda: self.finish(call, slot))

    def begin(self, call: int) -> None:
        self.tell(HeadersCame(call, self.ns, 200))
        if self.states_limit is not None:
            self.tell(AllowanceCame(call, self.ns, self.states_limit, None, 3.0))
        self.tell(TextCame(call, self.ns, TextKind.CONTENT, "word "))

    def finish(self, call: int, slot: Slot | None) -> None:
        self.running -= 1
        self.busy.append((self.now, self.running))
        if slot is not None:
            slot.release()
        self.tell(AttemptEnded(call, self.ns))
        self.on_wire -= 1
        self.budget.succeeded(self.retry_cost.get(call))
        self.end(call, State.DONE)

    def refuse(self, call: int, words: str, told: float | None) -> None:
        self.refused.append(self.now)
        self.tell(HeadersCame(call, self.ns, 429), AttemptEnded(call, self.ns, words, False, told))
        self.on_wire -= 1
        if told is not None:
            self.close(told)
        failure = Failure(FailureKind.STATUS, words, 429, hint_s=told)
        decision = decide(failure, self.tried[call], 600.0, self.draw.random(), POLICY)
        cost = None if isinstance(decision, GiveUp) else self.budget.take(failure)
        if isinstance(decision, GiveUp) or cost is None:
            self.failed += 1
            self.end(call, State.FAILED, words)
            return
        self.retry_cost[call] = cost
        self.tell(BackedOff(call, self.ns, self.ns + round(decision.seconds * NS_PER_S), words))
        self.after(decision.seconds, lambda: (self.wait_in_line(call), self.serve()))  # type: ignore[func-returns-value]
        self.serve()

    def end(self, call: int, state: State, words: str | None = None) -> None:
        self.tell(Finished(call, self.ns, state, words))
        self.done += state is State.DONE
        self.open -= 1
        self.fill()

    # ── what came of it ────────────────────────────────────────────────────────────────────────────────

    def passed_rpm(self, from_s: float, to_s: float) -> float:
        """Let through a minute, between two instants of the run."""
        n = sum(START_S + from_s <= at < START_S + to_s for at in self.passed)
        return n * 60 / (to_s - from_s)

    def refused_share(self, from_s: float) -> float:
        """Of all attempts from then on."""
        refused = sum(at >= START_S + from_s for at in self.refused)
        sent = sum(at >= START_S + from_s for at in self.sent)
        return refused / sent

    def mean_at_once(self, from_s: float, to_s: float) -> float:
        """How many answers ran at once, on average."""
        total, level, at = 0.0, 0, START_S + from_s
        for changed_at, running in [*self.busy, (START_S + to_s, 0)]:
            if changed_at > START_S + to_s:
                changed_at = START_S + to_s
            if changed_at > at:
                total += level * (changed_at - at)
                at = changed_at
            level = running
        return total / (to_s - from_s)
