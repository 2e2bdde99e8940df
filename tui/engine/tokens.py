"""Tokens that no server counted, asked of the counting process: started when first wanted, ended with the run.

It never holds the loop, and a run does not depend on it: should it die, characters are the estimate.
"""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from itertools import count
from typing import TypeVar

import msgspec

from tui.core.calls import CallPlan, Usage
from tui.core.child import child_environment, python_child
from tui.core.clock import now_ns
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.facts import Counted
from tui.core.frames import FrameError, Frames, frame
from tui.core.live_tokens import estimated_tokens
from tui.engine.attempt import Emit
from tui.files import counting
from tui.files.counting import Count, CountPrompt, Grow, Question

Otherwise = TypeVar("Otherwise", list[int], None)


class TokenDesk:
    """Counts for one model."""

    def __init__(self, model: str) -> None:
        self.note: str | None = None
        """What people should know about the counts; None while there is nothing."""
        self._model = model
        self._process: asyncio.Task[Process] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ids = count(1)
        self._open: dict[int, asyncio.Future[list[int]]] = {}

    async def count_missing(self, plan: CallPlan, entry: CallEntry, emit: Emit) -> None:
        """State the tokens of every attempt that may cost money and that the server did not count."""
        for attempt in entry.attempts:
            if attempt.usage is None and (attempt.possibly_billed or attempt.error is None):
                usage = await self._usage(plan, attempt)
                emit(Counted(plan.id, now_ns(), attempt.number, usage))

    async def grow(self, growth: dict[str, str]) -> list[int] | None:
        """Tokens so far of growing texts, each given with what has come since it was last asked about.

        None: nobody can count them.
        """
        return await self._ask(Grow(next(self._ids), growth), None)

    async def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        with suppress(OSError, asyncio.CancelledError):
            process = await self._process
            if process.returncode is None:
                process.kill()
            await process.wait()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})

    async def _usage(self, plan: CallPlan, attempt: AttemptEntry) -> Usage:
        texts = attempt.all_texts()
        messages = [dict(message) for message in plan.messages]
        prompt = await self._ask(
            CountPrompt(next(self._ids), messages), [sum(estimated_tokens(len(str(each))) for each in messages)]
        )
        completion = await self._ask(Count(next(self._ids), texts), [estimated_tokens(len(text)) for text in texts])
        return Usage(sum(prompt), sum(completion))

    async def _ask(self, question: Question, otherwise: Otherwise) -> list[int] | Otherwise:
        """The answer; `otherwise` when the process cannot give one."""
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        try:
            body = msgspec.msgpack.encode(question)
        except UnicodeEncodeError:  # a prompt file may hold lone surrogates, which nothing can count
            return otherwise
        try:
            process = await self._started()
            # A reader that is done heard the process end, which stdin may not have noticed yet.
            if process.stdin is None or process.stdin.is_closing() or self._reader is None or self._reader.done():
                return otherwise
            self._open[question.id] = answer
            process.stdin.write(frame(body))
            await process.stdin.drain()
            return await answer
        except OSError:
            self.note = "tokens are estimated from characters: the counting process cannot be used"
            return otherwise
        finally:
            self._open.pop(question.id, None)

    async def _started(self) -> Process:
        if self._process is None:
            self._process = asyncio.create_task(self._start())
        # Shielded: the first caller may be cancelled, the others still want it.
        return await asyncio.shield(self._process)

    async def _start(self) -> Process:
        command = python_child("tui.files.counting", self._model)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=child_environment(os.environ), start_new_session=True
        )
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
        except (FrameError, msgspec.MsgspecError):
            process.kill()
        finally:
            for answer in self._open.values():
                if not answer.done():
                    answer.set_exception(BrokenPipeError("the counting process has ended"))
