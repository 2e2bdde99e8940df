"""A made-up call in full, and pictures that hold it."""

from tui.core.calls import State
from tui.core.clock import NS_PER_MS
from tui.core.commands import Watch
from tui.core.snapshot import AttemptView, Cost, FullCall, Pane, RunView, Snapshot
from tui.core.views import Bar, Span, TryEnd

START = 5_000_000 * NS_PER_MS
CALL = 42
PROMPT = "Explain how a weir measures the flow of a river. Keep to plain words, and end with a question."
CURL = "curl -N 'https://api.example.com/v1/chat/completions' \\\n  -H \"Authorization: Bearer $OPENAI_API_KEY\""


def at(ms: float) -> int:
    return START + round(ms * NS_PER_MS)


def ms(n: float) -> int:
    return round(n * NS_PER_MS)


def a_pane(**given: object) -> Pane:
    text = str(given.get("text", "A weir is a low wall."))
    known: dict[str, object] = {
        "call": CALL,
        "state": State.DONE,
        "model": "gpt-4o-mini",
        "prompt": PROMPT[:60],
        "text": text,
        "text_end": len(text),
        "attempt": 3,
        "retries": 2,
        "ttft_ns": ms(1084),
        "waited_ns": ms(7564),
        "tokens": 412,
        "tokens_estimated": False,
        "tokens_per_s": 72.8,
        "cost": Cost("0.000254", "billed by usage"),
        "finish_reason": "stop",
    }
    return Pane(**{**known, **given})  # type: ignore[arg-type]


ATTEMPTS = [
    AttemptView(
        1, ms(840), ms(18), ms(410), None, None, ms(430), 429, "HTTP 429: Rate limit reached, try again in 3s", "req_a",
        ms(530), 3.0, [("retry-after", "3"), ("x-api-key", "***")],
    ),
    AttemptView(2, ms(4420), ms(1), ms(1180), None, None, ms(1200), 503, "HTTP 503: overloaded", "req_b", ms(120)),
    AttemptView(
        3, ms(6480), ms(2), ms(640), ms(1084), ms(6730), ms(6750), 200, None, "req_c", 0, None,
        [("content-type", "text/event-stream")],
    ),
]  # fmt: skip

_SPANS = [
    ("queue", 0, 310, 0), ("limiter", 310, 840, 0), ("connect", 840, 858, 1), ("wait", 858, 1270, 1),
    ("backoff", 1270, 4300, 1), ("limiter", 4300, 4420, 1), ("connect", 4420, 4421, 2), ("wait", 4421, 5620, 2),
    ("backoff", 5620, 6480, 2), ("connect", 6480, 6482, 3), ("wait", 6482, 7564, 3), ("stream", 7564, 13210, 3),
]  # fmt: skip


def a_bar(live: bool = False) -> Bar:
    spans = [Span(kind, at(start), at(end), number) for kind, start, end, number in _SPANS]
    if live:
        spans[-1] = Span("stream", at(7564), None, 3)
    failures = [TryEnd(at(1270), 1, 429, "HTTP 429"), TryEnd(at(5620), 2, 503, "HTTP 503")]
    return Bar(CALL, State.DONE, "gpt-4o-mini", PROMPT, START, None if live else at(13230), spans, failures)


def a_call(**given: object) -> FullCall:
    """A call that was done at its third attempt; fields of its pane and of itself may be given."""
    own = {name: given.pop(name) for name in list(given) if name in FullCall.__struct_fields__ and name != "pane"}
    known: dict[str, object] = {
        "pane": a_pane(**given),
        "prompt": PROMPT,
        "attempts": ATTEMPTS,
        "queue_ns": ms(310),
        "chunks": 412,
        "largest_gap_ns": ms(310),
        "prompt_tokens": 42,
        "cached_tokens": 12,
        "bursts": 3,
        "bar": a_bar(live=given.get("state") is State.STREAMING),
    }
    return FullCall(**{**known, **own})  # type: ignore[arg-type]


def picture(full: FullCall, after_ms: float = 14_000, **watch: object) -> Snapshot:
    """A picture that was made for the question `watch`."""
    run = RunView("load", "gpt-4o-mini", "127.0.0.1:8600/v1", START, "running")
    asked = Watch(**{"focus": full.pane.call, **watch})  # type: ignore[arg-type]
    return Snapshot(at=at(after_ms), run=run, watch=asked, focus=full)
