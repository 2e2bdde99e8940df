import json
import random
from typing import Any

import pytest

from tui.core.calls import TextKind, Usage
from tui.wire.chat import ChatReader, Delta, Piece, Stop, StreamEnd, ToolStart, UsageSeen, WireError
from tui.wire.sse import ServerEvent

CONTENT, REASONING, REFUSAL, TOOL = TextKind.CONTENT, TextKind.REASONING, TextKind.REFUSAL, TextKind.TOOL


def chunk(delta: Any = None, *, index: Any = 0, finish_reason: Any = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **fields}


def usage_chunk(usage: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "model": "m", "choices": [], "usage": usage, **fields}


def read(reader: ChatReader, *documents: Any) -> list[Piece]:
    pieces: list[Piece] = []
    for document in documents:
        event = document
        if not isinstance(document, ServerEvent):
            event = ServerEvent(document if isinstance(document, str) else json.dumps(document))
        pieces += reader.read(event)
    return pieces


def pieces(*documents: Any) -> list[Piece]:
    return read(ChatReader(), *documents)


def only_error(*documents: Any) -> WireError:
    (error,) = (piece for piece in pieces(*documents) if isinstance(piece, WireError))
    return error


# Text


@pytest.mark.parametrize(
    "delta",
    [
        {},
        {"role": "assistant"},
        {"role": "assistant", "content": ""},
        {"content": None},
        {"content": []},
        {"content": [{"type": "text", "text": ""}, {"type": "image_url"}, None, 3]},
        {"content": 7},
        {"content": {"type": "text"}},
        {"reasoning_content": None, "reasoning": ""},
        {"reasoning": {"effort": "high"}},
        {"refusal": None},
        {"refusal": 1},
        {"tool_calls": None},
        {"tool_calls": []},
        {"tool_calls": "x"},
        {"tool_calls": [None, {}, {"index": 0, "function": None}, {"index": 0, "function": {"arguments": ""}}]},
        {"function_call": None},
        {"function_call": "x"},
        {"audio": {"id": "x"}, "annotations": [1]},
    ],
)
def test_a_delta_without_text_is_nothing(delta: dict[str, Any]):
    assert pieces(chunk(delta)) == []


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"content": "x"}, [Delta(CONTENT, "x")]),
        ({"role": "assistant", "content": "x", "refusal": None}, [Delta(CONTENT, "x")]),
        ({"content": " "}, [Delta(CONTENT, " ")]),
        ({"content": "流😀\u2028\0"}, [Delta(CONTENT, "流😀\u2028\0")]),
        ({"reasoning_content": "r"}, [Delta(REASONING, "r")]),
        ({"reasoning": "r"}, [Delta(REASONING, "r")]),
        ({"reasoning": "r", "reasoning_content": "r"}, [Delta(REASONING, "r")]),
        ({"reasoning": "b", "reasoning_content": "a"}, [Delta(REASONING, "a"), Delta(REASONING, "b")]),
        ({"reasoning_content": "r", "reasoning": None, "content": "x"}, [Delta(REASONING, "r"), Delta(CONTENT, "x")]),
        ({"refusal": "no"}, [Delta(REFUSAL, "no")]),
        ({"content": [{"type": "text", "text": "a"}, "b"]}, [Delta(CONTENT, "a"), Delta(CONTENT, "b")]),
        ({"content": {"type": "text", "text": "a"}}, [Delta(CONTENT, "a")]),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"text": "m"}]}]},
            [Delta(REASONING, "hm")],
        ),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, [Delta(REASONING, "hm")]),
        ({"content": [{"type": "reasoning", "text": "hm"}]}, [Delta(REASONING, "hm")]),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, [Delta(REFUSAL, "no")]),
    ],
)
def test_text_is_told_by_its_kind(delta: dict[str, Any], expected: list[Piece]):
    assert pieces(chunk(delta)) == expected


def test_choices_are_told_apart_also_within_one_chunk():
    two = chunk({"content": "a"})
    two["choices"].append({"index": 1, "delta": {"content": "b"}})
    assert pieces(two, chunk({"content": "c"}, index=1)) == [
        Delta(CONTENT, "a", 0), Delta(CONTENT, "b", 1), Delta(CONTENT, "c", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("index", [None, "0", True, 0.5])
def test_a_choice_without_a_usable_index_is_told_by_its_place(index: Any):
    document = chunk({"content": "a"}, index=index)
    document["choices"].append({"delta": {"content": "b"}})
    assert pieces(document) == [Delta(CONTENT, "a", 0), Delta(CONTENT, "b", 1)]


def test_fields_that_nobody_looks_at_may_be_anything():
    odd = chunk(
        {"content": "x", "role": 5}, created=1.5, object=None, service_tier=[], system_fingerprint={}, extra=[1]
    )
    odd["choices"][0]["logprobs"] = "none"
    assert pieces(odd) == [Delta(CONTENT, "x")]


def test_id_and_model_are_the_first_that_are_given():
    reader = ChatReader()
    read(reader, {"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]})
    assert (reader.response_id, reader.model) == (None, None)
    read(reader, chunk({"content": "x"}), chunk({"content": "y"}, id="other", model="other"))
    assert (reader.response_id, reader.model) == ("chatcmpl-1", "m")
    read(reader := ChatReader(), chunk(id=17, model="m\x1b[31m\ud83d"))
    assert (reader.response_id, reader.model) == ("17", "m�[31m�")


# Tool calls


def tool(index: Any = 0, id: Any = None, name: Any = None, arguments: Any = None, choice: int = 0) -> dict[str, Any]:
    call = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    if index is None:
        del call["index"]
    return chunk({"tool_calls": [call]}, index=choice)


def test_a_tool_call_is_named_once_and_its_arguments_are_text():
    assert pieces(tool(0, "c1", "look", ""), tool(0, None, None, '{"a"'), tool(0, None, None, ":1}")) == [
        ToolStart(0, 0, "c1", "look"), Delta(TOOL, '{"a"', 0, 0), Delta(TOOL, ":1}", 0, 0),
    ]  # fmt: skip


def test_a_name_that_comes_in_fragments_is_told_whole_each_time_it_grows():
    assert pieces(tool(0, "c1"), tool(0, None, "get_"), tool(0, "c1", "sky"), tool(0, None, "", "{}")) == [
        ToolStart(0, 0, "c1", ""), ToolStart(0, 0, "c1", "get_"), ToolStart(0, 0, "c1", "get_sky"), Delta(TOOL, "{}"),
    ]  # fmt: skip


def test_a_name_repeated_in_every_chunk_does_not_grow():
    assert pieces(tool(0, "c1", "look", "{"), tool(0, "c1", "look", "}")) == [
        ToolStart(0, 0, "c1", "look"), Delta(TOOL, "{"), Delta(TOOL, "}"),
    ]  # fmt: skip


def test_a_name_without_end_is_cut():
    grown = [piece for piece in pieces(*(tool(0, "c", f"n{i}") for i in range(1000))) if isinstance(piece, ToolStart)]
    assert len(grown[-1].name) == 200
    assert len(grown) < 200


def test_tool_calls_are_told_apart_by_choice_and_index():
    assert pieces(tool(0, "a", "f", "1"), tool(1, "b", "g", "2"), tool(0, "c", "h", "3", choice=1)) == [
        ToolStart(0, 0, "a", "f"), Delta(TOOL, "1", 0, 0),
        ToolStart(0, 1, "b", "g"), Delta(TOOL, "2", 0, 1),
        ToolStart(1, 0, "c", "h"), Delta(TOOL, "3", 1, 0),
    ]  # fmt: skip


def test_tool_calls_without_an_index_begin_with_a_new_id_or_a_name():
    calls = [
        tool(None, "a", "f", "1"),
        tool(None, "a", None, "2"),
        tool(None, "b", "g", "3"),
        tool(None, arguments="4"),
    ]
    assert pieces(*calls) == [
        ToolStart(0, 0, "a", "f"), Delta(TOOL, "1", 0, 0), Delta(TOOL, "2", 0, 0),
        ToolStart(0, 1, "b", "g"), Delta(TOOL, "3", 0, 1), Delta(TOOL, "4", 0, 1),
    ]  # fmt: skip
    assert pieces(tool(None, None, "f", "1"), tool(None, None, "g", "2")) == [
        ToolStart(0, 0, "", "f"), Delta(TOOL, "1", 0, 0), ToolStart(0, 1, "", "g"), Delta(TOOL, "2", 0, 1),
    ]  # fmt: skip


def test_arguments_that_are_an_object_become_json():
    assert pieces(tool(0, "a", "f", {"é": [1, None]})) == [ToolStart(0, 0, "a", "f"), Delta(TOOL, '{"é":[1,null]}')]


def test_the_old_function_call_is_a_tool_call():
    assert pieces(
        chunk({"function_call": {"name": "f", "arguments": ""}}), chunk({"function_call": {"arguments": "{}"}})
    ) == [ToolStart(0, 0, "", "f"), Delta(TOOL, "{}")]


# Usage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}, Usage(5, 7)),
        ({"prompt_tokens": 5.0, "completion_tokens": 7.0}, Usage(5, 7)),
        ({"prompt_tokens": 5}, Usage(5, 0)),
        ({"prompt_tokens": 5, "completion_tokens": None}, Usage(5, 0)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0},
                "prompt_tokens_details": {"cached_tokens": 4},
            },
            Usage(5, 7, 3, 4),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "completion_tokens_details": None,
                "prompt_tokens_details": None,
            },
            Usage(5, 7),
        ),
        ({"prompt_tokens": 5, "completion_tokens": 7, "prompt_cache_hit_tokens": 2}, Usage(5, 7, 0, 2)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "cache_read_input_tokens": 2}, Usage(5, 7, 0, 2)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "cached_tokens": 2}, Usage(5, 7, 0, 2)),
        (
            {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": -1}},
            Usage(5, 7),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(5, 7, 0, 5),
        ),
        (
            # xAI: reasoning beside the completion
            {
                "prompt_tokens": 37,
                "completion_tokens": 530,
                "total_tokens": 800,
                "completion_tokens_details": {"reasoning_tokens": 233},
            },
            Usage(37, 763, 233, 0),
        ),
    ],
)
def test_usage_is_read(usage: dict[str, Any], expected: Usage):
    assert pieces(usage_chunk(usage)) == [UsageSeen(expected)]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        3,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": 2_000_000_000},
        {"prompt_tokens": 5, "completion_tokens": 10**40},
        {"prompt_tokens": 5, "completion_tokens": float("nan")},
        {"prompt_tokens": 5, "completion_tokens": float("inf")},
        {"prompt_tokens": 5, "completion_tokens": True},
        {"prompt_tokens": "5", "completion_tokens": "5"},
    ],
)
def test_usage_that_cannot_be_believed_is_ignored(usage: Any):
    reader = ChatReader()
    assert read(reader, usage_chunk(usage)) == []
    assert not reader.complete


FIVE = {"prompt_tokens": 5, "completion_tokens": 5}


def test_usage_is_found_wherever_providers_put_it():
    seen = UsageSeen(Usage(5, 5))
    assert pieces(chunk({"content": "x"}, usage=FIVE)) == [Delta(CONTENT, "x"), seen]
    assert pieces(chunk(finish_reason="stop", usage=FIVE)) == [Stop("stop", 0), seen]
    assert pieces({"id": "x", "usage": FIVE}) == [seen]
    assert pieces(chunk(x_groq={"id": "r", "usage": FIVE})) == [seen]
    assert pieces(chunk(x_groq={"id": "r"}), chunk(x_groq="odd")) == []
    moonshot = chunk(finish_reason="stop")
    moonshot["choices"][0]["usage"] = FIVE
    assert pieces(moonshot) == [Stop("stop", 0), seen]


def test_every_usage_is_told_so_that_the_last_can_win():
    assert pieces(usage_chunk(FIVE), usage_chunk({**FIVE, "completion_tokens": 9})) == [
        UsageSeen(Usage(5, 5)), UsageSeen(Usage(5, 9)),
    ]  # fmt: skip


# The end


TEXT = chunk({"content": "x"})


@pytest.mark.parametrize(
    ("documents", "complete"),
    [
        ([], False),
        ([chunk({"role": "assistant"})], False),
        ([TEXT], False),
        ([TEXT, chunk(finish_reason="")], False),
        ([TEXT, chunk(finish_reason=None)], False),
        ([TEXT, chunk(finish_reason="stop")], True),
        ([chunk({"content": "x"}, finish_reason="length")], True),
        ([TEXT, "[DONE]"], True),
        ([TEXT, " [DONE] \t"], True),
        ([TEXT, usage_chunk(FIVE)], True),
        ([chunk({"content": "x"}, usage=FIVE)], True),
        ([TEXT, chunk({"content": "y"}, index=1), chunk(finish_reason="stop")], False),
        (
            [TEXT, chunk({"content": "y"}, index=1), chunk(finish_reason="stop"), chunk(finish_reason="stop", index=1)],
            True,
        ),
        # a server that counts as it goes
        ([chunk({"role": "assistant"}, usage=FIVE), chunk({"content": "x"}, usage=FIVE)], False),
        ([chunk({"content": "x"}, usage=FIVE), chunk({"content": "x"}, usage=FIVE)], False),
        ([chunk({"content": "x"}, usage=FIVE), TEXT], False),
        ([chunk({"content": "x"}, usage=FIVE), chunk({"content": "x"}, usage=FIVE), usage_chunk(FIVE)], True),
        ([chunk({"content": "x"}, usage=FIVE), chunk({"content": "x"}, usage=FIVE), chunk(finish_reason="stop")], True),
        # failures
        ([TEXT, {"error": {"message": "gone"}}], False),
        ([TEXT, {"error": {"message": "gone"}}, "[DONE]"], False),
        ([TEXT, chunk(finish_reason="error"), "[DONE]"], False),
        ([TEXT, "{", "[DONE]"], False),
    ],
)
def test_a_stream_is_complete_when_it_said_that_it_ended(documents: list[Any], complete: bool):
    reader = ChatReader()
    read(reader, *documents)
    assert reader.complete is complete


def test_stop_and_done_are_told():
    assert pieces(TEXT, chunk(finish_reason="tool_calls", index=3), "[DONE]") == [
        Delta(CONTENT, "x"), Stop("tool_calls", 3), StreamEnd(),
    ]  # fmt: skip


def test_a_stop_that_is_repeated_is_told_once():
    assert pieces(chunk(finish_reason="stop"), chunk(finish_reason="stop", usage=FIVE)) == [
        Stop("stop", 0), UsageSeen(Usage(5, 5)),
    ]  # fmt: skip


# Errors inside the stream


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            ServerEvent('{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'),
            WireError("slow down", "rate_limit_exceeded", "requests", 429),
        ),
        (
            ServerEvent('{"error":{"message":"no money","type":"insufficient_quota","code":null}}'),
            WireError("no money", "insufficient_quota", "insufficient_quota", 429),
        ),
        (ServerEvent('{"error":"it broke"}'), WireError("it broke")),
        (
            ServerEvent('{"error":"busy","error_type":"overloaded"}'),
            WireError("busy", None, "overloaded", 503),
        ),
        (ServerEvent('{"error":{"message":"x","code":502}}'), WireError("x", "502", None, 502)),
        (ServerEvent('{"error":{"message":"x","code":"500","type":null}}'), WireError("x", "500", None, 500)),
        (
            ServerEvent('[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]'),
            WireError("x", "429", None, 429),
        ),
        (
            ServerEvent('{"object":"error","message":"x","type":"BadRequestError","code":400}'),
            WireError("x", "400", "BadRequestError", 400),
        ),
        (
            ServerEvent('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "error"),
            WireError("Overloaded", None, "overloaded_error", 503),
        ),
        (ServerEvent('{"type":"error","error":{"message":"x"}}'), WireError("x")),
        (ServerEvent("the upstream hung up", "error"), WireError("the upstream hung up")),
        (ServerEvent('"the upstream hung up"', "error"), WireError("the upstream hung up")),
        (ServerEvent('{"message":"x","code":"server_error"}', "error"), WireError("x", "server_error", None, 500)),
        (ServerEvent('{"odd":1}', "error"), WireError('{"odd":1}')),
        (ServerEvent("", "error"), WireError("an error without a message")),
        (ServerEvent('{"error":{"message":"up\\nside\\u001b[1m \\ud83d"}}'), WireError("up side�[1m �")),
        (ServerEvent('{"error":{"message":"x"},"choices":"none"}'), WireError("x")),
    ],
)
def test_an_error_in_the_stream_is_told(event: ServerEvent, expected: WireError):
    reader = ChatReader()
    assert read(reader, event) == [expected]
    assert not reader.complete


def test_an_error_in_a_chunk_with_choices_is_told_after_its_text():
    assert pieces(
        chunk({"content": "x"}, finish_reason="error", error={"code": 502, "message": "Provider disconnected"})
    ) == [Delta(CONTENT, "x"), WireError("Provider disconnected", "502", None, 502)]
    inside = chunk({"content": ""})
    inside["choices"][0] |= {"finish_reason": "error", "error": {"code": "server_error", "message": "x"}}
    assert only_error(inside) == WireError("x", "server_error", None, 500)
    assert only_error(chunk(finish_reason="error")).message == "the server ended the answer with finish_reason error"
    assert only_error(chunk(x_groq={"error": "over_capacity"})).message == "over_capacity"


def test_usage_beside_an_error_is_kept():
    assert pieces({"error": {"message": "x"}, "usage": FIVE}) == [UsageSeen(Usage(5, 5)), WireError("x")]


@pytest.mark.parametrize("error", [None, {}, "", False, 0, []])
def test_an_empty_error_field_is_no_error(error: Any):
    assert pieces(chunk({"content": "x"}, error=error)) == [Delta(CONTENT, "x")]
    assert pieces({"id": "x", "error": error}) == []


@pytest.mark.parametrize(
    "data",
    [
        "{",
        "nonsense",
        '"text"',
        "17",
        "null",
        "[]",
        '{"choices":7}',
        '{"choices":[7]}',
        '{"choices":[{"delta":"x"}]}',
        '{"choices":{}}',
        '{"choices":[{"delta":{"content":"x"}}]} trailing',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"n":' + "9" * 10_000 + "}x",
        "x" * 100_000,
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_an_exception(data: str):
    error = only_error(data)
    assert error.message.startswith(f"unreadable chunk: {data[:10]}")
    assert len(error.message) <= 200
    assert error.status is None


@pytest.mark.parametrize(
    "event",
    [
        ServerEvent(""),
        ServerEvent("  "),
        ServerEvent("", "ping"),
        ServerEvent("2026-11-22", "ping"),
        ServerEvent('{"type":"ping"}', "ping"),
        ServerEvent('{"type":"ping"}'),
        ServerEvent("{}"),
        ServerEvent('{"choices":null}'),
        ServerEvent('{"choices":[]}'),
        ServerEvent('{"choices":[{}]}'),
        ServerEvent('{"choices":[{"delta":null}]}'),
    ],
)
def test_keep_alives_are_nothing(event: ServerEvent):
    reader = ChatReader()
    assert read(reader, event, TEXT) == [Delta(CONTENT, "x")]


def test_an_event_with_a_name_of_its_own_is_still_read():
    assert pieces(ServerEvent(json.dumps(TEXT), "completion")) == [Delta(CONTENT, "x")]


def test_values_that_only_lenient_readers_take_do_not_hide_the_text():
    assert pieces('{"created":NaN,"choices":[{"index":1e999,"delta":{"content":"a\nb"}}]}') == [Delta(CONTENT, "a\nb")]
    assert pieces('\ufeff{"choices":[{"delta":{"content":"x"}}]}'.removeprefix("\ufeff")) == [Delta(CONTENT, "x")]


# Surrogates


def said(text: str, kind: str = "content", index: int = 0) -> str:
    """A chunk whose JSON escapes everything, lone surrogates too."""
    return json.dumps(chunk({kind: text}, index=index))


def test_an_emoji_split_over_two_chunks_is_joined():
    assert pieces(said("a\ud83d"), said("\ude00b")) == [Delta(CONTENT, "a"), Delta(CONTENT, "😀b")]
    assert pieces(said("\ud83d"), chunk({}), said("\ude00")) == [Delta(CONTENT, "😀")]


def test_a_surrogate_that_stays_alone_becomes_a_replacement_character():
    assert pieces(said("a\ude00b")) == [Delta(CONTENT, "a�b")]
    assert pieces(said("a\ud83d"), said("b")) == [Delta(CONTENT, "a"), Delta(CONTENT, "�b")]
    assert pieces(said("\ud83d"), said("\ud83d"), said("\ude00")) == [Delta(CONTENT, "�"), Delta(CONTENT, "😀")]
    reader = ChatReader()
    assert read(reader, said("a\ud83d")) == [Delta(CONTENT, "a")]
    assert reader.finish() == [Delta(CONTENT, "�")]
    assert reader.finish() == []


def test_halves_are_joined_within_their_choice_and_kind_only():
    split = [
        said("\ud83d"), said("\ud83d", index=1), said("\ud83d", "reasoning"), said("r", "reasoning"),
        said("\ude00", index=1), said("\ude00"),
    ]  # fmt: skip
    assert pieces(*split) == [Delta(REASONING, "�r"), Delta(CONTENT, "😀", 1), Delta(CONTENT, "😀", 0)]
    assert pieces(tool(0, "a", "f", '"\ud83d'), tool(1, "b", "f", "\ude00"), tool(0, None, None, '\ude00"')) == [
        ToolStart(0, 0, "a", "f"), Delta(TOOL, '"', 0, 0), ToolStart(0, 1, "b", "f"), Delta(TOOL, "�", 0, 1),
        Delta(TOOL, '😀"', 0, 0),
    ]  # fmt: skip


def test_names_and_reasons_are_valid_text_too():
    for piece in pieces(
        tool(0, "\ud83d", "f\ud83d"), chunk(finish_reason="\ud83d"), chunk(error={"message": "\ud83d"})
    ):
        repr(piece).encode()


def test_any_cut_of_any_text_gives_back_the_text():
    rng = random.Random(7)
    for _ in range(300):
        text = "".join(rng.choices(["a", "é", "流", "😀", "👍🏽", '"', "\\"], k=rng.randrange(1, 12)))
        utf16 = text.encode("utf-16-le")
        units = [utf16[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(utf16), 2)]
        reader, got = ChatReader(), ""
        while units:
            size = rng.randrange(1, 4)
            got += "".join(
                piece.text for piece in read(reader, said("".join(units[:size]))) if isinstance(piece, Delta)
            )
            del units[:size]
        assert got == text
        assert reader.finish() == []


# One body instead of a stream


def completion(**message: Any) -> bytes:
    return json.dumps({
        "id": "chatcmpl-9", "object": "chat.completion", "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}],
        "usage": FIVE,
    }).encode()  # fmt: skip


def test_a_whole_completion_is_read_like_a_stream():
    reader = ChatReader()
    assert reader.read_body(completion(content="hi 😀", reasoning_content="hm")) == [
        Delta(REASONING, "hm"), Delta(CONTENT, "hi 😀"), Stop("stop", 0), UsageSeen(Usage(5, 5)),
    ]  # fmt: skip
    assert (reader.complete, reader.response_id, reader.model) == (True, "chatcmpl-9", "m-1")


def test_a_whole_completion_may_call_tools():
    calls = [{"id": i, "type": "function", "function": {"name": "f", "arguments": i}} for i in ("a", "b")]
    assert ChatReader().read_body(completion(content=None, tool_calls=calls))[:4] == [
        ToolStart(0, 0, "a", "f"), Delta(TOOL, "a", 0, 0), ToolStart(0, 1, "b", "f"), Delta(TOOL, "b", 0, 1),
    ]  # fmt: skip


def test_a_whole_completion_is_complete_whatever_it_leaves_out():
    reader = ChatReader()
    assert reader.read_body(b'\xef\xbb\xbf{"choices":[{"message":{"content":"x\\ud83d"}}]}') == [
        Delta(CONTENT, "x"), Delta(CONTENT, "�"),
    ]  # fmt: skip
    assert reader.complete


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":{"message":"x","code":"429"}}', WireError("x", "429", None, 429)),
        (b'[{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}]', WireError("x", "503", None, 503)),
        (b'{"detail":"Not allowed"}', WireError("Not allowed")),
        (b'{"choices":[],"error":"x"}', WireError("x")),
        (b"<html>\n<b>sorry</b>", WireError("unreadable answer: <html> <b>sorry</b>")),
        (b'{"choices":[]}', WireError('unreadable answer: {"choices":[]}')),
        (
            b'{"choices":[{"message":{"content":"cut',
            WireError('unreadable answer: {"choices":[{"message":{"content":"cut'),
        ),
        (b"", WireError("unreadable answer: nothing")),
        (b"\xff\xfe", WireError("unreadable answer: ��")),
    ],
)
def test_a_body_that_is_no_completion_is_an_error(body: bytes, expected: WireError):
    reader = ChatReader()
    assert reader.read_body(body) == [expected]
    assert not reader.complete


def test_a_completion_that_also_failed_is_not_complete():
    reader = ChatReader()
    body = b'{"choices":[{"message":{"content":"x"},"finish_reason":"error"}],"error":{"message":"m"}}'
    assert reader.read_body(body) == [Delta(CONTENT, "x"), WireError("m")]
    assert not reader.complete


FIELDS = [
    "choices", "delta", "message", "index", "content", "usage", "error", "x_groq", "tool_calls", "function",
    "function_call", "arguments", "name", "id", "model", "finish_reason", "reasoning", "text", "type", "code",
    "prompt_tokens", "completion_tokens", "detail", "status", "thinking", "refusal", "errors", "loc", "msg",
]  # fmt: skip
LEAVES = [None, True, 0, -1, 1.5, 10**30, "", "x", "error", "\ud83d", "thinking", "[DONE]", float("nan")]


def mangled(rng: random.Random, depth: int, most: int = 6) -> Any:
    if depth == 0 or rng.random() < 0.25:
        return rng.choice(LEAVES)
    if rng.random() < 0.4:
        return [mangled(rng, depth - 1) for _ in range(rng.randrange(3))]
    return {name: mangled(rng, depth - 1) for name in rng.sample(FIELDS, rng.randrange(1, most + 1))}


def test_no_mangled_document_makes_the_reader_raise():
    rng = random.Random(11)
    for case in range(5000):
        reader, depth = ChatReader(), 1 + case % 4
        document = mangled(rng, depth)
        if case % 2:
            delta = {name: mangled(rng, depth) for name in rng.sample(FIELDS, 5)}
            beside = {name: mangled(rng, depth) for name in ("usage", "x_groq", "id")}
            document = {"choices": [{"index": mangled(rng, 1), "delta": delta, "message": delta}], **beside}
        text = json.dumps(document)
        got = [
            *read(reader, text, ServerEvent(text, "error")),
            *ChatReader().read_body(text.encode()),
            *reader.finish(),
        ]
        repr(got).encode()
        assert all(piece.text for piece in got if isinstance(piece, Delta))
        assert all(piece.message for piece in got if isinstance(piece, WireError))
