"""An error on record says what went wrong, and nothing of what was asked."""

import pytest

from tui.core.calls import CallPlan
from tui.core.unprompted import asked_texts, without_prompt

LONG = "Please summarise the diagnosis of\npatient Jane Doe, born 1970."


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (f"HTTP 400: bad prompt: {LONG}", "HTTP 400: bad prompt: …"),
        (f"HTTP 400: bad prompt: {' '.join(LONG.split())} (sorry)", "HTTP 400: bad prompt: …"),
        ('HTTP 400: {"got": "of\\npatient Jane Doe, born"}', 'HTTP 400: {"got": "…'),
        ("HTTP 400: near 'the diagnosis of'", "HTTP 400: near 'the diagnosis of'"),  # below a window
        ("HTTP 400: near 'e the diagnosis of\npat'", "HTTP 400: near '…"),
        ("HTTP 503: busy", "HTTP 503: busy"),
        ("", ""),
    ],
)
def test_an_error_ends_where_it_quotes_a_long_prompt(error: str, kept: str) -> None:
    assert without_prompt(error, [LONG]) == kept


def test_a_short_prompt_is_found_at_whole_words_only() -> None:
    assert without_prompt("HTTP 400: bad: hi there", ["hi"]) == "HTTP 400: bad: …"
    assert without_prompt("HTTP 400: this thing", ["hi", "", "40"]) == "HTTP 400: this thing"


def test_it_ends_at_the_first_of_several_quotations() -> None:
    assert without_prompt("one, two and three", ["three", "two"]) == "one, …"


def test_the_texts_of_a_request_are_its_messages_and_long_parameters() -> None:
    tool = "Looks up a patient's own number"
    asked = CallPlan(
        1,
        "m",
        (
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": "data:"}]},
        ),
        {"stop": "short", "tools": [{"description": tool}], "n": 2},
    )
    assert asked_texts(asked) == ["be brief", "see", "data:", tool]
