"""Every document comes in its place, and one that is wrong is a document with an error."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from tui.core.errors import UsageError
from tui.core.template import Template
from tui.files.corpus import CorpusPlan
from tui.files.corpus_documents import documents
from tui.files.corpus_text import Document


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(*inputs: str, stdin: bytes = b"", **changes: Any) -> list[Document]:
    plan = CorpusPlan(inputs=inputs, **changes)
    return list(documents(plan, Template.parse(plan.prompt, "--prompt"), io.BytesIO(stdin)))


def row(content: str, **changes: Any) -> Document:
    (document,) = found("-", stdin=content.encode(), **changes)
    return document


def test_documents_come_in_the_order_of_the_input() -> None:
    Path("folder/sub").mkdir(parents=True)
    for name in ("z.html", "folder/b.md", "folder/a.txt", "folder/sub/c.rst", "folder/sub/d.py"):
        Path(name).write_text(f"text of {name}")
    Path("rows.JSONL").write_text('{"text": "one"}\n\n{"text": "two", "id": "2"}\n')
    Path("rows.csv").write_text('text\n"three\n3"\nfour\n')
    all_of_them = found("z.html", "-", "folder/", "rows.csv", "rows.JSONL", "z.html", stdin=b'{"text": "five"}')
    assert [(each.source, each.id, each.text) for each in all_of_them] == [
        ("z.html", "z.html", "text of z.html"),
        ("stdin:1", "stdin:1", "five"),
        ("folder/a.txt", "folder/a.txt", "text of folder/a.txt"),
        ("folder/b.md", "folder/b.md", "text of folder/b.md"),
        ("folder/sub/c.rst", "folder/sub/c.rst", "text of folder/sub/c.rst"),
        ("rows.csv:2", "rows.csv:2", "three\n3"),
        ("rows.csv:4", "rows.csv:4", "four"),
        ("rows.JSONL:1", "rows.JSONL:1", "one"),
        ("rows.JSONL:3", "2", "two"),
        ("z.html", "z.html", "text of z.html"),
    ]
    assert all_of_them[3].values == {"name": "b.md", "id": "folder/b.md"}


def test_a_file_that_cannot_be_read_is_a_document_with_an_error() -> None:
    Path("a.md").write_bytes(b"caf\xe9")
    Path("b.md").write_text("fine")
    Path(os.fsdecode(b"c\xff.md")).symlink_to("nowhere")
    assert [(each.id, each.error) for each in found(".", "gone.md", "gone.csv")] == [
        ("a.md", "is not UTF-8 at byte 4"),
        ("b.md", None),
        ("c\ufffd.md", "cannot be read: No such file or directory"),
        ("gone.md", "cannot be read: No such file or directory"),
        ("gone.csv", "cannot be read: No such file or directory"),
    ]


def test_a_folder_that_cannot_be_read_is_a_document_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("folder").mkdir()

    def refused(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    (document,) = found("folder")
    assert (document.id, document.error) == ("folder", "this folder cannot be read: Permission denied")


ALL = "{text} {author} {name} {id}"


def test_a_row_has_its_fields_and_those_of_its_own_come_first() -> None:
    own = row('{"text": "x", "author": "Ada", "id": 7, "more": 1}', prompt=ALL)
    assert (own.id, own.values) == ("7", {"name": "7", "id": "7", "author": "Ada"})
    named = row('{"text": "x", "author": "Ada", "id": 7, "key": "k", "name": "N"}', prompt=ALL, id_field="key")
    assert (named.id, named.values) == ("k", {"name": "N", "id": "7", "author": "Ada"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('"{x}"', "{x}"),
        ("1.5", "1.5"),
        ("12345678901234567890", "12345678901234567890"),
        ("true", "true"),
        ('["é", {"a": null}]', '["é",{"a":null}]'),
        ('""', ""),
    ],
)
def test_a_field_is_text_or_else_as_json(value: str, shown: str) -> None:
    assert row(f'{{"text": "x", "author": {value}}}', prompt="{text} {author}").values["author"] == shown


@pytest.mark.parametrize(
    ("content", "changes", "id", "error"),
    [
        ('{"id": "a", "text": 5}', {}, "a", 'its field "text" must be text, not a number'),
        ('{"id": "a", "text": null}', {}, "a", 'its field "text" must be text, not null'),
        ('{"id": "a", "text": ["x"]}', {}, "a", 'its field "text" must be text, not a list'),
        ('{"id": "a", "text": "x", "author": null}', {"prompt": "{text}{author}"}, "a", 'its field "author" is null'),
        (
            '{"text": "x", "k": true}',
            {"id_field": "k"},
            "stdin:1",
            'its field "k" must be text or a number, not true or false',
        ),
        ('{"text": "x", "k": ""}', {"id_field": "k"}, "stdin:1", 'its field "k" is empty'),
        ('{"text": "x", "k": null}', {"id_field": "k"}, "stdin:1", 'its field "k" must be text or a number, not null'),
        ("x", {}, "stdin:1", "is not JSON: JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_a_row_that_lacks_something_is_an_error_of_its_own(
    content: str, changes: dict[str, Any], id: str, error: str
) -> None:
    document = row(content, **changes)
    assert (document.id, document.source, document.error) == (id, "stdin:1", error)


def test_a_later_row_that_lacks_a_field_is_an_error_of_its_own() -> None:
    rows = b'{"text": "x", "a": 1, "k": 1}\n{"text": "x", "k": 2}\n{"a": 1, "k": 3}\n{"text": "x", "a": 1}\n'
    wrong = [each.error for each in found("-", stdin=rows, prompt="{text}{a}", id_field="k")]
    assert wrong == [None, 'has no field "a"', 'has no field "text"', 'has no field "k"']


def test_a_prompt_that_does_not_name_the_text_needs_none() -> None:
    document = row('{"topic": "weirs"}', prompt="{topic}")
    assert (document.text, document.values["topic"], document.error) == (None, "weirs", None)


@pytest.mark.parametrize(
    ("id", "shown"), [('"a  b"', "a  b"), ('"\\u001b[31m\\n"', "�[31m�"), ('""', "stdin:1"), ("1.5", "stdin:1")]
)
def test_an_id_is_kept_as_it_is_if_it_can_be_shown(id: str, shown: str) -> None:
    assert row(f'{{"text": "x", "id": {id}}}').id == shown


def test_stdin_is_checked_before_the_first_document_of_all() -> None:
    Path("a.md").write_text("x")
    plan = CorpusPlan(inputs=("a.md", "-"), prompt="{text} {author}")
    rows = documents(plan, Template.parse(plan.prompt, "--prompt"), io.BytesIO(b'nonsense\n{"text": "x"}'))
    with pytest.raises(UsageError, match="author} is not known"):
        next(rows)


def test_the_rows_that_were_looked_at_are_not_lost() -> None:
    rows = b"nonsense\n" * 3 + b'{"text": "x"}\n' * 3
    assert [each.source for each in found("-", stdin=rows)] == [f"stdin:{line}" for line in range(1, 7)]
    assert len(found("-", stdin=b"nonsense\n" * 500)) == 500
