"""A row of the table says what is known of a call, and no more."""

from decimal import Decimal

from call_story import Story, at

from tui.core import call_figures
from tui.core.calls import State, TextKind, Usage
from tui.core.clock import NS_PER_MS
from tui.core.facts import Counted, Queued, Sent, TextCame
from tui.core.money import Price
from tui.core.rows import row
from tui.core.views import UNPRICED, CallRow


def seen(story: Story, ms: float, call: int = 1) -> CallRow:
    return row(story.ledger, story.ledger.calls[call], at(ms))


def test_a_call_that_waits_has_no_figures_yet() -> None:
    story = Story()
    story.queued(5, due=0)
    now = seen(story, 40)
    assert (now.state, now.model, now.prompt) == (State.QUEUED, "m", "Name a river.")
    assert (now.queue_ns, now.attempts, now.status, now.ttft_ns, now.tokens_per_s) == (None, 0, None, None, None)
    assert (now.tokens, now.cost, now.total_ns) == (0, UNPRICED, 40 * NS_PER_MS)


def test_a_call_that_is_not_due_yet_has_not_taken_less_than_nothing() -> None:
    story = Story()
    story.queued(5, due=100)
    assert seen(story, 40).total_ns == 0


def test_a_whole_call_has_all_of_them_and_stands_still() -> None:
    story = Story()
    story.whole_call(tokens=41)
    story.ledger.set_price("m", Price(Decimal(1), Decimal(2)))
    now = seen(story, 9_000)
    assert (now.state, now.queue_ns, now.attempts, now.status) == (State.DONE, 10 * NS_PER_MS, 1, 200)
    assert now.ttft_ns == 100 * NS_PER_MS
    assert now.tokens_per_s == 100.0  # 40 tokens in 400 ms
    assert (now.tokens, now.tokens_estimated) == (41, False)
    assert (now.cost.usd, now.cost.source) == ("0.000092", "billed by usage")
    assert now.total_ns == 521 * NS_PER_MS


def test_a_running_stream_is_estimated_and_its_rate_is_of_the_whole_stream() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(100, "x" * 40)
    story.text(200, "x" * 44)
    story.ledger.set_price("m", Price(Decimal(1), Decimal(2)))
    now = seen(story, 1_000)
    assert (now.tokens, now.tokens_estimated, now.tokens_per_s) == (21, True, 200.0)
    assert now.cost.source == "estimated"
    assert now.total_ns == 1_000 * NS_PER_MS


def test_the_newest_attempt_speaks_for_a_retried_call() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.headers(50, status=503)
    story.attempt_ended(60, "503 overloaded")
    story.backed_off(60, 500)
    assert (seen(story, 70).status, seen(story, 70).error) == (503, "503 overloaded")
    story.sent(500)
    again = seen(story, 510)
    assert (again.attempts, again.status, again.error) == (2, None, None)


def test_marks_tell_how_far_a_ttft_can_be_trusted() -> None:
    story = Story()
    for call, late in ((1, 0), (2, 50 * NS_PER_MS)):
        story.queued(0, call)
        story.sent(0, call)
        story.tell(TextCame(call, at(100), TextKind.CONTENT, "a", shared=True, late_ns=late))
    assert [seen(story, 200, call).ttft_mark for call in (1, 2)] == ["shared", "late"]


def test_the_prompt_is_one_short_line_and_a_call_done_again_says_of_what() -> None:
    story = Story()
    story.tell(Queued(7, at(0), at(0), "m", "one\n\n two\t" + "x" * 500, True, 3))
    now = seen(story, 1, 7)
    assert now.prompt.startswith("one two x")
    assert len(now.prompt) <= call_figures.PROMPT_HEAD_CHARS
    assert (now.warmup, now.retry_of) == (True, 3)


def test_only_a_count_that_is_still_to_come_makes_an_ended_call_uncounted() -> None:
    story = Story()
    story.whole_call(1)
    story.queued(0, 2)
    story.tell(Sent(2, at(1)))
    story.attempt_ended(9, "connection refused", 2)
    story.finished(9, State.FAILED, "connection refused", 2)
    story.queued(0, 3)
    story.sent(1, 3)
    story.text(5, "words", 3)
    story.attempt_ended(9, call=3)
    story.finished(9, call=3)
    calls = story.ledger.calls
    assert [call_figures.uncounted(calls[number]) for number in (1, 2, 3)] == [False, False, True]
    story.tell(Counted(3, at(20), 1, Usage(4, 1)))
    assert not call_figures.uncounted(calls[3])
