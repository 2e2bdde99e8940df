"""A Session with a real ledger behind it: a made-up run is folded fact by fact, and a real Painter draws it.

So each view gets what it would get from an engine, for the Watch that was sent last. The same seed gives the same run;
no clock is read. Commands are kept and not obeyed.
"""

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from tui.core.calls import State, TextKind, Usage
from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.commands import AnyCommand, Watch
from tui.core.curl import curl
from tui.core.facts import (
    Admitted,
    AllowanceCame,
    AttemptEnded,
    BackedOff,
    CallFact,
    Fact,
    Finished,
    HeadersCame,
    LaneClosed,
    LimitsChanged,
    LoopLagged,
    Noticed,
    PhaseChanged,
    Queued,
    Sent,
    Stopped,
    TextCame,
    UsageCame,
    Waited,
    Written,
)
from tui.core.ledger import Ledger
from tui.core.limits_view import Gauges
from tui.core.money import parse_price
from tui.core.picture import Painter, RunCard
from tui.core.snapshot import Snapshot
from tui.core.untrusted import clean_line

START = 1_000 * NS_PER_S
"""The run's first instant."""
MODELS = ("gpt-4o-mini", "gpt-4o-mini", "llama-3.1-8b-instruct")
WORDS = (
    "the weir holds back **water** that comes down from `hills` and lets\n\n- it\n- pass\n",
    "計量堰は、越流する水の深さから ",
    "```python\nasync for token in stream:\n    print(token)\n```\n",
    "naïve café, और हिन्दी भी 🌊 ",
)
RATE_LIMIT = "HTTP 429: Rate limit reached for requests, try again in 1.5s"
REFUSED = "refused: it would pass the budget of $0.50"
Dress = Callable[[str], str]


def as_it_is(text: str) -> str:
    """A run whose strings are harmless."""
    return text


@dataclass
class RunOfFacts:
    """The run: `slots` calls at once, one after another, each with a fate of its own."""

    slots: int = 8
    seed: int = 7
    dress: Dress = as_it_is
    """What is done to every string that comes from outside."""
    planned: int | None = 4_000
    sent: list[AnyCommand] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._calls = 0
        self._failed: list[int] = []
        self._lives: list[tuple[int, int, Iterator[Fact], Fact]] = []
        self.now = START
        self.watch = Watch()
        self.latest: Snapshot | None = None
        self.ledger = Ledger()
        self._card = RunCard("load", self.dress(MODELS[0]), self.dress("127.0.0.1:8600/v1"), self.planned)
        self._card.record = self.dress("weir-runs/2026-11-22-load")
        self._painter = Painter(self.ledger, self._card)
        for model in MODELS:
            self.ledger.set_price(clean_line(self.dress(model)), parse_price("in=0.15,out=0.6"))
        self.ledger.fold(PhaseChanged(START, "running"))
        self.ledger.fold(LimitsChanged(START, 600, 90_000, self.slots))
        for slot in range(self.slots):
            self._begin(self._slot(START + slot * 70 * NS_PER_MS))
        self._begin(self._weather())

    # The Session

    def send(self, command: AnyCommand) -> None:
        """Keep a command; a Watch is answered with a picture at once."""
        self.sent.append(command)
        if isinstance(command, Watch):
            self.watch = command
            if self.latest is not None:
                self._paint()

    def asked(self, kind: type) -> list[AnyCommand]:
        """The commands of one kind, in order."""
        return [command for command in self.sent if isinstance(command, kind)]

    def go(self, t_s: float) -> Snapshot:
        """Let the run go on until `t_s` seconds after its start, and make that picture the latest one."""
        self.now = max(self.now, START + int(t_s * NS_PER_S))
        while self._lives and self._lives[0][0] <= self.now:
            _, order, life, fact = heapq.heappop(self._lives)
            self.ledger.fold(fact)
            self._begin(life, order)
        return self._paint()

    def end(self) -> None:
        """Cancel what runs, and finish."""
        self._lives.clear()
        for call in list(self.ledger.calls.values()):
            if call.ended_at is None:
                if call.attempts and call.attempts[-1].ended_at is None:
                    self.ledger.fold(AttemptEnded(call.id, self.now, "abandoned", True))
                self.ledger.fold(Finished(call.id, self.now, State.CANCELLED))
        self.ledger.fold(PhaseChanged(self.now, "finished"))
        self._paint()

    def _paint(self) -> Snapshot:
        gauges = Gauges(7.5, 10.0, 40_000.0, 90_000.0, self.ledger.states[State.WAITING])
        made = self._painter.picture(self.watch, self.now, gauges)
        if made.focus is not None and self.watch.focus_request:
            body = b'{"model": "gpt-4o-mini", "stream": true}'
            names = [self.dress("X-Team")]
            request = curl("http://127.0.0.1:8600/v1/chat/completions", body, names)
            made = replace(made, focus=replace(made.focus, request=request))
        self.latest = made
        return made

    # What happens

    def _begin(self, life: Iterator[Fact], order: int | None = None) -> None:
        fact = next(life)
        order = len(self._lives) if order is None else order
        # The order makes equal instants comparable; a life keeps it, and none is in the heap twice.
        heapq.heappush(self._lives, (fact.at, order, life, fact))

    def _slot(self, at: int) -> Iterator[Fact]:
        """One call after another, for ever."""
        while True:
            for fact in self._call(at):
                at = fact.at
                yield fact
            at += 40 * NS_PER_MS

    def _weather(self) -> Iterator[Fact]:
        """What happens to the run as a whole."""
        at, rpm = START, 600
        while True:
            at += 900 * NS_PER_MS
            yield LoopLagged(at, self._rng.randrange(NS_PER_MS))
            kind = self._rng.randrange(12)
            if kind == 0:
                rpm = 600 if rpm == 660 else 660
                yield LimitsChanged(at, rpm, 90_000, self.slots)
            elif kind == 1:
                yield LaneClosed(at, at + 2 * NS_PER_S, self.dress(RATE_LIMIT))
            elif kind == 2:
                yield Noticed(at, self.dress("the record cannot be written: no space left on device"))
            elif kind == 3:
                yield PhaseChanged(at, "paused")
                yield PhaseChanged(at + 600 * NS_PER_MS, "running")
                at += 600 * NS_PER_MS

    def _call(self, at: int) -> Iterator[CallFact]:
        self._calls += 1
        call, rng, dress = self._calls, self._rng, self.dress
        retry_of = self._failed.pop() if self._failed and rng.random() < 0.03 else None
        model, prompt = dress(rng.choice(MODELS)), dress(f"Explain what a weir does to river number {call}")
        yield Queued(call, at, at, model, prompt, call <= 2, retry_of)
        if rng.random() < 0.03:
            yield Finished(call, at + NS_PER_MS, State.REFUSED, dress(REFUSED))
            return
        yield Waited(call, at)
        at += rng.choice([0, 0, 30, 900]) * NS_PER_MS
        yield Admitted(call, at)
        while True:
            yield Sent(call, at)
            status = rng.choices([200, 429, 503, None], [82, 10, 4, 4])[0]
            at += rng.randrange(2, 60) * NS_PER_MS
            if status is None:
                error = dress("connect: connection refused by 127.0.0.1:8600")
                yield AttemptEnded(call, at, error)
            else:
                yield Written(call, at)
                at += 90 * NS_PER_MS
                yield self._headers(call, at, status)
                yield AllowanceCame(call, at, 600, rng.randrange(600), 6.0, 90_000, rng.randrange(90_000), 12.0)
                if status == 200:
                    break
                error = dress(RATE_LIMIT if status == 429 else f"HTTP {status}: upstream worker died")
                yield AttemptEnded(call, at, error, False, 1.5 if status == 429 else None)
            if rng.random() < 0.3:
                yield Finished(call, at, State.FAILED, error)
                self._failed.append(call)
                return
            yield BackedOff(call, at, at + 1500 * NS_PER_MS, "429")
            at += 1500 * NS_PER_MS
            yield Waited(call, at)
            at += 5 * NS_PER_MS
        yield from self._answer(call, at)

    def _headers(self, call: int, at: int, status: int) -> HeadersCame:
        pairs = (("x-request-id", f"req_{call:x}"), ("set-cookie", "***"), ("server", "envoy"), ("retry-after", "1.5"))
        headers = tuple((self.dress(name), self.dress(value)) for name, value in pairs)
        return HeadersCame(call, at, status, self.dress(f"req_{call:x}"), headers)

    def _answer(self, call: int, at: int) -> Iterator[CallFact]:
        rng, dress = self._rng, self.dress
        at += rng.randrange(100, 900) * NS_PER_MS
        if call % 5 == 0:
            yield TextCame(call, at, TextKind.REASONING, dress("Let me think. "))
        tokens = rng.randrange(4, 120)
        for index in range(tokens):
            at += rng.randrange(8, 60) * NS_PER_MS
            yield TextCame(call, at, TextKind.CONTENT, dress(rng.choice(WORDS)))
            if index > 3 and call % 17 == 0:
                yield AttemptEnded(call, at, dress("the connection was reset"), True)
                yield Finished(call, at, State.BROKEN, dress("the connection was reset after the first token"))
                self._failed.append(call)
                return
            if index > 3 and call % 23 == 0:
                yield AttemptEnded(call, at, "abandoned", True)
                yield Finished(call, at, State.CANCELLED)
                return
        yield UsageCame(call, at, Usage(12, tokens * 9, 3, 4))
        yield Stopped(call, at, dress("stop"))
        yield AttemptEnded(call, at)
        yield Finished(call, at, State.DONE)
