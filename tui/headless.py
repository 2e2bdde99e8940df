"""A run in plain lines of text: progress on stderr while it lasts, the summary at its end. No terminal needed."""

from collections.abc import Mapping
from typing import Any

from tui.core.advice import advice
from tui.core.calls import State
from tui.core.clock import NS_PER_S, nanoseconds
from tui.core.figures import count, elapsed, exact, money, ms, rate
from tui.core.snapshot import Cost, Snapshot
from tui.core.untrusted import clean_line


def progress_line(snapshot: Snapshot) -> str:
    """Where a run stands, on one line."""
    counts, run = snapshot.counts, snapshot.run
    ended = count(counts.ended)
    parts = [
        elapsed(snapshot.at - run.started_at),
        f"{ended}/{count(run.planned)}" if run.planned is not None else ended,
        f"{counts.streaming} streaming",
    ]
    waiting = counts.waiting + counts.connecting + counts.backing_off
    if waiting:
        parts.append(f"{waiting} waiting")
    trouble = counts.failed + counts.broken
    if trouble:
        parts.append(f"{trouble} failed")
    limit = f"/{count(run.rpm_limit)}" if run.rpm_limit else ""
    parts.append(f"{count(snapshot.attempts_60s)}{limit} rpm")
    parts.append(f"{rate(snapshot.tokens_per_s)} tok/s")
    if snapshot.ttft is not None:
        parts.append(f"TTFT p50 {ms(snapshot.ttft.p50)} p99 {ms(snapshot.ttft.p99)}")
    if snapshot.retries:
        parts.append(f"{snapshot.retries} retries")
    if snapshot.cost.usd is not None:
        parts.append(_money(snapshot.cost.usd, snapshot.cost.source))
    if snapshot.lane_closed_until is not None and snapshot.lane_closed_until > snapshot.at:
        parts.append(f"closed {ms(snapshot.lane_closed_until - snapshot.at)}: {snapshot.lane_closed_why}")
    if run.phase != "running":
        parts.append(run.phase)
    return " · ".join(parts)


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
    attempts = (
        f"{exact(figures['attempts'])} sent, {exact(figures['retries'])} retries, {exact(figures['http_429'])} × 429"
    )
    rows = [
        ("calls", " · ".join(states)),
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
    if notes.get("wire"):
        rows.append(("wire", str(notes["wire"])))
    if figures["record"] is not None:
        rows.append(("record", figures["record"]))
    head = f"{figures['job']} · {clean_line(figures['model'])}"
    return "\n".join([head, *(f"  {name:<10} {value}" for name, value in rows)])


def troubles_text(figures: Mapping[str, Any], most: int = 5) -> str:
    """Why calls are not done, most frequent first, each line ended; with a hint for each kind of trouble."""
    errors = figures["errors"]
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
