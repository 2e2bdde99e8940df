"""A prompt's places are filled with what a document has, and nothing in it is ever evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import UsageError
from tui.core.template import Template

VALUES = {"text": "the text", "name": "a.md", "first name": "Ada", "0": "nought"}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("", ""),
        ("no places", "no places"),
        ("{text}", "the text"),
        ("{name}: {text}\n{text}", "a.md: the text\nthe text"),
        ("{first name}{0}", "Adanought"),
        ('{{"a": "{name}"}}', '{"a": "a.md"}'),
        ("{{{name}}}", "{a.md}"),
        ("{{{{text}}}}", "{{text}}"),
        ("}}{{", "}{"),
    ],
)
def test_places_are_filled_and_doubled_braces_are_braces(template: str, rendered: str) -> None:
    assert Template.parse(template, "--prompt").render(VALUES) == rendered


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("a {text", "the { at line 1, column 3 has no } after it"),
        ("{", "the { at line 1, column 1 has no } after it"),
        ("{text}\n }", "the } at line 2, column 2 has no { before it"),
        ("{te{xt}", "the { at line 1, column 1 has no } after it"),
        ("{text}}", "the } at line 1, column 7 has no { before it"),
        ("x{}", "the {} at line 1, column 2 names nothing"),
    ],
)
def test_a_brace_that_is_none_of_ours_is_named_with_its_place(template: str, what: str) -> None:
    with pytest.raises(UsageError) as raised:
        Template.parse(template, "p.txt")
    assert (raised.value.where, raised.value.what) == ("p.txt", what)
    assert "{{" in raised.value.hint


@pytest.mark.parametrize(
    "name", ["text.__class__", "text[0]", "text!r", "text:>999999999", " text ", "\x1b[31m\n", '"a": 1']
)
def test_what_is_no_name_is_an_unknown_name_and_is_not_evaluated(name: str) -> None:
    template = Template.parse(f"{{{name}}}", "--prompt")
    with pytest.raises(UsageError, match="is not known") as raised:
        template.check(frozenset({"text", "id"}), "--prompt")
    assert "{id}, {text}" in raised.value.hint
    assert "\x1b" not in str(raised.value)
    with pytest.raises(KeyError):
        template.render({"text": "x"})


def test_a_known_name_passes() -> None:
    template = Template.parse("{text} by {author}", "--prompt")
    template.check(frozenset({"text", "author", "more"}), "--prompt")
    assert template.names == {"text", "author"}


def test_braces_in_a_value_are_text() -> None:
    assert Template.parse("{text}", "--prompt").render({"text": "{name} {{ }"}) == "{name} {{ }"


@given(st.text(), st.text())
def test_any_text_survives_when_its_braces_are_doubled(before: str, value: str) -> None:
    escaped = before.replace("{", "{{").replace("}", "}}")
    template = Template.parse(escaped + "{text}" + escaped, "--prompt")
    assert template.render({"text": value}) == before + value + before


@given(st.text(alphabet="{}ab\n", max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        template = Template.parse(text, "--prompt")
    except UsageError:
        return
    rendered = template.render(dict.fromkeys(template.names, ""))
    assert len(rendered) <= len(text)
