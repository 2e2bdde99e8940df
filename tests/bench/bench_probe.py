"""How true a probe's verdicts are on real sockets: kinds of limits x rates x seeds, against `weir simulate`.

    python tests/bench/bench_probe.py [--rpm 60,120,300] [--kinds …] [--styles openai,none] [--burst N] [--seeds 1]
                                      [--parallel 4] [--busy N]

Every case is a simulator and a probe, each in a process of its own. A window's case takes a minute or more: that long
it is until the window gives something back. `--busy N` keeps so many more processes computing beside them. The exit
code is 1 when a case misses: another kind, over 5 % off in rate or burst, or an interval without the truth.
"""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

from processes import PYTHON

from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import LIMIT_KINDS, SimulatorSettings

NEAR = 0.05


@dataclass(frozen=True)
class Case:
    """One limit to find."""

    kind: str
    rpm: int
    style: str
    seed: int
    burst: int | None

    @property
    def true_burst(self) -> int:
        """What passes at once from a rest."""
        return self.burst if self.burst is not None and self.kind == "token-bucket" else self.rpm


def probe(case: Case) -> tuple[bool, str]:
    """Whether the verdict is right, and a line about it."""
    settings = SimulatorSettings(
        seed=case.seed,
        rpm=case.rpm,
        burst=case.burst if case.kind == "token-bucket" else None,
        limit_kind=case.kind,
        header_style=case.style,
        models=(("sim", 1.0),),
    )
    began = time.monotonic()
    with SimulatorProcess(settings) as simulator:
        command = [PYTHON, "-m", "tui", "probe", "--base-url", simulator.base_url, "--json", "--ui", "none"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    name = f"{case.kind:<15} {case.rpm:>4} rpm, {case.true_burst:>3} at once  {case.style:<9} seed {case.seed}"
    if ran.returncode != 0:
        return False, f"{name}  exit {ran.returncode}: {' '.join(ran.stderr.splitlines()[-1:])}"
    found = json.loads(ran.stdout)
    low, high = found["rpm"]["low"], found["rpm"]["high"]
    rate, burst = found["rpm"]["estimate"], found["burst"]["estimate"]
    right = {
        "kind": found["kind"] == case.kind,
        "rate": rate is not None and abs(rate / case.rpm - 1) <= NEAR,
        "burst": burst is not None and abs(burst / case.true_burst - 1) <= NEAR,
        "interval": low is not None and high is not None and low <= case.rpm <= high,
    }
    missed = [what for what, holds in right.items() if not holds]
    figures = f"rate {_ratio(rate, case.rpm)} [{_ratio(low, case.rpm)} {_ratio(high, case.rpm)}]"
    figures += f"  burst {_ratio(burst, case.true_burst)}  {found['requests_used']:>4} requests"
    said = f"MISSES {', '.join(missed)}: {found['kind']}, {found['stopped']}" if missed else "right"
    return not missed, f"{name}  {figures}  {time.monotonic() - began:>4.0f} s  {said}"


def _ratio(value: float | None, truth: int) -> str:
    return "    —" if value is None else f"{value / truth:.3f}"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kinds", default=",".join(LIMIT_KINDS))
    parser.add_argument("--rpm", default="120")
    parser.add_argument("--styles", default="openai,none")
    parser.add_argument("--burst", type=int, help="of token buckets (default: a minute's worth)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--busy", type=int, default=0)
    args = parser.parse_args()
    rates = map(int, args.rpm.split(","))
    matrix = product(args.kinds.split(","), rates, args.styles.split(","), range(args.seeds))
    cases = [Case(kind, rpm, style, seed, args.burst) for kind, rpm, style, seed in matrix]
    busy = [subprocess.Popen([PYTHON, "-c", "while True: sum(range(10_000))"]) for _ in range(args.busy)]
    try:
        with ThreadPoolExecutor(args.parallel) as pool:
            right = 0
            for holds, line in pool.map(probe, cases):
                right += holds
                print(line, flush=True)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    print(f"{right} of {len(cases)} right")
    return 0 if right == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
