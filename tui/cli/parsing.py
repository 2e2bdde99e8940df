"""Command lines to values: parsers whose errors name the flag, say what is wrong and give a hint."""

import argparse
import math
import sys
from collections.abc import Callable
from typing import NoReturn

from tui.core.durations import parse_duration
from tui.core.errors import UsageError
from tui.core.untrusted import clean_line

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_CONDITION, EXIT_BUDGET, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130

LARGEST_NUMBER = 10**12
LONGEST_DURATION_S = 366 * 24 * 3600.0
"""More is a slip of the finger, and would not fit into the 64 bits of a picture's figures."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors as UsageError and help that keeps its line breaks."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # handed through as they came

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; `main` prints it."""
        where, colon, what = message.partition(": ")
        if not (colon and where.startswith("argument ")):
            where, what = self.prog, message
        raise UsageError(where.removeprefix("argument "), clean_line(what), f"see {self.prog} --help")


def report(error: UsageError) -> int:
    """Print a usage error as two lines; its exit code."""
    sys.stderr.write(f"error: {clean_line(str(error))}\nhint: {clean_line(error.hint)}\n")
    return EXIT_USAGE


def whole(least: int) -> Callable[[str], int]:
    """A whole number of at least `least`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or not text.strip().isascii():
            raise argparse.ArgumentTypeError(f'expected a whole number of {least} or more, got "{clean_line(text)}"')
        if value > LARGEST_NUMBER:
            raise argparse.ArgumentTypeError(f"expected a whole number of at most {LARGEST_NUMBER:,}")
        return value

    return parse


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'expected a number, got "{clean_line(text)}"')
    return value


def duration(text: str) -> float:
    """A duration above zero, in seconds."""
    try:
        value = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(clean_line(str(error))) from error
    if value <= 0:
        raise argparse.ArgumentTypeError(f'expected a duration above 0, got "{clean_line(text)}"')
    if value > LONGEST_DURATION_S:
        raise argparse.ArgumentTypeError("expected a duration of at most a year")
    return value
