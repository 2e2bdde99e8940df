"""What a call is: its plan, its states, its tokens. Values only."""

from enum import StrEnum
from typing import Any

import msgspec

from tui.core.documents import DocumentPart


class State(StrEnum):
    """Where a call stands. Every call ends in exactly one of the `TERMINAL` states."""

    QUEUED = "queued"
    """Pulled from the corpus; has a slot, or waits for one."""
    WAITING = "waiting"
    """Held by the limiter."""
    CONNECTING = "connecting"
    """An attempt is on its way; no text has come yet."""
    STREAMING = "streaming"
    """Text is arriving."""
    BACKING_OFF = "backing off"
    """Between two attempts."""
    DONE = "done"
    FAILED = "failed"
    """No attempt delivered a first token."""
    BROKEN = "broken"
    """Cut after the first token; the partial text is kept."""
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """Not sent, because it would pass a budget: money, or the tokens of a whole minute."""


TERMINAL = frozenset({State.DONE, State.FAILED, State.BROKEN, State.CANCELLED, State.REFUSED})


class TextKind(StrEnum):
    """What a piece of text is to the answer."""

    CONTENT = "content"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TOOL = "tool"
    """A fragment of a tool call's arguments."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one attempt. Reasoning is inside `completion`, cached is inside `prompt`."""

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0


class CallPlan(msgspec.Struct, frozen=True):
    """One call to make, resolved: nothing in it is decided later."""

    id: int
    """Counts from 1 in dispatch order."""
    model: str
    messages: tuple[dict[str, Any], ...]
    """Chat messages as the API takes them."""
    params: dict[str, Any] = {}
    """Further fields of the request body (`max_tokens`, `temperature`, `n`, …)."""
    due_at: int | None = None
    """When the schedule wants it to start (ns); None: the moment a slot pulls it."""
    warmup: bool = False
    """Left out of every statistic but the attempts sent and the money."""
    document: DocumentPart | None = None
    """In a batch: what it is about."""

    @property
    def prompt(self) -> str:
        """The last message's text, for people to recognise the call by."""
        for message in reversed(self.messages):
            content = message.get("content")
            if isinstance(content, str):
                return content
            if isinstance(content, list):
                return " ".join(
                    part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
                )
        return ""

    @property
    def max_tokens(self) -> int | None:
        """The most completion tokens the request allows, when it says so."""
        for name in ("max_completion_tokens", "max_tokens"):
            value = self.params.get(name)
            if isinstance(value, int):
                return value
        return None
