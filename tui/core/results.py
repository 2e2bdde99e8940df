"""What a batch has to show for each document: its row, from the calls that were made about it. Values, and one rule.

Equal documents share their calls. Of those the first in the order of the input carries the attempts and the money,
and a later one has 0 of both, so that the columns add up to what was sent and paid; tokens, TTFT and answer are told
of each, for they describe it.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import msgspec

from tui.core.calls import State

OUTCOMES = frozenset({State.DONE, State.FAILED, State.BROKEN})
"""States that settle what was asked. A call that was cancelled or refused has settled nothing: it is asked again."""


class DocumentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One document of the corpus, as the journal keeps it."""

    number: int
    """Counts from 1 in the order of the input."""
    id: str
    source: str
    item_key: str | None = None
    """Of the call whose answer is the document's result; None while that is not known, or when there is none."""
    error: str | None = None
    """Why nothing can be asked about it, or which part of it failed."""
    tokens: int | None = None
    """Of its text, before anything was cut; None when nobody counted."""
    cut_tokens: int = 0
    parts: int = 1
    """Parts at level 0."""


class ItemRow(msgspec.Struct, frozen=True):
    """One of the calls that make up a document, by what it asks."""

    number: int
    """The document's."""
    level: int
    """0: text of the document; above it, the answers of the level below are reduced."""
    part: int
    """Within its level, from 1."""
    item_key: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an item: the answer that counts, or why there is none."""

    call: int
    state: State
    """One of `OUTCOMES`."""
    text: str
    """The whole answer, or what there was of it."""
    finish_reason: str | None
    error: str | None
    completion_tokens: int | None


class ResultState(StrEnum):
    """Where a document stands."""

    DONE = "done"
    FAILED = "failed"
    PENDING = "pending"
    """Not asked, or not finished: a run that is resumed will see to it."""


class ResultTokens(msgspec.Struct, frozen=True):
    """Tokens of the answers that a document's result is made of."""

    prompt: int
    completion: int
    reasoning: int
    """Inside `completion`."""
    cached: int
    """Inside `prompt`."""
    source: Literal["usage", "estimated"]
    """`estimated`: no server counted some of them."""


class ResultRow(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one document. The fields are in the order in which every format has them."""

    id: str
    source: str
    output: Any
    """The answer's text, or its JSON value when the run was structured; None when there is none."""
    state: ResultState
    error: str | None
    """Why it failed; of a pending one, why its call was not made or stopped, when something was said."""
    attempts: int
    """Of all its calls, those that were cancelled or done again among them."""
    ttft_s: float | None
    """Of the attempt that delivered the answer."""
    tokens: ResultTokens | None
    """Of all its parts; None while nothing of it has an outcome."""
    cost_usd: Decimal | None
    """Of all attempts of all its calls; None when something of it has no price."""
    model: str | None


def best_call(calls: Iterable[tuple[int, str]]) -> int | None:
    """Of calls with one item key (id and state) the one whose answer counts; None when nothing is settled.

    The first that is done: what was once a result stays it. Else the last that failed.
    """
    done: int | None = None
    failed: int | None = None
    for call, state in calls:
        if state == State.DONE:
            done = call if done is None else min(done, call)
        elif state in OUTCOMES:
            failed = call if failed is None else max(failed, call)
    return failed if done is None else done


__all__ = [
    "OUTCOMES",
    "DocumentRow",
    "ItemRow",
    "Outcome",
    "ResultRow",
    "ResultState",
    "ResultTokens",
    "best_call",
]
