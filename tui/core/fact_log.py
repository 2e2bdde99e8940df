"""Facts in the order in which they were stated, kept until they go on record, and as rows of plain values. Pure.

What text came is not among them: the ledger keeps its arrivals (core/chunk_times.py). Neither are a response's headers,
which never go on record. Strings are as people see them, without characters that no file can hold.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple, replace

from tui.core.calls import State, Usage
from tui.core.chunk_times import gaps_of, pack, unpack
from tui.core.facts import (
    Admitted,
    AllowanceCame,
    AttemptEnded,
    BackedOff,
    Counted,
    Fact,
    Finished,
    HeadersCame,
    LaneClosed,
    LimitsChanged,
    LiveCounted,
    LoopLagged,
    Noticed,
    PhaseChanged,
    Queued,
    RunFact,
    Sent,
    Stopped,
    TextCame,
    ToolNamed,
    UsageCame,
    Waited,
    Written,
)
from tui.core.untrusted import clean

# A fact's place here is its name in every record: only ever append.
KINDS: tuple[type[Any], ...] = (
    Queued, Waited, Admitted, Sent, Written, HeadersCame, AllowanceCame, ToolNamed, UsageCame, Stopped,
    AttemptEnded, BackedOff, Finished, Counted, LiveCounted, PhaseChanged, LimitsChanged, LaneClosed, Noticed,
)  # fmt: skip
_MODEL, _PROMPT = 1, 2
"""Places in a row's further fields, for `Queued`."""
_INSTANTS = ("at", "until", "due_at")
"""Fields of facts that are instants."""
_CODES = {kind: code for code, kind in enumerate(KINDS)}

BLANK = "▒"
"""Stands for each character of a text that is not there."""

Row = list[Any]
"""Kind, order since the row before, nanoseconds since the row before, pieces of text before it, its further fields."""


class Heard(NamedTuple):
    """A fact and what was before it."""

    order: int
    """The how-manieth of the run's facts it is, text left out."""
    pieces: int
    """How many pieces of text its call's attempt had brought by then."""
    fact: Any


class RunChunk(msgspec.Struct, frozen=True, array_like=True):
    """What was stated of the run as a whole within a second or so."""

    rows: list[Row]
    ended: list[tuple[int, int]]
    """Orders of the calls' ends, with the calls: an end is stated once the call is on record."""
    lags_at: int
    """The instant of the first of the loop's lags (ns)."""
    lag_gaps: bytes
    lags: bytes
    """The loop's lags (ns), packed."""

    @property
    def lags_until(self) -> int:
        """The instant of the last of them."""
        return self.lags_at + sum(unpack(self.lag_gaps))


class FactLog:
    """Hears every fact of a run but its text."""

    def __init__(self, order: int = 0, shift_ns: int = 0) -> None:
        """Of a run that goes on: `order` is above all orders that are on record, and `shift_ns` is added to every
        instant, so that all sessions of a run are told on the clock of the first one.
        """
        self._order = order
        self.shift_ns = shift_ns
        self._calls: dict[int, list[Heard]] = {}
        self._run: list[Heard] = []
        self._ended: list[tuple[int, int]] = []
        self._lag_times = array("q")
        self._lags = array("q")

    def hear(self, fact: Fact, pieces: int) -> None:
        """Keep a fact that was folded just now; `pieces`: how many its call's newest attempt has brought."""
        kind = type(fact)
        if kind is TextCame:
            return
        if self.shift_ns:
            fact = shifted(fact, self.shift_ns)
        self._order += 1
        if isinstance(fact, LoopLagged):
            self._lag_times.append(fact.at)
            self._lags.append(fact.lag_ns)
        elif isinstance(fact, RunFact):
            self._run.append(Heard(self._order, 0, fact))
        elif kind is Finished:
            self._ended.append((self._order, fact.call))
        else:
            heard = self._calls.setdefault(fact.call, [])
            if kind is LiveCounted and heard and type(heard[-1].fact) is LiveCounted:
                heard.pop()  # five looks a second are a viewer's, not the run's: the newest tells how it stood
            heard.append(Heard(self._order, pieces, fact))

    def take_call(self, end: Finished) -> list[Heard]:
        """What was heard of a call that ends so; it is forgotten here. When its end is stated is heard later."""
        return [*self._calls.pop(end.call, ()), Heard(self._order, 0, shifted(end, self.shift_ns))]

    def take_run(self) -> RunChunk | None:
        """What was heard of the run since it was last taken; None: nothing."""
        if not (self._run or self._ended or self._lags):
            return None
        chunk = RunChunk(
            rows_of(self._run),
            self._ended,
            self._lag_times[0] if self._lag_times else 0,
            gaps_of(self._lag_times),
            pack(self._lags),
        )
        self._run, self._ended, self._lag_times, self._lags = [], [], array("q"), array("q")
        return chunk


def shifted(fact: Fact, by_ns: int) -> Fact:
    """`fact` with all its instants moved."""
    moved = {name: at + by_ns for name in _INSTANTS if (at := getattr(fact, name, None)) is not None}
    return replace(fact, **moved) if by_ns else fact


def lags_of(chunk: RunChunk) -> Iterator[LoopLagged]:
    """The loop's lags of a chunk, in order."""
    at = chunk.lags_at
    lags = unpack(chunk.lags)
    for lag_ns, gap_ns in zip(lags, [*unpack(chunk.lag_gaps), 0], strict=False):
        yield LoopLagged(at, lag_ns)
        at += gap_ns


def rows_of(heard: Sequence[Heard]) -> list[Row]:
    """Facts as rows. What else is on record of a call is left out: its model, and its prompt but for the length."""
    rows: list[Row] = []
    order = at = 0
    for each in heard:
        fact = each.fact
        rows.append([_CODES[type(fact)], each.order - order, fact.at - at, each.pieces, *_further(fact)])
        order, at = each.order, fact.at
    return rows


def facts_of_rows(rows: Sequence[Row], call: int | None) -> Iterator[Heard]:
    """The facts again, of this call (None: of the run). A prompt is blank, a model unnamed."""
    order = at = 0
    whose = () if call is None else (call,)
    for code, order_step, at_step, pieces, *further in rows:
        order += order_step
        at += at_step
        kind = KINDS[code]
        if kind is Queued:
            further[_PROMPT] = BLANK * further[_PROMPT]
        elif kind is Finished:
            further[0] = State(further[0])
        elif kind is UsageCame or kind is Counted:
            further[-1] = Usage(*further[-1])
        yield Heard(order, pieces, kind(*whose, at, *further))


def without_text(fact: Fact) -> Fact:
    """`fact` without what a model wrote."""
    return replace(fact, id="", name="") if isinstance(fact, ToolNamed) else fact


def _further(fact: Any) -> list[Any]:
    if isinstance(fact, HeadersCame):
        return [fact.status, _plain(fact.request_id)]
    values = [_plain(value) for value in astuple(fact)[1 if isinstance(fact, RunFact) else 2 :]]
    if isinstance(fact, Queued):
        values[_MODEL], values[_PROMPT] = "", len(fact.prompt)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, State):
        return value.value
    if isinstance(value, str):
        return clean(value)
    return list(astuple(value)) if isinstance(value, Usage) else value
