"""A short run that was recorded, told by hand: ten calls, one a second, each of ten words in half a second."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tui.core.call_trace import trace_of
from tui.core.calls import CallPlan, State, TextKind, Usage
from tui.core.clock import NS_PER_MS
from tui.core.fact_log import FactLog
from tui.core.facts import (
    Admitted,
    AttemptEnded,
    CallFact,
    Fact,
    Finished,
    HeadersCame,
    LoopLagged,
    PhaseChanged,
    Queued,
    Sent,
    Stopped,
    TextCame,
    UsageCame,
    Waited,
    Written,
)
from tui.core.ledger import Ledger
from tui.core.record_of import record_of
from tui.files.journal import Journal
from tui.files.journal_reader import Recording, read_recording

START = 5_000_000 * NS_PER_MS
CALLS = 10
FIELDS: dict[str, Any] = {"job": "load", "model": "m", "endpoint": "host/v1", "planned": CALLS, "transport": "words"}


def at(ms: float) -> int:
    return START + round(ms * NS_PER_MS)


def facts_of_call(call: int, ms: float, words: int = 10) -> list[Fact]:
    begin: list[Fact] = [
        Queued(call, at(ms), at(ms), "m", "Name a river."),
        Waited(call, at(ms)),
        Admitted(call, at(ms)),
        Sent(call, at(ms)),
        Written(call, at(ms + 1)),
        HeadersCame(call, at(ms + 50), 200, f"req-{call}"),
    ]
    text: list[Fact] = [TextCame(call, at(ms + 100 + 50 * n), TextKind.CONTENT, f"word{n} ") for n in range(words)]
    end = at(ms + 600)
    return [
        *begin, *text, Stopped(call, end, "stop"), UsageCame(call, end, Usage(5, words)), AttemptEnded(call, end),
        Finished(call, end, State.DONE),
    ]  # fmt: skip


def facts_of_run() -> list[Fact]:
    """In order of time, as the engine states them."""
    facts: list[Fact] = [PhaseChanged(START, "running")]
    for call in range(1, CALLS + 1):
        facts += [*facts_of_call(call, 1000 * (call - 1)), LoopLagged(at(1000 * call - 100), 1000 * call)]
    return [*facts, PhaseChanged(at(1000 * CALLS - 400), "finished")]  # when the last call ended; the lag goes on


def recorded_run(folder: Path, fields: dict[str, Any] | None = None, last_chunk: bool = True) -> Path:
    """The run's journal in `folder`. Without the last chunk: what a crash leaves that comes before it was written."""
    path = folder / "journal.db"
    journal = Journal.create(path, FIELDS if fields is None else fields)
    ledger, log = Ledger(), FactLog()
    for number, fact in enumerate(facts_of_run()):
        if isinstance(fact, Finished):
            entry = ledger.calls[fact.call]
            plan = CallPlan(fact.call, "m", ({"role": "user", "content": "Name a river."},))
            record = record_of(plan, entry, fact.state, fact.error, "http://host:1", START)
            journal.append(replace(record, trace=trace_of(entry, log.take_call(fact), record, True)))
        ledger.fold(fact)
        attempts = ledger.calls[fact.call].attempts if isinstance(fact, CallFact) else []
        log.hear(fact, len(attempts[-1].arrivals.times) if attempts else 0)
        if number == 0:
            journal.log_run(msgspec.msgpack.encode(log.take_run()))
    if last_chunk:
        journal.log_run(msgspec.msgpack.encode(log.take_run()))
    journal.close()
    return path


def a_recording(folder: Path, **fields: Any) -> Recording:
    return read_recording(recorded_run(folder, FIELDS | fields))
