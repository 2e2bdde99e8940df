"""From what the ledger knows of an ended call to what is written down of it."""

import json

import pytest
from call_story import Story, at, plan

from tui.core.calls import CallPlan, State, TextKind, Usage
from tui.core.facts import Counted, ToolNamed
from tui.core.record_of import record_of
from tui.core.records import CallRecord, ToolCallRecord
from tui.core.secrets import Mask, Secret


def record(story: Story, state: State = State.DONE, error: str | None = None) -> CallRecord:
    return record_of(plan(), story.ledger.calls[1], state, error, "http://host:1", at(0))


def test_instants_are_seconds_from_the_run_s_start() -> None:
    story = Story()
    story.whole_call(begins=1000)
    written = record(story)
    assert (written.due_s, written.admitted_s) == (1.0, pytest.approx(1.01))
    (attempt,) = written.attempts
    assert [
        attempt.sent_s, attempt.written_s, attempt.headers_s, attempt.first_token_s, attempt.last_token_s,
        attempt.ended_s,
    ] == pytest.approx([1.01, 1.012, 1.06, 1.11, 1.51, 1.52])  # fmt: skip
    assert (attempt.status, attempt.error, attempt.request_id) == (200, None, "req-1")


def test_what_was_asked_and_answered_is_kept_as_it_was() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(1, "hm", kind=TextKind.REASONING)
    story.text(2, "raw \x1b[1m\ud83d")
    story.stopped(3, "length")
    story.usage(3, completion=7)
    story.attempt_ended(4)
    written = record(story)
    assert (written.text, written.reasoning, written.finish_reason) == ("raw \x1b[1m\ud83d", "hm", "length")
    assert (written.usage, written.usage_source) == (Usage(10, 7), "usage")
    asked = {"messages": [{"role": "user", "content": "Name a river."}], "params": {"max_tokens": 50}}
    assert json.loads(written.plan_json) == asked


def test_a_call_that_failed_has_its_attempts_and_no_answer() -> None:
    story = Story()
    story.queued(0)
    for ms in (0, 100):
        story.sent(ms)
        story.headers(ms + 5, status=503)
        story.attempt_ended(ms + 5, "HTTP 503")
    written = record(story, State.FAILED, "HTTP 503 (after 2 attempts)")
    assert [attempt.status for attempt in written.attempts] == [503, 503]
    assert (written.text, written.usage, written.usage_source) == ("", None, None)
    assert written.error == "HTTP 503 (after 2 attempts)"


def test_a_call_that_never_began_has_no_attempt() -> None:
    story = Story()
    story.queued(0)
    written = record(story, State.CANCELLED, "cancelled")
    assert (written.attempts, written.admitted_s, written.due_s) == ((), None, 0.0)


def test_a_broken_call_keeps_its_partial_text_and_our_count_of_it() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(1, "half an ans")
    story.attempt_ended(2, "reset", billed=True)
    story.tell(Counted(1, at(3), 1, Usage(4, 3)))
    written = record(story, State.BROKEN, "reset")
    assert (written.text, written.usage, written.usage_source) == ("half an ans", Usage(4, 3), "estimated")
    assert written.attempts[0].possibly_billed
    assert written.attempts[0].usage_estimated


def test_the_text_that_a_later_attempt_superseded_stays_with_its_attempt() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(1, "old")
    story.attempt_ended(2, "reset")
    story.sent(10)
    story.text(11, "new")
    story.attempt_ended(12)
    written = record(story)
    assert written.text == "new"
    assert [attempt.superseded_text for attempt in written.attempts] == ["old", None]


def test_a_tool_call_without_arguments_and_its_tokens_are_an_answer() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.tell(ToolNamed(1, at(1), 0, 0, "call_1", "now"))
    story.usage(2, completion=4)
    story.attempt_ended(3)
    written = record(story)
    assert written.tool_calls == (ToolCallRecord("call_1", "now", ""),)
    assert (written.usage, written.usage_source) == (Usage(10, 4), "usage")


def test_tool_calls_have_their_own_arguments() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    for index, arguments in ((1, '{"b":2}'), (0, '{"a":1}')):
        story.tell(ToolNamed(1, at(1), 0, index, f"id{index}", f"f{index}"))
        story.text(2, arguments, kind=TextKind.TOOL, tool=index)
    story.attempt_ended(3)
    assert record(story).tool_calls == (
        ToolCallRecord("id0", "f0", '{"a":1}'),
        ToolCallRecord("id1", "f1", '{"b":2}'),
    )


def test_further_answers_to_one_request_are_kept_apart_each_with_its_end() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    for choice, text in ((1, "second"), (0, "first")):
        story.text(1, text, choice=choice)
        story.stopped(2, ("stop", "length")[choice], choice=choice)
    story.text(2, "I cannot", choice=2, kind=TextKind.REFUSAL)
    story.attempt_ended(3)
    written = record(story)
    assert (written.text, written.finish_reason) == ("first", "stop")
    assert [(each.index, each.text, each.finish_reason) for each in written.choices] == [
        (1, "second", "length"),
        (2, "I cannot", None),
    ]


def test_a_refusal_is_the_answer_when_there_is_no_other() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(1, "I cannot help with that.", kind=TextKind.REFUSAL)
    story.attempt_ended(2)
    assert record(story).text == "I cannot help with that."


def test_without_text_neither_question_nor_answer_is_in_the_record_but_every_figure() -> None:
    story = Story()
    story.queued(0)
    story.sent(0)
    story.text(1, "secret", kind=TextKind.REASONING)
    story.attempt_ended(2, "cut")
    story.sent(10)
    for choice in (0, 1):
        story.text(11, "secret", choice=choice)
        story.tell(ToolNamed(1, at(11), choice, 0, "secret", "secret"))
    story.usage(12, completion=7)
    story.attempt_ended(12)
    params = {"max_tokens": 50, "stop": "secret", "tools": [{"name": "secret"}], "logprobs": True}
    asked = CallPlan(1, "m", ({"role": "user", "content": "secret"},), params)
    written = record_of(asked, story.ledger.calls[1], State.DONE, None, "http://host:1", at(0), keep_text=False)
    assert "secret" not in repr(written)
    assert json.loads(written.plan_json) == {"params": {"max_tokens": 50, "logprobs": True}}
    assert (written.usage, len(written.attempts), written.attempts[0].error) == (Usage(10, 7), 2, "cut")


def test_secrets_are_masked_in_all_that_was_asked_and_answered() -> None:
    key = "sk-0123456789"
    story = Story()
    story.queued(0)
    for begins, error in ((0, "cut"), (10, None)):
        story.sent(begins)
        for choice in (0, 1):
            story.text(begins + 1, f"hm {key}", kind=TextKind.REASONING, choice=choice)
            story.text(begins + 1, f"a {key} b", choice=choice)
            story.tell(ToolNamed(1, at(begins + 1), choice, 0, key, key))
            story.text(begins + 1, f"{{{key}}}", kind=TextKind.TOOL, choice=choice)
        story.stopped(begins + 2, key)
        story.attempt_ended(begins + 2, error)
    asked = CallPlan(1, "m", ({"role": "user", "content": key},), {"stop": [key], key: {"x": key}})
    entry = story.ledger.calls[1]
    written = record_of(asked, entry, State.DONE, None, "http://host:1", at(0), mask=Mask([Secret(key)]))
    assert key not in repr(written)
    assert written.text == f"a {'*' * len(key)} b"
    assert len(written.choices) == 1
