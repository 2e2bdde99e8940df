"""A record as facts again: in order of time, one end a call, whatever the stamps are."""

import random

from tui.core.calls import State, Usage
from tui.core.facts import CallFact, Finished, TextCame
from tui.core.facts_of import MOST_TOKENS, facts_of
from tui.core.ledger import Ledger
from tui.core.records import AttemptRecord, CallRecord

RUN = {"concurrency": 4, "rpm": 60}


def attempt(stamp: random.Random, usage: Usage | None) -> AttemptRecord:
    """One whose stamps stand in any order, or not at all."""
    stamps = [stamp.choice([None, stamp.uniform(-1, 50)]) for _ in range(5)]
    return AttemptRecord(
        sent_s=stamp.uniform(-1, 50),
        written_s=stamps[0],
        headers_s=stamps[1],
        first_token_s=stamps[2],
        last_token_s=stamps[3],
        ended_s=stamps[4],
        status=stamp.choice([None, 200, 429, 503]),
        error=stamp.choice([None, "HTTP 503"]),
        usage=usage,
        usage_estimated=stamp.random() < 0.5,
    )


def record(number: int, stamp: random.Random) -> CallRecord:
    usage = stamp.choice([None, Usage(10, 0), Usage(10, 5000)])
    return CallRecord(
        id=number,
        state=stamp.choice([State.DONE, State.FAILED, State.CANCELLED, State.REFUSED]),
        model="m",
        item_key="k",
        plan_json=b"{}",
        due_s=stamp.uniform(-1, 50),
        admitted_s=stamp.choice([None, stamp.uniform(-1, 50)]),
        attempts=tuple(attempt(stamp, usage) for _ in range(stamp.randrange(4))),
    )


def test_records_with_stamps_in_any_order_make_facts_that_the_ledger_takes() -> None:
    for seed in range(60):
        stamp = random.Random(seed)
        records = [record(number, stamp) for number in range(1, 30)]
        facts = facts_of(records, RUN)
        assert [fact.at for fact in facts] == sorted(fact.at for fact in facts)
        ledger = Ledger()
        for fact in facts:
            ledger.fold(fact)
        assert sum(ledger.measured_states.values()) + ledger.withdrawn == len(records)
        assert ledger.attempts == sum(len(each.attempts) for each in records)
        ledger.history.timeline(ledger.ended_at or 0, ledger.tokens_per_char, ledger.prices)


def test_a_call_ends_once_and_its_text_has_a_character_for_each_token() -> None:
    delivered = AttemptRecord(
        sent_s=1.0, first_token_s=1.5, last_token_s=31.5, ended_s=32.0, status=200, usage=Usage(10, 1234)
    )
    call = CallRecord(
        id=1,
        state=State.DONE,
        model="m",
        item_key="k",
        plan_json=b"{}",
        due_s=0.0,
        admitted_s=0.5,
        attempts=(delivered,),
    )
    facts = [fact for fact in facts_of([call], RUN) if isinstance(fact, CallFact)]
    texts = [fact for fact in facts if isinstance(fact, TextCame)]
    assert sum(len(fact.text) for fact in texts) == 1234
    assert (texts[0].at, texts[-1].at) == (1_500_000_000, 31_500_000_000)
    assert [type(fact) for fact in facts].count(Finished) == 1
    assert isinstance(facts[-1], Finished)


def test_a_server_that_claims_a_billion_tokens_costs_no_memory() -> None:
    delivered = AttemptRecord(sent_s=1.0, first_token_s=1.5, last_token_s=9.0, ended_s=9.0, usage=Usage(1, 10**12))
    call = CallRecord(
        id=1, state=State.DONE, model="m", item_key="k", plan_json=b"{}", due_s=0.0, attempts=(delivered,)
    )
    assert sum(len(fact.text) for fact in facts_of([call], RUN) if isinstance(fact, TextCame)) == MOST_TOKENS


def test_a_run_without_calls_is_two_facts_and_its_end() -> None:
    assert [fact.at for fact in facts_of([], {})] == [0, 0, 0]
