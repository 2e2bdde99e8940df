"""Answers that are JSON: any object, or one that a JSON schema describes. Pure: randomness is an argument."""

import json
import math
import random
import re
from collections.abc import Mapping
from typing import Any

from tui.simulator.chat import BadField
from tui.simulator.text import escaped, prose_pieces

MOST_DEPTH = 32
_NEAR_BOTTOM = MOST_DEPTH - 6
"""Below this depth only what is required is written, so that a recursive schema comes to an end."""
MOST_CHARS = 10_000
MOST_VALUES = 2_000
"""Values in one answer: a schema may ask for more than anybody wants."""
_PARAM = "response_format.json_schema.schema"

_NAMES = ("Alder Weir", "Mill Reach", "Otter Pool", "Heron Bridge", "Long Meadow Lock", "Saint-Loup", "Gävle Kvarn")
_WORDS = ("calm", "rising", "falling", "clear", "in flood", "frozen at the edges", "low but steady")
_PIECE = re.compile(r"\s*(?:\w{1,6}|[^\w\s]{1,2})|\s+")
_FORMATS = {
    "date": "2026-04-17",
    "time": "06:30:00Z",
    "date-time": "2026-04-17T06:30:00Z",
    "email": "keeper@weir.example",
    "uri": "https://weir.example/gauge/7",
    "uuid": "6f1c2a52-8f0e-4c55-9d0a-3f1f5f0b7a11",
    "ipv4": "192.0.2.7",
    "hostname": "weir.example",
}


def structured_pieces(rng: random.Random, schema: Mapping[str, Any] | None) -> list[bytes]:
    """A JSON text in pieces, each as the inside of a JSON string; BadField when the schema cannot be met."""
    if schema is None:
        value: Any = {
            "place": rng.choice(_NAMES),
            "state": rng.choice(_WORDS),
            "level_m": round(rng.uniform(0.3, 2.5), 2),
            "gates_open": rng.randint(0, 6),
            "safe": rng.random() < 0.8,
            "notes": rng.sample(_WORDS, 2),
        }
    else:
        value = _Writer(rng, schema).value(schema, "value", MOST_DEPTH)
    return [escaped(piece) for piece in _PIECE.findall(json.dumps(value, ensure_ascii=False))]


def wrong_pieces(rng: random.Random, schema: Mapping[str, Any] | None, right: list[bytes], length: int) -> list[bytes]:
    """An answer that is not what was asked for, as models give it: prose of `length` tokens, JSON that breaks off, or
    an object of another form."""
    drawn = rng.random()
    if drawn < 1 / 3 and schema is not None:
        return structured_pieces(rng, None)
    return right[: (len(right) + 1) // 2] if drawn < 2 / 3 and len(right) > 1 else prose_pieces(rng, length)


class _Writer:
    """Makes a value that a schema allows.

    Known: type (also a list of types), properties, required, items, prefixItems, minItems, enum, const, anyOf,
    oneOf, allOf, $ref to #/$defs or #/definitions, minimum and its kin, multipleOf, minLength, maxLength, format.
    `pattern` is not known: strings ignore it.
    """

    def __init__(self, rng: random.Random, root: Mapping[str, Any]) -> None:
        self._rng = rng
        self._root = root
        self._left = MOST_VALUES

    def value(self, schema: Any, name: str, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise BadField(f"The schema asks for more than {MOST_VALUES} values.", _PARAM)
        if depth < 0:
            raise BadField(f"The schema is nested more than {MOST_DEPTH} levels deep.", _PARAM)
        if schema is True:
            return self._rng.choice(_WORDS)
        if not isinstance(schema, Mapping):
            raise BadField("The schema is not made of objects.", _PARAM)
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._rng.choice(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self._one_of(schema[key], name, depth)
        return self._of_type(_type_of(schema), schema, name, depth)

    def _one_of(self, choices: list[Any], name: str, depth: int) -> Any:
        # Near the bottom the last resort of a recursive schema (null, an empty list) ends the recursion.
        if depth > _NEAR_BOTTOM:
            return self.value(self._rng.choice(choices), name, depth - 1)
        return self.value(min(choices, key=_weight), name, depth - 1)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """`schema` with its reference followed and its allOf folded in."""
        for _ in range(MOST_DEPTH):
            if "$ref" in schema:
                schema = {**self._target(schema["$ref"]), **{k: v for k, v in schema.items() if k != "$ref"}}
            elif isinstance(schema.get("allOf"), list):
                schema = self._folded(schema)
            else:
                return schema
        raise BadField("The schema refers to itself without end.", _PARAM)

    def _folded(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        whole = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema["allOf"]:
            if not isinstance(part, Mapping):
                raise BadField("The schema is not made of objects.", _PARAM)
            part = self._target(part["$ref"]) if "$ref" in part else part
            properties = {**_mapping(whole.get("properties")), **_mapping(part.get("properties"))}
            whole = {**whole, **part}
            if properties:
                whole["properties"] = properties
        return whole

    def _target(self, reference: Any) -> Mapping[str, Any]:
        found: Any = self._root
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise BadField(f"The schema's reference {str(reference)[:200]} is not inside it.", _PARAM)
        for step in filter(None, reference[1:].split("/")):
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise BadField(f"The schema's reference {reference[:200]} leads nowhere.", _PARAM)
        return found

    def _of_type(self, kind: str, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        rng = self._rng
        if kind == "object":
            properties = _mapping(schema.get("properties"))
            required = schema.get("required", [])
            if not isinstance(required, list) or not all(isinstance(key, str) for key in required):
                raise BadField("The schema's required is not a list of names.", _PARAM)
            names = [*properties, *required] if depth > _NEAR_BOTTOM else required
            return {key: self.value(properties.get(key, True), key, depth - 1) for key in dict.fromkeys(names)}
        if kind == "array":
            first = schema.get("prefixItems")
            made = [self.value(item, name, depth - 1) for item in first] if isinstance(first, list) else []
            least = _number(schema.get("minItems")) or 0.0
            most = _number(schema.get("maxItems"))
            wanted = least if depth <= _NEAR_BOTTOM else max(least, float(rng.randint(1, 3)))
            wanted = wanted if most is None else min(wanted, most)
            items = schema.get("items", True)
            while len(made) < wanted:
                made.append(self.value(items, name, depth - 1))
            return made
        if kind == "integer" or kind == "number":
            return self._number(kind, schema)
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "null":
            return None
        if kind == "string":
            return self._string(schema, name)
        raise BadField(f"The schema's type {kind[:200]} is not known.", _PARAM)

    def _number(self, kind: str, schema: Mapping[str, Any]) -> float | int:
        above, below = _number(schema.get("exclusiveMinimum")), _number(schema.get("exclusiveMaximum"))
        low = max((n for n in (_number(schema.get("minimum")), above) if n is not None), default=None)
        high = min((n for n in (_number(schema.get("maximum")), below) if n is not None), default=None)
        if low is None:
            low = 0.0 if high is None or high > 0.0 else high - 100.0
        if high is None:
            high = low + 100.0
        step = _number(schema.get("multipleOf")) or (1.0 if kind == "integer" else 0.0)
        if step > 0.0:
            first, last = math.ceil(low / step), math.floor(high / step)
            first += above is not None and first * step <= above
            last -= below is not None and last * step >= below
            if first > last:
                raise BadField("The schema's bounds leave no number.", _PARAM)
            drawn = self._rng.randint(first, last) * step
            return round(drawn) if kind == "integer" else round(drawn, 10)
        if low > high or (low == high and low in (above, below)):
            raise BadField("The schema's bounds leave no number.", _PARAM)
        exact = low + (high - low) * self._rng.uniform(0.1, 0.9)
        rounded = round(exact, 2)
        return rounded if low < rounded < high else exact

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        if name.lower() in ("name", "title", "place", "city", "station", "location"):
            text = self._rng.choice(_NAMES)
        else:
            text = self._rng.choice(_WORDS)
        least, most = _number(schema.get("minLength")), _number(schema.get("maxLength"))
        if least is not None and len(text) < least:
            if least > MOST_CHARS:
                raise BadField(f"The schema asks for a string of more than {MOST_CHARS} characters.", _PARAM)
            text = (text + ", " + ", ".join(_WORDS * (int(least) // 50 + 1)))[: int(least)]
        return text if most is None else text[: max(0, int(most))]


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        kind = next((k for k in kind if k != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    """A figure of the schema, when it is one that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return float(value)


def _weight(schema: Any) -> int:
    """How much a schema asks for: null before text before lists before objects."""
    kind = _type_of(schema) if isinstance(schema, Mapping) and "$ref" not in schema else "$ref"
    return {"null": 0, "boolean": 1, "integer": 1, "number": 1, "string": 1, "array": 2, "object": 3}.get(kind, 4)
