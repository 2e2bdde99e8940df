"""A folder is walked in order, without what is hidden, round no loop, and what cannot be read is told."""

import inspect
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tui.core.errors import UsageError
from tui.files.corpus_folders import Walked, chooser, walk


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def walked(folder: Path, *globs: str) -> list[str]:
    return [os.path.relpath(each.path, folder) for each in walk(str(folder), chooser(globs))]


def test_files_come_in_the_order_of_their_names_with_folders_among_them(tmp_path: Path) -> None:
    tree(tmp_path, "b.md", "a/z.md", "a/b/c.md", "a.md", "c.txt", "é.md", "B.md")
    assert walked(tmp_path, "**/*.md") == ["B.md", "a/b/c.md", "a/z.md", "a.md", "b.md", "é.md"]


def test_hidden_files_and_folders_are_left_out_and_a_hidden_folder_can_be_named(tmp_path: Path) -> None:
    tree(tmp_path, ".hidden.md", ".git/a.md", "a/.b/c.md", "a/b.md")
    assert walked(tmp_path, "**/*", "**/.git/*") == ["a/b.md"]
    assert walked(tmp_path / ".git", "*") == ["a.md"]


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path: Path) -> None:
    tree(tmp_path, "a/b.md", "kept")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "c.md").symlink_to(tmp_path / "kept")
    (tmp_path / "a" / "d.md").symlink_to("nowhere")
    (tmp_path / "a" / "e.md").symlink_to("e.md")
    os.mkfifo(tmp_path / "a" / "pipe.md")
    assert walked(tmp_path, "**/*.md") == ["a/b.md", "a/c.md", "a/d.md", "a/e.md"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("**/*", ["a/b/c.md", "a/d.txt", "e.md"]),
        ("**", ["a/b/c.md", "a/d.txt", "e.md"]),
        ("a/**", ["a/b/c.md", "a/d.txt"]),
        ("a/", ["a/b/c.md", "a/d.txt"]),
        ("*.md", ["e.md"]),
        ("./*.md", ["e.md"]),
        ("*/*.txt", ["a/d.txt"]),
        ("**/b/**/*.md", ["a/b/c.md"]),
        ("**/**/**/c.md", ["a/b/c.md"]),
        ("**/[c-e].*", ["a/b/c.md", "a/d.txt", "e.md"]),
        ("**/[!c]*.md", ["e.md"]),
        ("**/?.MD", []),
        ("a", []),
        ("a*md", []),  # a star stays within a name
    ],
)
def test_what_a_glob_chooses(tmp_path: Path, glob: str, found: list[str]) -> None:
    assert walked(tree(tmp_path, "a/b/c.md", "a/d.txt", "e.md"), glob) == found


@pytest.mark.parametrize("glob", ["", "/etc/*", "../*", "a/../../*"])
def test_a_glob_that_leads_out_of_the_folder_is_refused(glob: str) -> None:
    with pytest.raises(UsageError, match="leads out of the folder"):
        chooser([glob])


def test_many_stars_against_a_long_name_end_in_time() -> None:
    chosen = chooser(["*a" * 30 + "b", "/".join(["**/x"] * 8)])
    assert not chosen(["a" * 255])
    assert not chosen(["x"] * 7)
    assert chosen(["x"] * 30)


def test_a_folder_deeper_than_python_recurses_is_walked(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "a.md").write_text("x")
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        (found,) = walk(str(tmp_path), chooser(["**/*.md"]))
    finally:
        sys.setrecursionlimit(usual)
    assert found == Walked(str(deep / "a.md"))


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "a/b.md", "locked/b.md", "z.md")
    scandir = os.scandir

    def locked(path: str) -> Any:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    found = list(walk(str(tmp_path), chooser(["**/*.md"])))
    assert [each.error for each in found] == [None, "cannot be read: Permission denied", None]
    assert found[1].path == str(tmp_path / "locked")


def test_names_that_are_not_utf_8_are_walked(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("x")
    assert walked(tmp_path, "*.md") == ["caf\udce9.md"]


def test_the_working_folder_needs_no_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree(tmp_path, "a/b.md", "c.md"))
    paths: Iterable[Walked] = walk(".", chooser(["**/*.md"]))
    assert [each.path for each in paths] == ["a/b.md", "c.md"]
