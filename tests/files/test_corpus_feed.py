"""What the reading process says: documents as they are taken, and why there are no more."""

import io
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.documents import Prepared
from tui.files import corpus_feed, token_counter
from tui.files.corpus import CorpusPlan
from tui.files.corpus_feed import (
    DOCUMENT,
    END,
    FAILURE,
    NOTE,
    PIECE_BYTES,
    Failure,
    Messages,
    feed,
    pieces,
    plan_message,
    plan_of,
    serve,
)
from tui.files.token_counter import TokenCounter


def said(stdin: bytes = b"", **changes: Any) -> list[Any]:
    """Every message, decoded."""
    kinds: dict[int, Any] = {DOCUMENT: Prepared, FAILURE: Failure, NOTE: str}
    messages = feed(CorpusPlan(**{"inputs": ("-",), **changes}), io.BytesIO(stdin))
    return [msgspec.msgpack.decode(body, type=kinds[kind]) if kind in kinds else kind for kind, body in messages]


def test_documents_are_numbered_and_then_there_is_an_end() -> None:
    first, second, end = said(b'{"text": "x"}\n{"text": ""}\n')
    assert (first.number, first.id, first.error) == (1, "stdin:1", None)
    assert (second.number, second.id, second.error) == (2, "stdin:2", "is empty")
    assert end == END


def test_a_corpus_without_documents_is_a_mistake_that_names_what_was_searched(tmp_path: Path) -> None:
    (failure,) = said(inputs=(str(tmp_path),))
    assert failure == Failure(
        "has no documents",
        str(tmp_path),
        "folders are searched for **/*.md, **/*.txt, **/*.rst; name others with --glob",
    )


def test_a_prompt_that_does_not_fit_the_rows_is_a_mistake() -> None:
    (failure,) = said(b'{"body": "x"}\n')
    assert (failure.where, failure.what) == ("--field", '"text" is no field of stdin')
    assert failure.hint


@pytest.mark.parametrize("error", [RuntimeError("odd\n\x1b[31m"), BaseException("odd\n\x1b[31m"), MemoryError("odd")])
def test_an_error_of_ours_is_told_and_named(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(corpus_feed, "documents", broken)
    (failure,) = said()
    assert failure.what.startswith(f"{type(error).__name__}: odd")
    assert "\x1b" not in failure.what
    assert failure.hint == ""


def test_estimates_are_noted_before_any_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counter, "load_counter", lambda model: TokenCounter(None, f"estimated for {model}"))
    note, document, _ = said(b'{"text": "12345"}\n', count_tokens=True, model="m")
    assert note == "estimated for m"
    assert document.document_tokens == 2


def test_reading_goes_no_further_than_it_is_asked_to() -> None:
    stdin = io.BytesIO(b'{"text": "x"}\n' * 100)
    messages = feed(CorpusPlan(inputs=("-",)), stdin)
    for taken in range(1, 4):
        assert next(messages)[0] == DOCUMENT
        assert stdin.tell() == 14 * taken
    messages.close()


@given(
    st.lists(st.tuples(st.integers(1, 5), st.binary(max_size=40)), max_size=8), st.integers(1, 9), st.integers(1, 50)
)
def test_messages_come_out_whole_however_they_are_cut(sent: list[tuple[int, bytes]], piece: int, read: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_feed, "PIECE_BYTES", piece)
        data = b"".join(each for message in sent for each in pieces(message))
    messages, received = Messages(), []
    for start in range(0, len(data), read):
        received += messages.take(data[start : start + read])
    assert received == sent


def test_a_message_larger_than_a_frame_travels_in_pieces() -> None:
    message = (DOCUMENT, os.urandom(1 << 20) * 17 + b"x")
    messages, received = Messages(), []
    for piece in pieces(message):
        assert len(piece) <= PIECE_BYTES + 5
        received += messages.take(piece)
    assert received == [message]


def test_a_plan_travels_whole_with_names_that_are_no_text() -> None:
    plan = CorpusPlan(inputs=("-", os.fsdecode(b"caf\xe9")), globs=(os.fsdecode(b"*\xff"),), model="m", field="f")
    assert plan_of(plan_message(plan)) == plan
    assert plan_of(plan_message(msgspec.structs.replace(plan, model="m\ud83d"))).model == "m?"


def test_serving_ends_when_nobody_listens() -> None:
    ours, theirs = socket.socketpair()
    watched: list[socket.socket] = []
    with theirs:
        with ours:
            for piece in pieces(plan_message(CorpusPlan(inputs=("-",)))):
                ours.sendall(piece)
        stdin = io.BytesIO(b'{"text": "x"}\n' * 1_000)
        serve(theirs, stdin, watched.append)
        assert watched == [theirs]
        assert stdin.tell() < 100


def test_nothing_is_read_without_a_plan() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        serve(theirs, io.BytesIO(), lambda _: pytest.fail("there is nothing to watch"))
