"""Rows are read one by one, and a wrong one costs itself only."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.files import corpus_rows
from tui.files.corpus_rows import Row, csv_rows, jsonl_rows


def jsonl(content: bytes) -> list[Row]:
    return list(jsonl_rows(io.BytesIO(content)))


def table(content: bytes) -> list[Row]:
    return list(csv_rows(io.BytesIO(content)))


def test_each_line_of_jsonl_is_a_row_and_blank_ones_are_none() -> None:
    content = '\ufeff{"a": 1}\r\n\n  \n{"a": "é\u2028\u0085"}'.encode()
    assert jsonl(content) == [Row(1, {"a": 1}), Row(4, {"a": "é\u2028\u0085"})]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "is not JSON: Input data was truncated"),
        (b'{"a": NaN}', "is not JSON: JSON is malformed: invalid character (byte 6)"),
        (b'{"a": 1e999}', "is not JSON: Number out of range - at `$[...]`"),
        (b'{"a": "\\ud83d"}', "is not JSON: it may hold half a character, such as \\ud83d alone"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[1]", "is not a JSON object"),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 8"),
        (b'{"a": "\x00"}', "is not text: byte 8 is zero"),
        ('{"a": 1}'.encode("utf-16"), "is UTF-16, not UTF-8"),
    ],
)
def test_a_wrong_line_of_jsonl_costs_itself_only(line: bytes, why: str) -> None:
    assert jsonl(b'{"a": 1}\n' + line + b'\n{"a": 2}\n') == [Row(1, {"a": 1}), Row(2, None, why), Row(3, {"a": 2})]


def test_cells_may_hold_commas_quotes_and_lines() -> None:
    content = b'\xef\xbb\xbfid,text\r\n1,"a, ""b""\r\nc\n\nd"\r\n\r\n2,\n"3","x\ny"\n4,5" disk'
    assert table(content) == [
        Row(2, {"id": "1", "text": 'a, "b"\r\nc\n\nd'}),
        Row(7, {"id": "2", "text": ""}),
        Row(8, {"id": "3", "text": "x\ny"}),
        Row(10, {"id": "4", "text": '5" disk'}),
    ]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"1", "has 1 cells, where the header has 2"),
        (b"1,a, and more", "has 3 cells, where the header has 2"),
        (b"1,caf\xe9", "is not UTF-8 at byte 6"),
        (b'1,"a"b', "is not CSV: ',' expected after '\"'"),
        (b"1,a\rb", "is not CSV: new-line character seen in unquoted field"),
    ],
)
def test_a_wrong_record_of_csv_costs_itself_only(record: bytes, why: str) -> None:
    first, wrong, last = table(b"id,text\n0,x\n" + record + b"\n2,y\n")
    assert (first, last) == (Row(2, {"id": "0", "text": "x"}), Row(4, {"id": "2", "text": "y"}))
    assert (wrong.line, wrong.fields) == (3, None)
    assert (wrong.error or "").startswith(why)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"id,caf\xe9\n1,x\n", "the header is not UTF-8 at byte 7"),
        (b"id,text,text\n1,x,y\n", 'the header names "text" twice'),
        (b'id,"text\n1,x\n', "the header opens a quote that is never closed"),
    ],
)
def test_a_header_that_cannot_be_used_is_told_once(content: bytes, why: str) -> None:
    (row,) = table(content)
    assert (row.fields, row.error) == (None, why)


def test_a_file_without_rows_has_none() -> None:
    assert table(b"") == table(b"\n\n") == table(b"id,text\n") == jsonl(b"") == jsonl(b"\n \n") == []


def test_a_quote_that_is_never_closed_is_one_error_and_no_rows() -> None:
    assert table(b'id,text\n1,x\n2,"y\n3,z\n') == [
        Row(2, {"id": "1", "text": "x"}),
        Row(3, None, "opens a quote that is never closed"),
    ]


CELLS = st.text(st.sampled_from('ab",\n\r é\u2028'), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_whatever_was_written_as_csv_is_read_again(rows: list[tuple[str, str]], quoting: Any) -> None:
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=quoting)
    writer.writerows([("a", "b"), *rows])
    read = table(sink.getvalue().encode())
    assert [row.error for row in read] == [None] * len(rows)
    assert [tuple((row.fields or {}).values()) for row in read] == rows


@given(st.binary(max_size=60) | st.text('ab",\n\r', max_size=60).map(str.encode))
def test_no_bytes_make_reading_raise(content: bytes) -> None:
    jsonl(content)
    for row in table(b"a,b\n" + content):
        assert (row.fields is None) != (row.error is None)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_rows, "DOCUMENT_BYTES", 20)
    monkeypatch.setattr(corpus_rows, "_PIECE_BYTES", 7)


@pytest.mark.usefixtures("_small")
def test_a_row_over_the_bound_is_read_over_and_the_next_one_counts() -> None:
    assert jsonl(b'{"a": 1}\n{"a": "' + b"x" * 99 + b'"}\n{"a": 2}') == [
        Row(1, {"a": 1}),
        Row(2, None, "is larger than 64 MB"),
        Row(3, {"a": 2}),
    ]
    wide = b"x" * 99
    long = b'"' + b"x\n" * 99 + b'"'
    for record in (wide, long):
        first, second = table(b"a\n" + record + b"\n1\n")
        assert first == Row(2, None, "is larger than 64 MB")
        assert second.fields == {"a": "1"}


@pytest.mark.usefixtures("_small")
def test_rows_below_a_quoted_line_over_the_bound_are_not_guessed() -> None:
    assert table(b'a\n1\n"' + b"x" * 99 + b'"\n2\n') == [
        Row(2, {"a": "1"}),
        Row(3, None, "is larger than 64 MB; the rows below it are not read"),
    ]


def test_cells_may_be_larger_than_the_csv_module_likes_and_its_bound_is_left_alone() -> None:
    usual = csv.field_size_limit()
    (row,) = table(b"a\n" + b"x" * (usual + 1) + b"\n")
    assert row.error is None
    assert csv.field_size_limit() == usual


class Failing(io.BytesIO):
    def readline(self, *_: Any) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().readline()


def test_a_file_that_fails_in_the_middle_is_told() -> None:
    why = "cannot be read: Input/output error"
    assert list(jsonl_rows(Failing(b'{"a": 1}\n{"a": 2}\n'))) == [Row(1, {"a": 1}), Row(2, None, why)]
    assert list(csv_rows(Failing(b"a\n1\n"))) == [Row(2, None, why)]
