"""A prompt with places for a document's text and fields: `{text}`, `{name}`, `{{` for a brace. Evaluates nothing.

Never `str.format`: its `{text.__class__}` and `{0[x]}` reach into objects, and `{text:>999999999}` into memory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tui.core.errors import UsageError
from tui.core.untrusted import clean_line

_BRACE = re.compile("[{}]")
_SHOWN_CHARS = 40
_SHOWN_NAMES = 20
_HINT = "write {text} for the document, {{ and }} for braces"


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed prompt."""

    literals: tuple[str, ...]
    """What stands around the places; one more than there are places."""
    places: tuple[str, ...]
    """The name that each place has, in order."""

    @classmethod
    def parse(cls, text: str, where: str) -> "Template":
        """UsageError, which names `where` (a flag or file), at the first brace that is none of ours."""
        literals, places = list[str](), list[str]()
        pending = list[str]()
        at = 0
        while (brace := _next_brace(text, at)) >= 0:
            pending.append(text[at:brace])
            if text.startswith(text[brace] * 2, brace):
                pending.append(text[brace])
                at = brace + 2
                continue
            end = _next_brace(text, brace + 1)
            if text[brace] == "}" or end < 0 or text[end] != "}":
                what = "no { before it" if text[brace] == "}" else "no } after it"
                raise UsageError(where, f"the {text[brace]} at {_position(text, brace)} has {what}", _HINT)
            name = text[brace + 1 : end]
            if not name:
                raise UsageError(where, f"the {{}} at {_position(text, brace)} names nothing", _HINT)
            literals.append("".join(pending))
            places.append(name)
            pending = []
            at = end + 1
        literals.append("".join([*pending, text[at:]]))
        return cls(tuple(literals), tuple(places))

    @property
    def names(self) -> frozenset[str]:
        """What a document must have."""
        return frozenset(self.places)

    def check(self, known: frozenset[str], where: str) -> None:
        """UsageError, which names `where`, when the prompt wants a name that no document will have."""
        for name in self.places:
            if name not in known:
                names = ", ".join(f"{{{shown_name(each)}}}" for each in sorted(known)[:_SHOWN_NAMES])
                raise UsageError(
                    where,
                    f"{{{shown_name(name)}}} is not known",
                    f"known here: {names}; write {{{{ and }}}} for braces",
                )

    def render(self, values: Mapping[str, str]) -> str:
        """The prompt with its places filled; KeyError when a name has no value. Values are not parsed again."""
        pieces = [self.literals[0]]
        for name, literal in zip(self.places, self.literals[1:], strict=True):
            pieces += (values[name], literal)
        return "".join(pieces)


def shown_name(name: str) -> str:
    """A name for a message: on one line, and short."""
    line = clean_line(name)
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"


def _next_brace(text: str, start: int) -> int:
    """Where the next brace of either kind is; -1 when there is none."""
    brace = _BRACE.search(text, start)
    return -1 if brace is None else brace.start()


def _position(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"line {line}, column {at - text.rfind(chr(10), 0, at)}"
