"""`weir runs`: which runs there are on disk, newest first, and how each went."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cli.parsing import EXIT_DONE, Parser, whole

if TYPE_CHECKING:
    from tui.core.report_run import ReportedRun
    from tui.files.run_list import FoundRun

DEFAULT = Path("weir-runs")
EXAMPLES = """examples:
  weir runs
  weir runs --limit 5
  weir runs /data/weir-runs --json | jq -r '.[] | select(.state == "crashed") | .folder'
"""


def add_runs(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("runs", help="list the runs on disk", epilog=EXAMPLES)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help=f"where runs are (default: {DEFAULT})")
    parser.add_argument("--limit", type=whole(1), metavar="N", help="the newest N only")
    parser.add_argument("--json", action="store_true", help="print them as a JSON list")
    parser.set_defaults(run=run_runs)


def run_runs(args: argparse.Namespace) -> int:
    """Find the runs and list them."""
    from tui.core.run_table import run_lines
    from tui.core.untrusted import clean_line
    from tui.files.export import json_text
    from tui.files.run_list import PROBLEM_HINT, find_runs

    folder = args.folder if args.folder is not None else DEFAULT
    found = find_runs(folder) if args.folder is not None or DEFAULT.exists() else []
    shown = found[: args.limit]
    runs = [_figures(run) for run in shown]
    if args.json:
        sys.stdout.write(f"{json_text([_plain(*each) for each in zip(shown, runs, strict=True)], indent=2)}\n")
        return EXIT_DONE
    for run in shown:
        if run.problem is not None:
            sys.stderr.write(f"weir: {run.problem}\n")
    if any(run.problem is not None for run in shown):
        sys.stderr.write(f"hint: {PROBLEM_HINT}\n")
    if not found:
        sys.stderr.write(f"no runs in {clean_line(str(folder))}\nhint: make one: weir demo, or weir load --help\n")
        return EXIT_DONE
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = run_lines([(run, each.size_bytes) for run, each in zip(runs, shown, strict=True)], width)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if len(shown) < len(found):
        sys.stderr.write(f"{len(found) - len(shown)} older runs are not shown\n")
    return EXIT_DONE


def _figures(run: "FoundRun") -> "ReportedRun":
    """Of a run that has a summary the journal's calls are not read: there may be thousands in each."""
    from tui.files.run_figures import reported, reported_briefly

    return reported(run) if run.summary is None else reported_briefly(run)


def _plain(run: "FoundRun", figures: "ReportedRun") -> dict[str, Any]:
    from tui.files.report_csv import finite

    return {
        "name": figures.name,
        "folder": os.path.abspath(run.folder),
        "state": run.state,
        "began": run.began.isoformat(),
        "job": figures.job,
        "model": figures.model,
        "planned": finite(run.fields.get("planned")),
        "size_bytes": run.size_bytes,
        "problem": run.problem,
        "summary": finite(figures.figures) or None,
    }
