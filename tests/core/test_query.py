"""The filter says what it means, and whatever is typed is either a filter or a QueryError."""

import random
from decimal import Decimal

import pytest
from call_story import Story, at

from tui.core.calls import State, Usage
from tui.core.errors import UsageError
from tui.core.facts import Counted, Queued
from tui.core.money import Price
from tui.core.query import MAX_CHARS, MAX_TERMS, QueryError, parse
from tui.core.untrusted import clean_line


def a_run() -> Story:
    """1 done, 2 broken, 3 failed with 429 after a retry, 4 streams, 5 is queued (warm-up)."""
    story = Story()
    for call, model, prompt in (
        (1, "mini-A", "Name a river."),
        (2, "mini-b", "Name a\n  mountain."),
        (3, "large", "Two words: go west"),
        (4, "large", "Straße"),
        (5, "large", "Rest"),
    ):
        story.tell(Queued(call, at(0), at(0), model, prompt, call == 5))
    story.sent(10, 1)
    story.headers(60, 1)
    story.text(422, "The Danube", 1)
    story.text(1422, " flows.", 1)
    story.stopped(1423, "length", 1)
    story.usage(1423, 41, call=1)
    story.attempt_ended(1424, call=1)
    story.finished(1430, call=1)
    story.sent(20, 2)
    story.headers(60, 2)
    story.text(1520, "Mont Bl", 2)
    story.attempt_ended(1600, "connection reset", 2, billed=True)
    story.finished(1600, State.BROKEN, "connection reset", 2)
    for begins in (30, 900):
        story.sent(begins, 3)
        story.headers(begins + 50, 3, status=429)
        story.attempt_ended(begins + 60, "429 slow down", 3)
    story.finished(1000, State.FAILED, "429 slow down", 3)
    story.sent(40, 4)
    story.headers(60, 4)
    story.text(800, "Many roads", 4)
    return story


def listed(typed: str, story: Story | None = None, ms: float = 2000) -> list[int]:
    ledger = (story or a_run()).ledger
    query = parse(typed)
    return [number for number in ledger.order if query.matches(ledger, ledger.calls[number], at(ms))]


EVERY = [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("typed", "calls"),
    [
        ("", EVERY),
        ("   ", EVERY),
        ("river", [1]),
        ("RIVER", [1]),
        ("mini", [1, 2]),
        ("danube", [1]),
        ("reset", [2]),
        ("strasse", [4]),
        ("mini river", [1]),
        ('"two words"', [3]),
        ('"words two"', []),
        ('"name a mountain"', [2]),
        ("-mini", [3, 4, 5]),
        ("!mini", [3, 4, 5]),
        ("state:failed", [2, 3]),
        ("state:fail", [2, 3]),
        ("state:f", [2, 3]),
        ("STATE:Failed", [2, 3]),
        ("-state:failed", [1, 4, 5]),
        ("state=failed", [3]),
        ("state:=failed", [3]),
        ("state=fail", [3]),
        ("state!=failed", [1, 2, 4, 5]),
        ("state:broken", [2]),
        ("state:refused", []),
        ("state:failed,broken", [2, 3]),
        ("-state:failed,broken", [1, 4, 5]),
        ("state!=failed,broken", [1, 4, 5]),
        ("state:ok", [1]),
        ("state:ended", [1, 2, 3]),
        ("state:running", [4, 5]),
        ("state:active", [4]),
        ("state:trouble", [2, 3]),
        ("state:q", [5]),
        ("model:mini", [1, 2]),
        ("model:MINI-a", [1]),
        ("model=mini", []),
        ("model=MINI-A", [1]),
        ("model!=mini-a", [2, 3, 4, 5]),
        ('prompt:"go west"', [3]),
        ("prompt:river,rest", [1, 5]),
        ("error:reset", [2]),
        ("error:*", [2, 3]),
        ("-error:*", [1, 4, 5]),
        ("finish:len", [1]),
        ("finish!=stop", [1]),
        ("#3", [3]),
        ("#3,4", [3, 4]),
        ("id:3", [3]),
        ("id>=4", [4, 5]),
        ("warmup:yes", [5]),
        ("warmup:no", [1, 2, 3, 4]),
        ("warmup!=yes", [1, 2, 3, 4]),
        ("status:429", [3]),
        ("status:4xx", [3]),
        ("status:2xx,429", [1, 2, 3, 4]),
        ("status>=400", [3]),
        ("status:>=400", [3]),
        ("status!=200", [3]),
        ("attempts:2", [3]),
        ("attempts:0", [5]),
        ("retries>0", [3]),
        ("ttft>500ms", [2, 4]),
        ("ttft<=.5s", [1]),
        ("ttft>0", [1, 2, 4]),
        ("ttft:412ms", [1]),
        ("-ttft:*", [3, 5]),
        ("queue:20ms", [2]),
        ("total>1.5s", [2, 4, 5]),
        ("tok/s:40", [1]),
        ("rate>39", [1]),
        ("tps<40.5 state:ok", [1]),
        ("tokens:41", [1]),
        ("tokens<0.04k -tokens:0", [2, 4]),
        ("state=failed model:l retries>=1 west", [3]),
    ],
)
def test_a_filter_lists(typed: str, calls: list[int]) -> None:
    assert listed(typed) == calls


def test_a_figure_that_is_absent_holds_no_comparison_not_even_unequal() -> None:
    for typed in ("ttft>0", "ttft<1h", "ttft>=0", "ttft<=1h", "ttft!=5ms", "status!=200"):
        assert 5 not in listed(typed), typed


def test_costs_are_in_dollars_and_an_unpriced_call_has_none() -> None:
    story = a_run()
    assert listed("cost>=0", story) == []
    story.ledger.set_price("mini-A", Price(Decimal(1), Decimal(1000)))
    assert listed("cost>=0", story) == [1]
    assert listed("cost>0.04", story) == listed("cost:$0.0410", story) == [1]
    assert listed("cost>0.05", story) == []


def test_what_the_table_draws_alike_is_equal() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(412.4)  # drawn "412 ms"
    assert listed("ttft=412ms", story) == [1]
    assert listed("ttft!=412ms", story) == []
    assert listed("ttft=413ms", story) == []


def test_tokens_counted_late_are_what_is_compared() -> None:
    story = a_run()
    assert listed("tokens>100", story) == []
    story.tell(Counted(2, at(1700), 1, Usage(5, 120)))
    assert listed("tokens>100", story) == [2]


def test_text_that_is_no_longer_in_memory_is_not_found() -> None:
    story = a_run()
    story.ledger.calls[1].attempts[0].forget_text()
    assert listed("danube", story) == []


@pytest.mark.parametrize(
    ("typed", "where", "says"),
    [
        ("ttft>", "ttft>", "ttft>500ms"),
        ("state:", "state:", "state:failed"),
        ("model:a ttft>", "ttft>", "ttft>500ms"),
        ("state:failed,", "state:failed,", "state:failed"),
        ("state:lost", "state:lost", "backing off"),
        ("state:lost", "state:lost", "state:failed finds broken and refused ones too, state=failed does not"),
        ("state>done", "state>done", "state:failed"),
        ("ttft>500", "ttft>500", "500ms or 500s"),
        ("ttft>soon", "ttft>soon", "ttft>500ms"),
        ("tokens>1,000", "tokens>1,000", "tokens>1000"),
        ("tokens>many", "tokens>many", "tokens>1000"),
        ("status>4xx", "status>4xx", "status>=500"),
        ("cost>$", "cost>$", "cost>0.01"),
        ("warmup:perhaps", "warmup:perhaps", "warmup:no"),
        ("http://x", "http://x", '"quote" it'),
        (">500ms", ">500ms", "ttft>500ms"),
        ("#", "#", "#12"),
        ("-", "-", "-state:done"),
        ('""', '""', "put text"),
        ('"two wor', '"two wor', "close it"),
        ('model:"', '"', "close it"),
    ],
)
def test_a_bad_term_is_named_with_a_hint(typed: str, where: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(typed)
    assert caught.value.where == where
    assert says in caught.value.hint
    assert str(caught.value).startswith(where)
    assert isinstance(caught.value, UsageError)


def test_a_filter_is_bounded() -> None:
    parse("a" * MAX_CHARS)
    parse(" a" * MAX_TERMS)
    for typed in ("a" * (MAX_CHARS + 1), " a" * (MAX_TERMS + 1)):
        with pytest.raises(QueryError):
            parse(typed)


def test_an_error_shows_a_pasted_term_in_short_and_without_controls() -> None:
    with pytest.raises(QueryError) as caught:
        parse("state:\x1b[31m" + "x" * 300)
    assert len(str(caught.value)) < 120
    assert "\x1b" not in str(caught.value) + caught.value.hint


def test_long_texts_take_more_steps_only_where_they_are_read() -> None:
    story = Story()
    story.tell(Queued(1, at(0), at(0), "m", "x" * 20_000))
    call = story.ledger.calls[1]
    assert parse("state:done ttft>1s").steps(call) == 1
    assert parse("word").steps(call) == parse("prompt:word").steps(call) > 10


def test_steps_grow_with_what_is_read_and_how() -> None:
    story = Story()
    for call, prompt in ((1, "x" * 10_000), (2, "語" * 10_000), (3, ""), (4, "")):
        story.tell(Queued(call, at(0), at(0), "m", prompt))
    story.sent(0, 3)
    story.text(1, "é" * 10_000, 3)
    story.sent(0, 4)
    for piece in range(600):
        story.text(1 + piece, "a", 4)
    calls = story.ledger.calls
    assert parse("word").steps(calls[1]) == 11
    assert parse("word").steps(calls[2]) == parse("word").steps(calls[3]) == 31
    assert parse("word").steps(calls[4]) == 21  # joined from its pieces
    assert parse("-one -two").steps(calls[1]) == parse("prompt:one,two").steps(calls[1]) == 21
    assert parse("prompt=word").steps(calls[1]) == 41
    assert parse("ttft>1s " * 30).steps(calls[2]) == 11


def test_a_text_that_was_forgotten_takes_no_steps() -> None:
    call = a_run().ledger.calls[4]
    call.attempts[0].shown_chars = 40_000
    assert parse("word").steps(call) > 10
    call.attempts[0].forget_text()
    assert parse("word").steps(call) == 1


def test_refused_calls_are_found_with_the_failed_ones() -> None:
    story = Story()
    story.queued(0)
    story.finished(1, State.REFUSED)
    assert listed("state:failed", story) == listed("state:refused", story) == [1]
    assert listed("state=failed", story) == []


def test_whatever_is_typed_is_a_filter_or_a_query_error() -> None:
    chance = random.Random(3)
    pieces = [
        *("state", "model", "ttft", "tok/s", "cost", "tokens", "status", "warmup", "id", "total", "error", "#"),
        *(":", "=", "!=", ">", ">=", "<", "<=", ",", " ", '"', "-", "!", "*", "$", ".", "k", "xx", "ms", "s", "h"),
        *("0", "5", "500", "9" * 30, "failed", "ok", "yes", "inf", "nan", "½", "٣", "\u0130", "\x1b", "\u2028"),
        *("\ud800", "finish", "e9", "(", "[", "\\", "{", "+", "?", "\t", "\x00", "ß", "µ"),
    ]  # fmt: skip
    story = a_run()
    calls = list(story.ledger.calls.values())
    filters, said = 0, set[str]()
    for _ in range(10_000):
        typed = "".join(chance.choices(pieces, k=chance.randint(1, 9)))
        try:
            query = parse(typed)
        except QueryError as problem:
            said.add(f"{problem}; {problem.hint}")
            continue
        filters += 1
        for call in calls:
            query.matches(story.ledger, call, at(2000))
    assert filters > 500
    assert len(said) > 500
    assert all(text == clean_line(text) and not text.startswith(": ") for text in said)
