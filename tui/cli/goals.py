"""What a run must reach and what it may cost: `--goodput`, `--fail-if`, `--budget`. (`--dry-run`: cli/estimating.py.)

Turns flags into a setup and figures into an exit code. The rules are in core/objectives.py, fail_if.py and budget.py;
they are imported when a flag asks for them, so that a plain start does not pay for them.
"""

import argparse
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from tui.cli.estimating import dry_run
from tui.cli.parsing import EXIT_BUDGET, EXIT_CONDITION
from tui.core.errors import UsageError

if TYPE_CHECKING:
    from tui.core.calls import CallPlan
    from tui.core.fail_if import Condition
    from tui.core.money import Price
    from tui.core.objectives import Objectives
    from tui.engine.setup import RunSetup


_GOODPUT_HINT = '--goodput "ttft:500 tpot:50 e2e:3s"; a number without a unit is in milliseconds'
_FAIL_IF_HINT = '--fail-if "ttft_s.p95>0.5"; paths are those of --json'
_PRICE_HINT = 'state it: --price "in=2.5,out=10", in USD'
_COST = "cost_usd"
"""The figure that nobody has without a price."""


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
        """The setup with these goals; UsageError where the cost of the first call has no bound.

        Plans that come one after another are looked at here; a source that reads its documents as it goes must know by
        itself that what it asks for is bounded.
        """
        setup = dataclasses.replace(
            setup, objectives=self.objectives, budget_usd=self.budget_usd, adapt=self.adapt or setup.adapt
        )
        plans = setup.plans
        if self.budget_usd is not None and setup.price is not None and isinstance(plans, Iterator):
            setup = dataclasses.replace(setup, plans=_bounded(plans, setup.price))
        return setup

    def price_of(self, price: "Price | None", model: str, base_url: str) -> "Price | None":
        """The price, looked up where it must be known before the first request; not to be called inside a loop.

        Raises UsageError where a budget, or a condition on the cost, has none: such a condition could only fail, and
        would say so when all is paid for.
        """
        on_cost = any(condition.path == _COST for condition in self.conditions)
        if price is not None or not (self.budget_usd is not None or on_cost or self.dry_run):
            return price
        price, why = _find_price(model, base_url)
        if price is None and self.budget_usd is not None:
            raise UsageError("--budget", f"the price must be known: {why}", _PRICE_HINT)
        if price is None and on_cost:
            raise UsageError("--fail-if", f"{_COST} can only be compared when the price is known: {why}", _PRICE_HINT)
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


__all__ = ["Goals", "add_goals", "dry_run", "goals_from", "verdict_exit"]
