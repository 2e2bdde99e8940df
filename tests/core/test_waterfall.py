"""A call's bar: its whole life in stretches that follow each other, whatever happened to it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.call_story import Story, at
from tui.core.calls import TERMINAL, State, TextKind, Usage
from tui.core.clock import NS_PER_MS
from tui.core.entries import CallEntry
from tui.core.facts import (
    ABANDONED,
    Admitted,
    AttemptEnded,
    BackedOff,
    Fact,
    Finished,
    HeadersCame,
    Queued,
    Sent,
    Stopped,
    TextCame,
    UsageCame,
    Waited,
    Written,
)
from tui.core.waterfall import bar_of


def spans(story: Story) -> list[tuple[str, float, float | None, int]]:
    """Kind, start and end in milliseconds of the story, attempt."""
    return [
        (
            span.kind,
            (span.start_at - at(0)) / NS_PER_MS,
            None if span.end_at is None else (span.end_at - at(0)) / NS_PER_MS,
            span.attempt,
        )
        for span in bar_of(story.ledger.calls[1]).spans
    ]


def a_call_in_the_limiter() -> Story:
    story = Story()
    story.queued(10, due=0)
    story.tell(Waited(1, at(20)))
    return story


def a_streaming_call() -> Story:
    story = a_call_in_the_limiter()
    story.tell(Admitted(1, at(50)), Sent(1, at(50)), Written(1, at(52)))
    story.headers(80)
    story.text(100)
    story.text(200)
    return story


def a_call_that_backs_off() -> Story:
    story = a_call_in_the_limiter()
    story.tell(Admitted(1, at(50)), Sent(1, at(50)), Written(1, at(52)))
    story.headers(80, status=429)
    story.attempt_ended(90, "HTTP 429: slow down")
    story.backed_off(90, 600)
    return story


STREAMED = [("queue", 0, 20, 0), ("limiter", 20, 50, 0), ("connect", 50, 52, 1), ("wait", 52, 100, 1)]
REFUSED = [*STREAMED[:3], ("wait", 52, 90, 1)]


def test_a_call_that_is_done_shows_every_stretch_of_its_life() -> None:
    story = a_streaming_call()
    story.attempt_ended(210)
    story.finished(210)
    assert spans(story) == [*STREAMED, ("stream", 100, 200, 1), ("tail", 200, 210, 1)]
    bar = bar_of(story.ledger.calls[1])
    assert (bar.due_at, bar.ended_at, bar.state, bar.failures) == (at(0), at(210), State.DONE, [])
    assert (bar.call, bar.model, bar.prompt) == (1, "m", "Name a river.")


def test_what_took_no_time_is_left_out() -> None:
    story = Story()
    story.queued(0)
    story.sent(0, written=0)
    story.text(10)
    story.attempt_ended(10)
    story.finished(10)
    assert spans(story) == [("wait", 0, 10, 1)]


def test_what_lasts_has_no_end() -> None:
    story = Story()
    story.queued(10, due=0)
    assert spans(story) == [("queue", 0, None, 0)]
    story = a_call_in_the_limiter()
    assert spans(story) == [*STREAMED[:1], ("limiter", 20, None, 0)]
    story.tell(Admitted(1, at(50)), Sent(1, at(50)))
    assert spans(story) == [*STREAMED[:2], ("connect", 50, None, 1)]
    story.tell(Written(1, at(52)))
    assert spans(story) == [*STREAMED[:3], ("wait", 52, None, 1)]
    assert spans(a_streaming_call()) == [*STREAMED, ("stream", 100, None, 1)]
    assert spans(a_call_that_backs_off()) == [*REFUSED, ("backoff", 90, None, 1)]


def test_a_retry_stands_behind_its_back_off_and_its_wait_in_the_limiter() -> None:
    story = a_call_that_backs_off()
    story.tell(Waited(1, at(600)))
    assert spans(story) == [*REFUSED, ("backoff", 90, 600, 1), ("limiter", 600, None, 1)]
    story.tell(Sent(1, at(650)), Written(1, at(651)))
    assert spans(story)[4:] == [
        ("backoff", 90, 600, 1),
        ("limiter", 600, 650, 1),
        ("connect", 650, 651, 2),
        ("wait", 651, None, 2),
    ]


def test_a_failed_attempt_is_marked_at_its_end() -> None:
    bar = bar_of(a_call_that_backs_off().ledger.calls[1])
    (failure,) = bar.failures
    assert (failure.at, failure.attempt, failure.status, failure.error) == (at(90), 1, 429, "HTTP 429: slow down")


def test_an_attempt_that_somebody_cancelled_did_not_fail_and_one_whose_time_was_up_did() -> None:
    for state, failures in ((State.CANCELLED, 0), (State.BROKEN, 1)):
        story = a_streaming_call()
        story.attempt_ended(230, ABANDONED)
        assert bar_of(story.ledger.calls[1]).failures == []
        story.finished(230, state)
        assert len(bar_of(story.ledger.calls[1]).failures) == failures


def test_a_call_cancelled_before_it_was_taken_further_closes_its_queue() -> None:
    story = Story()
    story.queued(10, due=0)
    story.finished(10, State.CANCELLED)
    assert spans(story) == [("queue", 0, 10, 0)]


def test_a_call_cancelled_in_the_limiter_closes_its_wait_there() -> None:
    story = a_call_in_the_limiter()
    story.finished(70, State.CANCELLED)
    kinds = [(kind, end) for kind, _, end, _ in spans(story)]
    assert [kind for kind, _ in kinds] == ["queue", "limiter"]
    assert kinds[-1] == ("limiter", 70)


def test_a_call_cancelled_while_it_connects_waits_or_streams_closes_that() -> None:
    story = a_call_in_the_limiter()
    story.tell(Sent(1, at(50)))
    story.finished(70, State.CANCELLED)
    assert spans(story)[-1] == ("connect", 50, 70, 1)
    story = a_call_in_the_limiter()
    story.tell(Sent(1, at(50)), Written(1, at(52)), AttemptEnded(1, at(70), ABANDONED))
    story.finished(70, State.CANCELLED)
    assert spans(story)[-1] == ("wait", 52, 70, 1)
    story = a_streaming_call()
    story.attempt_ended(230, ABANDONED)
    story.finished(231, State.CANCELLED)
    assert spans(story)[-2:] == [("stream", 100, 200, 1), ("tail", 200, 230, 1)]


def test_a_call_cancelled_between_two_attempts_closes_its_back_off() -> None:
    story = a_call_that_backs_off()
    story.finished(300, State.CANCELLED)
    assert spans(story) == [*REFUSED, ("backoff", 90, 300, 1)]


def test_giving_up_is_no_back_off() -> None:
    story = a_call_that_backs_off()
    story.finished(92, State.FAILED, "HTTP 429")
    assert spans(story) == REFUSED


def test_what_comes_after_an_answer_is_no_back_off() -> None:
    story = a_streaming_call()
    story.attempt_ended(210)
    story.finished(400)
    assert spans(story)[-1] == ("tail", 200, 210, 1)


def test_no_stretch_goes_on_after_the_call_has_ended() -> None:
    story = a_streaming_call()
    story.attempt_ended(230)
    story.finished(220, State.CANCELLED)
    assert spans(story)[-1] == ("tail", 200, 220, 1)


def test_an_answer_before_the_request_was_all_written_ends_the_connecting() -> None:
    story = Story()
    story.queued(0)
    story.tell(Sent(1, at(10)))
    story.text(20)
    story.tell(Written(1, at(30)))
    assert spans(story) == [("queue", 0, 10, 0), ("connect", 10, 20, 1), ("stream", 20, None, 1)]


def test_a_refusal_without_a_stamp_of_the_writing_waits_from_its_headers() -> None:
    story = Story()
    story.queued(0)
    story.tell(Sent(1, at(10)))
    story.headers(20, status=503)
    story.attempt_ended(25, "HTTP 503")
    assert spans(story) == [("queue", 0, 10, 0), ("connect", 10, 20, 1), ("wait", 20, 25, 1)]


def test_a_prompt_is_one_short_line() -> None:
    story = Story()
    story.tell(Queued(1, at(0), at(0), "m", "a\n\x1b[31mb " + "x" * 5000, True))
    bar = bar_of(story.ledger.calls[1])
    assert bar.prompt.startswith("a �[31mb xxx")
    assert len(bar.prompt) <= 160
    assert bar.warmup


# ── whatever happens ───────────────────────────────────────────────────────────────────────────────────

STEPS = st.integers(-2, 40)
"""Milliseconds from one fact to the next; stamps of kernel and program may be in the wrong order by a little."""


@st.composite
def lives(draw: st.DrawFn) -> list[Fact]:
    """A call's facts as the engine states them, cut anywhere; now and then it ends there, tidily or not."""
    now = at(0)

    def then() -> int:
        nonlocal now
        now += draw(STEPS) * NS_PER_MS
        return now

    facts: list[Fact] = [Queued(1, then(), at(draw(st.integers(-5, 5))), "m", "p")]
    attempts = draw(st.integers(0, 3))
    for number in range(1, attempts + 1):
        if draw(st.integers(0, 9)):
            facts.append(Waited(1, then()))
        facts += [Admitted(1, then()), Sent(1, now)]
        if draw(st.integers(0, 4)):
            facts.append(Written(1, then()))
        if draw(st.integers(0, 4)):
            facts.append(HeadersCame(1, then(), draw(st.sampled_from((200, 429, 503)))))
            facts += [TextCame(1, then(), TextKind.CONTENT, "word ") for _ in range(draw(st.integers(0, 3)))]
        facts += [Stopped(1, now, "stop"), UsageCame(1, now, Usage(1, 2))]
        last = number == attempts
        facts.append(AttemptEnded(1, then(), None if last else "reset"))
        if not last or draw(st.booleans()):
            facts.append(BackedOff(1, then(), now + 50 * NS_PER_MS, "reset"))
            if last and draw(st.booleans()):
                facts.append(Waited(1, then()))
    facts = facts[: draw(st.integers(1, len(facts)))]
    if draw(st.booleans()):
        now = max(fact.at for fact in facts)  # type: ignore[union-attr]
        facts.append(Finished(1, now + draw(st.integers(-3, 40)) * NS_PER_MS, draw(st.sampled_from(sorted(TERMINAL)))))
    return facts


def bar_holds(call: CallEntry) -> None:
    bar = bar_of(call)
    at_ = call.due_at
    for span in bar.spans[:-1]:
        assert span.end_at is not None
    for span in bar.spans:
        assert span.start_at == at_, "a gap, or an overlap"
        if span.end_at is not None:
            assert span.end_at > span.start_at
            at_ = span.end_at
    attempts = [span.attempt for span in bar.spans]
    assert attempts == sorted(attempts)
    still = bool(bar.spans) and bar.spans[-1].end_at is None
    if call.ended_at is None:
        between = bool(call.attempts) and call.attempts[-1].ended_at is not None
        assert still or (between and call.state in (State.CONNECTING, State.STREAMING))
        return
    assert not still
    assert at_ <= max(call.ended_at, call.due_at)
    over = call.attempts[-1].ended_at if call.attempts else None
    if over is None:
        assert at_ >= call.ended_at
    elif call.state is not State.DONE:
        assert call.ended_at - at_ <= 10 * NS_PER_MS, "only giving up is no stretch of its own"
    else:
        assert at_ >= min(over, call.ended_at)


@given(lives())
@settings(deadline=None, max_examples=400)
def test_spans_follow_each_other_from_due_to_ended_whatever_happens(facts: list[Fact]) -> None:
    story = Story()
    for fact in facts:
        story.tell(fact)
        bar_holds(story.ledger.calls[1])
