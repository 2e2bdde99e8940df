"""Tokens that no server counted, asked of the counting process: started when first wanted, ended with the run.

It never holds the loop, and a run does not depend on it: should it die, characters are the estimate.
"""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count

import msgspec

from tui.core.calls import CallPlan, Usage
from tui.core.child import child_environment, python_child
from tui.core.clock import now_ns
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.facts import Counted
from tui.core.frames import FrameError, Frames, frame
from tui.core.live_tokens import estimated_tokens, last_cut
from tui.engine.attempt import Emit
from tui.files import counting
from tui.files.counting import Count, Grow, Question
from tui.files.prompt_texts import counted_texts, overhead_tokens

_UNUSABLE = "tokens are estimated from characters: the counting process cannot be used"
_MODEL_CHARS = 1000
_PORTION_CHARS = 1 << 20
"""Of text in one question: at most 4 MiB of UTF-8, where a frame may have 16."""
_TEXT_COST = 16
"""What a text adds to a question besides its characters, so that a million empty ones are bounded too."""


def missing_counts(entry: CallEntry) -> list[AttemptEntry]:
    """The attempts that may cost money and that the server did not count."""
    return [each for each in entry.attempts if each.usage is None and (each.possibly_billed or each.error is None)]


class TokenDesk:
    """Counts for one model."""

    def __init__(self, model: str) -> None:
        self.note: str | None = None
        """What people should know about the counts, in one line of ours; None while there is nothing. It may change
        with every count."""
        self._model = model
        self._process: asyncio.Task[Process] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ids = count(1)
        self._open: dict[int, asyncio.Future[list[int] | None]] = {}

    async def count_missing(self, plan: CallPlan, entry: CallEntry, emit: Emit) -> None:
        """State the tokens of every attempt that may cost money and that the server did not count."""
        for attempt in missing_counts(entry):
            usage = await self._usage(plan, attempt)
            emit(Counted(plan.id, now_ns(), attempt.number, usage))

    async def grow(self, growth: dict[str, str]) -> list[int] | None:
        """Tokens so far of growing texts, each given with what has come since it was last asked about.

        None: nobody can count them.
        """
        so_far: list[int] | None = None
        for portion in _portions_of_growth(growth):
            so_far = await self._ask(Grow(next(self._ids), portion))
            if so_far is None:
                break
        return so_far

    async def close(self) -> None:
        """End the process. Never raises, whatever became of it."""
        if self._process is None:
            return
        await asyncio.wait({self._process})
        if self._reader is not None:
            self._reader.cancel()  # before it takes our own kill for a breakdown
            await asyncio.wait({self._reader})
        if not self._process.cancelled() and self._process.exception() is None:
            process = self._process.result()
            _kill(process)
            await process.wait()

    async def _usage(self, plan: CallPlan, attempt: AttemptEntry) -> Usage:
        prompt = await self._count(list(counted_texts(plan.messages)))
        completion = await self._count(attempt.all_texts())
        return Usage(overhead_tokens(plan.messages) + prompt, completion)

    async def _count(self, texts: list[str]) -> int:
        """Tokens of all these texts; estimated when the process cannot count them."""
        total = 0
        for portion in _portions(texts):
            tokens = await self._ask(Count(next(self._ids), portion))
            total += sum(map(estimated_tokens, map(len, portion)) if tokens is None else tokens)
        return total

    async def _ask(self, question: Question) -> list[int] | None:
        """The answer; None when the process cannot give one."""
        try:
            body = msgspec.msgpack.encode(question)
        except UnicodeEncodeError:  # a prompt file may hold lone surrogates, which nothing can count
            return None
        answer: asyncio.Future[list[int] | None] = asyncio.get_running_loop().create_future()
        try:
            process = await self._started()
            # A reader that is done heard the process end, which stdin may not have noticed yet.
            if process.stdin is None or process.stdin.is_closing() or self._reader is None or self._reader.done():
                return None
            self._open[question.id] = answer
            process.stdin.write(frame(body))
            await process.stdin.drain()
            return await answer
        except (OSError, ValueError):  # ValueError: a command line that cannot be one
            self.note = _UNUSABLE
            return None
        finally:
            self._open.pop(question.id, None)
            answer.cancel()

    async def _started(self) -> Process:
        if self._process is None:
            self._process = asyncio.create_task(self._start())
        # Shielded: the first caller may be cancelled, the others still want it.
        return await asyncio.shield(self._process)

    async def _start(self) -> Process:
        # Our stderr is where the dashboard draws: a traceback of the child's must not end up there.
        process = await asyncio.create_subprocess_exec(
            *python_child("tui.files.counting"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=child_environment(os.environ),
            start_new_session=True,
        )
        assert process.stdin is not None
        model = self._model[:_MODEL_CHARS].encode("utf-8", "replace").decode()
        process.stdin.write(frame(msgspec.msgpack.encode(model)))
        self._reader = asyncio.create_task(self._read(process))
        return process

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        frames, decoder = Frames(), msgspec.msgpack.Decoder(counting.Counted)
        try:
            while data := await process.stdout.read(1 << 16):
                for body in frames.take(data):
                    counted = decoder.decode(body)
                    self.note = counted.note
                    answer = self._open.get(counted.id)
                    if answer is not None and not answer.done():
                        answer.set_result(counted.tokens)
            self.note = _UNUSABLE
        except (FrameError, msgspec.MsgspecError, OSError):
            self.note = _UNUSABLE
            _kill(process)
        finally:
            for answer in self._open.values():
                if not answer.done():
                    answer.set_result(None)


def _kill(process: Process) -> None:
    with suppress(OSError):  # it may have ended by itself
        process.kill()


def _portions(texts: Sequence[str]) -> Iterator[list[str]]:
    """`texts` in their order, cut where no token spans, so that no question is larger than a frame may be."""
    portion: list[str] = []
    room = _PORTION_CHARS
    for text in texts:
        start = 0
        while start < len(text):
            end = len(text)
            if end - start > room:
                piece = text[start : start + room + 1]
                end = start + (last_cut(piece, room) or room)
            portion.append(text[start:end])
            room -= end - start + _TEXT_COST
            start = end
            if room <= _TEXT_COST:
                yield portion
                portion, room = [], _PORTION_CHARS
    if portion:
        yield portion


def _portions_of_growth(growth: dict[str, str]) -> Iterator[dict[str, str]]:
    """`growth` in questions no larger than a frame may be, each with all of its keys."""
    share = max(1, _PORTION_CHARS // max(1, len(growth)))
    longest = max(map(len, growth.values()), default=0)
    for start in range(0, max(1, longest), share):
        yield {key: text[start : start + share] for key, text in growth.items()}
