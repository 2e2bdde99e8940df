"""`weir ask`: one streamed answer to stdout, as a pipe wants it; its figures to stderr."""

import argparse
import asyncio
import sys

from tui.cli.parsing import Parser
from tui.cli.target import add_target

EXAMPLES = """examples:
  weir ask "Name three rivers." --base-url http://127.0.0.1:8600 -m sim-fast
  git diff | weir ask "Write a commit message for this diff." -m gpt-4o-mini > message.txt
"""


def add_ask(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("ask", help="stream one answer to stdout", epilog=EXAMPLES)
    parser.add_argument("prompt", nargs="?", help="what to ask; text on stdin is added below it, or is the prompt")
    add_target(parser)
    parser.add_argument("--price", metavar="RATES", help="USD per million tokens: in=2.5,out=10")
    parser.add_argument("-q", "--quiet", action="store_true", help="no figures on stderr")
    parser.set_defaults(run=run_ask)


def run_ask(args: argparse.Namespace) -> int:
    """Ask, stream, report."""
    from tui.cli.asking import ask

    return asyncio.run(ask(args, _prompt(args.prompt)))


def _prompt(given: str | None) -> str:
    from tui.core.errors import UsageError

    try:
        piped = "" if sys.stdin.isatty() else sys.stdin.read()
    except UnicodeDecodeError as error:
        raise UsageError("stdin", f"is not {error.encoding} text", "pipe text into it") from error
    prompt = "\n\n".join(part for part in (given, piped.strip()) if part)
    if not prompt:
        raise UsageError("PROMPT", "nothing is asked", 'weir ask "Name three rivers." or text on stdin')
    return prompt
