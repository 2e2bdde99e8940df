"""Each wish becomes one command, or a few words that say why not."""

import pytest
from fake_session import FakeSession
from msgspec.structs import replace

from tui.core.calls import State
from tui.core.commands import (
    AnyCommand,
    CancelCall,
    Close,
    Drain,
    Export,
    Pause,
    Resume,
    RetryCall,
    RetryFailed,
    SaveCall,
    SetConcurrency,
    SetRate,
    Stop,
    Watch,
)
from tui.core.snapshot import Snapshot
from tui.dashboard.asking import MANY, Asking
from tui.dashboard.departure import Departure
from tui.dashboard.steering import Steering
from tui.dashboard.view import Focused


class Helm:
    """A person at the keys: what was sent, said and asked, and an answer to every question."""

    def __init__(self, answer: str | None = None, **run: object) -> None:
        self.sent: list[AnyCommand] = []
        self.said: list[str] = []
        self.asked: list[str] = []
        self.gone = False
        self.answer = answer
        self.steering = Steering(self.sent.append, self.say)
        self.asking = Asking(self.steering, self.ask)
        self.departure = Departure(self.sent.append, self.say, self.ask, self.go)
        self.see(FakeSession().go(14), **run)

    def see(self, snapshot: Snapshot, **run: object) -> None:
        self.snapshot = replace(snapshot, run=replace(snapshot.run, **run))
        self.steering.snapshot = self.snapshot
        self.departure.see(self.snapshot)

    def say(self, text: str, ink: str = "amber", stays: bool = False) -> None:
        self.said.append(text)

    def ask(self, question, choices, answered) -> bool:  # type: ignore[no-untyped-def]
        self.asked.append(question)
        if self.answer is not None:
            answered(self.answer)
        return True

    def go(self) -> None:
        self.gone = True


def test_pausing_and_resuming_go_by_what_the_run_does() -> None:
    helm = Helm()
    helm.steering.pause()
    helm.see(helm.snapshot, phase="paused")
    helm.steering.pause()
    helm.see(helm.snapshot, phase="draining")
    helm.steering.pause()
    assert helm.sent == [Pause(), Resume()]
    assert "nothing is dispatched any more" in helm.said[-1]


def test_presses_add_up_before_the_engine_answers_and_start_anew_after_it_did() -> None:
    helm = Helm(rpm_limit=100)
    for _ in range(3):
        helm.steering.move_rate(1)
    assert helm.sent == [SetRate(110), SetRate(121), SetRate(133)]
    helm.see(helm.snapshot, rpm_limit=50)
    helm.steering.move_rate(-1)
    assert helm.sent[-1] == SetRate(45)


def test_concurrency_moves_by_one_at_least_and_never_to_nought() -> None:
    helm = Helm(concurrency=2)
    for _ in range(3):
        helm.steering.move_concurrency(-1)
    assert helm.sent == [SetConcurrency(1)] * 3


def test_a_limit_can_be_set_where_there_was_none_and_be_lifted() -> None:
    helm = Helm(rpm_limit=None)
    helm.steering.move_rate(1)
    assert ":rpm 120" in helm.said[-1]
    helm.steering.set_rate(120)
    helm.steering.set_rate(None)
    assert helm.sent == [SetRate(120), SetRate(None)]


@pytest.mark.parametrize(
    ("state", "cancels", "retries"),
    [
        (State.STREAMING, True, False),
        (State.QUEUED, True, False),
        (State.DONE, False, False),
        (State.FAILED, False, True),
        (State.BROKEN, False, True),
        (State.CANCELLED, False, True),
        (State.REFUSED, False, True),
    ],
)
def test_a_call_can_be_cancelled_while_it_runs_and_retried_when_it_ended_badly(
    state: State, cancels: bool, retries: bool
) -> None:
    helm = Helm()
    helm.steering.cancel(Focused(7, state))
    helm.steering.retry(Focused(7, state))
    assert helm.sent == [*([CancelCall(7)] if cancels else []), *([RetryCall(7)] if retries else [])]
    assert len(helm.said) == 2


def test_without_a_call_the_keys_say_so() -> None:
    helm = Helm()
    helm.steering.cancel(None)
    helm.steering.retry(None)
    assert helm.sent == []
    assert all("no call here" in words for words in helm.said)


def test_nothing_is_sent_to_a_run_that_is_over() -> None:
    helm = Helm("yes", phase="finished")
    helm.steering.move_rate(1)
    helm.steering.move_concurrency(1)
    helm.steering.set_rate(5)
    helm.steering.retry(Focused(1, State.FAILED))
    helm.asking.retry_failed()
    helm.asking.stop_dispatching()
    assert helm.sent == []
    assert helm.asked == []
    assert set(helm.said) == {"the run has ended"}


@pytest.mark.parametrize(("failed", "asks"), [(1, False), (MANY, False), (MANY + 1, True), (5_000, True)])
def test_many_retries_are_asked_about_with_their_number(failed: int, asks: bool) -> None:
    helm = Helm("yes")
    helm.see(replace(helm.snapshot, unanswered=failed))
    helm.asking.retry_failed()
    assert helm.sent == [RetryFailed()]
    assert helm.asked == ([f"do {failed:,} failed calls again?"] if asks else [])


def test_many_retries_are_not_done_without_a_yes() -> None:
    helm = Helm("stay")
    helm.see(replace(helm.snapshot, unanswered=500))
    helm.asking.retry_failed()
    assert helm.sent == []


def test_no_failed_call_means_no_retry() -> None:
    helm = Helm()
    helm.see(replace(helm.snapshot, unanswered=0))
    helm.asking.retry_failed()
    assert helm.sent == []
    assert helm.said == ["no failed call is left to do again"]


def test_an_export_is_of_what_is_shown_in_the_order_of_its_columns() -> None:
    helm = Helm("csv")
    helm.asking.export(Watch("table", order="ttft", descending=True, query="state:failed"))
    helm.asking.export(Watch("wall", order="newest"))
    helm.asking.exported("jsonl", Watch("waterfall", order="id"))
    helm.asking.exported("stay", Watch("table"))
    assert helm.sent == [Export("csv", "state:failed", "ttft", True), Export("csv"), Export("jsonl")]
    assert "pass the filter" in helm.asked[0]
    assert "all calls" in helm.asked[1]


def test_a_call_is_saved_and_dispatch_is_stopped_when_it_is_meant() -> None:
    helm = Helm("yes")
    helm.steering.save(3)
    helm.asking.stop_dispatching()
    assert helm.sent == [SaveCall(3), Drain()]


def test_leaving_a_run_that_is_over_closes() -> None:
    helm = Helm(phase="finished")
    helm.departure.leave()
    assert helm.sent == [Close()]
    assert helm.gone


def test_leaving_asks_once_and_says_how_many_calls_run() -> None:
    helm = Helm()
    helm.departure.leave()
    helm.departure.leave()
    assert helm.asked == [f"{helm.snapshot.counts.running} calls are still running"]
    assert helm.sent == []


def test_whoever_was_asked_goes_when_the_run_ends_meanwhile() -> None:
    helm = Helm()
    helm.departure.leave()
    helm.see(helm.snapshot, phase="finished")
    assert helm.gone


def test_whoever_stays_is_still_there_when_the_run_ends() -> None:
    helm = Helm("stay")
    helm.departure.leave()
    helm.see(helm.snapshot, phase="finished")
    assert not helm.gone


def test_a_drain_closes_when_the_run_is_over_and_not_before() -> None:
    helm = Helm("drain")
    helm.departure.leave()
    assert (helm.sent, helm.gone) == ([Drain()], False)
    helm.see(helm.snapshot, phase="finished")
    assert (helm.sent, helm.gone) == ([Drain(), Close()], True)


def test_interrupts_drain_then_stop_then_close() -> None:
    helm = Helm()
    for _ in range(3):
        helm.departure.interrupt()
    assert helm.sent == [Drain(), Stop(), Close()]
    assert helm.gone


def test_a_question_that_could_not_be_asked_is_asked_again() -> None:
    helm = Helm()
    asked: list[str] = []
    departure = Departure(helm.sent.append, helm.say, lambda question, *_: asked.append(question) or False, helm.go)
    departure.see(helm.snapshot)
    departure.leave()
    departure.leave()
    assert len(asked) == 2
