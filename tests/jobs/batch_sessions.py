"""Whole sessions of a batch in the test's own loop: documents that the test gives, a record on disk, a real socket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from batch_by_hand import asked

from tui.core.clock import now_ns
from tui.core.documents import Prepared
from tui.core.errors import WeirError
from tui.core.money import Price
from tui.core.objectives import Goodput, parse_goodput
from tui.core.retry import RetryPolicy
from tui.core.secrets import Secret
from tui.engine.endpoint import Endpoint
from tui.engine.host import Host
from tui.engine.open_run import OpenRun
from tui.engine.setup import RunSetup
from tui.files.results_reader import read_results
from tui.files.results_writers import write_results
from tui.jobs.batch import Asking, BatchPlans
from tui.jobs.past import past_ledger

PRICE = Price(Decimal(1), Decimal(10), origin="--price")
OBJECTIVES = parse_goodput("ttft:10s e2e:20s")


def corpus(*texts: str | Sequence[str] | None) -> list[Prepared]:
    """A document for each text, of several parts for a list, and one that cannot be read for None."""
    found = []
    for number, text in enumerate(texts, start=1):
        parts = [] if text is None else [text] if isinstance(text, str) else list(text)
        digest = hashlib.sha256("".join(parts).encode()).hexdigest()
        found.append(
            Prepared(
                number=number,
                id=f"d{number}",
                source=f"d{number}.md",
                hash=digest,
                asks=tuple(map(asked, parts)),
                error=None if parts else "is not UTF-8",
            )
        )
    return found


class Feed:
    """Documents of a list; an error among them is raised, and a coroutine waited for."""

    documents: int | None = None

    def __init__(self, documents: Sequence[Any]) -> None:
        self._documents = iter(documents)

    async def next(self) -> Prepared | None:
        found = next(self._documents, None)
        if isinstance(found, WeirError):
            raise found
        if asyncio.iscoroutine(found):
            await found
            return await self.next()
        return found


@asynccontextmanager
async def a_session(
    base_url: str,
    runs: Path,
    documents: Sequence[Any],
    retry_failed: bool = False,
    **options: Any,
) -> AsyncIterator[Host]:
    """A host that has not begun: the first session of a run where `runs` is empty, else the next one."""
    record = _opened(runs)
    record.at_end = partial(_write, record)
    endpoint = Endpoint(base_url, options.pop("key", Secret("")), ())
    asking = Asking(
        "sim", {"max_tokens": 12}, endpoint.origin, lambda text: asked(f"reduce\n{text}"), 10**6, retry_failed
    )
    try:
        plans = BatchPlans(
            asking, Feed(documents), record.settled, record, record.settled.last_call() + 1, lambda: PRICE
        )
        past = None
        if record.earlier is not None:
            instant = record.settled.last_instant_s()
            goodput = Goodput(OBJECTIVES)
            past = past_ledger(
                record.journal.path, record.settled.outcome, instant, now_ns(), PRICE, goodput, retry_failed
            )
        settings = {
            "concurrency": 4,
            "policy": RetryPolicy(attempts=1, patient=True),
            "price": PRICE,
            "objectives": OBJECTIVES,
            "seed": 1,
            **options,
        }
        yield Host(RunSetup("batch", "sim", endpoint, plans, None, record=record, past=past, **settings))
    finally:
        await asyncio.to_thread(record.close)


async def run_session(base_url: str, runs: Path, documents: Sequence[Any], **options: Any) -> dict[str, Any]:
    """One session to its end; the summary."""
    async with a_session(base_url, runs, documents, **options) as host, asyncio.timeout(20):
        return await host.run()


def _opened(runs: Path) -> OpenRun:
    return OpenRun.take_up(folder_of(runs), {}) if runs.is_dir() else OpenRun.create(runs, "sim", {"model": "sim"})


def folder_of(runs: Path) -> Path:
    """The one run that there is."""
    (folder,) = runs.iterdir()
    return folder


def _write(record: OpenRun) -> None:
    write_results(read_results(record.journal.path), record.folder / "results.jsonl")
