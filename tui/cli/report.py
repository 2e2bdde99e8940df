"""`weir report`: what runs were like, as Markdown, a web page that stands alone, JSON or CSV; several side by side."""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.parsing import EXIT_DONE, Parser
from tui.core.errors import RecordError, UsageError
from tui.core.untrusted import clean_line

if TYPE_CHECKING:
    from tui.core.report_run import ReportedRun

FORMATS = ("md", "html", "json", "csv")
_ENDINGS = {".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".json": "json", ".csv": "csv"}

EXAMPLES = """examples:
  weir report last
  weir report last --out report.html
  weir report weir-runs/2026-11-22T10-15-00-load-a weir-runs/2026-11-22T10-20-00-load-b --format html > both.html
  weir report last --format json | jq .[0].summary.ttft_s.p95
"""


def add_report(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("report", help="tables and charts of runs, side by side", epilog=EXAMPLES)
    parser.add_argument(
        "names", nargs="+", metavar="RUN", help='a run\'s folder, its name in --runs or how that begins, or "last"'
    )
    parser.add_argument("--format", choices=FORMATS, help="default: as --out ends, else md")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there (default: stdout)")
    add_runs_folder(parser)
    parser.set_defaults(run=run_report)


def add_runs_folder(parser: argparse.ArgumentParser) -> None:
    """Where names of runs are looked up."""
    parser.add_argument(
        "--runs", type=Path, default=Path("weir-runs"), metavar="DIR", help="where runs are (default: weir-runs)"
    )


def _text(runs: "list[ReportedRun]", format: str) -> str:
    now = datetime.now()
    if format == "html":
        from tui.files.report_html import html_report

        return html_report(runs, now)
    if format == "md":
        from tui.files.report_markdown import markdown_report

        return markdown_report(runs, now)
    from tui.files.report_csv import csv_report, json_report

    return csv_report(runs) if format == "csv" else json_report(runs)


def _format(asked: str | None, out: Path | None) -> str:
    """What was asked for, else what the file's ending says, else Markdown; UsageError for an ending that is none."""
    if asked is not None:
        return asked
    ending = out.suffix if out is not None else ""
    if not ending:
        return "md"
    if ending.lower() not in _ENDINGS:
        raise UsageError(
            "--out", f'"{clean_line(ending)}" is no format of a report', f"{', '.join(_ENDINGS)}, or say --format"
        )
    return _ENDINGS[ending.lower()]


def run_report(args: argparse.Namespace) -> int:
    """Read the runs and write the report."""
    from tui.core.report import MOST_RUNS
    from tui.files.run_figures import reported
    from tui.files.run_folder import write_text
    from tui.files.run_list import PROBLEM_HINT, read_run_folder, resolve_run

    format = _format(args.format, args.out)
    if len(args.names) > MOST_RUNS:
        raise UsageError("RUN", f"{len(args.names)} runs are too many", f"name at most {MOST_RUNS}")
    found = [read_run_folder(resolve_run(name, args.runs)) for name in args.names]
    runs = [reported(run) for run in found]
    for run in runs:
        for note in run.notes:
            sys.stderr.write(f"weir: {run.name}: {note}\n")
    if any(run.problem is not None for run in found):
        sys.stderr.write(f"hint: {PROBLEM_HINT}\n")
    text = _text(runs, format)
    if args.out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return EXIT_DONE
    try:
        write_text(args.out, text)
    except (RecordError, ValueError) as error:
        raise UsageError("--out", str(error), "name a file in a folder that can be written to") from error
    sys.stderr.write(f"weir: wrote {clean_line(str(args.out))}\n")
    return EXIT_DONE
