"""The fold: what each fact does to a call, to the totals and to the figures."""

from decimal import Decimal

import pytest
from call_story import Story, at

import tui.core.ledger as ledger_module
from tui.core.calls import State, TextKind, Usage
from tui.core.clock import NS_PER_MS
from tui.core.facts import Counted, LaneClosed, LimitsChanged, LoopLagged, Noticed, PhaseChanged, ToolNamed, Waited
from tui.core.histogram import Histogram
from tui.core.money import CostSource, Money, Price

PRICE = Price(Decimal(1), Decimal(10))


def only(histogram: Histogram) -> float | None:
    """The one value of a histogram, in milliseconds."""
    assert histogram.n <= 1
    return histogram.total / NS_PER_MS if histogram.n else None


def test_a_call_passes_through_its_states() -> None:
    story, seen = Story(), []
    steps = [
        lambda: story.queued(0),
        lambda: story.tell(Waited(1, at(1))),
        lambda: story.sent(2),
        lambda: story.attempt_ended(3, "HTTP 503"),
        lambda: story.backed_off(3, until=50),
        lambda: story.sent(51),
        lambda: story.text(60),
        lambda: story.attempt_ended(70),
        lambda: story.finished(71),
    ]
    for step in steps:
        step()
        states = [state for state, count in story.ledger.states.items() if count]
        assert len(states) == 1
        seen.append(states[0].value)
    assert seen == [
        "queued", "waiting", "connecting", "connecting", "backing off", "connecting", "streaming", "streaming", "done",
    ]  # fmt: skip


def test_every_duration_is_measured_by_its_formula() -> None:
    story = Story()
    story.queued(0, due=-40)
    story.sent(10, written=12)
    story.headers(60)
    for ms in (110, 210, 310):
        story.text(ms)
    story.usage(310, completion=5)
    story.attempt_ended(320)
    story.finished(400)
    ledger = story.ledger
    assert only(ledger.queue) == 50
    assert only(ledger.ttft) == 100
    assert only(ledger.server_ttft) == 98
    assert only(ledger.user_ttft) == 150
    assert only(ledger.tpot) == 50
    assert only(ledger.e2e) == 310
    assert (ledger.chunk_gap.n, ledger.chunk_gap.mean) == (2, 100 * NS_PER_MS)
    assert ledger.stream_rate.mean == 20_000  # tokens per 1,000 s


def test_figures_of_a_retried_call_are_those_of_the_attempt_that_delivered() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.headers(100, status=503)
    story.attempt_ended(100, "HTTP 503")
    story.backed_off(100, until=600)
    story.sent(600)
    story.text(650)
    story.attempt_ended(700)
    story.finished(700)
    ledger = story.ledger
    assert (only(ledger.ttft), only(ledger.user_ttft), only(ledger.e2e)) == (50, 650, 100)
    assert only(ledger.queue) == 0
    assert (ledger.attempts, ledger.retries) == (2, 1)


def test_a_stamp_before_the_write_counts_as_zero_and_not_as_less() -> None:
    story = Story()
    story.queued(0)
    story.sent(10, written=30)
    story.text(20)
    assert only(story.ledger.server_ttft) == 0


def test_tpot_wants_two_tokens_and_a_rate_wants_time() -> None:
    for completion in (0, 1):
        story = Story()
        story.whole_call(tokens=completion)
        assert only(story.ledger.tpot) is None
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(10)
    story.usage(10, completion=9)
    story.attempt_ended(10)
    story.finished(10)
    assert only(story.ledger.tpot) is None
    assert story.ledger.stream_rate.n == 0


@pytest.mark.parametrize("state", [State.FAILED, State.BROKEN, State.CANCELLED])
def test_only_a_call_that_is_done_has_an_e2e_and_a_tpot(state: State) -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(10)
    story.text(20)
    story.usage(20, completion=5)
    story.attempt_ended(30, "cut")
    story.finished(30, state, "cut")
    ledger = story.ledger
    assert (ledger.e2e.n, ledger.tpot.n, ledger.stream_rate.n) == (0, 0, 0)
    assert only(ledger.ttft) == 10


def test_a_warm_up_call_is_in_no_figure_but_attempts_sent_and_money() -> None:
    story = Story()
    story.ledger.set_price("m", PRICE)
    story.whole_call(1, warmup=True)
    ledger = story.ledger
    histograms = (
        ledger.ttft, ledger.server_ttft, ledger.user_ttft, ledger.queue, ledger.tpot, ledger.chunk_gap, ledger.e2e,
        ledger.stream_rate,
    )  # fmt: skip
    assert [histogram.n for histogram in histograms] == [0] * 8
    assert sum(ledger.measured_states.values()) == 0
    assert (ledger.measured_attempts, ledger.measured_usage, ledger.usage_sources) == (0, Usage(), set())
    assert (ledger.attempts, ledger.sent.peak, ledger.usage.completion) == (1, 1, 5)
    assert ledger.spent.amount == Decimal("0.00006")
    assert ledger.measured_from is None
    story.whole_call(2, begins=1000)
    assert (ledger.measured_from, ledger.ttft.n, ledger.measured_attempts) == (at(1000), 1, 1)


def test_a_call_cannot_end_twice() -> None:
    story = Story()
    story.whole_call()
    with pytest.raises(AssertionError, match="call 1 ended twice"):
        story.finished(999, State.CANCELLED)


def test_a_new_attempt_begins_anew_and_the_old_text_stays_with_its_own() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(5, "first ")
    story.stopped(6, "length")
    story.attempt_ended(7, "an error in the stream")
    story.sent(10)
    story.text(20, "second")
    call = story.ledger.calls[1]
    assert [attempt.text() for attempt in call.attempts] == ["first ", "second"]
    assert call.finish_reason is None


def test_a_429_is_counted_and_warm_up_apart() -> None:
    story = Story()
    for call, warmup in ((1, False), (2, True)):
        story.queued(0, call, warmup=warmup)
        story.sent(0, call)
        story.headers(5, call, status=429)
    assert (story.ledger.http_429, story.ledger.measured_429) == (2, 1)


def test_the_servers_last_usage_wins_and_is_spent_once() -> None:
    story = Story()
    story.ledger.set_price("m", PRICE)
    story.queued(0)
    story.sent(0)
    story.usage(5, completion=1)
    story.usage(6, completion=100, prompt=1000)
    story.attempt_ended(7)
    story.finished(8)
    assert story.ledger.spent == Money(Decimal("0.002"), CostSource.BILLED)
    assert story.ledger.usage == Usage(1000, 100)


def test_both_attempts_of_a_retried_call_are_costed_and_the_weaker_one_names_the_sum() -> None:
    story = Story()
    story.ledger.set_price("m", PRICE)
    story.queued(0)
    story.sent(0)
    story.attempt_ended(5, "reset", billed=True)
    story.sent(10)
    story.text(11)
    story.usage(12, completion=100, prompt=1000)
    story.attempt_ended(12)
    story.tell(Counted(1, at(13), 1, Usage(1000, 0)))
    story.finished(13)
    assert story.ledger.spent == Money(Decimal("0.003"), CostSource.POSSIBLY_BILLED)
    assert story.ledger.usage_sources == {"usage", "estimated"}
    assert story.ledger.tokens_estimated


def test_a_price_that_comes_late_prices_what_was_spent_before() -> None:
    story = Story()
    story.whole_call()
    assert story.ledger.spent.amount is None
    story.ledger.set_price("m", PRICE)
    assert story.ledger.spent == Money(Decimal("0.00006"), CostSource.BILLED)


def test_a_refused_attempt_costs_nothing_even_without_a_price() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.headers(1, status=401)
    story.attempt_ended(1, "HTTP 401")
    story.finished(1, State.FAILED, "HTTP 401")
    assert story.ledger.spent.amount == 0


@pytest.mark.parametrize(("late_ms", "late"), [(0.0, False), (5.0, False), (5.1, True)])
def test_a_stamp_that_may_be_off_by_more_than_a_twentieth_is_late(late_ms: float, late: bool) -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(100, late_ns=round(late_ms * NS_PER_MS), shared=True)
    assert (story.ledger.late, story.ledger.shared) == (int(late), 1)
    assert story.ledger.calls[1].attempts[0].late is late


def test_reasoning_is_the_first_token_but_not_the_first_answer() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(10, "hmm", kind=TextKind.REASONING)
    story.text(20, "so")
    attempt = story.ledger.calls[1].attempts[0]
    assert (attempt.first_token_at, attempt.first_answer_at) == (at(10), at(20))
    assert (attempt.text(TextKind.REASONING), attempt.text()) == ("hmm", "so")
    assert attempt.tail(99) == "hmm\n\nso"


def test_an_answer_without_text_was_still_delivered_by_its_attempt() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.tell(ToolNamed(1, at(5), 0, 0, "call_1", "now"))
    story.usage(6, completion=4)
    story.attempt_ended(10)
    story.finished(10)
    call = story.ledger.calls[1]
    assert call.delivering is call.attempts[0]
    assert only(story.ledger.e2e) == 10
    assert call.ttft_ns is None


def test_no_attempt_delivered_what_failed() -> None:
    story = Story()
    story.queued(0)
    assert story.ledger.calls[1].delivering is None
    story.sent(0)
    assert story.ledger.calls[1].delivering is None
    story.attempt_ended(5, "HTTP 503")
    assert story.ledger.calls[1].delivering is None


def test_untrusted_words_are_cleaned_where_they_can_be_shown_and_raw_where_they_are_kept() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(1, "a\x1b[2Jb")
    story.stopped(2, "st\x1bop")
    story.attempt_ended(3, "bad\x1b]52;c;news\x07")
    story.finished(3, State.BROKEN, "bad\x1b]52")
    story.tell(Noticed(at(4), "no\x1btice"), LaneClosed(at(4), at(9), "wh\x1by"))
    call = story.ledger.calls[1]
    shown = [call.attempts[0].tail(99), call.finish_reason, call.attempts[0].error, call.error, story.ledger.notice]
    assert not any("\x1b" in (text or "\x1b") for text in [*shown, story.ledger.lane_closed_why])
    assert call.attempts[0].text() == "a\x1b[2Jb"


def test_running_text_leaves_the_estimate_when_its_attempt_ends() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(1, "x" * 40)
    assert story.ledger.running_chars == 40
    story.usage(2, completion=20)
    story.attempt_ended(3)
    assert story.ledger.running_chars == 0
    assert story.ledger.tokens_per_char == 0.5


def test_the_run_s_own_facts_are_kept() -> None:
    story = Story()
    story.tell(LimitsChanged(at(1), 60, 9000, 4), LoopLagged(at(2), 7), PhaseChanged(at(3), "finished"))
    ledger = story.ledger
    assert (ledger.rpm, ledger.tpm, ledger.concurrency) == (60, 9000, 4)
    assert (ledger.lag.maximum, ledger.phase, ledger.started_at, ledger.ended_at) == (7, "finished", at(0), at(3))


def test_first_tokens_of_the_last_minute_do_not_pile_up() -> None:
    story = Story()
    for call in range(1, 300):
        story.whole_call(call, begins=call * 1000)
    assert sum(each is not None for each in story.ledger.ttft_lately.by_second(at(300_000))) <= 60


def test_texts_of_calls_long_ended_leave_memory_and_their_figures_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_TEXTS", 3)
    story = Story()
    for call in range(1, 8):
        story.whole_call(call, begins=call * 1000)
    kept = [call for call, entry in story.ledger.calls.items() if entry.attempts[0].text()]
    assert kept == [5, 6, 7]
    assert story.ledger.calls[1].attempts[0].usage is not None
    assert story.ledger.calls[1].ttft_ns is not None
