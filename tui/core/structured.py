"""Answers that have to be JSON: what is asked of the server, how their text is read, what is said of a wrong one.

Pure. Reads no file, and knows no JSON Schema: files/answer_schema.py does.

The text must be one JSON value by RFC 8259. White space around it is allowed, and one Markdown fence that holds all of
it (```json … ```), for models without a JSON mode write that out of habit. Nothing else is forgiven: whoever picks the
JSON out of prose will some day pick the wrong one. Neither are NaN and Infinity, which are not JSON, nor a name that
stands twice in an object, of which every reader keeps another one.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Judge = Callable[[str], str | None]
"""From an answer's whole text to why it cannot be accepted; None: it can."""

_FENCED = re.compile(r"```(?:json|JSON)?[ \t]*\r?\n(.*?)\r?\n?```", re.DOTALL)
_NAME_CHARS = re.compile(r"[^A-Za-z0-9_-]+")
NAME_CHARS = 64
"""As long as the name of a schema may be in a request."""
QUOTED_CHARS = 80
"""Of a value or a name that a message quotes."""


REJECTED = "answer is not valid: "
"""How the error of an attempt begins whose answer was rejected."""


class NotJson(ValueError):
    """A text that is not one JSON value. The message says why and where, and quotes no value of it."""


# ── reading ────────────────────────────────────────────────────────────────────────────────────────────


def parse_answer(text: str) -> Any:
    """The JSON value that is the whole of `text`, a fence and white space aside; NotJson when it is none."""
    bare = text.strip()
    fenced = _FENCED.fullmatch(bare)
    if fenced is not None:
        bare = fenced[1]
    if not bare.strip():
        raise NotJson("it is empty")
    try:
        return json.loads(bare, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")  # "Unterminated string starting at"
        raise NotJson(f"not JSON: {what} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise NotJson("nested too deeply") from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise NotJson("it holds a number with too many digits") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise NotJson("an object in it has the same name twice")
    return value


def _constant(name: str) -> Any:
    raise NotJson(f"not JSON: {name} is no number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotJson("it holds a number that is too large")
    return value


def judge_json(text: str) -> str | None:
    """A judge for answers of any shape: an object or a list.

    A lone text, number or null is JSON too, but it is how a model answers that heeds no JSON mode ("42", "null").
    """
    try:
        value = parse_answer(text)
    except NotJson as error:
        return str(error)
    return None if isinstance(value, dict | list) else "neither an object nor a list"


def quoted(value: Any) -> str:
    """A JSON value on one line, cropped for a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= QUOTED_CHARS else f"{text[: QUOTED_CHARS - 1]}…"


# ── asking ─────────────────────────────────────────────────────────────────────────────────────────────


def params_for(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The request's field that asks for an answer of this schema; None: for any JSON object.

    `strict` makes OpenAI hold the model to the schema token by token, but it is refused (400) with a schema that goes
    beyond its rules; such a one is sent without it, as a hint that we check. Other servers ignore the switch.
    """
    if schema is None:
        return {"response_format": {"type": "json_object"}}
    title = schema.get("title")
    name = _NAME_CHARS.sub("_", title).strip("_")[:NAME_CHARS] if isinstance(title, str) else ""
    form: dict[str, Any] = {"name": name or "answer", "schema": dict(schema)}
    if is_strict(schema):
        form["strict"] = True
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def instruction_for(schema: Mapping[str, Any] | None) -> str:
    """The same in words, for a system message.

    OpenAI refuses (400) to answer with a JSON object where no message says "JSON"; servers that know no
    `response_format` learn the schema from nothing else.
    """
    plain = "Answer with JSON only: no other text, no Markdown."
    if schema is None:
        return plain
    return f"{plain} It must be valid by this JSON Schema:\n{json.dumps(schema, ensure_ascii=False)}"


def correction(why: str) -> str:
    """What a model is told whose answer was rejected."""
    return f"Your answer was not valid: {why}\nAnswer again, in full, with valid JSON only."


def asked_again(messages: Sequence[dict[str, Any]], answer: str, why: str) -> tuple[dict[str, Any], ...]:
    """The messages of the attempt that follows a rejected answer: the first ones, the answer and what is wrong with it.

    An empty answer is nothing to correct, and some servers refuse an empty message: then the first ones alone.
    """
    if not answer.strip():
        return tuple(messages)
    wrong = {"role": "assistant", "content": answer}
    return (*messages, wrong, {"role": "user", "content": correction(why)})


# ── what "strict" allows ───────────────────────────────────────────────────────────────────────────────

# OpenAI's guide "Structured Outputs", "Supported schemas". What it names with reservations is left out as well
# (`pattern`, whose look-around is refused): a wrong yes is a run in which every request is refused, a wrong no costs
# no more than the hold on the model.
_STRICT_KEYWORDS = frozenset(
    {
        "$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "definitions", "description", "enum",
        "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum",
        "multipleOf", "properties", "required", "title", "type",
    }
)  # fmt: skip
_STRICT_FORMATS = frozenset({"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"})
_STRICT_DEPTH = 10
_STRICT_PROPERTIES = 5_000


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether a schema keeps to the rules under which OpenAI takes `strict`.

    The root is an object and no anyOf; every object names all its properties as required and allows no others; only
    known keywords; at most ten levels and 5,000 properties.
    """
    if schema.get("type") != "object" or "anyOf" in schema:
        return False
    properties = 0
    for part, depth in _parts(schema, 1):
        if depth > _STRICT_DEPTH or not isinstance(part, Mapping) or not _keeps_the_rules(part):
            return False
        properties += len(_mapping(part.get("properties")))
    return properties <= _STRICT_PROPERTIES


def _parts(schema: object, depth: int) -> Iterator[tuple[object, int]]:
    """A schema and those inside it, with their depth; nothing below the first that is too deep."""
    yield schema, depth
    if not isinstance(schema, Mapping) or depth > _STRICT_DEPTH:
        return
    choices = schema.get("anyOf")
    inside = [*_mapping(schema.get("properties")).values(), *([schema["items"]] if "items" in schema else [])]
    for part in inside:
        yield from _parts(part, depth + 1)
    for part in choices if isinstance(choices, list) else []:
        yield from _parts(part, depth)
    for named in ("$defs", "definitions"):
        for part in _mapping(schema.get(named)).values():
            yield from _parts(part, depth)


def _keeps_the_rules(part: Mapping[str, Any]) -> bool:
    if not part.keys() <= _STRICT_KEYWORDS or part.get("format", "date") not in _STRICT_FORMATS:
        return False
    if "$ref" in part:
        return len(part) == 1
    kinds = part.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "object" in kinds:
        required = part.get("required", [])
        named = isinstance(required, list) and set(required) == set(_mapping(part.get("properties")))
        return named and part.get("additionalProperties") is False
    return ("array" not in kinds or "items" in part) and ("type" in part or "anyOf" in part)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
