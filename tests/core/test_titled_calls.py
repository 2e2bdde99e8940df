"""A call that has a title is called by it in every list; its prompt stays what it is, and both can be searched for."""

import pytest
from call_story import Story, at

from tui.core.call_figures import prompt_head
from tui.core.call_text import call_markdown, take
from tui.core.commands import Watch
from tui.core.facts import Queued
from tui.core.full_call import full_call
from tui.core.picture import Painter, RunCard
from tui.core.query import QueryError, parse
from tui.core.secrets import Mask, Secret

PROMPT = "Summarise the document:\n\nWater."
TITLES = ("notes/river.md", "notes/Lake [1].md · 2/5", "")


def a_batch() -> Story:
    story = Story()
    for call, title in enumerate(TITLES, start=1):
        story.tell(Queued(call, at(0), at(0), "m", PROMPT, title=title))
    return story


def test_lists_show_the_title_else_the_start_of_the_prompt() -> None:
    painter = Painter(a_batch().ledger, RunCard("batch", "m", "host/v1"))
    pictures = {
        view: painter.picture(Watch(view=view, everything=True), at(100)) for view in ("wall", "table", "waterfall")
    }
    expected = [*TITLES[:2], "Summarise the document: Water."]
    assert [pane.prompt for pane in pictures["wall"].panes] == expected
    assert [row.prompt for row in pictures["table"].rows] == expected
    assert [bar.prompt for bar in pictures["waterfall"].bars] == expected


def test_the_open_call_has_its_whole_prompt() -> None:
    ledger = a_batch().ledger
    full = full_call(ledger, ledger.calls[1], at(100))
    assert (full.pane.prompt, full.prompt) == ("notes/river.md", PROMPT)


def test_a_secret_in_a_title_is_hidden() -> None:
    story = Story()
    story.tell(Queued(1, at(0), at(0), "m", PROMPT, title="runs/sk-very-secret-12345/a.md"))
    assert "very-secret" not in prompt_head(story.ledger.calls[1], Mask([Secret("sk-very-secret-12345")]))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("river", [1]),
        ("lake", [2]),
        ("water", [1, 2, 3]),
        ("doc:notes/", [1, 2]),
        ("doc:river,lake", [1, 2]),
        ("doc=notes/river.md", [1]),
        ("-doc:river", [2, 3]),
        ("doc:*", [1, 2]),
        ("title:lake", [2]),
        ("document:lake", [2]),
        ("prompt:lake", []),
        ("prompt:summarise", [1, 2, 3]),
    ],
)
def test_words_are_looked_for_in_titles_too(typed: str, found: list[int]) -> None:
    ledger = a_batch().ledger
    query = parse(typed)
    assert [call for call in ledger.order if query.matches(ledger, ledger.calls[call], at(100))] == found


def test_documents_have_no_more_or_less() -> None:
    with pytest.raises(QueryError, match="doc has no more or less"):
        parse("doc>3")


def test_a_saved_call_names_its_document() -> None:
    ledger = a_batch().ledger
    saved = [call_markdown(take(ledger.calls[n], full_call(ledger, ledger.calls[n], at(100))), None) for n in (1, 2, 3)]
    assert "\n- document: notes/river.md\n- model: m\n" in saved[0]
    assert "\n- document: notes/Lake \\[1\\].md · 2/5\n" in saved[1]
    assert "- document" not in saved[2]
    assert PROMPT in saved[0]
