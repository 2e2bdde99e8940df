"""Figures of foreign files: what they should be, or absent."""

import pytest

from tui.core.lookup import number_at, text_at, value_at, whole_at


@pytest.mark.parametrize("value", [None, True, "x", "", [], {}, float("nan"), float("inf"), "nan", 10**400, 1e300])
def test_what_is_no_sane_number_is_absent(value: object) -> None:
    assert number_at({"a": value}, "a") is None
    assert whole_at({"a": value}, "a") is None


def test_a_number_may_be_nested_or_written_as_a_string() -> None:
    assert number_at({"a": {"b": 1.5}}, "a", "b") == 1.5
    assert number_at({"a": "0.0771"}, "a") == 0.0771
    assert whole_at({"a": 3.9}, "a") == 3


@pytest.mark.parametrize("values", [None, 3, [], {"a": 3}, {"a": [1]}])
def test_a_path_through_something_else_ends_in_nothing(values: object) -> None:
    assert value_at(values, "a", "b") is None


def test_a_text_is_clean_and_on_one_line() -> None:
    assert text_at({"a": "x\x1b[31m\n y"}, "a") == "x�[31m y"
    assert text_at({"a": " \n"}, "a") is None
    assert text_at({"a": 3}, "a") is None
