"""Progress lines and the summary, as plain text."""

from typing import Any

from msgspec.structs import replace

from tui.core.snapshot import Cost, Counts, RunView, Snapshot, Spread
from tui.headless import progress_line, summary_text, troubles_text

MS = 1_000_000
RUN = RunView("load", "m", "host/v1", started_at=0, phase="running", planned=40, rpm_limit=600)
BUSY = Snapshot(
    at=62_000 * MS,
    run=RUN,
    counts=Counts(waiting=1, connecting=2, streaming=5, backing_off=1, done=10, failed=1, broken=2, cancelled=1),
    retries=3,
    attempts_60s=25,
    tokens_per_s=431.2,
    ttft=Spread(10, 240 * MS, 300 * MS, 1240 * MS, 1300 * MS),
    cost=Cost("0.0123", "estimated"),
)
SPREAD = {"n": 4, "mean": 0.1, "min": 0.05, "p50": 0.1, "p90": 0.2, "p95": 0.2, "p99": 1.24, "max": 2.0}


def figures(**changes: Any) -> dict[str, Any]:
    """A summary as `core.summary` makes it."""
    return {
        "schema": 1, "job": "load", "model": "m", "record": None, "interrupted": False, "never_sent": 0,
        "errors": [], "finish_reasons": {"stop": 1230},
        "calls": {"total": 1234, "done": 1230, "failed": 1, "broken": 2, "cancelled": 1, "refused": 0},
        "attempts": 1300, "retries": 66, "http_429": 12,
        "ttft_s": SPREAD, "server_ttft_s": SPREAD, "user_ttft_s": SPREAD, "queue_s": None, "tpot_s": SPREAD,
        "chunk_gap_s": None, "e2e_s": SPREAD, "stream_tokens_per_s": {**SPREAD, "p50": 48.2},
        "tokens": {"prompt": 1000, "completion": 20000, "reasoning": 0, "cached": 0, "source": "mixed"},
        "run_tokens_per_s": 1204.0, "cost_usd": "0.50", "cost_source": "possibly billed", "wall_s": 125.0,
        "rpm_peak_60s": 600, "engine_lag_s": SPREAD, "ttft_marks": {"late": 1, "shared": 2}, **changes,
    }  # fmt: skip


def rows(text: str) -> dict[str, str]:
    """The summary's rows by name."""
    return {line[2:13].strip(): line[13:] for line in text.splitlines()[1:]}


def test_a_line_says_where_a_run_stands() -> None:
    assert progress_line(BUSY) == (
        "01:02 · 14/40 · 5 streaming · 4 waiting · 3 failed · 25/600 rpm · 431 tok/s · "
        "TTFT p50 240 ms p99 1.24 s · 3 retries · ~$0.0123"
    )


def test_a_line_leaves_out_what_there_is_not() -> None:
    fresh = Snapshot(at=0, run=replace(RUN, planned=None, rpm_limit=None, phase="draining"))
    assert progress_line(fresh) == "00:00 · 0 · 0 streaming · 0 rpm · 0.0 tok/s · draining"


def test_the_summary_has_every_figure_under_its_name() -> None:
    text = summary_text(figures(record="runs/x"), {"wire": "own transport"})
    assert text.splitlines()[0] == "load · m"
    found = rows(text)
    assert found["calls"] == "1,230 of 1,234 done · 1 failed · 2 broken · 1 cancelled"
    assert found["attempts"] == "1,300 sent, 66 retries, 12 × 429, at most 600 in any 60 s"
    assert found["TTFT"] == "p50  100 ms   p90  200 ms   p95  200 ms   p99  1.24 s   max  2.00 s"
    assert found["tok/s"] == "p50 48 a stream · 1,204 in all"
    assert found["tokens"] == "1,000 in, 20,000 out (partly estimated)"
    assert found["cost"] == "≤$0.5000 (possibly billed)"
    assert found["wall time"] == "2m 05s"
    assert found["trust"] == "loop lag p99 1.24 s, max 2.00 s; 1 late and 2 shared stamps"
    assert found["wire"] == "own transport"
    assert found["record"] == "runs/x"
    assert "queue" not in found  # nothing was measured, so nothing is said


def test_what_is_not_known_is_never_zero() -> None:
    none = {"prompt": 0, "completion": 0, "reasoning": 0, "cached": 0, "source": None}
    nothing = figures(
        ttft_s=None, stream_tokens_per_s=None, run_tokens_per_s=None, tokens=none, cost_usd=None,
        cost_source="unpriced", engine_lag_s=None,
    )  # fmt: skip
    found = rows(summary_text(nothing, {}))
    assert found["cost"].startswith("? ")
    assert not found.keys() & {"TTFT", "tok/s", "tokens", "trust", "record"}


def test_names_from_outside_are_drawn_clean() -> None:
    text = summary_text(figures(model="m\x1b[31m\n"), {})
    assert text.splitlines()[0] == "load · m�[31m"


def test_reasons_to_stop_are_told_when_they_are_not_all_alike() -> None:
    assert "stopped" not in rows(summary_text(figures(), {}))
    told = rows(summary_text(figures(finish_reasons={"stop": 1200, "length": 20, "": 10}), {}))
    assert told["stopped"] == "1,200 stop · 20 length · 10 without a reason"


def test_troubles_are_told_with_a_hint_for_each_kind() -> None:
    errors = [{"error": "HTTP 401: no key", "n": 7}, {"error": "HTTP 403: no\x1b[2J", "n": 2}]
    assert troubles_text(figures(errors=errors)).splitlines() == [
        "      7 × HTTP 401: no key",
        "      2 × HTTP 403: no�[2J",
        "  hint: the key was not accepted: set OPENAI_API_KEY, or name its variable with --api-key-env",
    ]
    assert troubles_text(figures()) == ""
