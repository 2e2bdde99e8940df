"""A batch under a user interface, from its record's opening to its results; and what is said at its end."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tui.cli.batch_earlier import Earlier, go_on_command
from tui.cli.batch_question import Question
from tui.cli.goals import Goals, verdict_exit
from tui.cli.parsing import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED
from tui.cli.viewing import Viewing, choose_ui
from tui.core.clock import now_ns
from tui.core.documents import Messages
from tui.core.errors import UsageError, WeirError
from tui.core.figures import exact
from tui.core.money import Price
from tui.core.objectives import Goodput
from tui.core.retry import RetryPolicy
from tui.core.untrusted import clean_line
from tui.engine.corpus import CorpusFeed
from tui.engine.endpoint import Endpoint, TimeLimits
from tui.engine.host import Host
from tui.engine.open_run import RESULTS, OpenRun
from tui.engine.screen import terminal
from tui.engine.setup import RunSetup
from tui.files.corpus import STDIN, CorpusPlan
from tui.files.results_reader import read_results
from tui.files.results_writers import write_results
from tui.headless import summary_text, troubles_text
from tui.jobs.batch import Asking, BatchPlans
from tui.jobs.past import past_ledger


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, resolved and checked: nothing in it is decided later."""

    corpus: CorpusPlan
    question: Question
    reduction: Callable[[str], Messages] | None
    model: str
    endpoint: Endpoint
    params: dict[str, Any]
    limits: TimeLimits
    policy: RetryPolicy
    concurrency: int
    rpm: int | None
    tpm: int | None
    burst: int | None
    price: Price | None
    goals: Goals
    runs: Path
    """Where run folders go."""
    at_hand: Path
    """Where they are found by their names alone; absolute."""
    out: Path | None
    """None: results.jsonl in the run's folder."""
    settings: dict[str, Any]
    """What the record keeps, to go on from."""
    earlier: Earlier | None
    """The run that is gone on with."""
    retry_failed: bool

    def asking(self) -> Asking:
        """What all of its calls share."""
        return Asking(
            model=self.model,
            params=self.params,
            origin=self.endpoint.origin,
            reduction=self.reduction,
            room_tokens=self.corpus.max_input_tokens or 0,
            retry_failed=self.retry_failed,
            form=self.question.form,
            formed=self.question.formed,
        )


def run_to_its_end(batch: Batch, asked_ui: str | None, as_json: bool) -> int:
    """Run it, write its results, say how it went; the exit code."""
    ui = choose_ui(asked_ui)
    if ui == "dashboard":
        if STDIN in batch.corpus.inputs:
            raise UsageError(
                "--ui", "the dashboard needs stdin for its keys, and the documents come from there", "use --ui plain"
            )
        terminal()
    try:
        return asyncio.run(_run(batch, ui, as_json))
    except UsageError:
        raise
    except WeirError as error:  # the record, or whoever reads the documents, has failed
        sys.stderr.write(f"error: {error}\n")
        return EXIT_FAILED


async def _run(batch: Batch, ui: str, as_json: bool) -> int:
    feed = CorpusFeed(batch.corpus)
    try:
        await feed.begin()  # where there is nothing to ask about, no empty record is left behind
        return await _run_on(feed, batch, ui, as_json)
    finally:
        await feed.close()


async def _run_on(feed: CorpusFeed, batch: Batch, ui: str, as_json: bool) -> int:
    with opened(batch, feed, asks_for_money=ui == "dashboard") as (record, host):
        async with Viewing(host, ui, host.open) as viewing:
            viewing.count_for(host)
            figures = await host.run()
            await viewing.seen_enough()
        await host.asked_files_written()
    _last_words(batch, host, figures, _out(batch, record), feed.note, as_json)
    if host.corpus_error is not None:
        raise host.corpus_error
    return _exit_code(batch, host, figures)


@contextmanager
def opened(batch: Batch, feed: CorpusFeed, asks_for_money: bool = False) -> Iterator[tuple[OpenRun, Host]]:
    """The batch's record and the host that will run it; the record is closed afterwards, which waits for the disk."""
    record = _opened(batch)
    try:
        plans = BatchPlans(
            batch.asking(),
            feed,
            record.settled,
            record,
            record.settled.last_call() + 1,
            lambda: host.ledger.prices.get(batch.model),
        )
        host = Host(_setup(batch, record, plans, asks_for_money))
        record.at_end = partial(_write_results, record.journal.path, _out(batch, record))
        yield record, host
    finally:
        record.close()


def _out(batch: Batch, record: OpenRun) -> Path:
    return batch.out if batch.out is not None else record.folder / RESULTS


def _opened(batch: Batch) -> OpenRun:
    fields = {
        "settings": batch.settings,
        "structured": batch.question.structured,
        "model": batch.model,
        "base_url": batch.endpoint.base_url,
    }
    if batch.earlier is None:
        return OpenRun.create(batch.runs, batch.model, fields)
    return OpenRun.take_up(batch.earlier.folder, fields)


def _setup(batch: Batch, record: OpenRun, plans: BatchPlans, asks_for_money: bool) -> RunSetup:
    goals = batch.goals
    past = None
    if record.earlier is not None:
        past = past_ledger(
            record.journal.path,
            record.settled.outcome,
            record.settled.last_instant_s(),
            now_ns(),
            batch.price,
            Goodput(goals.objectives) if goals.objectives is not None else None,
            batch.retry_failed,
        )
    return RunSetup(
        job="batch",
        model=batch.model,
        endpoint=batch.endpoint,
        plans=plans,
        planned=None,
        concurrency=batch.concurrency,
        rpm=batch.rpm,
        tpm=batch.tpm,
        burst=batch.burst,
        policy=batch.policy,
        limits=batch.limits,
        judge=batch.question.judge,
        price=batch.price,
        objectives=goals.objectives,
        budget_usd=goals.budget_usd,
        asks_for_money=asks_for_money,
        adapt=goals.adapt,
        record=record,
        past=past,
        sent_lately_s=record.sent_lately_s(),
        notes={"params": batch.params, "system": batch.corpus.system, "retries": batch.policy.attempts - 1},
    )


def _write_results(journal: Path, out: Path) -> None:
    write_results(read_results(journal), out)


def _exit_code(batch: Batch, host: Host, figures: dict[str, Any]) -> int:
    """The code of the goals that were missed, which is said on stderr, else of what became of the documents."""
    code, text = verdict_exit(figures, batch.goals.conditions, host)
    sys.stderr.write(text)
    if host.interrupted:
        return EXIT_INTERRUPTED
    if code:
        return code
    documents = figures["documents"]
    whole = documents["done"] == documents["total"] and host.record_error is None
    return EXIT_DONE if whole else EXIT_FAILED


def _last_words(batch: Batch, host: Host, figures: dict[str, Any], out: Path, note: str | None, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stderr.write(troubles_text(figures))
    else:
        sys.stdout.write(summary_text(figures, host.notes | {"documents": note}) + "\n" + troubles_text(figures))
    sys.stdout.flush()
    if host.record_error is not None:
        sys.stderr.write(f"error: {host.record_error}\n")
    assert host.folder is not None
    documents = figures["documents"]
    if out.exists():
        sys.stderr.write(f"results: {clean_line(str(out))}\n")
    if documents["pending"] or not documents["read_to_the_end"] or host.record_error is not None:
        sys.stderr.write(f"to go on: {go_on_command(host.folder, batch.at_hand)}\n")
    elif figures["calls"]["failed"] or figures["calls"]["broken"]:  # else nothing could be asked about them
        again = f"{go_on_command(host.folder, batch.at_hand)} --retry-failed"
        sys.stderr.write(f"{exact(documents['failed'])} failed: {again}\n")


__all__ = ["Batch", "run_to_its_end"]
