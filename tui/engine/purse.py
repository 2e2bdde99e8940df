"""The money of a run: an attempt waits here until the most it can cost fits the budget, or learns that it never will.

The rules are in core/budget.py; here they are only waited for, first come, first served: small attempts would starve a
large one otherwise. Each attempt, a repeated one too, asks anew.

What can never fit is refused at once, also behind others; or, where somebody is there to be asked (`on_reached`), it
waits for their word: more money (`raise_to`) or none (`give_up`). The rest goes on as far as the money reaches.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tui.core import figures
from tui.core.budget import Budget, UnboundedCost, charge, worst_cost
from tui.core.calls import CallPlan, Usage
from tui.core.money import Price


class OverBudget(Exception):
    """An attempt that would pass the budget even if all that is under way cost nothing. The message is for people."""


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that one attempt can cost."""

    usd: Decimal
    beyond: Decimal = Decimal(0)
    """What of it is there because the server charged more than it could before."""


class _Waiting:
    """One that stands in the queue."""

    __slots__ = ("news", "worst")

    def __init__(self, worst: Decimal) -> None:
        self.worst = worst
        """USD."""
        self.news = asyncio.Event()


class Purse:
    """Reserves and settles for all the attempts of a run."""

    def __init__(
        self,
        limit_usd: Decimal,
        price: Price,
        on_refused: Callable[[str], None] = lambda why: None,
        on_reached: Callable[[], None] | None = None,
        spent_usd: Decimal = Decimal(0),
    ) -> None:
        """`on_refused` hears why, each time that something is not sent for want of money.

        `on_reached` asks somebody for more money: it is called when an attempt can never fit, and again only when it
        was raised and that is not enough. It may answer at once. None: nobody can be asked, so it is refused.
        `spent_usd` is what earlier sessions of the run have spent of the limit.
        """
        self.budget = Budget(limit_usd)
        self.budget.spent = spent_usd
        self.refused = 0
        """Attempts that were not sent for want of money; each of them ended its call."""
        self.reached = False
        """Somebody was asked for more money and has not said anything yet."""
        self._price = price
        self._on_refused = on_refused
        self._on_reached = on_reached
        self._given_up = False
        self._beyond = Decimal(0)
        """The most USD that an attempt was charged above what core/budget.py says that it can cost."""
        self._queue: deque[_Waiting] = deque()

    @property
    def limit(self) -> Decimal:
        """USD that may be spent."""
        return self.budget.limit

    @property
    def spent(self) -> Decimal:
        """USD of the attempts that have ended; those that may be billed and were not counted at their worst."""
        return self.budget.spent

    @property
    def reserved(self) -> Decimal:
        """The most USD that the attempts under way may still cost."""
        return self.budget.reserved

    def worst(self, plan: CallPlan) -> Worst:
        """The most that one attempt of the call can cost; OverBudget when nothing bounds it.

        A server that once charged more than that (it puts a long prompt of its own before each one, or answers beyond
        the most that was asked for) is taken to do so every time.
        """
        try:
            return Worst(worst_cost(plan, self._price) + self._beyond, self._beyond)
        except UnboundedCost as error:
            raise self._refusal(error.what) from error

    async def reserve(self, worst: Worst) -> None:
        """Set `worst` aside for an attempt, in the order of asking; waits while others may leave enough.

        Raises OverBudget as soon as it can never fit, whoever stands before it; where somebody is asked for more
        money, not before they gave up.
        """
        me = _Waiting(worst.usd)
        self._queue.append(me)
        try:
            while not self._reserved_for(me):
                me.news.clear()
                await me.news.wait()
        finally:
            self._queue.remove(me)
            if self._queue:
                self._queue[0].news.set()

    def settle(self, worst: Worst, usage: Usage | None, may_be_billed: bool) -> None:
        """An attempt has ended (or was never sent); see `core.budget.charge`."""
        cost = charge(worst.usd, self._price, usage, may_be_billed)
        self.budget.settle(worst.usd, cost)
        if cost > worst.usd:
            self._beyond = max(self._beyond, cost - worst.usd + worst.beyond)
        self._wake()

    def raise_to(self, limit_usd: Decimal) -> None:
        """Let more be spent; who waits goes on, in order. ValueError when it is not above the limit so far."""
        self.budget.raise_to(limit_usd)
        self.reached = False
        self._wake()

    def give_up(self) -> None:
        """Send nothing more: all who wait, and all who come, get OverBudget. For good, also if it is raised later."""
        self._given_up = True
        self.reached = False
        for waiting in self._queue:
            waiting.news.set()

    def _reserved_for(self, me: _Waiting) -> bool:
        """Whether the money is set aside now; False: it must wait for news. OverBudget when it waits in vain."""
        while True:
            if self._given_up:
                raise self._refusal(self._why_not(me.worst))
            if self._queue[0] is me and self.budget.reserve(me.worst):
                return True
            if self.budget.may_fit_later(me.worst) or self.reached:
                return False
            if self._on_reached is None:
                raise self._refusal(self.budget.refusal(me.worst))
            self.reached = True
            self._on_reached()

    def _wake(self) -> None:
        for place, waiting in enumerate(self._queue):
            # Only who has something to do: waking a thousand to go on waiting costs a turn of the loop each time.
            if place == 0 or not (self.reached or self.budget.may_fit_later(waiting.worst)):
                waiting.news.set()

    def _why_not(self, worst: Decimal) -> str:
        if self.budget.may_fit_later(worst):
            return f"is not sent any more: the budget of {figures.usd(self.limit)} was reached and is not raised"
        return self.budget.refusal(worst)

    def _refusal(self, why: str) -> OverBudget:
        self.refused += 1
        self._on_refused(why)
        return OverBudget(why)
