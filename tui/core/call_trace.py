"""A call's life as it goes on record beside its result, and as facts again: every instant exact. Pure.

Texts are not in it twice: it says which of the record's texts the pieces are cut from, and holds what is not there.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

import msgspec
from msgspec.structs import replace

from tui.core.chunk_times import PackedStream, gaps_of, pack, unpack
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.fact_log import BLANK, Heard, Row, facts_of_rows, rows_of, without_text
from tui.core.facts import Fact, Finished, Queued, Sent, TextCame
from tui.core.records import CallRecord
from tui.core.secrets import NO_MASK

_LATER_THAN_ANY_NS = 1 << 60


class CallTrace(msgspec.Struct, frozen=True, array_like=True):
    """All that was stated of one call."""

    rows: list[Row]
    streams: list[PackedStream | None]
    """By attempt; None: it brought no text."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(CallTrace)


def trace_of(
    entry: CallEntry,
    heard: Sequence[Heard],
    record: CallRecord,
    keep_text: bool,
    said: Callable[[str], str] = NO_MASK,
    shift_ns: int = 0,
) -> bytes:
    """The trace of an ended call, to be kept with `record`; `said` is what the record says for a server's words.

    `shift_ns` is added to the instants of the text, as it was to those of `heard`.

    What hides secrets must not change lengths: the pieces of a text are cut by theirs.
    """
    heard = [each._replace(fact=reworded(each.fact, said)) for each in heard]
    if not keep_text:
        heard = [Heard(order, pieces, without_text(fact)) for order, pieces, fact in heard]
    texts = texts_in(record) if keep_text else None
    streams = [_packed(attempt, texts, said, shift_ns) for attempt in entry.attempts]
    return _ENCODER.encode(CallTrace(rows_of(heard), streams))


def reworded(fact: Fact, said: Callable[[str], str]) -> Fact:
    """`fact` with what `said` makes of its words; the same object when that changes none.

    What was asked stays: of a prompt only the length goes on record with the facts.
    """
    if isinstance(fact, Queued):
        return fact
    words = {name: value for name in fact.__struct_fields__ if type(value := getattr(fact, name)) is str}
    changed = {name: new for name, old in words.items() if (new := said(old)) != old}
    return replace(fact, **changed) if changed else fact


def read_trace(trace: bytes) -> CallTrace:
    """What `trace_of` wrote; msgspec.MsgspecError when it is something else."""
    return _DECODER.decode(trace)


def texts_in(record: CallRecord) -> list[str]:
    """Every text of a record that a model wrote, in an order that never changes: traces count on it."""
    texts = [record.text, record.reasoning, *(tool.arguments for tool in record.tool_calls)]
    for choice in record.choices:
        texts += [choice.text, choice.reasoning, *(tool.arguments for tool in choice.tool_calls)]
    return texts + [attempt.superseded_text or "" for attempt in record.attempts]


class TracedCall:
    """A recorded call that can be told again."""

    def __init__(self, record: CallRecord, trace: CallTrace, prompt: str | None) -> None:
        """`prompt`: what was asked, of which people saw so much; None: it was not kept."""
        self.record = record
        self.heard = list(facts_of_rows(trace.rows, record.id))
        """What was stated but its text; its end is last."""
        self._streams = trace.streams
        begun = self.heard[0]
        if isinstance(begun.fact, Queued):
            seen = begun.fact.prompt if prompt is None else prompt[: len(begun.fact.prompt)]
            self.heard[0] = begun._replace(fact=replace(begun.fact, prompt=seen, model=record.model))

    def ends_at(self, order: int) -> None:
        """Its end was stated as the run's fact of this order."""
        self.heard[-1] = self.heard[-1]._replace(order=order)

    @property
    def whole(self) -> bool:
        """It begins and ends."""
        return isinstance(self.heard[0].fact, Queued) and isinstance(self.heard[-1].fact, Finished)

    def tell(self, told_at: Sequence[int]) -> Iterator[tuple[int, Fact]]:
        """Its facts in their order, each with the instant to tell it; `told_at`: those of what is in `heard`."""
        texts = texts_in(self.record)
        streams = iter(self._streams)
        pieces: list[TextCame] = []
        told = 0
        before = 0
        for at, (_, number, fact) in zip(told_at, self.heard, strict=True):
            while told < min(number, len(pieces)):
                piece = pieces[told]
                # The kernel stamps text a moment before others are stated, so it may seem to come out of turn.
                before = min(max(before, piece.at), at)
                yield before, piece
                told += 1
            yield at, fact
            before = at
            if isinstance(fact, Sent):
                stream = next(streams, None)
                pieces = _pieces(self.record.id, stream, texts) if stream is not None else []
                told = 0


def _packed(
    attempt: AttemptEntry, texts: list[str] | None, said: Callable[[str], str], shift_ns: int
) -> PackedStream | None:
    arrivals = attempt.arrivals
    if not arrivals.times:
        return None
    keys = tuple(attempt.texts)
    return PackedStream(
        first_at=arrivals.times[0] + shift_ns,
        gaps=gaps_of(arrivals.times),
        keys=keys,
        sizes=tuple(map(pack, arrivals.sizes)),
        texts=tuple(_place(said("".join(attempt.texts[key])) if texts is not None else "", texts) for key in keys),
        strands=pack(arrivals.strands) if arrivals.strands is not None else None,
        joined=pack(arrivals.joined) if arrivals.joined is not None else None,
        shared=attempt.shared,
        late=attempt.late,
    )


def _place(text: str, texts: list[str] | None) -> int | bytes | None:
    if texts is None:
        return None
    return texts.index(text) if text in texts else text.encode("utf-8", "surrogatepass")


def _pieces(call: int, stream: PackedStream, texts: Sequence[str]) -> list[TextCame]:
    cut = [_cut(unpack(sizes), _text(place, texts)) for sizes, place in zip(stream.sizes, stream.texts, strict=True)]
    if stream.strands is None:
        ((choice, kind, tool),) = stream.keys
        facts = [
            TextCame(call, at, kind, piece, choice, False, 0, True, tool)
            for at, piece in zip(stream.times, cut[0], strict=True)
        ]
    else:
        strands = [iter(pieces) for pieces in cut]
        facts = []
        for at, strand in zip(stream.times, unpack(stream.strands), strict=True):
            choice, kind, tool = stream.keys[strand]
            facts.append(TextCame(call, at, kind, next(strands[strand]), choice, False, 0, True, tool))
    for index in unpack(stream.joined) if stream.joined is not None else ():
        facts[index] = replace(facts[index], opens_chunk=False)
    facts[0] = replace(facts[0], shared=stream.shared, late_ns=_LATER_THAN_ANY_NS if stream.late else 0)
    return facts


def _text(place: int | bytes | None, texts: Sequence[str]) -> str | None:
    if isinstance(place, bytes):
        return place.decode("utf-8", "surrogatepass")
    return None if place is None else texts[place]


def _cut(sizes: "array[int]", text: str | None) -> list[str]:
    if text is None:
        return [BLANK * size for size in sizes]
    return [text[start:end] for start, end in pairwise(accumulate(sizes, initial=0))]
