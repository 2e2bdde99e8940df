"""A schema file is refused before anything is sent, and an answer is refused with the place and the reason."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tui.core.errors import UsageError
from tui.files.answer_schema import MOST_BYTES, MOST_PROBLEMS, AnswerSchema, load_schema

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
                "required": ["name", "price"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["items"],
}


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "answer.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_becomes_a_judge(tmp_path: Path) -> None:
    schema = load_schema(written(tmp_path, b"\xef\xbb\xbf" + json.dumps(ORDER).encode()))
    assert schema.schema == ORDER
    assert schema.judge('{"items": [{"name": "a", "price": 1}]}') is None
    assert schema.judge('```json\n{"items": []}\n```') is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"items": [{"name": "a", "price": "x"}]}, """at $.items[0].price: "x" is not of type 'number'"""),
        ({}, "at $: 'items' is a required property"),
        ({"items": [{"name": "a", "price": True}]}, "at $.items[0].price: true is not of type 'number'"),
        (
            {"items": [{"name": "a", "price": 1, "z": 0}]},
            "at $.items[0]: Additional properties are not allowed ('z' was unexpected)",
        ),
        (
            {"items": [{"name": None, "price": 1}, {"name": "b"}]},
            "at $.items[0].name: null is not of type 'string'; at $.items[1]: 'price' is a required property",
        ),
    ],
)
def test_a_judgement_names_the_place_and_the_reason(answer: Any, why: str) -> None:
    assert AnswerSchema(ORDER).judge(json.dumps(answer)) == why


def test_what_is_no_json_is_judged_as_such() -> None:
    assert AnswerSchema(ORDER).judge("Sure!") == "not JSON: Expecting value at line 1, column 1"


def test_a_judgement_is_short_however_wrong_the_answer() -> None:
    schema = AnswerSchema({"items": {"type": "string", "maxLength": 3}})
    problems = schema.problems(["x" * 100_000] * 1_000)
    assert len(problems) == MOST_PROBLEMS
    assert all(len(problem) < 300 and problem.endswith("is too long") for problem in problems)


def test_of_several_choices_the_nearest_is_spoken_of() -> None:
    schema = AnswerSchema(
        {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}]}
    )
    assert schema.judge('{"a": "1"}') == """at $.a: "1" is not of type 'integer'"""


def test_without_quoting_nothing_of_the_answer_is_told() -> None:
    schema = AnswerSchema(ORDER, quoting=False)
    why = schema.judge('{"items": [{"name": "a", "price": "SECRET", "HIDDEN": 1}]}')
    assert why is not None
    assert "#/properties/items/items/properties/price/type" in why
    assert "SECRET" not in why
    assert "HIDDEN" not in why


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"SECRET": ', "SECRET"])
def test_what_is_said_of_broken_json_quotes_nothing_of_it(text: str) -> None:
    assert "SECRET" not in (AnswerSchema({}).judge(text) or "")


def test_controls_in_an_answer_do_not_reach_the_message() -> None:
    why = AnswerSchema({"type": "object"}).judge(json.dumps("\x1b]52;c;x\x07\n\u202e"))
    assert why is not None
    assert why.isprintable()


def test_formats_are_not_checked() -> None:
    assert AnswerSchema({"type": "string", "format": "date"}).judge('"someday"') is None


def test_the_draft_is_the_one_that_the_schema_names() -> None:
    tuple_of = {"items": [{"type": "string"}]}
    assert AnswerSchema({"$schema": "http://json-schema.org/draft-07/schema#", **tuple_of}).judge("[1]") is not None
    assert AnswerSchema({"prefixItems": [{"type": "string"}]}).judge("[1]") is not None
    with pytest.raises(UsageError, match=r"schema: is no JSON Schema: at \$\.items: "):
        AnswerSchema(tuple_of)  # a list is no schema any more


def test_a_recursive_schema_is_followed_as_deep_as_the_answer() -> None:
    tree = AnswerSchema({"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False})
    assert tree.judge('{"next": {"next": {}}}') is None
    assert tree.judge('{"next": {"next": {"x": 1}}}') is not None
    assert tree.judge('{"next":' * 900 + "{}" + "}" * 900) == "nested too deeply to be checked"


def test_references_inside_it_are_followed() -> None:
    schema = AnswerSchema(
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"$ref": "#named"}, "b": {"$anchor": "named", "$ref": "#/components/c"}},
            "components": {"c": {"type": "integer"}},
        }
    )
    assert schema.judge("1") is None
    assert schema.judge('"1"') is not None


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.com/order.json",
        "order.json",
        "file:///etc/hosts",
        "#/$defs/none",
        "#none",
        "#/enum/x",
        "#/title/x",
    ],
)
@pytest.mark.parametrize("place", ["properties", "components"])
def test_a_reference_that_leads_nowhere_is_refused_and_never_fetched(
    reference: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    schema = {place: {"a": {"$ref": reference}}, "enum": [1], "title": "t", "allOf": [{"$ref": f"#/{place}/a"}]}
    with pytest.raises(UsageError, match=r"its reference .* leads nowhere") as refused:
        AnswerSchema(schema)
    assert reference in str(refused.value)
    assert "nothing is fetched" in refused.value.hint


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ([], "must be a JSON object"),
        (True, "must be a JSON object"),
        ({"type": "strin"}, 'is no JSON Schema: at $.type: "strin"'),
        ({"properties": {"a": {"minimum": "1"}}}, 'is no JSON Schema: at $.properties.a.minimum: "1"'),
        ({"pattern": "["}, 'is no JSON Schema: at $.pattern: "["'),
        ({"$ref": "#/x/y", "x": {"y": {"type": 5}}}, "is no JSON Schema: at $.type: 5"),
        ({"$schema": "https://example.com/mine"}, 'its $schema is not known: "https://example.com/mine"'),
        ({"$schema": 5}, "its $schema is not known: 5"),
        ({"$ref": "#"}, "refers to itself without end"),
    ],
)
def test_what_is_no_schema_is_refused_before_anything_is_sent(tmp_path: Path, schema: Any, what: str) -> None:
    path = written(tmp_path, json.dumps(schema))
    with pytest.raises(UsageError) as refused:
        load_schema(path)
    assert refused.value.where == str(path)
    assert what in refused.value.what
    assert refused.value.hint


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is no JSON Schema: it is empty"),
        (b'{"type":\n oops}', "is no JSON Schema: not JSON: Expecting value at line 2, column 2"),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 8"),
        (b" " * (MOST_BYTES + 1), "is longer than 4 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_as_json_is_refused(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_schema(written(tmp_path, data))
    assert refused.value.what == what


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json: cannot be read: No such file"):
        load_schema(tmp_path / "none.json")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load_schema(tmp_path)
