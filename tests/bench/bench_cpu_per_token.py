"""CPU per token, headless, against httpx by hand: `python tests/bench/bench_cpu_per_token.py [streams]`.

Both read the same simulated streams, 100 at once, one token a chunk and one chunk a write (100 tokens a second
each), in turns. Whole processes are counted: imports, requests, records on disk and all.
"""

import json
import statistics
import sys
import tempfile

from processes import PYTHON, run

from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

ROUNDS = 3
TOKENS = 300


def main(streams: int = 100) -> None:
    settings = SimulatorSettings(ttft_s=0.2, itl_s=0.010, jitter=0.3, tokens=TOKENS, models=(("sim", 1.0),))
    requests = streams * 3
    ratios = []
    with SimulatorProcess(settings) as simulator, tempfile.TemporaryDirectory() as out:
        url = simulator.base_url
        for _ in range(ROUNDS):
            by_hand = run([PYTHON, "tests/bench/httpx_by_hand.py", url, "sim", str(requests), str(streams)])
            tokens = sum(row["tokens"] for row in json.loads(by_hand.output))
            load = ["--base-url", url, "-m", "sim", "--prompt", "Name a river.", "--requests", str(requests)]
            load += ["--concurrency", str(streams), "--ui", "none", "--json", "--out", out]
            ours = run([PYTHON, "-m", "tui", "load", *load])
            done = json.loads(ours.output)
            assert tokens == done["tokens"]["completion"] == requests * TOKENS
            per_token = [1e6 * cost.cpu_s / tokens for cost in (by_hand, ours)]
            ratios.append(ours.cpu_s / by_hand.cpu_s)
            print(
                f"{streams} streams, {tokens:,} tokens: httpx by hand {per_token[0]:.1f} µs a token "
                f"({by_hand.max_rss_mb:.0f} MB), weir {per_token[1]:.1f} µs ({ours.max_rss_mb:.0f} MB): "
                f"{ratios[-1]:.2f}x"
            )
    median = statistics.median(ratios)
    print(f"CPU per token, weir / httpx by hand, median of {ROUNDS}: {median:.2f}x (to reach: 0.50x)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
