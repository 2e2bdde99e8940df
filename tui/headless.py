"""A run in plain lines of text: progress on stderr while it lasts, the summary at its end, or the table of a sweep. No
terminal needed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tui.core.advice import advice
from tui.core.batch_view import BatchView
from tui.core.batch_words import budget_of, interval, projected
from tui.core.batch_words import ended as ended_documents
from tui.core.calls import State
from tui.core.clock import NS_PER_S, nanoseconds
from tui.core.figures import ABSENT, count, elapsed, exact, money, ms, percent, rate, usd
from tui.core.snapshot import Cost, Snapshot
from tui.core.untrusted import clean_line


def progress_line(snapshot: Snapshot) -> str:
    """Where a run stands, on one line."""
    counts, run, batch = snapshot.counts, snapshot.run, snapshot.batch
    ended = count(counts.ended)
    dealt_with = [f"{ended}/{count(run.planned)}" if run.planned is not None else ended]
    if batch is not None:
        dealt_with = _documents(batch)
    parts = [elapsed(snapshot.at - run.started_at), *dealt_with, f"{counts.streaming} streaming"]
    waiting = counts.waiting + counts.connecting + counts.backing_off
    if waiting:
        parts.append(f"{waiting} waiting")
    trouble = counts.failed + counts.broken
    if trouble and batch is None:
        parts.append(f"{trouble} failed")
    limit = f"/{count(run.rpm_limit)}" if run.rpm_limit else ""
    parts.append(f"{count(snapshot.attempts_60s)}{limit} rpm")
    parts.append(f"{rate(snapshot.tokens_per_s)} tok/s")
    if snapshot.ttft is not None:
        parts.append(f"TTFT p50 {ms(snapshot.ttft.p50)} p99 {ms(snapshot.ttft.p99)}")
    if snapshot.overdue:
        parts.append(f"{count(snapshot.overdue)} due")
    if snapshot.dispatch_error is not None:
        parts.append(f"schedule kept to {ms(snapshot.dispatch_error.p99)} p99")
    if snapshot.goodput is not None and snapshot.goodput.ended:
        parts.append(f"goodput {percent(snapshot.goodput.met, snapshot.goodput.ended)}")
    if snapshot.retries:
        parts.append(f"{snapshot.retries} retries")
    if snapshot.cost.usd is not None:
        parts.append(_money(snapshot.cost.usd, snapshot.cost.source) + ("" if batch is None else _may_cost(batch)))
    if snapshot.lane_closed_until is not None and snapshot.lane_closed_until > snapshot.at:
        parts.append(f"closed {ms(snapshot.lane_closed_until - snapshot.at)}: {snapshot.lane_closed_why}")
    if run.phase != "running":
        parts.append(run.phase)
    return " · ".join(parts)


def _documents(batch: BatchView) -> list[str]:
    """`1,204/2,000 documents`, and how many failed."""
    if batch.documents is None:
        dealt_with = f"{exact(ended_documents(batch))} documents, {exact(batch.read)} read"
    else:
        dealt_with = f"{exact(ended_documents(batch))}/{exact(batch.documents)} documents"
    return [dealt_with, *([f"{exact(batch.failed)} failed"] if batch.failed else [])]


def _may_cost(batch: BatchView) -> str:
    """` spent of $2.50, $2.10 [1.95–2.30] projected`, as far as it is known."""
    limit = budget_of(batch)
    words = " spent" + ("" if limit is None else f" of {usd(limit)}")
    if batch.projection is not None:
        words += f", {projected(batch.projection)} {interval(batch.projection)} projected"
    return words


def summary_text(figures: Mapping[str, Any], notes: Mapping[str, str | None]) -> str:
    """The summary of `core.summary`, for people; `notes` says more to the rows `tokens`, `cost` and `wire`."""
    calls = figures["calls"]
    states = [f"{exact(calls['done'])} of {exact(calls['total'])} done"]
    states += [
        f"{exact(calls[state.value])} {state.value}"
        for state in (State.FAILED, State.BROKEN, State.CANCELLED, State.REFUSED)
        if calls[state.value]
    ]
    if figures["interrupted"]:
        states.append("interrupted")
    if figures["never_sent"]:
        states.append(f"{exact(figures['never_sent'])} never sent")
    if figures.get("done_again"):  # not in the summaries of old
        states.append(f"{exact(figures['done_again'])} of them done again by hand")
    attempts = (
        f"{exact(figures['attempts'])} sent, {exact(figures['retries'])} retries, {exact(figures['http_429'])} × 429"
    )
    rows = [
        *_document_rows(figures.get("documents"), notes.get("documents")),
        ("calls", " · ".join(states)),
        *_warmup(figures.get("warmup_calls", 0)),
        ("attempts", f"{attempts}, at most {exact(figures['rpm_peak_60s'])} in any 60 s"),
        *(
            (name, _spread(figures[key]))
            for name, key in (
                ("TTFT", "ttft_s"),
                ("· server", "server_ttft_s"),
                ("· user", "user_ttft_s"),
                ("queue", "queue_s"),
                ("TPOT", "tpot_s"),
                ("E2E", "e2e_s"),
            )
            if figures[key] is not None
        ),
    ]
    streams = figures["stream_tokens_per_s"]
    if streams is not None:
        rows.append(("tok/s", f"p50 {rate(streams['p50'])} a stream · {rate(figures['run_tokens_per_s'])} in all"))
    tokens = figures["tokens"]
    if tokens["source"] is not None:
        marked = {"usage": "counted by the server", "estimated": "estimated", "mixed": "partly estimated"}
        rows.append(
            ("tokens", f"{exact(tokens['prompt'])} in, {exact(tokens['completion'])} out ({marked[tokens['source']]})")
        )
    if notes.get("tokens"):
        rows.append(("", str(notes["tokens"])))
    reasons = figures["finish_reasons"]
    if set(reasons) - {"stop"}:
        said = [f"{exact(n)} {clean_line(reason) or 'without a reason'}" for reason, n in reasons.items()]
        rows.append(("stopped", " · ".join(said)))
    cost = f"? ({notes.get('cost') or 'no price is known'}; see --price)"
    if figures["cost_usd"] is not None:
        source = figures["cost_source"] if tokens["source"] is not None else "nothing was billed"
        cost = f"{_money(figures['cost_usd'], figures['cost_source'])} ({source})"
    rows.append(("cost", cost))
    rows.append(("wall time", ms(nanoseconds(figures["wall_s"]))))
    lag, marks = figures["engine_lag_s"], figures["ttft_marks"]
    if lag is not None:
        stamps = f"{marks['late']} late and {marks['shared']} shared stamps"
        rows.append(("trust", f"loop lag p99 {_s(lag['p99'])}, max {_s(lag['max'])}; {stamps}"))
    if (error := figures.get("dispatch_error_s")) is not None:
        late = "   ".join(f"{name} {_s(error[name])}" for name in ("p50", "p99", "max"))
        rows.append(("schedule", f"sent {late} after due, where a slot stood ready ({exact(error['n'])} calls)"))
    if (adapted := figures.get("adapted")) is not None:
        words = [clean_line(sentence) for sentence in adapted["belief"]] or ["nothing was learned"]
        rows.append(("adapted", words[0]))
        rows.extend(("", sentence) for sentence in words[1:])
    rows.extend(_goals(figures))
    if notes.get("wire"):
        rows.append(("wire", str(notes["wire"])))
    if figures["record"] is not None:
        rows.append(("record", figures["record"]))
    head = f"{figures['job']} · {clean_line(figures['model'])}"
    return "\n".join([head, *(f"  {name:<10} {value}" for name, value in rows)])


def _warmup(calls: int) -> list[tuple[str, str]]:
    if not calls:
        return []
    return [("warm-up", f"{exact(calls)} {'call' if calls == 1 else 'calls'} before, in no figure but cost and rate")]


def _document_rows(documents: Mapping[str, Any] | None, note: str | None) -> Iterator[tuple[str, str]]:
    """Of a batch: what became of its documents."""
    if documents is None:
        return
    done, total = exact(documents["done"]), exact(documents["total"])
    said = [f"{done} of {total} done" if documents["read_to_the_end"] else f"{done} done of {total} or more"]
    said += [
        f"{exact(documents[name])} {words}"
        for name, words in (
            ("failed", "failed"),
            ("pending", "pending"),
            ("reused", "from an earlier session"),
            ("shared", "equal to another"),
            ("cut", "cut"),
        )
        if documents[name]
    ]
    yield "documents", " · ".join(said)
    for each in documents.get("errors", ()):
        yield "", f"nothing can be asked about {exact(each['n'])}: {clean_line(each['error'])}"
    if note:
        yield "", note


def _goals(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was to be reached or not to be passed, where anything was."""
    rows: list[tuple[str, str]] = []
    goodput, budget = figures.get("goodput"), figures.get("budget")
    if goodput is not None:
        missed = "".join(f" · {exact(n)} missed {name}" for name, n in goodput["missed"].items() if n)
        share = percent(goodput["met"], goodput["ended"])
        rows.append(("goodput", f"{share} of {exact(goodput['ended'])} calls{missed}"))
    if budget is not None:
        used, limit = usd(Decimal(budget["charged_usd"])), usd(Decimal(budget["limit_usd"]))
        rows.append(("budget", f"at most {used} of {limit} spent"))
    return rows


def sweep_text(runs: Sequence[Mapping[str, Any]]) -> str:
    """The runs of a sweep side by side: a table, then bars. Each is a summary with the `sweep` that it belongs to."""
    kind = runs[0]["sweep"]["kind"]
    names = [exact(run["sweep"]["value"]) for run in runs]
    scheduled = any(run.get("dispatch_error_s") is not None for run in runs)
    columns = [(kind, names)]
    left_out = set() if scheduled else set(_SCHEDULED)
    if all(run.get("goodput") is None for run in runs):
        left_out.add(_GOODPUT)
    columns += [(name, [of(run) for run in runs]) for name, of in _COLUMNS if name not in left_out]
    widths = [max(len(name), *map(len, cells)) for name, cells in columns]
    lines = [f"sweep · {clean_line(runs[0]['model'])}"]
    for cells in ([name for name, _ in columns], *zip(*(cells for _, cells in columns), strict=True)):
        lines.append("  " + "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))
    for title, of, shown in _CHARTS:
        values = [of(run) for run in runs]
        lines += ["", f"  {title}"]
        lines += [
            f"  {name.rjust(widths[0])} {bar}{' ' if bar else ''}{shown(value)}"
            for name, value, bar in zip(names, values, _bars(values), strict=True)
        ]
    ran, of = len(runs), runs[-1]["sweep"]["of"]
    if ran < of:
        lines += ["", f"  stopped after {ran} of {of} runs"]
    lines += [""] if any(run["record"] is not None or run["errors"] for run in runs) else []
    for name, run in zip(names, runs, strict=True):
        if run["record"] is not None:
            lines.append(f"  {kind} {name}: {run['record']}")
        lines += troubles_text(run).splitlines()
    return "\n".join(lines)


def _at(key: str, figure: str) -> Callable[[Mapping[str, Any]], str]:
    """How a table shows one figure of a distribution."""

    def of(run: Mapping[str, Any]) -> str:
        spread = run[key]
        return ABSENT if spread is None else _s(spread[figure])

    return of


def _troubled(run: Mapping[str, Any]) -> str:
    calls = run["calls"]
    return exact(calls["failed"] + calls["broken"] + calls["refused"])


def _goodput(run: Mapping[str, Any]) -> str:
    goodput = run.get("goodput")
    return ABSENT if goodput is None else percent(goodput["met"], goodput["ended"])


_GOODPUT = "goodput"
_COLUMNS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("calls", lambda run: exact(run["calls"]["total"])),
    ("done", lambda run: exact(run["calls"]["done"])),
    ("TTFT p50", _at("ttft_s", "p50")),
    ("p95", _at("ttft_s", "p95")),
    ("p99", _at("ttft_s", "p99")),
    ("queue p99", _at("queue_s", "p99")),
    ("never sent", lambda run: exact(run["never_sent"])),
    (_GOODPUT, _goodput),
    ("tok/s", lambda run: rate(run["run_tokens_per_s"])),
    ("rpm peak", lambda run: exact(run["rpm_peak_60s"])),
    ("429s", lambda run: exact(run["http_429"])),
    ("errors", _troubled),
    ("cost", lambda run: _money(run["cost_usd"], run["cost_source"])),
)
_SCHEDULED = frozenset({"queue p99", "never sent"})
"""Columns that say something in an open loop only."""
_CHARTS: tuple[tuple[str, Callable[[Mapping[str, Any]], float | None], Callable[[float | None], str]], ...] = (
    ("tok/s, all streams", lambda run: run["run_tokens_per_s"], rate),
    (
        "TTFT p95",
        lambda run: None if run["ttft_s"] is None else run["ttft_s"]["p95"],
        lambda value: ABSENT if value is None else _s(value),
    ),
)
_BAR_CELLS = 40
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def _bars(values: Sequence[float | None]) -> list[str]:
    """A bar for each value, to an eighth of a cell; the largest is `_BAR_CELLS` long. Nothing for what is absent."""
    most = max((value for value in values if value is not None), default=0.0)
    bars = []
    for value in values:
        eighths = 0 if value is None or most <= 0 else round(value / most * _BAR_CELLS * 8)
        bars.append(("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip())
    return bars


def troubles_text(figures: Mapping[str, Any], most: int = 5) -> str:
    """Why calls are not done, most frequent first, each line ended; with a hint for each kind of trouble."""
    errors = figures["errors"]
    most += len(errors) == most + 1  # to say that there is one more takes the line that it would take
    lines = [f"  {each['n']:>5} × {clean_line(each['error'])}" for each in errors[:most]]
    if len(errors) > most:
        lines.append(f"        … and further errors ({len(errors) - most} kinds); see summary.json")
    hints = dict.fromkeys(hint for each in errors[:most] if (hint := advice(each["error"])) is not None)
    return "".join(f"{line}\n" for line in [*lines, *(f"  hint: {hint}" for hint in hints)])


def _spread(figures: Mapping[str, float]) -> str:
    return "   ".join(f"{name} {_s(figures[name]):>7}" for name in ("p50", "p90", "p95", "p99", "max"))


def _s(seconds: float) -> str:
    return ms(round(seconds * NS_PER_S))


def _money(amount: str, source: str) -> str:
    return money(Cost(amount, source))
