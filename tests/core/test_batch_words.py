"""A batch in a few words: what there is none of is not told, what nobody knows is not guessed."""

from decimal import Decimal

import pytest

from tui.core.batch_view import BatchView, Projection
from tui.core.batch_words import budget_of, documents, ended, fits, interval, projected, share


def words(batch: BatchView) -> str:
    return " · ".join(said.words for said in documents(batch))


def test_documents_are_told_by_what_became_of_them() -> None:
    batch = BatchView(read=1_260, documents=2_000, done=1_204, failed=3, shared=12, reused=40, cut=2)
    assert words(batch) == "1,204 of 2,000 done · 3 failed · 12 shared · 40 reused · 2 cut"
    assert ended(batch) == 1_207
    assert share(batch) == "60 %"


def test_while_the_corpus_is_read_nobody_knows_the_whole() -> None:
    batch = BatchView(read=1_260, done=1_204)
    assert words(batch) == "1,204 done, 1,260 read"
    assert share(batch) is None


@pytest.mark.parametrize(
    ("projection", "said"),
    [
        (Projection(1.95, 2.1, 2.3), "$2.10 [1.95–2.30]"),
        (Projection(0.0532, 0.1049, 0.1568), "$0.1049 [0.0532–0.1568]"),
        (Projection(0.000001, 0.5, 1500), "$0.5000 [<0.00001–1,500]"),
    ],
)
def test_a_projection_is_told_with_its_interval(projection: Projection, said: str) -> None:
    assert f"{projected(projection)} {interval(projection)}" == said


def test_a_budget_has_the_digits_that_people_gave_it() -> None:
    assert budget_of(BatchView(budget_usd=0.1)) == Decimal("0.1")
    assert budget_of(BatchView()) is None


def test_a_projection_fits_when_all_of_its_interval_does() -> None:
    batch = BatchView(projection=Projection(1, 2, 3), budget_usd=3)
    assert fits(batch) is True
    assert fits(BatchView(projection=batch.projection, budget_usd=2.9)) is False
    assert fits(BatchView(projection=batch.projection)) is None
    assert fits(BatchView(budget_usd=3)) is None
