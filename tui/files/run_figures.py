"""What a report says of one run folder: its summary, and the run over time, folded again from the journal."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from tui.core.errors import UsageError
from tui.core.facts_of import facts_of
from tui.core.ledger import Ledger
from tui.core.lookup import value_at
from tui.core.money import Price
from tui.core.objectives import Goodput, Objectives
from tui.core.picture import RunCard
from tui.core.report_run import ReportedRun
from tui.core.results import ResultState
from tui.core.summary import summary
from tui.core.untrusted import clean_line
from tui.core.views import Timeline
from tui.files.journal_opening import BATCH
from tui.files.journal_reader import read_journal
from tui.files.journal_rows import CORPUS_DOCUMENTS
from tui.files.results_reader import read_results
from tui.files.run_list import FoundRun

UNKNOWN = ("chunk_gap_s", "engine_lag_s", "ttft_marks")
"""What a journal does not say, and only the engine that has gone knew."""


def reported(run: FoundRun) -> ReportedRun:
    """Figures of a run; without a summary, those of its record so far. Never raises for what a folder holds."""
    notes = [run.problem] if run.problem is not None else []
    ledger, figures = None, run.summary
    timeline: Timeline | None = None
    end_at = 0
    documents: dict[str, Any] = {}
    if run.journal is not None:
        try:
            ledger = _folded(run, notes)
            if figures is None:
                documents = _documents_so_far(run)
        except (UsageError, ValueError, TypeError, KeyError, IndexError, AssertionError, OverflowError,
                msgspec.MsgspecError, sqlite3.Error) as error:  # fmt: skip  # rows that no run of ours wrote
            notes.append(f"{clean_line(str(run.journal))}: its calls cannot be read: {clean_line(str(error))}")
    if ledger is not None:
        assert ledger.ended_at is not None
        end_at = ledger.ended_at
        timeline = ledger.history.timeline(end_at, ledger.tokens_per_char, ledger.prices)
        if figures is None:
            figures = _so_far(ledger, run.fields, end_at) | documents
            notes.append(f"the run has no summary ({run.state}): figures are those of the calls on record")
    elif run.journal is None and run.problem is None:
        notes.append("there is no journal.db: no charts")
    return ReportedRun(
        name=run.name,
        state=run.state,
        began=run.began,
        fields=run.fields,
        figures=figures if figures is not None else {},
        notes=tuple(notes),
        timeline=timeline if timeline is not None and any(timeline.attempts) else None,
        end_at=end_at,
        withdrawn=ledger.withdrawn if ledger is not None else None,
    )


def reported_briefly(run: FoundRun) -> ReportedRun:
    """What the summary says, without a look at the calls; nothing over time."""
    notes = (run.problem,) if run.problem is not None else ()
    return ReportedRun(run.name, run.state, run.began, run.fields, run.summary or {}, notes)


def _folded(run: FoundRun, notes: list[str]) -> Ledger:
    """The fold of the calls on record; what cannot be read of price and objectives is not known, and noted."""
    objectives: Objectives | None = None
    try:
        objectives = Objectives.from_ns(value_at(run.fields, "objectives_ns"))
    except ValueError as error:
        notes.append(f"its objectives cannot be read: {clean_line(str(error))}")
    ledger = Ledger(Goodput(objectives) if objectives is not None else None)
    model = value_at(run.fields, "model")
    price = value_at(run.fields, "price")
    if isinstance(model, str) and isinstance(price, dict):
        try:
            ledger.prices[clean_line(model)] = Price.from_dict(price)
        except (ValueError, msgspec.MsgspecError) as error:
            notes.append(f"its price cannot be read: {clean_line(str(error))}")
    assert run.journal is not None
    for fact in facts_of(read_journal(run.journal), run.fields):
        ledger.fold(fact)
    return ledger


def _so_far(ledger: Ledger, fields: Mapping[str, Any], end_at: int) -> dict[str, Any]:
    job, model = (str(value_at(fields, name) or "") for name in ("job", "model"))
    figures = summary(ledger, RunCard(job, model, ""), end_at)
    return {name: value for name, value in figures.items() if name not in UNKNOWN}


def _documents_so_far(run: FoundRun) -> dict[str, Any]:
    """How a batch's documents stand; of one that was killed, those that it had read."""
    if value_at(run.fields, "job") != BATCH or run.journal is None:
        return {}
    states = Counter(row.state for row in read_results(run.journal))
    return {
        "documents": {
            "total": states.total(),
            **{state.value: states[state] for state in ResultState},
            "read_to_the_end": value_at(run.fields, CORPUS_DOCUMENTS) is not None,
        }
    }


__all__ = ["reported", "reported_briefly"]
