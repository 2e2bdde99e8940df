"""Bytes become text or a clear reason why they do not."""

import os
from pathlib import Path

import pytest

from tui.files import corpus_text
from tui.files.corpus_text import UnreadableError, label, read_text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        ("é 漢 😀\r\nx\u2028y".encode(), "é 漢 😀\r\nx\u2028y"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("\ufeff\ufefftwice".encode(), "\ufefftwice"),
    ],
)
def test_utf_8_is_text_with_a_mark_or_without(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "a.md").write_bytes(content)
    assert read_text(str(tmp_path / "a.md")) == text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"caf\xe9 au lait", "is not UTF-8 at byte 4"),
        (b"\xef\xbb\xbfab\xff", "is not UTF-8 at byte 6"),
        (b"ab\xed\xa0\xbd", "is not UTF-8 at byte 3"),  # half a character
        ("hello".encode("utf-16"), "is UTF-16, not UTF-8"),
        ("hello".encode("utf-16-le"), "is not text: byte 2 is zero"),
        (b"\x7fELF\x02\x01\x01\x00", "is not text: byte 8 is zero"),
    ],
)
def test_anything_else_says_what_it_is_and_where(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a.md").write_bytes(content)
    with pytest.raises(UnreadableError) as raised:
        read_text(str(tmp_path / "a.md"))
    assert str(raised.value) == why


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for name, why in {
        "pipe": "is not a regular file",
        ".": "is not a regular file",
        "link": "cannot be read: No such file or directory",
        "a\0b": "cannot be read: embedded null byte",
    }.items():
        with pytest.raises(UnreadableError, match=why):
            read_text(f"{tmp_path}/{name}")


def test_a_document_over_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_text, "DOCUMENT_BYTES", 10)
    (tmp_path / "a.md").write_bytes(b"x" * 10)
    assert read_text(str(tmp_path / "a.md")) == "x" * 10
    (tmp_path / "a.md").write_bytes(b"x" * 11)
    with pytest.raises(UnreadableError, match="is larger than 64 MB"):
        read_text(str(tmp_path / "a.md"))


def test_a_label_keeps_blanks_and_nothing_that_a_terminal_acts_on() -> None:
    assert label("a  b.md") == "a  b.md"
    assert label("\x1b[31m\n\t\udcff") == "�[31m���"
