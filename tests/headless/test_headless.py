"""Progress lines and the summary, as plain text."""

from typing import Any

from msgspec.structs import replace

from tui.core.snapshot import Cost, Counts, RunView, Snapshot, Spread
from tui.headless import progress_line, summary_text, sweep_text, troubles_text

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
        "rpm_peak_60s": 600, "engine_lag_s": SPREAD, "ttft_marks": {"late": 1, "shared": 2},
        "dispatch_error_s": None, **changes,
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


def test_warm_up_calls_and_calls_done_again_are_told_where_there_were_any() -> None:
    found = rows(summary_text(figures(warmup_calls=8, done_again=3), {}))
    assert found["warm-up"] == "8 calls before, in no figure but cost and rate"
    assert found["calls"] == "1,230 of 1,234 done · 1 failed · 2 broken · 1 cancelled · 3 of them done again by hand"
    assert rows(summary_text(figures(warmup_calls=1), {}))["warm-up"].startswith("1 call before,")
    for none in (figures(warmup_calls=0, done_again=0), figures()):  # the latter: a summary of old
        assert "warm-up" not in (found := rows(summary_text(none, {})))
        assert "again" not in found["calls"]


def test_troubles_are_told_with_a_hint_for_each_kind() -> None:
    errors = [{"error": "HTTP 401: no key", "n": 7}, {"error": "HTTP 403: no\x1b[2J", "n": 2}]
    assert troubles_text(figures(errors=errors)).splitlines() == [
        "      7 × HTTP 401: no key",
        "      2 × HTTP 403: no�[2J",
        "  hint: the key was not accepted: set OPENAI_API_KEY, or name its variable with --api-key-env",
    ]
    assert troubles_text(figures()) == ""


# ── schedules and sweeps ───────────────────────────────────────────────────────────────────────────────────


def swept(value: int, **changes: Any) -> dict[str, Any]:
    """The summary of one run of four."""
    return figures(sweep={"kind": "concurrency", "value": value, "number": 1, "of": 4}, **changes)


def test_how_well_a_schedule_was_kept_is_told_only_where_there_was_one() -> None:
    assert "schedule" not in rows(summary_text(figures(), {}))
    found = rows(summary_text(figures(dispatch_error_s={**SPREAD, "n": 1200, "p50": 0.0004, "p99": 0.0031}), {}))
    assert found["schedule"] == (
        "sent p50 0.4 ms   p99 3.1 ms   max 2.00 s after due, where a slot stood ready (1,200 calls)"
    )
    line = progress_line(replace(BUSY, dispatch_error=Spread(9, 1 * MS, 2 * MS, 3 * MS, 4 * MS)))
    assert " · schedule kept to 3.0 ms p99 · " in line
    assert "schedule" not in progress_line(BUSY)


def test_the_runs_of_a_sweep_stand_side_by_side() -> None:
    text = sweep_text([swept(1, run_tokens_per_s=301.0), swept(16)])
    head, first, second = text.splitlines()[1:4]
    names = "concurrency calls done TTFT p50 p95 p99 tok/s rpm peak 429s errors cost"
    assert head.split() == names.split()
    assert first.split() == [
        "1",
        "1,234",
        "1,230",
        "100",
        "ms",
        "200",
        "ms",
        "1.24",
        "s",
        "301",
        "600",
        "12",
        "3",
        "≤$0.5000",
    ]
    assert second.split()[0] == "16"
    assert len({len(line) for line in (head, first, second)}) == 1


def test_bars_are_as_long_as_their_values_and_absent_is_a_dash() -> None:
    text = sweep_text([swept(1, run_tokens_per_s=301.0), swept(2), swept(4, run_tokens_per_s=None)])
    after = text[text.index("tok/s, all streams") :].splitlines()[1:4]
    assert after == [
        "            1 ██████████ 301",
        "            2 ████████████████████████████████████████ 1,204",
        "            4 —",
    ]


def test_a_sweep_with_a_schedule_also_tells_what_came_late_and_what_never_went() -> None:
    text = sweep_text([swept(1, dispatch_error_s=SPREAD, queue_s=SPREAD, never_sent=31)])
    head, row = text.splitlines()[1:3]
    assert "queue p99  never sent" in head
    assert "31" in row.split()


def test_a_sweep_that_was_stopped_says_so_and_records_and_errors_stand_below() -> None:
    refused = [{"error": "HTTP 429: slow\x1b[2J", "n": 7}]
    lines = sweep_text([swept(1, record="runs/a"), swept(2, record="runs/b", errors=refused)]).splitlines()
    assert "  stopped after 2 of 4 runs" in lines
    assert lines[-4:-1] == ["  concurrency 1: runs/a", "  concurrency 2: runs/b", "      7 × HTTP 429: slow�[2J"]


def test_nothing_measured_is_no_bar_and_no_zero() -> None:
    text = sweep_text([swept(1, ttft_s=None, run_tokens_per_s=None, cost_usd=None, cost_source="unpriced")])
    assert text.splitlines()[2].split() == ["1", "1,234", "1,230", "—", "—", "—", "—", "600", "12", "3", "?"]
    assert "█" not in text
