"""A batch in reports and in the list of runs: its documents first, and nothing of what was asked about them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batch_journal import attempt, call, document, done, write

from tui.core.calls import State
from tui.core.report import tables
from tui.core.report_run import ReportedRun
from tui.core.run_table import run_lines
from tui.files.report_markdown import markdown_report
from tui.files.run_figures import reported
from tui.files.run_list import read_run_folder

DOCUMENTS = {"total": 2_000, "done": 1_204, "failed": 3, "pending": 793, "shared": 12, "cut": 0}
SETTINGS = {"documents": ["docs/", "-"], "prompt": "SECRET PROMPT", "system": "SECRET SYSTEM", "long": "cut"}


def a_batch(**figures: Any) -> ReportedRun:
    summary = {"job": "batch", "calls": {"done": 1_200, "total": 1_203}, **figures}
    return ReportedRun("r", "interrupted", datetime(2026, 1, 1, tzinfo=UTC), {"job": "batch"}, summary)


def killed(tmp_path: Path, **fields: Any) -> ReportedRun:
    """A run without an end that had read four documents: answered, failed, equal to the first, and not asked yet."""
    entries = (
        document(1, "a"),
        document(2, "b"),
        document(3, "a"),
        document(4, "c"),
        done(1, "a"),
        call(2, "b", attempt(error="HTTP 400"), state=State.FAILED, error="HTTP 400"),
    )
    (tmp_path / "run").mkdir()
    write(tmp_path / "run" / "journal.db", *entries, settings=SETTINGS, **fields)
    return reported(read_run_folder(tmp_path / "run"))


def rows(run: ReportedRun, title: str) -> dict[str, str]:
    return {row.name: row.cells[0].text for table in tables([run]) if table.title == title for row in table.rows}


def test_what_became_of_the_documents_comes_first_and_what_there_is_none_of_is_left_out() -> None:
    run = a_batch(documents=DOCUMENTS)
    assert tables([run])[0].title == "Documents"
    assert rows(run, "Documents") == {
        "read": "2,000",
        "done": "1,204",
        "failed": "3",
        "pending, for a run that goes on": "793",
        "equal to another, and answered with it": "12",
        "done, of those read": "60.2 %",
    }
    assert rows(a_batch(), "Documents") == {}


def test_a_killed_run_tells_how_its_documents_stand(tmp_path: Path) -> None:
    run = killed(tmp_path)
    assert run.figures["documents"] == {"total": 4, "done": 2, "failed": 1, "pending": 1, "read_to_the_end": False}
    assert rows(run, "Documents")["pending, for a run that goes on"] == "1"


def test_a_journal_of_a_batch_that_has_no_documents_still_makes_a_report(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    path = write(tmp_path / "run" / "journal.db")
    path.write_bytes(path.read_bytes()[:4096] + b"\0" * 4096)
    assert "Calls" not in {table.title for table in tables([reported(read_run_folder(tmp_path / "run"))])}


def test_what_was_asked_is_in_no_report_and_where_the_documents_came_from_is(tmp_path: Path) -> None:
    run = killed(tmp_path, sessions=2, structured=True)
    said = rows(run, "Limits and settings")
    assert (said["documents"], said["sessions"], said["answers are JSON"]) == ("docs/, -", "2", "yes")
    assert "SECRET" not in markdown_report([run], datetime(2026, 1, 1))
    long = ReportedRun(
        "r", "finished", run.began, {"settings": {**SETTINGS, "max_input_tokens": 6000, "long": "split"}}, {}
    )
    assert rows(long, "Limits and settings")["documents"] == "docs/, - · more than 6,000 tokens: in parts"
    odd = ReportedRun("r", "finished", run.began, {"settings": "SECRET"}, {})
    assert "SECRET" not in markdown_report([odd], datetime(2026, 1, 1))


def test_the_list_of_runs_has_documents_where_some_run_is_a_batch() -> None:
    load = ReportedRun("l", "finished", datetime(2026, 1, 1, tzinfo=UTC), {"job": "load"}, {"calls": {"done": 1}})
    assert "documents" not in run_lines([(load, 10)], None)[0]
    head, first, second = run_lines([(a_batch(documents=DOCUMENTS), 10), (load, 10)], None)
    assert "documents" in head
    assert "1,204/2,000" in first
    assert "—" in second
    assert "documents" in run_lines([(a_batch(documents=DOCUMENTS), 10)], 60)[0]
