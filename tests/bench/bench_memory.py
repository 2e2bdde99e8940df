"""Memory of engine and screen over a run of 10,000 calls with its dashboard open: `python tests/bench/bench_memory.py`.

PSS at the end of the run, by process; pages that several share are counted in part.
"""

import tempfile
from pathlib import Path

from on_a_pty import OnAPty, children
from processes import PYTHON

from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

CALLS = 10_000


def pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    settings = SimulatorSettings(ttft_s=0.05, itl_s=0.002, tokens=60, models=(("sim", 1.0),), error_rate=0.02)
    with SimulatorProcess(settings) as simulator, tempfile.TemporaryDirectory() as out:
        load = ["--base-url", simulator.base_url, "-m", "sim", "--requests", str(CALLS), "--concurrency", "60"]
        load += ["--ui", "dashboard", "--price", "in=1,out=2", "--out", out]
        wall = OnAPty([PYTHON, "-m", "tui", "load", *load], 120, 40)
        wall.wait_until(lambda: any(Path(out).glob("*/summary.json")), within_s=300)
        engine = pss_mb(wall.pid)
        others = {
            Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split(" -m ")[-1].split()[0]: pss_mb(pid)
            for pid in children(wall.pid)
        }
        wall.type("q")
        wall.close()
    print(
        f"{CALLS:,} calls: engine {engine:.0f} MB, " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in others.items())
    )


if __name__ == "__main__":
    main()
