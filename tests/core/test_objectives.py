"""Objectives as people state them, which calls met them, and the goodput of a run."""

import random

import pytest
from call_story import Story, at

from tui.core.calls import State
from tui.core.entries import CallEntry
from tui.core.facts import Queued
from tui.core.objectives import Goodput, Objective, ObjectiveError, Objectives, parse_goodput

MS = 1_000_000


def limits(text: str) -> dict[str, float]:
    return {objective.name: objective.most_ns / MS for objective in parse_goodput(text).each}


def a_call(**more: int) -> CallEntry:
    """Due at 0, sent at 10, first token at 110, last at 510 (5 tokens), attempt ended at 520, call at 521."""
    story = Story()
    story.whole_call(**more)
    return story.ledger.calls[1]


# ── how they are written ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "in_ms"),
    [
        ("ttft:500 tpot:50 e2e:3000", {"ttft": 500, "tpot": 50, "e2e": 3000}),
        ("ttft:500ms,e2e:3s", {"ttft": 500, "e2e": 3000}),
        ("  E2E:1m \n TPOT:.5 ", {"e2e": 60_000, "tpot": 0.5}),
        ("e2el:3000", {"e2e": 3000}),
        (
            "user_ttft:1s server_ttft:300 queue:20 total:1h",
            {"user_ttft": 1000, "server_ttft": 300, "queue": 20, "total": 3_600_000},
        ),
    ],
)
def test_a_bare_number_is_milliseconds_and_units_are_taken(text: str, in_ms: dict[str, float]) -> None:
    assert limits(text) == in_ms


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no objective is stated"),
        (" , ", "no objective is stated"),
        ("ttft", 'expected name:duration, got "ttft"'),
        ("ttft:500 ms", 'expected name:duration, got "ms"'),
        ("ttft<500", 'expected name:duration, got "ttft<500"'),
        ("itl:50", '"itl:50" names no objective; the names are ttft, tpot, e2e'),
        ("ttft:", 'expected a duration in "ttft:"'),
        ("ttft:fast", 'expected a duration in "ttft:fast"'),
        ("ttft:-5", 'expected a duration in "ttft:-5"'),
        ("ttft:1e3", 'expected a duration in "ttft:1e3"'),
        ("ttft:nan", 'expected a duration in "ttft:nan"'),
        ("ttft:\u0665", 'expected a duration in "ttft:\u0665"'),
        ("ttft:0", '"ttft:0" is not above 0'),
        ("ttft:0.1ns", '"ttft:0.1ns" is not above 0'),
        ("e2e:25h", '"e2e:25h" is more than a day'),
        ("e2e:" + "9" * 400, "more than a day"),
        ("ttft:5 TTFT:6", '"ttft" is stated twice'),
        ("e2e:5 e2el:6", '"e2e" is stated twice'),
        ("\x1b[31m:5", '"\ufffd[31m:5" names no objective'),
        ("ttft:500 " * 100, "more than 500 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(text: str, what: str) -> None:
    with pytest.raises(ObjectiveError) as raised:
        parse_goodput(text)
    if not what.startswith("more than a day") or len(text) < 100:
        assert what in str(raised.value)
    assert str(raised.value).isprintable()


def test_whatever_is_typed_is_read_or_refused() -> None:
    rng = random.Random(5)
    pieces = [
        "ttft",
        "tpot",
        "e2e",
        ":",
        ":",
        " ",
        ",",
        "5",
        "00",
        ".",
        "ms",
        "s",
        "h",
        "-",
        "e9",
        "\x00",
        "\ud800",
        "é",
    ]
    for _ in range(10_000):
        text = "".join(rng.choices(pieces, k=rng.randint(0, 9)))
        try:
            stated = parse_goodput(text)
        except ObjectiveError:
            continue
        assert stated.each
        assert all(objective.most_ns >= 1 for objective in stated.each)


def test_objectives_are_told_to_people_with_units() -> None:
    assert str(parse_goodput("ttft:500 e2e:3s")) == "ttft ≤ 500 ms, e2e ≤ 3.00 s"


# ── who met them ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "figure_ms"),
    [
        ("ttft", 100),
        ("server_ttft", 98),
        ("user_ttft", 110),
        ("queue", 10),
        ("tpot", 100),
        ("e2e", 510),
        ("total", 521),
    ],
)
def test_a_call_meets_an_objective_up_to_its_very_value(name: str, figure_ms: int) -> None:
    call = a_call()
    assert Objectives((Objective(name, figure_ms * MS),)).met(call)
    late = Objectives((Objective(name, figure_ms * MS - 1),))
    assert not late.met(call)
    assert late.missed(call) == [name]


def test_one_objective_that_is_missed_is_enough() -> None:
    assert not parse_goodput("ttft:500 e2e:400").met(a_call())
    assert parse_goodput("ttft:500 e2e:600").met(a_call())


def test_the_attempt_that_delivered_is_judged_and_the_time_of_the_failed_one_counts_for_the_user() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.attempt_ended(900, "503")
    story.backed_off(900, 1000)
    story.sent(1000)
    story.text(1050)
    story.text(1060)
    story.attempt_ended(1070)
    story.finished(1071)
    call = story.ledger.calls[1]
    assert parse_goodput("ttft:50 e2e:70").met(call)
    assert parse_goodput("user_ttft:1049 total:1070").missed(call) == ["user_ttft", "total"]


def test_an_answer_of_one_token_has_no_time_between_tokens_and_cannot_miss_it() -> None:
    assert parse_goodput("tpot:0.001").met(a_call(tokens=1))
    assert not parse_goodput("tpot:0.001").met(a_call(tokens=5))


def test_a_filtered_answer_has_no_first_token_but_still_an_end() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.stopped(300, "content_filter")
    story.attempt_ended(310)
    story.finished(311)
    call = story.ledger.calls[1]
    assert parse_goodput("ttft:1 tpot:1 user_ttft:1 server_ttft:1").met(call)
    assert not parse_goodput("e2e:300").met(call)


@pytest.mark.parametrize("state", [State.FAILED, State.BROKEN, State.CANCELLED, State.REFUSED])
def test_a_call_without_its_whole_answer_meets_nothing_however_fast_it_was(state: State) -> None:
    story = Story()
    story.queued(0)
    story.finished(1, state)
    assert not parse_goodput("ttft:10000").met(story.ledger.calls[1])


# ── goodput ────────────────────────────────────────────────────────────────────────────────────────────


def test_goodput_is_met_of_all_ended_calls_and_says_what_was_missed() -> None:
    story = Story()
    goodput = Goodput(parse_goodput("ttft:100 tpot:100 queue:10"))
    story.whole_call(1)  # meets all
    story.tell(Queued(2, at(0), at(-50), "m", "Name a river."))
    story.sent(10, 2)
    story.text(150, call=2)
    story.attempt_ended(151, call=2)
    story.finished(152, call=2)  # misses ttft and queue
    story.queued(0, 3)
    story.finished(1, State.FAILED, call=3)
    for call in (1, 2, 3):
        goodput.add(story.ledger.calls[call])
    assert (goodput.met, goodput.ended, goodput.not_done) == (1, 3, 1)
    assert goodput.missed == {"ttft": 1, "tpot": 0, "queue": 1}
    assert goodput.share == 1 / 3
    assert goodput.per_s(2.0) == 0.5


def test_warm_up_is_in_no_goodput() -> None:
    story = Story()
    story.whole_call(1, warmup=True)
    goodput = Goodput(parse_goodput("ttft:500"))
    goodput.add(story.ledger.calls[1])
    assert goodput.ended == 0


def test_goodput_of_nothing_is_absent_and_not_zero() -> None:
    goodput = Goodput(parse_goodput("ttft:500"))
    assert goodput.share is None
    assert goodput.per_s(0.0) is None
    assert goodput.to_dict(0.0)["share"] is None


def test_goodput_goes_into_the_summary_in_seconds() -> None:
    goodput = Goodput(parse_goodput("ttft:500 e2e:300"))
    goodput.add(a_call())
    assert goodput.to_dict(4.0) == {
        "objectives_s": {"ttft": 0.5, "e2e": 0.3},
        "share": 0.0,
        "per_s": 0.0,
        "met": 0,
        "ended": 1,
        "not_done": 0,
        "missed": {"ttft": 0, "e2e": 1},
    }


@pytest.mark.parametrize(
    "plain",
    [[], {}, "ttft", 5, {"ttft": "1"}, {"ttft": True}, {"ttft": 0}, {"ttft": 1.5}, {"speed": 1}, {"ttft": None}],
)
def test_objectives_of_a_journal_that_no_run_of_ours_wrote_are_refused(plain: object) -> None:
    with pytest.raises(ObjectiveError):
        Objectives.from_ns(plain)


def test_objectives_of_a_journal_are_those_that_were_stated() -> None:
    assert Objectives.from_ns({"ttft": 5 * 10**8, "e2e": 10**9}) == parse_goodput("ttft:500 e2e:1000")
    assert Objectives.from_ns(None) is None
