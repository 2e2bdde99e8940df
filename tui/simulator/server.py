"""The provider: a listening socket, its routes and its limits. Runs in the caller's event loop, without tasks."""

import asyncio
import errno
import hashlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from tui.simulator import http
from tui.simulator.chat import BadField, ChatRequest, parse_chat
from tui.simulator.connection import Arrival, Connection, Last, ask_for_stamps
from tui.simulator.limit_headers import retry_after, told_wait_s
from tui.simulator.limits import Limits, Refusal, Slots
from tui.simulator.listener import base_url, listen
from tui.simulator.plan import Fault, Plan, plan, request_id
from tui.simulator.reply import CREATED, Stream, Whole
from tui.simulator.scheduler import Scheduler
from tui.simulator.settings import SimulatorSettings
from tui.simulator.text import bank
from tui.simulator.truth import Record, Truth

_ACCEPTS_A_TURN = 64


class Simulator:
    """A simulated provider in the running event loop; `async with` starts and closes it."""

    def __init__(self, settings: SimulatorSettings, wall_s: Callable[[], float] = time.time) -> None:
        """`wall_s` answers seconds since 1970: fixed windows follow it, as it stands when allowances are given."""
        self.settings = settings
        self._wall_s = wall_s
        self._truth = Truth()
        self._speeds = dict(settings.models)
        self._limits: dict[str, Limits] = {}
        self._slots: dict[str, Slots] = {}
        if settings.concurrency_limit is not None:
            for model in self._speeds:
                self._slots[model] = Slots(model, settings.concurrency_limit, settings.retry_after_style)
        self._occurrences: dict[bytes, int] = {}
        self._limited = 0
        self._connections: set[Connection] = set()
        self._listener: socket.socket | None = None
        self._port = 0

    async def start(self) -> int:
        """Listen; the port. UsageError when the address cannot be had."""
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler(self._loop)
        self._forget()
        self._listener = listen(self.settings.host, self.settings.port)
        self._stamped = ask_for_stamps(self._listener)
        self._port = self._listener.getsockname()[1]
        bank()  # some milliseconds, better now than in the first request's time
        self._loop.add_reader(self._listener.fileno(), self._accept)
        return self._port

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
            self._scheduler.close()
            for connection in list(self._connections):
                connection.close()

    async def __aenter__(self) -> "Simulator":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The port it listens on; 0 before `start`."""
        return self._port

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return base_url(self.settings.host, self._port)

    def truth(self) -> list[dict[str, Any]]:
        """What happened so far, as `GET /_truth` tells it."""
        return self._truth.as_list()

    # Routes.

    def handle(self, connection: Connection, request: http.Request, arrival: Arrival) -> None:
        """Answer one request (called by its connection)."""
        path = request.path.rstrip("/")
        if path == "/v1/chat/completions":
            methods = "POST"
            if request.method == methods:
                self._chat(connection, request, arrival)
                return
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            methods = "GET"
            if request.method == methods:
                self._models(connection, request, path.removeprefix("/v1/models").removeprefix("/"))
                return
        elif path == "/_truth":
            methods = "GET"
            if request.method == methods:
                self._answer(connection, request, 200, self._truth.as_json())
                return
        elif path == "/_reset":
            methods = "POST"
            if request.method == methods:
                self._forget()
                self._answer(connection, request, 200, b"{}")
                return
        else:
            body = http.error_body(
                f"Unknown request URL: {request.method} {request.path}. "
                "Here are POST /v1/chat/completions and GET /v1/models.",
                "invalid_request_error",
                code="unknown_url",
            )
            self._answer(connection, request, 404, body)
            return
        body = http.error_body(
            f"Not allowed to {request.method} on {request.path} (try {methods}).",
            "invalid_request_error",
            code="method_not_supported",
        )
        self._answer(connection, request, 405, body, [("allow", methods)])

    def closed(self, connection: Connection) -> None:
        """A connection is gone (called by itself)."""
        self._connections.discard(connection)

    def _models(self, connection: Connection, request: http.Request, name: str) -> None:
        listed = [{"id": model, "object": "model", "created": CREATED, "owned_by": "weir"} for model in self._speeds]
        if not name:
            body = json.dumps({"object": "list", "data": listed}).encode()
        elif name in self._speeds:
            body = json.dumps(next(model for model in listed if model["id"] == name)).encode()
        else:
            self._answer(connection, request, 404, _no_such_model(name))
            return
        self._answer(connection, request, 200, body)

    def _chat(self, connection: Connection, request: http.Request, arrival: Arrival) -> None:
        try:
            chat = parse_chat(request.body)
        except BadField as bad:
            self._refuse_unread(connection, request, arrival, bad)
            return
        speed = self._speeds.get(chat.model)
        if speed is None:
            record = self._truth.begin(self._unplanned_id(chat.digest), chat.model, arrival.at_ns, chat.digest)
            self._refuse(connection, request, record, 404, _no_such_model(chat.model), [])
            return
        occurrence = self._occurrences.get(chat.digest, 0)
        try:
            planned = plan(self.settings, speed, chat, occurrence)
        except BadField as bad:
            self._refuse_unread(connection, request, arrival, bad)
            return
        if planned.fault is not Fault.REFUSE:
            refusal = self._refusal(chat, arrival)
            if refusal is not None:
                # Not counted as an occurrence: when a limit is reached depends on time, what a seed answers must not.
                record = self._truth.begin(self._unplanned_id(chat.digest), chat.model, arrival.at_ns, chat.digest)
                body = http.error_body(refusal.message, refusal.kind, code=refusal.code)
                headers = [*self._allowance(chat.model), *self._retry_after(refusal.wait_s)]
                self._refuse(connection, request, record, 429, body, headers)
                return
        self._occurrences[chat.digest] = occurrence + 1
        record = self._truth.begin(planned.id, chat.model, arrival.at_ns, chat.digest)
        if planned.status != 200:
            self._fail(connection, request, chat, planned, record)
        else:
            self._reply(connection, request, chat, planned, record, arrival)

    def _refusal(self, chat: ChatRequest, arrival: Arrival) -> Refusal | None:
        """Why a limit does not let a request pass; one that passes is counted."""
        slots = self._slots.get(chat.model)
        # Slots first: what they refuse must not have used the allowances up.
        refusal = None if slots is None else slots.refusal(arrival.at_loop)
        if refusal is None:
            most = chat.most_tokens if chat.most_tokens is not None else self.settings.tokens
            tokens = chat.prompt_tokens + chat.choices * most
            refusal = self._limits[chat.model].admit(tokens, arrival.at_loop)
        return refusal

    def _reply(
        self,
        connection: Connection,
        request: http.Request,
        chat: ChatRequest,
        planned: Plan,
        record: Record,
        arrival: Arrival,
    ) -> None:
        record.status = 200
        headers = [("x-request-id", planned.id), *self._allowance(chat.model)]
        slots = self._slots.get(chat.model)
        release = None if slots is None else slots.take(arrival.at_loop + planned.lasts_s(chat.stream)).release
        begun = (connection, planned, chat, record, request.keep_alive, arrival.at_loop, headers, release)
        reply = Stream(*begun, chunked=request.chunked) if chat.stream else Whole(*begun)
        connection.begin(_Scheduled(reply, self._scheduler))
        self._scheduler.add(reply.begins, reply)

    def _fail(
        self, connection: Connection, request: http.Request, chat: ChatRequest, planned: Plan, record: Record
    ) -> None:
        headers = self._allowance(chat.model)
        if planned.fault is Fault.REFUSE:
            told_s = told_wait_s(self.settings.retry_after_style, self.settings.retry_after_s)
            again = "" if told_s is None else f" Please try again in {told_s:g}s."
            body = http.error_body(
                f"Rate limit reached for {chat.model} on requests per min (RPM).{again}",
                "requests",
                code="rate_limit_exceeded",
            )
            headers += self._retry_after(self.settings.retry_after_s)
        elif planned.status == 500:
            body = http.error_body("The server had an error while processing your request.", "server_error")
        else:
            body = http.error_body("The engine is currently overloaded, please try again later.", "server_error")
        self._refuse(connection, request, record, planned.status, body, headers)

    def _refuse_unread(self, connection: Connection, request: http.Request, arrival: Arrival, bad: BadField) -> None:
        record = self._truth.begin(
            self._unplanned_id(request.body), None, arrival.at_ns, hashlib.sha256(request.body).digest()
        )
        body = http.error_body(bad.message, "invalid_request_error", bad.param)
        self._refuse(connection, request, record, 400, body, [])

    def _refuse(
        self,
        connection: Connection,
        request: http.Request,
        record: Record,
        status: int,
        body: bytes,
        headers: list[tuple[str, str]],
    ) -> None:
        record.status = status
        record.ended = "refused"
        self._answer(connection, request, status, body, [("x-request-id", record.id), *headers])

    def _answer(
        self,
        connection: Connection,
        request: http.Request,
        status: int,
        body: bytes,
        headers: http.Headers = (),
    ) -> None:
        connection.begin(Last(connection, request.keep_alive))
        if connection.write(http.whole(status, body, headers, request.keep_alive)):
            connection.finished(request.keep_alive)

    def _allowance(self, model: str) -> list[tuple[str, str]]:
        return self._limits[model].headers(self._loop.time())

    def _retry_after(self, wait_s: float | None) -> list[tuple[str, str]]:
        return retry_after(wait_s, self.settings.retry_after_style, self.settings.header_style)

    def _unplanned_id(self, about: bytes) -> str:
        self._limited += 1
        return request_id(self.settings.seed, about, f"refused {self._limited}")[0]

    def _forget(self) -> None:
        """As freshly started: no truth, no occurrences, full allowances. What runs keeps its slots: it runs."""
        self._truth.clear()
        self._occurrences.clear()
        self._limited = 0
        self.refill()

    def refill(self) -> None:
        """Give every model its full allowance back."""
        now_s = self._loop.time()
        wall_offset_s = self._wall_s() - now_s
        for model in self._speeds:
            self._limits[model] = Limits(model, self.settings, now_s, wall_offset_s)

    def _accept(self) -> None:
        assert self._listener is not None
        for _ in range(_ACCEPTS_A_TURN):
            try:
                sock, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                # Out of descriptors: the listener stays readable, so look again only when some may be free.
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(0.1, self._accept_again)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(Connection(sock, self._loop, self, self._stamped))

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener.fileno(), self._accept)


class _Scheduled:
    """A reply that goes on by the scheduler once the kernel has taken what was held back."""

    def __init__(self, reply: Stream | Whole, scheduler: Scheduler) -> None:
        self._reply = reply
        self._scheduler = scheduler

    def drained(self, at_ns: int) -> None:
        due = self._reply.drained(at_ns)
        if due is not None:
            self._scheduler.add(due, self._reply)

    def abandoned(self) -> None:
        self._reply.abandoned()


def _no_such_model(name: str) -> bytes:
    return http.error_body(
        f"The model `{name[:200]}` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model",
        "model_not_found",
    )
