"""Every fact of a run but its text goes on record and comes back as it was, in the order in which it was stated."""

from typing import Any, get_args

import msgspec
import pytest

from tui.core.calls import State, TextKind, Usage
from tui.core.fact_log import BLANK, KINDS, FactLog, Heard, RunChunk, facts_of_rows, lags_of, rows_of, without_text
from tui.core.facts import (
    Admitted,
    AllowanceCame,
    AttemptEnded,
    BackedOff,
    CallFact,
    Counted,
    Fact,
    Finished,
    HeadersCame,
    LaneClosed,
    LimitsChanged,
    LiveCounted,
    LoopLagged,
    Noticed,
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

START = 10**15
FACTS: tuple[Any, ...] = (
    Queued(7, START, START - 5, "", BLANK * 3, True, 3, True),
    Waited(7, START + 1),
    Admitted(7, START + 2),
    Sent(7, START + 3),
    Written(7, START + 4),
    HeadersCame(7, START + 3, 200, "req-1"),
    AllowanceCame(7, START + 3, 10, 9, 0.25),
    ToolNamed(7, START + 6, 0, 1, "id", "find"),
    UsageCame(7, START + 6, Usage(1, 2, 3, 4)),
    Stopped(7, START + 6, "stop", 1),
    AttemptEnded(7, START + 6, "cut", True, 1.5),
    BackedOff(7, START + 7, START + 900, "cut"),
    Counted(7, START + 8, 1, Usage(5, 6)),
    LiveCounted(7, START + 9, 1, 2, 3),
    Finished(7, START + 8, State.BROKEN, "cut"),
    PhaseChanged(START, "running"),
    LimitsChanged(START, None, 5, 8),
    LaneClosed(START, START + 9, "429"),
    Noticed(START, "words"),
)


def through_the_disk(chunk: RunChunk) -> RunChunk:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(chunk), type=RunChunk)


def test_every_fact_has_a_form_on_record() -> None:
    elsewhere = {TextCame, LoopLagged}  # as arrivals, and as a series of lags
    assert {type(fact) for fact in FACTS} == set(KINDS) == set(get_args(Fact)) - elsewhere
    assert len(set(KINDS)) == len(KINDS)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_a_fact_comes_back_as_it_was(fact: Any) -> None:
    heard = [Heard(12, 3, fact), Heard(40, 5, fact)]
    rows = msgspec.msgpack.decode(msgspec.msgpack.encode(rows_of(heard)))
    assert list(facts_of_rows(rows, fact.call if isinstance(fact, CallFact) else None)) == heard


def test_prompt_model_and_headers_are_left_to_the_record_or_out_of_it() -> None:
    facts = [Queued(1, 5, 5, "secret model", "secret prompt"), HeadersCame(1, 6, 200, None, (("cookie", "secret"),))]
    assert b"secret" not in msgspec.msgpack.encode(rows_of([Heard(1, 0, fact) for fact in facts]))


def test_what_no_file_can_hold_is_replaced() -> None:
    rows = rows_of([Heard(1, 0, Stopped(1, 5, "st\ud800op"))])
    (heard,) = facts_of_rows(msgspec.msgpack.decode(msgspec.msgpack.encode(rows)), 1)
    assert heard.fact.reason == "st\ufffdop"


def test_a_tool_s_name_is_what_a_model_wrote() -> None:
    assert without_text(ToolNamed(1, 5, 0, 1, "id", "find")) == ToolNamed(1, 5, 0, 1, "", "")
    assert without_text(Stopped(1, 5, "stop")) == Stopped(1, 5, "stop")


def test_a_call_is_taken_with_its_end_and_forgotten() -> None:
    log = FactLog()
    log.hear(PhaseChanged(START, "running"), 0)
    log.hear(Waited(1, START), 0)
    log.hear(Waited(2, START), 0)
    log.hear(TextCame(1, START, TextKind.CONTENT, "text"), 1)
    log.hear(UsageCame(1, START, Usage(1, 2)), 4)
    end = Finished(1, START + 5, State.DONE)
    taken = log.take_call(end)
    assert taken == [Heard(2, 0, Waited(1, START)), Heard(4, 4, UsageCame(1, START, Usage(1, 2))), Heard(4, 0, end)]
    assert log.take_call(end) == [Heard(4, 0, end)]


def test_only_the_newest_of_a_viewer_s_looks_is_kept() -> None:
    log = FactLog()
    for tokens in range(5):
        log.hear(LiveCounted(1, START + tokens, 1, tokens, 9), 3)
    (look, _) = log.take_call(Finished(1, START + 9, State.CANCELLED))
    assert look.fact.tokens == 4


def test_the_run_is_taken_in_chunks_that_lose_nothing() -> None:
    log = FactLog()
    told: list[Any] = []
    chunks: list[RunChunk] = []
    for second in range(3):
        facts = [
            Noticed(START + second, "a"),
            LoopLagged(START + second, second * 1000),
            Finished(second, 1, State.DONE),
        ]
        for fact in facts:
            log.hear(fact, 0)
        told += facts
        chunk = log.take_run()
        assert chunk is not None
        chunks.append(through_the_disk(chunk))
    assert log.take_run() is None
    assert [heard.fact for chunk in chunks for heard in facts_of_rows(chunk.rows, None)] == told[::3]
    assert [lag for chunk in chunks for lag in lags_of(chunk)] == told[1::3]
    assert [end for chunk in chunks for end in chunk.ended] == [(3, 0), (6, 1), (9, 2)]


def test_lags_keep_their_instants_and_values() -> None:
    log = FactLog()
    lags = [LoopLagged(START + at, lag) for at, lag in ((0, 5), (20_000_000, 70_000), (41_000_000, 0))]
    for lag in lags:
        log.hear(lag, 0)
    chunk = log.take_run()
    assert chunk is not None
    assert list(lags_of(through_the_disk(chunk))) == lags
