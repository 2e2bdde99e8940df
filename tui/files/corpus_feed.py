"""The corpus in a process of its own: `python -m tui.files.corpus_feed FD`, messages on a socket, stdin left to `-`.

Why a process: reading, cutting and counting a document of a megabyte takes a tenth of a second, and the engine's loop
must not stand still. The socket is the back-pressure: what nobody takes is not read. Ends when its parent does.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

import msgspec

from tui.core.errors import UsageError, WeirError
from tui.core.frames import Frames, frame
from tui.core.template import Template
from tui.core.untrusted import clean_line
from tui.files.corpus import STDIN, CorpusPlan
from tui.files.corpus_count import count_documents
from tui.files.corpus_documents import documents
from tui.files.corpus_folders import chooser
from tui.files.corpus_prepare import Preparer

PLAN, DOCUMENT, NOTE, FAILURE, END, COUNT = range(1, 7)
"""Kinds of message: a `SentPlan`, a `Prepared`, a str, a `Failure`, nothing, an int."""
_MORE = 0
"""The kind of a piece that is not the last of its message."""
PIECE_BYTES = 256 << 10
"""A document may be larger than a frame: a message travels in pieces."""

Message = tuple[int, bytes]


class SentPlan(msgspec.Struct, frozen=True):
    """A plan as it travels: names of files are bytes, and need not be text."""

    plan: CorpusPlan
    inputs: tuple[bytes, ...]
    globs: tuple[bytes, ...]


class Failure(msgspec.Struct, frozen=True):
    """Why there are no more documents."""

    what: str
    where: str = ""
    hint: str = ""
    """With a hint it is the user's mistake; without one it is ours."""


def pieces(message: Message) -> Iterator[bytes]:
    """A message as it travels: frames, each with its kind in the first byte."""
    kind, body = message
    for start in range(0, max(1, len(body)), PIECE_BYTES):
        last = start + PIECE_BYTES >= len(body)
        yield frame(bytes((kind if last else _MORE,)) + body[start : start + PIECE_BYTES])


class Messages:
    """Puts messages together again from what came over the socket."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._body = bytearray()

    def take(self, data: bytes) -> list[Message]:
        """Take in `data`; the messages that it completes. FrameError on what is none of ours."""
        messages: list[Message] = []
        for piece in self._frames.take(data):
            if piece[0] == _MORE:
                self._body += piece[1:]
            else:
                messages.append((piece[0], bytes(self._body) + piece[1:]))
                self._body.clear()
        return messages


def plan_message(plan: CorpusPlan) -> Message:
    """What tells the child its plan; UsageError when it holds what is not text."""
    sent = SentPlan(
        msgspec.structs.replace(plan, inputs=(), globs=(), model=plan.model.encode("utf-8", "replace").decode()),
        tuple(map(os.fsencode, plan.inputs)),
        tuple(map(os.fsencode, plan.globs)),
    )
    try:
        return PLAN, msgspec.msgpack.encode(sent)
    except UnicodeEncodeError as error:
        raise UsageError("the corpus", "its prompt or a field's name is not UTF-8", "save it as UTF-8") from error


def plan_of(message: Message) -> CorpusPlan:
    """The plan that `plan_message` told."""
    sent = msgspec.msgpack.decode(message[1], type=SentPlan)
    inputs, globs = (tuple(map(os.fsdecode, names)) for names in (sent.inputs, sent.globs))
    return msgspec.structs.replace(sent.plan, inputs=inputs, globs=globs)


def feed(plan: CorpusPlan, stdin: BinaryIO) -> Iterator[Message]:
    """Everything there is to say, in order; the last is END or FAILURE. Reads on only when asked for more."""
    try:
        yield from _documents(plan, stdin)
    except UsageError as error:
        yield FAILURE, msgspec.msgpack.encode(Failure(error.what, error.where, error.hint))
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever it is, the parent says so; a panic in tiktoken is none else
        what = clean_line(f"{type(error).__name__}: {error}")[:1_000]
        yield FAILURE, msgspec.msgpack.encode(Failure(what))


def _documents(plan: CorpusPlan, stdin: BinaryIO) -> Iterator[Message]:
    template = Template.parse(plan.prompt, plan.prompt_from)
    chooser(plan.globs)
    counter = None
    if plan.count_tokens or plan.max_input_tokens is not None:
        from tui.files.token_counter import load_counter

        counter = load_counter(plan.model)
        if counter.note is not None:
            yield NOTE, msgspec.msgpack.encode(counter.note)
    preparer = Preparer(plan, template, counter)
    encoder = msgspec.msgpack.Encoder()
    number = 0
    for number, document in enumerate(documents(plan, template, stdin), start=1):
        yield DOCUMENT, encoder.encode(preparer.prepare(number, document))
    if not number:
        names = clean_line(", ".join(plan.inputs))[:200]
        globs = clean_line(", ".join(plan.globs))[:200]
        found_so = f"folders are searched for {globs}; name others with --glob"
        hint = "pipe JSONL into it, one row a line" if plan.inputs == (STDIN,) else found_so
        raise UsageError(names, "has no documents", hint)
    yield END, b""


def serve(sock: socket.socket, stdin: BinaryIO, watch: Callable[[socket.socket], None]) -> None:
    """Read the plan, then send what `feed` says, until the other end is gone. `watch` is told to look out for that."""
    messages = Messages()
    told: list[Message] = []
    while not told:
        data = sock.recv(1 << 16)
        if not data:
            return
        told = messages.take(data)
    watch(sock)
    plan = plan_of(told[0])
    counted: list[int] = []
    threading.Thread(target=_count, args=(plan, counted), daemon=True).start()
    for message in feed(plan, stdin):
        said = [(COUNT, msgspec.msgpack.encode(counted.pop()))] if counted else []
        for piece in chain.from_iterable(map(pieces, (*said, message))):
            try:
                sock.sendall(piece)
            except OSError:
                return


def _count(plan: CorpusPlan, counted: list[int]) -> None:
    """Beside the documents: a corpus of a million rows takes seconds to count, and nobody is to wait for that."""
    try:
        total = count_documents(plan)
    except (OSError, ValueError, WeirError):  # the documents themselves will say what is wrong with them
        return
    if total is not None:
        counted.append(total)


def _end_with_parent(sock: socket.socket) -> None:
    """End this process when the other end is closed, even while it waits for a line on stdin."""

    def wait() -> None:
        try:
            while sock.recv(1 << 10):
                pass
        except OSError:
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Serve the parent that started us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; what it means is the parent's to say
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        # A pipe that was left non-blocking by whoever holds its other name would seem to end early.
        os.set_blocking(sys.stdin.fileno(), True)
        serve(sock, sys.stdin.buffer, _end_with_parent)


if __name__ == "__main__":
    main()
