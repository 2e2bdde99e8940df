import json
import random

import pytest

from tui.simulator.chat import BadField
from tui.simulator.structured import MOST_CHARS, structured_pieces


def answer(schema, seed=0):
    pieces = structured_pieces(random.Random(seed), schema)
    return json.loads(json.loads(b'"' + b"".join(pieces) + b'"'))


def test_without_a_schema_it_is_an_object():
    assert isinstance(answer(None), dict)


@pytest.mark.parametrize(
    ("schema", "allows"),
    [
        ({"type": "string"}, lambda v: isinstance(v, str)),
        ({"type": "string", "minLength": 400}, lambda v: len(v) == 400),
        ({"type": "string", "maxLength": 2}, lambda v: len(v) == 2),
        ({"type": "string", "format": "date"}, lambda v: v == "2026-04-17"),
        ({"type": "boolean"}, lambda v: isinstance(v, bool)),
        ({"type": "null"}, lambda v: v is None),
        ({"type": ["null", "integer"]}, lambda v: isinstance(v, int)),
        ({"type": "integer", "minimum": 3, "maximum": 4}, lambda v: v in (3, 4)),
        ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}, lambda v: v == 4),
        ({"type": "integer", "maximum": -7}, lambda v: isinstance(v, int) and v <= -7),
        ({"type": "integer", "multipleOf": 5, "minimum": 1, "maximum": 12}, lambda v: v in (5, 10)),
        ({"type": "number", "minimum": 0.001, "maximum": 0.002}, lambda v: 0.001 <= v <= 0.002),
        ({"enum": ["a", 7, None]}, lambda v: v in ("a", 7, None)),
        ({"const": {"a": [1]}}, lambda v: v == {"a": [1]}),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 5}, lambda v: len(v) == 5),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 1}, lambda v: len(v) <= 1),
        ({"type": "array", "prefixItems": [{"const": 1}], "minItems": 1, "maxItems": 1}, lambda v: v == [1]),
        ({"properties": {"a": {"const": 1}}}, lambda v: v == {"a": 1}),
        ({"type": "object", "required": ["x"]}, lambda v: v == {} or "x" in v),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, lambda v: v in (1, 2)),
        (
            {"allOf": [{"$ref": "#/$defs/a"}, {"properties": {"b": {"const": 2}}}], "$defs": {"a": {
                "type": "object", "properties": {"a": {"const": 1}}}}},
            lambda v: v == {"a": 1, "b": 2},
        ),
        ({"$ref": "#/definitions/x~1y", "definitions": {"x/y": {"const": 5}}}, lambda v: v == 5),
    ],
)  # fmt: skip
def test_a_value_is_what_its_schema_allows(schema, allows):
    for seed in range(20):
        assert allows(answer(schema, seed))


def test_required_names_are_there_even_when_nothing_describes_them():
    assert set(answer({"type": "object", "properties": {"a": {}}, "required": ["a", "b"]})) >= {"a", "b"}


def test_a_recursive_schema_comes_to_an_end():
    node = {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "required": ["next"],
    }
    for seed in range(50):
        value = answer({"$ref": "#/$defs/node", "$defs": {"node": node}}, seed)
        while value is not None:
            value = value["next"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.org/schema"},
        {"$ref": 7},
        {"allOf": [{"$ref": "#"}]},
        {"allOf": [7]},
        {"type": "array", "minItems": 1e9},
        {"type": "array", "items": True, "minItems": 1e9},
        {"type": "array", "items": False, "minItems": 1},
        {"type": "string", "minLength": MOST_CHARS + 1},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 1},
        {"type": "tuple"},
        {"properties": {"a": 7}},
        {"type": "object", "required": [["a"]]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}}},
    ],
)
def test_a_schema_that_cannot_be_met_is_refused_by_name(schema):
    with pytest.raises(BadField) as refused:
        answer(schema)
    assert refused.value.param == "response_format.json_schema.schema"
