"""`--schema FILE`: a JSON Schema that answers are held to. Fetches nothing, whatever the schema refers to.

The draft is the one that `$schema` names, 2020-12 where it names none. `format` is not checked, as the drafts have it
unless told otherwise. Importing this takes 0.1 s, so only who was given a schema does.

Source: JSON Schema draft 2020-12; the library `jsonschema`, which passes the drafts' own tests.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
    FormatChecker,
)
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing import Specification
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from tui.core.errors import UsageError
from tui.core.structured import NotJson, parse_answer, quoted
from tui.core.untrusted import clean_line

MOST_BYTES = 4 << 20
MOST_PROBLEMS = 3
"""That are told of one answer: enough to mend most in one go, and a line that people can still read."""
PROBLEM_CHARS = 240
_HINT = "give a JSON Schema, such as one that your program's own types write"
_NEWEST = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS: dict[str, Any] = {
    _NEWEST: Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "http://json-schema.org/draft-06/schema": Draft6Validator,
    "http://json-schema.org/draft-04/schema": Draft4Validator,
}
"""By `$schema`, of which some leave out the final #."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_REGEX = FormatChecker(formats=["regex"])
"""A pattern that Python cannot read would otherwise show itself with the first answer."""


def load_schema(path: Path, quoting: bool = True) -> "AnswerSchema":
    """The schema in a file; UsageError that names the file when it is none that can be used."""
    where = clean_line(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            where, f"cannot be read: {error.strerror or error}", "name a file with a JSON Schema"
        ) from error
    if len(data) > MOST_BYTES:
        raise UsageError(where, f"is longer than {MOST_BYTES >> 20} MiB", _HINT)
    try:
        schema = parse_answer(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(where, f"is not UTF-8 at byte {error.start + 1}", "save the file as UTF-8") from error
    except NotJson as error:
        raise UsageError(where, f"is no JSON Schema: {error}", _HINT) from error
    return AnswerSchema(schema, where, quoting)


class AnswerSchema:
    """A schema that was checked, and a judge of answers by it."""

    def __init__(self, schema: Any, where: str = "schema", quoting: bool = True) -> None:
        """UsageError that names `where` when it is no schema that can be used.

        Without `quoting` a judgement names places in the schema and nothing of the answer, for records without text.
        """
        if not isinstance(schema, Mapping):
            raise UsageError(where, "must be a JSON object", _HINT)
        self.schema: dict[str, Any] = dict(schema)
        """As it goes into requests."""
        self._quoting = quoting
        self._validator = _validator(self.schema, where)

    def judge(self, text: str) -> str | None:
        """Why an answer's text is not one that the schema allows; None: it is."""
        try:
            problems = self.problems(parse_answer(text))
        except NotJson as error:
            return str(error)
        return "; ".join(problems) or None

    def problems(self, value: Any) -> list[str]:
        """What is wrong with a value, the first `MOST_PROBLEMS` of it; empty: nothing."""
        try:
            found = list(islice(self._validator.iter_errors(value), MOST_PROBLEMS))
            return [self._told(best_match([each]) or each) for each in found]
        except RecursionError:
            return ["nested too deeply to be checked"]
        except OverflowError:  # `multipleOf` of a fraction turns whole numbers into floats
            return ["it holds a number that is too large to be checked"]

    def _told(self, error: ValidationError) -> str:
        if not self._quoting:
            return f"it breaks the schema at #/{'/'.join(map(str, error.absolute_schema_path))}"
        # The library writes values as Python does, and in full.
        rest = error.message.removeprefix(repr(error.instance))
        words = quoted(error.instance) + rest if rest != error.message else rest
        words = words if len(words) <= PROBLEM_CHARS else f"{words[: PROBLEM_CHARS - 1]}…"
        return clean_line(f"at {error.json_path}: {words}")


def _validator(schema: dict[str, Any], where: str) -> Validator:
    dialect = schema.get("$schema", _NEWEST)
    kind = _DRAFTS.get(dialect.rstrip("#")) if isinstance(dialect, str) else None
    if kind is None:
        raise UsageError(where, f"its $schema is not known: {quoted(dialect)}", f'leave it out, or use "{_NEWEST}"')
    try:
        kind.check_schema(schema, format_checker=_REGEX)
        _resolve_all(schema, kind, specification_with(dialect))
        validator: Validator = kind(schema, registry=REGISTRY)
        validator.is_valid({})  # a schema that applies itself to the same value again never ends
    except SchemaError as error:
        words = quoted(error.instance) + error.message.removeprefix(repr(error.instance))
        what = f"is no JSON Schema: at {error.json_path}: {words[:PROBLEM_CHARS]}"
        raise UsageError(where, clean_line(what), _HINT) from error
    except _Unresolvable as error:
        what = f"its reference {quoted(str(error))} leads nowhere"
        raise UsageError(where, clean_line(what), "put what it names into $defs; nothing is fetched") from error
    except RecursionError as error:
        raise UsageError(where, "refers to itself without end, or is nested too deeply", "correct its $ref") from error
    return validator


class _Unresolvable(Exception):
    """The message is the reference."""


def _resolve_all(schema: dict[str, Any], kind: Any, specification: Specification[Any]) -> None:
    """Follow every reference once. _Unresolvable for the first that leads nowhere."""
    root = specification.create_resource(schema)
    stack = [(root, REGISTRY.resolver_with_root(root))]
    references: list[tuple[str, Any]] = []
    seen: set[int] = set()
    while stack or references:
        if stack:
            part, resolver = stack.pop()
            if id(part.contents) in seen or not isinstance(part.contents, Mapping):
                continue
            seen.add(id(part.contents))
            named = (part.contents.get(name) for name in _REFERENCES)
            references += [(reference, resolver) for reference in named if isinstance(reference, str)]
            stack += [(inside, resolver.in_subresource(inside)) for inside in part.subresources()]
            continue
        # After all that is inside: what is left is in a place that no keyword knows, and was not checked there.
        reference, resolver = references.pop()
        try:
            found = resolver.lookup(reference)
        except (Unresolvable, LookupError, ValueError, TypeError) as error:
            raise _Unresolvable(reference) from error
        if id(found.contents) not in seen:
            kind.check_schema(found.contents, format_checker=_REGEX)
            stack.append((specification.create_resource(found.contents), found.resolver))
