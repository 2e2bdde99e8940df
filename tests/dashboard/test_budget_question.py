"""A reached budget is asked about once, by itself; an amount is taken only when it is more; Esc puts it off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from drawn import assert_whole, resized
from fake_batch import BATCH, BatchSession
from fake_session import FakeSession
from msgspec.structs import replace
from screen_under_test import Screen, screen

from tui.core.batch_view import BatchView
from tui.core.commands import Drain, RaiseBudget
from tui.dashboard.budget_dialog import BudgetDialog
from tui.dashboard.orders import Order, OrderError, parse_order

REACHED = "the budget of $2.50 is reached"
ASKING = replace(BATCH, asking=REACHED)


@asynccontextmanager
async def asked(
    batch: BatchView = ASKING, size: tuple[int, int] = (80, 24), **run: object
) -> AsyncIterator[tuple[Screen, BatchSession]]:
    session = BatchSession(batch=batch, run=run)
    async with screen(session, size) as shown:
        await shown.frame()
        yield shown, session


def dialog_of(shown: Screen) -> BudgetDialog | None:
    top = shown.app.screen
    return top if isinstance(top, BudgetDialog) else None


def words(shown: Screen) -> str:
    return "\n".join(assert_whole(shown.app, "budget"))


async def test_it_comes_by_itself_and_says_how_things_stand() -> None:
    async with asked() as (shown, _):
        assert dialog_of(shown) is not None
        said = words(shown)
        for part in ("The budget of $2.50 is reached", "$0.8400 spent", "1,204 of 2,000 done", "raise to… $"):
            assert part in said
        for part in ("above $2.50", "⏎ raise, and go on", "d drain (resumable)", "Esc later"):
            assert part in said


@pytest.mark.parametrize("amount", ["5", "2.51", "$3.00", ".3e", "2.5", "0", ""])
async def test_an_amount_is_taken_only_when_it_is_more(amount: str) -> None:
    async with asked() as (shown, session):
        for character in amount:
            await shown.pilot.press(character)
        await shown.press("enter")
        sent = session.asked(RaiseBudget)
        if amount in ("5", "2.51", "$3.00"):
            assert sent == [RaiseBudget(amount.removeprefix("$"))]
            assert dialog_of(shown) is None
        else:
            assert not sent
            assert dialog_of(shown) is not None
            expected = "an amount in USD" if amount in ("0", "") else "that is not above $2.50"
            assert expected in words(shown)


async def test_what_was_wrong_is_forgotten_once_something_else_is_typed() -> None:
    async with asked() as (shown, _):
        await shown.press("1", "enter")
        assert "that is not above $2.50" in words(shown)
        await shown.press("0")
        assert "that is not above" not in words(shown)


async def test_enter_alone_spends_nothing() -> None:
    async with asked() as (shown, session):
        await shown.press("enter", "enter")
        assert not session.asked(RaiseBudget)
        assert dialog_of(shown) is not None


async def test_put_away_it_stays_away_until_somebody_wants_it() -> None:
    async with asked() as (shown, session):
        await shown.press("escape")
        assert dialog_of(shown) is None
        assert "b raises it" in shown.footer
        await shown.show(15)
        assert dialog_of(shown) is None
        assert "‖ the budget of $2.50 is reached  b raise" in shown.header
        await shown.press("b")
        assert dialog_of(shown) is not None
        session.batch = BATCH  # somebody else raised it
        await shown.show(16)
        assert dialog_of(shown) is None
        session.batch = replace(ASKING, budget_usd=5.0, asking="the budget of $5.00 is reached")
        await shown.show(17)
        assert dialog_of(shown) is not None


async def test_d_drains() -> None:
    async with asked() as (shown, session):
        await shown.press("d")
        assert session.asked(Drain)
        assert dialog_of(shown) is None


async def test_it_waits_for_what_is_being_typed_or_asked() -> None:
    async with asked(BATCH) as (shown, session):
        await shown.press("colon")
        session.batch = ASKING
        await shown.show(15)
        assert dialog_of(shown) is None
        await shown.press("escape")
        assert dialog_of(shown) is not None


async def test_a_command_raises_it_or_says_why_not() -> None:
    async with asked(BATCH) as (shown, session):
        await shown.press("colon", *"budget 7", "enter")
        assert session.asked(RaiseBudget) == [RaiseBudget("7")]
        assert "raised to $7.00" in shown.footer
        await shown.press("colon", *"budget 2", "enter")
        assert len(session.asked(RaiseBudget)) == 1
        assert "that is not above $2.50" in shown.footer
        await shown.press("colon", *"budget", "enter")
        assert dialog_of(shown) is not None


@pytest.mark.parametrize(
    ("session", "why"),
    [
        (FakeSession(), "only the budget of a batch"),
        (BatchSession(batch=replace(BATCH, budget_usd=None)), "no budget"),
        (BatchSession(batch=BATCH, run={"replay": True}), "this is a replay"),
        (BatchSession(batch=ASKING, run={"phase": "finished"}), "the run has ended"),
    ],
)
async def test_where_there_is_none_it_is_not_offered(session: FakeSession, why: str) -> None:
    async with screen(session, (120, 40)) as shown:
        assert dialog_of(shown) is None
        assert "b" not in shown.app.screen.active_bindings
        await shown.press("b")
        assert dialog_of(shown) is None
        await shown.press("colon", *"budget 9", "enter")
        assert not session.asked(RaiseBudget)
        assert why in shown.footer


async def test_it_fits_every_screen_and_needs_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    for no_colour in (False, True):
        if no_colour:
            monkeypatch.setenv("NO_COLOR", "1")
        async with asked(size=(120, 40)) as (shown, _):
            for width, height in ((200, 60), (80, 24), (50, 9), (30, 6), (12, 3)):
                await resized(shown.app, width, height)
                said = words(shown)
                assert "raise to" in said or width < 20
                if width >= 50:
                    assert "d drain" in said


def test_an_order_for_money_is_read() -> None:
    assert parse_order("budget 5.00") == Order("budget", text="5.00")
    assert parse_order(":budget $5") == Order("budget", text="5")
    assert parse_order("budget") == Order("do", text="budget")
    for line in ("budget 0", "budget -3", "budget five", "budget 1e3", "budget 2,50"):
        with pytest.raises(OrderError, match="USD above 0"):
            parse_order(line)
