"""How a batch's documents and money are said in a few words, on screen and in lines of text. Pure; draws nothing."""

from decimal import Decimal
from typing import NamedTuple

from tui.core.batch_view import BatchView, Projection
from tui.core.figures import exact, percent, usd


class Said(NamedTuple):
    """A part of what is said."""

    kind: str
    """`done`, or the field of `BatchView` that it tells."""
    words: str


def ended(batch: BatchView) -> int:
    """Documents about which nothing more will be asked."""
    return batch.done + batch.failed


def documents(batch: BatchView) -> list[Said]:
    """`1,204 of 2,000 done`, `3 failed`, `12 shared`, …: what there is none of is left out.

    While nobody knows how many there are: `1,204 done, 1,260 read`.
    """
    if batch.documents is None:
        first = f"{exact(batch.done)} done, {exact(batch.read)} read"
    else:
        first = f"{exact(batch.done)} of {exact(batch.documents)} done"
    others = (("failed", batch.failed), ("shared", batch.shared), ("reused", batch.reused), ("cut", batch.cut))
    return [Said("done", first), *(Said(kind, f"{exact(n)} {kind}") for kind, n in others if n)]


def share(batch: BatchView) -> str | None:
    """How far it is: `60 %`; None while nobody knows how many documents there are."""
    return None if batch.documents is None else percent(ended(batch), batch.documents)


def budget_of(batch: BatchView) -> Decimal | None:
    """What it may cost (USD), with the digits that people gave it."""
    # repr is the shortest decimal that the float stands for; Decimal(float) would show 0.1 as 0.1000000000000000055….
    return None if batch.budget_usd is None else Decimal(repr(batch.budget_usd))


def projected(projection: Projection) -> str:
    """What all documents will have cost: `$2.10`."""
    return usd(Decimal(projection.usd))


def interval(projection: Projection) -> str:
    """Between what that lies, with 95 % confidence: `[1.95–2.30]`."""
    low, high = (usd(Decimal(amount)).replace("$", "") for amount in (projection.low_usd, projection.high_usd))
    return f"[{low}–{high}]"


def fits(batch: BatchView) -> bool | None:
    """Whether the projection is within the budget with all of its interval; None: there is not both."""
    if batch.projection is None or batch.budget_usd is None:
        return None
    return batch.projection.high_usd <= batch.budget_usd
