"""One reply on its way: renders frames when they are due and says what was sent. Owns no socket.

A token costs one formatting of ready-made bytes and one send: everything that is the same in every chunk of a
stream is rendered once, when the stream begins.
"""

import json
from collections.abc import Callable
from time import monotonic_ns
from typing import Any, Protocol

from tui.simulator import http
from tui.simulator.chat import ChatRequest
from tui.simulator.plan import Fault, Plan
from tui.simulator.truth import Record

CREATED = 1_767_225_600
"""2026-01-01. A constant, so that the same seed answers with the same bytes."""

MOST_BYTES_AT_ONCE = 64 * 1024


class Line(Protocol):
    """The connection, as a reply sees it."""

    def write(self, data: bytes) -> bool:
        """Hand `data` to the kernel; False when not all of it went (`drained` or `abandoned` follows)."""

    def finished(self, keep_alive: bool) -> None:
        """The reply is complete."""

    def cut(self, abrupt: bool) -> None:
        """End the connection in the middle; `abrupt`: with a TCP reset."""


class Reply:
    """What streams and whole answers share: their line, their record and how they are given up."""

    def __init__(
        self,
        line: Line,
        plan: Plan,
        request: ChatRequest,
        record: Record,
        keep_alive: bool,
        when_over: Callable[[], None] | None,
    ) -> None:
        """`when_over` is called once, when nothing more will be sent, however that came; a stall is not over."""
        self._line = line
        self._plan = plan
        self._request = request
        self._record = record
        self._keep_alive = keep_alive
        self._when_over = when_over
        self._over = False

    def abandoned(self) -> None:
        """The client left."""
        if not self._over:
            self._end_of_it()
            if self._record.ended is None:
                self._record.ended = "cut"

    def _break(self) -> None:
        """A reset, or the beginning of a silence that lasts until the client leaves."""
        if self._plan.fault is Fault.STALL:
            self._record.ended = "stalled"
            return
        self._end_of_it()
        self._record.ended = "cut"
        self._line.cut(self._plan.abrupt)

    def _complete(self) -> None:
        self._end_of_it()
        self._record.ended = "complete"
        self._line.finished(self._keep_alive)

    def _end_of_it(self) -> None:
        self._over = True
        if self._when_over is not None:
            self._when_over()


class Stream(Reply):
    """Server-sent events, token by token."""

    def __init__(
        self,
        line: Line,
        plan: Plan,
        request: ChatRequest,
        record: Record,
        keep_alive: bool,
        accepted: float,
        headers: http.Headers,
        when_over: Callable[[], None] | None = None,
        chunked: bool = True,
    ) -> None:
        """Not `chunked`: the body ends where the connection does."""
        super().__init__(line, plan, request, record, keep_alive, when_over)
        self._accepted = accepted
        self._chunked = chunked
        self._head = http.head(
            200,
            [
                ("content-type", "text/event-stream; charset=utf-8"),
                ("cache-control", "no-cache"),
                *([("transfer-encoding", "chunked")] if chunked else []),
                *headers,
            ],
            keep_alive,
        )
        self._due = [accepted + due_s for due_s in plan.due_s]
        self._around = [
            tuple(self._choice(index, '{"content":"\0"}').encode().split(b"\0")) for index in range(request.choices)
        ]
        """For each choice the bytes before and after a chunk's text."""
        self._next = -1
        """The chunk that is due; -1 is head and role, and after the last one comes the end."""
        self._in_flight = 0
        """Tokens in what the kernel has not taken yet."""
        last = len(plan.counts)
        self._stop_at = last if plan.break_before is None else plan.break_before
        self._paced = plan.due_s[-1] > plan.due_s[0]

    @property
    def begins(self) -> float:
        """Loop time of the first byte."""
        return self._accepted + self._plan.first_byte_s

    def fire(self) -> float | None:
        if self._over:
            return None
        at = self._next
        if at == self._stop_at:
            self._end()
            return None
        if at < 0:
            frames, tokens = self._opening(), 0
            self._next = 0
        elif self._paced or at == 0:
            frames, tokens = self._frames(at), self._plan.counts[at]
            self._next = at + 1
        else:
            frames, tokens = self._many(at)
        at_ns = monotonic_ns()
        if not self._line.write(frames):
            self._in_flight = tokens
            return None
        if tokens:
            self._record.sent(tokens, at_ns)
        return self._next_due()

    def drained(self, at_ns: int) -> float | None:
        if self._over:
            return None
        if self._next > self._stop_at:
            self._complete()
            return None
        if self._in_flight:
            self._record.sent(self._in_flight, at_ns)
            self._in_flight = 0
        return self._next_due()

    def abandoned(self) -> None:
        super().abandoned()
        # A stream that is waiting for a far-off token stays in the scheduler's heap until then: keep it small.
        self._due = []

    def _next_due(self) -> float:
        # The end follows the last token at once; a break keeps the time of the chunk it keeps back.
        return self._due[min(self._next, len(self._due) - 1)]

    def _end(self) -> None:
        if self._plan.break_before is not None:
            self._break()
            return
        self._next += 1
        if self._line.write(self._closing()):
            self._complete()

    def _frames(self, at: int) -> bytes:
        frames = []
        for (before, after), pieces in zip(self._around, self._plan.texts, strict=True):
            piece = pieces[at]
            if piece and not self._chunked:
                frames.append(before + piece + after)
            elif piece:
                size = len(before) + len(piece) + len(after)
                frames.append(b"%x\r\n%b%b%b\r\n" % (size, before, piece, after))
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def _many(self, at: int) -> tuple[bytes, int]:
        """As much from chunk `at` on as one send should carry: nothing here is paced."""
        frames, tokens, size = [], 0, 0
        while at < self._stop_at and size < MOST_BYTES_AT_ONCE:
            frame = self._frames(at)
            frames.append(frame)
            size += len(frame)
            tokens += self._plan.counts[at]
            at += 1
        self._next = at
        return b"".join(frames), tokens

    def _choice(self, index: int, delta: str, finish_reason: str = "null") -> str:
        return self._event(
            f'{{"index":{index},"delta":{delta},"logprobs":null,"finish_reason":{finish_reason}}}', "null"
        )

    def _event(self, choices: str, figures: str) -> str:
        usage = f',"usage":{figures}' if self._request.include_usage else ""
        return (
            f'data: {{"id":"{self._plan.id}","object":"chat.completion.chunk","created":{CREATED},'
            f'"model":{json.dumps(self._request.model)},"system_fingerprint":"fp_weir",'
            f'"choices":[{choices}]{usage}}}\n\n'
        )

    def _opening(self) -> bytes:
        delta = '{"role":"assistant","content":"","refusal":null}'
        roles = [self._choice(index, delta) for index in range(len(self._around))]
        return self._head + self._framed(roles)

    def _closing(self) -> bytes:
        reason = f'"{self._plan.finish_reason}"'
        events = [self._choice(index, "{}", reason) for index in range(len(self._around))]
        if self._request.include_usage:
            events.append(self._event("", json.dumps(usage(self._request, self._plan))))
        events.append("data: [DONE]\n\n")
        return self._framed(events) + (http.LAST_CHUNK if self._chunked else b"")

    def _framed(self, events: list[str]) -> bytes:
        """Each event as one chunk, for who understands chunks."""
        return b"".join(http.chunk(event.encode()) if self._chunked else event.encode() for event in events)


class Whole(Reply):
    """The same answer in one piece, when its last token would have come."""

    def __init__(
        self,
        line: Line,
        plan: Plan,
        request: ChatRequest,
        record: Record,
        keep_alive: bool,
        accepted: float,
        headers: http.Headers,
        when_over: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(line, plan, request, record, keep_alive, when_over)
        self.begins = accepted + plan.due_s[-1]
        self._headers = headers

    def fire(self) -> float | None:
        if self._over:
            return None
        reply = http.whole(200, self._body(), self._headers, self._keep_alive)
        if self._plan.break_before is not None:
            # Head and half of the body at most: enough to be under way, not enough to be used.
            if self._plan.fault is Fault.STALL or self._line.write(reply[: len(reply) // 2]):
                self._break()
            return None
        at_ns = monotonic_ns()
        if self._line.write(reply):
            self._sent(at_ns)
        return None

    def drained(self, at_ns: int) -> float | None:
        if not self._over:
            if self._plan.break_before is not None:
                self._break()
            else:
                self._sent(at_ns)
        return None

    def _sent(self, at_ns: int) -> None:
        self._record.sent(self._plan.tokens, at_ns)
        self._complete()

    def _body(self) -> bytes:
        model = json.dumps(self._request.model)
        choices = b",".join(
            b'{"index":%d,"message":{"role":"assistant","content":"%b","refusal":null},'
            b'"logprobs":null,"finish_reason":"%b"}' % (index, b"".join(pieces), self._plan.finish_reason.encode())
            for index, pieces in enumerate(self._plan.texts)
        )
        return (
            f'{{"id":"{self._plan.id}","object":"chat.completion","created":{CREATED},"model":{model},'
            f'"system_fingerprint":"fp_weir","choices":['
        ).encode() + b'%b],"usage":%b}' % (choices, json.dumps(usage(self._request, self._plan)).encode())


def usage(request: ChatRequest, plan: Plan) -> dict[str, Any]:
    """The `usage` object of a complete reply."""
    return {
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": plan.tokens,
        "total_tokens": request.prompt_tokens + plan.tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
