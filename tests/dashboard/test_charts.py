"""Bars and sparklines keep to their width whatever the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.dashboard.charts import bar, shares, sparkline


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e9)), max_size=70), st.integers(0, 80))
def test_a_sparkline_is_as_wide_as_asked(values: list[float | None], width: int) -> None:
    assert len(sparkline(values, width)) == width


def test_a_sparkline_tells_nought_from_nothing() -> None:
    assert sparkline([None, 0, 4, 8], 4) == " ▁▅█"


def test_a_sparkline_that_has_too_many_values_averages_them() -> None:
    assert sparkline([9, 0, 0, 8, 8], 3) == "█▁▇"


@given(st.floats(-5, 500), st.floats(0, 400), st.integers(0, 50))
def test_a_bar_is_as_wide_as_asked(part: float, whole: float, width: int) -> None:
    filled, empty = bar(part, whole, width)
    assert len(filled) + len(empty) == width


@pytest.mark.parametrize(
    ("part", "filled"), [(0, ""), (1, "▏"), (50, "█████"), (56, "█████▋"), (100, "█" * 10), (150, "█" * 10)]
)
def test_a_bar_grows_by_eighths(part: float, filled: str) -> None:
    assert bar(part, 100, 10)[0] == filled


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=6), st.integers(6, 80))
def test_shares_fill_the_width_and_leave_nobody_out(parts: list[int], width: int) -> None:
    sizes = shares(parts, width)
    assert sum(sizes) == (width if sum(parts) else 0)
    assert all((size > 0) == (part > 0) for size, part in zip(sizes, parts, strict=True))
