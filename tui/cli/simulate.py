"""`weir simulate`: the provider simulator as a server of its own."""

import argparse

from tui.cli.parsing import Parser

EXAMPLES = """examples:
  weir simulate --ttft 300ms --itl 20ms --rpm 60
  weir simulate --port 0 --models fast:2,slow:0.5 --error-rate 0.05 --reset-rate 0.02
"""


def add_simulate(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    from tui.simulator.arguments import add_arguments

    parser = verbs.add_parser("simulate", help="be an OpenAI-compatible server with a pace and faults", epilog=EXAMPLES)
    add_arguments(parser)
    parser.set_defaults(run=run_simulate)


def run_simulate(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from tui.simulator.arguments import settings_from
    from tui.simulator.run import run

    return run(settings_from(args))
