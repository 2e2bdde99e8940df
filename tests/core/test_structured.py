"""What counts as a JSON answer, what is said of one that is none, and how it is asked for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.structured import (
    NAME_CHARS,
    QUOTED_CHARS,
    NotJson,
    asked_again,
    instruction_for,
    is_strict,
    judge_json,
    params_for,
    parse_answer,
    quoted,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON_VALUES, around=st.text(" \t\r\n", max_size=4), fence=st.sampled_from(["", "```json\n", "```\n"]))
def test_any_json_is_read_with_blanks_and_one_fence_around_it(value: Any, around: str, fence: str) -> None:
    text = f"{around}{fence}{json.dumps(value, indent=1)}{chr(10) + '```' if fence else ''}{around}"
    assert parse_answer(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("```json\n```", "it is empty"),
        ("Sure! Here it is: {}", "not JSON: Expecting value at line 1, column 1"),
        ("{}\nI hope this helps!", "not JSON: Extra data at line 2, column 1"),
        ("```json\n{}\n```\nEnjoy!", "not JSON: Expecting value at line 1, column 1"),
        ("<think>hm</think>{}", "not JSON: Expecting value at line 1, column 1"),
        ('{"a": 1,\n "b": ', "not JSON: Expecting value at line 2, column 6"),
        ("{'a': 1}", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        ('{"a": NaN}', "not JSON: NaN is no number"),
        ("[-Infinity]", "not JSON: -Infinity is no number"),
        ("[1e999]", "it holds a number that is too large"),
        (f"[{'9' * 5_000}]", "it holds a number with too many digits"),
        ('{"a": {"b": 1, "b": 2}}', "an object in it has the same name twice"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_whatever_else_it_is_is_refused_with_the_place(text: str, why: str) -> None:
    with pytest.raises(NotJson) as refused:
        parse_answer(text)
    assert str(refused.value) == why
    assert judge_json(text) == why


@pytest.mark.parametrize(
    ("text", "accepted"), [("{}", True), (" [1]\n", True), ("42", False), ('"no"', False), ("null", False)]
)
def test_json_mode_wants_an_object_or_a_list(text: str, accepted: bool) -> None:
    assert (judge_json(text) is None) is accepted


def test_a_quoted_value_is_short() -> None:
    assert quoted({"ü": None}) == '{"ü": null}'
    assert len(quoted("x" * 1_000)) == QUOTED_CHARS


# ── asking ─────────────────────────────────────────────────────────────────────────────────────────────

ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "price": {"type": ["number", "null"]}},
    "required": ["name", "price"],
    "additionalProperties": False,
}


def test_json_mode_asks_for_an_object() -> None:
    assert params_for(None) == {"response_format": {"type": "json_object"}}


def test_a_schema_goes_along_under_its_title() -> None:
    form = params_for({**ITEM, "title": "Order, line (v2)"})["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"] == {
        "name": "Order_line_v2",
        "schema": {**ITEM, "title": "Order, line (v2)"},
        "strict": True,
    }


@pytest.mark.parametrize("title", [None, 7, "", "…", "x" * 200])
def test_a_name_is_one_that_the_api_takes(title: Any) -> None:
    name = params_for({"title": title})["response_format"]["json_schema"]["name"]
    assert 1 <= len(name) <= NAME_CHARS
    assert name.replace("_", "").replace("-", "").isalnum()


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": ITEM},
        {"anyOf": [ITEM]},
        {**ITEM, "required": ["name"]},
        {**ITEM, "additionalProperties": True},
        {name: value for name, value in ITEM.items() if name != "additionalProperties"},
        {**ITEM, "allOf": [{}]},
        {**ITEM, "properties": {"name": {"type": "string", "minLength": 1}, "price": {"type": "number"}}},
        {**ITEM, "properties": {"name": {"type": "string", "format": "iri"}, "price": {"type": "number"}}},
        {**ITEM, "properties": {"name": {}, "price": {"type": "number"}}},
        {**ITEM, "properties": {"name": {"type": "array"}, "price": {"type": "number"}}},
        {**ITEM, "properties": {"name": {"$ref": "#", "title": "x"}, "price": {"type": "number"}}},
        {**ITEM, "properties": {"name": True, "price": {"type": "number"}}},
        {**ITEM, "$defs": {"open": {"type": "object"}}},
    ],
)
def test_what_goes_beyond_strict_rules_is_sent_without_the_switch(schema: dict[str, Any]) -> None:
    assert is_strict(ITEM)
    assert not is_strict(schema)
    assert "strict" not in params_for(schema)["response_format"]["json_schema"]


def test_strict_rules_hold_inside_lists_references_and_choices() -> None:
    nested = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
            "best": {"anyOf": [{"$ref": "#/$defs/item"}, {"type": "null"}]},
        },
        "required": ["best", "items"],
        "additionalProperties": False,
        "$defs": {"item": ITEM},
    }
    assert is_strict(nested)
    assert not is_strict({**nested, "$defs": {"item": {**ITEM, "required": []}}})


@pytest.mark.parametrize(("levels", "strict"), [(9, True), (10, False)])
def test_strict_schemas_have_ten_levels_at_most(levels: int, strict: bool) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}
    assert is_strict(schema) is strict


def test_in_words_it_says_json_and_the_schema() -> None:
    assert "JSON" in instruction_for(None)
    assert json.dumps(ITEM) in instruction_for(ITEM)


def test_it_is_asked_again_with_the_answer_and_what_is_wrong_with_it() -> None:
    first = ({"role": "system", "content": "s"}, {"role": "user", "content": "u"})
    again = asked_again(first, "{oops", "not JSON: x")
    assert again[:2] == first
    assert again[2] == {"role": "assistant", "content": "{oops"}
    assert again[3]["role"] == "user"
    assert "not JSON: x" in again[3]["content"]


def test_an_empty_answer_is_asked_for_again_as_it_was() -> None:
    first = ({"role": "user", "content": "u"},)
    assert asked_again(first, " \n", "it is empty") == first
