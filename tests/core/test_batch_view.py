"""What a summary says of documents, and a picture that crosses to the screen unchanged."""

import msgspec

from tui.core.batch_view import BatchView, FamilyView, Projection, Relative, document_figures
from tui.core.calls import State


def test_what_is_neither_done_nor_failed_is_pending() -> None:
    figures = document_figures(BatchView(read=10, documents=10, done=6, failed=1, corpus_ended=True, shared=2, cut=3))
    assert figures == {
        "total": 10, "done": 6, "failed": 1, "pending": 3, "shared": 2, "reused": 0, "cut": 3,
        "errors": [], "read_to_the_end": True,
    }  # fmt: skip


def test_where_nobody_knows_how_many_there_are_those_that_were_read_are_all() -> None:
    figures = document_figures(BatchView(read=10, done=6))
    assert (figures["total"], figures["pending"], figures["read_to_the_end"]) == (10, 4, False)


def test_documents_that_are_known_and_not_read_are_pending_too() -> None:
    assert document_figures(BatchView(read=10, documents=100, done=6, failed=4))["pending"] == 90


def test_a_picture_of_a_batch_crosses_to_the_screen_as_it_is() -> None:
    relative = Relative("d · reduce", 1, 1, 1, State.DONE, 7, 12, (1, 2))
    for value in (
        BatchView(read=1, projection=Projection(0.1, 0.2, 0.3), budget_usd=0.5, asking="it is reached"),
        FamilyView("d", 3, (relative, Relative("d · 1/2", 0, 1, 2))),
    ):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value
