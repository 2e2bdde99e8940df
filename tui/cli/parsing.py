"""Command lines to values: parsers whose errors name the flag and the value, say what is wrong and give a hint.

A hint is what the flag is for, out of its own help, so that every flag has one and none can be forgotten.
"""

import argparse
import math
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from tui.core.durations import parse_duration
from tui.core.errors import UsageError
from tui.core.untrusted import clean_line

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_CONDITION, EXIT_BUDGET, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130

_SHOWN_CHARS = 60
"""Of a value that is repeated in an error."""
_NO_NUMBER = re.compile(r"invalid (int|float) value: (.*)", re.DOTALL)
_NO_CHOICE = re.compile(r"invalid choice: (.*) \(choose from (.*)\)", re.DOTALL)
_MISSING = "the following arguments are required: "
_OTHER_WORDS = {
    "expected one argument": "needs a value, and none was given",
    "expected at least one argument": "needs a value, and none was given",
}
"""argparse's own texts, in ours."""

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
        hint = f"see {self.prog} --help"
        if message.startswith(_MISSING):
            raise UsageError(clean_line(message.removeprefix(_MISSING)), "is missing", hint)
        where, colon, what = message.partition(": ")
        if not (colon and where.startswith("argument ")):
            raise UsageError(self.prog, clean_line(message), hint)
        name = where.removeprefix("argument ")
        argument = self._named(name)
        raise UsageError(name, clean_line(_in_our_words(what, argument)), f"{_purpose(argument, self.prog)}{hint}")

    def _named(self, name: str) -> argparse.Action | None:
        """The argument that argparse calls so: `-m/--model`, or a positional one's metavar."""
        flag = self._option_string_actions.get(name.partition("/")[0])
        places = (each for each in self._actions if not each.option_strings and name in (each.metavar, each.dest))
        return flag if flag is not None else next(places, None)


def _in_our_words(what: str, argument: argparse.Action | None) -> str:
    if (match := _NO_NUMBER.fullmatch(what)) is not None:
        kind = "whole number" if match[1] == "int" else "number"
        return f"expected a {kind}, got {_unquoted(match[2])}"
    if (match := _NO_CHOICE.fullmatch(what)) is not None:
        choices = match[2] if argument is None or argument.choices is None else ", ".join(map(str, argument.choices))
        return f"expected one of {choices}, got {_unquoted(match[1])}"
    if what.startswith("ignored explicit argument "):
        return f"takes no value, got {_unquoted(what.removeprefix('ignored explicit argument '))}"
    if what.startswith("not allowed with argument "):
        return f"cannot be used with {what.removeprefix('not allowed with argument ')}"
    return _OTHER_WORDS.get(what, what)


def _unquoted(literal: str) -> str:
    """A value as we quote it, from Python's way of writing it."""
    return shown(literal[1:-1] if literal[:1] in "'\"" else literal)


def _purpose(argument: argparse.Action | None, prog: str) -> str:
    """`--rpm N – most attempts in any 60 s (default: no limit); `, and nothing for what has no help text."""
    if argument is None or argument.help is None or not argument.option_strings:
        return ""
    metavar = f" {argument.metavar}" if isinstance(argument.metavar, str) else ""
    return f"{argument.option_strings[-1]}{metavar} – {argument.help % {**vars(argument), 'prog': prog}}; "


def shown(value: str) -> str:
    """A value from the command line as an error repeats it: in quotes, clean, and not for ever."""
    cut = f"{value[:_SHOWN_CHARS]}…" if len(value) > _SHOWN_CHARS else value
    return f'"{clean_line(cut)}"'


def report(error: UsageError) -> int:
    """Print a usage error as two lines; its exit code."""
    sys.stderr.write(f"error: {clean_line(str(error))}\nhint: {clean_line(error.hint)}\n")
    return EXIT_USAGE


def whole(least: int | None) -> Callable[[str], int]:
    """A whole number of at least `least`; None: any, as a seed is."""
    wanted = "a whole number" if least is None else f"a whole number of {least} or more"

    def parse(text: str) -> int:
        value: int | None = None
        with suppress(ValueError):
            value = int(text)
        if value is None or (least is not None and value < least) or not text.strip().isascii():
            raise argparse.ArgumentTypeError(f"expected {wanted}, got {shown(text)}")
        if abs(value) > LARGEST_NUMBER:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at most {LARGEST_NUMBER:,}, got {shown(text)}"
            )
        return value

    return parse


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, got {shown(text)}")
    return value


def duration(text: str) -> float:
    """A duration above zero, in seconds."""
    try:
        value = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(clean_line(str(error))) from error
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a duration above 0, got {shown(text)}")
    if value > LONGEST_DURATION_S:
        raise argparse.ArgumentTypeError(f"expected a duration of at most a year, got {shown(text)}")
    return value
