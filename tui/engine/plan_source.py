"""Where a run's calls come from: an iterator, or a source that waits for its documents and for its own answers.

A source is asked for the next call when a slot is free, so that what it reads costs no more memory than the slots.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Protocol

from tui.core.batch_view import BatchView, FamilyView, Projection
from tui.core.calls import CallPlan
from tui.core.records import CallRecord


class PlanSource(Protocol):
    """Gives calls one by one, and hears what became of them."""

    async def next(self) -> CallPlan | None:
        """The next call; None when there is none (ask again later: an answer may lead to another call).

        Cancelling it loses nothing. UsageError: the corpus cannot be read any further.
        """
        ...

    def begun(self, plan: CallPlan) -> None:
        """A call has begun, with the number that it has now."""
        ...

    def recorded(self, plan: CallPlan, record: CallRecord) -> None:
        """A call has ended and is on the disk."""
        ...

    @property
    def expects_more(self) -> bool:
        """An answer that is still to come may lead to another call."""
        ...

    @property
    def view(self) -> BatchView | None:
        """How its documents stand, but for the money; None where there are none."""
        ...

    def family(self, call: int) -> FamilyView | None:
        """The calls of a call's document; None where that is the only one."""
        ...

    def projection(self, spent_usd: Decimal) -> Projection | None:
        """What all of it will have cost; None where nobody can tell."""
        ...


class Listed:
    """Calls that are known beforehand, one after the other."""

    expects_more = False
    view = None

    def __init__(self, plans: Iterator[CallPlan]) -> None:
        self._plans = plans

    async def next(self) -> CallPlan | None:
        """The next one; None at the end."""
        return next(self._plans, None)

    def begun(self, plan: CallPlan) -> None:
        """Nothing follows from it."""

    def recorded(self, plan: CallPlan, record: CallRecord) -> None:
        """Nothing follows from it."""

    def family(self, call: int) -> FamilyView | None:
        """None has one."""
        return None

    def projection(self, spent_usd: Decimal) -> Projection | None:
        """None: documents have one."""
        return None
