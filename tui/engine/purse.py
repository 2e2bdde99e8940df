"""The money of a run: an attempt waits here until the most it can cost fits the budget, or learns that it never will.

The rules are in core/budget.py; here they are only waited for. Each attempt, a repeated one too, asks anew.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from tui.core.budget import Budget, UnboundedCost, charge, worst_cost
from tui.core.calls import CallPlan, Usage
from tui.core.money import Price


class OverBudget(Exception):
    """An attempt that would pass the budget even if all that is under way cost nothing. The message is for people."""


class Purse:
    """Reserves and settles for all the attempts of a run."""

    def __init__(self, limit_usd: Decimal, price: Price, on_refused: Callable[[str], None] = lambda why: None) -> None:
        """`on_refused` hears why, each time that something is not sent for want of money."""
        self.budget = Budget(limit_usd)
        self.refused = 0
        """Attempts that were not sent for want of money; each of them ended its call."""
        self._price = price
        self._on_refused = on_refused
        self._settled = asyncio.Event()

    def worst(self, plan: CallPlan) -> Decimal:
        """The most USD that one attempt of the call can cost; OverBudget when nothing bounds it."""
        try:
            return worst_cost(plan, self._price)
        except UnboundedCost as error:
            raise self._refusal(error.what) from error

    async def reserve(self, worst: Decimal) -> None:
        """Set `worst` USD aside for an attempt; waits while others under way may leave enough. Raises OverBudget."""
        while not self.budget.reserve(worst):
            if not self.budget.may_fit_later(worst):
                raise self._refusal(self.budget.refusal(worst))
            await self._settled.wait()

    def settle(self, worst: Decimal, usage: Usage | None, may_be_billed: bool) -> None:
        """An attempt has ended (or was never sent); see `core.budget.charge`."""
        self.budget.settle(worst, charge(worst, self._price, usage, may_be_billed))
        self._settled.set()
        self._settled = asyncio.Event()

    def _refusal(self, why: str) -> OverBudget:
        self.refused += 1
        self._on_refused(why)
        return OverBudget(why)
