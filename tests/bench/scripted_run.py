"""A made-up run of many calls, told to a real ledger fact by fact: what the screen's benches draw. No clock of its own.

Calls that have ended come first, spread over twenty minutes with refusals, failures and retries among them; then
`streams` calls stream at a steady pace for as long as anybody looks.
"""

import random
from itertools import count

from tui.core.calls import State, TextKind, Usage
from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.facts import (
    Admitted,
    AttemptEnded,
    BackedOff,
    Finished,
    HeadersCame,
    LimitsChanged,
    LoopLagged,
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
from tui.core.money import parse_price

WORDS = ["the", "weir", "holds", "back", "water", "that", "comes", "down", "from", "hills", "and", "lets", "it", "pass"]
MODEL = "gpt-4o-mini"
HISTORY_S = 1200
TOKENS_PER_S = 50


class ScriptedRun:
    """`ledger` after `ended` calls; `grow` goes on."""

    def __init__(self, ended: int, streams: int, now: int, seed: int = 7) -> None:
        self.ledger = Ledger()
        self._rng = random.Random(seed)
        self._texts = [" ".join(self._rng.choice(WORDS) for _ in range(120)) for _ in range(40)]
        self._numbers = count(1)
        fold = self.ledger.fold
        start = now - HISTORY_S * NS_PER_S
        fold(PhaseChanged(start, "running"))
        fold(LimitsChanged(start, 600, None, streams))
        self.ledger.set_price(MODEL, parse_price("in=0.15,out=0.6"))
        for index in range(ended):
            self._ended_call(start + (HISTORY_S - 30) * NS_PER_S * index // max(1, ended))
            if index == ended // 2:
                fold(LimitsChanged(start + HISTORY_S * NS_PER_S // 2, 660, None, streams))
        self._streams = [self._begin(now - self._rng.randrange(3 * NS_PER_S)) for _ in range(streams)]
        self._grown_at = now
        for _ in range(200):
            fold(LoopLagged(now, self._rng.randrange(NS_PER_MS)))

    def grow(self, now: int) -> None:
        """Tokens that came since the last time, of every stream."""
        tokens = (now - self._grown_at) * TOKENS_PER_S // NS_PER_S
        if tokens <= 0:
            return
        step = NS_PER_S // TOKENS_PER_S
        for _ in range(tokens):
            self._grown_at += step
            for call in self._streams:
                self.ledger.fold(TextCame(call, self._grown_at, TextKind.CONTENT, self._rng.choice(WORDS) + " "))

    def _begin(self, at: int) -> int:
        call, fold = next(self._numbers), self.ledger.fold
        fold(Queued(call, at, at, MODEL, f"Explain what a weir does to river number {call}"))
        fold(Waited(call, at))
        at += self._rng.randrange(200 * NS_PER_MS)
        fold(Admitted(call, at))
        fold(Sent(call, at))
        fold(Written(call, at + NS_PER_MS))
        fold(HeadersCame(call, at + 90 * NS_PER_MS, 200, f"req_{call:x}"))
        fold(TextCame(call, at + self._rng.randrange(200, 900) * NS_PER_MS, TextKind.CONTENT, "Well, "))
        return call

    def _ended_call(self, at: int) -> None:
        call, fold, rng = next(self._numbers), self.ledger.fold, self._rng
        fold(Queued(call, at, at, MODEL, f"Explain what a weir does to river number {call}"))
        fold(Waited(call, at))
        at += rng.randrange(2000) * NS_PER_MS
        fold(Admitted(call, at))
        while True:
            fold(Sent(call, at))
            fold(Written(call, at + NS_PER_MS))
            status = rng.choices([200, 429, 503], [94, 4, 2])[0]
            fold(HeadersCame(call, at + 90 * NS_PER_MS, status, f"req_{call:x}"))
            if status == 200:
                break
            at += 91 * NS_PER_MS
            fold(AttemptEnded(call, at, f"HTTP {status}: Rate limit reached for requests", False, 1.5))
            if rng.random() < 0.2:
                fold(Finished(call, at, State.FAILED, f"HTTP {status}: Rate limit reached for requests"))
                return
            fold(BackedOff(call, at, at + 1500 * NS_PER_MS, "429"))
            at += 1500 * NS_PER_MS
            fold(Waited(call, at))
        text = rng.choice(self._texts)
        first = at + rng.randrange(200, 900) * NS_PER_MS
        fold(TextCame(call, first, TextKind.CONTENT, text[:60]))
        last = first + rng.randrange(1500, 4000) * NS_PER_MS
        fold(TextCame(call, last, TextKind.CONTENT, text[60:]))
        fold(UsageCame(call, last, Usage(12, 120)))
        fold(Stopped(call, last, "stop"))
        fold(AttemptEnded(call, last))
        fold(Finished(call, last, State.DONE))
