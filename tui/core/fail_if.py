"""Conditions under which a run counts as failed, such as `ttft_s.p95>0.5`, held against its summary.

For a gate in CI, which must not open because nothing was measured: an absent figure fails. Compares one number of
the summary with one number that was typed; knows no arithmetic. Figures are compared, and shown, as summary.json
writes them: 0.1 is not above 0.1, though the float that it stands for is.
"""

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from tui.core.clock import NS_PER_S
from tui.core.histogram import Histogram
from tui.core.ledger import Ledger
from tui.core.objectives import Goodput, Objectives
from tui.core.picture import RunCard
from tui.core.summary import summary
from tui.core.untrusted import clean_line

MAX_CHARS = 200

_OPERATORS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_FORM = re.compile(r"\s*([^\s<>=!]+)\s*([<>=!]+)\s*(.*?)\s*", re.DOTALL)
# Twelve digits on either side are more than any figure has; an exponent, because floats are written with one.
_NUMBER = re.compile(r"-?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})([eE][+-]?\d{1,2})?", re.ASCII)
_HINT = 'write it as "ttft_s.p95>0.5"'

_COUNTERS = ("finish_reasons",)
"""Objects that have a key only for what happened; what did not, happened 0 times."""
_DECIMALS = frozenset({"cost_usd"})
"""Numbers that the summary writes as strings, so that no reader rounds them."""
_NO_FIGURES = frozenset({"schema", "tokens.source", "goodput"})
"""What looks like a number, or might be one, and tells nothing of the run."""


class ConditionError(ValueError):
    """A condition that cannot be read, or that no summary could answer. The message says what to write."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a condition."""

    failed: bool
    """It holds, so the run has failed; also when nothing was measured."""
    shown: str
    """For people: `ttft_s.p95 = 0.612 > 0.5`, `calls.failed = 0, not > 0`, `tpot_s.p95 was not measured`."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. The run has failed when it holds."""

    path: str
    """Keys of the summary with dots between them."""
    operator: str
    limit: Decimal

    def check(self, summary: Mapping[str, Any]) -> Verdict:
        """Hold it against a summary; ConditionError when the path leads to no number there.

        Without a single ended call nothing was measured, and a count of 0 failures proves nothing.
        """
        value = _look_up(summary, self.path)
        if value is None or _no_call_ended(summary):
            return Verdict(True, f"{self.path} was not measured")
        number = _as_written(value, self.path)
        if number is None:
            raise _unknown(self.path, list(_leaves(summary)))
        if not number.is_finite():
            return Verdict(True, f"{self.path} = {value}, which is no number")
        holds = _OPERATORS[self.operator](number, self.limit)
        return Verdict(holds, f"{self.path} = {value}{'' if holds else ', not'} {self.operator} {self.limit}")

    def __str__(self) -> str:
        return f"{self.path} {self.operator} {self.limit}"


def parse_condition(text: str, known: Collection[str] | None = None) -> Condition:
    """The condition that `text` spells; ConditionError says what is wrong.

    With `known` (see `known_paths`) a path that is not among them is refused here, before a run is paid for.
    """
    if len(text) > MAX_CHARS:
        raise ConditionError(f"a condition of more than {MAX_CHARS} characters; {_HINT}")
    match = _FORM.fullmatch(text)
    shown = clean_line(text)
    if match is None:
        raise ConditionError(f'expected a path, a comparison and a number, got "{shown}"; {_HINT}')
    path, compared, limit = match.groups()
    if compared not in _OPERATORS:
        raise ConditionError(f'"{clean_line(compared)}" is none of {" ".join(_OPERATORS)}')
    if _NUMBER.fullmatch(limit) is None:
        raise ConditionError(
            f'expected a number without a unit, got "{clean_line(limit)}"; durations are in seconds, shares are 0 to 1'
        )
    if clean_line(path) != path:
        raise ConditionError(f'"{shown}" has a path that no summary has')
    if known is not None and not _is_known(path, known):
        raise _unknown(path, known)
    return Condition(path, compared, Decimal(limit))


def known_paths(objectives: Objectives | None = None) -> list[str]:
    """Every path that leads to a number in a run's summary; `goodput.…` only when objectives are stated.

    Read off the summary of a run in which everything was measured once, so that what is added there is known here.
    """
    ledger = Ledger(None if objectives is None else Goodput(objectives))
    for part in vars(ledger).values():
        if isinstance(part, Histogram):
            part.record(1)
    ledger.measured_from = 0
    whole = summary(ledger, RunCard("", "", ""), NS_PER_S)
    return [path for path in _leaves(whole) if path not in _NO_FIGURES]


def _is_known(path: str, known: Collection[str]) -> bool:
    return path in known or any(path.startswith(f"{counter}.") for counter in _COUNTERS)


def _unknown(path: str, known: Collection[str]) -> ConditionError:
    if path.partition(".")[0] == "goodput" and not any(each.startswith("goodput.") for each in known):
        return ConditionError(f'"{path}" needs objectives; state them with --goodput "ttft:500 tpot:50"')
    inside = [each for each in known if each.startswith(f"{path}.")]
    near = inside or get_close_matches(path, known, n=4, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "such as ttft_s.p95, calls.failed, http_429 or wall_s"
    return ConditionError(f'"{path}" is no number of the summary; {hint}')


def _look_up(summary: Mapping[str, Any], path: str) -> object:
    """The value at a path; None when it, or the distribution that it is a part of, was not measured."""
    counter, _, what = path.partition(".")
    if counter in _COUNTERS and isinstance(counts := summary.get(counter), Mapping):
        return counts.get(what, 0)  # `what` is the server's own word, and may hold dots
    value: object = summary
    for key in path.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping) or key not in value:
            raise _unknown(path, list(_leaves(summary)))
        value = value[key]
    return value


def _as_written(value: object, path: str) -> Decimal | None:
    """A figure as JSON writes it; None for what is no number."""
    if isinstance(value, str) and path in _DECIMALS:
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(repr(value))


def _no_call_ended(summary: Mapping[str, Any]) -> bool:
    calls = summary.get("calls")
    return isinstance(calls, Mapping) and calls.get("total") == 0


def _leaves(part: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The paths of all numbers, and of what might be one had it been measured."""
    for key, value in part.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}.")
        elif value is None or _as_written(value, path) is not None:
            yield path
