"""The money of a run: an attempt waits here until the most it can cost fits the budget, or learns that it never will.

The rules are in core/budget.py; here they are only waited for, first come, first served: small attempts would starve a
large one otherwise. Who can never fit is refused at once, also behind others. Each attempt, a repeated one too, asks
anew.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from decimal import Decimal

from tui.core.budget import Budget, UnboundedCost, charge, worst_cost
from tui.core.calls import CallPlan, Usage
from tui.core.money import Price


class OverBudget(Exception):
    """An attempt that would pass the budget even if all that is under way cost nothing. The message is for people."""


class _Waiting:
    """One that stands in the queue."""

    __slots__ = ("news", "worst")

    def __init__(self, worst: Decimal) -> None:
        self.worst = worst
        self.news = asyncio.Event()


class Purse:
    """Reserves and settles for all the attempts of a run."""

    def __init__(self, limit_usd: Decimal, price: Price, on_refused: Callable[[str], None] = lambda why: None) -> None:
        """`on_refused` hears why, each time that something is not sent for want of money."""
        self.budget = Budget(limit_usd)
        self.refused = 0
        """Attempts that were not sent for want of money; each of them ended its call."""
        self._price = price
        self._on_refused = on_refused
        self._queue: deque[_Waiting] = deque()

    def worst(self, plan: CallPlan) -> Decimal:
        """The most USD that one attempt of the call can cost; OverBudget when nothing bounds it."""
        try:
            return worst_cost(plan, self._price)
        except UnboundedCost as error:
            raise self._refusal(error.what) from error

    async def reserve(self, worst: Decimal) -> None:
        """Set `worst` USD aside for an attempt, in the order of asking; waits while others may leave enough.

        Raises OverBudget as soon as it can never fit, whoever stands before it.
        """
        me = _Waiting(worst)
        self._queue.append(me)
        try:
            while self._queue[0] is not me or not self.budget.reserve(worst):
                if not self.budget.may_fit_later(worst):
                    raise self._refusal(self.budget.refusal(worst))
                me.news.clear()
                await me.news.wait()
        finally:
            self._queue.remove(me)
            if self._queue:
                self._queue[0].news.set()

    def settle(self, worst: Decimal, usage: Usage | None, may_be_billed: bool) -> None:
        """An attempt has ended (or was never sent); see `core.budget.charge`."""
        self.budget.settle(worst, charge(worst, self._price, usage, may_be_billed))
        for place, waiting in enumerate(self._queue):
            # Only who has something to do: waking a thousand to go on waiting costs a turn of the loop each time.
            if place == 0 or not self.budget.may_fit_later(waiting.worst):
                waiting.news.set()

    def _refusal(self, why: str) -> OverBudget:
        self.refused += 1
        self._on_refused(why)
        return OverBudget(why)
