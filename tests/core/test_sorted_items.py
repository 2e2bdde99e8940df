"""Blocks of items behave as one sorted list would."""

import random

from tui.core.sorted_items import BLOCK, Both, Item, SortedItems


def some(n: int, seed: int) -> list[Item]:
    chance = random.Random(seed)
    return [(chance.randrange(n // 3 + 1), number) for number in range(n)]


def kept(items: list[Item]) -> SortedItems:
    blocks = SortedItems()
    for item in items:
        blocks.add(item)
    return blocks


def test_nothing_is_an_empty_list() -> None:
    blocks = SortedItems()
    assert (len(blocks), blocks.window(0, 10), blocks.below((1, 1))) == (0, [], 0)


def test_items_added_in_any_order_come_out_in_order() -> None:
    items = some(5 * BLOCK, 1)
    blocks = kept(items)
    items.sort()
    assert len(blocks) == len(items)
    assert blocks.window(0, len(items)) == items
    for first in (0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 7, 5 * BLOCK - 3, 5 * BLOCK):
        assert blocks.window(first, 40) == items[first : first + 40]


def test_below_counts_the_smaller_ones() -> None:
    items = some(3 * BLOCK, 2)
    blocks = kept(items)
    for item in [*items[::97], (-1, 0), (10**9, 0)]:
        assert blocks.below(item) == sum(each < item for each in items)


def test_removed_items_are_gone_and_empty_blocks_with_them() -> None:
    items = some(3 * BLOCK, 3)
    blocks = kept(items)
    random.Random(4).shuffle(items)
    for item in items[200:]:
        blocks.remove(item)
    assert blocks.window(0, 1_000) == sorted(items[:200])
    for item in items[:200]:
        blocks.remove(item)
    assert len(blocks) == 0
    blocks.add((1, 1))
    assert blocks.window(0, 5) == [(1, 1)]


def test_a_long_and_a_short_collection_are_seen_as_one() -> None:
    items = some(2 * BLOCK + 50, 5)
    both = Both(kept(items[50:]), items[:50])
    items.sort()
    assert len(both) == len(items)
    for first in range(0, len(items), 31):
        assert both.window(first, 64) == items[first : first + 64]
