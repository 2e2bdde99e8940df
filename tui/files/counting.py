"""tiktoken in a process of its own: `python -m tui.files.counting MODEL`, frames on stdin and stdout.

Why a process and not a thread: making an encoding holds Python's lock for 160 to 200 ms (o200k_base, measured),
and tokens that reach the socket meanwhile share one kernel stamp. The engine's loop must not stand still.
"""

import sys
from typing import Any, BinaryIO

import msgspec

from tui.core.frames import Frames, frame
from tui.core.live_tokens import LiveTokens


class Count(msgspec.Struct, frozen=True, tag=True):
    """Tokens of each of these texts."""

    id: int
    texts: list[str]


class CountPrompt(msgspec.Struct, frozen=True, tag=True):
    """Tokens of a chat prompt."""

    id: int
    messages: list[dict[str, Any]]


class Grow(msgspec.Struct, frozen=True, tag=True):
    """More of some growing texts (by key); answered with the tokens of each so far. Other keys are forgotten."""

    id: int
    growth: dict[str, str]


Question = Count | CountPrompt | Grow


class Counted(msgspec.Struct, frozen=True):
    """The answer to the question with this id."""

    id: int
    tokens: list[int]
    """In the question's order."""
    note: str | None = None
    """What people should know about these counts."""


def serve(model: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer questions until the source ends."""
    from tui.files.token_counter import load_counter

    counter = load_counter(model)
    decoder = msgspec.msgpack.Decoder(Question)
    frames, growing = Frames(), dict[str, LiveTokens]()
    while data := source.read1(1 << 16):  # type: ignore[attr-defined]  # of every buffered reader
        for body in frames.take(data):
            question = decoder.decode(body)
            match question:
                case Count():
                    tokens = [counter.count(text) for text in question.texts]
                case CountPrompt():
                    tokens = [counter.prompt_tokens(question.messages)]
                case Grow():
                    growing = {key: growing.get(key) or LiveTokens(counter.count) for key in question.growth}
                    for key, text in question.growth.items():
                        growing[key].feed(text)
                    tokens = [text.tokens() for text in growing.values()]
            sink.write(frame(msgspec.msgpack.encode(Counted(question.id, tokens, counter.note))))
        sink.flush()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
