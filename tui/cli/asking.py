"""What `weir ask` does: stream one answer to stdout, its figures to stderr."""

import argparse
import asyncio
import signal
import sys
from contextlib import suppress

from tui.cli.parsing import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED
from tui.cli.target import endpoint_from, limits_from, messages_of, params_from
from tui.core.advice import advice
from tui.core.calls import State
from tui.core.clock import nanoseconds
from tui.core.errors import CallError
from tui.core.figures import exact, money, ms, rate
from tui.core.snapshot import Cost
from tui.core.untrusted import clean, clean_line
from tui.jobs.streaming import Stream, StreamClient


async def ask(args: argparse.Namespace, prompt: str) -> int:
    """Ask once; the exit code."""
    try:
        return await _ask(args, prompt)
    except asyncio.CancelledError:  # by the first Ctrl-C before the stream was open, or by a second one
        return EXIT_INTERRUPTED


async def _ask(args: argparse.Namespace, prompt: str) -> int:
    client = StreamClient.to(endpoint_from(args), retries=args.retries, limits=limits_from(args), price=args.price)
    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt by itself
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    # A terminal acts on control characters, so it gets clean text; a pipe gets what the model wrote.
    shown = clean if sys.stdout.isatty() else str
    # Not `client.stream`: fields of --extra-body may have the names of its arguments.
    stream = Stream(client, args.model, messages_of(prompt, args.system), params_from(args))
    async with client, stream as answer:
        code, told = EXIT_DONE, []
        try:
            async for piece in answer:
                sys.stdout.write(shown(piece))
                sys.stdout.flush()
        except CallError as error:
            code = EXIT_FAILED
            cut = "cut off: " if error.state == State.BROKEN else ""
            told.append(f"error: {cut}{clean_line(str(error))}")
            if (hint := advice(str(error))) is not None:
                told.append(f"hint: {hint}")
        except asyncio.CancelledError:
            code = EXIT_INTERRUPTED
            await answer.aclose()
        if sys.stdout.isatty() and answer.text and not answer.text.endswith("\n"):
            sys.stdout.write("\n")
            sys.stdout.flush()
        told += [f"tool call: {clean_line(tool.name)}({clean_line(tool.arguments)})" for tool in answer.tool_calls]
        if not args.quiet:
            told.append(figures(answer))
        sys.stderr.write("".join(f"{line}\n" for line in told))
    return code


def figures(answer: Stream) -> str:
    """The answer's figures on one line."""
    timing, usage = answer.timing, answer.usage
    parts = [clean(answer.model), f"TTFT {_ms(timing.ttft_s)}", f"{rate(timing.tokens_per_s)} tok/s"]
    if usage is not None:
        mark = "~" if answer.usage_estimated else ""
        parts.append(f"{mark}{exact(usage.prompt)} in, {mark}{exact(usage.completion)} out")
    cost = answer.cost
    parts.append(money(Cost(None if cost.amount is None else format(cost.amount, "f"), cost.source.value)))
    parts.append(f"total {_ms(timing.total_s)}")
    if timing.attempts > 1:
        parts.append(f"{timing.attempts} attempts")
    if answer.finish_reason not in (None, "stop"):
        parts.append(f"stopped: {answer.finish_reason}")
    return " · ".join(parts)


def _ms(duration_s: float | None) -> str:
    return ms(None if duration_s is None else nanoseconds(duration_s))
