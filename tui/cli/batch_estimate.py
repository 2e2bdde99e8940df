"""`weir batch --dry-run`: what a batch would take and cost, document by document. Sends nothing.

Every document is read, by the process that would read it for the run; with --resume, what is settled is left out.
"""

import asyncio
import json
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from tui.cli.batch_running import Batch
from tui.core import figures
from tui.core.budget import UnboundedCost, worst_cost
from tui.core.calls import CallPlan
from tui.core.clock import nanoseconds
from tui.core.documents import Prepared
from tui.core.estimate import Estimate, Workload, workload
from tui.core.estimate import estimate as estimated
from tui.core.live_tokens import estimated_tokens
from tui.core.money import Price
from tui.core.records import item_key
from tui.core.reduction import HEADING_TOKENS, groups
from tui.core.results import OUTCOMES
from tui.core.untrusted import clean_line
from tui.engine.corpus import CorpusFeed
from tui.files.done_items import DoneItems

PROGRESS_DOCUMENTS = 5_000


class _Found:
    """What the documents ask for so far."""

    def __init__(self) -> None:
        self.documents = self.unaskable = self.settled = self.shared = self.cut = self.split = 0
        self.work = Workload()
        self.largest_usd: Decimal | None = Decimal(0)
        """The most that a budget reserves for one call, of those about documents; None: nothing bounds it."""
        self.note: str | None = None


def estimate(batch: Batch, as_json: bool) -> int:
    """Print it; the exit code."""
    found = asyncio.run(_read(batch))
    burst = batch.burst or max(1, (batch.rpm or 0) // 600)
    taken = estimated(found.work, batch.price, batch.rpm, batch.tpm, batch.concurrency, burst)
    if as_json:
        sys.stdout.write(json.dumps(_figures(batch, found, taken)) + "\n")
    else:
        sys.stdout.write(_text(batch, found, taken) + "\n")
    return 0


async def _read(batch: Batch) -> _Found:
    found = _Found()
    seen: set[bytes] = set()
    settled = None if batch.earlier is None else DoneItems(batch.earlier.folder / "journal.db")
    feed = CorpusFeed(msgspec.structs.replace(batch.corpus, count_tokens=True))
    try:
        while (document := await feed.next()) is not None:
            _add(found, batch, document, settled, seen)
            if found.documents % PROGRESS_DOCUMENTS == 0:
                sys.stderr.write(f"{figures.exact(found.documents)} documents read\n")
        found.note = feed.note
    finally:
        await feed.close()
        if settled is not None:
            settled.close()
    return found


def _add(found: _Found, batch: Batch, document: Prepared, settled: DoneItems | None, seen: set[bytes]) -> None:
    found.documents += 1
    found.unaskable += document.error is not None
    found.cut += document.cut_tokens > 0
    split = len(document.asks) > 1
    found.split += split
    shared = settled_asks = 0
    for asked, tokens in zip(document.asks, document.tokens, strict=True):
        messages = asked if split else batch.question.formed(asked)
        params = batch.params if split else {**batch.params, **batch.question.form}
        key = item_key(messages, batch.model, batch.endpoint.origin, params, document.hash)
        if (digest := bytes.fromhex(key)) in seen:
            shared += 1
            continue
        seen.add(digest)
        if settled is not None and _is_settled(settled, key, batch.retry_failed):
            settled_asks += 1
            continue
        found.work = _sum(found.work, _one(batch, tokens, tokens))
        found.largest_usd = _larger(found.largest_usd, CallPlan(0, batch.model, messages, params), batch.price)
    asks = len(document.asks)
    found.shared += 0 < asks == shared
    found.settled += 0 < asks == shared + settled_asks > shared
    if split and shared + settled_asks < asks:
        _add_reductions(found, batch, asks)


def _larger(usd: Decimal | None, plan: CallPlan, price: Price | None) -> Decimal | None:
    if usd is None or price is None:
        return None
    try:
        return max(usd, worst_cost(plan, price))
    except UnboundedCost:
        return None


def _one(batch: Batch, prompt_low: int, prompt_high: int | None) -> Workload:
    """One call; not with the prompt that a budget reserves, a token a byte, which is four times that of a document."""
    answer = workload([CallPlan(0, batch.model, (), batch.params)])
    return replace(answer, prompt_low=prompt_low, prompt_high=prompt_high, longest_prompt=prompt_high or prompt_low)


def _add_reductions(found: _Found, batch: Batch, parts: int) -> None:
    """The calls that reduce answers about so many parts: at least one, at most those for answers as long as allowed."""
    assert batch.reduction is not None
    instruction = estimated_tokens(sum(len(message["content"]) for message in batch.reduction("")))
    most = workload([CallPlan(0, batch.model, (), batch.params)]).answers_high
    if most is None:
        found.work = _sum(found.work, _one(batch, instruction + parts, None))
        return
    answer = "word " * most
    left = parts
    while left > 1:
        level = groups([answer] * left, batch.corpus.max_input_tokens or 0)
        for group in level:
            # Of short answers one call reduces all, so that the later ones are in the upper figure alone.
            only = len(level) == 1 and left == parts
            tokens = instruction + len(group) * (most + HEADING_TOKENS)
            found.work = _sum(found.work, _one(batch, instruction + len(group) if only else 0, tokens))
        left = len(level)


def _is_settled(settled: DoneItems, key: str, retry_failed: bool) -> bool:
    outcome = settled.outcome(key)
    return outcome is not None and (outcome.state == "done" or not retry_failed) and outcome.state in OUTCOMES


def _sum(a: Workload, b: Workload) -> Workload:
    def both(first: int | None, second: int | None) -> int | None:
        return None if first is None or second is None else first + second

    return replace(
        a,
        requests=a.requests + b.requests,
        prompt_low=a.prompt_low + b.prompt_low,
        prompt_high=both(a.prompt_high, b.prompt_high),
        longest_prompt=max(a.longest_prompt, b.longest_prompt),
        answers_low=a.answers_low + b.answers_low,
        answers_high=both(a.answers_high, b.answers_high),
    )


def _figures(batch: Batch, found: _Found, taken: Estimate) -> dict[str, Any]:
    def span(low: object, high: object) -> dict[str, Any]:
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in (("low", low), ("high", high))
        }

    return {
        "dry_run": True,
        "model": batch.model,
        "documents": {
            "total": found.documents,
            "unaskable": found.unaskable,
            "settled": found.settled,
            "shared": found.shared,
            "cut": found.cut,
            "split": found.split,
        },
        "requests": taken.requests,
        "tokens": span(taken.tokens_low, taken.tokens_high),
        "prompt_tokens": found.work.prompt_low,
        "duration_s": span(taken.duration_low_s, taken.duration_high_s),
        "cost_usd": span(taken.cost_low, taken.cost_high),
        "price": None if batch.price is None else batch.price.origin,
        "budget_usd": None if batch.goals.budget_usd is None else format(batch.goals.budget_usd, "f"),
    }


def _text(batch: Batch, found: _Found, taken: Estimate) -> str:
    def lasts(seconds: float | None) -> str | None:
        return None if seconds is None else figures.ms(nanoseconds(seconds))

    documents = [figures.exact(found.documents)]
    documents += [
        f"{figures.exact(n)} {what}"
        for n, what in (
            (found.settled, "on record already"),
            (found.shared, "equal to another"),
            (found.cut, "cut"),
            (found.split, "split"),
            (found.unaskable, "that nothing can be asked about"),
        )
        if n
    ]
    pace = [f"{batch.concurrency:,} at once"]
    pace += [f"{limit:,} {unit}" for limit, unit in ((batch.rpm, "rpm"), (batch.tpm, "tpm")) if limit is not None]
    tokens_high = None if taken.tokens_high is None else figures.exact(taken.tokens_high)
    cost = "? (no price is known; see --price)"
    if taken.cost_low is not None and batch.price is not None:
        cost_high = None if taken.cost_high is None else figures.usd(taken.cost_high)
        cost = f"{_span(figures.usd(taken.cost_low), cost_high)} ({batch.price.origin or 'by the price given'})"
    rows = [
        ("documents", " · ".join(documents)),
        ("requests", figures.exact(taken.requests) + (" at most, with the reductions of parts" if found.split else "")),
        ("prompts", f"{figures.exact(found.work.prompt_low)} tokens ({found.note or 'as tiktoken counts them'})"),
        ("tokens", _span(figures.exact(taken.tokens_low), tokens_high)),
        ("duration", f"{_span(lasts(taken.duration_low_s) or '', lasts(taken.duration_high_s))} ({', '.join(pace)})"),
        ("cost", cost),
    ]
    budget = batch.goals.budget_usd
    if budget is not None:
        # Of each call it reserves a token a byte, and has back what was not needed: the last one must fit that way too.
        most = None if taken.cost_high is None or found.largest_usd is None else taken.cost_high + found.largest_usd
        fits = most is not None and most <= budget
        rows.append(
            ("budget", f"{figures.usd(budget)} {'should hold all of it' if fits else 'may be reached before the end'}")
        )
    rows.append(("low", "answers of one token, from a fast server"))
    rows.append(("high", "answers as long as allowed, from a slow server"))
    rows.append(("not in it", "retries, and what the server holds back"))
    head = f"batch · {clean_line(batch.model)} · nothing was sent"
    return "\n".join([head, *(f"  {name:<10} {value}" for name, value in rows)])


def _span(low: str, high: str | None) -> str:
    if high is None:
        return f"{low} or more: nothing bounds it"
    return low if low == high else f"{low} – {high}"
