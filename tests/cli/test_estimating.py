"""A run that is not run: what it would take, between two figures that say how they came about."""

import argparse
import json
from decimal import Decimal
from typing import Any

import pytest

from tui.cli.estimating import dry_run
from tui.cli.goals import Goals, add_goals, goals_from
from tui.core.budget import worst_cost
from tui.core.calls import CallPlan
from tui.core.errors import UsageError
from tui.core.money import Price
from tui.engine.endpoint import Endpoint
from tui.engine.setup import RunSetup

PRICE = Price(Decimal(1), Decimal(10), origin="--price")
MESSAGES = ({"role": "user", "content": "Name a river."},)


def goals(*flags: str) -> Goals:
    parser = argparse.ArgumentParser()
    add_goals(parser)
    return goals_from(parser.parse_args(flags))


def a_setup(calls: int | None = 10, **more: Any) -> RunSetup:
    params = more.pop("params", {"max_tokens": 50})
    plans = (CallPlan(number, "m", MESSAGES, params) for number in range(1, (calls or 1000) + 1))
    options = {"price": PRICE, **more}
    return RunSetup("load", "m", Endpoint("http://127.0.0.1:9/v1"), plans, calls, **options)


def test_a_dry_run_says_what_it_would_take(capsys: pytest.CaptureFixture[str]) -> None:
    setup = goals("--dry-run", "--budget", "0.01").applied_to(a_setup(rpm=60))
    assert dry_run(setup, as_json=False) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "load · m · nothing was sent"
    named = {row[2:12].strip(): row[13:] for row in rows}
    assert named["requests"] == "10"
    assert " – " in named["tokens"]
    assert "8 at once, 60 rpm" in named["duration"]
    assert named["cost"].endswith("(--price)")
    assert "holds all of it" in named["budget"]
    assert named["low"] == "prompts as o200k_base counts them; answers of one token"
    assert "a token a byte, 128 a request" in named["high"]


def test_a_dry_run_as_json_has_both_bounds_and_money_as_strings(capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run(goals("--dry-run").applied_to(a_setup()), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["requests"], found["dry_run"], found["budget_usd"]) == (10, True, None)
    # "user" and "Name a river." are 1 and 4 tokens of o200k_base, around them 3 and 3, and one of an answer.
    assert (found["tokens"]["low"], found["counted_by"]) == (10 * (1 + 4 + 3 + 3 + 1), "o200k_base")
    for name in ("tokens", "duration_s"):
        assert 0 < found[name]["low"] <= found[name]["high"]
    assert 0 < Decimal(found["cost_usd"]["low"]) <= Decimal(found["cost_usd"]["high"])


def test_a_dry_run_without_a_price_says_so_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(goals("--dry-run").applied_to(a_setup(price=None)), as_json=False)
    assert "? (no price is known" in capsys.readouterr().out


def test_a_dry_run_of_an_endless_run_needs_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="nothing tells how many calls"):
        dry_run(goals("--dry-run").applied_to(a_setup(None, duration_s=60.0)), as_json=True)
    dry_run(goals("--dry-run").applied_to(a_setup(None, duration_s=60.0, rpm=30)), as_json=True)
    assert json.loads(capsys.readouterr().out)["requests"] == 30


def test_a_dry_run_of_a_schedule_counts_the_calls_that_are_due(capsys: pytest.CaptureFixture[str]) -> None:
    schedule = iter(second * 2.0 for second in range(1_000_000))
    dry_run(goals("--dry-run").applied_to(a_setup(None, duration_s=60.0, schedule=schedule)), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["requests"], found["duration_s"]["low"]) == (31, 60.0)


def test_the_upper_figure_is_what_a_budget_reserves(capsys: pytest.CaptureFixture[str]) -> None:
    reserved = 10 * worst_cost(CallPlan(1, "m", MESSAGES, {"max_tokens": 50}), PRICE)
    dry_run(goals("--dry-run").applied_to(a_setup()), as_json=True)
    assert Decimal(json.loads(capsys.readouterr().out)["cost_usd"]["high"]) == reserved
    for budget, word in ((reserved, "holds all of it"), (reserved - Decimal("1E-9"), "may end the run")):
        dry_run(goals("--dry-run", "--budget", f"{budget:f}").applied_to(a_setup()), as_json=False)
        assert word in capsys.readouterr().out
