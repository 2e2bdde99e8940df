"""`weir results`: what a batch has to show for each document, in the order of the input, at any time."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.parsing import EXIT_DONE, Parser
from tui.cli.report import add_runs_folder
from tui.core.errors import RecordError, UsageError
from tui.core.untrusted import clean_line

if TYPE_CHECKING:
    from tui.core.results import ResultRow

FORMATS = ("jsonl", "csv")
STATES = ("done", "failed", "pending")

EXAMPLES = """examples:
  weir results last
  weir results last --state failed | jq -r '.source + ": " + .error'
  weir results last --out summaries.csv
  weir results 2026-11-22T10-15-00-batch-gpt-4o --runs /data/weir-runs --out results.parquet

A line a document, in the order of the input: id, source, output, state, error, attempts, ttft_s, tokens, cost_usd,
model. It can be read while the batch runs; what has no result yet is pending.
"""


def add_results(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("results", help="the results of a batch, also while it runs", epilog=EXAMPLES)
    parser.add_argument(
        "name", metavar="RUN", help='a batch\'s folder, its name in --runs or how that begins, or "last"'
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write there (.jsonl, .csv, .parquet; default: stdout)"
    )
    parser.add_argument("--format", choices=FORMATS, help="default: as --out ends, else jsonl")
    parser.add_argument("--state", choices=STATES, help="only documents in that state")
    add_runs_folder(parser)
    parser.set_defaults(run=run_results)


def run_results(args: argparse.Namespace) -> int:
    """Read the rows and hand them on."""
    from tui.core.lookup import whole_at
    from tui.files.journal_reader import read_run
    from tui.files.journal_rows import CORPUS_DOCUMENTS
    from tui.files.results_reader import check_batch, read_results
    from tui.files.results_writers import format_of, result_lines, write_results
    from tui.files.run_list import JOURNAL, resolve_run

    if args.out is not None and args.format is None:
        format_of(args.out)
    journal = resolve_run(args.name, args.runs) / JOURNAL
    if not journal.is_file():
        raise UsageError(clean_line(args.name), f"has no {JOURNAL}: there are no results to read", "name another run")
    check_batch(journal)
    if whole_at(read_run(journal), CORPUS_DOCUMENTS) is None:
        sys.stderr.write("weir: the run has not read all of its documents yet: those are in no row\n")
    with closing(read_results(journal)) as rows:
        kept = _in_state(rows, args.state)
        if args.out is None:
            # Bytes: JSON is UTF-8, whatever the terminal's locale makes of it.
            sys.stdout.flush()
            sys.stdout.buffer.writelines(result_lines(kept, args.format or "jsonl"))
            sys.stdout.buffer.flush()
            return EXIT_DONE
        try:
            written = write_results(kept, args.out, args.format)
        except (RecordError, ValueError) as error:
            raise UsageError("--out", str(error), "name a file in a folder that can be written to") from error
    sys.stderr.write(f"weir: wrote {written:,} rows to {clean_line(str(args.out))}\n")
    return EXIT_DONE


def _in_state(rows: "Iterator[ResultRow]", state: str | None) -> "Iterator[ResultRow]":
    return rows if state is None else (row for row in rows if row.state == state)


__all__ = ["add_results", "run_results"]
