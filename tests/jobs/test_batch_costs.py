"""What all documents of a batch will have cost: from those of this session, on top of what was spent before."""

from decimal import Decimal

import pytest

from tui.core.batch_view import Projection
from tui.jobs.batch_costs import DocumentCosts

CENT = Decimal("0.01")


def after(documents: int, costs: DocumentCosts | None = None) -> DocumentCosts:
    costs = costs or DocumentCosts()
    for _ in range(documents):
        costs.paid(CENT)
        costs.document(CENT)
    return costs


def test_nothing_is_said_before_enough_documents_have_ended() -> None:
    assert DocumentCosts().projection(Decimal(0), 100) is None
    assert after(3).projection(3 * CENT, 100) is None


def test_documents_that_cost_the_same_make_a_sure_projection() -> None:
    assert after(10).projection(10 * CENT, 100) == Projection(1.0, 1.0, 1.0)


def test_what_was_asked_about_earlier_is_spent_and_in_no_sample() -> None:
    costs = after(10)
    for _ in range(30):
        costs.document(None)
    found = costs.projection(Decimal(5) + 10 * CENT, 100)
    assert found is not None
    assert found.usd == pytest.approx(5.7)  # 70 that this session has to deal with


def test_at_the_end_it_is_what_was_spent_also_where_a_price_came_late() -> None:
    costs = after(10)
    costs.paid(None)
    costs.document(None)
    found = costs.projection(12 * CENT, 11)
    assert found is not None
    assert (found.low_usd, found.usd, found.high_usd) == pytest.approx((0.12, 0.12, 0.12))


def test_what_was_paid_for_documents_that_have_not_ended_is_the_least() -> None:
    costs = after(10)
    costs.paid(Decimal(3))
    found = costs.projection(10 * CENT + 3, 12)
    assert found is not None
    assert found.low_usd >= 3.1
