"""Columns come in by rank as a terminal grows, stand apart, and carry the mark of the order."""

from itertools import pairwise

import pytest

from tui.core import ordering
from tui.dashboard.table_columns import COLUMNS, Layout, head_strip, lay_out
from tui.dashboard.theme import COLOUR

ORDERS = [column.order for column in COLUMNS]


def layout(width: int = 160, order: str = "id", several: bool = True) -> Layout:
    return lay_out(width, 400, 11, several, order)


def shown(width: int, order: str = "id", several: bool = True) -> list[str]:
    return [place.column.order for place in layout(width, order, several).places]


def test_every_column_can_be_sorted_by_the_engine_and_none_is_missing() -> None:
    assert sorted(column.order for column in COLUMNS) == sorted(ordering.COLUMNS)


def test_columns_come_in_by_rank() -> None:
    assert shown(30) == ["id", "state", "status", "ttft"]
    assert shown(79, several=False) == ["id", "state", "status", "ttft", "tok/s", "tokens", "cost", "total", "prompt"]
    assert shown(160) == [column.order for column in COLUMNS]
    assert not layout(79).words
    assert layout(119).words


def test_an_only_model_has_a_column_when_nothing_else_wants_its_place() -> None:
    assert "model" in shown(119, several=True)
    assert "model" not in shown(119, several=False)
    assert "model" in shown(160, several=False)


@pytest.mark.parametrize("order", ORDERS)
def test_the_column_that_is_sorted_by_is_always_there(order: str) -> None:
    assert order in shown(79, order)
    head = head_strip(layout(79, order), order, True, COLOUR.style)
    lit = [part.text for part in head if part.style == COLOUR.style("accent", "title", True)]
    assert len(lit) == 1
    assert "▼" in lit[0]
    assert "▲" in head_strip(layout(79, order), order, False, COLOUR.style).text


@pytest.mark.parametrize("order", ORDERS)
def test_no_head_is_ever_cut(order: str) -> None:
    heads = {column.head for column in COLUMNS}
    for width in range(24, 200):
        head = head_strip(layout(width, order), order, True, COLOUR.style).text
        assert set(head.replace("▼", " ").split()) <= heads
        assert head.count("▼") == 1


@pytest.mark.parametrize("order", ORDERS)
def test_columns_stand_apart_and_inside_their_row(order: str) -> None:
    for width in range(20, 300):
        places = layout(width, order).places
        assert all(before.end < after.start for before, after in pairwise(places))
        assert places[-1].end <= width - 1


def test_a_cell_belongs_to_the_column_that_ends_next() -> None:
    places = layout()
    ttft = next(place for place in places.places if place.column.head == "TTFT")
    assert [places.column_at(x) for x in (ttft.start - 1, ttft.start, ttft.end - 1)] == [ttft.column] * 3
    assert places.column_at(ttft.end) != ttft.column
    assert places.column_at(places.width) is None
