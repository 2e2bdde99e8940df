"""The gate of a CI run: conditions on the summary, which never open because nothing was measured."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from call_story import Story, at

from tui.core.calls import State
from tui.core.fail_if import Condition, ConditionError, Verdict, known_paths, parse_condition
from tui.core.money import Price
from tui.core.objectives import parse_goodput
from tui.core.picture import RunCard
from tui.core.summary import summary

KNOWN = known_paths()


def a_summary(calls: int = 1) -> dict[str, Any]:
    """TTFT 0.1 s, TPOT 0.1 s, finish reason `stop`, cost 0.000075 USD a call."""
    story = Story()
    for call in range(1, calls + 1):
        story.whole_call(call)
    story.ledger.set_price("m", Price(Decimal("2.5"), Decimal(10)))
    return summary(story.ledger, RunCard("load", "m", "host/v1"), at(1000))


def check(text: str, of: dict[str, Any] | None = None) -> Verdict:
    return parse_condition(text, KNOWN).check(a_summary() if of is None else of)


# ── comparing ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("calls.done>1", False), ("calls.done>0", True), ("calls.done>=1", True), ("calls.done>=2", False),
        ("calls.done<1", False), ("calls.done<2", True), ("calls.done<=1", True), ("calls.done<=0", False),
        ("calls.done==1", True), ("calls.done==2", False), ("calls.done!=1", False), ("calls.done!=2", True),
        ("calls.done==1.0", True), ("calls.done > -1", True), ("calls.done<1e3", True),
    ],
)  # fmt: skip
def test_every_comparison_at_and_beside_its_limit(condition: str, holds: bool) -> None:
    assert check(condition).failed is holds


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("ttft_s.p95>0.05", "ttft_s.p95 = 0.1 > 0.05"),
        (" ttft_s.p95 > 0.5 ", "ttft_s.p95 = 0.1, not > 0.5"),
        ("calls.failed>0", "calls.failed = 0, not > 0"),
        ("cost_usd>0.00007", "cost_usd = 0.000075 > 0.00007"),
    ],
)
def test_a_verdict_shows_the_figure_beside_its_limit(condition: str, shown: str) -> None:
    assert check(condition, a_summary() | {"ttft_s": {"p95": 0.1}}).shown == shown


def test_a_figure_is_what_the_summary_writes_and_not_the_float_behind_it() -> None:
    figures = {"wall_s": 0.1}
    assert Decimal.from_float(0.1) > Decimal("0.1")
    assert not check("wall_s>0.1", figures).failed
    assert check("wall_s==0.1", figures).failed


def test_money_is_compared_exactly() -> None:
    figures = a_summary()
    assert figures["cost_usd"] == "0.000075"
    assert check("cost_usd>=0.000075", figures).failed
    assert not check("cost_usd>0.000075", figures).failed


def test_a_finish_reason_that_never_came_came_no_times() -> None:
    assert check("finish_reasons.stop==1").failed
    assert not check("finish_reasons.length>0").failed
    assert check("finish_reasons.v1.odd>1", a_summary() | {"finish_reasons": {"v1.odd": 2}}).failed


def test_goodput_can_be_a_gate_once_objectives_are_stated() -> None:
    known = known_paths(parse_goodput("ttft:500 tpot:50"))
    figures = {"goodput": {"share": 0.9, "per_s": None, "missed": {"tpot": 3}}}
    assert parse_condition("goodput.share<0.95", known).check(figures).shown == "goodput.share = 0.9 < 0.95"
    assert parse_condition("goodput.missed.tpot>2", known).check(figures).failed
    assert parse_condition("goodput.per_s<1", known).check(figures).shown == "goodput.per_s was not measured"
    with pytest.raises(ConditionError, match="needs objectives; state them with --goodput"):
        parse_condition("goodput.share<0.95", KNOWN)


# ── nothing measured ───────────────────────────────────────────────────────────────────────────────────


def test_a_distribution_that_is_empty_fails_the_gate() -> None:
    story = Story()
    story.queued(0)
    story.finished(1, State.FAILED, "503")
    figures = summary(story.ledger, RunCard("load", "m", "host/v1"), at(1000))
    assert check("ttft_s.p95>0.5", figures) == Verdict(True, "ttft_s.p95 was not measured")
    assert check("cost_usd>1", {"cost_usd": None}) == Verdict(True, "cost_usd was not measured")


@pytest.mark.parametrize("condition", ["calls.failed>0", "ttft_s.p95>0.5", "http_429>0", "finish_reasons.length>0"])
def test_a_run_in_which_no_call_ended_passes_no_gate(condition: str) -> None:
    verdict = check(condition, summary(Story().ledger, RunCard("load", "m", "host/v1"), at(5)))
    assert verdict.failed
    assert verdict.shown.endswith("was not measured")


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_what_is_no_finite_number_fails_the_gate(figure: float) -> None:
    assert check("wall_s<=1", {"wall_s": figure}).failed


# ── paths ──────────────────────────────────────────────────────────────────────────────────────────────


def test_every_number_that_a_run_can_have_is_known_before_it() -> None:
    figures = json.loads(json.dumps(a_summary(3)))
    for path in KNOWN:
        Condition(path, ">", Decimal(0)).check(figures)  # raises for a path that this run does not have
    numbers = {
        f"{name}.{inner}" if inner else name
        for name, part in figures.items()
        for inner, figure in (part.items() if isinstance(part, dict) else [("", part)])
        if isinstance(figure, int | float)
    }
    assert numbers - {"schema", "finish_reasons.stop"} <= set(KNOWN)
    for path in ("ttft_s.p95", "tpot_s.p99", "calls.failed", "http_429", "wall_s", "run_tokens_per_s", "cost_usd",
                 "engine_lag_s.max", "rpm_peak_60s", "tokens.completion"):  # fmt: skip
        assert path in KNOWN
    assert not {"schema", "model", "tokens.source", "cost_source", "errors"} & set(KNOWN)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("ttft.p95", "did you mean ttft_s.p95"),
        ("ttft_s.p59", "ttft_s.p95"),
        ("ttft_s", "did you mean ttft_s.n, ttft_s.mean"),
        ("calls.fail", "did you mean calls.failed"),
        ("http429", "did you mean http_429"),
        ("model", "is no number of the summary"),
        ("zzzz", "such as ttft_s.p95"),
    ],
)
def test_an_unknown_path_is_refused_before_the_run_with_near_names(path: str, near: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse_condition(f"{path}>1", KNOWN)
    assert near in str(raised.value)


@pytest.mark.parametrize("path", ["ttft_s.p59", "model", "errors", "errors.0", "calls", "calls.done.deep", "nothing"])
def test_an_unknown_path_that_was_not_checked_is_an_error_later_and_no_pass(path: str) -> None:
    with pytest.raises(ConditionError, match="is no number of the summary"):
        parse_condition(f"{path}>1").check(a_summary())


def test_yes_and_no_are_no_numbers() -> None:
    with pytest.raises(ConditionError, match="is no number of the summary"):
        parse_condition("adapted>0").check({"adapted": True})


# ── what is typed ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "expected a path, a comparison and a number"),
        ("ttft_s.p95", "expected a path, a comparison and a number"),
        (">0.5", "expected a path, a comparison and a number"),
        ("ttft_s.p95=0.5", '"=" is none of > >= < <= == !='),
        ("ttft_s.p95=>0.5", '"=>" is none of'),
        ("ttft_s.p95>", 'expected a number without a unit, got ""'),
        ("ttft_s.p95>500ms", 'expected a number without a unit, got "500ms"; durations are in seconds'),
        ("goodput.share<95%", 'got "95%"; durations are in seconds, shares are 0 to 1'),
        ("ttft_s.p95>0.5+1", 'got "0.5+1"'),
        ("ttft_s.p95>nan", 'got "nan"'),
        ("ttft_s.p95>inf", 'got "inf"'),
        ("ttft_s.p95>1_0", 'got "1_0"'),
        ("ttft_s.p95>\u0661", 'got "\u0661"'),
        ("ttft_s.p95>1e999", 'got "1e999"'),
        ("ttft_s.p95>0.5 0.6", 'got "0.5 0.6"'),
        ("0.1<ttft_s.p95<0.5", 'got "ttft_s.p95<0.5"'),
        ("ttft\x1b[31m>1", "has a path that no summary has"),
        ("a" * 201, "more than 200 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text: str, what: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse_condition(text, KNOWN)
    assert what in str(raised.value)
    assert str(raised.value).isprintable()


def test_whatever_is_typed_nothing_but_a_condition_error_comes_out() -> None:
    rng = random.Random(11)
    paths = ["ttft_s.p95", "calls", "calls.failed", "finish_reasons.", "finish_reasons.é", "goodput.share", "wall_s",
             "cost_usd", "tokens.source", "errors", "errors.0", "wall_s.", ".", ""]  # fmt: skip
    operators = [">", ">=", "<", "<=", "==", "!=", "=", "!", "<>", ""]
    limits = ["1", "0.5", "-1e9", "9" * 30, "NaN", "1s", ".", "-", ""]
    noise = ["\x00", "\ud800", "\n", " ", "\u202e", "é", "0", "e"]
    figures = a_summary()
    held = 0
    for _ in range(10_000):
        if rng.random() < 0.5:
            parts = [rng.choice(paths), rng.choice(operators), rng.choice(limits)]
            parts.insert(rng.randrange(4), rng.choice(noise) if rng.random() < 0.3 else "")
            text = "".join(parts)
        else:
            text = "".join(chr(rng.randrange(0x300)) for _ in range(rng.randint(0, 30)))
        for known in (KNOWN, None):
            try:
                verdict = parse_condition(text, known).check(figures)
            except ConditionError:
                continue
            held += 1
            assert verdict.shown.isprintable()
    assert held > 500
