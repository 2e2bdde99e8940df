"""Runs of a batch that are gone on with: named by --resume, or found to have been the same command. Changes none."""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.cli.batch_settings import kept, same_question
from tui.core.errors import UsageError
from tui.core.lookup import text_at, value_at, whole_at
from tui.core.untrusted import clean_line
from tui.files.journal_reader import read_run
from tui.files.run_list import LAST, FoundRun, find_runs, resolve_run

BATCH, STDIN = "batch", "-"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run that is gone on with."""

    folder: Path
    fields: Mapping[str, Any]
    """What its record says of it."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it was asked for; the budget as it was raised meanwhile."""
        settings = self.fields.get("settings")
        if not isinstance(settings, Mapping):
            return {}
        return {**settings, "budget": text_at(self.fields, "budget_usd") or settings.get("budget")}


def _batch_fields(folder: Path) -> Mapping[str, Any]:
    """What a batch's record says of it; UsageError that names --resume when it is none."""
    journal = folder / "journal.db"
    where = clean_line(str(folder))
    if not journal.is_file():
        raise UsageError("--resume", f"{where} has no journal", "name the folder of a batch; weir runs lists them")
    fields = read_run(journal)
    if fields.get("job") != BATCH:
        raise UsageError("--resume", f"{where} is no batch", "name the folder of a batch; weir runs lists them")
    return fields


def go_on_command(folder: Path, at_hand: Path) -> str:
    """What to type to go on with a run; in `at_hand` (absolute) runs are found by their names."""
    run = folder.name if folder.absolute().parent == at_hand else str(folder.absolute())
    return f"weir batch --resume {shlex.quote(clean_line(run))}"


def resumed(args: argparse.Namespace) -> Earlier | None:
    """The run that --resume names."""
    if args.resume is None:
        return None
    if args.resume == LAST:  # the newest batch: what was loaded meanwhile does not count
        for run in find_runs(args.runs) if args.runs.is_dir() else []:
            if run.fields.get("job") == BATCH:
                return Earlier(run.folder.absolute(), run.fields)
        raise UsageError("--resume", f"there is no batch in {clean_line(str(args.runs))}", "see weir runs")
    folder = resolve_run(args.resume, args.runs).absolute()
    return Earlier(folder, _batch_fields(folder))


def same_unfinished(args: argparse.Namespace, at_hand: Path) -> Earlier | None:
    """The newest run of the same command that has not come to its end, if whoever is asked wants to go on with it."""
    if STDIN in args.documents or not args.runs.is_dir():
        return None
    now = kept(args)
    for run in find_runs(args.runs):
        if run.fields.get("job") != BATCH or run.state == "running" or _is_whole(run):
            continue
        earlier = Earlier(run.folder.absolute(), run.fields)
        if same_question(earlier.settings, now):
            return earlier if _wants_to_go_on(earlier, at_hand) else None
    return None


def _is_whole(run: FoundRun) -> bool:
    documents = value_at(run.summary, "documents")
    settled = value_at(documents, "read_to_the_end") is True and not whole_at(documents, "pending")
    return run.state == "finished" and settled


def _wants_to_go_on(earlier: Earlier, at_hand: Path) -> bool:
    said = f"an unfinished run of the same command is there: {clean_line(earlier.folder.name)}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        sys.stderr.write(f"weir: {said}; to go on with it: {go_on_command(earlier.folder, at_hand)}\n")
        return False
    sys.stderr.write(f"weir: {said}\nGo on with it? [Y/n] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return answer.strip().lower() in ("", "y", "yes") and answer != ""


def as_before(args: argparse.Namespace, earlier: Earlier, named_here: bool) -> None:
    """Where it ran, and whom it asked, is a part of the question: paths are ids, and models differ.

    Documents that were named anew (`named_here`) are meant from where we are.
    """
    args.model = args.model if args.model is not None else earlier.fields.get("model")
    args.base_url = args.base_url if args.base_url is not None else earlier.fields.get("base_url")
    args.out = None if args.out is None else Path(args.out).absolute()
    args.runs = args.runs.absolute()
    if STDIN in args.documents and sys.stdin.isatty():
        raise UsageError("--resume", "this run read its documents from stdin", "pipe them into it again")
    folder = earlier.settings.get("cwd")
    if not named_here and isinstance(folder, str) and folder != str(Path.cwd()):
        try:
            os.chdir(folder)
        except OSError as error:
            where = clean_line(folder)
            raise UsageError(
                "--resume", f"it ran in {where}: {error.strerror}", "its documents are named from there"
            ) from error
