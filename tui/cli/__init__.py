"""The command line: argv to a Plan, one module a verb. Parsing imports nothing heavy; a verb imports what it runs."""

import argparse
import contextlib
import io
import os
import sys

from tui.cli.ask import add_ask
from tui.cli.batch import add_batch
from tui.cli.demo import add_demo
from tui.cli.load import add_load
from tui.cli.parsing import EXIT_INTERRUPTED, Parser
from tui.cli.parsing import report as say_error  # the verb's module is `report` here
from tui.cli.probe import add_probe
from tui.cli.replay import add_replay
from tui.cli.report import add_report
from tui.cli.results import add_results
from tui.cli.runs import add_runs
from tui.cli.simulate import add_simulate
from tui.core.errors import UsageError
from tui.core.untrusted import clean_line

EXAMPLES = """examples:
  weir                                   the demo: a wall of streams from a simulated provider
  weir load --base-url http://127.0.0.1:8600 --requests 50 --concurrency 16
  weir batch notes/ -m gpt-4o-mini       a prompt over many documents; --resume goes on where it was cut off
  weir ask "Name three rivers." -m gpt-4o-mini
  weir probe -m gpt-4o-mini              where is the limit, and what happens there?
  weir runs                              the runs on this disk; weir report last --format html --out run.html
  weir replay weir-runs/2026-11-22T…     a run again, in the same dashboard, without the network
  weir simulate --rpm 60

exit codes: 0 all calls done · 1 some call failed, or a schedule was not kept · 2 usage error ·
            3 a --fail-if condition holds · 4 the budget was reached · 130 interrupted
"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of `weir`."""
    arguments = sys.argv[1:] if argv is None else argv
    _make_streams_usable()
    try:
        args, unknown = _parser().parse_known_args(arguments or ["demo"])
        if unknown:
            where = clean_line(unknown[0])
            raise UsageError(where, f"weir {args.verb} knows no such argument", f"see weir {args.verb} --help")
        code: int = args.run(args)
        return code
    except UsageError as error:
        return say_error(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone. Python would complain once more when it flushes at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _make_streams_usable() -> None:
    """Have a stdin, a stdout and a stderr that take any text, whatever we were started with."""
    # After `weir … >&-` Python has no stdout, and the next socket would get its number.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open to the end
    # An ASCII terminal has no "·", and a model may send half a surrogate pair: a "?" is better than a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class _Version(argparse.Action):
    """Look the version up when it is asked for: reading a package's metadata takes 30 ms of every start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            sys.stdout.write(f"weir {version('streamweir')}\n")
        except PackageNotFoundError:
            sys.stdout.write("weir, not installed: run from a checkout\n")
        parser.exit()


def _parser() -> Parser:
    parser = Parser(prog="weir", description="A terminal wall of live LLM streams.", epilog=EXAMPLES)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    add_demo(verbs)
    add_load(verbs)
    add_batch(verbs)
    add_ask(verbs)
    add_probe(verbs)
    add_simulate(verbs)
    add_runs(verbs)
    add_report(verbs)
    add_results(verbs)
    add_replay(verbs)
    return parser
