"""`weir demo`: a simulated provider and a run on it that shows every state within seconds. Needs no key, no network."""

import argparse

from tui.cli.parsing import EXIT_DONE, EXIT_FAILED, Parser, whole

EXAMPLES = """examples:
  weir demo
  weir demo --requests 200 --concurrency 24
  weir demo --ui plain
"""


def add_demo(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    from tui.cli.load import add_output

    parser = verbs.add_parser("demo", help="the wall on a simulated provider; needs no key", epilog=EXAMPLES)
    parser.add_argument("--requests", type=whole(1), default=60, metavar="N", help="calls in all (default: 60)")
    parser.add_argument("--concurrency", type=whole(1), default=9, metavar="N", help="streams at once (default: 9)")
    parser.add_argument("--rpm", type=whole(1), default=120, metavar="N", help="attempts a minute (default: 120)")
    parser.add_argument("--seed", type=whole(None), default=7, metavar="N", help="same seed, same demo (default: 7)")
    add_output(parser)
    parser.set_defaults(run=run_demo)


def run_demo(args: argparse.Namespace) -> int:
    """Start the simulator and run against it."""
    from tui.cli.running import choose_ui, run_host
    from tui.core.money import parse_price
    from tui.engine.host import Host
    from tui.jobs.demo import DEMO_PRICE, cancel_one, demo_setup, demo_simulator
    from tui.simulator.process import SimulatorProcess

    with SimulatorProcess(demo_simulator(args.seed)) as simulator:
        setup = demo_setup(
            simulator.base_url,
            requests=args.requests,
            concurrency=args.concurrency,
            rpm=args.rpm,
            seed=args.seed,
            price=parse_price(args.price) if args.price is not None else DEMO_PRICE,
            out=None if args.no_save else args.out,
        )

        hosts: list[Host] = []

        def make() -> Host:
            host = Host(setup)
            host.beside(cancel_one(host))
            hosts.append(host)
            return host

        code = run_host(make, choose_ui(args.ui), args.json)
    # Its failures are staged; a demo that showed them, and could write them down, has done what it was asked to.
    return EXIT_DONE if code == EXIT_FAILED and all(host.record_error is None for host in hosts) else code
