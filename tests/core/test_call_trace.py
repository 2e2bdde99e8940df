"""A call that was recorded is told again as it was: every piece of text, every instant, every mark."""

from typing import Any

import pytest
from call_story import at, plan
from hypothesis import given
from hypothesis import strategies as st

from tui.core.call_trace import TracedCall, read_trace, trace_of
from tui.core.calls import State, TextKind, Usage
from tui.core.entries import CallEntry
from tui.core.fact_log import BLANK, FactLog
from tui.core.facts import (
    Admitted,
    AttemptEnded,
    BackedOff,
    CallFact,
    Fact,
    Finished,
    HeadersCame,
    PhaseChanged,
    Queued,
    Sent,
    Stopped,
    TextCame,
    ToolNamed,
    UsageCame,
    Waited,
    Written,
)
from tui.core.ledger import Ledger
from tui.core.record_of import record_of

C, R, X, T = TextKind.CONTENT, TextKind.REASONING, TextKind.REFUSAL, TextKind.TOOL
PROMPT = "Name a river."


def attempt(sent: float, *pieces: Fact, error: str | None = None) -> list[Fact]:
    begin: list[Fact] = [Waited(1, at(sent)), Admitted(1, at(sent)), Sent(1, at(sent)), Written(1, at(sent + 1))]
    end = max([at(sent + 3), *(piece.at for piece in pieces)])
    return [*begin, HeadersCame(1, at(sent + 2), 200), *pieces, AttemptEnded(1, end, error)]


def call(*attempts: list[Fact], state: State = State.DONE) -> list[Fact]:
    facts: list[Fact] = [Queued(1, at(0), at(0), "m", PROMPT)]
    for each in attempts:
        facts += each
    return [*facts, Finished(1, facts[-1].at + 1, state)]


def recorded(facts: list[Fact], keep_text: bool = True) -> tuple[TracedCall, CallEntry]:
    """The call as a replay has it, and the ledger's entry of the run itself."""
    ledger, log = Ledger(), FactLog()
    ledger.fold(PhaseChanged(at(0), "running"))
    *before, end = facts
    assert isinstance(end, Finished)
    for fact in before:
        ledger.fold(fact)
        attempts = ledger.calls[1].attempts
        log.hear(fact, len(attempts[-1].arrivals.times) if attempts else 0)
    entry = ledger.calls[1]
    record = record_of(plan(prompt=PROMPT), entry, end.state, end.error, "http://host:1", at(0), keep_text)
    trace = trace_of(entry, log.take_call(end), record, keep_text)
    return TracedCall(record, read_trace(trace), f"{PROMPT} And more." if keep_text else None), entry


def told(call: TracedCall) -> list[Any]:
    return [fact for _, fact in call.tell([heard.fact.at for heard in call.heard])]


def text(ms: float, piece: str = "word ", kind: TextKind = C, choice: int = 0, **more: Any) -> TextCame:
    return TextCame(1, at(ms), kind, piece, choice, **more)


@pytest.mark.parametrize(
    "facts",
    [
        call(attempt(1, text(5), text(9, "two"), Stopped(1, at(9), "stop"), UsageCame(1, at(9), Usage(3, 4)))),
        call(attempt(1, text(5, "hm", R), text(6, "so", R), text(7, "raw \x1b \ud83d"), text(8, "end", R))),
        call(attempt(1, text(5, "a"), text(5, "b", choice=1, opens_chunk=False), text(6, "c", choice=1), text(7, "d"))),
        call(attempt(1, text(5, "no", X), text(6, "!", X), text(7, "yes"))),
        call(attempt(1, ToolNamed(1, at(4), 0, 2, "id", "f"), text(5, '{"q"', T, tool=2), text(6, ":1}", T, tool=2))),
        call(attempt(1, text(5, "{", T, tool=1), text(6, "never named", T, tool=1))),
        call(attempt(1, text(5, shared=True), text(5))),
        call(
            [*attempt(1, text(5, "half"), text(6, "hm", R), error="cut"), BackedOff(1, at(6), at(20), "cut")],
            attempt(20, text(25, "half"), text(26, "whole")),
        ),
        call(attempt(1, error="HTTP 503"), state=State.FAILED),
        call(state=State.CANCELLED),
    ],
    ids=["plain", "reasoning", "choices", "refusal", "tool", "unnamed tool", "shared", "twice", "no text", "unsent"],
)  # fmt: skip
def test_a_call_is_told_again_fact_for_fact(facts: list[Fact]) -> None:
    traced, _ = recorded(facts)
    assert traced.whole
    assert told(traced) == facts


PIECES = st.lists(
    st.tuples(st.integers(0, 10**10), st.sampled_from((C, R, X)), st.integers(0, 2), st.text(min_size=1), st.booleans())
)


@given(PIECES)
def test_whatever_is_mixed_comes_apart_again(pieces: list[tuple[int, TextKind, int, str, bool]]) -> None:
    now, texts = at(5), list[Fact]()
    for gap, kind, choice, piece, opens in pieces:
        now += gap
        texts.append(TextCame(1, now, kind, piece, choice, False, 0, opens))
    facts = call(attempt(1, *texts))
    assert told(recorded(facts)[0]) == facts


def test_a_late_first_token_is_late_again() -> None:
    facts = call(attempt(1, text(5, late_ns=10**9), text(6)))
    traced, entry = recorded(facts)
    assert entry.attempts[0].late
    again = Ledger()
    for fact in (PhaseChanged(at(0), "running"), *told(traced)):
        again.fold(fact)
    assert again.calls[1].attempts[0].late


def test_text_that_was_not_kept_is_blank_and_as_long_as_it_was() -> None:
    pieces = (text(5, "hm ", R), text(6, "secret"), ToolNamed(1, at(6), 0, 0, "id", "secret"), text(7, "{}", T))
    traced, _ = recorded(call(attempt(1, *pieces)), keep_text=False)
    assert told(traced)[0].prompt == BLANK * len(PROMPT)
    texts = [fact.text for fact in told(traced) if isinstance(fact, TextCame)]
    assert texts == [BLANK * 3, BLANK * 6, BLANK * 2]
    assert [fact.at for fact in told(traced)] == [fact.at for fact in call(attempt(1, *pieces))]
    assert not any(fact.name for fact in told(traced) if isinstance(fact, ToolNamed))


def test_nothing_of_the_text_is_in_a_trace_that_keeps_none() -> None:
    facts = call(attempt(1, text(5, "secret", X), text(6, "secret", R), ToolNamed(1, at(6), 0, 0, "secret", "secret")))
    ledger, log = Ledger(), FactLog()
    ledger.fold(PhaseChanged(at(0), "running"))
    for fact in facts[:-1]:
        ledger.fold(fact)
        log.hear(fact, 0)
    end = facts[-1]
    assert isinstance(end, Finished)
    record = record_of(plan(prompt="secret"), ledger.calls[1], State.DONE, None, "http://h", at(0), keep_text=False)
    assert b"secret" not in trace_of(ledger.calls[1], log.take_call(end), record, keep_text=False)
    assert "secret" not in repr(record)


def test_text_that_the_kernel_stamped_early_is_told_in_its_turn() -> None:
    facts = call(attempt(10, text(11), text(11.5), text(13)))  # the headers' stamp is 12
    traced, _ = recorded(facts)
    told_at = [heard.fact.at for heard in traced.heard]
    instants = [instant for instant, fact in traced.tell(told_at) if isinstance(fact, CallFact)]
    assert instants == sorted(instants)
    assert told(traced) == facts
