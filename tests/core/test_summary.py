"""summary.json, key by key, and what its figures hold."""

from decimal import Decimal

import pytest
from call_story import Story, at

from tui.core.calls import State, Usage
from tui.core.facts import Counted, LoopLagged, PhaseChanged, Queued
from tui.core.ledger import Ledger
from tui.core.money import Price
from tui.core.objectives import Goodput, parse_goodput
from tui.core.picture import RunCard
from tui.core.summary import summary

DISTRIBUTION = ["n", "mean", "min", "p50", "p90", "p95", "p99", "max"]
DISTRIBUTIONS = [
    "ttft_s", "server_ttft_s", "user_ttft_s", "queue_s", "tpot_s", "chunk_gap_s", "e2e_s", "stream_tokens_per_s",
    "engine_lag_s",
]  # fmt: skip
SCHEMA = [
    "schema", "job", "model", "calls", "attempts", "retries", "http_429", "ttft_s", "server_ttft_s", "user_ttft_s",
    "queue_s", "tpot_s", "chunk_gap_s", "e2e_s", "stream_tokens_per_s", "tokens", "run_tokens_per_s", "cost_usd",
    "cost_source", "wall_s", "rpm_peak_60s", "engine_lag_s",
]  # fmt: skip
CARD = RunCard("load", "m", "host/v1")


def test_the_keys_are_those_of_schema_1_and_additions_come_after_them() -> None:
    story = Story()
    story.whole_call()
    story.tell(LoopLagged(at(1), 5))
    figures = summary(story.ledger, CARD, at(1000))
    assert figures["schema"] == 1
    assert list(figures)[: len(SCHEMA)] == SCHEMA
    assert list(figures["calls"]) == ["total", "done", "failed", "broken", "cancelled", "refused"]
    assert list(figures["tokens"]) == ["prompt", "completion", "reasoning", "cached", "source"]
    for name in DISTRIBUTIONS:
        assert list(figures[name]) == DISTRIBUTION, name


def test_a_run_without_calls_has_nulls_and_no_zeros_that_were_not_measured() -> None:
    figures = summary(Story().ledger, CARD, at(5))
    assert [figures[name] for name in DISTRIBUTIONS] == [None] * len(DISTRIBUTIONS)
    assert figures["tokens"]["source"] is None
    assert figures["run_tokens_per_s"] is None
    assert (figures["calls"]["total"], figures["wall_s"]) == (0, 0)


def test_durations_are_in_seconds_and_rates_in_tokens_a_second() -> None:
    story = Story()
    story.whole_call()
    story.tell(PhaseChanged(at(1000), "finished"))
    figures = summary(story.ledger, CARD, at(99_000))
    expected = {
        "ttft_s": 0.1, "server_ttft_s": 0.098, "user_ttft_s": 0.11, "queue_s": 0.01, "tpot_s": 0.1, "chunk_gap_s": 0.1,
        "e2e_s": 0.51, "stream_tokens_per_s": 10.0,
    }  # fmt: skip
    assert {name: figures[name]["p50"] for name in expected} == pytest.approx(expected, rel=1e-3)
    assert figures["chunk_gap_s"]["n"] == 4
    assert figures["wall_s"] == 0.521
    assert figures["run_tokens_per_s"] == pytest.approx(5 / 0.521)


def test_the_wall_time_begins_with_the_first_call_that_is_no_warm_up() -> None:
    story = Story()
    story.whole_call(1, warmup=True)
    story.whole_call(2, begins=2000)
    story.tell(PhaseChanged(at(3000), "finished"))
    figures = summary(story.ledger, CARD, at(3000))
    assert (figures["wall_s"], figures["calls"]["total"], figures["attempts"]) == (0.521, 1, 1)
    assert figures["rpm_peak_60s"] == 2
    assert figures["tokens"]["completion"] == 5


def test_calls_add_up_whatever_became_of_them() -> None:
    story = Story()
    for call, state in enumerate((State.DONE, State.FAILED, State.BROKEN, State.CANCELLED, State.REFUSED), start=1):
        story.queued(0, call)
        story.sent(0, call)
        story.finished(1, state, call=call)
    assert summary(story.ledger, CARD, at(2))["calls"] == {
        "total": 5, "done": 1, "failed": 1, "broken": 1, "cancelled": 1, "refused": 1,
    }  # fmt: skip


def test_a_call_that_is_withdrawn_before_it_was_sent_is_none_of_the_calls_and_no_error() -> None:
    story = Story()
    for call, is_sent in ((1, True), (2, False), (3, False)):
        story.queued(0, call)
        if is_sent:
            story.sent(1, call)
        story.finished(500 * call, State.CANCELLED, "cancelled", call)
    story.tell(PhaseChanged(at(1500), "finished"))
    figures = summary(story.ledger, CARD, at(9000))
    assert (figures["calls"]["cancelled"], figures["calls"]["total"], story.ledger.withdrawn) == (1, 1, 2)
    assert figures["errors"] == [{"error": "cancelled", "n": 1}]
    assert figures["wall_s"] == 1.5  # while it waited the run went on


def test_a_refused_call_was_not_sent_either_but_ended_in_a_state_of_its_own() -> None:
    story = Story()
    story.queued(0)
    story.finished(1, State.REFUSED, "too large")
    assert (summary(story.ledger, CARD, at(2))["calls"]["refused"], story.ledger.withdrawn) == (1, 0)


def test_warm_up_calls_are_counted_apart_whatever_became_of_them() -> None:
    story = Story()
    story.whole_call(1, warmup=True)
    story.queued(0, 2, warmup=True)
    story.finished(600, State.CANCELLED, "cancelled", 2)
    story.queued(600, 3)
    story.finished(700, State.CANCELLED, "cancelled", 3)
    figures = summary(story.ledger, CARD, at(800))
    assert (figures["warmup_calls"], figures["calls"]["total"], story.ledger.withdrawn) == (2, 0, 1)


def test_calls_that_do_others_again_are_counted_but_for_warm_up() -> None:
    story = Story()
    for call, warmup in ((1, False), (2, True)):
        story.queued(0, call, warmup=warmup)
        story.finished(1, State.FAILED, "HTTP 500", call)
    assert summary(story.ledger, CARD, at(2))["done_again"] == 0
    for call, warmup in ((3, False), (4, True)):
        story.tell(Queued(call, at(5), at(5), "m", "p", warmup, retry_of=call - 2))
    assert summary(story.ledger, CARD, at(6))["done_again"] == 1


def test_money_is_a_string_or_null_with_where_it_comes_from() -> None:
    story = Story()
    story.whole_call()
    figures = summary(story.ledger, CARD, at(999))
    assert (figures["cost_usd"], figures["cost_source"]) == (None, "unpriced")
    story.ledger.set_price("m", Price(Decimal("2.5"), Decimal(10)))
    figures = summary(story.ledger, CARD, at(999))
    assert (figures["cost_usd"], figures["cost_source"]) == ("0.000075", "billed by usage")


def test_tokens_say_who_counted_them() -> None:
    story = Story()
    story.whole_call(1)
    assert summary(story.ledger, CARD, at(999))["tokens"]["source"] == "usage"
    story.queued(600, 2)
    story.sent(600, 2)
    story.text(700, call=2)
    story.attempt_ended(710, call=2)
    story.tell(Counted(2, at(711), 1, Usage(3, 4)))
    story.finished(711, call=2)
    tokens = summary(story.ledger, CARD, at(999))["tokens"]
    assert (tokens["source"], tokens["prompt"], tokens["completion"]) == ("mixed", 13, 9)


def test_goodput_counts_measured_calls_of_every_ending_and_is_null_without_objectives() -> None:
    story = Story(Ledger(Goodput(parse_goodput("ttft:100 tpot:200"))))
    story.whole_call(1, warmup=True)
    story.whole_call(2)
    story.queued(600, 3)
    story.sent(650, 3)
    story.finished(700, State.CANCELLED, "cancelled", 3)
    story.queued(600, 4)
    story.finished(700, State.CANCELLED, "cancelled", 4)  # nothing was sent: it is none of the calls
    goodput = summary(story.ledger, CARD, at(2000))["goodput"]
    assert (goodput["met"], goodput["ended"], goodput["not_done"], goodput["share"]) == (1, 2, 1, 0.5)
    assert summary(Story().ledger, CARD, at(5))["goodput"] is None


def test_the_server_lets_through_what_it_answers_with_a_status_of_2xx() -> None:
    story = Story()
    for call, status in ((1, 200), (2, 429), (3, 503), (4, 201)):
        story.queued(0, call)
        story.sent(call, call)
        story.headers(10 + call, call, status)
    ledger = story.ledger
    assert (ledger.passed_in_all, ledger.passed.within(at(20)), ledger.passed_at) == (2, 2, at(14))
