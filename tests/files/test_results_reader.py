"""A row for each document, in the order of the input, whatever became of its calls; and columns that add up."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from batch_journal import RUN, append, attempt, call, document, done, rows, write
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tui.core.calls import State, Usage
from tui.core.errors import UsageError
from tui.core.money import Price
from tui.core.records import CallRecord
from tui.core.results import ItemRow, ResultRow, ResultState, ResultTokens
from tui.files.journal import Journal
from tui.files.journal_reader import read_journal
from tui.files.results_reader import FIND_REPEATS, READ_ROWS, check_batch, read_results

PRICE = Price.from_dict(RUN["price"])
COST = Decimal("0.00012")
"""Of one answer of 100 and 10 tokens."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def only(path: Path) -> ResultRow:
    (row,) = rows(path)
    return row


def test_an_answered_document_has_its_answer_and_its_figures(path: Path) -> None:
    write(path, document(1, "k"), done(5, "k"))
    assert only(path) == ResultRow(
        id="d1",
        source="d1.md",
        output="about k",
        state=ResultState.DONE,
        error=None,
        attempts=1,
        ttft_s=0.25,
        tokens=ResultTokens(100, 10, 0, 0, "usage"),
        cost_usd=COST,
        model="m",
    )


def test_rows_come_in_the_order_of_the_input_and_failures_are_no_gaps(path: Path) -> None:
    write(
        path,
        document(2, error="is not UTF-8"),
        document(3, "c"),
        document(1, "a"),
        document(4, "d"),
        call(1, "c", attempt(None, error="HTTP 500"), state=State.FAILED, error="HTTP 500"),
        done(2, "a"),
    )
    found = rows(path)
    assert [row.id for row in found] == ["d1", "d2", "d3", "d4"]
    assert [row.state for row in found] == ["done", "failed", "failed", "pending"]
    assert [row.error for row in found] == [None, "is not UTF-8", "HTTP 500", None]
    assert [row.attempts for row in found] == [1, 0, 1, 0]
    assert [row.cost_usd for row in found] == [COST, 0, 0, 0]
    assert [row.tokens is None for row in found] == [False, True, True, True]


@pytest.mark.parametrize("state", [State.CANCELLED, State.REFUSED])
def test_a_call_that_was_not_made_or_was_stopped_leaves_its_document_pending_and_says_why(
    path: Path, state: State
) -> None:
    write(path, document(1, "k"), call(1, "k", attempt(), state=state, error="the budget is reached", text="half"))
    row = only(path)
    assert (row.state, row.error, row.output, row.tokens) == (ResultState.PENDING, "the budget is reached", None, None)
    assert (row.attempts, row.cost_usd) == (1, COST)


def test_what_a_broken_answer_brought_is_kept(path: Path) -> None:
    write(path, document(1, "k"), call(1, "k", attempt(), state=State.BROKEN, error="cut", text="half"))
    row = only(path)
    assert (row.state, row.output, row.error, row.ttft_s) == (ResultState.FAILED, "half", "cut", 0.25)


def test_retries_that_cost_money_are_costed_within_a_call_and_over_several(path: Path) -> None:
    write(
        path,
        document(1, "k"),
        call(1, "k", attempt(Usage(50, 5), superseded_text="ha"), attempt(), state=State.FAILED, error="no"),
        call(2, "k", attempt(None), attempt(sent_s=9.0), retry_of=1),
    )
    row = only(path)
    assert (row.state, row.error, row.attempts) == (ResultState.DONE, None, 4)
    assert row.cost_usd == COST + COST + Decimal("0.00006")
    assert row.tokens == ResultTokens(100, 10, 0, 0, "usage")


def test_ttft_is_that_of_the_last_attempt_that_brought_a_token(path: Path) -> None:
    late = attempt(sent_s=3.0)
    write(path, document(1, "k"), call(1, "k", attempt(None), late, state=State.DONE))
    assert only(path).ttft_s == 0.25


def test_of_equal_documents_the_first_carries_attempts_and_money_and_all_have_the_answer(path: Path) -> None:
    write(path, document(3, "k"), document(1, "other"), document(2, "k"), done(1, "k"), done(2, "other"))
    found = rows(path)
    assert [row.output for row in found] == ["about other", "about k", "about k"]
    assert [row.attempts for row in found] == [1, 1, 0]
    assert [row.cost_usd for row in found] == [COST, COST, 0]
    assert found[1].tokens == found[2].tokens == ResultTokens(100, 10, 0, 0, "usage")


def test_when_the_first_of_equal_documents_goes_the_next_one_carries(path: Path) -> None:
    write(path, document(1, "k"), document(2, "k"), done(1, "k"))
    journal = Journal.reopen(path, {})
    append(journal, [document(1, "other")])
    journal.close()
    assert [row.attempts for row in rows(path)] == [0, 1]


def split(path: Path, *records: CallRecord, key: str | None = "r", error: str | None = None) -> ResultRow:
    """A document of three parts, of which the second repeats the first, and their reduction."""
    items = (ItemRow(1, 0, 1, "p"), ItemRow(1, 0, 2, "p"), ItemRow(1, 0, 3, "q"), ItemRow(1, 1, 1, "r"))
    write(path, document(1, key, error=error, parts=3), *records)
    journal = Journal.reopen(path, {})
    journal.put_document(document(1, key, error=error, parts=3), items)
    journal.close()
    return only(path)


def test_a_split_document_has_the_sums_of_its_calls_and_the_answer_of_the_last(path: Path) -> None:
    last = call(3, "r", attempt(Usage(30, 3)))
    row = split(path, done(1, "p"), done(2, "q"), last)
    assert (row.state, row.output, row.attempts) == (ResultState.DONE, "about r", 3)
    assert row.tokens == ResultTokens(230, 23, 0, 0, "usage")
    assert row.cost_usd == 2 * COST + Decimal("0.000036")


def test_tokens_that_nobody_counted_make_the_sum_an_estimate(path: Path) -> None:
    row = split(path, replace(done(1, "p"), usage_source="estimated"), done(2, "q"), done(3, "r"))
    assert row.tokens is not None
    assert row.tokens.source == "estimated"


def test_a_split_document_is_pending_until_its_last_call_is_known_and_failed_when_a_part_is(path: Path) -> None:
    row = split(path, done(1, "p"), call(2, "q", state=State.REFUSED, error="the budget is reached"), key=None)
    assert (row.state, row.error, row.attempts) == (ResultState.PENDING, "the budget is reached", 1)
    path.unlink()
    failed = call(2, "q", attempt(None), state=State.FAILED, error="HTTP 500")
    row = split(path, done(1, "p"), failed, key=None, error="part 3 of 3: HTTP 500")
    assert (row.state, row.error, row.output) == (ResultState.FAILED, "part 3 of 3: HTTP 500", None)
    assert (row.attempts, row.cost_usd) == (2, COST)


def test_what_has_no_price_has_no_cost_and_what_cost_nothing_has(path: Path) -> None:
    write(path, document(1, "a"), document(2, "b"), done(1, "a"), call(2, "b", attempt(None)), price=None)
    assert [row.cost_usd for row in rows(path)] == [None, 0]


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("no JSON", "no JSON"),
        ('{"a": NaN}', '{"a": NaN}'),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
        ("", ""),
    ],
)
def test_a_structured_answer_is_its_value_and_one_that_is_none_its_text(path: Path, text: str, output: object) -> None:
    write(path, document(1, "k"), call(1, "k", attempt(), text=text), structured=True)
    assert only(path).output == output


def test_an_invalid_structured_answer_is_a_failure_with_its_text(path: Path) -> None:
    write(path, document(1, "k"), call(1, "k", attempt(), state=State.FAILED, text="{}", error="x"), structured=True)
    assert (only(path).output, only(path).error) == ("{}", "x")


def test_a_run_that_kept_no_text_has_no_output(path: Path) -> None:
    write(path, document(1, "k"), call(1, "k", attempt(), text=""), keep_text=False)
    assert (only(path).output, only(path).state) == (None, ResultState.DONE)


def test_it_is_read_while_it_is_written_as_it_was_when_reading_began(path: Path) -> None:
    journal = Journal.create(path, RUN)
    append(journal, [document(1, "a"), document(2, "b"), done(1, "a")])
    journal.set_run({})
    while journal.backlog:
        pass
    reading = read_results(path)
    first = next(reading)
    append(journal, [done(2, "b"), document(3)])
    while journal.backlog:
        pass
    assert [first.state, *(row.state for row in reading)] == ["done", "pending"]
    assert [row.state for row in rows(path)] == ["done", "done", "pending"]
    journal.close()


def test_nothing_is_sorted_so_that_a_million_documents_are_no_more_in_memory_than_one(path: Path) -> None:
    write(path)
    with sqlite3.connect(path) as connection:
        connection.execute(FIND_REPEATS[0])
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {READ_ROWS}"))
    connection.close()
    assert "TEMP B-TREE" not in plan
    assert plan.count("SCAN") == 1


def test_a_journal_that_was_taken_up_while_it_was_read_closed_is_refused(path: Path) -> None:
    write(path, document(1), document(2))
    reading = read_results(path)
    next(reading)
    Journal.reopen(path, {"resumed": "now"}).close()
    with pytest.raises(UsageError, match="was taken up again while it was read"):
        list(reading)


def test_a_run_that_is_no_batch_is_named(path: Path) -> None:
    write(path, job="probe")
    for read in (check_batch, rows):
        with pytest.raises(UsageError) as raised:
            read(path)
        assert raised.value.where == str(path.parent)
        assert raised.value.what == "is a run of probe, not a batch"


STATES = (State.DONE, State.FAILED, State.BROKEN, State.CANCELLED, State.REFUSED)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=3), max_size=6),
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(STATES), st.integers(0, 2)), max_size=8),
)
def test_the_columns_add_up_to_what_was_sent_and_paid(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[list[str]], calls: list[tuple[str, State, int]]
) -> None:
    path = tmp_path_factory.mktemp("sums") / "journal.db"
    journal = Journal.create(path, RUN)
    for number, keys in enumerate(corpus, start=1):
        items = tuple(ItemRow(number, 0, part, key) for part, key in enumerate(keys, start=1))
        journal.put_document(document(number, keys[-1] if keys else None), items)
    for number, (key, state, attempts) in enumerate(calls, start=1):
        journal.append(call(number, key, *[attempt()] * attempts, state=state))
    journal.close()
    found = rows(path)
    asked = {key for keys in corpus for key in keys}
    about = [record for record in read_journal(path) if record.item_key in asked]
    assert len(found) == len(corpus)
    assert sum(row.attempts for row in found) == sum(len(record.attempts) for record in about)
    assert sum(row.cost_usd or 0 for row in found) == sum(record.cost(PRICE).amount or 0 for record in about)
