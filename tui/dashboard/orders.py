"""What can be typed behind `:`. Reads a line; whoever asked does it.

`:rpm 120` · `:rpm off` · `:concurrency 16` · `:table` · `:filter state:failed` · `:export csv` · `:12` (open call 12) ·
`:budget 5.00` (of a batch) · `:pause` · `:retry` · `:stop` · `:help` · `:q`
"""

from decimal import Decimal
from typing import NamedTuple

from tui.core.budget import parse_budget
from tui.core.errors import UsageError
from tui.core.views import VIEWS

MOST = {"call": 1_000_000_000, "rpm": 1_000_000, "concurrency": 10_000}
"""Beyond these a number is a slip of a finger."""

HELP = (
    "rpm N|off, concurrency N, export csv|jsonl, filter WORDS, pause, retry, stop, q, a view's name, a call's number",
    "rpm N, concurrency N, export csv|jsonl, filter WORDS, pause, q, a view, a call",
    "rpm N, concurrency N, export csv, filter, q",
    "rpm N, concurrency N",
    "rpm N",
)
"""What is possible, from the longest."""

DEEDS = {
    "pause": "pause",
    "resume": "pause",
    "retry": "retry_failed",
    "stop": "stop_dispatching",
    "budget": "budget",
    "picture": "picture",
    "theme": "light_or_dark",
    "trust": "trust",
    "help": "keys",
    "q": "leave",
    "quit": "leave",
}
"""Words that mean what a key means: by word, the app's action."""

_LIMITS = {"rpm": "rpm", "concurrency": "concurrency", "c": "concurrency"}


class Order(NamedTuple):
    """A line that was understood."""

    verb: str
    """`call`, `view`, `rpm`, `concurrency`, `filter`, `export`, `budget` or `do`."""
    number: int | None = None
    text: str = ""


class OrderError(Exception):
    """A line that was not; says what could have been meant."""


def parse_order(line: str) -> Order | None:
    """Read a line; None when it is empty. OrderError when it is nothing that can be done."""
    words = line.strip().removeprefix(":").split(None, 1)
    if not words:
        return None
    verb, rest = words[0].lower(), words[1].strip() if len(words) > 1 else ""
    if verb in _LIMITS:
        name = _LIMITS[verb]
        if name == "rpm" and rest.lower() in ("off", "none"):
            return Order(name, None)
        return Order(name, _number(name, rest))
    if verb == "filter":
        return Order(verb, text=rest)
    if verb == "export":
        if rest.lower() not in ("csv", "jsonl"):
            raise OrderError(":export takes csv or jsonl")
        return Order(verb, text=rest.lower())
    if verb == "budget" and rest:
        return Order(verb, text=format(parse_amount(rest), "f"))
    if rest:
        known = verb in VIEWS or verb in DEEDS
        raise OrderError(f":{verb} stands alone" if known else _unknown(verb))
    call = verb.removeprefix("#")
    if call.isascii() and call.isdecimal():
        return Order("call", _number("call", call))
    if verb in VIEWS:
        return Order("view", text=verb)
    if verb in DEEDS:
        return Order("do", text=DEEDS[verb])
    raise OrderError(_unknown(verb))


def parse_amount(text: str) -> Decimal:
    """USD above 0, with a dollar sign or without; OrderError when it is something else."""
    try:
        return parse_budget(text.strip().removeprefix("$"))
    except UsageError as error:
        raise OrderError("an amount in USD above 0, such as 5 or 2.50") from error


def _unknown(verb: str) -> str:
    return f"no {verb[:12]!r} here: rpm N, concurrency N, export csv, filter, help, …"


def _number(name: str, text: str) -> int:
    most = MOST[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and 0 < int(text) <= most):
        example = {"rpm": ":rpm 120 or :rpm off", "concurrency": ":concurrency 16", "call": ":12"}[name]
        raise OrderError(f"a number from 1 to {most:,}, such as {example}")
    return int(text)
