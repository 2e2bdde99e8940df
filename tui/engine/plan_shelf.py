"""Plans of calls that somebody may want again: to look at the request, or to do the call once more. Bounded."""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from tui.core.calls import CallPlan

BUDGET_BYTES = 64 << 20
"""Of memory for requests that are kept in all. A text that many plans share is there once, and counts once."""
PLAN_BYTES = 900
"""What a plan counts besides its texts: its objects take about so many."""


class PlanShelf:
    """Plans by call; beyond the budget the oldest of those that ended well go first, then the oldest of all."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget = budget_bytes
        self._bytes = 0
        self._held: dict[int, tuple[int, int]] = {}
        """By the identity of a text: how often the plans that are kept hold it, and the bytes that it counts.

        A text takes more memory once it was encoded, so what it counted is what is given back."""
        # Not plain dicts: the first key of one whose first keys keep going is found in ever longer searches.
        self._done: OrderedDict[int, CallPlan] = OrderedDict()
        self._others: OrderedDict[int, CallPlan] = OrderedDict()

    def keep(self, plan: CallPlan) -> None:
        """Keep the plan of a call that begins; it is there at least until the next one comes."""
        self._others[plan.id] = plan
        self._bytes += PLAN_BYTES
        for text in _texts((plan.messages, plan.params)):
            holders, size = self._held.get(id(text)) or (0, sys.getsizeof(text))
            self._held[id(text)] = (holders + 1, size)
            if not holders:
                self._bytes += size
        while self._bytes > self._budget and len(self._done) + len(self._others) > 1:
            self._drop_oldest()

    def ended_well(self, call: int) -> None:
        """Nobody will want the call to be done again."""
        if (plan := self._others.pop(call, None)) is not None:
            self._done[call] = plan

    def get(self, call: int) -> CallPlan | None:
        """The plan; None when it is gone."""
        return self._others.get(call) or self._done.get(call)

    def _drop_oldest(self) -> None:
        _, plan = (self._done or self._others).popitem(last=False)
        self._bytes -= PLAN_BYTES
        for text in _texts((plan.messages, plan.params)):
            holders, size = self._held.pop(id(text))
            if holders > 1:
                self._held[id(text)] = (holders - 1, size)
            else:
                self._bytes -= size


def _texts(value: Any) -> Iterator[str]:
    """The strings in what a request is made of."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
