"""How late a scheduled call was sent by our own doing: without the limiter's wait, and only where a slot was free."""

from tui.core.clock import NS_PER_MS
from tui.core.facts import Admitted, AttemptEnded, BackedOff, Queued, Sent, Waited
from tui.core.ledger import Ledger
from tui.core.picture import RunCard
from tui.core.summary import summary


def sent(ledger: Ledger, call: int, *, slot_ready: bool = True, warmup: bool = False, limiter_ms: int = 0) -> None:
    """A call that was due at 100 ms, taken up 2 ms later, in the limiter's queue at 3 ms and sent 1 ms after that."""
    admitted = (103 + limiter_ms) * NS_PER_MS
    ledger.fold(Queued(call, 102 * NS_PER_MS, 100 * NS_PER_MS, "m", "p", warmup, slot_ready=slot_ready))
    ledger.fold(Waited(call, 103 * NS_PER_MS))
    ledger.fold(Admitted(call, admitted))
    ledger.fold(Sent(call, admitted + NS_PER_MS))


def errors_ms(ledger: Ledger) -> list[float]:
    found = ledger.dispatch_error
    return [] if not found.n else [found.n, found.minimum / NS_PER_MS, found.maximum / NS_PER_MS]


def test_it_is_from_due_to_sent_without_the_limiters_wait() -> None:
    ledger = Ledger()
    sent(ledger, 1)
    sent(ledger, 2, limiter_ms=5_000)
    assert errors_ms(ledger) == [2, 4.0, 4.0]


def test_a_call_for_which_no_slot_was_free_is_late_by_the_servers_doing() -> None:
    ledger = Ledger()
    sent(ledger, 1, slot_ready=False)
    assert errors_ms(ledger) == []


def test_a_warm_up_call_is_in_no_figure() -> None:
    ledger = Ledger()
    sent(ledger, 1, warmup=True)
    assert errors_ms(ledger) == []


def test_a_second_attempt_has_no_schedule() -> None:
    ledger = Ledger()
    sent(ledger, 1)
    for fact in (
        AttemptEnded(1, 200 * NS_PER_MS, "HTTP 503"), BackedOff(1, 200 * NS_PER_MS, 300 * NS_PER_MS, "503"),
        Waited(1, 300 * NS_PER_MS), Admitted(1, 300 * NS_PER_MS), Sent(1, 301 * NS_PER_MS),
    ):  # fmt: skip
        ledger.fold(fact)
    assert errors_ms(ledger) == [1, 4.0, 4.0]


def test_the_summary_has_it_in_seconds_and_none_without_a_schedule() -> None:
    ledger = Ledger()
    card = RunCard("load", "m", "host/v1")
    assert summary(ledger, card, 0)["dispatch_error_s"] is None
    sent(ledger, 1)
    assert summary(ledger, card, 10**9)["dispatch_error_s"]["p99"] == 0.004
