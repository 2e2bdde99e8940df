"""What is wrong with a corpus or its prompt is said before anything is sent, with what to do about it."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tui.core.errors import UsageError
from tui.files import corpus
from tui.files.corpus import CorpusPlan, check_corpus


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.md").write_text("x")
    Path("rows.jsonl").write_text('not JSON\n{"id": 1, "text": "x", "author": "Ada"}\n{"other": 1}\n')
    Path("rows.csv").write_text('key,body\n1,"x\ny"\n')
    Path("empty.csv").write_text("key,body\n")
    Path("folder").mkdir()
    os.mkfifo("pipe")


@pytest.mark.parametrize(
    ("inputs", "changes"),
    [
        (["a.md", "folder", "rows.jsonl"], {}),
        (["rows.jsonl"], {"prompt": "{text} {author} {id} {name}", "id_field": "id"}),
        (["rows.jsonl"], {"prompt": "write about {author}", "field": "nothing"}),
        (["rows.csv"], {"field": "body", "prompt": "{text} {body} {key}", "id_field": "key"}),
        (["empty.csv"], {"prompt": "{whatever}"}),  # it has no documents, which is said later
        (["folder"], {"globs": ("**/*.jsonl",), "prompt": "{author}"}),
    ],
)
def test_what_can_be_read_passes(inputs: list[str], changes: dict[str, Any]) -> None:
    check_corpus(CorpusPlan(inputs=tuple(inputs), **changes))


@pytest.mark.parametrize(
    ("inputs", "changes", "message"),
    [
        ([], {}, "documents: none are named"),
        (["-", "-"], {}, "-: is named twice, and stdin can be read once"),
        (["a.md", "gone.md"], {}, "gone.md: cannot be read: No such file or directory"),
        (["go\x1bne.md"], {}, "go\ufffdne.md: cannot be read: No such file or directory"),
        (["a\0b"], {}, "a\ufffdb: cannot be read: "),
        (["pipe"], {}, "pipe: is not a regular file"),
        (["a.md"], {"prompt": "{text"}, "--prompt: the { at line 1, column 1 has no } after it"),
        (["a.md"], {"prompt": "{author}", "prompt_from": "p.txt"}, "p.txt: {author} is not known"),
        (["folder"], {"prompt": "{author}"}, "--prompt: {author} is not known"),
        (["rows.jsonl", "a.md"], {"prompt": "{text} {author}"}, "--prompt: {author} is not known"),
        (["a.md"], {"prompt": "summarise"}, "--prompt: has no {text}"),
        (["rows.jsonl"], {"prompt": "summarise"}, "--prompt: names nothing of the document"),
        (["rows.jsonl"], {"prompt": "{other}"}, "--prompt: {other} is not known"),
        (["rows.jsonl"], {"field": "body"}, '--field: "body" is no field of rows.jsonl'),
        (["rows.csv"], {}, '--field: "text" is no field of rows.csv'),
        (["rows.csv"], {"field": "body", "id_field": "id"}, '--id-field: "id" is no field of rows.csv'),
        (["a.md"], {"max_input_tokens": 0}, "--max-input-tokens: must be 1 or more"),
        (["a.md"], {"globs": ("/x",)}, '--glob: "/x" leads out of the folder'),
        (["a.md"], {"prompt": "{text}\udcff", "prompt_from": "p.txt"}, "p.txt: is not UTF-8"),
        (["a.md"], {"system": "\udcff"}, "--system: is not UTF-8"),
    ],
)
def test_what_cannot_be_is_a_usage_error(inputs: list[str], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_corpus(CorpusPlan(inputs=tuple(inputs), **changes))
    assert str(raised.value).startswith(message)
    assert raised.value.hint


def test_the_fields_there_are_are_named() -> None:
    with pytest.raises(UsageError) as raised:
        check_corpus(CorpusPlan(inputs=("rows.jsonl",), field="body"))
    assert raised.value.hint == "it has author, id, text; name the one that holds the text"


@pytest.mark.parametrize("function", ["open", "scandir"])
def test_what_may_not_be_read_is_a_usage_error(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, function, refused)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        check_corpus(CorpusPlan(inputs=("folder" if function == "scandir" else "a.md",)))


def test_a_terminal_is_no_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    for stdin in (terminal, None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="nothing is piped into stdin"):
            check_corpus(CorpusPlan(inputs=("-",)))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    check_corpus(CorpusPlan(inputs=("-",), prompt="{anything}"))


def test_a_huge_file_is_not_read_through(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("huge.jsonl").write_text("nothing\n" * (corpus._LOOKED_AT + 10))
    reads = 0
    rows_of = corpus.rows_of

    def counting(*arguments: Any) -> Any:
        nonlocal reads
        for row in rows_of(*arguments):
            reads += 1
            yield row

    monkeypatch.setattr(corpus, "rows_of", counting)
    check_corpus(CorpusPlan(inputs=("huge.jsonl",)))
    check_corpus(CorpusPlan(inputs=("rows.jsonl",)))
    assert reads == corpus._LOOKED_AT + 2
