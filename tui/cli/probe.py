"""`weir probe`: where a provider's limit is, what happens there, and what gets through."""

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING

from tui.cli.parsing import EXIT_BUDGET, EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, Parser, duration, whole
from tui.cli.target import add_target
from tui.core.errors import UsageError
from tui.core.untrusted import clean_line

if TYPE_CHECKING:
    from tui.core.probe_verdict import Verdict
    from tui.engine.screen import Screen
    from tui.jobs.probe import ProbeSession, ProbeSetup


EXAMPLES = """examples:
  weir probe --base-url http://127.0.0.1:8600 -m sim-fast
  weir probe -m gpt-4o-mini --budget 0.05
  weir probe -m gpt-4o-mini --json | jq -r .command

A probe uses the limit up once and watches how it comes back: for a minute or two, others under the same key are
refused. Limits are taken to be a minute's. Nothing is sent twice, and no wait that the server asks for is cut short.
Where no limit shows and none is stated, 600 requests are the end of the search; --max-requests bounds it otherwise.

exit codes: 0 a verdict, if only bounds: of what --time or --max-requests left room for, or that no limit was met
            1 nothing can be said, and why · 2 usage error · 4 budget reached · 130 interrupted
"""


def add_probe(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("probe", help="find a provider's rate limit with few requests", epilog=EXAMPLES)
    add_target(parser, retries=False)
    bounds = parser.add_argument_group("how far to go")
    bounds.add_argument(
        "--max-requests",
        type=whole(2),
        metavar="N",
        help="requests in all (default: 600 in search of a limit that is not stated, 2,000 with one)",
    )
    bounds.add_argument(
        "--max-concurrency", type=whole(1), default=64, metavar="N", help="requests at once (default: 64)"
    )
    bounds.add_argument("--time", type=duration, default=300.0, metavar="DURATION", help="in all (default: 5m)")
    bounds.add_argument("--budget", metavar="USD", help="what all requests may cost at worst")
    result = parser.add_argument_group("result")
    result.add_argument("--price", metavar="RATES", help="USD per million tokens: in=2.5,out=10,cached=1.25")
    result.add_argument(
        "--ui", choices=("dashboard", "plain", "none"), help="default: dashboard on a terminal, else plain"
    )
    result.add_argument("--json", action="store_true", help="print the verdict as one JSON object")
    parser.set_defaults(run=run_probe)


def run_probe(args: argparse.Namespace) -> int:
    """Resolve the flags into a setup and probe."""
    from tui.cli.running import choose_ui
    from tui.cli.target import endpoint_from, limits_from, params_from
    from tui.core.budget import parse_budget
    from tui.core.money import parse_price
    from tui.engine.models import only_model
    from tui.jobs.probe import ProbeSetup

    endpoint = endpoint_from(args)
    params, limits = params_from(args), limits_from(args)
    answers = params.get("n", 1)
    if answers != 1:
        raise UsageError("--extra-body", '"n" makes requests count for more than one', "leave it out")
    price = parse_price(args.price) if args.price is not None else None
    budget = parse_budget(args.budget) if args.budget is not None else None
    model = args.model if args.model is not None else asyncio.run(only_model(endpoint))
    setup = ProbeSetup(
        endpoint=endpoint,
        model=model,
        params=params,
        system=args.system,
        limits=limits,
        max_requests=args.max_requests,
        max_concurrency=args.max_concurrency,
        time_s=args.time,
        price=price,
        budget=budget,
        target=target_flags(args, endpoint.base_url, model),
    )
    return asyncio.run(_run(setup, choose_ui(args.ui), args.json))


def target_flags(args: argparse.Namespace, base_url: str, model: str) -> tuple[str, ...]:
    """The flags that ask the same of the same again. A header's value is only named: `env:` and a variable for it."""
    flags = ["--base-url", base_url, "-m", model]
    if args.api_key_env is not None:
        flags += ["--api-key-env", args.api_key_env]
    for header in args.header:
        name, _, value = (part.strip() for part in header.partition(":"))
        variable = value if value.startswith("env:") else f"env:{name.upper().replace('-', '_')}"
        flags += ["-H", f"{name}: {variable}"]
    for flag, value in (
        ("--system", args.system),
        ("--max-tokens", args.max_tokens),
        ("--temperature", args.temperature),
        ("--extra-body", args.extra_body),
    ):
        if value is not None:
            # As one word: a value that begins with a dash is no flag.
            flags.append(f"{flag}={value}")
    return tuple(flags)


async def _run(setup: "ProbeSetup", ui: str, as_json: bool) -> int:
    from dataclasses import replace

    from tui.cli.running import Interrupts
    from tui.engine.screen import Screen
    from tui.files.price_book import PriceBook
    from tui.jobs.probe import ProbeSession

    if setup.budget is not None and setup.price is None:
        setup = replace(setup, price=await PriceBook().find(setup.model, setup.endpoint.base_url))
    session = ProbeSession(setup, _narrate if ui == "plain" else _keep_quiet)
    screen = Screen(session) if ui == "dashboard" else None
    interrupts = Interrupts(session, quiet=ui == "dashboard")
    interrupts.install()
    watcher = None
    if screen is not None:
        screen.start()
        watcher = asyncio.create_task(_go_on_without(screen, session))
    try:
        verdict = await session.run()
        if screen is not None:
            # What it found stays on the screen until its reader has seen enough, or a signal says so.
            await interrupts.stopped_or(screen.closed)
    finally:
        if watcher is not None:
            watcher.cancel()
        if screen is not None:
            await screen.close()
    _last_words(verdict, as_json)
    return exit_code(session, verdict)


def exit_code(session: "ProbeSession", verdict: "Verdict") -> int:
    """0 a verdict, if only bounds; 1 nothing can be said; 4 the budget ended it; 130 interrupted."""
    if session.interrupted:
        return EXIT_INTERRUPTED
    if session.over_budget:
        return EXIT_BUDGET
    return EXIT_DONE if verdict.found else EXIT_FAILED


async def _go_on_without(screen: "Screen", session: "ProbeSession") -> None:
    """A screen that goes before the probe has ended leaves nobody to watch it: end with what is known."""
    from tui.core.commands import Drain

    await screen.closed.wait()
    if not screen.asked_to_close:
        session.send(Drain())


def _narrate(note: str) -> None:
    sys.stderr.write(f"{note}\n")


def _keep_quiet(note: str) -> None:
    pass


def _last_words(verdict: "Verdict", as_json: bool) -> None:
    """The verdict on stdout; an error on stderr where there is none, and nothing but that for people."""
    from tui.cli.probe_words import verdict_text

    if as_json:
        sys.stdout.write(json.dumps(verdict.to_dict()) + "\n")
    elif verdict.found:
        sys.stdout.write(verdict_text(verdict) + "\n")
    sys.stdout.flush()
    if not verdict.found:
        why = clean_line(verdict.stopped or "nothing was heard")
        hint = "hint: is the name after -m right, and the API's address?\n" if why.startswith("HTTP 404") else ""
        sys.stderr.write(f"error: {why}\n{hint}")
