"""What one pair of eyes sees of a run: the window asked for, live figures, and nothing that is not so."""

from decimal import Decimal

import msgspec
import pytest
from call_story import Story, at

from tui.core.calls import State, Usage
from tui.core.clock import NS_PER_MS
from tui.core.commands import Watch
from tui.core.facts import Counted, LiveCounted, PhaseChanged
from tui.core.full_call import FULL_TEXT_CHARS
from tui.core.money import Price
from tui.core.picture import Painter, RunCard
from tui.core.snapshot import Pane, Snapshot

CARD = RunCard("load", "m", "host/v1", planned=3)


def seen(story: Story, ms: float, watch: Watch | None = None) -> Snapshot:
    return Painter(story.ledger, CARD).picture(watch or Watch(), at(ms))


def pane(story: Story, ms: float) -> Pane:
    return seen(story, ms).panes[0]


def streaming() -> Story:
    story = Story()
    story.queued(0)
    story.sent(10)
    story.text(110, "one two ")
    return story


def test_a_run_that_has_not_begun_has_no_figures() -> None:
    snapshot = Painter(Story().ledger, CARD).picture(Watch(), at(0))
    assert (snapshot.ttft, snapshot.lag, snapshot.panes, snapshot.tokens_per_s) == (None, None, [], 0.0)
    assert snapshot.cost.usd is None  # nobody has said what the model costs
    assert snapshot.run.planned == 3


def test_counts_add_up_to_the_calls() -> None:
    story = Story()
    story.whole_call(1)
    story.queued(600, 2)
    story.queued(600, 3)
    story.sent(600, 3)
    counts = seen(story, 700).counts
    assert (counts.done, counts.queued, counts.connecting) == (1, 1, 1)
    assert (counts.running, counts.ended) == (2, 1)


def test_a_running_stream_shows_text_quiet_and_estimated_tokens() -> None:
    now = pane(streaming(), 150)
    assert (now.state, now.text, now.text_end) == (State.STREAMING, "one two ", 8)
    assert now.quiet_ns == 40 * NS_PER_MS
    assert (now.tokens, now.tokens_estimated) == (2, True)
    assert now.ttft_ns == 100 * NS_PER_MS
    assert now.waited_ns == 110 * NS_PER_MS


@pytest.mark.parametrize("first", ["a", "word "])
def test_a_live_rate_is_never_negative(first: str) -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(10, first)
    for ms in range(11, 3000, 130):
        assert (pane(story, ms).tokens_per_s or 0.0) >= 0


def test_the_live_rate_follows_the_last_two_seconds() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    for tick in range(60):  # four characters, so one token, every 100 ms
        story.text(100 + 100 * tick, "abcd")
        rate = pane(story, 100 + 100 * tick).tokens_per_s
    assert rate == pytest.approx(10, rel=0.1)
    for ms in range(6100, 8400, 100):
        rate = pane(story, ms).tokens_per_s
    assert rate == 0


def test_the_rate_of_an_ended_stream_is_its_whole_and_exact() -> None:
    story = Story()
    story.whole_call()
    assert pane(story, 9999).tokens_per_s == pytest.approx(10)
    assert (pane(story, 9999).tokens, pane(story, 9999).tokens_estimated) == (5, False)


def test_a_live_count_is_the_figure_and_what_came_since_is_estimated() -> None:
    story = streaming()
    story.tell(LiveCounted(1, at(150), 1, 5, 8))
    assert pane(story, 150).tokens == 5
    story.text(160, "x" * 40)
    assert (pane(story, 180).tokens, pane(story, 180).tokens_estimated) == (15, True)
    story.attempt_ended(190, "cut", billed=True)
    assert pane(story, 195).tokens == 15


def test_an_estimate_of_ours_is_marked_in_the_run_s_total_also_when_only_warm_up_made_it() -> None:
    story = Story()
    story.queued(0, warmup=True)
    story.sent(0)
    story.text(5)
    story.attempt_ended(6)
    story.tell(Counted(1, at(7), 1, Usage(5, 2)))
    story.finished(7)
    snapshot = seen(story, 10)
    assert (snapshot.tokens, snapshot.tokens_estimated) == (2, True)


def test_while_backing_off_the_countdown_and_the_reason_are_seen() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.attempt_ended(5, "HTTP 503: busy")
    story.backed_off(5, until=900)
    now = pane(story, 100)
    assert (now.state, now.backoff_until, now.error, now.retries) == (State.BACKING_OFF, at(900), "HTTP 503: busy", 0)
    story.sent(900)
    assert (pane(story, 901).backoff_until, pane(story, 901).error, pane(story, 901).retries) == (None, None, 1)


def test_a_call_that_never_got_a_token_waited_until_its_end() -> None:
    story = Story()
    story.queued(0)
    assert pane(story, 50).waited_ns == 50 * NS_PER_MS
    story.finished(70, State.CANCELLED, "cancelled")
    assert pane(story, 500).waited_ns == 70 * NS_PER_MS


def test_marks_say_what_a_ttft_is_worth() -> None:
    for more, mark in (({"shared": True}, "shared"), ({"late_ns": 50 * NS_PER_MS}, "late"), ({}, "")):
        story = Story()
        story.queued(0)
        story.sent(0)
        story.text(100, **more)  # type: ignore[arg-type]
        assert pane(story, 100).ttft_mark == mark


def test_only_the_window_asked_for_travels_and_only_the_tail_of_its_text() -> None:
    story = Story()
    for call in range(1, 6):
        story.queued(0, call)
        story.sent(0, call)
        story.text(10, "0123456789", call)
    snapshot = seen(story, 20, Watch(first=1, count=2, tail_chars=4))
    assert [each.call for each in snapshot.panes] == [2, 3]
    assert [each.text for each in snapshot.panes] == ["6789", "6789"]
    assert (snapshot.listed, snapshot.first, snapshot.panes[0].text_end) == (5, 1, 10)
    assert seen(story, 20, Watch(tail_chars=0)).panes[0].text == ""


def test_everything_is_every_call_in_order_of_its_number() -> None:
    story = Story()
    story.ledger.places.wanted = 1
    for call in range(1, 5):
        story.whole_call(call, begins=call * 600)
    assert [each.call for each in seen(story, 9000, Watch(everything=True)).panes] == [1, 2, 3, 4]
    assert [each.call for each in seen(story, 9000).panes] == [4]


def test_the_open_call_has_every_attempt_and_a_bounded_text() -> None:
    story = Story()
    story.queued(0)
    story.sent(10)
    story.headers(20, status=503)
    story.attempt_ended(20, "HTTP 503")
    story.sent(100, written=103)
    story.headers(150)
    story.text(200, "x" * (FULL_TEXT_CHARS + 10))
    full = seen(story, 300, Watch(focus=1)).focus
    assert full is not None
    assert len(full.pane.text) == FULL_TEXT_CHARS
    assert [(each.status, each.error) for each in full.attempts] == [(503, "HTTP 503"), (200, None)]
    second = full.attempts[1]
    assert (second.sent_after_ns, second.written_ns, second.headers_ns, second.first_token_ns) == tuple(
        ms * NS_PER_MS for ms in (100, 3, 50, 100)
    )
    assert full.queue_ns == 10 * NS_PER_MS
    assert full.largest_gap_ns is None
    assert seen(story, 300, Watch(focus=99)).focus is None


def test_the_median_ttft_stands_in_the_second_of_its_first_token() -> None:
    story = Story()
    story.whole_call(1, begins=0)
    story.whole_call(2, begins=2000)
    series = seen(story, 2900).ttft_by_second
    assert [value for value in series if value is not None] == [100 * NS_PER_MS] * 2
    assert len(series) == 60


def test_money_is_a_decimal_string_and_an_unknown_price_is_none() -> None:
    story = Story()
    story.whole_call()
    assert (seen(story, 999).cost.usd, seen(story, 999).cost.source) == (None, "unpriced")
    story.ledger.set_price("m", Price(Decimal("0.000001"), Decimal("0.000001")))
    assert seen(story, 999).cost.usd == pane(story, 999).cost.usd == "0.000000000015"


def test_any_picture_survives_the_way_to_the_screen() -> None:
    story = streaming()
    story.text(120, "half \ud83d pair \x1b[31m")
    story.tell(PhaseChanged(at(130), "draining"))
    snapshot = seen(story, 140, Watch(focus=1))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot) == snapshot


def test_looking_changes_no_figure_of_the_run() -> None:
    looked, alone = streaming(), streaming()
    for ms in range(111, 400, 7):
        seen(looked, ms, Watch(focus=1))
    for story in (looked, alone):
        story.usage(400, completion=9)
        story.attempt_ended(410)
        story.finished(410)
    assert seen(looked, 900) == seen(alone, 900)
