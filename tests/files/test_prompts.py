"""A corpus is read a line at a time, and a line that is wrong is named with what to do about it."""

import os
from pathlib import Path
from typing import Any

import pytest

from tui.core.errors import UsageError
from tui.files import prompts
from tui.files.prompts import Prompt, check_prompts, read_prompts


def user(text: str, **params: Any) -> Prompt:
    return Prompt(({"role": "user", "content": text},), params)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\r\n  \ntwo", ["one", "two"]),
        (b"\xef\xbb\xbfone\n", ["one"]),
        (b"  indented\n", ["  indented"]),
        ("a\u2028b\u0085c\x0cd\n".encode(), ["a\u2028b\u0085c\x0cd"]),  # only LF ends a line
        (b'{"prompt": "x"}\n', ['{"prompt": "x"}']),
    ],
)
def test_a_text_file_has_a_prompt_on_each_line(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    path = write(tmp_path, "p.txt", content)
    assert list(read_prompts(path)) == [user(text) for text in expected]
    assert check_prompts(path) == len(expected)


MESSAGES = '[{"role": "user", "content": [{"type": "text", "text": "x"}]}, {"role": "assistant", "content": null}]'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"prompt": "one"}', user("one")),
        ('{"prompt": "é 漢 \\u00e9 😀"}', user("é 漢 é 😀")),
        ('{"prompt": "one", "max_tokens": 5, "temperature": 0}', user("one", max_tokens=5, temperature=0)),
        (
            '{"prompt": "one", "system": "be brief"}',
            Prompt(({"role": "system", "content": "be brief"}, {"role": "user", "content": "one"})),
        ),
        (
            f'{{"messages": {MESSAGES}, "stop": ["."]}}',
            Prompt(
                (
                    {"role": "user", "content": [{"type": "text", "text": "x"}]},
                    {"role": "assistant", "content": None},
                ),
                {"stop": ["."]},
            ),
        ),
    ],
)
def test_a_jsonl_line_is_a_prompt_or_messages_with_request_fields(tmp_path: Path, line: str, expected: Prompt) -> None:
    path = write(tmp_path, "p.JSONL", f"\ufeff\n{line}\n\n".encode())
    assert list(read_prompts(path)) == [expected]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{", "is not JSON: Input data was truncated"),
        (b'{"prompt": NaN}', "is not JSON: JSON is malformed: invalid character (byte 11)"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"prompt": "\xff"}', "is not UTF-8 at byte 13"),
        (b'"x"', "must be an object, got str"),
        (b"{}", 'has no "prompt" or "messages"'),
        (b'{"prompt": "x", "messages": []}', 'has both "prompt" and "messages"'),
        (b'{"prompt": 5}', '"prompt" must be a string, got int'),
        (b'{"prompt": " "}', '"prompt" is empty'),
        (b'{"messages": "x"}', '"messages" must be a list, got str'),
        (b'{"messages": []}', '"messages" is empty'),
        (b'{"messages": ["x"]}', '"messages[0]" must be an object, got str'),
        (b'{"messages": [{"content": "x"}]}', '"messages[0].role" must be a string, got null'),
        (
            b'{"messages": [{"role": "user", "content": 5}]}',
            '"messages[0].content" must be a string, a list or null, got int',
        ),
        (b'{"prompt": "x", "max_token": 5}', 'has an unknown field "max_token"'),
        (b'{"prompt": "x", "\\u001b[31m": 5}', 'has an unknown field "\ufffd[31m"'),
        (b'{"prompt": "x", "max_tokens": "5"}', '"max_tokens" must be a whole number, got str'),
        (b'{"prompt": "x", "max_tokens": true}', '"max_tokens" must be a whole number, got bool'),
        (b'{"prompt": "x", "max_tokens": 0}', '"max_tokens" must be 1 or more, got 0'),
        (b'{"prompt": "x", "stop": 5}', '"stop" must be a string or a list, got int'),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path: Path, line: bytes, what: str) -> None:
    path = write(tmp_path, "prompts.jsonl", b'{"prompt": "fine"}\n\n' + line + b"\n")
    with pytest.raises(UsageError) as raised:
        check_prompts(path)
    assert (raised.value.where, raised.value.what) == (f"{path}:3", what)
    assert raised.value.hint


def test_the_lines_before_a_wrong_one_can_be_used(tmp_path: Path) -> None:
    stream = read_prompts(write(tmp_path, "p.txt", b"fine\n\xff\n"))
    assert next(stream) == user("fine")
    with pytest.raises(UsageError, match="is not UTF-8 at byte 1"):
        next(stream)


def test_a_line_over_the_bound_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "MAX_LINE_BYTES", 10)
    assert check_prompts(write(tmp_path, "fits.txt", b"x" * 9 + b"\n")) == 1
    with pytest.raises(UsageError, match=r"long.txt:1: is longer than 16 MB"):
        check_prompts(write(tmp_path, "long.txt", b"x" * 1000))


def test_a_large_file_is_checked_as_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "p.txt", b"fine\n\xff\n")
    monkeypatch.setattr(prompts, "CHECKED_BYTES", 5)
    assert check_prompts(path) is None


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="has no prompts"):
        check_prompts(write(tmp_path, "p.txt", content))


def test_what_is_no_readable_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    for name, what in [
        ("missing.txt", "cannot be read: No such file or directory"),
        ("folder.txt", "is a directory"),
        ("pipe.txt", "is not a regular file"),
        ("a\0b.txt", "cannot be read: embedded null byte"),
        ("prompts.csv", "is neither .txt nor .jsonl"),
    ]:
        with pytest.raises(UsageError) as raised:
            read_prompts(tmp_path / name)
        assert raised.value.what == what


def test_a_file_can_be_read_without_the_flags_that_windows_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("O_CLOEXEC", "O_NONBLOCK"):
        monkeypatch.delattr(os, name)
    assert list(read_prompts(write(tmp_path, "p.txt", b"one\n"))) == [user("one")]
