"""What the views beside the wall show of the made-up run: the same lives, as rows, bars, series and limits."""

from itertools import pairwise
from typing import TYPE_CHECKING

from tui.core.calls import TERMINAL, State
from tui.core.clock import NS_PER_S
from tui.core.snapshot import Pane
from tui.core.views import (
    Bar,
    Bin,
    CallRow,
    LimitStep,
    LimitsView,
    Marker,
    Meter,
    Refusal,
    Span,
    Timeline,
    TryEnd,
    Verdict,
)

if TYPE_CHECKING:
    from fake_session import Life

START = 1_000 * NS_PER_S


def at(t_s: float) -> int:
    """An instant of the run."""
    return START + int(t_s * NS_PER_S)


def row_of(life: "Life", pane: Pane, t_s: float) -> CallRow:
    """A call as a row of the table."""
    ended = pane.state in TERMINAL
    return CallRow(
        call=pane.call,
        state=pane.state,
        model=pane.model,
        prompt=pane.prompt,
        queue_ns=int(life.waits * NS_PER_S) if pane.attempt else None,
        attempts=pane.attempt,
        status=200 if pane.ttft_ns else 429 if pane.state is State.BACKING_OFF else 500 if pane.error else None,
        ttft_ns=pane.ttft_ns,
        tokens_per_s=pane.tokens_per_s,
        tokens=pane.tokens,
        tokens_estimated=pane.tokens_estimated,
        cost=pane.cost,
        total_ns=int((min(t_s, life.ends) if ended else t_s) * NS_PER_S) - int(life.begins * NS_PER_S),
        error=pane.error,
        warmup=pane.warmup,
    )


def bar_of(life: "Life", pane: Pane, t_s: float) -> Bar:
    """A call as a row of the waterfall."""
    steps = [("limiter", life.begins, life.sent, 0)]
    if life.backs_off:
        steps += [("wait", life.sent, life.sent + 0.4, 1), ("backoff", life.sent + 0.4, life.delivered, 1)]
    number = 2 if life.backs_off else 1
    steps += [
        ("connect", life.delivered, life.delivered + 0.05, number),
        ("wait", life.delivered + 0.05, min(life.first_token, life.ends), number),
        ("stream", life.first_token, life.ends, number),
    ]
    spans = [
        Span(kind, at(start), at(end) if end <= t_s else None, attempt)
        for kind, start, end, attempt in steps
        if start < min(t_s, life.ends) and end > start
    ]
    failures = [TryEnd(at(life.sent + 0.4), 1, 429, "Rate limit reached")] if life.backs_off and pane.attempt else []
    if pane.state is State.FAILED:
        failures.append(TryEnd(at(life.ends), number, 500, pane.error or ""))
    ended = at(life.ends) if pane.state in TERMINAL else None
    return Bar(pane.call, pane.state, pane.model, pane.prompt, at(life.begins), ended, spans, failures, pane.warmup)


def timeline(lives: "list[Life]", t_s: float, rpm: int | None) -> Timeline:
    """The run in steps of a second."""
    steps = range(int(t_s) + 1)

    def counted(instants: list[float]) -> list[int]:
        return [sum(step <= instant < step + 1 for instant in instants if instant <= t_s) for step in steps]

    firsts = [sorted(life.ttft for life in lives if step <= life.first_token < step + 1) for step in steps]
    streams = [sum(life.first_token <= step < life.ends for life in lives) for step in steps]
    sent = counted([life.sent for life in lives])
    widths = [int(0.1 * 1.3**step * NS_PER_S) for step in range(13)]
    ttfts = [int(life.ttft * NS_PER_S) for life in lives if life.first_token <= t_s]
    return Timeline(
        START,
        NS_PER_S,
        attempts=sent,
        http_429=counted([life.sent + 0.4 for life in lives if life.backs_off]),
        errors=counted([life.ends for life in lives if life.outcome is State.FAILED]),
        tokens=[sum(life.speed for life in lives if life.first_token <= step < life.ends) for step in steps],
        ttft_p50=[int(found[len(found) // 2] * NS_PER_S) if found else None for found in firsts],
        ttft_p95=[int(found[-1] * NS_PER_S) if found else None for found in firsts],
        active=[float(n) for n in streams],
        queued=[float(sum(life.begins <= step < life.sent for life in lives)) for step in steps],
        cost_usd=[n * 0.00012 for n in sent],
        limits=[LimitStep(START, rpm and rpm // 2, None, 16), LimitStep(at(t_s / 2), rpm, None, 16)],
        markers=[Marker(at(t_s / 2), f"RPM {rpm // 2} → {rpm}")] if rpm else [],
        ttft_bins=[Bin(low, high, sum(low <= n < high for n in ttfts)) for low, high in pairwise(widths)],
    )


def limits(lives: "list[Life]", t_s: float, rpm: int | None, concurrency: int) -> LimitsView:
    """What the run knows of its limits."""
    sent = sum(life.sent <= t_s for life in lives)
    refused = [life for life in lives if life.backs_off and life.sent + 0.4 <= t_s]
    verdict = Verdict("too fast", [f"{len(refused)} of {len(refused)} refusals came with the minute's allowance spent"])
    return LimitsView(
        requests=Meter(rpm, sent, sent + 4, 3.2, 8.0, sent * 60 / t_s, 20 * NS_PER_S, 500, 312, at(t_s + 18), at(t_s)),
        tokens=Meter(
            None, sent * 130, sent * 150, None, None, sent * 900.0, None, 40_000, 22_150, at(t_s + 7), at(t_s)
        ),
        in_limiter=2,
        in_flight=concurrency - 3,
        in_flight_peak=concurrency,
        concurrency=concurrency,
        refusals=[
            Refusal(at(life.sent + 0.4), life.id, "Rate limit reached for gpt-4o-mini", 2.6, concurrency, sent)
            for life in reversed(refused)
        ][:20],
        refused=len(refused),
        verdict=verdict if refused else Verdict(),
    )
