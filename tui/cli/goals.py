"""What a run must reach, what it may cost, and what it would take: `--goodput`, `--fail-if`, `--budget`, `--dry-run`.

Turns flags into a setup and figures into an exit code. The rules are in core/objectives.py, fail_if.py and budget.py;
they are imported when a flag asks for them, so that a plain start does not pay for them.
"""

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING, Any, Protocol

from tui.cli.parsing import EXIT_BUDGET, EXIT_CONDITION
from tui.core.errors import UsageError

if TYPE_CHECKING:
    from tui.core.budget import Estimate
    from tui.core.calls import CallPlan
    from tui.core.fail_if import Condition
    from tui.core.money import Price
    from tui.core.objectives import Objectives
    from tui.engine.setup import RunSetup


_GOODPUT_HINT = '--goodput "ttft:500 tpot:50 e2e:3s"; a number without a unit is in milliseconds'
_FAIL_IF_HINT = '--fail-if "ttft_s.p95>0.5"; paths are those of --json'


def add_goals(parser: argparse.ArgumentParser) -> None:
    """--goodput, --fail-if, --budget, --dry-run, --adapt."""
    goals = parser.add_argument_group("goals")
    goals.add_argument(
        "--goodput", metavar="OBJECTIVES", help='what a good call meets, in ms: "ttft:500 tpot:50 e2e:3000"'
    )
    goals.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help='exit 3 when a number of the summary is so: "ttft_s.p95>0.5"; repeatable',
    )
    goals.add_argument("--budget", metavar="USD", help="send nothing that may cost more than this in all; exit 4 then")
    goals.add_argument("--dry-run", action="store_true", help="say what the run would take and cost; send nothing")
    goals.add_argument(
        "--adapt",
        action="store_true",
        help="find the rate and the number at once that the server bears, up to --rpm and --concurrency",
    )


@dataclass(frozen=True, slots=True)
class Goals:
    """What the flags ask of a run."""

    objectives: "Objectives | None" = None
    conditions: "tuple[Condition, ...]" = ()
    budget_usd: Decimal | None = None
    adapt: bool = False
    dry_run: bool = False

    def applied_to(self, setup: "RunSetup") -> "RunSetup":
        """The setup with these goals; UsageError where the cost of the first call has no bound."""
        setup = dataclasses.replace(
            setup, objectives=self.objectives, budget_usd=self.budget_usd, adapt=self.adapt or setup.adapt
        )
        if self.budget_usd is not None and setup.price is not None:
            setup = dataclasses.replace(setup, plans=_bounded(setup.plans, setup.price))
        return setup

    def price_of(self, price: "Price | None", model: str, base_url: str) -> "Price | None":
        """The price, looked up where it must be known before the first request; not to be called inside a loop.

        Raises UsageError where a budget has none.
        """
        if price is not None or (self.budget_usd is None and not self.dry_run):
            return price
        price, why = _find_price(model, base_url)
        if price is None and self.budget_usd is not None:
            raise UsageError("--budget", f"the price must be known: {why}", 'state it: --price "in=2.5,out=10", in USD')
        return price


def goals_from(args: argparse.Namespace) -> Goals:
    """The goals that the flags name; UsageError for what cannot be read, before anything is sent."""
    if getattr(args, "sweep", None) is not None and (args.budget is not None or args.dry_run):
        flag = "--budget" if args.budget is not None else "--dry-run"
        raise UsageError(flag, "holds for one run, and a sweep is several", "leave --sweep out")
    objectives = _objectives(args.goodput) if args.goodput is not None else None
    budget_usd = None
    if args.budget is not None:
        from tui.core.budget import parse_budget

        budget_usd = parse_budget(args.budget)
    conditions = _conditions(args.fail_if, objectives) if args.fail_if else ()
    return Goals(objectives, conditions, budget_usd, args.adapt, args.dry_run)


def _objectives(text: str) -> "Objectives":
    from tui.core.objectives import ObjectiveError, parse_goodput

    try:
        return parse_goodput(text)
    except ObjectiveError as error:
        raise UsageError("--goodput", str(error), _GOODPUT_HINT) from error


def _conditions(texts: list[str], objectives: "Objectives | None") -> "tuple[Condition, ...]":
    from tui.core.fail_if import ConditionError, known_paths, parse_condition

    known = [*known_paths(objectives), "never_sent"]
    try:
        return tuple(parse_condition(text, known) for text in texts)
    except ConditionError as error:
        raise UsageError("--fail-if", str(error), _FAIL_IF_HINT) from error


def _find_price(model: str, base_url: str) -> "tuple[Price | None, str]":
    import asyncio

    from tui.files.price_book import PriceBook

    book = PriceBook()
    price = asyncio.run(book.find(model, base_url))
    return price, book.why or "no price is known"


def _bounded(plans: "Iterator[CallPlan]", price: "Price") -> "Iterator[CallPlan]":
    """The same plans; UsageError when the first one's cost has no upper bound, for then none is likely to."""
    from tui.core.budget import worst_cost

    first = next(plans, None)
    if first is None:
        return iter(())
    worst_cost(first, price)
    return chain((first,), plans)


# ── after the run ──────────────────────────────────────────────────────────────────────────────────────


class Spender(Protocol):
    """What is asked of a host."""

    @property
    def refused_for_money(self) -> int:
        """Calls that ended because another attempt might have passed the budget."""


def verdict_exit(figures: Mapping[str, Any], conditions: "Iterable[Condition]", host: Spender) -> tuple[int, str]:
    """Exit code and lines for stderr: 3 when a condition holds, else 4 when money ran out, else 0 with no word.

    A run that was interrupted, or whose calls failed, has codes of its own: ask for those when this is 0, but a run
    that a person interrupted keeps 130.
    """
    verdicts = [condition.check(figures) for condition in conditions]
    lines = [f"failed: {verdict.shown}\n" for verdict in verdicts if verdict.failed]
    refused = host.refused_for_money
    if refused:
        calls = "1 call was" if refused == 1 else f"{refused:,} calls were"
        budget = figures.get("budget") or {}
        lines.append(f"budget: {calls} not sent or not tried again, for it might have passed {_usd(budget)}\n")
    code = EXIT_CONDITION if any(verdict.failed for verdict in verdicts) else EXIT_BUDGET if refused else 0
    return code, "".join(lines)


def _usd(budget: Mapping[str, Any]) -> str:
    from tui.core.figures import usd

    return usd(Decimal(budget["limit_usd"])) if "limit_usd" in budget else "the budget"


# ── instead of a run ───────────────────────────────────────────────────────────────────────────────────


def dry_run(setup: "RunSetup", as_json: bool) -> int:
    """Print what a run would take, and send nothing; the exit code. Uses the setup's plans up."""
    found = _estimate(setup)
    if as_json:
        sys.stdout.write(json.dumps(_estimate_figures(found, setup)) + "\n")
    else:
        sys.stdout.write(_estimate_text(found, setup) + "\n")
    return 0


def _estimate(setup: "RunSetup") -> "Estimate":
    from tui.core.budget import estimate, workload

    offsets_s = _due(setup)
    work = workload(islice(setup.plans, _requests(setup) if offsets_s is None else len(offsets_s)))
    burst = setup.burst or max(1, (setup.rpm or 0) // 600)
    found = estimate(work, setup.price, setup.rpm, setup.tpm, setup.concurrency, burst)
    if offsets_s:  # the last call begins no earlier than it is due
        last_s, high_s = offsets_s[-1], found.duration_high_s
        high_s = None if high_s is None else last_s + high_s
        found = dataclasses.replace(found, duration_low_s=max(found.duration_low_s, last_s), duration_high_s=high_s)
    elif setup.planned is None and setup.duration_s is not None:
        found = dataclasses.replace(found, duration_low_s=setup.duration_s, duration_high_s=None)
    return found


def _due(setup: "RunSetup") -> list[float] | None:
    """When a schedule wants each of its calls, in seconds; None without one that ends."""
    if setup.schedule is None or (setup.planned is None and setup.duration_s is None):
        return None
    end_s = math.inf if setup.duration_s is None else setup.duration_s
    return list(takewhile(lambda offset_s: offset_s <= end_s, islice(setup.schedule, setup.planned)))


def _requests(setup: "RunSetup") -> int:
    """How many calls at most without a schedule; UsageError when nothing tells."""
    if setup.planned is not None:
        return setup.planned
    if setup.duration_s is not None and setup.rpm is not None:
        return math.ceil(setup.rpm * math.ceil(setup.duration_s / 60))  # a minute holds them all in its first second
    raise UsageError("--dry-run", "nothing tells how many calls there will be", "add --requests N, or --rpm N")


def _estimate_figures(found: "Estimate", setup: "RunSetup") -> dict[str, Any]:
    def span(low: object, high: object) -> dict[str, Any]:
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in (("low", low), ("high", high))
        }

    return {
        "dry_run": True,
        "model": setup.model,
        "requests": found.requests,
        "tokens": span(found.tokens_low, found.tokens_high),
        "duration_s": span(found.duration_low_s, found.duration_high_s),
        "cost_usd": span(found.cost_low, found.cost_high),
        "price": None if setup.price is None else setup.price.origin,
        "budget_usd": None if setup.budget_usd is None else format(setup.budget_usd, "f"),
    }


def _estimate_text(found: "Estimate", setup: "RunSetup") -> str:
    from tui.core import figures
    from tui.core.clock import nanoseconds
    from tui.core.untrusted import clean_line

    def lasts(seconds: float | None) -> str | None:
        return None if seconds is None else figures.ms(nanoseconds(seconds))

    pace = [f"{setup.concurrency:,} at once"]
    pace += [f"{limit:,} {unit}" for limit, unit in ((setup.rpm, "rpm"), (setup.tpm, "tpm")) if limit is not None]
    tokens_high = None if found.tokens_high is None else figures.exact(found.tokens_high)
    cost = "? (no price is known; see --price)"
    if found.cost_low is not None and setup.price is not None:
        cost_high = None if found.cost_high is None else figures.usd(found.cost_high)
        cost = f"{_span(figures.usd(found.cost_low), cost_high)} ({setup.price.origin or 'by the price given'})"
    rows = [
        ("requests", figures.exact(found.requests)),
        ("tokens", _span(figures.exact(found.tokens_low), tokens_high)),
        ("duration", f"{_span(lasts(found.duration_low_s) or '', lasts(found.duration_high_s))} ({', '.join(pace)})"),
        ("cost", cost),
    ]
    if setup.budget_usd is not None:
        fits = found.cost_high is not None and found.cost_high <= setup.budget_usd
        word = "holds all of it" if fits else "may end the run before its last call"
        rows.append(("budget", f"{figures.usd(setup.budget_usd)} {word}"))
    rows.append(("not in it", "retries, and what the server holds back"))
    head = f"{setup.job} · {clean_line(setup.model)} · nothing was sent"
    return "\n".join([head, *(f"  {name:<10} {value}" for name, value in rows)])


def _span(low: str, high: str | None) -> str:
    if high is None:
        return f"{low} or more: nothing bounds it"
    return low if low == high else f"{low} – {high}"
