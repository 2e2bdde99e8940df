"""Many items kept in order, in blocks, so that one more costs microseconds however many there are.

Measured with 100,000 items: `bisect.insort` into one list takes 17 µs an item, sorting 2,000 more into it 14 ms.
"""

from bisect import bisect_left, insort
from itertools import accumulate
from typing import Any

BLOCK = 1_000

Item = tuple[Any, ...]
"""What it is sorted by, and the call's number last; no two are equal."""


class SortedItems:
    """Items in ascending order."""

    def __init__(self) -> None:
        self._blocks: list[list[Item]] = []
        self._last_of: list[Item] = []
        self._starts: list[int] | None = None
        """How many items are before each block, and in all; None: not counted since something changed."""

    def __len__(self) -> int:
        return self._counted()[-1]

    def add(self, item: Item) -> None:
        """One more."""
        self._starts = None
        if not self._blocks:
            self._blocks.append([item])
            self._last_of.append(item)
            return
        at = min(bisect_left(self._last_of, item), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, item)
        if len(block) > 2 * BLOCK:
            self._blocks[at : at + 1] = [block[:BLOCK], block[BLOCK:]]
            self._last_of[at : at + 1] = [block[BLOCK - 1], block[-1]]
        else:
            self._last_of[at] = block[-1]

    def remove(self, item: Item) -> None:
        """One less; it must be there."""
        self._starts = None
        at = bisect_left(self._last_of, item)
        block = self._blocks[at]
        found = block.pop(bisect_left(block, item))
        assert found == item, "an item was removed that is not there"
        if block:
            self._last_of[at] = block[-1]
        else:
            del self._blocks[at], self._last_of[at]

    def below(self, item: Item) -> int:
        """How many are smaller."""
        at = bisect_left(self._last_of, item)
        before = self._counted()[at]
        return before + bisect_left(self._blocks[at], item) if at < len(self._blocks) else before

    def window(self, first: int, count: int) -> list[Item]:
        """The items at the places `first` to `first + count`, as far as there are any."""
        starts = self._counted()
        end = min(first + count, starts[-1])
        taken: list[Item] = []
        at = bisect_left(starts, first + 1) - 1
        while at < len(self._blocks) and starts[at] < end:
            taken += self._blocks[at][max(0, first - starts[at]) : end - starts[at]]
            at += 1
        return taken

    def _counted(self) -> list[int]:
        if self._starts is None:
            self._starts = list(accumulate(map(len, self._blocks), initial=0))
        return self._starts


class Both:
    """A long and a short collection of items, seen as one in ascending order without copying the long one.

    Valid until either of them changes.
    """

    def __init__(self, long: SortedItems, short: list[Item]) -> None:
        self._long = long
        self._short = sorted(short)
        self._places = [long.below(item) + index for index, item in enumerate(self._short)]

    def __len__(self) -> int:
        return len(self._long) + len(self._short)

    def window(self, first: int, count: int) -> list[Item]:
        """The items at the places `first` to `first + count`, as far as there are any."""
        low, high = bisect_left(self._places, first), bisect_left(self._places, first + count)
        return sorted(self._long.window(first - low, count - (high - low)) + self._short[low:high])
