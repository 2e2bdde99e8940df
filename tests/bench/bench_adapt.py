"""How `--adapt` learns, over many servers and seeds, in virtual time: what failed, was refused and was used.

Run by hand: python tests/bench/bench_adapt.py [SEEDS]. 30 seeds take some three minutes.
"""

import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from adapt_world import World

from tui.simulator.settings import SimulatorSettings

CALLS = 60
KINDS = [("token-bucket", 2), ("token-bucket", 5), ("token-bucket", 20)] + [
    (kind, None) for kind in ("token-bucket", "fixed-window", "sliding-window")
]


def main(seeds: int) -> None:
    print(f"{CALLS} calls, 16 at once, {seeds} seeds each; every third server names no cause")
    for rpm, (kind, burst), style in product((60, 120, 300, 600), KINDS, ("honest", "none")):
        settings = SimulatorSettings(rpm=rpm, burst=burst, limit_kind=kind, retry_after_style=style)
        failed = refused = 0
        for seed in range(seeds):
            world = World(settings, seed, requests=CALLS, mute=seed % 3 == 0)
            world.run(400)
            failed, refused = failed + world.failed, max(refused, len(world.refused))
        long = World(settings, 1)
        long.run(300)
        print(
            f"{kind:>14} burst {burst or rpm:<4} {rpm:>4} rpm, wait {style:<6}: {failed} of {seeds * CALLS} failed, "
            f"at most {refused} refused; from minute 2 to 5 {long.passed_rpm(60, 300) / rpm:.0%} of the rate used"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
