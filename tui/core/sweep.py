"""One run for each value of one setting: `concurrency=1,2,4,8` or `rpm=60,120,240`. Parses; runs nothing."""

import re
from dataclasses import dataclass
from typing import Literal

LARGEST_VALUE = 10**12

_VALUE = re.compile(r"\d{1,20}", re.ASCII)

Kind = Literal["concurrency", "rpm"]
_KINDS: dict[str, Kind] = {"concurrency": "concurrency", "rpm": "rpm"}


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is varied, and its values in the order of their runs."""

    kind: Kind
    """Streams at once, or requests a minute."""
    values: tuple[int, ...]
    """1 or more each, at least one; the same value twice is two runs."""


def parse_sweep(text: str) -> Sweep:
    """`concurrency=1,2,4,8` or `rpm=60,120,240`; ValueError with a readable message when it is something else."""
    name, equals, listed = text.partition("=")
    kind = _KINDS.get(name.strip())
    if not equals or kind is None:
        raise ValueError(f'expected concurrency=N,N,… or rpm=N,N,…, such as concurrency=1,2,4,8; got "{text}"')
    return Sweep(kind, tuple(_value(part, text) for part in listed.split(",")))


def _value(part: str, text: str) -> int:
    digits = part.strip()
    if _VALUE.fullmatch(digits) is None or not 1 <= int(digits) <= LARGEST_VALUE:
        raise ValueError(
            f'a value of a sweep is a whole number from 1 to {LARGEST_VALUE:,}, got "{digits}" in "{text}"'
        )
    return int(digits)
