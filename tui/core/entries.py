"""What the ledger keeps of one call and of each of its attempts. Instants are monotonic nanoseconds."""

from tui.core.calls import State, TextKind, Usage
from tui.core.chunk_times import Arrivals
from tui.core.clock import NS_PER_MS
from tui.core.untrusted import clean

BURST_PAUSE_NS = 50 * NS_PER_MS
"""Text that comes after a pause of so long begins a new burst."""


HEAD_CHARS = 200
"""Of a prompt, for lists, once the call's text is forgotten."""
_NO_ARRIVALS = Arrivals()
"""Of ended attempts that are on record: one for all."""
# One for all whose text is forgotten: empty containers of their own are a sixth of what a call takes.
_NO_TEXTS: dict[tuple[int, TextKind, int], list[str]] = {}
_NO_TOOLS: dict[tuple[int, int], tuple[str, str]] = {}
_NOTHING_SHOWN: list[str] = []
_NO_SAMPLES: list[tuple[int, int]] = []
_REASONS: dict[tuple[tuple[int, str], ...], dict[int, str]] = {}
"""Why models stopped, by their own items: thousands of calls share a few."""
_MOST_REASONS = 1_000


class AttemptEntry:
    """One HTTP try."""

    __slots__ = (
        "arrivals",
        "arrived",
        "braided",
        "bursts",
        "chars",
        "chunks",
        "counted_chars",
        "counted_tokens",
        "ended_at",
        "error",
        "first_answer_at",
        "first_token_at",
        "headers",
        "headers_at",
        "largest_gap_ns",
        "last_token_at",
        "late",
        "number",
        "paused_ns",
        "possibly_billed",
        "request_id",
        "retry_after_s",
        "sent_at",
        "shared",
        "shown",
        "shown_chars",
        "status",
        "texts",
        "tools",
        "usage",
        "usage_estimated",
        "waited_at",
        "written_at",
    )

    def __init__(self, number: int, sent_at: int, waited_at: int | None = None) -> None:
        self.number = number
        self.waited_at = waited_at
        """When it began to stand in the limiter's queue."""
        self.sent_at = sent_at
        self.written_at: int | None = None
        self.headers_at: int | None = None
        self.first_token_at: int | None = None
        self.first_answer_at: int | None = None
        self.last_token_at: int | None = None
        self.ended_at: int | None = None
        self.status: int | None = None
        self.error: str | None = None
        self.request_id: str | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        """Of the response, secrets masked."""
        self.retry_after_s: float | None = None
        """What the server asked to wait when it refused."""
        self.usage: Usage | None = None
        self.usage_estimated = False
        self.possibly_billed = False
        self.chunks = 0
        self.chars = 0
        self.counted_tokens = 0
        """While it runs and somebody looks: tokens of its first `counted_chars` characters."""
        self.counted_chars = 0
        self.largest_gap_ns = 0
        self.bursts = 0
        """How many times text came after a pause of `BURST_PAUSE_NS` or more, the first time included."""
        self.paused_ns = 0
        """The sum of those pauses."""
        self.shared = False
        """The first token's read held further text."""
        self.late = False
        """The first token's stamp was late by more than 5 % of the TTFT."""
        self.texts: dict[tuple[int, TextKind, int], list[str]] = {}
        """Raw pieces by choice, kind and tool call (0 for what is no tool call)."""
        self.shown: list[str] = []
        """Cleaned pieces of the first choice, in order of arrival."""
        self.shown_chars = 0
        self.tools: dict[tuple[int, int], tuple[str, str]] = {}
        """Tool calls by choice and index: id and name."""
        self.arrivals = Arrivals()
        """When each piece of text came; until it is on record."""
        self.arrived = self.arrivals.arrived
        """At hand, for it is once a token."""
        self.braided = False
        """There is text of more than one choice, kind or tool call."""

    def add_text(self, choice: int, kind: TextKind, tool: int, text: str) -> None:
        """Keep a piece of text, the newest in `arrivals`."""
        key = (choice, kind, tool)
        pieces = self.texts.get(key)
        if pieces is None:
            self.braided = bool(self.texts)
            self.texts[key] = [text]
            if self.shown and not choice:
                self.shown.append("\n\n")  # reasoning, answer and tool arguments are not one paragraph
                self.shown_chars += 2
        else:
            pieces.append(text)
        if self.braided:
            self.arrivals.braid(next(iter(self.texts)), key)
        if not choice:
            self.shown.append(clean(text))
            self.shown_chars += len(text)

    def text(self, kind: TextKind = TextKind.CONTENT, choice: int = 0, tool: int = 0) -> str:
        """The raw text of one kind."""
        return "".join(self.texts.get((choice, kind, tool), ()))

    def all_texts(self) -> list[str]:
        """Every kind and choice: what the model generated, for counting."""
        return ["".join(pieces) for pieces in self.texts.values()]

    def tail(self, chars: int) -> str:
        """The last `chars` characters that can be shown."""
        taken: list[str] = []
        missing = chars
        for piece in reversed(self.shown):
            taken.append(piece)
            missing -= len(piece)
            if missing <= 0:
                break
        text = "".join(reversed(taken))
        return text[-chars:] if chars else ""

    def forget_text(self) -> None:
        """Keep the figures only; `shown_chars` still says how much there was."""
        self.texts, self.shown, self.tools, self.headers = _NO_TEXTS, _NOTHING_SHOWN, _NO_TOOLS, ()
        self.forget_arrivals()

    def forget_arrivals(self) -> None:
        """Nobody will put them on record any more."""
        self.arrivals = _NO_ARRIVALS
        self.arrived = _NO_ARRIVALS.arrived

    def compact(self) -> None:
        """Join the pieces; an ended attempt keeps its text in one string a kind, and how long the pieces were."""
        self.arrivals.close(self.texts.values())
        self.arrived = self.arrivals.arrived
        for key, pieces in self.texts.items():
            self.texts[key] = ["".join(pieces)]
        shown = "".join(self.shown)
        answer = self.texts.get((0, TextKind.CONTENT, 0))
        # One string, not two, when cleaning changed nothing.
        self.shown = answer if answer is not None and answer[0] == shown else [shown]


class CallEntry:
    """One call, from the moment a slot took it up."""

    __slots__ = (
        "admitted_at",
        "attempts",
        "backoff_until",
        "due_at",
        "ended_at",
        "error",
        "finish_reasons",
        "id",
        "model",
        "prompt",
        "queued_at",
        "retry_of",
        "samples",
        "slot_ready",
        "state",
        "title",
        "waiting_since",
        "warmup",
    )

    def __init__(
        self,
        call: int,
        model: str,
        prompt: str,
        due_at: int,
        warmup: bool,
        queued_at: int | None = None,
        retry_of: int | None = None,
    ) -> None:
        self.id = call
        self.model = model
        self.prompt = prompt
        self.due_at = due_at
        self.warmup = warmup
        self.queued_at = due_at if queued_at is None else queued_at
        """When a slot took it up."""
        self.retry_of = retry_of
        """The ended call that it does again."""
        self.slot_ready = False
        """A slot stood ready when the schedule wanted it."""
        self.title = ""
        """What people know it by; "": its prompt."""
        self.state = State.QUEUED
        self.waiting_since: int | None = None
        """While it stands in the limiter's queue: since when."""
        self.admitted_at: int | None = None
        self.attempts: list[AttemptEntry] = []
        self.backoff_until: int | None = None
        self.error: str | None = None
        self.finish_reasons: dict[int, str] = {}
        """Why the model stopped, by choice."""
        self.ended_at: int | None = None
        self.samples: list[tuple[int, int]] = []
        """(instant, tokens) of the last two seconds' looks, for the live rate."""

    @property
    def text_chars(self) -> int:
        """Characters that are kept of it: prompt and answers."""
        return len(self.prompt) + sum(attempt.shown_chars for attempt in self.attempts)

    def forget_text(self) -> None:
        """Of an ended call: keep the figures, and the beginning of the prompt."""
        self.prompt = self.prompt[:HEAD_CHARS]
        self.samples = _NO_SAMPLES
        if len(_REASONS) < _MOST_REASONS:
            self.finish_reasons = _REASONS.setdefault(tuple(self.finish_reasons.items()), self.finish_reasons)
        for attempt in self.attempts:
            attempt.forget_text()

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped its first answer."""
        return self.finish_reasons.get(0)

    @property
    def delivering(self) -> AttemptEntry | None:
        """The attempt that brought the answer: the last one if it ended well, else the last with a first token.

        One that ended well may be without text: a filtered answer has none, and neither has a tool call without
        arguments.
        """
        last = self.attempts[-1] if self.attempts else None
        if last is not None and last.ended_at is not None and last.error is None:
            return last
        for attempt in reversed(self.attempts):
            if attempt.first_token_at is not None:
                return attempt
        return None

    @property
    def ttft_ns(self) -> int | None:
        """TTFT of the delivering attempt."""
        attempt = self.delivering
        if attempt is None or attempt.first_token_at is None:
            return None
        return attempt.first_token_at - attempt.sent_at
