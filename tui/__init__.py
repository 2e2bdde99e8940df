"""Weir: a terminal wall of live token streams. This page is its architecture.

Two processes, one seam::

     ENGINE PROCESS (the program you started)              SCREEN PROCESS (a window on it)
     plans → pool → call → attempt → transport → server
                     │        │
                  retry    SSE bytes → dialect → facts
                                          │
                                       LEDGER ── record of a call → journal (SQLite, a thread)
                                          │
                                       SNAPSHOT ──────── frames ───────►  Textual app
                                       COMMANDS ◄─────── frames ────────  keys, mouse

- **The engine is the program; the screen is a window on it.** The engine starts the first request at once and never
  imports Textual. The screen is a child that gets Snapshots over a socket pair and sends Commands back. In one process
  a busy screen would hold the loop that reads the tokens.
- **One seam.** A Session (core/session.py) is `latest: Snapshot` and `send(Command)`. The live engine (engine/host.py),
  the screen's link (dashboard/link.py), recordings and test fakes all are one.
- **Events are facts, the ledger folds them, the snapshot is what anyone sees.** Screen, headless progress, summary and
  record share the one fold (core/ledger.py). A fact is emitted synchronously and has one reader.
- **Only the visible window travels.** The screen says which view it shows, which calls of it, in what order and through
  what filter (Watch); sorting and filtering are the engine's (core/ordering.py), a few steps a picture. The latest
  picture wins. A view is one widget of cached rows (dashboard/view.py, rows.py), never a widget a call.
- **A run can be told again.** Every fact but text is recorded as it was stated, text as packed arrivals beside the
  answer (core/fact_log.py, chunk_times.py); a replay folds them into the same ledger and is one more Session.
- **A batch is its journal.** A question is known by its key (core/records.py), so a run that goes on reads its corpus
  anew and skips what is committed (jobs/batch.py); a process of its own reads, cuts and splits it (engine/corpus.py).
- **Nothing that takes long shares the engine's loop**: the journal writes in a thread, tiktoken counts in a process
  (files/counting.py), prices are looked up in a process (files/price_lookup.py), and one admission a turn of the loop
  keeps a thousand starts from holding up the sockets that already talk.

Floors; imports only go down (import-linter holds the lines, pyproject.toml says why)::

    __main__, cli/        argv → setup → wiring; one module a verb
    dashboard/ headless   screen │ progress lines and summary (they never meet)
    jobs/                 load, batch, sweep, probe, replay, the library's streams: which calls, what a result means
    engine/               pool, call, attempt, limiter, host (the loop), the measuring transport
    wire/      files/     bytes and provider JSON │ journal, corpus, prompts, prices, token counts, results, exports
    simulator/            a provider on a real socket; shares only values with the rest
    core/                 facts, commands, ledger, snapshot, retry, money: pure, `now` is an argument

The library's face is `stream` (one completion) and `StreamClient` (many under one limit); see jobs/streaming.py.
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
