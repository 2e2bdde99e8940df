import dataclasses
import json
from itertools import pairwise

import pytest
from simulator_client import chat, quick

from tui.simulator.chat import BadField, parse_chat
from tui.simulator.plan import Fault, plan
from tui.simulator.settings import SimulatorSettings


def planned(settings, occurrence=0, speed=1.0, **fields):
    return plan(settings, speed, parse_chat(json.dumps(chat(**fields)).encode()), occurrence)


def test_the_same_request_plans_the_same_whatever_came_between():
    settings = SimulatorSettings(reset_rate=0.5)
    assert planned(settings) == planned(settings)


def test_seed_prompt_and_occurrence_each_change_the_plan():
    base = planned(SimulatorSettings())
    assert planned(SimulatorSettings(seed=1)).id != base.id
    assert planned(SimulatorSettings(), prompt="Something else").id != base.id
    assert planned(SimulatorSettings(), occurrence=1).id != base.id


def test_with_the_same_answers_an_occurrence_changes_the_plan_and_not_its_text():
    settings = SimulatorSettings(same_answers=True, tokens_jitter=0.5)
    first, second = planned(settings), planned(settings, occurrence=1)
    assert (first.texts, first.counts) == (second.texts, second.counts)
    assert first.id != second.id
    assert first.due_s != second.due_s
    assert planned(settings, prompt="Something else").texts != first.texts
    assert planned(dataclasses.replace(settings, seed=1)).texts != first.texts


def test_the_order_of_a_bodys_fields_does_not_matter():
    body = chat(stream=True, temperature=0.5)
    turned = dict(reversed(body.items()))
    assert parse_chat(json.dumps(body).encode()).digest == parse_chat(json.dumps(turned).encode()).digest


def test_without_jitter_tokens_are_due_exactly_as_set():
    settings = SimulatorSettings(ttft_s=0.5, itl_s=0.125, jitter=0.0, tokens=4)
    assert planned(settings).due_s == [0.5, 0.625, 0.75, 0.875]
    assert planned(settings).first_byte_s == 0.25


def test_a_fast_model_is_faster():
    settings = SimulatorSettings(ttft_s=0.5, itl_s=0.125, jitter=0.0, tokens=3)
    assert planned(settings, speed=2.0).due_s == [0.25, 0.3125, 0.375]


def test_jitter_stays_inside_its_fraction():
    settings = SimulatorSettings(ttft_s=1.0, itl_s=0.1, jitter=0.3, tokens=500)
    due_s = planned(settings).due_s
    assert 0.7 <= due_s[0] <= 1.3
    gaps_s = [after - before for before, after in pairwise(due_s)]
    assert 0.07 - 1e-9 <= min(gaps_s) < 0.075
    assert 0.125 < max(gaps_s) <= 0.13 + 1e-9


def test_the_length_varies_only_when_asked():
    assert {len(planned(quick(), occurrence=k).counts) for k in range(20)} == {12}
    lengths = {len(planned(quick(tokens_jitter=0.5), occurrence=k).counts) for k in range(60)}
    assert lengths == set(range(6, 19))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_cap_shortens_the_answer_and_says_so(name):
    capped = planned(quick(), **{name: 5})
    assert (capped.tokens, capped.finish_reason) == (5, "length")
    assert planned(quick(), **{name: 12}).finish_reason == "stop"


def test_glued_chunks_hold_the_same_text_and_come_with_their_last_token():
    settings = SimulatorSettings(ttft_s=0.5, itl_s=0.125, jitter=0.0, tokens=8)
    single, glued = planned(settings), planned(dataclasses.replace(settings, coalesce=3))
    assert glued.counts == [1, 3, 3, 1]
    assert glued.due_s == [single.due_s[0], single.due_s[3], single.due_s[6], single.due_s[7]]
    assert b"".join(glued.texts[0]) == b"".join(single.texts[0])


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.ERROR, Fault.RESET, Fault.STALL])
def test_faults_come_at_their_rate(fault):
    settings = quick(refuse_rate=0.1, error_rate=0.1, reset_rate=0.1, stall_rate=0.1)
    met = [planned(settings, occurrence=k).fault for k in range(2000)]
    assert 150 < met.count(fault) < 250


@pytest.mark.parametrize("settings", [quick(reset_rate=1.0), quick(stall_rate=1.0)])
def test_a_break_keeps_the_first_token_and_spares_the_last(settings):
    places = {planned(settings, occurrence=k).break_before for k in range(300)}
    assert places == set(range(1, 12))


def test_resets_are_of_both_kinds():
    assert {planned(quick(reset_rate=1.0), occurrence=k).abrupt for k in range(20)} == {True, False}


def test_a_stall_that_ends_delays_the_rest():
    settings = SimulatorSettings(ttft_s=0.0, itl_s=0.001, jitter=0.0, tokens=9, stall_rate=1.0, stall_s=60.0)
    stalled = planned(settings)
    assert stalled.break_before is None
    assert stalled.due_s[-1] == pytest.approx(60.008)


def test_json_answers_of_unequal_length_are_counted_without_padding():
    both = planned(quick(), n=2, response_format={"type": "json_object"})
    assert both.tokens == sum(1 for texts in both.texts for piece in texts if piece)


FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "a",
        "schema": {"type": "object", "properties": {"level": {"type": "number"}}, "additionalProperties": False},
    },
}


def answered(settings, **fields):
    """The answers of 300 equal requests for this form."""
    plans = (planned(settings, occurrence=k, **fields) for k in range(300))
    return [json.loads(b'"' + b"".join(plan.texts[0]) + b'"') for plan in plans]


def is_right(text):
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return set(value) <= {"level"}


def test_wrong_answers_in_json_come_at_their_rate_and_in_every_manner():
    texts = answered(quick(invalid_rate=0.5), response_format=FORM)
    wrong = [text for text in texts if not is_right(text)]
    assert 110 < len(wrong) < 190
    begun = [text for text in wrong if text.startswith("{")]
    assert len(begun) < len(wrong), "prose"
    assert any(text.endswith("}") for text in begun), "another form"
    assert any(not text.endswith("}") for text in begun), "cut"


def test_an_answer_that_is_asked_for_anew_is_right():
    messages = [
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "v"},
    ]
    assert all(map(is_right, answered(quick(invalid_rate=1.0), response_format=FORM, messages=messages)))
    assert not any(map(is_right, answered(quick(invalid_rate=1.0), response_format=FORM, messages=messages[:1])))


def test_prose_is_never_wrong_and_a_rate_of_0_changes_no_answer():
    assert planned(quick(invalid_rate=1.0)) == planned(quick())
    assert all(map(is_right, answered(quick(), response_format=FORM)))


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_name(change, param):
    with pytest.raises(BadField) as refused:
        parse_chat(json.dumps({**chat(), **change}).encode())
    assert refused.value.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"[" * 100_000, b"1" * 5_000])
def test_a_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(BadField):
        parse_chat(body)
