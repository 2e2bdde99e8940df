"""The calls that make one document's answer: one of the whole, or parts and then reductions, level by level.

Sends nothing. Which calls there are follows from the document and the answers alone, so that a resumed run builds the
same tree, finds the same keys on record, and asks nothing twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tui.core.batch_view import Relative
from tui.core.calls import State
from tui.core.documents import DocumentPart, Messages, Prepared
from tui.core.reduction import groups, joined

Fate = Literal["open", "done", "failed", "pending"]
"""What became of a document; pending: a call of it was cancelled or refused, and a resumed run asks again."""


@dataclass(slots=True, eq=False)
class Member:
    """One call of a document."""

    part: DocumentPart
    messages: Messages
    """Until it has begun: a document's text need not be in memory twice."""
    key: str = ""
    state: State | None = None
    """None: not ended."""
    call: int | None = None
    """Its number, once it has begun or was found on record."""
    answer: str = ""
    tokens: int = 0
    """Completion tokens."""
    error: str | None = None
    shared: bool = False
    """A document before this one had it asked."""


@dataclass(slots=True, eq=False)
class DocumentCalls:
    """One document of a batch, from the moment it was read until it has its answer, or none will come."""

    number: int
    id: str
    source: str
    tokens: int | None
    cut_tokens: int
    levels: list[list[Member]]
    reduction: Callable[[str], Messages] | None
    """Renders the question that reduces joined answers; None: there is one call."""
    room_tokens: int
    counted: Fate = "open"
    """As what it has been counted."""
    cost: Decimal | None = Decimal(0)
    """USD of its calls so far; None: there is no price."""
    asked: bool = False
    """Some call that answers it was made in this session."""
    reckoned: bool = False
    """It has been counted among those that have come to their end."""
    hash: str = ""

    @classmethod
    def of(
        cls, document: Prepared, reduction: Callable[[str], Messages] | None = None, room_tokens: int = 0
    ) -> "DocumentCalls":
        """A document that was just read and has something to ask."""
        calls = cls(
            number=document.number,
            id=document.id,
            source=document.source,
            tokens=document.document_tokens,
            cut_tokens=document.cut_tokens,
            levels=[],
            reduction=reduction,
            room_tokens=room_tokens,
            hash=document.hash,
        )
        parts = len(document.asks)
        calls.levels.append(
            [Member(calls._part(number, parts), messages) for number, messages in enumerate(document.asks, start=1)]
        )
        return calls

    @property
    def split(self) -> bool:
        """It takes more than one call."""
        return len(self.levels[0]) > 1

    @property
    def root(self) -> Member | None:
        """Whose answer is the document's; None while nobody knows."""
        last = self.levels[-1]
        return last[0] if len(last) == 1 else None

    @property
    def members(self) -> Iterator[Member]:
        """All of them so far, leaves first."""
        for level in self.levels:
            yield from level

    @property
    def fate(self) -> Fate:
        """How it stands."""
        states = {member.state for member in self.members}
        if states & {State.FAILED, State.BROKEN}:
            return "failed"
        if states & {State.CANCELLED, State.REFUSED}:
            return "pending"
        return "done" if self.root is not None and self.root.state is State.DONE else "open"

    @property
    def error(self) -> str | None:
        """Which call it lacks, and why."""
        for member in self.members:
            if member.state not in (None, State.DONE):
                assert member.state is not None
                why = member.error or member.state.value
                if not self.split:
                    return why
                part = f"part {member.part.part} of {member.part.parts}"
                return f"{part}: {why}" if not member.part.level else f"reduction {member.part.level}, {part}: {why}"
        return None

    def next_level(self) -> list[Member]:
        """What to ask now that every answer of the last level is there; empty: not yet, or it has its answer."""
        last = self.levels[-1]
        if self.reduction is None or len(last) == 1 or any(member.state is not State.DONE for member in last):
            return []
        answers = [member.answer for member in last]
        grouped = groups(answers, self.room_tokens)
        level = [
            Member(
                self._part(number, len(grouped), len(self.levels), tuple(index + 1 for index in group)),
                self.reduction(joined([answers[index] for index in group])),
            )
            for number, group in enumerate(grouped, start=1)
        ]
        self.levels.append(level)
        return level

    def relatives(self) -> tuple[Relative, ...]:
        """For those who look."""
        return tuple(
            Relative(
                title=member.part.title,
                level=member.part.level,
                part=member.part.part,
                parts=member.part.parts,
                state=member.state,
                call=member.call,
                tokens=member.tokens,
                part_of=member.part.part_of,
            )
            for member in self.members
        )

    def _part(self, number: int, parts: int, level: int = 0, part_of: tuple[int, ...] = ()) -> DocumentPart:
        return DocumentPart(
            number=self.number,
            id=self.id,
            source=self.source,
            hash=self.hash,
            part=number,
            parts=parts,
            level=level,
            part_of=part_of,
            cut_tokens=self.cut_tokens,
        )
