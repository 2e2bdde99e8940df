"""One HTTP try: send the request, stamp and read what comes, say what happened. Decides nothing about retries.

Chunks are stamped by the transport (the kernel's receive time where there is
one) before any of their bytes is decoded.
"""

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import time
from typing import Self

import httpx

from tui.core.calls import CallPlan, Usage
from tui.core.clock import now_ns
from tui.core.facts import (
    ABANDONED,
    AllowanceCame,
    AttemptEnded,
    Fact,
    HeadersCame,
    Sent,
    Stopped,
    TextCame,
    ToolNamed,
    UsageCame,
    Written,
)
from tui.core.retry import Failure, FailureKind
from tui.core.secrets import masked_headers
from tui.core.structured import Judge
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.hearing import Hearing, Rejection
from tui.engine.transport import Body, Instants, Read, UnreadableReply, causes
from tui.wire.chat import (
    ChatReader,
    Delta,
    Piece,
    Stop,
    StreamEnd,
    ToolStart,
    UsageSeen,
    WireError,
    chat_url,
    read_error,
)
from tui.wire.hints import RateHint, rate_hint, should_retry, until_reset_s, wait_hint, wait_in_body
from tui.wire.sse import EventTooLarge, SSEDecoder

EVENT_LIMIT = 1 << 20
RESPONSE_LIMIT = 64 << 20
ERROR_BODY_LIMIT = 64 << 10
LAST_WORDS_S = 5.0
_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-litellm-call-id")

Emit = Callable[[Fact], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    failure: Failure | None
    """None: it delivered."""
    usage: Usage | None = None
    rejection: Rejection | None = None
    """The judge's, of an answer that came whole; `failure` says so, too."""


@dataclass(frozen=True, slots=True)
class Line:
    """What every attempt to one provider shares."""

    transport: httpx.AsyncBaseTransport
    """Straight to it, without `httpx.AsyncClient`: redirects, cookies and netrc are what must not happen here (a load
    balancer's cookie would bind every call to one backend), and looking for them is a third of a request's cost."""
    endpoint: Endpoint
    url: httpx.URL
    headers: dict[str, str] = field(repr=False)
    """With the secrets in them."""
    limits: TimeLimits
    lag_ns: Callable[[], int]
    """How late the loop lately ran: the error of a stamp that is not the kernel's."""
    on_rate: Callable[[RateHint], None] = lambda hint: None
    """Hears at once what a reply's headers say of our allowance: its stream may go on for minutes."""

    @classmethod
    def to(
        cls, endpoint: Endpoint, limits: TimeLimits, transport: httpx.AsyncBaseTransport, lag_ns: Callable[[], int]
    ) -> Self:
        """The line to an endpoint."""
        url = httpx.URL(chat_url(endpoint.base_url))
        return cls(transport, endpoint, url, endpoint.request_headers(), limits, lag_ns)


class Attempt:
    """One try of one call. `run` emits facts from Sent to AttemptEnded, whatever happens."""

    def __init__(
        self,
        line: Line,
        plan: CallPlan,
        body: bytes,
        idempotency_key: str,
        emit: Emit,
        judge: Judge | None = None,
    ) -> None:
        """`judge` has the last word on an answer that came whole; None: it will do."""
        self._line = line
        self._call = plan.id
        self._body = body
        self._key = idempotency_key
        self._emit = emit
        self._reader = ChatReader()
        self._decoder = SSEDecoder(EVENT_LIMIT)
        self._usage: Usage | None = None
        self._status: int | None = None
        self._headers: dict[str, str] = {}
        self._written = False
        self.text_came = False
        self._over = False
        """[DONE] came."""
        self._stopping = False
        """A stop or a usage came: the end is near."""
        self._error: WireError | None = None
        self._received = 0
        self._last_at = 0
        self._hearing = Hearing(judge, line.endpoint.redact) if judge is not None else None

    async def run(self, hold: Callable[[], Awaitable[None]] | None = None) -> Outcome:
        """Send and read to the end. `hold` is awaited between reads: while it waits, TCP slows the server down."""
        self._emit(Sent(self._call, now_ns()))
        try:
            failure = await self._exchange(hold)
            rejection = await self._hearing.rejection() if failure is None and self._hearing is not None else None
        except BaseException:
            self._end(ABANDONED, now_ns())
            raise
        if rejection is not None:
            failure = rejection.failure
        self._end(failure.message if failure else None, self._last_at or now_ns(), failure.hint_s if failure else None)
        return Outcome(failure, self._usage, rejection)

    def _end(self, error: str | None, at: int, retry_after_s: float | None = None) -> None:
        unaccounted = error is not None and self._written and self._usage is None and self._status in (None, 200)
        self._emit(AttemptEnded(self._call, at, error, unaccounted, retry_after_s))

    # ── the exchange ───────────────────────────────────────────────────────────────────────────────────

    async def _exchange(self, hold: Callable[[], Awaitable[None]] | None) -> Failure | None:
        response: httpx.Response | None = None
        try:
            response = await self._send()
            self._take_headers(response)
            if response.status_code != 200:
                return await self._refusal(response)
            encoding = self._headers.get("content-encoding", "identity")
            if encoding.lower() != "identity":
                return self._failed(FailureKind.PROTOCOL, f"the reply is encoded ({encoding}), which was not asked for")
            kind = self._headers.get("content-type", "").lower()
            if "text/html" in kind:
                what = "the reply is a web page (text/html), not an event stream; is --base-url right?"
                return self._failed(FailureKind.PROTOCOL, what)
            if "json" in kind:
                return await self._read_whole(response)
            return await self._read_stream(response, hold)
        except EventTooLarge as error:
            # What was whole before the bound was passed did arrive.
            self._take([self._reader.read(event) for event in error.before], self._last_at, True)
            return self._failed(FailureKind.PROTOCOL, str(error))
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UnicodeEncodeError) as error:
            if self._reader.complete:
                return None  # everything was here before the connection went, or fell silent
            self._last_at = now_ns()
            return self._failed(_kind_of(error), str(error) or type(error).__name__)
        finally:
            if response is not None:
                await response.aclose()

    async def _send(self) -> httpx.Response:
        line = self._line
        request = httpx.Request(
            "POST",
            line.url,
            content=self._body,
            headers={**line.headers, "idempotency-key": self._key},
            extensions={
                "timeout": {"connect": line.limits.connect_s, "read": line.limits.first_byte_s, "write": 60.0},
                "weir.idle_s": line.limits.idle_s,
                "weir.on_written": self._on_written,
            },
        )
        return await line.transport.handle_async_request(request)

    def _on_written(self, at: int) -> None:
        self._written = True
        self._emit(Written(self._call, at))

    def _take_headers(self, response: httpx.Response) -> None:
        instants: Instants = response.extensions["weir.instants"]
        self._written = True
        self._status = response.status_code
        # A plain dict: httpx's own look-ups decode every header anew, at 8 µs each.
        self._headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw
        }
        request_id = next((self._headers[name] for name in _REQUEST_IDS if self._headers.get(name)), None)
        request_id = self._shown(request_id) if request_id is not None else None
        at = instants.headers_at or now_ns()
        shown = masked_headers(self._headers, self._line.endpoint.redact)
        self._emit(HeadersCame(self._call, at, response.status_code, request_id, shown))
        rate = rate_hint(self._headers, time())
        if rate is not None:
            self._emit(AllowanceCame(self._call, at, *dataclasses.astuple(rate)))
            if response.status_code != 429:  # a 429 names its own wait
                self._line.on_rate(rate)

    async def _refusal(self, response: httpx.Response) -> Failure:
        status = response.status_code
        if 300 <= status < 400:
            return self._failed(FailureKind.STATUS, f"HTTP {status}: redirects are not followed", status)
        body = bytearray()
        # A refusal that is cut is a refusal all the same: its status and its hint came with the headers.
        with suppress(httpx.HTTPError):
            async for read in _reads(response):
                for piece in read.pieces:
                    body += piece
                if len(body) > ERROR_BODY_LIMIT:
                    break
        error = read_error(status, bytes(body[:ERROR_BODY_LIMIT]))
        self._last_at = now_ns()
        return Failure(
            FailureKind.STATUS,
            self._shown(f"HTTP {status}: {error.message}"),
            status,
            self._shown(error.code or "") or None,
            self._wait_hint(status, bytes(body[:ERROR_BODY_LIMIT]), error.message),
            should_retry(self._headers),
            written=True,
        )

    def _wait_hint(self, status: int, body: bytes, message: str) -> float | None:
        """How long the server asks to wait: in its headers, else in its body or its words, else at its allowance."""
        now = time()
        hint = wait_hint(self._headers, now)
        if hint is None:
            hint = wait_in_body(status, body, message, now)
        if hint is None and status == 429 and (rate := rate_hint(self._headers, now)) is not None:
            hint = until_reset_s(rate)
        return hint

    async def _read_whole(self, response: httpx.Response) -> Failure | None:
        body = bytearray()
        at, stamped = 0, False
        async for read in _reads(response):
            at, stamped = read.at, read.stamped
            for piece in read.pieces:
                body += piece
            if len(body) > RESPONSE_LIMIT:
                return self._failed(FailureKind.PROTOCOL, f"the reply passes {RESPONSE_LIMIT >> 20} MiB")
        self._take([self._reader.read_body(bytes(body))], at, stamped)
        return self._verdict()

    async def _read_stream(
        self, response: httpx.Response, hold: Callable[[], Awaitable[None]] | None
    ) -> Failure | None:
        body: Body = response.extensions["weir.body"]
        decoder, reader = self._decoder, self._reader
        while not self._over and self._error is None:
            try:
                # With everything here but [DONE], which some servers never send, a little patience is enough.
                async with asyncio.timeout(LAST_WORDS_S if self._stopping and reader.complete else None):
                    read = await body.receive()
            except TimeoutError:
                return self._verdict()
            if read is None:
                self._take([reader.finish()], self._last_at or now_ns(), True)
                return self._verdict()
            self._received += read.wire_bytes
            if self._received > RESPONSE_LIMIT:
                return self._failed(FailureKind.PROTOCOL, f"the reply passes {RESPONSE_LIMIT >> 20} MiB")
            events = [reader.read(event) for chunk in read.pieces for event in decoder.feed(chunk)]
            self._take(events, read.at, read.stamped)
            if hold is not None:
                await hold()
        if self._error is None:
            body.finish_quietly()  # the last HTTP chunk is still to come; with it the connection can be used again
        return self._verdict()

    def _take(self, events: Sequence[Sequence[Piece]], at: int, stamped: bool) -> None:
        """State the facts of one read's events, all of which share its stamp."""
        self._last_at = at
        shared = False
        if not self.text_came and len(events) > 1:
            shared = sum(any(type(piece) is Delta for piece in pieces) for pieces in events) > 1
        late_ns = 0 if stamped else self._line.lag_ns()
        for pieces in events:
            self._state(pieces, at, shared, late_ns)
            if self._error is not None:
                return

    def _state(self, pieces: Sequence[Piece], at: int, shared: bool, late_ns: int) -> None:
        """State the facts of one event."""
        call, emit, opens_chunk = self._call, self._emit, True
        for piece in pieces:
            if type(piece) is Delta:
                self.text_came = True
                emit(TextCame(call, at, piece.kind, piece.text, piece.choice, shared, late_ns, opens_chunk, piece.tool))
                if self._hearing is not None and piece.choice == 0:
                    self._hearing.text(piece.kind, piece.text)
                opens_chunk = False
            elif type(piece) is UsageSeen:
                self._usage = piece.usage
                self._stopping = True
                emit(UsageCame(call, at, piece.usage))
            elif type(piece) is Stop:
                self._stopping = True
                emit(Stopped(call, at, self._shown(piece.reason), piece.choice))
                if self._hearing is not None and piece.choice == 0:
                    self._hearing.stopped(piece.reason)
            elif type(piece) is ToolStart:
                emit(ToolNamed(call, at, piece.choice, piece.index, self._shown(piece.id), self._shown(piece.name)))
            elif type(piece) is StreamEnd:
                self._over = True
            elif type(piece) is WireError:
                self._error = piece
                return

    # ── verdicts ───────────────────────────────────────────────────────────────────────────────────────

    def _verdict(self) -> Failure | None:
        error = self._error
        if error is not None:
            return Failure(
                FailureKind.STATUS,
                self._shown(error.message),
                error.status,
                self._shown(error.code or "") or None,
                after_first_token=self.text_came,
                written=True,
            )
        if not self._reader.complete:
            what = "ended without a stop, a usage or [DONE]" if self._received else "was empty"
            return self._failed(FailureKind.RESET, f"the stream {what}")
        if self._over and not self._stopping and not self.text_came:
            # Seen of llama-cpp-python, which drops a running answer when another request comes.
            return self._failed(FailureKind.RESET, "the stream held nothing but [DONE]: no text, no stop, no usage")
        return None

    def _failed(self, kind: FailureKind, message: str, status: int | None = None) -> Failure:
        return Failure(kind, self._shown(message), status, after_first_token=self.text_came, written=self._written)

    def _shown(self, text: str) -> str:
        """Servers echo keys; nothing of theirs leaves here with one in it."""
        return self._line.endpoint.redact(text)


async def _reads(response: httpx.Response) -> AsyncIterator[Read]:
    body: Body = response.extensions["weir.body"]
    while (read := await body.receive()) is not None:
        yield read


def _kind_of(error: Exception) -> FailureKind:
    if isinstance(error, httpx.TimeoutException):
        return FailureKind.TIMEOUT
    if isinstance(error, httpx.ConnectError):
        return _kind_of_connecting(error)
    cut = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) and not isinstance(error, UnreadableReply)
    return FailureKind.RESET if cut else FailureKind.PROTOCOL


def _kind_of_connecting(error: BaseException) -> FailureKind:
    """What lies beneath a ConnectError: TLS that cannot succeed, or something another try may mend."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FailureKind.CERTIFICATE
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return FailureKind.PROTOCOL  # the other end does not speak TLS, or none of ours
    return FailureKind.CONNECT
