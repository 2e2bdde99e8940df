"""Goals on the command line: what they make of a setup, of figures and of an exit code."""

import argparse
from decimal import Decimal
from typing import Any

import pytest

from tui.cli.goals import Goals, add_goals, goals_from, verdict_exit
from tui.cli.parsing import EXIT_BUDGET, EXIT_CONDITION
from tui.core.calls import CallPlan
from tui.core.errors import UsageError
from tui.core.money import Price
from tui.engine.endpoint import Endpoint
from tui.engine.setup import RunSetup

PRICE = Price(Decimal(1), Decimal(10), origin="--price")
FIGURES: dict[str, Any] = {
    "calls": {"total": 10, "done": 9, "failed": 1},
    "ttft_s": {"p95": 0.612},
    "never_sent": 0,
    "budget": {"limit_usd": "0.50", "charged_usd": "0.49", "refused": 2},
}


class AHost:
    def __init__(self, refused_for_money: int = 0) -> None:
        self.refused_for_money = refused_for_money


def goals(*flags: str) -> Goals:
    parser = argparse.ArgumentParser()
    add_goals(parser)
    return goals_from(parser.parse_args(flags))


def a_setup(calls: int | None = 10, **more: Any) -> RunSetup:
    params = more.pop("params", {"max_tokens": 50})
    plans = (
        CallPlan(number, "m", ({"role": "user", "content": "Name a river."},), params)
        for number in range(1, (calls or 1000) + 1)
    )
    options = {"price": PRICE, **more}
    return RunSetup("load", "m", Endpoint("http://127.0.0.1:9/v1"), plans, calls, **options)


# ── before the run ─────────────────────────────────────────────────────────────────────────────────────


def test_no_flag_is_no_goal() -> None:
    assert goals() == Goals()


def test_the_flags_become_values_of_the_setup() -> None:
    asked = goals("--goodput", "ttft:500 tpot:50", "--budget", "0.50", "--adapt", "--fail-if", "goodput.share<0.99")
    setup = asked.applied_to(a_setup())
    assert str(setup.objectives) == "ttft ≤ 500 ms, tpot ≤ 50 ms"
    assert (setup.budget_usd, setup.adapt) == (Decimal("0.50"), True)
    assert [str(condition) for condition in asked.conditions] == ["goodput.share < 0.99"]
    assert [plan.id for plan in setup.plans] == list(range(1, 11))


@pytest.mark.parametrize(
    ("flags", "where", "what"),
    [
        (("--goodput", "ttfb:500"), "--goodput", "names no objective"),
        (("--fail-if", "ttft_s.p95"), "--fail-if", "expected a path"),
        (("--fail-if", "ttft.p95>1"), "--fail-if", "no number of the summary"),
        (("--fail-if", "goodput.share<1"), "--fail-if", "needs objectives"),
        (("--fail-if", "goodput<1"), "--fail-if", "needs objectives"),
        (("--budget", "0"), "--budget", "above 0"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_flag(flags: tuple[str, ...], where: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        goals(*flags)
    assert caught.value.where == where


def test_a_number_of_the_runs_end_can_be_a_condition_too() -> None:
    assert goals("--fail-if", "never_sent>0").conditions[0].path == "never_sent"


def test_a_budget_needs_a_price_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="a server on this machine has no price") as caught:
        goals("--budget", "1").price_of(None, "m", "http://127.0.0.1:9/v1")
    assert "--price" in caught.value.hint


def test_a_condition_on_the_cost_needs_a_price_before_anything_is_paid_for() -> None:
    asked = goals("--fail-if", "calls.failed>0", "--fail-if", "cost_usd>0.5")
    with pytest.raises(UsageError, match="can only be compared when the price is known: a server on this") as caught:
        asked.price_of(None, "m", "http://127.0.0.1:9/v1")
    assert (caught.value.where, "--price" in caught.value.hint) == ("--fail-if", True)
    assert asked.price_of(PRICE, "m", "http://127.0.0.1:9/v1") is PRICE


def test_a_condition_on_anything_else_needs_none() -> None:
    assert goals("--fail-if", "calls.failed>0").price_of(None, "m", "http://127.0.0.1:9/v1") is None


def test_a_budget_needs_a_bound_on_answers_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="no most tokens") as caught:
        goals("--budget", "1").applied_to(a_setup(params={}))
    assert "--max-tokens" in caught.value.hint


def test_a_price_is_looked_up_only_where_it_must_be_known() -> None:
    assert goals().price_of(None, "m", "http://127.0.0.1:9/v1") is None
    assert goals("--budget", "1").price_of(PRICE, "m", "http://127.0.0.1:9/v1") is PRICE
    assert goals("--dry-run").price_of(None, "m", "http://127.0.0.1:9/v1") is None


def test_a_budget_holds_for_one_run_and_not_for_a_sweep_of_them() -> None:
    parser = argparse.ArgumentParser()
    add_goals(parser)
    parser.add_argument("--sweep")
    for flags in (["--budget", "1"], ["--dry-run"]):
        with pytest.raises(UsageError, match="a sweep is several"):
            goals_from(parser.parse_args([*flags, "--sweep", "rpm=1,2"]))


# ── after the run ──────────────────────────────────────────────────────────────────────────────────────


def test_a_condition_that_holds_is_exit_3_with_the_comparison() -> None:
    conditions = goals("--fail-if", "ttft_s.p95>0.5", "--fail-if", "calls.failed>5").conditions
    assert verdict_exit(FIGURES, conditions, AHost()) == (EXIT_CONDITION, "failed: ttft_s.p95 = 0.612 > 0.5\n")


def test_money_that_ran_out_is_exit_4_and_a_condition_comes_first() -> None:
    code, text = verdict_exit(FIGURES, (), AHost(2))
    assert code == EXIT_BUDGET == 4
    assert "2 calls were not sent or not tried again" in text
    assert "$0.5" in text
    conditions = goals("--fail-if", "calls.failed>0").conditions
    code, text = verdict_exit(FIGURES, conditions, AHost(1))
    assert code == EXIT_CONDITION == 3
    assert [line.partition(":")[0] for line in text.splitlines()] == ["failed", "budget"]


def test_a_run_that_reached_its_goals_has_no_word_to_say() -> None:
    conditions = goals("--fail-if", "ttft_s.p95>0.7").conditions
    assert verdict_exit(FIGURES, conditions, AHost()) == (0, "")


def test_what_was_not_measured_fails() -> None:
    code, text = verdict_exit(FIGURES | {"ttft_s": None}, goals("--fail-if", "ttft_s.p95>0.7").conditions, AHost())
    assert (code, text) == (EXIT_CONDITION, "failed: ttft_s.p95 was not measured\n")
