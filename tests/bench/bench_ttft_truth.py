"""How far our TTFT is from the truth, with the wall open on a 120x40 terminal; memory beside it.

    python tests/bench/bench_ttft_truth.py [slow]

Server TTFT of every call (first token - request written, from calls.jsonl) against the simulator's own record (first
token sent - request received by its kernel), joined by request id. `slow`: on a terminal that reads 30 kB/s.
"""

import json
import sys
import tempfile
from pathlib import Path

from on_a_pty import OnAPty
from processes import PYTHON

from tui.core.histogram import Histogram
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings


def measure(streams: int, tokens_per_s: float, tokens: int, requests: int, bytes_per_s: int | None) -> None:
    settings = SimulatorSettings(ttft_s=0.5, itl_s=1 / tokens_per_s, jitter=0.3, tokens=tokens, models=(("sim", 1.0),))
    with SimulatorProcess(settings) as simulator, tempfile.TemporaryDirectory() as out:
        load = ["--base-url", simulator.base_url, "-m", "sim", "--requests", str(requests)]
        load += ["--concurrency", str(streams), "--ui", "dashboard", "--price", "in=1,out=2", "--out", out]
        command = [PYTHON, "-m", "tui", "load", *load]
        wall = OnAPty(command, 120, 40, bytes_per_s)
        wall.wait_until(lambda: any(Path(out).glob("*/summary.json")), within_s=180)
        wall.type("q")
        code = wall.close()
        truth = {row["id"]: row for row in simulator.truth()}
        folder = next(Path(out).iterdir())
        summary = json.loads((folder / "summary.json").read_text())
        calls = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    errors = Histogram()
    for call in calls:
        attempt = call["attempts"][-1]
        if attempt["first_token_s"] is None:
            continue
        row = truth[attempt["request_id"]]
        ours = attempt["first_token_s"] - attempt["written_s"]
        true = (row["first_token_ns"] - row["accepted_ns"]) / 1e9
        errors.record(round(abs(ours - true) * 1e9))
    p50, p99 = errors.quantiles(0.5, 0.99) or [0, 0]
    lag, marks = summary["engine_lag_s"], summary["ttft_marks"]
    print(
        f"{streams} streams of {tokens_per_s:g} tok/s, {summary['calls']['done']}/{requests} done (exit {code}): "
        f"|TTFT error| p50 {p50 / 1e6:.3f} ms, p99 {p99 / 1e6:.3f} ms, max {errors.maximum / 1e6:.3f} ms; "
        f"loop lag p99 {lag['p99'] * 1e3:.1f} ms; marked {marks['late']} late, {marks['shared']} shared; "
        f"all processes together at most {wall.peak_mb:.0f} MB"
    )


def main() -> None:
    bytes_per_s = 30_000 if "slow" in sys.argv[1:] else None
    measure(100, 50, 200, 100, bytes_per_s)
    measure(100, 50, 200, 300, bytes_per_s)
    measure(1000, 10, 80, 1000, bytes_per_s)


if __name__ == "__main__":
    main()
