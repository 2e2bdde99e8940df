"""The filter as people type it: `state:failed model:a ttft>500ms text`. Parses and decides; keeps no calls.

Terms stand between blanks and must all hold; `-` or `!` in front turns one around; quotes keep words together; commas
give alternatives. A bare word is looked for in title, prompt, model, error and the answer's text, as far as it is still
in memory. A field goes with `:` `=` `!=`, a figure also with `>` `>=` `<` `<=`:

- `state` (by its beginning; also `running`, `active`, `ended`, `ok`, `trouble`), `warmup:yes`. `state:failed` means
  what the header counts as failed: failed, broken and refused ones, as `trouble` does; `state=failed` only the first;
- `model`, `prompt`, `error`, `finish`, and in a batch `doc`, the document: `:` finds a part, `=` the whole;
- `id` (or `#12`), `attempts`, `retries`, `status` (also `4xx`), `tokens` (also `2k`);
- `ttft`, `queue`, `total`: durations with a unit. A bare number is seconds on Weir's command line and would be read as
  ms by most who watch TTFTs, so it is refused instead of guessed;
- `tok/s` (`rate`, `tps`), `cost` in USD.

A figure that is absent never holds a comparison, `!=` included; `ttft:*` holds when there is one, `-ttft:*` when not.
Durations, rates, tokens and costs are equal when the table draws them alike; `>` and `<` look at what was measured.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tui.core import figures
from tui.core.call_figures import FIGURES, error, newest_attempt
from tui.core.calls import TERMINAL, State
from tui.core.clock import nanoseconds
from tui.core.durations import parse_duration
from tui.core.entries import CallEntry
from tui.core.errors import UsageError
from tui.core.ledger import Ledger
from tui.core.untrusted import clean_line

MAX_CHARS = 500
MAX_TERMS = 30
SEARCHED_CHARS = 50_000
"""Of a prompt (its beginning) and of an answer (its end): what a search reads."""
CHARS_A_STEP = 1_000
"""Reading so many ASCII characters takes about as long as a call's figures: measured 1.4 µs."""
NOT_ASCII_TIMES = 3
"""What other text counts, measured 5 to 7 µs (16 µs on a busy machine), because folding its case copies it wider."""
PIECES_A_STEP = 30
"""A running answer is joined from its pieces first: measured 80 ns each."""
TERMS_A_STEP = 3
WHOLE_TIMES = 4
"""Comparing a whole text takes so many times as long as looking for a part of it, for its blanks are taken out."""

TROUBLE = frozenset({State.FAILED, State.BROKEN, State.REFUSED})
"""Ended without an answer, and not because a person wanted it so."""

Test = Callable[[Ledger, CallEntry, int], bool]


class QueryError(UsageError):
    """A filter that cannot be read. `where` is the term as typed."""


class Query:
    """A filter, ready to be asked."""

    __slots__ = ("_readings", "_tests", "figures")

    def __init__(self, tests: list[Test], used: frozenset[str], readings: int) -> None:
        """`readings`: how many times it goes through a call's texts, which takes the longer the longer they are."""
        self._tests = tests
        self._readings = readings
        self.figures = used
        """The names in `call_figures.FIGURES` that it asks for."""

    def matches(self, ledger: Ledger, call: CallEntry, now: int) -> bool:
        """Whether the call passes, at `now` (ns). One without terms lets everything pass."""
        for test in self._tests:  # noqa: SIM110 - all() over a generator takes twice as long
            if not test(ledger, call, now):
                return False
        return True

    def steps(self, call: CallEntry) -> int:
        """How long `matches` takes for this call at most, in steps of some microseconds."""
        steps = 1 + len(self._tests) // TERMS_A_STEP
        if not self._readings:
            return steps
        chars, pieces, attempt = _weight(len(call.prompt), call.prompt.isascii()), 0, newest_attempt(call)
        if attempt is not None and attempt.shown:
            pieces = len(attempt.shown)
            chars += _weight(attempt.shown_chars, all(map(str.isascii, attempt.shown)))
        return steps + self._readings * (chars // CHARS_A_STEP + pieces // PIECES_A_STEP)


def _weight(chars: int, ascii_only: bool) -> int:
    return min(chars, SEARCHED_CHARS) * (1 if ascii_only else NOT_ASCII_TIMES)


def parse(text: str) -> Query:
    """The filter that `text` spells; QueryError names the term that cannot be read and says what to type."""
    if len(text) > MAX_CHARS:
        raise QueryError("the filter", f"has more than {MAX_CHARS} characters", "leave some of it out")
    if text.count('"') % 2:
        raise _bad(text[text.rindex('"') :], "has no closing quote", 'close it: "two words"')
    terms = _TERM.findall(text)
    if len(terms) > MAX_TERMS:
        raise QueryError("the filter", f"has more than {MAX_TERMS} terms", "leave some out")
    parsed = [_Term(term) for term in terms]
    parsed.sort(key=lambda term: term.readings)  # what is cheap to ask may spare the reading
    used = frozenset(term.field for term in parsed if term.field in FIGURES)
    return Query([term.test for term in parsed], used, sum(term.readings for term in parsed))


_TERM = re.compile(r'(?:[^\s"]|"[^"]*")+')
_HEAD = re.compile(r"([A-Za-z][A-Za-z_/]*)(!=|>=|<=|:|=|>|<)")
_OPERATOR = re.compile(r"!=|>=|<=|=|>|<")
_ALIASES = {"rate": "tok/s", "tps": "tok/s", "document": "doc", "title": "doc"}
_TEXT_FIELDS: dict[str, Callable[[CallEntry], str | None]] = {
    "model": lambda call: call.model,
    "doc": lambda call: call.title or None,
    "prompt": lambda call: call.prompt[:SEARCHED_CHARS],
    "error": error,
    "finish": lambda call: call.finish_reason,
}
_FIELDS = ("state", "model", "doc", "prompt", "error", "finish", "warmup", *FIGURES)
_STATES: dict[str, frozenset[State]] = {
    **{state.value: frozenset({state}) for state in State},
    "backoff": frozenset({State.BACKING_OFF}),
    "canceled": frozenset({State.CANCELLED}),
    "running": frozenset(State) - TERMINAL,
    "active": frozenset({State.CONNECTING, State.STREAMING}),
    "ended": TERMINAL,
    "ok": frozenset({State.DONE}),
    "trouble": TROUBLE,
}
_FOUND_STATES = {**_STATES, "failed": TROUBLE}
"""With `:`, which is what people type after the header told them how many failed."""
_YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}


def _bad(term: str, what: str, hint: str) -> QueryError:
    shown = clean_line(term)
    return QueryError(shown if len(shown) <= 40 else shown[:39] + "…", what, hint)


class _Term:
    """One term: its test, and what that reads."""

    def __init__(self, term: str) -> None:
        self.typed = term
        self.field: str | None = None
        self.operator = ":"
        self.readings = 0
        negated = term[0] in "-!"
        test = self._parse(term[1:] if negated else term)
        self.test: Test = (lambda ledger, call, now: not test(ledger, call, now)) if negated else test

    def _parse(self, body: str) -> Test:
        if not body:
            raise self._bad("turns nothing around", "put a term behind it: -state:done")
        if body[0] in ":=<>":
            raise self._bad("compares nothing", 'put a field in front, such as ttft>500ms, or "quote" it as text')
        if body[0] == "#" and (len(body) == 1 or body[1] in "0123456789"):
            return self._of_field("id", ":", body[1:])
        head = _HEAD.match(body)
        if head is None:
            return self._of_word(body)
        name = head[1].lower()
        name = _ALIASES.get(name, name)
        if name not in _FIELDS:
            raise self._bad("names no field", f'"quote" it as text, or use {", ".join(_FIELDS)}')
        operator, value = head[2], body[head.end() :]
        if operator == ":" and (inner := _OPERATOR.match(value)):
            operator, value = inner[0], value[inner.end() :]
        return self._of_field(name, operator, value)

    def _bad(self, what: str, hint: str) -> QueryError:
        return _bad(self.typed, what, hint)

    def _of_word(self, body: str) -> Test:
        found = _finder(body.replace('"', ""))
        if found is None:
            raise self._bad("looks for nothing", "put text between the quotes")
        self.readings = 1

        def has_word(ledger: Ledger, call: CallEntry, now: int) -> bool:
            if found(call.title) or found(call.model):
                return True
            if found(call.prompt[:SEARCHED_CHARS]) or found(error(call) or ""):
                return True
            attempt = newest_attempt(call)
            return attempt is not None and found(attempt.tail(SEARCHED_CHARS))

        return has_word

    def _of_field(self, name: str, operator: str, value: str) -> Test:
        self.field, self.operator = name, operator
        values = _alternatives(value)
        if not all(values):
            raise self._bad("is not finished", f"such as {_EXAMPLES[name]}")
        if operator[0] in "<>":
            if name not in FIGURES:
                raise self._bad(f"{name} has no more or less", f"such as {_EXAMPLES[name]}")
            if len(values) > 1:
                raise self._bad("compares with more than one value", f"such as {_EXAMPLES[name]}")
        if name == "state":
            return self._of_state(values)
        if name == "warmup":
            return self._of_warmup(values)
        if name in _TEXT_FIELDS:
            return self._of_text(_TEXT_FIELDS[name], values)
        return self._of_figure(FIGURES[name], values)

    def _of_state(self, values: list[str]) -> Test:
        wanted: frozenset[State] = frozenset()
        states = _FOUND_STATES if self.operator == ":" else _STATES
        for value in map(str.lower, values):
            spelt = value.replace("-", " ")
            exact = [states[spelt]] if spelt in states else []
            found = exact or [some for word, some in states.items() if value == "*" or word.startswith(spelt)]
            if not found:
                raise self._bad("names no state", f"use {', '.join(_STATES)}; {_FAILED_HINT}")
            wanted = wanted.union(*found)
        if self.operator == "!=":
            wanted = frozenset(State) - wanted
        return lambda ledger, call, now: call.state in wanted

    def _of_warmup(self, values: list[str]) -> Test:
        if not all(value.lower() in _YES_OR_NO for value in values):
            raise self._bad("is neither yes nor no", f"such as {_EXAMPLES['warmup']}")
        wanted = {_YES_OR_NO[value.lower()] for value in values}
        unequal = self.operator == "!="
        return lambda ledger, call, now: (call.warmup in wanted) is not unequal

    def _of_text(self, text_of: Callable[[CallEntry], str | None], values: list[str]) -> Test:
        whole = self.operator != ":"
        if self.field == "prompt":
            self.readings = len(values) * (WHOLE_TIMES if whole else 1)
        tests = [_text_test(value, whole=whole) for value in values]
        unequal = self.operator == "!="

        def holds(ledger: Ledger, call: CallEntry, now: int) -> bool:
            text = text_of(call)
            return text is not None and any(test(text) for test in tests) is not unequal

        return holds

    def _of_figure(self, figure: Callable[[Ledger, CallEntry, int], Any], values: list[str]) -> Test:
        compare, unequal = _COMPARISONS.get(self.operator), self.operator == "!="
        if compare is not None:
            limit = self._number(values[0])

            def passes(ledger: Ledger, call: CallEntry, now: int) -> bool:
                number = figure(ledger, call, now)
                return number is not None and compare(number, limit)

            return passes
        tests = [self._equality(value) for value in values]

        def holds(ledger: Ledger, call: CallEntry, now: int) -> bool:
            number = figure(ledger, call, now)
            return number is not None and any(test(number) for test in tests) is not unequal

        return holds

    def _equality(self, value: str) -> Callable[[Any], bool]:
        if value == "*":
            return lambda number: True
        if self.field == "status" and _STATUS_CLASS.fullmatch(value):
            hundreds = int(value[0])
            return lambda status: bool(status // 100 == hundreds)
        wanted, draw = self._number(value), _DRAWN.get(self.field or "")
        if draw is None:
            return lambda number: bool(number == wanted)
        drawn = draw(wanted)
        return lambda number: bool(draw(number) == drawn)

    def _number(self, value: str) -> int | float | Decimal:
        """The value as the field's figure has it: ns, USD or a plain number."""
        assert self.field is not None
        example = f"such as {_EXAMPLES[self.field]}"
        if self.field in _DURATIONS:
            if _NUMBER.fullmatch(value) and Decimal(value) != 0:
                raise self._bad("needs a unit", f"{value}ms or {value}s")
            if _DURATION.fullmatch(value) is None:
                raise self._bad("needs a duration", example)
            return nanoseconds(parse_duration(value))
        if self.field == "cost":
            value = value.removeprefix("$")
        thousands = self.field == "tokens" and value[-1:] in "kK"
        if thousands:
            value = value[:-1]
        if _NUMBER.fullmatch(value) is None:
            raise self._bad("needs a number", example)
        number = Decimal(value) * (1000 if thousands else 1)
        if self.field == "cost":
            return number
        return int(number) if number == int(number) else float(number)


_STATUS_CLASS = re.compile(r"[1-5][xX]{2}")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{0,12})?|\.\d{1,12}", re.ASCII)
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(?:ns|us|µs|ms|s|m|h)?", re.ASCII)
_DURATIONS = frozenset({"ttft", "queue", "total"})
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
}
_DRAWN: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(_DURATIONS, figures.ms),
    "tok/s": figures.rate,
    "tokens": lambda n: figures.count(round(n)),
    "cost": figures.usd,
}
"""How the table writes those figures that it rounds."""
_FAILED_HINT = "state:failed finds broken and refused ones too, state=failed does not"
_EXAMPLES = {
    "state": f"state:done,cancelled; {_FAILED_HINT}",
    "model": "model:mini",
    "doc": "doc:notes/a.md",
    "prompt": "prompt:river",
    "error": "error:reset",
    "finish": "finish:length",
    "warmup": "warmup:no",
    "id": "id:12 or #12",
    "queue": "queue>1s",
    "attempts": "attempts>1",
    "retries": "retries>0",
    "status": "status:429, status:5xx or status>=500",
    "ttft": "ttft>500ms",
    "tok/s": "tok/s<20",
    "tokens": "tokens>1000",
    "cost": "cost>0.01",
    "total": "total>10s",
}


def _alternatives(value: str) -> list[str]:
    """What stands between the commas outside of quotes, without the quotes."""
    found, quoted = [""], False
    for character in value:
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            found.append("")
        else:
            found[-1] += character
    return [each.strip() for each in found]


def _finder(needle: str) -> Callable[[str], bool] | None:
    """Whether a text holds `needle`, in any case and with any blanks between its words; None for a blank needle."""
    words = needle.casefold().split()
    if not words:
        return None
    if len(words) == 1:
        word = words[0]
        return lambda text: word in text.casefold()
    phrase = re.compile(r"\s+".join(map(re.escape, words)))
    return lambda text: phrase.search(text.casefold()) is not None


def _text_test(value: str, *, whole: bool) -> Callable[[str], bool]:
    if value == "*":
        return lambda text: True
    folded = " ".join(value.casefold().split())
    if whole:
        return lambda text: " ".join(text.casefold().split()) == folded
    found = _finder(value)
    assert found is not None, "an empty value is an unfinished term"
    return found
