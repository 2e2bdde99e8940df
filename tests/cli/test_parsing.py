"""Values of flags, one at a time."""

import argparse

import pytest

from tui.cli.parsing import Parser, duration, number, report, shown, whole
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
    assert raised.value.what == 'expected a whole number of 1 or more, got "x"'
    with pytest.raises(UsageError) as raised:
        parser.parse_args(["--num", "3"])
    assert raised.value.where == "weir load"


def test_a_usage_error_is_drawn_as_two_clean_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(UsageError("--x", "is\n\x1b[2Jodd", "leave\n it")) == 2
    assert capsys.readouterr().err == "error: --x: is �[2Jodd\nhint: leave it\n"


def a_parser() -> Parser:
    parser = Parser(prog="weir x")
    parser.add_argument("RUN")
    parser.add_argument("--seed", type=int, metavar="N", default=7, help="fixes the order (default: %(default)s)")
    parser.add_argument("--jitter", type=float)
    parser.add_argument("--ui", choices=("plain", "none"), help="how it is shown")
    parser.add_argument("--json", action="store_true", help="50 %% shorter")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--requests", type=whole(1))
    length.add_argument("--duration", type=duration)
    return parser


@pytest.mark.parametrize(
    ("arguments", "where", "what", "hint"),
    [
        (["r", "--seed", "x"], "--seed", 'expected a whole number, got "x"', "--seed N – fixes the order (default: 7)"),
        (["r", "--jitter", "x"], "--jitter", 'expected a number, got "x"', "see weir x --help"),
        (["r", "--ui", "x"], "--ui", 'expected one of plain, none, got "x"', "--ui – how it is shown; see weir x"),
        (["r", "--seed"], "--seed", "needs a value, and none was given", "--seed N"),
        (["r", "--json=x"], "--json", 'takes no value, got "x"', "--json – 50 % shorter"),
        (["r", "--requests", "1", "--duration", "1"], "--duration", "cannot be used with --requests", "see weir x"),
        ([], "RUN", "is missing", "see weir x --help"),
    ],
)
def test_what_argparse_says_is_said_in_our_words_with_the_value_and_what_the_flag_is_for(
    arguments: list[str], where: str, what: str, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        a_parser().parse_args(arguments)
    assert (raised.value.where, raised.value.what) == (where, what)
    assert raised.value.hint.startswith(hint)


def test_a_seed_is_any_whole_number_that_people_write() -> None:
    assert [whole(None)(text) for text in ("-5", "0", "12")] == [-5, 0, 12]
    for text in ("x", "1.5", "9" * 40, "-" + "9" * 40):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number"):
            whole(None)(text)


def test_a_long_or_odd_value_is_repeated_short_and_clean() -> None:
    assert shown("x" * 5000) == f'"{"x" * 60}…"'
    assert shown("1\x1b[2J") == '"1�[2J"'
