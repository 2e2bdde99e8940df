"""What a run writes down of each call when it has ended: the durable form. Values only.

Instants are seconds (float) from the run's start; texts are raw, exactly as they came, or were not to be kept at all.
No header and no key is ever in a record.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from tui.core.calls import State, Usage
from tui.core.money import NOTHING, UNPRICED, CostSource, Money, Price, cost_of


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP try."""

    sent_s: float
    written_s: float | None = None
    headers_s: float | None = None
    first_token_s: float | None = None
    last_token_s: float | None = None
    ended_s: float | None = None
    status: int | None = None
    error: str | None = None
    """None when it delivered."""
    request_id: str | None = None
    usage: Usage | None = None
    """None: the server did no work that could cost anything."""
    usage_estimated: bool = False
    """We counted, not the server."""
    possibly_billed: bool = False
    """It died after the server may have begun to work, and no usage told what that cost."""
    superseded_text: str | None = None
    """What it had brought before a later attempt began anew."""

    @property
    def cost_source(self) -> CostSource:
        """How its tokens are known."""
        if not self.usage_estimated:
            return CostSource.BILLED
        return CostSource.POSSIBLY_BILLED if self.possibly_billed else CostSource.ESTIMATED


class ToolCallRecord(msgspec.Struct, frozen=True):
    """A tool call the model asked for."""

    id: str
    name: str
    arguments: str
    """As the model wrote them: perhaps JSON, perhaps cut."""


class ChoiceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A further answer to the same request (`n` > 1); the first one is in the call's own fields."""

    index: int
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallRecord, ...] = ()
    finish_reason: str | None = None


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call that reached its terminal state."""

    id: int
    state: State
    model: str
    item_key: str
    """From `item_key`: what was asked, whatever the run around it."""
    plan_json: bytes
    """JSON object of `messages` and `params`, as they were sent."""
    due_s: float
    admitted_s: float | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    usage: Usage | None = None
    """Tokens of the attempt that delivered."""
    usage_source: Literal["usage", "estimated"] | None = None
    """`usage`: the server counted; `estimated`: we did."""
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallRecord, ...] = ()
    choices: tuple[ChoiceRecord, ...] = ()
    """The answers after the first one, when `n` > 1."""
    finish_reason: str | None = None
    error: str | None = None
    warmup: bool = False
    retry_of: int | None = None
    """The ended call that it does again."""
    trace: bytes = b""
    """The life of the call, as `core.call_trace` has it. Read apart from the rest: a record that was read has none."""

    def cost(self, price: Price | None) -> Money:
        """The money of all its attempts; nothing when no attempt made the server work."""
        total = NOTHING
        for attempt in self.attempts:
            if attempt.usage is not None:
                total += UNPRICED if price is None else Money(cost_of(attempt.usage, price), attempt.cost_source)
        return total


_WITHOUT_EFFECT = frozenset(
    {"stream", "stream_options", "user", "safety_identifier", "prompt_cache_key", "metadata", "store"}
)
"""Fields of a request that do not change what the model answers."""


def item_key(
    messages: Sequence[Mapping[str, Any]],
    model: str,
    origin: str,
    params: Mapping[str, Any],
    document_hash: str | None = None,
) -> str:
    """SHA-256 (hex) of what is asked: the same question to the same model is the same item in any run.

    `origin` is the API's scheme, host and port. Order, paths, keys, concurrency and retries are not in it.
    """
    asked = {
        "document": document_hash,
        "messages": list(messages),
        "model": model,
        "origin": origin,
        "params": {name: value for name, value in params.items() if name not in _WITHOUT_EFFECT},
    }
    # ASCII escapes, so that a lone surrogate in a prompt is a key like any other.
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


__all__ = ["AttemptRecord", "CallRecord", "ChoiceRecord", "ToolCallRecord", "item_key"]
