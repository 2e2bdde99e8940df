"""tiktoken in a process of its own: `python -m tui.files.counting`, frames on stdin and stdout.

The first frame is the name of the model, which may hold anything and so is no argument; the others are questions.

Why a process and not a thread: making an encoding holds Python's lock for 160 to 200 ms (o200k_base, measured),
and tokens that reach the socket meanwhile share one kernel stamp. The engine's loop must not stand still.
"""

import sys
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from tui.core.frames import Frames, frame
from tui.core.live_tokens import LiveTokens


class Count(msgspec.Struct, frozen=True, tag=True):
    """Tokens of each of these texts."""

    id: int
    texts: list[str]


class Grow(msgspec.Struct, frozen=True, tag=True):
    """More of some growing texts (by key); answered with the tokens of each so far. Other keys are forgotten."""

    id: int
    growth: dict[str, str]


Question = Count | Grow


class Counted(msgspec.Struct, frozen=True):
    """The answer to the question with this id."""

    id: int
    tokens: list[int]
    """In the question's order."""
    note: str | None = None
    """What people should know about these counts."""


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer questions until the source ends."""
    from tui.files.token_counter import load_counter

    bodies = _bodies(source)
    model = next(bodies, None)
    if model is None:
        return
    counter = load_counter(msgspec.msgpack.decode(model, type=str))
    decoder = msgspec.msgpack.Decoder(Question)
    growing = dict[str, LiveTokens]()
    for body in bodies:
        question = decoder.decode(body)
        match question:
            case Count():
                tokens = [counter.count(text) for text in question.texts]
            case Grow():
                growing = {key: growing.get(key) or LiveTokens(counter.count) for key in question.growth}
                for key, text in question.growth.items():
                    growing[key].feed(text)
                tokens = [text.tokens() for text in growing.values()]
        sink.write(frame(msgspec.msgpack.encode(Counted(question.id, tokens, counter.note))))
        sink.flush()


def _bodies(source: BinaryIO) -> Iterator[bytes]:
    frames = Frames()
    while data := source.read1(1 << 16):  # type: ignore[attr-defined]  # of every buffered reader
        yield from frames.take(data)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
