"""The list is what sorting and filtering everything at once would give, but does a bounded amount at a time."""

import random
from decimal import Decimal

import pytest
from call_story import Story, at

from tui.core import ordering
from tui.core.call_figures import FIGURES
from tui.core.calls import State, Usage
from tui.core.entries import CallEntry
from tui.core.facts import Counted, Queued
from tui.core.money import Price
from tui.core.ordering import COLUMNS, STEPS, Listing, Window
from tui.core.query import parse
from tui.core.rows import row

NEXT_LOOK_MS = 250


def seen(listing: Listing, ms: float = 0, query: str = "", order: str = "id", **more: object) -> Window:
    asked = {"descending": False, "first": 0, "count": 1000, "follow": False} | more
    return listing.window(query, order, now=at(ms), **asked)  # type: ignore[arg-type]


def filled(listing: Listing, ms: float, query: str = "", order: str = "id", **more: object) -> Window:
    """The list once everything has been looked at; no time passes."""
    for _ in range(100):
        window = seen(listing, ms, query, order, **more)
        if listing.complete:
            return window
    raise AssertionError("the list never was complete")


def a_varied_run(calls: int = 150) -> Story:
    """Calls of two models in every state, most of them ended, with ties and absent figures."""
    story, chance = Story(), random.Random(8)
    for call in range(1, calls + 1):
        begins = call * 10
        story.tell(Queued(call, at(begins), at(begins), chance.choice(("mini", "Large")), f"question {call % 7}"))
        fate = chance.choice(("done", "done", "done", "failed", "broken", "streaming", "backing off", "queued"))
        if fate == "queued":
            continue
        story.sent(begins + chance.randrange(5), call)
        story.headers(begins + 20, call, status=chance.choice((429, 503)) if fate in ("failed", "backing off") else 200)
        if fate == "backing off":
            story.attempt_ended(begins + 30, "503", call)
            story.backed_off(begins + 30, begins + 9_000, call)
            continue
        if fate == "failed":
            story.attempt_ended(begins + 30, "429 slow down", call)
            story.finished(begins + 40, State.FAILED, "429 slow down", call)
            continue
        story.text(begins + 10 * chance.randint(3, 40), "x" * chance.randint(1, 80), call)
        story.text(begins + 500, "y" * chance.randint(1, 80), call)
        if fate == "done":
            story.usage(begins + 500, chance.randint(2, 9), call=call)
            story.attempt_ended(begins + 510, call=call)
            story.finished(begins + 520, call=call)
        if fate == "broken":
            story.attempt_ended(begins + 510, "reset", call, billed=True)
            story.finished(begins + 520, State.BROKEN, "reset", call)
    story.ledger.set_price("mini", Price(Decimal(1), Decimal(2)))
    return story


def column(story: Story, call: CallEntry, order: str, ms: float) -> object:
    """What the table shows in a column, as something to sort by."""
    shown = row(story.ledger, call, at(ms))
    return {
        "id": shown.call,
        "state": list(State).index(shown.state),
        "model": shown.model.casefold(),
        "prompt": shown.prompt,
        "queue": shown.queue_ns,
        "attempts": shown.attempts,
        "status": shown.status,
        "ttft": shown.ttft_ns,
        "tok/s": shown.tokens_per_s,
        "tokens": shown.tokens,
        "cost": None if shown.cost.usd is None else Decimal(shown.cost.usd),
        "total": shown.total_ns,
    }[order]


@pytest.mark.parametrize("query", ["", "state:ended", "model:mini ttft>100ms", '"question 3"', "nothing-like-it"])
@pytest.mark.parametrize("order", COLUMNS)
def test_every_column_sorts_as_the_table_reads_with_absent_figures_last(order: str, query: str) -> None:
    story = a_varied_run()
    ledger, test = story.ledger, parse(query)
    passing = [call for call in ledger.calls.values() if test.matches(ledger, call, at(3_000))]
    figures = {call.id: column(story, call, order, 3_000) for call in passing}
    present = sorted((figures[call.id], call.id) for call in passing if figures[call.id] is not None)
    absent = [call.id for call in passing if figures[call.id] is None]
    upwards = [number for _, number in present] + absent
    downwards = [number for _, number in reversed(present)] + absent[::-1]

    listing = Listing(ledger)
    assert filled(listing, 3_000, query, order).calls == upwards
    assert filled(listing, 3_000, query, order, descending=True).calls == downwards
    for first in (0, 7, len(present) - 3, len(upwards) - 5):
        window = seen(listing, 3_000, query, order, first=first, count=10, descending=True)
        assert window.listed == len(upwards)
        assert window.calls == downwards[window.first : window.first + 10]


def test_every_figure_that_is_a_column_can_be_filtered_by() -> None:
    assert set(COLUMNS) - set(FIGURES) == {"state", "model", "prompt"}


def test_windows_stay_inside_the_list_and_follow_its_end() -> None:
    story = Story()
    for call in range(1, 21):
        story.queued(call, call)
    for query in ("", "model:m"):
        listing = Listing(story.ledger)
        assert seen(listing, query=query, first=18, count=5).first == 15
        assert seen(listing, query=query, first=-4, count=5).calls == [1, 2, 3, 4, 5]
        assert seen(listing, query=query, first=3, count=5, follow=True).calls == [16, 17, 18, 19, 20]
        assert seen(listing, query=query, first=3, count=5, follow=True, descending=True).calls == [5, 4, 3, 2, 1]
        assert seen(listing, query=query, first=2, count=3, descending=True).calls == [18, 17, 16]
        assert seen(listing, query=query, count=0).calls == seen(listing, query=query, count=-3).calls == []
        assert seen(listing, query=query, first=9, count=99).calls == list(range(1, 21))
        assert seen(listing, query=query, count=5).listed == 20


def test_a_run_without_calls_is_an_empty_list() -> None:
    for order in (*COLUMNS, *ordering.WALL_ORDERS):
        assert seen(Listing(Story().ledger), order=order, follow=True) == Window([], 0, 0, None)


def test_a_filter_that_cannot_be_read_filters_nothing_and_says_why() -> None:
    story = a_varied_run(20)
    for order in ("id", "ttft"):
        listing = Listing(story.ledger)
        window = filled(listing, 0, "ttft>", order)
        assert window.calls == filled(Listing(story.ledger), 0, "", order).calls
        assert window.error is not None
        assert window.error.startswith("ttft>: is not finished; such as")
        assert seen(listing, 0, "ttft>1s", order).error is None


def test_an_order_nobody_knows_is_by_number() -> None:
    assert seen(Listing(a_varied_run(9).ledger), order="colour").calls == list(range(1, 10))


def test_ended_calls_are_looked_at_a_bounded_number_at_a_time() -> None:
    story = Story()
    total = 2 * STEPS + 50
    for call in range(1, total + 1):
        story.queued(call, call)
        story.finished(call + 1, State.CANCELLED, call=call)
    listing = Listing(story.ledger)
    sizes = [seen(listing, 0, "state:cancelled", "total").listed for _ in range(4)]
    assert sizes == [STEPS, 2 * STEPS, total, total]


def test_long_texts_are_searched_in_fewer_calls_at_a_time() -> None:
    story = Story()
    for call in range(1, 101):
        story.tell(Queued(call, at(0), at(0), "m", "needle " + "x" * 49_000))
        story.finished(1, State.CANCELLED, call=call)
    listing = Listing(story.ledger)
    assert 0 < seen(listing, 0, "needle").listed < 50
    assert not listing.complete
    assert seen(listing, 0).listed == 100  # the whole run needs no look
    assert listing.complete
    assert filled(listing, 0, "needle").listed == 100


def ended_and_running(ended: int, running: int, prompt: str = "word") -> Story:
    """So many ended calls, and behind them so many that are queued."""
    story = Story()
    for call in range(1, ended + running + 1):
        story.tell(Queued(call, at(0), at(0), "m", prompt))
        if call <= ended:
            story.finished(1, State.CANCELLED, call=call)
    return story


def looks_counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of each call that is looked at."""
    looked: list[int] = []
    passes = Listing._passes

    def counting(self: Listing, call: CallEntry, now: int) -> bool:
        looked.append(call.id)
        return passes(self, call, now)

    monkeypatch.setattr(Listing, "_passes", counting)
    return looked


def test_ended_and_running_calls_share_the_looks_of_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Listing(ended_and_running(2 * STEPS, STEPS).ledger)
    looked = looks_counted(monkeypatch)
    for picture in range(20):
        before = len(looked)
        seen(listing, picture * NEXT_LOOK_MS, "model:m", "total")
        assert 0 < len(looked) - before <= STEPS
        if picture == 0:  # neither waits for the other
            assert min(looked) <= 2 * STEPS < max(looked)
        if listing.complete:
            break
    assert set(looked) == set(range(1, 3 * STEPS + 1))


def test_running_calls_are_not_looked_at_more_often_while_the_list_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Listing(ended_and_running(5 * STEPS, 10).ledger)
    looked = looks_counted(monkeypatch)
    seen(listing, 1_000, "model:m", "total")
    for ms in (1, 66, 132, NEXT_LOOK_MS - 1):
        looked.clear()
        seen(listing, 1_000 + ms, "model:m", "total")
        assert not listing.complete
        assert looked
        assert max(looked) <= 5 * STEPS, "a running call was looked at again"
    seen(listing, 1_000 + NEXT_LOOK_MS, "model:m", "total")
    assert max(looked) == 5 * STEPS + 10


def test_running_calls_are_looked_at_once_each_until_all_have_been(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Listing(ended_and_running(0, 60, "needle " + "x" * 49_000).ledger)
    looked = looks_counted(monkeypatch)
    assert filled(listing, 1_000, "needle").listed == 60
    assert sorted(looked) == list(range(1, 61))


def test_a_call_that_ends_while_the_list_fills_is_listed_once() -> None:
    story = ended_and_running(STEPS, 10)
    listing = Listing(story.ledger)
    assert seen(listing, 1_000, "model:m", "total").listed < STEPS + 10
    for call in range(STEPS + 1, STEPS + 11):
        story.finished(1_001, State.CANCELLED, call=call)
    sizes = []
    while not listing.complete:
        calls = seen(listing, 1_002, "model:m", "total", count=2 * STEPS).calls
        assert len(calls) == len(set(calls))
        sizes.append(len(calls))
    assert sizes[-1] == STEPS + 10


def test_text_that_is_not_ascii_and_costs_are_looked_at_in_fewer_calls_at_a_time() -> None:
    def first(query: str, order: str, prompt: str) -> int:
        story = Story()
        for call in range(1, STEPS + 1):
            story.tell(Queued(call, at(0), at(0), "m", prompt))
            story.sent(0, call)
            story.attempt_ended(1, "reset", call)
            story.finished(1, State.FAILED, "reset", call)
        return seen(Listing(story.ledger), 0, query, order).listed

    assert first("", "total", "x" * 9_000) == STEPS
    assert first("-word", "total", "x" * 9_000) == STEPS // 10
    assert first("-word", "total", "語" * 9_000) == STEPS // 28
    assert first("", "cost", "x") == STEPS // 4
    assert first("", "prompt", "x") == STEPS // 2


def test_running_calls_with_long_texts_take_turns() -> None:
    story = Story()
    for call in range(1, 61):
        story.tell(Queued(call, at(0), at(0), "m", "needle " + "x" * 49_000))
    listing = Listing(story.ledger)
    assert 0 < seen(listing, 0, "needle").listed < 60
    assert filled(listing, 0, "needle").listed == 60
    for call in range(1, 61):
        story.sent(1, call)
    assert filled(listing, 2_000, "needle -state:streaming").listed == 60
    for call in range(1, 61):
        story.text(2_100, call=call)
    fewer = [seen(listing, 2_000 + n * NEXT_LOOK_MS, "needle -state:streaming").listed for n in range(1, 7)]
    assert fewer == sorted(fewer, reverse=True)
    assert fewer[0] > fewer[-1] == 0


def test_running_calls_are_looked_at_four_times_a_second_and_at_once_for_another_filter() -> None:
    story = Story()
    story.queued(0, 1)
    story.queued(0, 2)
    listing = Listing(story.ledger)
    assert seen(listing, 0, "state:queued").calls == [1, 2]
    story.sent(1, 1)
    assert seen(listing, NEXT_LOOK_MS - 1, "state:queued").calls == [1, 2]
    assert seen(listing, NEXT_LOOK_MS, "state:queued").calls == [2]
    story.sent(251, 2)
    assert seen(listing, 252, "state:connecting").calls == [1, 2]


def test_a_call_that_begins_and_one_that_ends_find_their_place() -> None:
    story = Story()
    story.whole_call(1)
    story.queued(0, 2)
    listing = Listing(story.ledger)
    assert seen(listing, 1_000, "state:done").calls == [1]
    story.sent(1_000, 2)
    story.text(1_050, call=2)
    story.attempt_ended(1_060, call=2)
    story.finished(1_060, call=2)
    story.whole_call(3, 700)
    assert seen(listing, 1_250, "state:done").calls == [1, 2, 3]
    assert seen(listing, 1_500, order="ttft").calls == [2, 1, 3]


@pytest.mark.parametrize("seed", range(4))
def test_a_list_kept_while_a_run_unfolds_is_the_one_made_anew(seed: int) -> None:
    story, chance = Story(), random.Random(seed)
    fates: dict[int, int] = {}
    questions = [
        (query, order, everything)
        for query in ("", "state:ended", "tokens>2 word")
        for order in (*COLUMNS, *ordering.WALL_ORDERS)
        for everything in (True, False)
    ]
    kept = {question: Listing(story.ledger) for question in questions}
    for second in range(6):
        for ms in range(second * 1_000, second * 1_000 + 300, 10):
            call = chance.choice(list(fates)) if fates and chance.random() < 0.6 else len(story.ledger.order) + 1
            fate = fates[call] = fates.get(call, -1) + 1
            if fate == 0:
                story.queued(ms, call)
            elif fate == 1:
                story.sent(ms, call)
            elif fate == 2:
                story.text(ms, "word " * chance.randint(1, 5), call)
            else:
                story.usage(ms, chance.randint(1, 9), call=call)
                story.attempt_ended(ms, "reset" if call % 3 == 0 else None, call)
                story.finished(ms, State.BROKEN if call % 3 == 0 else State.DONE, call=call)
                del fates[call]
        if second == 3:
            story.ledger.set_price("m", Price(Decimal(1), Decimal(3)))
        for (query, order, everything), listing in kept.items():
            more = {"descending": chance.random() < 0.5, "everything": everything}
            now = second * 1_000 + 500
            anew = seen(Listing(story.ledger), now, query, order, **more)
            assert seen(listing, now, query, order, **more) == anew, (query, order, more)


def test_moving_the_window_looks_at_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    story = a_varied_run()
    listing = Listing(story.ledger)
    whole = filled(listing, 0, "model:mini", "ttft").calls

    def looked(*anything: object) -> bool:
        raise AssertionError("a call was looked at")

    monkeypatch.setattr(Listing, "_passes", looked)
    for first in range(0, len(whole), 7):
        window = seen(listing, 10, "model:mini", "ttft", first=first, count=7)
        assert window.calls == whole[window.first : window.first + 7]
    assert seen(listing, 10, "model:mini", "ttft", descending=True).listed == len(whole)


def test_tokens_counted_after_the_end_move_a_call() -> None:
    story = Story()
    for call, words in ((1, "one"), (2, "one two three four"), (3, "one two")):
        story.queued(0, call)
        story.sent(0, call)
        story.text(100, words, call)
        story.attempt_ended(110, call=call)
        story.finished(110, call=call)
    listing = Listing(story.ledger)
    assert seen(listing, 200, order="tokens").calls == [1, 3, 2]
    assert seen(Listing(story.ledger), 200, "tokens>50").calls == []
    filtered = Listing(story.ledger)
    assert seen(filtered, 200, "tokens>50").calls == []
    story.tell(Counted(1, at(300), 1, Usage(4, 99)))
    assert seen(listing, 200 + NEXT_LOOK_MS, order="tokens").calls == [3, 2, 1]
    assert seen(filtered, 200 + NEXT_LOOK_MS, "tokens>50").calls == [1]


def test_a_price_that_comes_late_orders_and_filters_anew() -> None:
    story = Story()
    for call, tokens in ((1, 30), (2, 10), (3, 20)):
        story.whole_call(call, tokens=tokens)
    by_cost, filtered = Listing(story.ledger), Listing(story.ledger)
    assert seen(by_cost, 2_000, order="cost").calls == [1, 2, 3]
    assert seen(filtered, 2_000, "cost>=0").calls == []
    story.ledger.set_price("m", Price(Decimal(1), Decimal(1)))
    assert seen(by_cost, 2_001, order="cost").calls == [2, 3, 1]
    assert seen(filtered, 2_001, "cost>0.000025").calls == [1, 3]


# ── the wall ───────────────────────────────────────────────────────────────────────────────────────────


def a_wall() -> Story:
    """1 done slowly, 2 failed, 3 streams and fell quiet, 4 backs off, 5 done after a retry, 6 waits, 7 streams now."""
    story = Story()
    for call in range(1, 8):
        story.queued(call, call)
    for call in (1, 2, 3, 4, 5, 7):
        story.sent(10, call)
    for call, ms in ((1, 50), (3, 300), (7, 900)):
        story.text(ms, call=call)
    story.attempt_ended(800, call=1)
    story.finished(800, call=1)
    story.attempt_ended(60, "401", 2)
    story.finished(60, State.FAILED, "401", 2)
    story.attempt_ended(70, "503", 4)
    story.backed_off(70, 5_000, 4)
    story.attempt_ended(80, "503", 5)
    story.sent(90, 5)
    story.text(100, call=5)
    story.attempt_ended(110, call=5)
    story.finished(110, call=5)
    return story


@pytest.mark.parametrize(
    ("order", "everything", "calls"),
    [
        ("newest", True, [7, 6, 5, 4, 3, 2, 1]),
        ("newest", False, [7, 6, 4, 3, 2]),
        ("slowest", True, [4, 6, 3, 7, 1, 5, 2]),
        ("slowest", False, [4, 6, 3, 7, 2]),
        ("failing", True, [2, 4, 5, 7, 6, 3, 1]),
        ("failing", False, [2, 4, 7, 6, 3]),
        ("place", True, [1, 2, 3, 4, 5, 6, 7]),
        ("place", False, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_wall_is_ordered(order: str, everything: bool, calls: list[int]) -> None:
    assert seen(Listing(a_wall().ledger), 1_000, order=order, everything=everything).calls == calls


def test_the_places_of_the_wall_are_kept_unless_they_are_filtered() -> None:
    story = Story()
    story.ledger.places.wanted = 2
    for call in (1, 2, 3):
        story.whole_call(call, call * 1_000)
    listing = Listing(story.ledger)
    assert seen(listing, order="place", everything=False).calls == [3, 2]
    assert seen(listing, query="river", order="place", everything=False).calls == [1, 2, 3]
    assert seen(listing, query="state:", order="place", everything=False).calls == [3, 2]


def test_the_wall_is_filtered_too() -> None:
    listing = Listing(a_wall().ledger)
    assert seen(listing, 1_000, "retries:0 -state:done", "failing").calls == [2, 4, 7, 6, 3]
    assert seen(listing, 1_000, "state:streaming", "newest", everything=False).calls == [7, 3]
