"""The flags that say when calls arrive, and which values a sweep goes through. Parses and checks; runs nothing."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tui.cli.parsing import number, whole
from tui.core.arrivals import LEAST_BURSTINESS, MOST_BURSTINESS
from tui.core.errors import UsageError
from tui.core.ramp import Ramp, parse_ramp
from tui.core.sweep import Sweep, parse_sweep
from tui.core.untrusted import clean_line

if TYPE_CHECKING:
    from tui.jobs.load import Shape

T = TypeVar("T")
ARRIVALS = ("closed", "constant", "poisson", "gamma")
_MIDDLE_RPM = 120
"""In hints: a rate that hurts nobody."""


def add_shape(parser: argparse.ArgumentParser) -> None:
    """--arrival and what belongs to it, and --sweep."""
    shape = parser.add_argument_group(
        "shape",
        "Without these a call begins when another one ends (a closed loop). With a schedule\n"
        "it begins when it is due, however busy the server is, and what is late shows as queue time.",
    )
    shape.add_argument(
        "--arrival",
        choices=ARRIVALS,
        help="how calls arrive: as slots fall free, or at --rate evenly, at random (poisson) or in bursts (gamma) "
        "(default: closed; constant with --rate or --ramp)",
    )
    shape.add_argument("--rate", type=whole(1), metavar="N", help="calls a minute that the schedule wants; no limit")
    shape.add_argument(
        "--burstiness",
        type=number,
        metavar="X",
        help="of gamma: 1 is poisson, less is burstier, more is evener (default: 1)",
    )
    shape.add_argument(
        "--ramp",
        type=_parsed(parse_ramp),
        metavar="A..B/TIME[:STEP]",
        help="in place of --rate: from A to B calls a minute within TIME, in steps of STEP if given, then B; "
        "ends there unless --requests or --duration says otherwise",
    )
    shape.add_argument(
        "--sweep",
        type=_parsed(parse_sweep),
        metavar="WHAT=N,N,…",
        help="one run a value of concurrency or rpm (with a schedule: its rate), and one table at the end",
    )


def shape_from(args: argparse.Namespace) -> "Shape":
    """When calls arrive; UsageError when the flags do not go together. A sweep of rates fills the rate in later."""
    from tui.jobs.load import Shape

    ramp: Ramp | None = args.ramp
    swept = args.sweep is not None and args.sweep.kind == "rpm"
    arrival = args.arrival
    if arrival is None:
        arrival = "closed" if args.rate is None and ramp is None else "constant"
    if args.burstiness is not None:
        if arrival != "gamma":
            raise UsageError("--burstiness", "says nothing without --arrival gamma", "add --arrival gamma")
        if not LEAST_BURSTINESS <= args.burstiness <= MOST_BURSTINESS:
            raise UsageError(
                "--burstiness",
                f"must be {LEAST_BURSTINESS:g} to {MOST_BURSTINESS:,.0f}, got {args.burstiness:g}",
                "1 is poisson, 0.25 is bursty, 10 is nearly even",
            )
    if ramp is not None and args.rate is not None:
        raise UsageError("--rate", "cannot be used with --ramp, which is a rate that changes", "use one of them")
    if arrival == "closed":
        for flag, value in (("--rate", args.rate), ("--ramp", ramp)):
            if value is not None:
                raise UsageError(
                    flag,
                    "says nothing in a closed loop, where a call begins when another one ends",
                    "--arrival constant, or --rpm N for a limit",
                )
    elif args.rate is None and ramp is None and not swept:
        raise UsageError(
            "--arrival",
            f"{arrival} needs a rate",
            f"add --rate {_MIDDLE_RPM}, or --ramp 60..600/2m for one that changes",
        )
    return Shape(arrival, ramp if ramp is not None else args.rate, 1.0 if args.burstiness is None else args.burstiness)


def check_sweep(args: argparse.Namespace, open_loop: bool) -> None:
    """UsageError when --sweep and another flag both say what it is to vary, or when its runs cannot be told apart."""
    sweep: Sweep | None = args.sweep
    if sweep is None:
        return
    hint = "leave one of them out"
    if sweep.kind == "concurrency":
        if args.concurrency is not None:
            raise UsageError("--concurrency", "is what --sweep varies", hint)
        return
    if args.ramp is not None:
        raise UsageError("--ramp", "cannot be used with --sweep rpm: both change the rate", hint)
    if args.rate is not None:
        raise UsageError("--rate", "is what --sweep varies", hint)
    if args.rpm is not None and not open_loop:
        raise UsageError("--rpm", "is what --sweep varies", hint)


def _parsed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """`parse` for argparse: what it says is wrong, said under the flag's name and drawn clean."""

    def parse_flag(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(clean_line(str(error))) from error

    return parse_flag
