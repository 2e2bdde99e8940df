"""What happened, in the past tense. The engine states facts, the ledger folds them, nobody else decides.

All instants (`at`, `due_at`, `until`) are monotonic nanoseconds from core/clock.py. The facts are msgspec
structs without garbage-collector tracking: one of them is made for every token.
"""

import msgspec

from tui.core.calls import State, TextKind, Usage


class CallFact(msgspec.Struct, frozen=True, gc=False):
    """Something happened to one call."""

    call: int
    at: int


class Queued(CallFact, frozen=True, gc=False):
    """A slot (or the schedule) took the call up."""

    due_at: int
    model: str
    prompt: str
    warmup: bool = False
    retry_of: int | None = None
    """The ended call that it does again."""
    slot_ready: bool = False
    """A slot stood ready when the schedule wanted it, so that what it is late by is our own error."""
    title: str = ""
    """What people know it by, where that is not its prompt: a document's name."""


class Waited(CallFact, frozen=True, gc=False):
    """An attempt stands in the limiter's queue from now on."""


class Admitted(CallFact, frozen=True, gc=False):
    """Concurrency slot and every limiter let the attempt go."""


class Sent(CallFact, frozen=True, gc=False):
    """An attempt was handed to the transport."""


class Written(CallFact, frozen=True, gc=False):
    """The last byte of the request was handed to the kernel."""


class HeadersCame(CallFact, frozen=True, gc=False):
    """Response status and headers arrived."""

    status: int
    request_id: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """All of them, secrets masked."""


class AllowanceCame(CallFact, frozen=True, gc=False):
    """What a reply's headers said of our allowance. None: silent about it."""

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests_s: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_s: float | None = None


class TextCame(CallFact, frozen=True, gc=False):
    """A non-empty piece of text arrived."""

    kind: TextKind
    text: str
    """As the server sent it; whoever shows it cleans it."""
    choice: int = 0
    shared: bool = False
    """Its read held more than one piece of text, so that its stamp is that of the read's last byte."""
    late_ns: int = 0
    """By how much the stamp may be late (no kernel stamp and a busy loop); 0 with a kernel stamp."""
    opens_chunk: bool = True
    """It is the first text of its event; False for further choices or kinds in the same one."""
    tool: int = 0
    """Which tool call of the choice it belongs to; for `TextKind.TOOL` only."""


class ToolNamed(CallFact, frozen=True, gc=False):
    """The model began (or completed the name of) a tool call."""

    choice: int
    index: int
    id: str
    name: str


class UsageCame(CallFact, frozen=True, gc=False):
    """The server counted tokens; the last one of an attempt wins."""

    usage: Usage


class Stopped(CallFact, frozen=True, gc=False):
    """The model said why it stopped (`stop`, `length`, `tool_calls`, `content_filter`, …)."""

    reason: str
    choice: int = 0


ABANDONED = "abandoned"
"""The error of an attempt that nobody waited for any more: its call was cancelled, or its time was up."""


class AttemptEnded(CallFact, frozen=True, gc=False):
    """One HTTP try is over; `error` is None when it delivered."""

    error: str | None = None
    possibly_billed: bool = False
    """It died after the server may have begun to work, and no usage told what that cost."""
    retry_after_s: float | None = None
    """How long the server asked to wait."""


class BackedOff(CallFact, frozen=True, gc=False):
    """The call waits before its next attempt."""

    until: int
    why: str


class Finished(CallFact, frozen=True, gc=False):
    """The call reached its one terminal state."""

    state: State
    error: str | None = None


class Counted(CallFact, frozen=True, gc=False):
    """Tokens of an attempt whose server counted none, from tiktoken over the whole text."""

    attempt: int
    """Counts from 1."""
    usage: Usage


class LiveCounted(CallFact, frozen=True, gc=False):
    """Tokens that a running attempt's text had when it was this long."""

    attempt: int
    tokens: int
    chars: int


class RunFact(msgspec.Struct, frozen=True, gc=False):
    """Something happened to the run as a whole."""

    at: int


class PhaseChanged(RunFact, frozen=True, gc=False):
    """`running`, `paused`, `draining` or `finished`."""

    phase: str


class LimitsChanged(RunFact, frozen=True, gc=False):
    """Rate or concurrency is now this."""

    rpm: int | None
    tpm: int | None
    concurrency: int


class LaneClosed(RunFact, frozen=True, gc=False):
    """The provider asked for quiet (a 429, or nothing remaining) until an instant."""

    until: int
    why: str


class LoopLagged(RunFact, frozen=True, gc=False):
    """The event loop ran a timer this late."""

    lag_ns: int


class Noticed(RunFact, frozen=True, gc=False):
    """Something people should read (a record that cannot be written, a quota that is spent)."""

    text: str


Fact = (
    Queued | Waited | Admitted | Sent | Written | HeadersCame | AllowanceCame | TextCame | ToolNamed | UsageCame
    | Stopped | AttemptEnded | BackedOff | Finished | Counted | LiveCounted
    | PhaseChanged | LimitsChanged | LaneClosed | LoopLagged | Noticed
)  # fmt: skip
