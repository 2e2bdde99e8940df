"""A document becomes the messages of its calls, and what was done to it on the way is said."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from tui.core.documents import Prepared
from tui.core.template import Template
from tui.files import corpus_prepare
from tui.files.corpus import CorpusPlan
from tui.files.corpus_prepare import Preparer
from tui.files.corpus_text import Document
from tui.files.token_counter import TokenCounter

LONG = " ".join(f"Sentence {n} is about the weir." for n in range(100))
COUNTER = TokenCounter(None)
"""Four characters a token."""


def prepared(text: str | None, values: Mapping[str, str] = {}, **changes: Any) -> Prepared:
    plan = CorpusPlan(inputs=("a.md",), **{"prompt": "About {name}: {text}", **changes})
    counting = plan.count_tokens or plan.max_input_tokens is not None
    preparer = Preparer(plan, Template.parse(plan.prompt, "--prompt"), COUNTER if counting else None)
    values = {"name": "a.md", "id": "a.md", **values}
    return preparer.prepare(3, Document(id="a.md", source="a.md", text=text, values=values))


def test_a_document_is_asked_about_whole() -> None:
    assert prepared("été", system="Be brief {text}.") == Prepared(
        number=3,
        id="a.md",
        source="a.md",
        hash=hashlib.sha256("été".encode()).hexdigest(),
        asks=(({"role": "system", "content": "Be brief {text}."}, {"role": "user", "content": "About a.md: été"}),),
    )


def test_tokens_are_counted_when_asked_for() -> None:
    document = prepared("x" * 400, count_tokens=True)
    assert document.document_tokens == 100
    assert document.tokens == (COUNTER.prompt_tokens(document.asks[0]),)
    assert document.tokens[0] > 100


def test_a_long_document_is_cut_and_says_how_much() -> None:
    document = prepared(LONG, max_input_tokens=200)
    content = document.asks[0][0]["content"].removeprefix("About a.md: ")
    assert LONG.startswith(content)
    assert content.endswith("weir. ")
    assert 160 < COUNTER.count(content) <= 200
    assert document.document_tokens == COUNTER.count(LONG)
    assert document.cut_tokens == COUNTER.count(LONG) - COUNTER.count(content)
    assert document.hash == prepared(LONG).hash


def test_a_long_document_is_split_and_no_part_of_it_is_lost() -> None:
    document = prepared(LONG, max_input_tokens=200, long="split")
    texts = [ask[0]["content"].removeprefix("About a.md: ") for ask in document.asks]
    assert "".join(texts) == LONG
    assert len(texts) == len(document.tokens) == 5
    assert max(map(COUNTER.count, texts)) <= 200
    assert document.cut_tokens == 0


def test_a_long_document_may_be_refused() -> None:
    document = prepared(LONG, max_input_tokens=200, long="refuse")
    assert document.error == "has 773 tokens, where --max-input-tokens allows 200"
    assert document.asks == ()
    assert prepared(LONG, max_input_tokens=773, long="refuse").error is None


def test_only_the_text_is_shortened_by_whichever_name_it_is_called() -> None:
    document = prepared(LONG, {"title": LONG}, prompt="{title}|{text}|{body}", field="body", max_input_tokens=200)
    title, text, body = document.asks[0][0]["content"].split("|")
    assert title == LONG
    assert text == body
    assert COUNTER.count(text) <= 200


def test_the_field_of_rows_does_not_rename_what_a_file_has() -> None:
    assert prepared("x", field="name").asks[0][0]["content"] == "About a.md: x"


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_document_is_an_error_unless_nobody_wants_its_text(text: str) -> None:
    assert prepared(text).error == "is empty"
    assert prepared(text, prompt="{name}").error is None


def test_a_row_without_a_text_is_known_by_what_is_asked() -> None:
    one, two = (prepared(None, {"topic": topic}, prompt="About {topic}") for topic in ("weirs", "dams"))
    assert one.hash == hashlib.sha256(b"About weirs").hexdigest() != two.hash
    assert prepared(None, {"topic": "x"}, prompt="{topic}", max_input_tokens=5).document_tokens is None


def test_absurdly_many_requests_are_an_error_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_prepare, "MAX_PARTS", 10)
    document = prepared(LONG, max_input_tokens=20, long="split")
    assert document.error == "has 773 tokens: too many for 10 parts"
    assert document.hash == prepared(LONG).hash
    monkeypatch.setattr(corpus_prepare, "MAX_ASKED_CHARS", 10_000)
    assert prepared(LONG).error is None
    assert prepared(LONG, prompt="{text}" * 4).error == f"would be asked about with {len(LONG) * 4:,} characters"


def test_what_could_not_be_read_keeps_its_error() -> None:
    plan = CorpusPlan(inputs=("a.md",))
    document = Document(id="a", source="b", error="is not UTF-8 at byte 3")
    preparer = Preparer(plan, Template.parse(plan.prompt, "--prompt"), None)
    assert preparer.prepare(1, document) == Prepared(number=1, id="a", source="b", error="is not UTF-8 at byte 3")
