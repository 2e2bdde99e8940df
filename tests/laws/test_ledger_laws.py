"""Laws that hold for every run, however its calls go: nothing is lost, counted twice, or depends on who looks."""

import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.billing import call_cost
from tui.core.calls import TERMINAL, State, TextKind, Usage
from tui.core.clock import NS_PER_MS
from tui.core.commands import Watch
from tui.core.facts import (
    Admitted,
    AttemptEnded,
    BackedOff,
    Counted,
    Fact,
    Finished,
    HeadersCame,
    PhaseChanged,
    Queued,
    Sent,
    Stopped,
    TextCame,
    UsageCame,
    Waited,
    Written,
)
from tui.core.histogram import Histogram
from tui.core.ledger import Ledger
from tui.core.money import NOTHING, Price
from tui.core.picture import Painter, RunCard
from tui.core.summary import summary

START = 10**15
SEEDS = st.integers(0, 2**32)
CARD = RunCard("load", "m", "host/v1")


class OneLife:
    """A random call, fact by fact, as the engine would state them."""

    def __init__(self, call: int, rng: random.Random) -> None:
        self.facts: list[Fact] = []
        self._call, self._rng = call, rng
        self._now = START + rng.randrange(60_000) * NS_PER_MS
        model = rng.choice(("m", "other"))
        self.facts.append(Queued(call, self._now, self._now, model, "p", warmup=rng.random() < 0.2))
        self._live()

    def _tick(self) -> int:
        self._now += self._rng.randrange(400 * NS_PER_MS)
        return self._now

    def _live(self) -> None:
        call, rng = self._call, self._rng
        for number in range(1, 4):
            if rng.random() < 0.1:
                self._end(State.CANCELLED, "cancelled")
                return
            self.facts += [Waited(call, self._tick()), Admitted(call, self._tick()), Sent(call, self._now)]
            error = self._exchange(number)
            if error is None or rng.random() < 0.3 or number == 3:
                break
            now = self._tick()
            self.facts.append(BackedOff(call, now, now + 10**9, error))
        self._end(State.DONE if error is None else rng.choice((State.FAILED, State.BROKEN)), error)

    def _exchange(self, number: int) -> str | None:
        call, rng = self._call, self._rng
        facts = self.facts
        facts.append(Written(call, self._tick()))
        status = rng.choice((200, 200, 200, 429, 503))
        facts.append(HeadersCame(call, self._tick(), status))
        if status != 200:
            facts.append(AttemptEnded(call, self._tick(), f"HTTP {status}"))
            return f"HTTP {status}"
        for _ in range(rng.randrange(6)):
            kind = rng.choice((TextKind.CONTENT, TextKind.REASONING))
            facts.append(TextCame(call, self._tick(), kind, "word " * rng.randrange(1, 4), rng.choice((0, 0, 1))))
        usage = Usage(rng.randrange(50), rng.randrange(80))
        error = rng.choice((None, "reset"))
        counted = rng.random() < 0.6
        if counted:
            facts.append(UsageCame(call, self._tick(), usage))
        facts += [Stopped(call, self._tick(), "stop"), AttemptEnded(call, self._now, error, not counted)]
        if not counted:
            facts.append(Counted(call, self._tick(), number, usage))
        return error

    def _end(self, state: State, error: str | None) -> None:
        self.facts.append(Finished(self._call, self._tick(), state, error))


def a_run(seed: int, calls: int = 12) -> list[Fact]:
    """The facts of many calls, woven into each other in order of time."""
    rng = random.Random(seed)
    facts = [fact for call in range(1, calls + 1) for fact in OneLife(call, rng).facts]
    facts.sort(key=lambda fact: fact.at)  # stable, so that a call's own facts keep their order
    return [PhaseChanged(START, "running"), *facts]


@given(SEEDS)
@settings(deadline=None)
def test_what_was_started_is_running_or_has_ended_at_every_moment(seed: int) -> None:
    ledger, started = Ledger(), 0
    for fact in a_run(seed):
        ledger.fold(fact)
        started += isinstance(fact, Queued)
        assert all(count >= 0 for count in ledger.states.values())
        assert sum(ledger.states.values()) == started == len(ledger.calls)
        ended = sum(ledger.states[state] for state in TERMINAL)
        assert ended == sum(call.ended_at is not None for call in ledger.calls.values())
    assert sum(ledger.states[state] for state in TERMINAL) == started
    warmups = sum(call.warmup for call in ledger.calls.values())
    assert sum(ledger.measured_states.values()) == started - warmups - ledger.withdrawn
    figures = summary(ledger, CARD, START + 10**12)
    assert (figures["warmup_calls"], figures["calls"]["total"]) == (warmups, started - warmups - ledger.withdrawn)
    unsent = [call for call in ledger.calls.values() if call.state is State.CANCELLED and not call.attempts]
    assert ledger.withdrawn == sum(not call.warmup for call in unsent)


@given(SEEDS, st.booleans())
@settings(deadline=None)
def test_the_money_of_the_calls_is_the_money_of_the_run_whenever_prices_come(seed: int, other_is_priced: bool) -> None:
    ledger, facts = Ledger(), a_run(seed)
    when = random.Random(seed).randrange(len(facts))
    for index, fact in enumerate(facts):
        if index == when:
            ledger.set_price("m", Price(Decimal("2.5"), Decimal(10)))
            ledger.set_price("other", Price(Decimal("0.1"), Decimal("0.3")) if other_is_priced else None)
        ledger.fold(fact)
        total = NOTHING
        for call in ledger.calls.values():
            total += call_cost(call, ledger.prices)
        assert ledger.spent == total


@given(SEEDS)
@settings(deadline=None)
def test_tokens_of_the_attempts_are_the_tokens_of_the_run(seed: int) -> None:
    ledger = Ledger()
    for fact in a_run(seed):
        ledger.fold(fact)
    attempts = [attempt for call in ledger.calls.values() for attempt in call.attempts]
    assert ledger.usage.completion == sum(attempt.usage.completion for attempt in attempts if attempt.usage)
    assert ledger.usage.prompt == sum(attempt.usage.prompt for attempt in attempts if attempt.usage)
    assert ledger.attempts == len(attempts)
    assert ledger.running_chars == 0


@given(SEEDS, st.lists(st.integers(0, 500), max_size=5))
@settings(deadline=None)
def test_the_same_facts_give_the_same_picture_and_summary_whoever_looked_on(seed: int, looks: list[int]) -> None:
    facts = a_run(seed)
    watched, replayed = Ledger(), Ledger()
    for index, fact in enumerate(facts):
        watched.fold(fact)
        if index in looks:
            Painter(watched, CARD).picture(Watch(focus=1), fact.at)
    for fact in facts:
        replayed.fold(fact)
    end = max(fact.at for fact in facts) + 1
    for watch in (Watch(), Watch(everything=True, count=99, focus=3)):
        assert Painter(watched, CARD).picture(watch, end) == Painter(replayed, CARD).picture(watch, end)
    assert summary(watched, CARD, end) == summary(replayed, CARD, end)


VALUES = st.lists(st.integers(0, 10**12), max_size=40)


def recorded(*lists: list[int]) -> Histogram:
    histogram = Histogram()
    for values in lists:
        for value in values:
            histogram.record(value)
    return histogram


def merged(*histograms: Histogram) -> Histogram:
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram)
    return total


def figures(histogram: Histogram) -> tuple[object, ...]:
    fractions = [index / 20 for index in range(21)]
    return (
        histogram.n,
        histogram.total,
        histogram.minimum,
        histogram.maximum,
        histogram.mean,
        histogram.quantiles(*fractions),
    )


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_and_the_same_as_recording_everything(a: list[int], b: list[int], c: list[int]) -> None:
    left = merged(merged(recorded(a), recorded(b)), recorded(c))
    right = merged(recorded(a), merged(recorded(b), recorded(c)))
    assert figures(left) == figures(right) == figures(recorded(a, b, c))
