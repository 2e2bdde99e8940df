"""Weir: a terminal wall of live token streams.

The library's face is `stream` (one completion) and `StreamClient` (many under one rate limit):

    from tui import stream

    async with stream("Name three rivers.", model="gpt-4o-mini") as s:
        async for piece in s:
            print(piece, end="", flush=True)
    print(s.usage, s.cost, s.timing)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.core.errors import CallError, UsageError, WeirError
    from tui.jobs.streaming import Stream, StreamClient, Timing, stream

_HOMES = {
    "CallError": "tui.core.errors",
    "Stream": "tui.jobs.streaming",
    "StreamClient": "tui.jobs.streaming",
    "Timing": "tui.jobs.streaming",
    "UsageError": "tui.core.errors",
    "WeirError": "tui.core.errors",
    "stream": "tui.jobs.streaming",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: the screen's process imports this package too, and needs no engine."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


__all__ = ["CallError", "Stream", "StreamClient", "Timing", "UsageError", "WeirError", "stream"]
