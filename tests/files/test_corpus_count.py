"""As many documents are counted as are found, whatever is wrong with some of them."""

import io
from pathlib import Path

import pytest

from tui.core.template import Template
from tui.files.corpus import CorpusPlan
from tui.files.corpus_count import count_documents
from tui.files.corpus_documents import documents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a.md").write_text("one")
    (tmp_path / "deep" / "er" / "b.md").write_bytes(b"\xff not UTF-8")
    (tmp_path / "deep" / "c.py").write_text("not matched")
    (tmp_path / ".hidden" / "d.md").write_text("not looked at")
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "x"}\n\n{"text": 5}\nnot JSON\n\xff\n')
    (tmp_path / "rows.csv").write_text('text,id\n"two\nlines",1\nx,2\ntoo,many,cells\n')
    return tmp_path


@pytest.mark.parametrize(
    "names", [["."], ["a.md", "rows.jsonl"], ["rows.csv", "rows.csv"], ["deep", "a.md", "gone.md"]]
)
@pytest.mark.parametrize("globs", [("**/*.md",), ("**/*.jsonl", "**/*.csv")])
def test_what_is_counted_is_what_is_found(folder: Path, names: list[str], globs: tuple[str, ...]) -> None:
    plan = CorpusPlan(inputs=tuple(str(folder / name) for name in names), globs=globs)
    found = sum(1 for _ in documents(plan, Template.parse("{text}", "--prompt"), io.BytesIO()))
    assert count_documents(plan) == found


def test_what_comes_from_stdin_cannot_be_counted(folder: Path) -> None:
    assert count_documents(CorpusPlan(inputs=(str(folder), "-"))) is None
