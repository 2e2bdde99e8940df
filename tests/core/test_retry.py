"""The retry policy, rule by rule, as a table; and the budget that keeps an outage from becoming a storm."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.retry import (
    RETRIED_STATUSES,
    Failure,
    FailureKind,
    GiveUp,
    RetryBudget,
    RetryPolicy,
    Wait,
    backoff_s,
    decide,
)

POLICY = RetryPolicy()
BATCH = RetryPolicy(attempts=6, patient=True)


def status(number: int | None, **more: object) -> Failure:
    return Failure(FailureKind.STATUS, f"HTTP {number}", number, **more)  # type: ignore[arg-type]


def asked(failure: Failure, attempt: int = 1, left_s: float = 600.0, jitter: float = 0.5) -> Wait | GiveUp:
    return decide(failure, attempt, left_s, jitter, POLICY)


@pytest.mark.parametrize("kind", [FailureKind.CONNECT, FailureKind.TIMEOUT, FailureKind.RESET])
def test_trouble_on_the_line_before_the_first_token_is_retried(kind: FailureKind) -> None:
    assert isinstance(asked(Failure(kind, "trouble")), Wait)


@pytest.mark.parametrize("kind", [FailureKind.CERTIFICATE, FailureKind.PROTOCOL])
@pytest.mark.parametrize("word", [None, True])
def test_what_another_try_cannot_mend_is_not_retried_whatever_the_server_says(
    kind: FailureKind, word: bool | None
) -> None:
    assert asked(Failure(kind, "trouble", should_retry=word)) == GiveUp("")


def test_a_rejected_answer_is_asked_for_again_at_once_within_the_attempts() -> None:
    rejected = Failure(FailureKind.REJECTED, "answer is not valid: x", written=True)
    assert asked(rejected) == Wait(0.0, "answer is not valid: x")
    assert asked(rejected, attempt=3) == GiveUp("after 3 attempts")
    hopeless = Failure(FailureKind.REJECTED, "answer is not valid: x", should_retry=False)
    assert asked(hopeless) == GiveUp("")


def test_exactly_the_listed_statuses_are_retried() -> None:
    retried = {number for number in range(300, 600) if isinstance(asked(status(number)), Wait)}
    assert retried == {408, 409, 429, 500, 502, 503, 504, 522, 524, 529} == RETRIED_STATUSES


def test_an_error_in_the_stream_that_maps_to_no_status_is_not_retried() -> None:
    assert asked(status(None)) == GiveUp("")


@pytest.mark.parametrize("number", [400, 401, 404, 500, 503, 429])
def test_the_servers_own_word_overrides_the_status(number: int) -> None:
    assert isinstance(asked(status(number, should_retry=True)), Wait)
    assert isinstance(asked(status(number, should_retry=False)), GiveUp)


@pytest.mark.parametrize("word", [None, True, False])
@pytest.mark.parametrize("number", [429, 403, None])
def test_a_spent_quota_stops_the_lane_even_where_the_server_says_retry(word: bool | None, number: int | None) -> None:
    decision = asked(status(number, code="insufficient_quota", should_retry=word, hint_s=1.0))
    assert isinstance(decision, GiveUp)
    assert decision.stop_lane
    assert "quota" in decision.why


def test_nothing_else_stops_the_lane() -> None:
    for failure in (status(429, code="rate_limit_exceeded"), status(401), Failure(FailureKind.RESET, "cut")):
        decision = asked(failure, attempt=3)
        assert isinstance(decision, GiveUp)
        assert not decision.stop_lane


@pytest.mark.parametrize("failure", [status(503), Failure(FailureKind.RESET, "cut"), status(429, should_retry=True)])
def test_after_the_first_token_nothing_is_retried(failure: Failure) -> None:
    committed = Failure(
        failure.kind, failure.message, failure.status, should_retry=failure.should_retry, after_first_token=True
    )
    assert asked(committed) == GiveUp("")


@pytest.mark.parametrize(("policy", "most"), [(RetryPolicy(attempts=1), 1), (POLICY, 3), (BATCH, 6)])
def test_no_attempt_comes_after_the_policys_last(policy: RetryPolicy, most: int) -> None:
    decisions = [decide(status(503), attempt, 600.0, 0.5, policy) for attempt in range(1, most + 1)]
    assert all(isinstance(decision, Wait) for decision in decisions[:-1])
    assert decisions[-1] == GiveUp(f"after {most} attempts" if most > 1 else "")


def test_a_hint_over_two_minutes_is_not_waited_for_and_named() -> None:
    assert isinstance(asked(status(429, hint_s=120.0), jitter=0.0), Wait)
    decision = asked(status(429, hint_s=121.0))
    assert isinstance(decision, GiveUp)
    assert "121 s" in decision.why


@pytest.mark.parametrize(("hint_s", "left_s"), [(30.0, 30.0), (30.0, 29.0), (None, 0.0)])
def test_a_wait_past_the_deadline_is_not_begun(hint_s: float | None, left_s: float) -> None:
    decision = asked(status(503, hint_s=hint_s), left_s=left_s)
    assert isinstance(decision, GiveUp)
    assert "deadline" in decision.why


def patiently(failure: Failure, attempt: int = 1, left_s: float = 600.0, jitter: float = 0.5) -> Wait | GiveUp:
    return decide(failure, attempt, left_s, jitter, BATCH)


@pytest.mark.parametrize("failure", [status(503), Failure(FailureKind.RESET, "cut"), status(429, should_retry=True)])
def test_a_patient_call_is_begun_anew_after_its_first_token(failure: Failure) -> None:
    cut = replace(failure, after_first_token=True)
    assert isinstance(patiently(cut), Wait)
    assert patiently(cut, attempt=6) == GiveUp("after 6 attempts")


def test_patience_does_not_mend_what_another_try_cannot() -> None:
    for failure in (Failure(FailureKind.PROTOCOL, "too large", after_first_token=True), status(400), status(None)):
        assert patiently(failure) == GiveUp("")
    spent = patiently(status(429, code="insufficient_quota", hint_s=600.0))
    assert isinstance(spent, GiveUp)
    assert spent.stop_lane


def test_a_patient_call_sits_out_a_hint_of_up_to_a_day() -> None:
    assert patiently(status(429, hint_s=3600.0), jitter=0.0) == Wait(3600.0, "HTTP 429")
    assert patiently(status(503, hint_s=86_400.0), jitter=0.0) == Wait(86_400.0, "HTTP 503")
    decision = patiently(status(429, hint_s=86_401.0))
    assert isinstance(decision, GiveUp)
    assert "86401 s, over 86400 s" in decision.why


def test_no_wait_passes_the_deadline_of_a_patient_call() -> None:
    assert isinstance(patiently(status(503, hint_s=600.0), left_s=1.0), Wait)


@pytest.mark.parametrize(
    ("failure", "in_trouble"),
    [
        (status(503), True),
        (status(429), True),
        (Failure(FailureKind.TIMEOUT, "silence"), True),
        (Failure(FailureKind.RESET, "cut", after_first_token=True), True),
        (status(400), False),
        (status(503, should_retry=False), False),
        (Failure(FailureKind.CERTIFICATE, "expired"), False),
        (Failure(FailureKind.REJECTED, "answer is not valid: x"), False),
    ],
)
def test_a_server_is_in_trouble_when_it_may_answer_later_what_it_does_not_answer_now(
    failure: Failure, in_trouble: bool
) -> None:
    assert failure.in_trouble is in_trouble
    assert replace(failure, hint_s=121.0).asks_for_quiet is in_trouble
    assert not replace(failure, hint_s=120.0).asks_for_quiet


@given(st.floats(0.001, 120.0), st.floats(0, 1, exclude_max=True), st.integers(1, 6))
def test_a_hint_is_never_undercut_and_passed_by_ten_percent_at_most(hint_s: float, jitter: float, attempt: int) -> None:
    assert hint_s <= backoff_s(attempt, hint_s, jitter, BATCH) <= hint_s * 1.1


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 60))
def test_back_off_has_full_jitter_under_a_doubling_ceiling(jitter: float, attempt: int) -> None:
    ceiling = min(20.0, 0.5 * 2.0 ** (attempt - 1))
    assert math.isclose(backoff_s(attempt, None, jitter, BATCH), jitter * ceiling)


# ── the budget ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_thousand_calls_against_an_outage_make_twenty_retries() -> None:
    budget = RetryBudget()
    assert sum(budget.take(status(503)) is not None for _ in range(1000)) == 20


def test_a_retry_after_a_time_out_costs_double() -> None:
    budget = RetryBudget()
    assert budget.take(Failure(FailureKind.TIMEOUT, "silence")) == 10
    assert budget.tokens == 90


def test_a_budget_that_cannot_pay_is_left_as_it_is() -> None:
    budget = RetryBudget()
    budget.tokens = 9
    assert budget.take(Failure(FailureKind.TIMEOUT, "silence")) is None
    assert budget.tokens == 9
    assert budget.take(status(503)) == 5


def test_a_success_earns_one_and_a_successful_retry_its_cost() -> None:
    budget = RetryBudget()
    budget.tokens = 50
    budget.succeeded(None)
    assert budget.tokens == 51
    budget.succeeded(10)
    assert budget.tokens == 61


def test_the_budget_never_passes_its_size() -> None:
    budget = RetryBudget()
    budget.succeeded(None)
    budget.succeeded(10)
    assert budget.tokens == RetryBudget.FULL


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_ends_a_batch_and_only_the_call_of_an_interactive_run(status: int) -> None:
    refused = Failure(FailureKind.STATUS, "no such key", status)
    for policy, stops in ((RetryPolicy(6, patient=True), True), (RetryPolicy(3), False)):
        decision = decide(refused, 1, 60.0, 0.5, policy)
        assert isinstance(decision, GiveUp)
        assert decision.stop_lane is stops
