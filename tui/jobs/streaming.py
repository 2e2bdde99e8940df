"""One streamed completion for Python programs: `async with stream(…) as s: async for piece in s`.

The same limiter, retries, transport and decoder as the runs of the command line. A slow reader holds the server
back: at most `HANDOFF_PIECES` pieces and one read wait for it, then the socket is left alone and TCP does the rest.

    import asyncio
    from tui import stream

    async def main() -> None:
        async with stream("Name three rivers.", model="gpt-4o-mini") as s:
            async for piece in s:
                print(piece, end="", flush=True)
        print(s.usage, s.cost, s.timing)

    asyncio.run(main())
"""

import asyncio
import os
import random
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from tui.core.billing import call_cost
from tui.core.calls import CallPlan, State, TextKind, Usage
from tui.core.clock import now_ns, seconds
from tui.core.entries import CallEntry
from tui.core.errors import CallError, UsageError
from tui.core.facts import Fact, Finished, Queued, TextCame
from tui.core.ledger import Ledger, stream_tokens_per_s, tpot_ns
from tui.core.money import Money, Price, parse_price
from tui.core.record_of import tool_calls
from tui.core.records import ToolCallRecord
from tui.core.retry import RetryPolicy
from tui.core.structured import REJECTED, NotJson, parse_answer
from tui.engine.attempt import Line
from tui.engine.call import Ending, run_call
from tui.engine.endpoint import OPENAI_URL, Endpoint, TimeLimits
from tui.engine.hearing import hopeless_why
from tui.engine.lag import LagMeter
from tui.engine.lane import Lane
from tui.engine.limiter import Limiter
from tui.engine.models import only_model
from tui.engine.tokens import TokenDesk
from tui.engine.transport import make_transport
from tui.engine.user_headers import checked_header, checked_key
from tui.files.price_book import PriceBook
from tui.wire.chat import normalise_base_url

if TYPE_CHECKING:
    from tui.files.answer_schema import AnswerSchema

HANDOFF_PIECES = 64
PRICE_WAIT_S = 1.0
"""The end of an iteration waits so long for a price that is still looked up (it began with the stream)."""

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Timing:
    """When things happened to one call, in seconds; None: it did not. Formulas: README."""

    queue_s: float | None
    """From asking to the limiter's leave."""
    ttft_s: float | None
    """From sending the attempt that delivered to its first token."""
    server_ttft_s: float | None
    """As `ttft_s`, from the request's last byte on."""
    tpot_s: float | None
    """Per token after the first."""
    tokens_per_s: float | None
    e2e_s: float | None
    """From sending the attempt that delivered to its end."""
    total_s: float | None
    """From asking to the end, retries and waits included."""
    attempts: int


class StreamClient:
    """One API and one limiter for many streams. Use as an async context manager, or call `aclose`.

    `base_url` and `api_key` default to $OPENAI_BASE_URL (else OpenAI's) and $OPENAI_API_KEY. `rpm`, `tpm` and
    `burst` hold for all its streams together. `price` is "in=2.5,out=10" (USD per million tokens) or a Price;
    None looks the model up. Raises UsageError for an argument that cannot be used.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        rpm: int | None = None,
        tpm: int | None = None,
        burst: int | None = None,
        retries: int = 2,
        limits: TimeLimits | None = None,
        price: str | Price | None = None,
    ) -> None:
        endpoint = Endpoint(
            normalise_base_url(base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL),
            checked_key("api_key", os.environ.get("OPENAI_API_KEY", "") if api_key is None else api_key),
            tuple(checked_header("headers", name, value) for name, value in (headers or {}).items()),
        )
        for name, value, least in (("rpm", rpm, 1), ("tpm", tpm, 1), ("burst", burst, 1), ("retries", retries, 0)):
            if value is not None and value < least:
                raise UsageError(name, f"must be {least} or more, got {value}", "None is no limit; retries=0 is none")
        self._open(endpoint, rpm, tpm, burst, retries, limits, price)

    @classmethod
    def to(
        cls, endpoint: Endpoint, *, retries: int = 2, limits: TimeLimits | None = None, price: str | Price | None = None
    ) -> Self:
        """A client for an endpoint that is resolved already."""
        client = cls.__new__(cls)
        client._open(endpoint, None, None, None, retries, limits, price)
        return client

    def _open(
        self,
        endpoint: Endpoint,
        rpm: int | None,
        tpm: int | None,
        burst: int | None,
        retries: int,
        limits: TimeLimits | None,
        price: str | Price | None,
    ) -> None:
        self._endpoint = endpoint
        self._limits = limits or TimeLimits()
        self._limiter = Limiter(rpm, tpm, burst)
        self._policy = RetryPolicy(attempts=retries + 1)
        self._price = parse_price(price) if isinstance(price, str) else price
        self._prices: dict[str, asyncio.Task[Price | None]] = {}
        self._desks: dict[str, TokenDesk] = {}
        self._model: str | None = None
        self._lag = LagMeter(lambda fact: None)
        self._lane: Lane | None = None
        self._under_way: set[Stream] = set()
        self._transport: httpx.AsyncBaseTransport | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the streams under way, and close every connection."""
        self._lag.stop()
        for lookup in self._prices.values():
            lookup.cancel()
        async with AsyncExitStack() as ending:  # all of it, also when our caller is cancelled once more
            if self._transport is not None:
                ending.push_async_callback(self._transport.aclose)
            for desk in self._desks.values():
                ending.push_async_callback(desk.close)
            await asyncio.gather(*(stream.stop() for stream in self._under_way))
            await asyncio.gather(*self._prices.values(), return_exceptions=True)

    def stream(
        self,
        prompt: str | Messages,
        *,
        model: str | None = None,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **params: Any,
    ) -> "Stream":
        """A stream, begun by `async with`. `prompt` is a text or chat messages; `params` go into the request."""
        messages = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else tuple(map(dict, prompt))
        if system is not None:
            messages = ({"role": "system", "content": system}, *messages)
        named = {"max_tokens": max_tokens, "temperature": temperature}
        return Stream(
            self, model, messages, params | {name: value for name, value in named.items() if value is not None}
        )

    async def model_or_only(self, model: str | None) -> str:
        """`model`, or the server's only one; UsageError when it has several."""
        if model is not None:
            return model
        if self._model is None:
            self._model = await only_model(self._endpoint)
        return self._model

    def lane(self) -> Lane:
        """What the streams share; made with the first one, inside its loop."""
        if self._lane is None:
            transport = make_transport(self._endpoint.base_url, connect_timeout_s=self._limits.connect_s).transport
            self._transport = transport
            self._lag.start()
            line = Line.to(self._endpoint, self._limits, transport, self._lag.latest_ns)
            self._lane = Lane(line, self._limiter, self._policy, random.Random())
        return self._lane

    def began(self, stream: "Stream", work: "asyncio.Task[None]") -> None:
        """A stream is under way until its work is done."""
        self._under_way.add(stream)
        work.add_done_callback(lambda _: self._under_way.discard(stream))

    def desk(self, model: str) -> TokenDesk:
        """Where a model's tokens are counted."""
        return self._desks.setdefault(model, TokenDesk(model))

    def begin_pricing(self, model: str) -> None:
        """Look the price up beside the stream, once a model."""
        if self._price is None and model not in self._prices:
            self._prices[model] = asyncio.create_task(PriceBook().find(model, self._endpoint.base_url))

    async def price(self, model: str) -> Price | None:
        """What the model costs; None when nobody knows, or not soon enough."""
        if self._price is not None or model not in self._prices:
            return self._price
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._prices[model]), PRICE_WAIT_S)
        return None


class Stream:
    """One streamed completion. Iterate over it for the answer's text; afterwards it has the figures.

    Iteration raises CallError when the call ends without its full answer, after every piece that did come.
    Leaving the `async with` early closes the connection, which is what makes the server stop.
    """

    def __init__(
        self, client: StreamClient, model: str | None, messages: tuple[dict[str, Any], ...], params: dict[str, Any]
    ) -> None:
        self._client = client
        self._asked = (model, messages, params)
        self._owned: StreamClient | None = None
        self._ledger = Ledger()
        self._pieces: deque[TextCame] = deque()
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._price: Price | None = None
        self._model = model or ""

    def owning(self, client: StreamClient) -> Self:
        """Close `client` together with this stream."""
        self._owned = client
        return self

    async def __aenter__(self) -> Self:
        model, messages, params = self._asked
        try:
            self._model = await self._client.model_or_only(model)
        except BaseException:
            await self._close_owned()
            raise
        plan = CallPlan(1, self._model, messages, params)
        now = now_ns()
        self._ledger.fold(Queued(1, now, now, self._model, plan.prompt))
        self._client.begin_pricing(self._model)
        self._work = asyncio.create_task(self._run(plan))
        self._work.add_done_callback(lambda _: self._arrived.set())
        self._client.began(self, self._work)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop, wherever it is; the server sees its connection close."""
        try:
            await self.stop()
        finally:  # also when our caller is cancelled once more
            await self._close_owned()

    async def stop(self) -> None:
        """As `aclose`, but a client of its own stays open."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while (piece := await self._next()) is not None:
            if piece.choice == 0 and piece.kind in (TextKind.CONTENT, TextKind.REFUSAL):
                return piece.text
        raise StopAsyncIteration

    async def deltas(self) -> AsyncIterator[tuple[TextKind, str]]:
        """Every piece of the first choice with its kind: reasoning and tool arguments too."""
        while (piece := await self._next()) is not None:
            if piece.choice == 0:
                yield piece.kind, piece.text

    async def json(self, schema: Mapping[str, Any] | None = None) -> Any:
        """The whole answer as the JSON value that it is; what was not read yet is read for it.

        CallError when the text is no JSON (one Markdown fence around it is forgiven) or not what `schema`, a JSON
        Schema, allows: it says where and why, and `text` has what came. It is not asked for again, for others may have
        read it meanwhile. UsageError when `schema` is none. To make a model answer so is the request's part:
        `response_format={"type": "json_object"}`.
        """
        checked = _schema_of(schema) if schema is not None else None
        while await self._next() is not None:
            pass
        attempt = self._entry.delivering
        text = attempt.text() if attempt is not None else ""
        # Beside the loop: a long answer takes a schema many milliseconds.
        value, why = await asyncio.to_thread(_json_value, text, checked)
        if why:
            refused = attempt is not None and bool(attempt.text(TextKind.REFUSAL))
            why = hopeless_why(self.finish_reason, refused) or why
            raise CallError(State.FAILED.value, f"{REJECTED}{why}")
        return value

    async def _next(self) -> TextCame | None:
        """The next piece; None at the end of a full answer, CallError at any other."""
        if self._work is None:
            raise RuntimeError("use `async with stream(…) as s` before iterating")
        while not self._pieces and not self._work.done():
            self._arrived.clear()
            await self._arrived.wait()
        if self._pieces:
            self._taken.set()
            return self._pieces.popleft()
        ending = self._ending
        if not self._work.cancelled():
            self._work.result()  # raises what should not have happened
        elif ending is None:
            raise CallError(State.CANCELLED.value, "the stream was closed before it began")
        if ending is not None and ending.state is not State.DONE:
            status = ending.failure.status if ending.failure is not None else None
            raise CallError(ending.state.value, ending.error or ending.state.value, status)
        return None

    # ── what is known of it ────────────────────────────────────────────────────────────────────────────

    @property
    def state(self) -> State:
        """Where the call stands."""
        return self._entry.state

    @property
    def model(self) -> str:
        """The model asked."""
        return self._model

    @property
    def text(self) -> str:
        """The answer so far, or the refusal that came in its place."""
        attempt = self._entry.delivering
        return attempt.text() or attempt.text(TextKind.REFUSAL) if attempt else ""

    @property
    def tool_calls(self) -> tuple[ToolCallRecord, ...]:
        """The tools that the model asked for so far."""
        attempt = self._entry.delivering
        return tool_calls(attempt, 0) if attempt else ()

    @property
    def reasoning(self) -> str:
        """The model's reasoning so far, when it shows any."""
        attempt = self._entry.delivering
        return attempt.text(TextKind.REASONING) if attempt else ""

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped."""
        return self._entry.finish_reason

    @property
    def usage(self) -> Usage | None:
        """Tokens of the answer: the server's count, else tiktoken's (`usage_estimated`); None until it has ended."""
        attempt = self._entry.delivering
        return attempt.usage if attempt else None

    @property
    def usage_estimated(self) -> bool:
        """`usage` is our count, not the server's."""
        attempt = self._entry.delivering
        return attempt is not None and attempt.usage_estimated

    @property
    def cost(self) -> Money:
        """What the call cost, all attempts, and how sure that is."""
        return call_cost(self._entry, {self._entry.model: self._price})

    @property
    def timing(self) -> Timing:
        """When things happened."""
        return _timing(self._entry)

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _entry(self) -> CallEntry:
        entry = self._ledger.calls.get(1)
        if entry is None:
            raise RuntimeError("the stream has not begun: use `async with`")
        return entry

    async def _run(self, plan: CallPlan) -> None:
        ending = await run_call(plan, self._client.lane(), self._take, self._hold)
        self._ledger.fold(Finished(1, ending.at, ending.state, ending.error))
        self._ending = ending
        if ending.state is not State.CANCELLED:
            await self._client.desk(self._model).count_missing(plan, self._entry, self._ledger.fold)
            self._price = await self._client.price(self._model)

    def _take(self, fact: Fact) -> None:
        self._ledger.fold(fact)
        if isinstance(fact, TextCame):
            self._pieces.append(fact)
            self._arrived.set()

    async def _hold(self) -> None:
        """Between two reads: wait for the reader. Nobody reads the socket meanwhile."""
        while len(self._pieces) >= HANDOFF_PIECES:
            self._taken.clear()
            await self._taken.wait()

    async def _close_owned(self) -> None:
        if self._owned is not None:
            await self._owned.aclose()


def stream(
    prompt: str | Messages,
    *,
    model: str | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    system: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    retries: int = 2,
    limits: TimeLimits | None = None,
    price: str | Price | None = None,
    **params: Any,
) -> Stream:
    """One streamed completion, with a client of its own; see StreamClient for the arguments and for many streams."""
    client = StreamClient(
        base_url=base_url, api_key=api_key, headers=headers, retries=retries, limits=limits, price=price
    )
    asked = client.stream(prompt, model=model, system=system, max_tokens=max_tokens, temperature=temperature, **params)
    return asked.owning(client)


def _schema_of(schema: Mapping[str, Any]) -> "AnswerSchema":
    from tui.files.answer_schema import AnswerSchema  # 0.1 s that only those wait for who use it

    return AnswerSchema(schema)


def _json_value(text: str, schema: "AnswerSchema | None") -> tuple[Any, str]:
    """The value of an answer's text, and why it cannot be taken; empty: it can."""
    try:
        value = parse_answer(text)
    except NotJson as error:
        return None, str(error)
    return value, "; ".join(schema.problems(value)) if schema is not None else ""


def _timing(entry: CallEntry) -> Timing:
    def between(start: int | None, end: int | None) -> float | None:
        return None if start is None or end is None else seconds(end - start)

    attempt = entry.delivering
    tpot = tpot_ns(attempt) if attempt else None
    return Timing(
        queue_s=between(entry.due_at, entry.admitted_at),
        ttft_s=between(attempt.sent_at, attempt.first_token_at) if attempt else None,
        server_ttft_s=between(attempt.written_at, attempt.first_token_at) if attempt else None,
        tpot_s=tpot / 1e9 if tpot is not None else None,
        tokens_per_s=stream_tokens_per_s(attempt) if attempt else None,
        e2e_s=between(attempt.sent_at, attempt.ended_at) if attempt else None,
        total_s=between(entry.due_at, entry.ended_at),
        attempts=len(entry.attempts),
    )
