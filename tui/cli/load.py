"""`weir load`: many streams at once against an API, each live, under a rate limit, in one run or a sweep of them."""

import argparse
import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.goals import add_goals
from tui.cli.parsing import Parser, duration, whole
from tui.cli.shape import add_shape, check_sweep, shape_from
from tui.cli.target import add_target
from tui.core.errors import UsageError
from tui.core.ramp import Ramp

if TYPE_CHECKING:
    from tui.cli.goals import Goals
    from tui.engine.setup import RunSetup
    from tui.files.prompts import Prompt
    from tui.jobs.sweep import Step

EXAMPLES = """examples:
  weir load --base-url http://127.0.0.1:8600 --model sim-fast --requests 50 --concurrency 16
  weir load -m gpt-4o-mini --prompts questions.jsonl --rpm 500 --max-tokens 200
  weir load -m llama3 --base-url http://localhost:11434 --duration 60s --ui plain
  weir load -m gpt-4o --prompt "Name a river." --requests 5 --json | jq .ttft_s.p95
  weir load -m llama3 --arrival poisson --rate 300 --duration 2m --seed 7
  weir load -m llama3 --ramp 60..600/2m:60 --warmup 5
  weir load -m llama3 --sweep concurrency=1,2,4,8 --requests 40 --ui plain
  weir load -m llama3 --arrival constant --sweep rpm=60,120,240 --duration 60s --json
  weir load -m gpt-4o --requests 500 --adapt --goodput "ttft:500 e2e:5000" --fail-if "goodput.share<0.95"
  weir load -m gpt-4o --requests 500 --max-tokens 200 --budget 0.50
  weir load -m gpt-4o --requests 500 --max-tokens 200 --rpm 120 --dry-run

A schedule (--rate, --ramp) says when calls begin; --rpm is a limit on what is sent, and holds on top of it.
"""
WARMUP_OF_A_SWEEP = 8


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
    pace.add_argument(
        "--concurrency", type=whole(1), metavar="N", help="streams at once (default: 8; with a schedule 1000)"
    )
    pace.add_argument("--rpm", type=whole(1), metavar="N", help="most attempts in any 60 s (default: no limit)")
    pace.add_argument("--tpm", type=whole(1), metavar="N", help="most tokens a minute (default: no limit)")
    pace.add_argument("--burst", type=whole(1), metavar="N", help="attempts that may go at once (default: rpm / 600)")
    length = pace.add_mutually_exclusive_group()
    length.add_argument(
        "--requests", type=whole(1), metavar="N", help="calls in all (default: one a prompt of --prompts, else 20)"
    )
    length.add_argument("--duration", type=duration, metavar="DURATION", help="dispatch for so long, such as 60s")
    pace.add_argument(
        "--warmup",
        type=whole(0),
        metavar="N",
        help="first calls that no figure counts "
        f"(default: 0; in each run of a sweep one a slot, at most {WARMUP_OF_A_SWEEP})",
    )
    pace.add_argument(
        "--seed",
        type=whole(None),
        metavar="N",
        help="fixes the schedule, the order of the built-in prompts and the jitter",
    )
    add_shape(parser)
    add_goals(parser)
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
    result.add_argument("--no-text", action="store_true", help="keep prompts and answers out of the record")
    result.add_argument(
        "--ui", choices=("dashboard", "plain", "none"), help="default: dashboard on a terminal, else plain"
    )
    result.add_argument("--json", action="store_true", help="print the summary as one JSON object (a sweep: a list)")


def run_load(args: argparse.Namespace) -> int:
    """Resolve the flags into a setup, or one a value of a sweep, and run it."""
    from tui.cli.goals import dry_run, goals_from
    from tui.cli.running import choose_ui, run_host, run_sweep
    from tui.engine.host import Host
    from tui.jobs.sweep import SweepSession, steps_of

    goals = goals_from(args)
    setup = _setups(args, goals)
    if goals.dry_run:
        return dry_run(setup(None, 1), args.json)
    ui = choose_ui(args.ui)
    if args.sweep is None:
        single = setup(None, 1)
        return run_host(lambda: Host(single), ui, args.json, goals.conditions)
    return run_sweep(
        lambda: SweepSession(steps_of(args.sweep), lambda step, first: Host(setup(step, first))),
        ui,
        args.json,
        goals.conditions,
    )


def _setups(args: argparse.Namespace, goals: "Goals") -> "Callable[[Step | None, int], RunSetup]":
    """What makes the setup of a run: a sweep's step, or the only one; its first call gets the number it is told."""
    from tui.cli.target import endpoint_from, limits_from, params_from
    from tui.core.money import parse_price
    from tui.core.retry import RetryPolicy
    from tui.engine.models import only_model
    from tui.engine.setup import RunSetup
    from tui.jobs.load import load_plans

    endpoint = endpoint_from(args)
    params, limits = params_from(args), limits_from(args)
    price = parse_price(args.price) if args.price is not None else None
    shape = shape_from(args)
    open_loop = shape.arrival != "closed"
    check_sweep(args, open_loop)
    sweeps_rpm = args.sweep is not None and args.sweep.kind == "rpm"
    if args.burst is not None and args.rpm is None and (open_loop or not sweeps_rpm):
        raise UsageError("--burst", "says nothing without --rpm", "add --rpm N")
    prompts, in_file = _prompts(args)
    requests, duration_s = _length(args, in_file)
    model = args.model if args.model is not None else asyncio.run(only_model(endpoint))
    price = goals.price_of(price, model, endpoint.base_url)

    def setup(step: "Step | None", first: int) -> RunSetup:
        """Anew for each run: plans and schedules are used up."""
        concurrency, rpm, this = args.concurrency, args.rpm, shape
        if step is not None and step.kind == "concurrency":
            concurrency = step.value
        elif step is not None and open_loop:
            this = replace(shape, rate=step.value)
        elif step is not None:
            rpm = step.value
        concurrency = this.concurrency if concurrency is None else concurrency
        warmup = args.warmup
        if warmup is None:
            warmup = 0 if step is None else min(concurrency, WARMUP_OF_A_SWEEP)
        notes = {"params": params, "system": args.system, "warmup": warmup, "retries": args.retries}
        notes |= {"goodput": args.goodput, **this.notes()}
        plain = RunSetup(
            job="load" if step is None else "sweep",
            model=model,
            endpoint=endpoint,
            plans=load_plans(prompts, model, params, args.system, requests, warmup, first),
            planned=None if requests is None else requests + warmup,
            schedule=this.schedule(args.seed),
            duration_s=duration_s,
            concurrency=concurrency,
            rpm=rpm,
            tpm=args.tpm,
            burst=args.burst,
            policy=RetryPolicy(attempts=args.retries + 1),
            limits=limits,
            price=price,
            seed=args.seed,
            out=None if args.no_save else args.out,
            notes=notes if step is None else {**notes, "sweep": step.notes()},
            keep_text=not args.no_text,
        )
        return goals.applied_to(plain)

    return setup


def _length(args: argparse.Namespace, in_file: int) -> tuple[int | None, float | None]:
    """How many calls and how many seconds of dispatch: one of them is None."""
    ramp: Ramp | None = args.ramp
    if args.requests is None and args.duration is None and ramp is not None:
        return None, ramp.duration_s  # whoever asks for a ramp wants to see its end
    return (args.requests if args.requests is not None or args.duration is not None else in_file), args.duration


def _prompts(args: argparse.Namespace) -> "tuple[Callable[[], Iterator[Prompt]], int]":
    """Where prompts come from, again and again, and how many calls that makes unless told otherwise."""
    from tui.files.prompts import check_prompts, read_prompts
    from tui.jobs.load import DEFAULT_REQUESTS, default_prompts, prompts_of

    if args.prompts is not None:
        if args.prompt:
            raise UsageError("--prompt", "cannot be used with --prompts", "use one of them")
        number = check_prompts(args.prompts)
        if number is None and args.requests is None and args.duration is None and args.ramp is None:
            raise UsageError("--requests", f"{args.prompts} is too large to be counted", "say how many calls to make")
        return lambda: read_prompts(args.prompts), number or 0
    prompts = prompts_of(args.prompt) if args.prompt else default_prompts(args.seed)
    return lambda: iter(prompts), DEFAULT_REQUESTS
