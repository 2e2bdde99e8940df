"""How well a schedule is kept: due to sent, at 200 requests a second with free slots.

    python tests/bench/bench_schedule.py [arrival…]

From calls.jsonl of a whole `weir load` with its record: first attempt sent - due, of every call. Beside it, because a
busy machine is late by itself: a bare loop in a process of its own that sleeps until the same instants, at the same
time, and the share of a core that the run took.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import PYTHON, run

from tui.core.histogram import Histogram
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

RATE_RPM = 12_000
SECONDS = 20
SEED = "7"

BARE = f"""
import asyncio, sys, time
from tui.core.arrivals import offsets
async def main():
    start = time.monotonic()
    for offset in offsets(sys.argv[1], {RATE_RPM}, 1.0, {SEED}):
        if offset > {SECONDS}: return
        left = start + offset - time.monotonic()
        if left > 0: await asyncio.sleep(left)
        print(round((time.monotonic() - start - offset) * 1e9))
asyncio.run(main())
"""


def shown(name: str, lateness_ns: list[int]) -> str:
    histogram = Histogram()
    for late in lateness_ns:
        histogram.record(late)
    p50, p95, p99 = histogram.quantiles(0.5, 0.95, 0.99) or [0, 0, 0]
    figures = f"p50 {p50 / 1e6:.2f}  p95 {p95 / 1e6:.2f}  p99 {p99 / 1e6:.2f}  max {histogram.maximum / 1e6:.1f} ms"
    return f"  {name:<22} n {histogram.n:>5}  {figures}"


def measure(arrival: str) -> None:
    settings = SimulatorSettings(ttft_s=0.2, itl_s=0.02, jitter=0.3, tokens=20, models=(("sim", 1.0),))
    with SimulatorProcess(settings) as simulator, tempfile.TemporaryDirectory() as out:
        load = ["--base-url", simulator.base_url, "-m", "sim", "--arrival", arrival, "--rate", str(RATE_RPM)]
        load += ["--duration", f"{SECONDS}s", "--seed", SEED, "--price", "in=1,out=2", "--ui", "none", "--out", out]
        began = time.monotonic()
        bare = subprocess.Popen([PYTHON, "-c", BARE, arrival], stdout=subprocess.PIPE, text=True)
        cost = run([PYTHON, "-m", "tui", "load", *load, "--json"])
        took_s = time.monotonic() - began
        idle, _ = bare.communicate()
        (folder,) = Path(out).iterdir()
        calls = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    summary = json.loads(cost.output)
    stated = summary["dispatch_error_s"]
    sent = [call for call in calls if call["attempts"]]
    late = [round((call["attempts"][0]["sent_s"] - call["due_s"]) * 1e9) for call in sent]
    print(f"{arrival}: {len(sent)} calls at {RATE_RPM // 60} a second, {cost.cpu_s / took_s:.0%} of a core")
    print(shown("a bare loop, sleeping", [int(line) for line in idle.split()]))
    print(shown("due to sent, all", late))
    print(shown("· after the 1st second", [ns for ns, call in zip(late, sent, strict=True) if call["due_s"] > 1]))
    print(
        f"  as the summary says    n {stated['n']:>5}  p50 {stated['p50'] * 1e3:.2f}  p99 {stated['p99'] * 1e3:.2f} ms"
    )


def main() -> None:
    for arrival in sys.argv[1:] or ["constant", "poisson"]:
        measure(arrival)


if __name__ == "__main__":
    main()
