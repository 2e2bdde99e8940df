"""What people may see of a batch at one instant, besides its calls. Values only."""

from typing import Any

import msgspec

from tui.core.calls import State


class Projection(msgspec.Struct, frozen=True):
    """What all documents will have cost, judged from those that have ended (USD, 95 % interval)."""

    low_usd: float
    usd: float
    high_usd: float


class BatchView(msgspec.Struct, frozen=True):
    """Documents and money."""

    read: int = 0
    """Documents taken from the corpus so far, whatever became of them."""
    documents: int | None = None
    """In all, when known."""
    done: int = 0
    failed: int = 0
    """Among them those about which nothing could be asked."""
    unaskable: tuple[tuple[str, int], ...] = ()
    """Why not, and how many: the most frequent reasons."""
    reused: int = 0
    """Answered, or not, by calls of earlier sessions of this run alone; in `done` or `failed` too."""
    corpus_ended: bool = False
    """Every document has been read."""
    shared: int = 0
    """Equal to another document, and answered by its call."""
    cut: int = 0
    """Too long, and asked about without their end."""
    projection: Projection | None = None
    """None: too few have ended, how many there are is unknown, or there is no price."""
    budget_usd: float | None = None
    asking: str | None = None
    """Why dispatch waits for an answer: the budget is reached, and somebody may raise it."""


def document_figures(view: BatchView) -> dict[str, Any]:
    """What a summary says of a batch's documents; `pending` ones are for a run that goes on."""
    total = view.documents if view.documents is not None else view.read
    return {
        "total": total,
        "done": view.done,
        "failed": view.failed,
        "pending": total - view.done - view.failed,
        "shared": view.shared,
        "reused": view.reused,
        "cut": view.cut,
        "errors": [{"error": error, "n": n} for error, n in view.unaskable],
        "read_to_the_end": view.corpus_ended,
    }


class Relative(msgspec.Struct, frozen=True):
    """One call of a document that takes several."""

    title: str
    level: int
    """0: a part of the document; above, the answers below are reduced."""
    part: int
    parts: int
    state: State | None = None
    """None: not begun."""
    call: int | None = None
    tokens: int = 0
    """Completion tokens."""
    part_of: tuple[int, ...] = ()
    """Which parts of the level below it reduces."""


class FamilyView(msgspec.Struct, frozen=True):
    """The calls that make one document's answer, leaves first."""

    document: str
    cut_tokens: int = 0
    members: tuple[Relative, ...] = ()
