"""A saved call: everything there is of it, in Markdown that nothing of a model's can break out of."""

import re

import pytest

from tests.core.call_story import Story, at
from tui.core.call_text import call_markdown, take
from tui.core.calls import State, TextKind
from tui.core.facts import HeadersCame, Queued, TextCame, ToolNamed
from tui.core.full_call import full_call
from tui.core.snapshot import FullCall
from tui.core.untrusted import clean

HOSTILE = "a\x1b]52;c;aGk=\x07\x9b31m\u202eb\u2028c\ttab\nnext"


def full_of(story: Story, now: float = 10_000) -> FullCall:
    return full_call(story.ledger, story.ledger.calls[1], at(now))


def saved(story: Story) -> str:
    return call_markdown(take(story.ledger.calls[1], full_of(story)), None)


def told(prompt: str, *pieces: tuple[TextKind, str], choice: int = 0) -> Story:
    story = Story()
    story.tell(Queued(1, at(0), at(0), "m", prompt))
    story.sent(10)
    for index, (kind, text) in enumerate(pieces):
        story.text(100 + 10 * index, text, kind=kind, choice=choice)
    return story


def row(document: str, name: str) -> str:
    match = re.search(rf"^\| {name} \| (.*) \|$", document, re.MULTILINE)
    assert match is not None
    return match[1]


def test_a_saved_call_has_its_prompt_its_answer_its_figures_and_its_attempts() -> None:
    story = Story()
    story.whole_call()
    document = saved(story)
    assert document.startswith("# Call 1: done\n\n- model: m\n- finish reason: stop\n\n## Prompt\n\n")
    assert "## Prompt\n\n```text\nName a river.\n```\n" in document
    assert "## Answer\n\n```text\nword word word word word \n```\n" in document
    assert (row(document, "queue"), row(document, "TTFT")) == ("10 ms", "100 ms")
    assert (row(document, "tokens"), row(document, "tokens/s"), row(document, "chunks")) == ("5", "10", "5")
    assert (row(document, "prompt tokens"), row(document, "largest gap"), row(document, "cost")) == (
        "10",
        "100 ms",
        "?",
    )
    assert "2.0 ms | 50 ms | 100 ms | 500 ms | 510 ms | 200 | req-1 | — |" in document
    assert document.endswith("|\n\n## Request\n\nIt is no longer in memory; the record has it.\n")


def test_the_parts_of_an_answer_have_sections_of_their_own_and_the_answer_is_first() -> None:
    story = told(
        "p",
        (TextKind.REASONING, "hm"),
        (TextKind.CONTENT, "yes"),
        (TextKind.TOOL, '{"a": 1}'),
        (TextKind.REFUSAL, "no"),
    )
    story.tell(ToolNamed(1, at(200), 0, 0, "id_7", "look*up"), ToolNamed(1, at(200), 0, 1, "id_8", "bare"))
    titles = re.findall(r"^## (.*)$", saved(story), re.MULTILINE)
    assert titles == [
        "Prompt", "Answer", "Reasoning", "Refusal", r"Tool call 1: look\*up (id\_7)", r"Tool call 2: bare (id\_8)",
        "Figures", "Attempts", "Request",
    ]  # fmt: skip


def test_further_choices_are_saved_too() -> None:
    story = told("p", (TextKind.CONTENT, "first"))
    story.text(300, "second", choice=1)
    document = saved(story)
    assert "## Answer, choice 1\n\n```text\nfirst\n```" in document
    assert "## Answer, choice 2\n\n```text\nsecond\n```" in document


@pytest.mark.parametrize("ticks", range(1, 9))
def test_no_text_ends_its_fence(ticks: int) -> None:
    text = f"x\n{'`' * ticks}\n# not a heading\n```` `` `"
    fence = "`" * max(5, ticks + 1)
    for document in (saved(told("p", (TextKind.CONTENT, text))), saved(told(text))):
        assert f"{fence}text\n{text}\n{fence}\n" in document


def test_texts_are_as_safe_as_on_the_screen() -> None:
    story = told(HOSTILE, (TextKind.CONTENT, HOSTILE), (TextKind.REASONING, HOSTILE))
    story.attempt_ended(300, HOSTILE)
    story.finished(300, State.FAILED, HOSTILE)
    document = saved(story)
    assert clean(document) == document
    assert document.count("a�]52;c;aGk=��31m�b�c\ttab\nnext") == 3


def test_an_error_is_no_markup_and_stays_in_its_cell() -> None:
    story = told("p")
    story.attempt_ended(300, "a | b ![x](http://evil) <img> `c`\n# d")
    story.finished(300, State.FAILED, "gave *up*")
    document = saved(story)
    assert document.startswith("# Call 1: failed\n")
    assert r"- error: gave \*up\*" in document
    assert r"a \| b !\[x\](http://evil) \<img\> \`c\` # d |" in document


def test_every_attempt_has_its_row() -> None:
    story = told("p")
    story.headers(50, status=503)
    story.attempt_ended(60, "busy")
    story.backed_off(60, 500)
    story.sent(500)
    story.text(600)
    story.attempt_ended(700)
    story.finished(700)
    rows = [line for line in saved(story).splitlines() if re.match(r"\| [12] \|", line)]
    assert len(rows) == 2
    assert rows[0].endswith("| 503 | req-1 | busy |")
    assert rows[1].endswith("| — | — | — |")


def test_a_call_that_was_never_sent_says_so() -> None:
    story = Story()
    story.queued(0, warmup=True)
    story.finished(5, State.CANCELLED, "cancelled")
    document = saved(story)
    assert "## Answer\n\nNothing was sent.\n" in document
    assert "warm-up" in document
    assert "## Attempts" not in document


def test_an_attempt_without_text_says_so() -> None:
    assert "## Answer\n\nNo text came.\n" in saved(told("p"))


def test_a_text_that_is_in_the_record_only_is_not_taken_for_none() -> None:
    story = Story()
    story.whole_call()
    story.ledger.calls[1].attempts[0].forget_text()
    assert "Its text is no longer in memory; the record has it." in saved(story)


def test_estimates_are_marked_and_a_stream_that_was_held_back_is_warned_of() -> None:
    story = told("p")
    story.text(4000, "word " * 200)
    story.attempt_ended(4000)
    document = saved(story)
    assert row(document, "tokens") == "~250"
    assert "**Buffered upstream:** \\~250 tokens came in one piece after 3.99 s" in document


def test_the_request_and_what_the_server_said_of_itself_are_there_in_fences() -> None:
    story = told("p")
    story.tell(HeadersCame(1, at(50), 200, "req", (("x-region", "```eu"), ("set-cookie", "***"))))
    document = call_markdown(take(story.ledger.calls[1], full_of(story)), "curl -N 'http://h' \\\n  --data-raw '```'")
    assert "## Response headers of attempt 1\n\n````text\nx-region: ```eu\nset-cookie: ***\n````\n" in document
    assert document.endswith("## Request\n\n````text\ncurl -N 'http://h' \\\n  --data-raw '```'\n````\n")


def test_what_was_taken_stays_as_it_was_while_the_call_goes_on() -> None:
    story = told("p", (TextKind.CONTENT, "as it was"))
    taken = take(story.ledger.calls[1], full_of(story))
    before = call_markdown(taken, None)
    story.tell(TextCame(1, at(200), TextKind.CONTENT, ", and more"), ToolNamed(1, at(201), 0, 0, "id", "name"))
    story.ledger.calls[1].attempts[0].forget_text()
    assert call_markdown(taken, None) == before
    assert "as it was\n" in before


def test_a_text_that_is_cleaned_in_slices_is_as_long_and_as_clean_as_at_once() -> None:
    text = ("word \x1b[31m漢` " * 20_000)[:150_001]
    document = saved(told("p", (TextKind.CONTENT, text)))
    assert f"```text\n{clean(text)}\n```\n" in document
