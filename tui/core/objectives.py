"""Service-level objectives as people state them, `ttft:500 tpot:50 e2e:3000`, and the goodput they make.

Goodput counts calls that met every stated objective among all ended calls, so that an answer which never came lowers
it. Reads no clock; formats nothing but the objectives' own names.

The form, and the bare number in milliseconds, are those of `--goodput` in vLLM's and GenAI-Perf's benchmarks.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tui.core import figures
from tui.core.calls import State
from tui.core.clock import NS_PER_S, nanoseconds
from tui.core.durations import parse_duration
from tui.core.entries import CallEntry
from tui.core.ledger import tpot_ns
from tui.core.untrusted import clean_line

MAX_CHARS = 500
LONGEST_S = 24 * 3600.0
"""A longer one is a slip of the finger: no call takes so long, so it could never be missed."""

_BARE_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)
_HINT = 'write it as "ttft:500 tpot:50 e2e:3s"; a number without a unit is in milliseconds'


class ObjectiveError(ValueError):
    """Objectives that cannot be read. The message says what is wrong and how to write it."""


def _ttft(call: CallEntry) -> int | None:
    return call.ttft_ns


def _server_ttft(call: CallEntry) -> int | None:
    attempt = call.delivering
    if attempt is None or attempt.first_token_at is None or attempt.written_at is None:
        return None
    return attempt.first_token_at - attempt.written_at


def _user_ttft(call: CallEntry) -> int | None:
    attempt = call.delivering
    return None if attempt is None or attempt.first_token_at is None else attempt.first_token_at - call.due_at


def _queue(call: CallEntry) -> int | None:
    return None if call.admitted_at is None else call.admitted_at - call.due_at


def _tpot(call: CallEntry) -> float | None:
    return None if call.delivering is None else tpot_ns(call.delivering)


def _e2e(call: CallEntry) -> int | None:
    attempt = call.delivering
    return None if attempt is None or attempt.ended_at is None else attempt.ended_at - attempt.sent_at


def _total(call: CallEntry) -> int | None:
    return None if call.ended_at is None else call.ended_at - call.due_at


_FIGURES: dict[str, Callable[[CallEntry], int | float | None]] = {
    "ttft": _ttft,
    "tpot": _tpot,
    "e2e": _e2e,
    "user_ttft": _user_ttft,
    "server_ttft": _server_ttft,
    "queue": _queue,
    "total": _total,
}
"""What can be an objective, in nanoseconds of one call; None where the call has no such figure."""

_ALIASES = {"e2el": "e2e"}
"""vLLM's word."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The most that one figure of a call may be."""

    name: str
    """`ttft`, `tpot`, `e2e`, `user_ttft`, `server_ttft`, `queue` or `total`."""
    most_ns: int
    """A call at exactly this value has met it."""

    def met(self, call: CallEntry) -> bool:
        """Whether the call kept to it. A figure that the call does not have cannot have been too long.

        An answer of one token has no time between tokens, one whose text came in a single read shows none, and a
        filtered one has no first token. To fail them would say that short answers are slow; vLLM passes them too.
        """
        figure = _FIGURES[self.name](call)
        return figure is None or figure <= self.most_ns

    def __str__(self) -> str:
        return f"{self.name} ≤ {figures.ms(self.most_ns)}"


@dataclass(frozen=True, slots=True)
class Objectives:
    """All that was stated; a call must meet every one."""

    each: tuple[Objective, ...]
    """In the order in which they were typed, each figure once."""

    def met(self, call: CallEntry) -> bool:
        """Whether an ended call is done and met every objective. No other ending delivered what was asked for."""
        return call.state is State.DONE and all(objective.met(call) for objective in self.each)

    def missed(self, call: CallEntry) -> list[str]:
        """The names of the objectives that a done call did not meet."""
        return [objective.name for objective in self.each if not objective.met(call)]

    @classmethod
    def from_ns(cls, plain: Any) -> "Objectives | None":
        """Those that a journal holds, nanoseconds by name; None: none. ObjectiveError when it is something else."""
        if plain is None:
            return None
        if not isinstance(plain, dict) or not plain:
            raise ObjectiveError("objectives are no figures by name")
        for name, most_ns in plain.items():
            if name not in _FIGURES or type(most_ns) is not int or most_ns < 1:
                raise ObjectiveError(f'"{clean_line(str(name)[:60])}" is no objective with its nanoseconds')
        return cls(tuple(Objective(name, most_ns) for name, most_ns in plain.items()))

    def __str__(self) -> str:
        return ", ".join(map(str, self.each))


def parse_goodput(text: str) -> Objectives:
    """The objectives in `text`: `name:duration`, between blanks or commas. ObjectiveError when it is something else.

    A bare number is milliseconds; units are those of core/durations.py.
    """
    if len(text) > MAX_CHARS:
        raise ObjectiveError(f"objectives of more than {MAX_CHARS} characters; {_HINT}")
    stated: dict[str, Objective] = {}
    for term in text.replace(",", " ").split():
        objective = _parse(term)
        if objective.name in stated:
            raise ObjectiveError(f'"{objective.name}" is stated twice; {_HINT}')
        stated[objective.name] = objective
    if not stated:
        raise ObjectiveError(f"no objective is stated; {_HINT}")
    return Objectives(tuple(stated.values()))


def _parse(term: str) -> Objective:
    name, colon, value = term.partition(":")
    name = _ALIASES.get(name.lower(), name.lower())
    shown = clean_line(term[:60])
    if not colon:
        raise ObjectiveError(f'expected name:duration, got "{shown}"; {_HINT}')
    if name not in _FIGURES:
        raise ObjectiveError(f'"{shown}" names no objective; the names are {", ".join(_FIGURES)}')
    try:
        seconds = parse_duration(f"{value}ms" if _BARE_NUMBER.fullmatch(value) else value)
    except ValueError:
        raise ObjectiveError(f'expected a duration in "{shown}"; {_HINT}') from None
    if seconds > LONGEST_S:
        raise ObjectiveError(f'"{shown}" is more than a day; {_HINT}')
    most_ns = nanoseconds(seconds)
    if most_ns < 1:
        raise ObjectiveError(f'"{shown}" is not above 0; {_HINT}')
    return Objective(name, most_ns)


class Goodput:
    """Counts ended calls that met all objectives, one at a time. Warm-up calls are in none of it."""

    def __init__(self, objectives: Objectives) -> None:
        self.objectives = objectives
        self.ended = 0
        """Measured calls that ended, in whatever state: a share of the answered ones alone would rise with failures."""
        self.met = 0
        self.not_done = 0
        """Ended without their answer: failed, broken, cancelled or refused."""
        self.missed: dict[str, int] = {objective.name: 0 for objective in objectives.each}
        """Done calls by the objective that they did not meet; one that missed two counts at both."""

    def add(self, call: CallEntry) -> None:
        """Count a call, once, when it has ended and its tokens are known."""
        if call.warmup:
            return
        self.ended += 1
        if call.state is not State.DONE:
            self.not_done += 1
            return
        missed = self.objectives.missed(call)
        for name in missed:
            self.missed[name] += 1
        self.met += not missed

    @property
    def share(self) -> float | None:
        """Met of all ended, 0 to 1; None before the first has ended."""
        return self.met / self.ended if self.ended else None

    def per_s(self, wall_s: float) -> float | None:
        """Calls a second that met all objectives; None when no time has passed."""
        return self.met / wall_s if wall_s > 0 else None

    def to_dict(self, wall_s: float) -> dict[str, Any]:
        """The summary's `goodput`: plain values, durations in seconds."""
        return {
            "objectives_s": {objective.name: objective.most_ns / NS_PER_S for objective in self.objectives.each},
            "share": self.share,
            "per_s": self.per_s(wall_s),
            "met": self.met,
            "ended": self.ended,
            "not_done": self.not_done,
            "missed": dict(self.missed),
        }
