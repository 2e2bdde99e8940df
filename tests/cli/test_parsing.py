"""Values of flags, one at a time."""

import argparse

import pytest

from tui.cli.parsing import Parser, duration, number, report, whole
from tui.core.errors import UsageError


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("250", 250), (" 7 ", 7), ("1_000", 1000)])
def test_whole_numbers(text: str, value: int) -> None:
    assert whole(1)(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "1e3", "٣", "x", "9" * 40, "9" * 5000])
def test_what_is_no_whole_number_of_one_or_more(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number"):
        whole(1)(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "", "x", "1\x1b"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        number(text)
    assert "\x1b" not in str(raised.value)


def test_numbers_and_durations() -> None:
    assert number("-0.5") == -0.5
    assert duration("300ms") == pytest.approx(0.3)
    assert duration("2m") == 120.0
    assert duration("5") == 5.0


@pytest.mark.parametrize("text", ["0", "0ms", "-1s", "1 week", "", "9000h", "1e5"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="duration"):
        duration(text)


def test_argparse_errors_become_usage_errors_that_name_the_flag() -> None:
    parser = Parser(prog="weir load")
    parser.add_argument("-n", "--number", type=whole(1))
    with pytest.raises(UsageError) as raised:
        parser.parse_args(["--number", "x"])
    assert (raised.value.where, raised.value.hint) == ("-n/--number", "see weir load --help")
    with pytest.raises(UsageError) as raised:
        parser.parse_args(["--num", "3"])
    assert raised.value.where == "weir load"


def test_a_usage_error_is_drawn_as_two_clean_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(UsageError("--x", "is\n\x1b[2Jodd", "leave\n it")) == 2
    assert capsys.readouterr().err == "error: --x: is �[2Jodd\nhint: leave it\n"
