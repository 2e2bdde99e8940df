"""The parent's end of the corpus: documents one by one from the process that reads them. Keeps none that was taken.

That process is asked for nothing: it goes on until the socket between us is full, so that whoever takes documents as
slots become free has a few ready, and a million of them cost no memory.
"""

import asyncio
import os
import socket
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import msgspec

from tui.core.child import child_environment, python_child
from tui.core.documents import Prepared
from tui.core.errors import UsageError, WeirError
from tui.core.frames import FrameError
from tui.files import corpus_feed
from tui.files.corpus import STDIN, CorpusPlan
from tui.files.corpus_feed import Failure, Message, Messages, pieces, plan_message

_READ_BYTES = 64 << 10
_AHEAD_BYTES = 1 << 20
"""Of documents that lie ready; asyncio reads on below it and stops at twice as much."""


class CorpusError(WeirError):
    """The corpus cannot be read on: the process that reads it has ended, or what it says makes no sense."""


class CorpusFeed:
    """The documents of one plan, in order. One caller of `next` at a time."""

    def __init__(self, plan: CorpusPlan, stdin: int | None = None) -> None:
        """`stdin`: the file descriptor that `-` stands for; None: our own stdin."""
        self.note: str | None = None
        """What people should know about the counts of tokens, in one line of ours; it comes before any document."""
        self.documents: int | None = None
        """How many there are, once that is known; a corpus that changes while it is read may have others."""
        self._plan = plan
        self._stdin = stdin
        self._child: asyncio.Task[_Child] | None = None
        self._messages = Messages()
        self._ready: deque[Message] = deque()
        self._first: Prepared | None = None
        """Read already, and not taken."""
        self._decoder = msgspec.msgpack.Decoder(Prepared)
        self._ended = False
        self._failure: WeirError | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that reads; None before the first document was asked for."""
        child = self._child
        return child.result().process.pid if child is not None and child.done() and not child.exception() else None

    async def begin(self) -> None:
        """Wait for the first document; raises what `next` would. Whoever makes a record of a run asks before that."""
        self._first = await self.next()

    async def next(self) -> Prepared | None:
        """The next document; None after the last one, and once closed.

        UsageError when the prompt and the documents do not go together, or there are none; CorpusError when the
        corpus cannot be read on. Either is raised again by every later call.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        while not self._over():
            if self._failure is not None:
                raise self._failure
            try:
                if not self._ready:
                    await self._receive()
                document = self._take() if self._ready else None
            except WeirError as error:
                if self._over():  # closed meanwhile: of course it broke off
                    break
                self._failure = error
                raise
            if document is not None:
                return document
        return None

    async def close(self) -> None:
        """End the process. Safe at any time, and more than once; never raises."""
        self._ended = True
        self._first = None
        self._ready.clear()
        if self._child is None:
            return
        await asyncio.wait({self._child})
        if not self._child.cancelled() and self._child.exception() is None:
            child = self._child.result()
            child.writer.close()
            with suppress(OSError):  # it may have ended by itself
                child.process.kill()
            await child.process.wait()
            with suppress(OSError):
                await child.writer.wait_closed()

    def _over(self) -> bool:
        return self._ended

    def _take(self) -> Prepared | None:
        """What the oldest message says: a document, or something to know."""
        kind, body = self._ready.popleft()
        try:
            if kind == corpus_feed.DOCUMENT:
                return self._decoder.decode(body)
            if kind == corpus_feed.NOTE:
                self.note = msgspec.msgpack.decode(body, type=str)
            elif kind == corpus_feed.COUNT:
                self.documents = msgspec.msgpack.decode(body, type=int)
            elif kind == corpus_feed.END:
                self._ended = True
            else:
                failure = msgspec.msgpack.decode(body, type=Failure)
                if failure.hint:
                    raise UsageError(failure.where, failure.what, failure.hint)
                raise CorpusError(f"the documents cannot be read on: {failure.what}")
        except msgspec.MsgspecError as error:
            raise CorpusError(f"the process that reads the documents makes no sense: {error}") from error
        return None

    async def _receive(self) -> None:
        """Wait until there is more. CorpusError when there will not be."""
        if self._child is None:
            self._child = asyncio.create_task(self._start())
        try:
            # Shielded: who waits may be cancelled, and then `close` has to find the process.
            child = await asyncio.shield(self._child)
            data = await child.reader.read(_READ_BYTES)
            if not data:
                status = await child.process.wait()
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                raise CorpusError(f"the process that reads the documents ended {how}")
            self._ready += self._messages.take(data)
        except (OSError, ValueError, FrameError) as error:  # ValueError: a command line that cannot be one
            raise CorpusError(f"the process that reads the documents cannot be used: {error}") from error

    async def _start(self) -> "_Child":
        message = plan_message(self._plan)
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=ours, limit=_AHEAD_BYTES)
            try:
                process = await asyncio.create_subprocess_exec(
                    *python_child("tui.files.corpus_feed", str(theirs.fileno())),
                    stdin=self._stdin if STDIN in self._plan.inputs else DEVNULL,
                    # Our stdout is for results, and our stderr is where the dashboard draws.
                    stdout=DEVNULL,
                    stderr=DEVNULL,
                    env=child_environment(os.environ),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except BaseException:
                writer.close()
                raise
        for piece in pieces(message):
            writer.write(piece)
        return _Child(process, reader, writer)


class _Child:
    """The process and the socket to it."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer


_SHOWN_ERRORS = 5


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a corpus holds, as far as it has been read."""

    documents: int = 0
    failed: int = 0
    """Of them: nothing can be asked about these."""
    first_errors: tuple[tuple[str, str], ...] = ()
    """The source and error of the first few of them."""
    asks: int = 0
    """Requests for the text of the documents; reducing the parts' answers comes on top."""
    prompt_tokens: int = 0
    """Of all these requests, overhead included."""
    least_tokens: int | None = None
    """Of the shortest request; None when there is none."""
    most_tokens: int | None = None
    cut: int = 0
    """Documents that are sent without their end."""
    cut_tokens: int = 0
    split: int = 0
    """Documents in several parts."""
    parts: int = 0
    """Of the documents in several parts."""
    note: str | None = None
    """What people should know about the counts."""


async def survey(
    plan: CorpusPlan, progress: Callable[[Survey], None] | None = None, stdin: int | None = None
) -> Survey:
    """Read every document and count; for a dry run. `progress` is told after every thousand documents.

    UsageError and CorpusError as `CorpusFeed.next`.
    """
    feed = CorpusFeed(msgspec.structs.replace(plan, count_tokens=True), stdin)
    seen = Survey()
    try:
        while (document := await feed.next()) is not None:
            seen = _with(seen, document)
            if progress is not None and seen.documents % 1_000 == 0:
                progress(seen)
    finally:
        await feed.close()
    return msgspec.structs.replace(seen, note=feed.note)


def _with(seen: Survey, document: Prepared) -> Survey:
    parts = len(document.asks) if len(document.asks) > 1 else 0
    errors = seen.first_errors
    if document.error is not None and len(errors) < _SHOWN_ERRORS:
        errors = (*errors, (document.source, document.error))
    lengths = document.tokens
    return Survey(
        documents=seen.documents + 1,
        failed=seen.failed + (document.error is not None),
        first_errors=errors,
        asks=seen.asks + len(document.asks),
        prompt_tokens=seen.prompt_tokens + sum(lengths),
        least_tokens=min((*lengths, *_known(seen.least_tokens)), default=None),
        most_tokens=max((*lengths, *_known(seen.most_tokens)), default=None),
        cut=seen.cut + (document.cut_tokens > 0),
        cut_tokens=seen.cut_tokens + document.cut_tokens,
        split=seen.split + (parts > 0),
        parts=seen.parts + parts,
    )


def _known(value: int | None) -> tuple[int, ...]:
    return () if value is None else (value,)
