"""Money while calls run: what waits for it, what is refused, and that nothing is ever spent beyond the budget."""

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest
from call_under_test import AT_ONCE, Witness, a_plan, lane_to
from rude_server import DONE, END, STOP, STREAM, USAGE, WELL, RudeServer, refuses, says, then_resets, words

from tui.core.calls import CallPlan, State, Usage
from tui.core.errors import UsageError
from tui.core.facts import Admitted, Sent
from tui.core.money import Price, cost_of
from tui.core.objectives import parse_goodput
from tui.engine.endpoint import Endpoint
from tui.engine.host import Host
from tui.engine.limiter import Limiter
from tui.engine.purse import OverBudget, Purse, Worst
from tui.engine.setup import RunSetup
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

PRICE = Price(Decimal(1), Decimal(10), origin="--price")
PLAN = a_plan(max_tokens=8)
WORST = Purse(Decimal(1), PRICE).worst(PLAN).usd
ONE = Worst(WORST)


async def test_what_does_not_fit_now_waits_for_what_is_under_way() -> None:
    purse = Purse(WORST, PRICE)
    await purse.reserve(ONE)
    waits = asyncio.create_task(purse.reserve(ONE))
    await asyncio.sleep(0)
    assert not waits.done()
    purse.settle(ONE, None, may_be_billed=False)
    await waits
    assert (purse.budget.reserved, purse.refused) == (WORST, 0)


async def test_who_waits_is_refused_once_it_can_never_fit() -> None:
    heard: list[str] = []
    purse = Purse(WORST, PRICE, heard.append)
    await purse.reserve(ONE)
    waits = asyncio.create_task(purse.reserve(ONE))
    await asyncio.sleep(0)
    purse.settle(ONE, Usage(1, 1), may_be_billed=True)
    with pytest.raises(OverBudget, match=r"may cost up to .* of the budget of .* is left"):
        await waits
    assert (purse.refused, len(heard)) == (1, 1)
    assert purse.budget.spent == cost_of(Usage(1, 1), PRICE)


class Queue:
    """Amounts that are asked of one purse in order, and who got them."""

    def __init__(self, limit: Decimal, asks: bool = False) -> None:
        """`asks`: somebody can be asked for more money."""
        self.asked = 0
        self.purse = Purse(limit, PRICE, on_reached=self._reached if asks else None)
        self.served: list[str] = []

    def _reached(self) -> None:
        self.asked += 1

    async def ask(self, name: str, worst: Decimal) -> asyncio.Task[None]:
        async def reserve() -> None:
            await self.purse.reserve(Worst(worst))
            self.served.append(name)

        task = asyncio.create_task(reserve())
        await self.turns()
        return task

    async def ends(self, worst: Decimal, usage: Usage | None = None) -> None:
        self.purse.settle(Worst(worst), usage, may_be_billed=usage is not None)
        await self.turns()

    async def turns(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_large_amount_is_not_overtaken_by_small_ones_that_would_fit() -> None:
    queue = Queue(4 * WORST)
    await queue.ask("under way", 3 * WORST)
    await queue.ask("large", 3 * WORST)
    await queue.ask("small", WORST)
    await queue.ask("smaller", WORST / 2)
    assert queue.served == ["under way"]
    await queue.ends(3 * WORST)
    assert queue.served == ["under way", "large", "small"]
    await queue.ends(WORST)
    assert queue.served == ["under way", "large", "small", "smaller"]


async def test_many_that_fit_after_one_end_are_all_served_in_order() -> None:
    queue = Queue(4 * WORST)
    await queue.ask("all", 4 * WORST)
    for name in "abcde":
        await queue.ask(name, WORST)
    queue.purse.settle(Worst(4 * WORST), None, may_be_billed=False)
    for _ in range(3):
        await queue.turns()
    assert queue.served == ["all", "a", "b", "c", "d"]
    await queue.ends(WORST)
    assert queue.served[-1] == "e"


async def test_what_can_never_fit_is_refused_at_once_behind_those_that_wait() -> None:
    queue = Queue(4 * WORST)
    await queue.ask("under way", 4 * WORST)
    await queue.ask("waits", WORST)
    too_much = await queue.ask("too much", 5 * WORST)
    assert isinstance(too_much.exception(), OverBudget)
    await queue.ends(4 * WORST)
    assert queue.served == ["under way", "waits"]


async def test_who_waits_behind_another_is_refused_once_it_can_never_fit() -> None:
    queue = Queue(4 * WORST)
    await queue.ask("long", WORST)
    await queue.ask("short", WORST)
    await queue.ask("head", 3 * WORST)
    behind = await queue.ask("behind", 4 * WORST)
    await queue.ends(WORST, Usage(1, 1))
    assert isinstance(behind.exception(), OverBudget)
    await queue.ends(WORST)
    assert queue.served == ["long", "short", "head"]


async def test_a_head_of_the_queue_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    queue = Queue(4 * WORST)
    await queue.ask("under way", 3 * WORST)
    head = await queue.ask("head", 2 * WORST)
    await queue.ask("next", WORST)
    head.cancel()
    await queue.turns()
    assert queue.served == ["under way", "next"]


async def test_a_head_that_is_cancelled_in_the_turn_of_an_end_strands_nobody() -> None:
    queue = Queue(WORST)
    await queue.ask("under way", WORST)
    head = await queue.ask("head", WORST)
    await queue.ask("next", WORST)
    queue.purse.settle(ONE, None, may_be_billed=False)
    head.cancel()
    await queue.turns()
    assert queue.served == ["under way", "next"]
    assert queue.purse.budget.reserved == WORST


async def test_a_server_that_charges_more_than_it_can_is_taken_to_do_so_every_time() -> None:
    purse = Purse(Decimal(1), PRICE)
    hidden = Usage(5_000, 8)
    first, beside = purse.worst(PLAN), purse.worst(PLAN)
    assert first == beside == ONE
    for worst in (first, beside):
        await purse.reserve(worst)
        purse.settle(worst, hidden, may_be_billed=True)
    after = purse.worst(PLAN)
    assert after.usd == cost_of(hidden, PRICE)
    assert after.beyond == after.usd - WORST
    more = Usage(6_000, 8)
    await purse.reserve(after)
    purse.settle(after, more, may_be_billed=True)
    assert purse.worst(PLAN).usd == cost_of(more, PRICE)


# ── money that somebody can be asked for ───────────────────────────────────────────────────────────────


async def test_what_can_never_fit_waits_for_more_money_where_somebody_can_be_asked_and_asks_once() -> None:
    queue = Queue(2 * WORST, asks=True)
    await queue.ask("under way", WORST)
    large = await queue.ask("large", 3 * WORST)
    larger = await queue.ask("larger", 4 * WORST)
    assert (queue.asked, queue.purse.reached, queue.purse.refused) == (1, True, 0)
    await queue.ends(WORST, Usage(1, 1))
    assert not large.done()
    assert not larger.done()
    queue.purse.raise_to(20 * WORST)
    await queue.turns()
    assert queue.served == ["under way", "large", "larger"]
    assert (queue.asked, queue.purse.reached, queue.purse.refused) == (1, False, 0)
    assert (queue.purse.limit, queue.purse.reserved) == (20 * WORST, 7 * WORST)
    assert queue.purse.spent == cost_of(Usage(1, 1), PRICE)


async def test_while_somebody_is_asked_no_small_amount_overtakes_the_one_that_waits() -> None:
    queue = Queue(2 * WORST, asks=True)
    await queue.ask("large", 3 * WORST)
    small = await queue.ask("small", WORST)
    assert (queue.served, small.done()) == ([], False)
    queue.purse.raise_to(4 * WORST)
    await queue.turns()
    assert queue.served == ["large", "small"]


async def test_a_raise_that_is_not_enough_is_asked_about_again() -> None:
    queue = Queue(WORST, asks=True)
    await queue.ask("large", 5 * WORST)
    queue.purse.raise_to(2 * WORST)
    await queue.turns()
    assert (queue.asked, queue.purse.reached, queue.served) == (2, True, [])
    queue.purse.raise_to(5 * WORST)
    await queue.turns()
    assert (queue.asked, queue.purse.reached, queue.served) == (2, False, ["large"])


async def test_somebody_is_asked_as_soon_as_one_that_stands_behind_can_never_fit() -> None:
    queue = Queue(4 * WORST, asks=True)
    await queue.ask("under way", 3 * WORST)
    await queue.ask("head", 2 * WORST)
    await queue.ask("behind", 4 * WORST)
    assert queue.asked == 0
    queue.purse.settle(Worst(3 * WORST), Usage(1, 1), may_be_billed=True)
    await queue.turns()
    assert (queue.served, queue.asked) == (["under way", "head"], 1)


async def test_giving_up_refuses_all_who_wait_and_all_who_come() -> None:
    heard: list[str] = []
    purse = Purse(2 * WORST, PRICE, heard.append, lambda: None)
    await purse.reserve(ONE)
    waiting = [asyncio.create_task(purse.reserve(worst)) for worst in (Worst(3 * WORST), ONE)]
    for _ in range(3):
        await asyncio.sleep(0)
    purse.give_up()
    for task, why in zip(waiting, ("may cost up to", "was reached and is not raised"), strict=True):
        with pytest.raises(OverBudget, match=why):
            await task
    with pytest.raises(OverBudget, match="is not sent any more"):
        await purse.reserve(Worst(Decimal(0)))
    purse.raise_to(9 * WORST)
    with pytest.raises(OverBudget):
        await purse.reserve(ONE)
    assert (purse.refused, len(heard), purse.reached, purse.reserved) == (4, 4, False, WORST)


async def test_who_is_asked_may_answer_at_once() -> None:
    purses: list[Purse] = []
    generous = Purse(WORST, PRICE, on_reached=lambda: purses[0].raise_to(3 * WORST))
    purses.append(generous)
    async with asyncio.timeout(5):
        await generous.reserve(Worst(3 * WORST))
    assert generous.reserved == 3 * WORST
    purses[0] = stern = Purse(WORST, PRICE, on_reached=lambda: purses[0].give_up())
    with pytest.raises(OverBudget, match="may cost up to"):
        await stern.reserve(Worst(2 * WORST))


async def test_who_waits_for_money_can_be_cancelled_and_strands_nobody() -> None:
    queue = Queue(2 * WORST, asks=True)
    large = await queue.ask("large", 3 * WORST)
    await queue.ask("small", 2 * WORST)
    large.cancel()
    await queue.turns()
    assert large.cancelled()
    assert queue.served == ["small"]
    later = await queue.ask("later", 3 * WORST)
    assert (queue.asked, queue.purse.reached, later.done()) == (1, True, False)  # the question still stands
    later.cancel()
    await queue.turns()
    assert queue.purse.reserved == 2 * WORST


async def test_a_raise_in_the_turn_of_a_cancellation_lets_the_next_one_go() -> None:
    queue = Queue(WORST, asks=True)
    large = await queue.ask("large", 3 * WORST)
    await queue.ask("next", 2 * WORST)
    queue.purse.raise_to(3 * WORST)
    large.cancel()
    await queue.turns()
    assert queue.served == ["next"]


async def test_a_budget_is_never_lowered_while_it_runs() -> None:
    purse = Purse(2 * WORST, PRICE, on_reached=lambda: None)
    with pytest.raises(ValueError, match="is not above the budget"):
        purse.raise_to(WORST)
    assert purse.limit == 2 * WORST


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_is_asked_raised_cancelled_and_ended_spent_and_reserved_stay_within_the_limit(seed: int) -> None:
    rng, purse = random.Random(seed), Purse(4 * WORST, PRICE, on_reached=lambda: None)
    under_way: list[Worst] = []
    served: list[int] = []

    async def ask(number: int, worst: Worst) -> None:
        await purse.reserve(worst)
        served.append(number)
        under_way.append(worst)

    tasks: list[asyncio.Task[None]] = []
    for step in range(400):
        match rng.randrange(5):
            case 0 | 1:
                tasks.append(asyncio.create_task(ask(step, Worst(WORST * rng.randint(1, 30) / 10))))
            case 2 if under_way:
                purse.settle(under_way.pop(rng.randrange(len(under_way))), None, may_be_billed=rng.random() < 0.7)
            case 3 if tasks:
                rng.choice(tasks).cancel()
            case 4 if purse.reached:
                purse.raise_to(purse.limit + WORST * rng.randint(1, 20) / 10)
        assert purse.spent + purse.reserved <= purse.limit
        await asyncio.sleep(0)
    assert served == sorted(served)
    assert len(served) > 20
    purse.give_up()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert purse.reserved == sum(worst.usd for worst in under_way)


# ── calls ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_request_that_nothing_bounds_is_refused_and_nothing_is_sent() -> None:
    witness = Witness()
    async with RudeServer(WELL) as server, lane_to(server) as lane:
        lane.purse = Purse(Decimal(1), PRICE)
        ending = await witness.run(lane)
    assert (ending.state, witness.of(Sent)) == (State.REFUSED, [])
    assert "states no most tokens" in (ending.error or "")
    witness.check()


CASES: dict[str, tuple[Any, Decimal]] = {
    "delivered with a usage": (says(STREAM + words("Hi") + STOP + USAGE + DONE + END), Decimal(-1)),
    "delivered without one": (says(STREAM + words("Hi") + STOP + DONE + END), WORST),
    "refused": (refuses("400 Bad", "no"), Decimal(0)),
    "reset after the request": (then_resets(), WORST),
    "cut after the first token": (then_resets(STREAM, words("Hi")), WORST),
}


@pytest.mark.parametrize(("act", "charged"), CASES.values(), ids=CASES)
async def test_an_attempt_is_charged_by_its_usage_or_by_the_worst_it_may_have_cost(act: Any, charged: Decimal) -> None:
    witness = Witness()
    async with RudeServer(act) as server, lane_to(server) as lane:
        lane.policy = type(lane.policy)(attempts=1)
        lane.purse = Purse(Decimal(1), PRICE)
        await witness.run(lane, PLAN)
        usage = witness.entry().attempts[0].usage
        expected = charged if charged >= 0 else cost_of(usage, PRICE)  # type: ignore[arg-type]
        assert (lane.purse.budget.spent, lane.purse.budget.reserved) == (expected, 0)


async def test_a_repeated_attempt_reserves_anew_and_is_given_up_where_it_does_not_fit() -> None:
    witness = Witness()
    async with RudeServer(then_resets(), WELL) as server, lane_to(server) as lane:
        lane.purse = Purse(WORST * Decimal("1.5"), PRICE)
        ending = await witness.run(lane, PLAN)
        assert (len(witness.of(Sent)), lane.purse.refused) == (1, 1)
    assert ending.state is State.FAILED
    assert "another attempt may cost up to" in (ending.error or "")
    witness.check()


async def test_a_call_that_is_cancelled_in_the_limiters_queue_gives_its_money_back() -> None:
    witness = Witness()
    limiter = Limiter()
    limiter.pause()
    async with RudeServer(WELL) as server, lane_to(server, limiter=limiter) as lane:
        lane.purse = Purse(WORST, PRICE)
        call = asyncio.create_task(witness.run(lane, PLAN))
        while not lane.purse.budget.reserved:  # noqa: ASYNC110 - the purse sets no event
            await asyncio.sleep(0)
        call.cancel()
        assert (await call).state is State.CANCELLED
        assert (lane.purse.budget.reserved, lane.purse.budget.spent) == (0, 0)
    assert witness.of(Admitted) == []


# ── whole runs ─────────────────────────────────────────────────────────────────────────────────────────


def a_setup(base_url: str, calls: int | None, **more: Any) -> RunSetup:
    def plans():  # type: ignore[no-untyped-def]
        number = 0
        while calls is None or number < calls:
            number += 1
            yield CallPlan(number, "m", PLAN.messages, PLAN.params)

    options: dict[str, Any] = {"concurrency": 8, "policy": AT_ONCE, "price": PRICE, "seed": 1, **more}
    return RunSetup("load", "m", Endpoint(base_url), plans(), calls, **options)


@pytest.mark.parametrize("seed", range(3))
async def test_a_run_with_faults_of_every_kind_never_spends_more_than_its_budget(seed: int) -> None:
    rude = SimulatorSettings(
        ttft_s=0.001, itl_s=0.0002, tokens=8, models=(("m", 1.0),), seed=seed,
        reset_rate=0.2, error_rate=0.15, refuse_rate=0.1, retry_after_s=0.001,
    )  # fmt: skip
    limit = WORST * 12
    async with Simulator(rude) as simulator:
        host = Host(a_setup(simulator.base_url, 120, budget_usd=limit))
        figures = await host.run()
        served = simulator.truth()
    assert Decimal(figures["cost_usd"]) <= limit
    assert Decimal(figures["budget"]["charged_usd"]) <= limit
    assert len(served) >= 12
    assert figures["calls"]["refused"] > 0
    assert host.refused_for_money == figures["budget"]["refused"] >= figures["calls"]["refused"]
    assert host.ledger.states[State.WAITING] == 0


async def test_a_run_without_end_stops_when_the_money_does() -> None:
    quick = SimulatorSettings(ttft_s=0.001, itl_s=0.0002, tokens=8, models=(("m", 1.0),))
    async with Simulator(quick) as simulator:
        host = Host(a_setup(simulator.base_url, None, duration_s=600.0, budget_usd=WORST * 3))
        async with asyncio.timeout(20):
            figures = await host.run()
    assert 1 <= figures["calls"]["refused"] <= 8
    assert figures["calls"]["done"] >= 3
    assert "of the budget of" in (host.ledger.notice or "")
    assert not host.interrupted


def test_a_budget_without_a_price_is_no_run() -> None:
    with pytest.raises(UsageError, match="no price is known"):
        Host(a_setup("http://127.0.0.1:9/v1", 1, price=None, budget_usd=WORST)).open()


async def test_goodput_is_in_the_picture_and_in_the_summary() -> None:
    quick = SimulatorSettings(ttft_s=0.001, itl_s=0.0002, tokens=8, models=(("m", 1.0),))
    async with Simulator(quick) as simulator:
        host = Host(a_setup(simulator.base_url, 6, objectives=parse_goodput("e2e:20s queue:20s")))
        figures = await host.run()
    goodput = host.latest.goodput
    assert goodput is not None
    assert (goodput.met, goodput.ended, goodput.share) == (6, 6, 1.0)
    assert goodput.objectives.startswith("e2e ≤ 20")
    assert (figures["goodput"]["share"], figures["goodput"]["met"]) == (1.0, 6)
    assert figures["budget"] is None
