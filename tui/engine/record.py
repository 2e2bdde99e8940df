"""The record of one run: its folder, its journal, and that a call is shown as ended once that is on the disk.

Tokens that no server counted are counted before a call goes on record. Decides nothing about the run: an error
is told to whoever runs it, once.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tui.core.calls import CallPlan
from tui.core.errors import RecordError, UsageError
from tui.core.facts import Finished
from tui.core.ledger import Ledger
from tui.core.money import Price
from tui.core.record_of import record_of
from tui.engine.attempt import Emit
from tui.engine.call import Ending
from tui.engine.setup import RunSetup
from tui.engine.tokens import TokenDesk, missing_counts
from tui.files.export import write_calls_jsonl, write_summary_json
from tui.files.journal import Journal
from tui.files.run_folder import create_run_folder

MOST_COUNTED_AT_ONCE = 256
"""Ended calls that may wait for their tokens to be counted before dispatch waits for them."""


class RunRecord:
    """Where ended calls go. Without a folder (`RunSetup.out` is None) they are only stated as ended."""

    def __init__(
        self,
        setup: RunSetup,
        ledger: Ledger,
        tokens: TokenDesk,
        emit: Emit,
        on_failed: Callable[[RecordError], None],
    ) -> None:
        self.folder: Path | None = None
        self.error: RecordError | None = None
        """Why it is not whole."""
        self._setup = setup
        self._ledger = ledger
        self._tokens = tokens
        self._emit = emit
        self._on_failed = on_failed
        self._journal: Journal | None = None
        self._counting: set[asyncio.Task[None]] = set()
        self._uncommitted = 0
        self._all_committed = asyncio.Event()
        self._all_committed.set()

    def open(self, transport: str) -> None:
        """Make folder and journal; UsageError when that cannot be. `transport` says how requests will travel."""
        setup = self._setup
        if setup.out is None:
            return
        self.folder = create_run_folder(setup.out, setup.job, setup.model, datetime.now())
        self._journal = Journal.create(
            self.folder / "journal.db",
            {
                "job": setup.job,
                "model": setup.model,
                "base_url": setup.endpoint.base_url,
                "started": datetime.now(UTC).isoformat(),
                "planned": setup.planned,
                "concurrency": setup.concurrency,
                "rpm": setup.rpm,
                "tpm": setup.tpm,
                "burst": setup.burst,
                "seed": setup.seed,
                "transport": transport,
                **setup.notes,
            },
        )

    async def room(self) -> None:
        """The record holds the next dispatch back, never a stream; one that has failed stops dispatch for good."""
        while len(self._counting) >= MOST_COUNTED_AT_ONCE:
            await asyncio.wait(self._counting, return_when=asyncio.FIRST_COMPLETED)
        if self._journal is not None:
            with suppress(RecordError):  # told by `_not_recorded`, which also drains
                await self._journal.room()

    async def finish(self, plan: CallPlan, ending: Ending) -> None:
        """Put an ended call on record, and state it as ended once it is there."""
        self._uncommitted += 1
        self._all_committed.clear()
        if missing_counts(self._ledger.calls[plan.id]):
            # Beside the slot, which takes its next call at once: counting is our affair, not the server's pace.
            task = asyncio.create_task(self._count_and_record(plan, ending))
            self._counting.add(task)
            task.add_done_callback(self._counting.discard)
        else:
            self._record(plan, ending)

    async def all_committed(self) -> None:
        """Wait until every ended call is stated as such."""
        await self._all_committed.wait()

    def close(self, figures: dict[str, Any], interrupted: bool, price: Price | None) -> None:
        """Write the run's end and the exports; waits for the disk, so call it in a thread."""
        journal, folder = self._journal, self.folder
        if journal is None or folder is None:
            return
        fields = {
            "ended": datetime.now(UTC).isoformat(),
            "interrupted": interrupted,
            "price": price.to_dict() if price is not None else None,
            "summary": figures,
        }
        # Each by itself: on a full disk the summary may still fit where the calls do not.
        steps: tuple[Callable[[], None], ...] = (
            partial(journal.set_run, fields),
            journal.close,
            partial(write_calls_jsonl, journal.path, folder / "calls.jsonl", price),
            partial(write_summary_json, folder / "summary.json", figures),
        )
        for step in steps:
            try:
                step()
            except (RecordError, UsageError) as error:
                self.error = self.error or RecordError(str(error))
        if journal.error is not None:
            self.error = self.error or journal.error

    async def _count_and_record(self, plan: CallPlan, ending: Ending) -> None:
        await self._tokens.count_missing(plan, self._ledger.calls[plan.id], self._emit)
        self._record(plan, ending)

    def _record(self, plan: CallPlan, ending: Ending) -> None:
        entry = self._ledger.calls[plan.id]
        fact = Finished(plan.id, ending.at, ending.state, ending.error)
        if self._journal is None:
            self._recorded(fact)
            return
        started_at = self._ledger.started_at
        assert started_at is not None
        record = record_of(plan, entry, ending.state, ending.error, self._setup.endpoint.origin, started_at)
        loop = asyncio.get_running_loop()

        def recorded() -> None:
            loop.call_soon_threadsafe(self._recorded, fact)

        def not_recorded(error: RecordError) -> None:
            loop.call_soon_threadsafe(self._not_recorded, fact, error)

        # A call is shown as ended once that is on the disk.
        self._journal.append(record, recorded, not_recorded)

    def _recorded(self, fact: Finished) -> None:
        self._emit(fact)
        self._uncommitted -= 1
        if not self._uncommitted:
            self._all_committed.set()

    def _not_recorded(self, fact: Finished, error: RecordError) -> None:
        if self.error is None:
            self.error = error
            self._on_failed(error)
        self._recorded(fact)
