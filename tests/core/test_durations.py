"""Durations as people type them."""

import pytest

from tui.core.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300ms", 0.3), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0), ("7", 7.0), ("0", 0.0), (" 5 s ", 5.0),
        (".5s", 0.5), ("2.", 2.0), ("10us", 1e-5), ("10µs", 1e-5), ("3ns", 3e-9),
    ],
)  # fmt: skip
def test_a_number_and_a_unit_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1d", "1 2s", "1e3", "nan", "inf", "1_000", "٣s", "1s2", "9" * 400])
def test_anything_else_is_an_error_that_says_what_was_given(text: str) -> None:
    with pytest.raises(ValueError, match="expected a") as error:
        parse_duration(text)
    assert f'"{text}"' in str(error.value)
