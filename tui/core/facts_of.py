"""A run's record as facts again, so that a report has the fold that the screen had. Reads no file, asks no clock.

Instants are nanoseconds since the run's start, or from another origin on. A record says when the first and the last
token of an attempt came and how many there were: those between are taken as evenly spread, so gaps between chunks are
not to be read from these facts, and neither is what only the running engine knew (its lag, stamps that were late or
shared).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tui.core.calls import TextKind
from tui.core.clock import NS_PER_S, nanoseconds
from tui.core.facts import (
    Admitted,
    AttemptEnded,
    BackedOff,
    Counted,
    Fact,
    Finished,
    HeadersCame,
    LimitsChanged,
    PhaseChanged,
    Queued,
    Sent,
    Stopped,
    TextCame,
    UsageCame,
    Written,
)
from tui.core.lookup import whole_at
from tui.core.records import AttemptRecord, CallRecord

MOST_PIECES = 200
"""Pieces that the text of one attempt is spread in; a run is drawn in at most 300 steps."""
PIECE_NS = NS_PER_S // 4
MOST_TOKENS = 32_768
"""Characters for one attempt at most: a server may claim any number of tokens, and the ledger keeps 5,000 texts."""


def facts_of(records: Iterable[CallRecord], fields: Mapping[str, Any]) -> list[Fact]:
    """The facts of a whole run in order of time; `fields` are the journal's of the run.

    A stamp that stands before the one it must follow is moved up to it.
    """
    facts: list[Fact] = [
        PhaseChanged(0, "running"),
        LimitsChanged(0, whole_at(fields, "rpm"), whole_at(fields, "tpm"), whole_at(fields, "concurrency") or 1),
    ]
    for record in records:
        facts.extend(call_facts(record))
    facts.sort(key=_instant)  # stable: what happened to a call in one instant stays in order
    facts.append(PhaseChanged(max(0, facts[-1].at), "finished"))
    return facts


def _instant(fact: Fact) -> int:
    return fact.at


def call_facts(record: CallRecord, origin_ns: int = 0) -> Iterator[Fact]:
    """The facts of one call in order of time, of a run that started at `origin_ns`."""

    def instant(at_s: float) -> int:
        return origin_ns + nanoseconds(at_s)

    call = record.id
    due = at = instant(record.due_s)
    yield Queued(call, due, due, record.model, "", record.warmup)
    if record.admitted_s is not None:
        at = max(at, instant(record.admitted_s))
        yield Admitted(call, at)
    for number, attempt in enumerate(record.attempts, start=1):
        sent = max(at, instant(attempt.sent_s))
        if number > 1:
            yield BackedOff(call, at, sent, "")
        at = sent
        yield Sent(call, at)
        for fact in _reply(call, attempt, at, instant):
            at = fact.at
            yield fact
        if attempt.ended_s is not None:
            at = max(at, instant(attempt.ended_s))
        if attempt.usage is not None and not attempt.usage_estimated:
            yield UsageCame(call, at, attempt.usage)
        if number == len(record.attempts) and record.finish_reason is not None:
            yield Stopped(call, at, record.finish_reason)
        yield AttemptEnded(call, at, attempt.error, attempt.possibly_billed)
        if attempt.usage is not None and attempt.usage_estimated:
            yield Counted(call, at, number, attempt.usage)
    yield Finished(call, at, record.state, record.error)


def _reply(call: int, attempt: AttemptRecord, at: int, instant: Callable[[float], int]) -> Iterator[Fact]:
    """What came of one attempt between its sending and its end."""
    if attempt.written_s is not None:
        at = max(at, instant(attempt.written_s))
        yield Written(call, at)
    if attempt.status is not None:
        at = max(at, instant(attempt.headers_s)) if attempt.headers_s is not None else at
        yield HeadersCame(call, at, attempt.status)
    if attempt.first_token_s is not None:
        first = max(at, instant(attempt.first_token_s))
        last = max(first, instant(attempt.last_token_s)) if attempt.last_token_s is not None else first
        yield from _text(call, first, last, attempt.usage.completion if attempt.usage is not None else 1)


def _text(call: int, first: int, last: int, tokens: int) -> Iterator[Fact]:
    """A character for each token, so that the ledger's tokens a character are one."""
    tokens = min(max(tokens, 1), MOST_TOKENS)
    pieces = min(tokens, MOST_PIECES, 2 + (last - first) // PIECE_NS)
    for index in range(pieces):
        share = tokens * (index + 1) // pieces - tokens * index // pieces
        at = first + (last - first) * index // max(pieces - 1, 1)
        yield TextCame(call, at, TextKind.CONTENT, _dots(share))


@lru_cache(maxsize=1024)
def _dots(n: int) -> str:
    """One string for all pieces of a length: a run has hundreds of thousands of them."""
    return "." * n


__all__ = ["call_facts", "facts_of"]
