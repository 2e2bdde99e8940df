"""A call of a batch is patient: it is begun anew, waits as long as it takes, and ends unsettled when the run does."""

import asyncio
import json
from decimal import Decimal

import pytest
from call_under_test import LIMITS, Witness, a_plan, lane_to, until
from rude_server import (
    END,
    STREAM,
    WELL,
    Act,
    Exchange,
    RudeServer,
    chunk,
    error_body,
    refuses,
    reply,
    says,
    then_closes,
    then_resets,
    then_silence,
    words,
)

from tui.core.calls import State, Usage
from tui.core.facts import BackedOff, Sent
from tui.core.money import Price, cost_of
from tui.core.record_of import record_of
from tui.core.retry import RetryBudget, RetryPolicy
from tui.core.structured import judge_json
from tui.engine.endpoint import TimeLimits
from tui.engine.gate import WHY
from tui.engine.limiter import Limiter
from tui.engine.purse import Purse

pytestmark = pytest.mark.looptime

PATIENT = RetryPolicy(attempts=6, first_backoff_s=0.0, patient=True)
BUSY = says(reply("503 Busy"))
PRICE = Price(Decimal(1), Decimal(10), origin="--price")


def now_s() -> float:
    return asyncio.get_running_loop().time()


def hints(seconds: int, status: str = "429 Slow") -> Act:
    return refuses(status, "later", None, f"Retry-After: {seconds}")


# ── begun anew ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "cut",
    [
        then_resets(STREAM, words("Hel", "lo")),
        then_closes(STREAM, words("Hel", "lo")),
        says(STREAM, words("Hel"), chunk(b"data: " + error_body("busy", None, "overloaded_error") + b"\n\n") + END),
        then_silence(STREAM, words("Hel", "lo")),
    ],
)
async def test_what_is_cut_in_mid_stream_is_begun_anew_and_never_joined(cut: Act) -> None:
    witness, plan = Witness(), a_plan()
    async with RudeServer(cut, WELL) as server, lane_to(server, policy=PATIENT) as lane:
        ending = await witness.run(lane, plan)
        first, second = server.requests
    assert ending.state is State.DONE
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    record = record_of(plan, witness.entry(), ending.state, ending.error, "o", 0)
    assert record.text == "Hello"
    assert (record.attempts[0].superseded_text or "").startswith("Hel")
    assert record.attempts[1].superseded_text is None
    assert [attempt.possibly_billed for attempt in record.attempts] == [True, False]
    witness.check()


async def test_both_attempts_are_paid_for() -> None:
    plan = a_plan(max_tokens=8)
    purse = Purse(Decimal(1), PRICE)
    async with RudeServer(then_resets(STREAM, words("Hel")), WELL) as server, lane_to(server, policy=PATIENT) as lane:
        lane.purse = purse
        await Witness().run(lane, plan)
    assert purse.spent == purse.worst(plan).usd + cost_of(Usage(7, 3), PRICE)
    assert purse.reserved == 0


async def test_one_that_is_cut_at_every_attempt_is_broken_and_keeps_the_last_text() -> None:
    witness, plan = Witness(), a_plan()
    cuts = [then_resets(STREAM, words(f"text {number}")) for number in range(1, 7)]
    async with RudeServer(*cuts) as server, lane_to(server, policy=PATIENT) as lane:
        ending = await witness.run(lane, plan)
    assert (ending.state, len(witness.of(Sent))) == (State.BROKEN, 6)
    assert "(after 6 attempts)" in (ending.error or "")
    record = record_of(plan, witness.entry(), ending.state, ending.error, "o", 0)
    assert record.text == "text 6"
    assert [attempt.superseded_text for attempt in record.attempts] == [*(f"text {n}" for n in range(1, 6)), None]
    witness.check()


async def test_one_whose_last_attempt_brings_nothing_has_failed() -> None:
    witness = Witness()
    async with RudeServer(then_resets(STREAM, words("Hel")), BUSY) as server, lane_to(server, policy=PATIENT) as lane:
        ending = await witness.run(lane)
    assert (ending.state, ending.error) == (State.FAILED, "HTTP 503: Service Unavailable (after 6 attempts)")


async def test_what_cannot_be_mended_is_not_begun_anew() -> None:
    cut = then_closes(STREAM, words("Hel"), b"zz\r\n")  # breaks HTTP
    async with RudeServer(cut) as server, lane_to(server, policy=PATIENT) as lane:
        ending = await Witness().run(lane)
    assert (ending.state, len(server.requests)) == (State.BROKEN, 1)


async def test_an_answer_that_was_cut_is_not_sent_back_as_one_that_was_rejected() -> None:
    witness = Witness()
    acts = (then_resets(STREAM, words('{"a"')), says(STREAM, words("no"), chunk(b"data: [DONE]\n\n") + END))
    right = says(STREAM, words("[]"), chunk(b"data: [DONE]\n\n") + END)
    async with RudeServer(*acts, right) as server, lane_to(server, policy=PATIENT) as lane:
        lane.judge = judge_json
        assert (await witness.run(lane)).state is State.DONE
        asked = [json.loads(request.body)["messages"] for request in server.requests]
        assert lane.budget.tokens == RetryBudget.FULL
    assert [len(messages) for messages in asked] == [1, 1, 3]
    assert asked[2][1]["content"] == "no"
    witness.check()


# ── a server that asks for a long wait ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", ["429 Slow", "503 Busy"])
async def test_a_long_hint_closes_the_lane_with_its_countdown_and_is_sat_out(status: str) -> None:
    closed: list[tuple[float, str]] = []
    limiter = Limiter(on_closed=lambda seconds, why: closed.append((seconds, why)))
    witness = Witness()
    # Longer than the call's whole time: waiting takes none of it.
    async with (
        RudeServer(hints(1000, status), WELL) as server,
        lane_to(server, limiter=limiter, policy=PATIENT) as lane,
    ):
        first = asyncio.create_task(witness.run(lane))
        await until(lambda: bool(witness.of(BackedOff)))
        assert (await witness.run(lane, a_plan(2))).state is State.DONE
        assert now_s() >= 1000
        assert (await first).state is State.DONE
        assert now_s() <= 1101
        assert lane.budget.tokens == RetryBudget.FULL
    assert closed == [(1000, f"{status[:3]}: the server asks for 1000.0 s")]
    assert LIMITS.total_s < 1000
    witness.check()


async def test_many_that_are_asked_to_wait_long_are_no_outage() -> None:
    async def later(exchange: Exchange) -> None:
        await asyncio.sleep(1.0)  # by then all of them are there
        await hints(600)(exchange)

    witness, whys = Witness(), set()
    limiter = Limiter(on_closed=lambda seconds, why: whys.add(why))
    async with (
        RudeServer(*[later] * 40, WELL) as server,
        lane_to(server, limiter=limiter, policy=PATIENT) as lane,
    ):
        calls = asyncio.gather(*(witness.run(lane, a_plan(call)) for call in range(1, 41)))
        await asyncio.sleep(300)
        assert (len(witness.of(BackedOff)), lane.budget.tokens) == (40, RetryBudget.FULL)
        assert not lane.gate.is_narrow()
        await calls
    assert whys == {"429: the server asks for 600.0 s"}
    assert now_s() <= 662
    assert witness.ledger.states[State.DONE] == 40
    assert len(witness.of(Sent)) == 80


async def test_a_wait_of_more_than_a_day_is_not_sat_out() -> None:
    async with RudeServer(hints(200_000)) as server, lane_to(server, policy=PATIENT) as lane:
        ending = await Witness().run(lane)
    assert ending.state is State.FAILED
    assert "over 86400 s" in (ending.error or "")


# ── its time ───────────────────────────────────────────────────────────────────────────────────────────


def silent_for(seconds: float) -> Act:
    async def act(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await BUSY(exchange)

    return act


async def test_the_clock_runs_while_an_attempt_is_on_the_wire_and_goes_on_where_it_stood() -> None:
    limits = TimeLimits(first_byte_s=60.0, idle_s=60.0, total_s=10.0)
    slow = silent_for(4.0)
    witness = Witness()
    async with (
        RudeServer(slow, hints(100), slow, slow) as server,
        lane_to(server, policy=PATIENT, limits=limits) as lane,
    ):
        ending = await witness.run(lane)
    assert (ending.state, ending.error) == (State.FAILED, "not done within 10 s (--timeout)")
    assert len(witness.of(Sent)) == 4
    assert 110 <= now_s() <= 121
    witness.check()


async def test_it_waits_for_a_person_who_paused_the_run() -> None:
    witness, limiter = Witness(), Limiter()

    async def busy_and_paused(exchange: Exchange) -> None:
        limiter.pause()
        asyncio.get_running_loop().call_later(500, limiter.resume)
        await BUSY(exchange)

    limits = TimeLimits(total_s=10.0)
    async with (
        RudeServer(busy_and_paused, WELL) as server,
        lane_to(server, policy=PATIENT, limits=limits, limiter=limiter) as lane,
    ):
        assert (await witness.run(lane)).state is State.DONE
        assert now_s() >= 500


async def test_it_waits_for_a_person_who_is_asked_for_more_money() -> None:
    witness, plan = Witness(), a_plan(max_tokens=8)
    limits = TimeLimits(total_s=10.0)
    cut = then_resets(STREAM, words("Hel"))
    async with RudeServer(cut, WELL) as server, lane_to(server, policy=PATIENT, limits=limits) as lane:
        loop = asyncio.get_running_loop()
        purse = Purse(
            Purse(Decimal(1), PRICE).worst(plan).usd,
            PRICE,
            on_reached=lambda: loop.call_later(500, purse.raise_to, Decimal(1)) and None,
        )
        lane.purse = purse
        assert (await witness.run(lane, plan)).state is State.DONE
        assert now_s() >= 500


# ── a server that keeps failing ────────────────────────────────────────────────────────────────────────


class Failing:
    """Answers 503 until an instant; keeps when it was asked and how many requests were open at once."""

    def __init__(self, until_s: float = float("inf")) -> None:
        self.until_s = until_s
        self.asked_s: list[float] = []
        self.open = 0
        self.open_at: list[int] = []

    async def __call__(self, exchange: Exchange) -> None:
        self.asked_s.append(now_s())
        self.open += 1
        self.open_at.append(self.open)
        await asyncio.sleep(0.2)
        self.open -= 1
        await (BUSY if now_s() < self.until_s else WELL)(exchange)


async def batch(witness: Witness, lane: object, calls: int, slots: int = 10) -> None:
    free = asyncio.Semaphore(slots)

    async def one(call: int) -> None:
        async with free:
            await witness.run(lane, a_plan(call))  # type: ignore[arg-type]

    await asyncio.gather(*(one(call) for call in range(1, calls + 1)))


async def test_an_outage_is_met_with_one_request_at_a_time_and_loses_no_call() -> None:
    closed: list[tuple[float, str]] = []
    witness, act = Witness(), Failing(until_s=120.0)
    limiter = Limiter(on_closed=lambda seconds, why: closed.append((seconds, why)))
    async with RudeServer(act) as server, lane_to(server, limiter=limiter, policy=PATIENT) as lane:
        await batch(witness, lane, 40)
        assert not lane.gate.is_narrow()
    assert witness.ledger.states[State.DONE] == 40
    # Ten first attempts, the twenty retries that the budget pays for and those in flight when it was empty.
    storm = sum(at < 2 for at in act.asked_s)
    assert storm <= 40
    pauses = [seconds for seconds, why in closed if why == WHY]
    assert pauses == sorted(pauses)
    assert 6 <= len(pauses) <= 8
    alone = [n for at, n in zip(act.asked_s, act.open_at, strict=True) if 2 < at < 120]
    assert alone == [1] * len(alone)
    assert len(act.asked_s) <= storm + len(pauses) + 40
    witness.check()


async def test_a_server_that_never_recovers_ends_every_call_after_its_attempts_in_peace() -> None:
    witness, act = Witness(), Failing()
    async with RudeServer(act) as server, lane_to(server, policy=PATIENT) as lane:
        await batch(witness, lane, 12, slots=4)
        assert lane.budget.tokens < 5
    assert witness.ledger.states[State.FAILED] == 12
    assert {len(entry.attempts) for entry in witness.ledger.calls.values()} == {6}
    gaps = [after - before for before, after in zip(act.asked_s, act.asked_s[1:], strict=False)]
    assert all(gap >= 60 for gap in gaps[-30:])
    assert act.open_at[-30:] == [1] * 30
    witness.check()


async def test_an_empty_budget_pauses_a_patient_call_and_a_success_earns_as_ever() -> None:
    async with RudeServer(BUSY, WELL) as server, lane_to(server, policy=PATIENT) as lane:
        lane.budget.tokens = 4
        assert (await Witness().run(lane)).state is State.DONE
        assert now_s() >= 1
        assert lane.budget.tokens == 5


async def test_a_refusal_of_one_request_shows_that_the_server_is_well_again() -> None:
    witness = Witness()
    async with RudeServer(BUSY, refuses("400 Bad", "odd"), WELL) as server, lane_to(server, policy=PATIENT) as lane:
        lane.budget.tokens = 0
        assert (await witness.run(lane)).state is State.FAILED
        assert not lane.gate.is_narrow()


# ── the run's end ──────────────────────────────────────────────────────────────────────────────────────


async def test_whoever_waits_to_try_again_is_cancelled_when_the_run_ends() -> None:
    witness = Witness()
    async with RudeServer(hints(3000)) as server, lane_to(server, policy=PATIENT) as lane:
        task = asyncio.create_task(witness.run(lane))
        await until(lambda: bool(witness.of(BackedOff)))
        lane.drain()
        ending = await task
        assert now_s() < 1
    assert (ending.state, ending.error) == (
        State.CANCELLED,
        "HTTP 429: later (the run is ending, so it is not tried again)",
    )
    witness.check()


async def test_an_attempt_that_fails_while_the_run_ends_settles_nothing_and_one_that_has_no_other_does() -> None:
    witness = Witness()
    once = RetryPolicy(attempts=1, patient=True)
    for policy, state in ((PATIENT, State.CANCELLED), (once, State.BROKEN)):
        async with RudeServer(then_resets(STREAM, words("Hel"))) as server, lane_to(server, policy=policy) as lane:
            lane.drain()
            ending = await witness.run(lane, a_plan(len(witness.ledger.calls) + 1))
        assert ending.state is state
        assert len(server.requests) == 1


async def test_whoever_waits_for_its_turn_in_an_outage_can_be_cancelled() -> None:
    witness, act = Witness(), Failing()
    async with RudeServer(act) as server, lane_to(server, policy=PATIENT) as lane:
        lane.budget.tokens = 0
        tasks = [asyncio.create_task(witness.run(lane, a_plan(call))) for call in range(1, 6)]
        await asyncio.sleep(10)
        for task in tasks:
            task.cancel()
        assert {(await task).state for task in tasks} == {State.CANCELLED}
        assert lane.limiter.gauges.in_limiter == 0
        act.until_s = 0.0
        assert (await witness.run(lane, a_plan(6))).state is State.DONE
    witness.check()


async def test_a_spent_quota_fails_the_call_that_met_it_and_leaves_the_rest_to_a_resumed_run() -> None:
    witness = Witness()
    spent = refuses("429 Slow", "You exceeded your quota", "insufficient_quota")
    async with RudeServer(spent) as server, lane_to(server, policy=PATIENT) as lane:
        met = await witness.run(lane)
        never_sent = await witness.run(lane, a_plan(2))
    assert [met.state, never_sent.state] == [State.FAILED, State.CANCELLED]
    assert never_sent.error == met.error
    assert len(witness.of(Sent)) == 1
    witness.check()


async def test_one_that_waits_to_try_again_when_the_quota_is_found_spent_is_not_settled_either() -> None:
    witness = Witness()
    spent = refuses("429 Slow", "You exceeded your quota", "insufficient_quota")
    async with RudeServer(hints(60, "503 Busy"), spent) as server, lane_to(server, policy=PATIENT) as lane:
        first = asyncio.create_task(witness.run(lane))
        await until(lambda: bool(witness.of(BackedOff)))
        await witness.run(lane, a_plan(2))
        ending = await first
    assert ending.state is State.CANCELLED
    assert "the quota is spent" in (ending.error or "")
    witness.check()


async def test_one_whose_next_attempt_cannot_be_paid_for_is_refused_so_that_more_money_brings_it_back() -> None:
    plan = a_plan(max_tokens=8)
    cut = then_resets(STREAM, words("Hel"))
    for policy, state in ((PATIENT, State.REFUSED), (RetryPolicy(first_backoff_s=0.0), State.FAILED)):
        act = cut if policy.patient else then_resets(STREAM)
        async with RudeServer(act) as server, lane_to(server, policy=policy) as lane:
            lane.purse = Purse(Purse(Decimal(1), PRICE).worst(plan).usd * Decimal("1.5"), PRICE)
            ending = await Witness().run(lane, plan)
        assert ending.state is state
        assert "another attempt may cost up to" in (ending.error or "")
