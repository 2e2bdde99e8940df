"""`weir load`: many streams at once against an API, each live, under a rate limit."""

import argparse
import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.parsing import Parser, duration, whole
from tui.cli.target import add_target
from tui.core.errors import UsageError

if TYPE_CHECKING:
    from tui.files.prompts import Prompt

EXAMPLES = """examples:
  weir load --base-url http://127.0.0.1:8600 --model sim-fast --requests 50 --concurrency 16
  weir load -m gpt-4o-mini --prompts questions.jsonl --rpm 500 --max-tokens 200
  weir load -m llama3 --base-url http://localhost:11434 --duration 60s --ui plain
  weir load -m gpt-4o --prompt "Name a river." --requests 5 --json | jq .ttft_s.p95
"""


def add_load(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("load", help="run many streams at once and watch each", epilog=EXAMPLES)
    add_target(parser)
    what = parser.add_argument_group("prompts")
    what.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="repeatable")
    what.add_argument(
        "--prompts", type=Path, metavar="FILE", help='.txt: one a line; .jsonl: objects with "prompt" or "messages"'
    )
    pace = parser.add_argument_group("pace")
    pace.add_argument("--concurrency", type=whole(1), default=8, metavar="N", help="streams at once (default: 8)")
    pace.add_argument("--rpm", type=whole(1), metavar="N", help="most attempts in any 60 s (default: no limit)")
    pace.add_argument("--tpm", type=whole(1), metavar="N", help="most tokens a minute (default: no limit)")
    pace.add_argument("--burst", type=whole(1), metavar="N", help="attempts that may go at once (default: rpm / 600)")
    length = pace.add_mutually_exclusive_group()
    length.add_argument(
        "--requests", type=whole(1), metavar="N", help="calls in all (default: one a prompt of --prompts, else 20)"
    )
    length.add_argument("--duration", type=duration, metavar="DURATION", help="dispatch for so long, such as 60s")
    pace.add_argument("--warmup", type=whole(0), default=0, metavar="N", help="first calls that no figure counts")
    pace.add_argument("--seed", type=int, metavar="N", help="fixes the order of the built-in prompts and the jitter")
    add_output(parser)
    parser.set_defaults(run=run_load)


def add_output(parser: argparse.ArgumentParser) -> None:
    """What is shown, printed and kept."""
    result = parser.add_argument_group("result")
    result.add_argument("--price", metavar="RATES", help="USD per million tokens: in=2.5,out=10,cached=1.25")
    result.add_argument(
        "--out", type=Path, default=Path("weir-runs"), metavar="DIR", help="where run folders go (default: weir-runs)"
    )
    result.add_argument("--no-save", action="store_true", help="keep nothing on disk")
    result.add_argument(
        "--ui", choices=("dashboard", "plain", "none"), help="default: dashboard on a terminal, else plain"
    )
    result.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def run_load(args: argparse.Namespace) -> int:
    """Resolve the flags into a setup and run it."""
    from tui.cli.running import choose_ui, run_host
    from tui.cli.target import endpoint_from, limits_from, params_from
    from tui.core.money import parse_price
    from tui.core.retry import RetryPolicy
    from tui.engine.host import Host
    from tui.engine.models import only_model
    from tui.engine.setup import RunSetup
    from tui.jobs.load import load_plans

    endpoint = endpoint_from(args)
    params, limits = params_from(args), limits_from(args)
    price = parse_price(args.price) if args.price is not None else None
    if args.burst is not None and args.rpm is None:
        raise UsageError("--burst", "says nothing without --rpm", "add --rpm N")
    prompts, in_file = _prompts(args)
    requests = args.requests if args.requests is not None or args.duration is not None else in_file
    model = args.model if args.model is not None else asyncio.run(only_model(endpoint))
    setup = RunSetup(
        job="load",
        model=model,
        endpoint=endpoint,
        plans=load_plans(prompts, model, params, args.system, requests, args.warmup),
        planned=None if requests is None else requests + args.warmup,
        duration_s=args.duration,
        concurrency=args.concurrency,
        rpm=args.rpm,
        tpm=args.tpm,
        burst=args.burst,
        policy=RetryPolicy(attempts=args.retries + 1),
        limits=limits,
        price=price,
        seed=args.seed,
        out=None if args.no_save else args.out,
        notes={"params": params, "system": args.system, "warmup": args.warmup, "retries": args.retries},
    )
    return run_host(lambda: Host(setup), choose_ui(args.ui), args.json)


def _prompts(args: argparse.Namespace) -> "tuple[Callable[[], Iterator[Prompt]], int]":
    """Where prompts come from, again and again, and how many calls that makes unless told otherwise."""
    from tui.files.prompts import check_prompts, read_prompts
    from tui.jobs.load import DEFAULT_REQUESTS, default_prompts, prompts_of

    if args.prompts is not None:
        if args.prompt:
            raise UsageError("--prompt", "cannot be used with --prompts", "use one of them")
        number = check_prompts(args.prompts)
        if number is None and args.requests is None and args.duration is None:
            raise UsageError("--requests", f"{args.prompts} is too large to be counted", "say how many calls to make")
        return lambda: read_prompts(args.prompts), number or 0
    prompts = prompts_of(args.prompt) if args.prompt else default_prompts(args.seed)
    return lambda: iter(prompts), DEFAULT_REQUESTS
