"""One run for each value: what people type, and what is said when it cannot be read."""

import pytest

from tui.core.sweep import Sweep, parse_sweep


@pytest.mark.parametrize(
    ("text", "sweep"),
    [
        ("concurrency=1,2,4,8", Sweep("concurrency", (1, 2, 4, 8))),
        ("rpm=60,120,240", Sweep("rpm", (60, 120, 240))),
        ("rpm=60", Sweep("rpm", (60,))),
        (" rpm = 240, 60 ,60 ", Sweep("rpm", (240, 60, 60))),
    ],
)
def test_values_keep_the_order_in_which_they_were_given(text: str, sweep: Sweep) -> None:
    assert parse_sweep(text) == sweep


@pytest.mark.parametrize("text", ["", "1,2,4", "rpm", "tpm=1,2", "RPM=1", "rpm:1,2", "=1"])
def test_another_setting_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected concurrency=N,N,… or rpm=N,N,…") as error:
        parse_sweep(text)
    assert f'"{text}"' in str(error.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rpm=", ""), ("rpm=60,", ""), ("rpm=60,,120", ""), ("rpm=0", "0"), ("rpm=-1", "-1"), ("rpm=1.5", "1.5"),
        ("rpm=1e3", "1e3"), ("rpm=1_000", "1_000"), ("rpm=٣", "٣"), ("rpm=60;120", "60;120"), ("rpm=1=2", "1=2"),
        ("concurrency=1,two", "two"), ("rpm=" + "9" * 13, "9" * 13), ("rpm=" + "9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_a_value_that_is_no_whole_number_of_one_or_more_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=r"whole number from 1 to 1,000,000,000,000") as error:
        parse_sweep(text)
    assert f'got "{named}" in "{text}"' in str(error.value)
