"""One chat completion of the OpenAI dialect: server-sent events in, pieces out. Never raises on what a server sends.

A chunk is decoded into structs that name the few fields looked at; their leaves are `Any`, because providers
differ in the types of leaves and agree on the skeleton. What the strict decoder refuses (lone surrogates, NaN)
goes once more through Python's own, lenient one.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tui.core.calls import TextKind
from tui.wire.chat_errors import as_json, error_of, excerpt_of, find_error, name_of, parse_leniently
from tui.wire.chat_pieces import Delta, Piece, Stop, StreamEnd, ToolStart, UsageSeen, WireError
from tui.wire.chat_usage import usage_of
from tui.wire.sse import ServerEvent

_CONTENT, _REASONING, _REFUSAL, _TOOL = TextKind.CONTENT, TextKind.REASONING, TextKind.REFUSAL, TextKind.TOOL
_TOOL_NAME_CHARS = 200
_SURROGATE = re.compile("[\\ud800-\\udfff]")


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: Any = None
    delta: _Delta | None = None
    finish_reason: Any = None
    error: Any = None
    usage: Any = None
    """Moonshot counts here."""


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None
    id: Any = None
    model: Any = None


class _BodyChoice(_Choice, gc=False):
    delta: _Delta | None = msgspec.field(default=None, name="message")


class _Body(_Chunk, gc=False):
    choices: list[_BodyChoice] | None = None  # type: ignore[assignment]


_decode = msgspec.json.Decoder(_Chunk).decode


class _Tool:
    """One tool call as far as it has come."""

    __slots__ = ("id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""


class ChatReader:
    """Reads the events of one response, in order. One reader, one response."""

    __slots__ = (
        "_begun", "_counted_before", "_counts_along", "_ended_by_usage", "_failed", "_high", "_last_tool",
        "_mending", "_opened", "_said_done", "_stops", "_tools", "model", "response_id",
    )  # fmt: skip

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.model: str | None = None
        """The model that answered, as the server names it."""
        self._opened = False
        """Id and model are known."""
        self._begun: set[int] = set()
        self._stops: dict[int, str] = {}
        self._tools: dict[tuple[int, int], _Tool] = {}
        self._last_tool: dict[int, int] = {}
        self._mending = False
        """A chunk needed the lenient decoder, which lets lone surrogates through: text is checked from then on."""
        self._high: dict[tuple[TextKind, int, int], str] = {}
        """The first half of a surrogate pair that ended a piece, by kind, choice and tool."""
        self._counted_before = False
        self._counts_along = False
        self._ended_by_usage = False
        self._said_done = False
        self._failed = False

    @property
    def complete(self) -> bool:
        """The answer is whole: `[DONE]`, a final usage, or a stop for every choice that began, and no error.

        A body in one document is complete too. A usage is final unless text came after it; a server that has
        sent one and then more text counts as it goes (vLLM's `continuous_usage_stats`), and its usage is final
        only in a chunk without text.
        """
        if self._failed:
            return False
        if self._said_done or self._ended_by_usage:
            return True
        return bool(self._begun) and self._begun <= self._stops.keys()

    def read(self, event: ServerEvent) -> Sequence[Piece]:
        """The pieces in one event, in order; nothing for role-only, empty and keep-alive chunks.

        What cannot be read is a WireError whose message begins with "unreadable chunk".
        """
        if event.event == "error":
            return [self._fail(self._named_error(event.data))]
        try:
            chunk = _decode(event.data)
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            return self._read_leniently(event)
        if chunk.choices is None:
            return self._read_without_choices(chunk, parse_leniently(event.data))
        return self._pieces(chunk)

    def read_body(self, body: bytes) -> Sequence[Piece]:
        """The pieces of a response with status 200 whose body is one JSON document instead of a stream."""
        document = parse_leniently(body)
        self._mending = True
        try:
            whole = msgspec.convert(document, _Body)
        except (ValueError, RecursionError):
            whole = None
        if whole is None or not whole.choices:
            text = body.decode("utf-8-sig", "replace")
            return [self._fail(find_error(document) or excerpt_of("unreadable answer", text or "nothing"))]
        self._said_done = True  # a document that parses is not cut, whatever it leaves out
        pieces = self._pieces(whole)
        return [*pieces, *self.finish()]

    def finish(self) -> Sequence[Piece]:
        """What was held back, once no more events will come: half surrogate pairs, as U+FFFD."""
        held = [Delta(kind, "\ufffd", choice, tool) for kind, choice, tool in self._high]
        self._high.clear()
        return held

    def _open(self, chunk: _Chunk) -> None:
        if self.response_id is None:
            self.response_id = name_of(chunk.id)
        if self.model is None:
            self.model = name_of(chunk.model)  # Azure's first chunk has model "" and no choices
        self._opened = self.response_id is not None and self.model is not None

    def _fail(self, error: WireError) -> WireError:
        self._failed = True
        return error

    def _named_error(self, data: str) -> WireError:
        """The data of an `event: error`: JSON in any shape, or plain text."""
        value = parse_leniently(data)
        return find_error(value) or error_of(data if value is None else value)

    def _read_leniently(self, event: ServerEvent) -> Sequence[Piece]:
        text = event.data.strip()
        if not text:
            return ()
        if text == "[DONE]":
            self._said_done = True
            return (StreamEnd(),)
        value = parse_leniently(text)
        if value is None and event.event != "message":
            return ()  # `event: ping` and the like say something to others
        self._mending = True
        try:
            chunk = msgspec.convert(value, _Chunk)
        except (ValueError, RecursionError):  # also UnicodeEncodeError, for a lone surrogate in place of a number
            return [self._fail(find_error(value) or excerpt_of("unreadable chunk", text))]
        return self._read_without_choices(chunk, value) if chunk.choices is None else self._pieces(chunk)

    def _read_without_choices(self, chunk: _Chunk, value: Any) -> Sequence[Piece]:
        error = find_error(value)
        chunk.choices, chunk.error = [], None
        pieces = self._pieces(chunk)
        return pieces if error is None else [*pieces, self._fail(error)]

    def _pieces(self, chunk: _Chunk) -> Sequence[Piece]:
        if not self._opened:
            self._open(chunk)
        out: list[Piece] = []
        usage, error = chunk.usage, chunk.error
        for position, choice in enumerate(chunk.choices or ()):
            index = choice.index
            if type(index) is not int:
                index = position
            self._begun.add(index)
            delta = choice.delta
            if delta is not None:
                if delta.reasoning_content or delta.reasoning:
                    self._add_reasoning(out, delta, index)
                content = delta.content
                if content:
                    if type(content) is str and not self._mending:
                        out.append(Delta(_CONTENT, content, index))
                    else:
                        self._add_content(out, content, index)
                if delta.refusal:
                    self._add_text(out, _REFUSAL, delta.refusal, index)
                if delta.tool_calls or delta.function_call:
                    self._add_tools(out, delta, index)
            usage = usage or choice.usage
            error = error or choice.error
            if choice.finish_reason:
                failure = self._add_stop(out, choice.finish_reason, index)
                error = error or failure
        groq = chunk.x_groq
        if groq is not None and isinstance(groq, dict):
            usage = usage or groq.get("usage")
            error = error or groq.get("error")
        if usage or self._counted_before:
            self._add_usage(out, usage)
        if error:
            out.append(self._fail(error_of(error)))
        return out

    def _add_text(self, out: list[Piece], kind: TextKind, text: Any, choice: int, tool: int = 0) -> None:
        if type(text) is not str:
            return
        if self._mending:
            text = self._mended(text, (kind, choice, tool))
        if text:
            out.append(Delta(kind, text, choice, tool))

    def _mended(self, text: str, key: tuple[TextKind, int, int]) -> str:
        """`text` joined to what was held before it, its halves of pairs made whole, its end held if need be."""
        text = self._high.pop(key, "") + text
        if _SURROGATE.search(text) is None:
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            self._high[key] = text[-1]
            text = text[:-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _add_reasoning(self, out: list[Piece], delta: _Delta, choice: int) -> None:
        first, second = _plain_text(delta.reasoning_content), _plain_text(delta.reasoning)
        self._add_text(out, _REASONING, first, choice)
        if second != first:  # vLLM sends the same text under both names while it moves from one to the other
            self._add_text(out, _REASONING, second, choice)

    def _add_content(self, out: list[Piece], content: Any, choice: int) -> None:
        """Content that is not simply a string: Mistral sends a list of parts."""
        for part in content if isinstance(content, list) else [content]:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("thinking", "reasoning"):
                text = _plain_text(part.get("thinking") or part.get("reasoning") or part.get("text"))
                self._add_text(out, _REASONING, text, choice)
            elif kind == "refusal":
                self._add_text(out, _REFUSAL, part.get("refusal"), choice)
            else:
                self._add_text(out, _CONTENT, _plain_text(part), choice)

    def _add_tools(self, out: list[Piece], delta: _Delta, choice: int) -> None:
        if isinstance(delta.function_call, dict):  # what tool calls were called before 2023-11
            self._add_tool(out, choice, 0, "", delta.function_call)
        for call in delta.tool_calls if isinstance(delta.tool_calls, list) else ():
            if not isinstance(call, dict):
                continue
            function = call.get("function")
            if not isinstance(function, dict):
                function = {}
            call_id = call.get("id")
            call_id = "" if call_id is None else name_of(call_id) or ""
            index = call.get("index")
            if type(index) is not int:
                index = self._index_of_tool(choice, call_id, bool(function.get("name")))
            self._add_tool(out, choice, index, call_id, function)

    def _index_of_tool(self, choice: int, call_id: str, named: bool) -> int:
        """Which tool call a piece without an index belongs to: a new one if it is introduced, else the last."""
        last = self._last_tool.get(choice)
        if last is None:
            return 0
        introduced = self._tools[choice, last].id != call_id if call_id else named
        return last + 1 if introduced else last

    def _add_tool(self, out: list[Piece], choice: int, index: int, call_id: str, function: dict[str, Any]) -> None:
        tool = self._tools.get((choice, index))
        known = tool is not None and (tool.id or tool.name)
        if tool is None:
            tool = self._tools[choice, index] = _Tool()
        self._last_tool[choice] = index
        tool.id = tool.id or call_id
        name = function.get("name")
        name = None if name is None else name_of(name)
        grows = name is not None and name != tool.name and len(tool.name) < _TOOL_NAME_CHARS
        if grows:  # a name that merely repeats itself in every chunk does not grow
            tool.name = f"{tool.name}{name}"[:_TOOL_NAME_CHARS]
        if grows or (tool.id and not known):
            out.append(ToolStart(choice, index, tool.id, tool.name))
        arguments = function.get("arguments")
        if arguments:
            if isinstance(arguments, (dict, list)):  # Ollama did so; the API says a string of JSON
                arguments = as_json(arguments)
            self._add_text(out, _TOOL, arguments, choice, index)

    def _add_stop(self, out: list[Piece], reason: Any, choice: int) -> str | None:
        """A stop, once; or, when the reason is that it failed (OpenRouter, Mistral), words for the error."""
        reason = name_of(reason)
        if reason == "error":
            return "the server ended the answer with finish_reason error"
        if reason is not None and self._stops.get(choice) != reason:
            self._stops[choice] = reason
            out.append(Stop(reason, choice))
        return None

    def _add_usage(self, out: list[Piece], value: Any) -> None:
        has_text = any(type(piece) is Delta for piece in out)
        if has_text and self._counted_before:
            self._counts_along = True
            self._ended_by_usage = False
        usage = usage_of(value)
        if usage is not None:
            self._counted_before = True
            self._ended_by_usage = not (has_text and self._counts_along)
            out.append(UsageSeen(usage))


def _plain_text(value: Any) -> str:
    """The text of a string, of a part with a `text`, or of a list of those."""
    if isinstance(value, list):
        return "".join(_part_text(part) for part in value)
    return _part_text(value)


def _part_text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""
