"""Which of several calls that ask the same has the answer that counts."""

import pytest

from tui.core.results import best_call


@pytest.mark.parametrize(
    ("calls", "best"),
    [
        ([], None),
        ([(1, "cancelled"), (2, "refused")], None),
        ([(1, "failed"), (2, "cancelled")], 1),
        ([(1, "broken"), (3, "failed"), (2, "broken")], 3),
        ([(1, "failed"), (4, "done"), (2, "done"), (5, "failed")], 2),
    ],
)
def test_the_first_that_is_done_counts_else_the_last_that_failed(
    calls: list[tuple[int, str]], best: int | None
) -> None:
    assert best_call(calls) == best
