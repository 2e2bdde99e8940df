"""Runs told fact by fact, with times in milliseconds since an arbitrary start."""

from tui.core.calls import CallPlan, State, TextKind, Usage
from tui.core.clock import NS_PER_MS
from tui.core.facts import (
    Admitted,
    AttemptEnded,
    BackedOff,
    Fact,
    Finished,
    HeadersCame,
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

START = 5_000_000 * NS_PER_MS


def at(ms: float) -> int:
    return START + round(ms * NS_PER_MS)


def plan(call: int = 1, prompt: str = "Name a river.", model: str = "m") -> CallPlan:
    return CallPlan(call, model, ({"role": "user", "content": prompt},), {"max_tokens": 50})


class Story:
    """One ledger and shorthands for what happens to call 1 unless another is named."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()
        self.tell(PhaseChanged(at(0), "running"))

    def tell(self, *facts: Fact) -> None:
        for fact in facts:
            self.ledger.fold(fact)

    def queued(self, ms: float, call: int = 1, *, due: float | None = None, warmup: bool = False) -> None:
        self.tell(Queued(call, at(ms), at(ms if due is None else due), "m", "Name a river.", warmup))

    def sent(self, ms: float, call: int = 1, *, written: float | None = None) -> None:
        self.tell(Waited(call, at(ms)), Admitted(call, at(ms)), Sent(call, at(ms)))
        self.tell(Written(call, at(ms + 1 if written is None else written)))

    def headers(self, ms: float, call: int = 1, status: int = 200) -> None:
        self.tell(HeadersCame(call, at(ms), status, "req-1"))

    def text(self, ms: float, text: str = "word ", call: int = 1, **more: object) -> None:
        self.tell(TextCame(call, at(ms), more.pop("kind", TextKind.CONTENT), text, **more))  # type: ignore[arg-type]

    def usage(self, ms: float, completion: int, prompt: int = 10, call: int = 1) -> None:
        self.tell(UsageCame(call, at(ms), Usage(prompt, completion)))

    def stopped(self, ms: float, reason: str = "stop", call: int = 1, choice: int = 0) -> None:
        self.tell(Stopped(call, at(ms), reason, choice))

    def attempt_ended(self, ms: float, error: str | None = None, call: int = 1, billed: bool = False) -> None:
        self.tell(AttemptEnded(call, at(ms), error, billed))

    def backed_off(self, ms: float, until: float, call: int = 1) -> None:
        self.tell(BackedOff(call, at(ms), at(until), "503"))

    def finished(self, ms: float, state: State = State.DONE, error: str | None = None, call: int = 1) -> None:
        self.tell(Finished(call, at(ms), state, error))

    def whole_call(self, call: int = 1, begins: float = 0, *, warmup: bool = False, tokens: int = 5) -> None:
        """Queue 10 ms, written after 2, first token after 100, the last after 500, ended at 510 (since sent)."""
        self.queued(begins, call, warmup=warmup)
        self.sent(begins + 10, call, written=begins + 12)
        self.headers(begins + 60, call)
        for index in range(5):
            self.text(begins + 110 + 100 * index, "word ", call)
        self.stopped(begins + 510, call=call)
        self.usage(begins + 510, tokens, call=call)
        self.attempt_ended(begins + 520, call=call)
        self.finished(begins + 521, call=call)
