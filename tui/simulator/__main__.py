"""`python -m tui.simulator`: the simulator by itself, with the flags of `weir simulate`."""

import argparse
import sys

from tui.core.errors import UsageError
from tui.simulator.arguments import add_arguments, settings_from
from tui.simulator.run import run, run_embedded


def main() -> int:
    """Exit code: 0 when it was stopped, 2 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m tui.simulator", description="A simulated LLM provider.")
    add_arguments(parser)
    # For SimulatorProcess: settings come on stdin, and the end of stdin ends the process.
    parser.add_argument("--embedded", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    try:
        return run_embedded() if args.embedded else run(settings_from(args))
    except UsageError as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
