"""Redraws screenshots/ from recorded runs of the demo: `python tests/screenshots.py [--record]`.

A recording is one Snapshot of a real, seeded run, as the engine sent it to a screen of that size; drawing it
needs no engine and no clock, so that a change to the screen shows in the pictures and nothing else does.
"""

import argparse
import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from tui.core.commands import AnyCommand
from tui.core.session import Session
from tui.core.snapshot import Snapshot
from tui.dashboard.app import WeirApp

HERE = Path(__file__).parent
RECORDINGS = HERE / "recordings"
SCREENSHOTS = HERE.parent / "screenshots"

SCENES: dict[str, tuple[int, int, float, tuple[str, ...]]] = {
    "wall-80x24": (80, 24, 11.0, ()),
    "wall-120x40": (120, 40, 16.0, ()),
    "wall-200x60": (200, 60, 20.0, ()),
    "one-call-120x40": (120, 40, 12.0, ("enter",)),
    "finished-120x40": (120, 40, 60.0, ()),
    "no-color-80x24": (80, 24, 12.0, ()),
}
"""Name: columns, rows, seconds into the run (60: its end), keys pressed."""


class Recorded:
    """A Session that stands still."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.latest = snapshot

    def send(self, command: AnyCommand) -> None:
        """Nobody is there to obey."""


async def record(name: str) -> None:
    """Run the demo under a screen of the scene's size; keep the snapshot of its instant."""
    from tui.engine.host import Host
    from tui.jobs.demo import DEMO_PRICE, cancel_one, demo_setup, demo_simulator
    from tui.simulator.process import SimulatorProcess

    columns, rows, at_s, keys = SCENES[name]
    with SimulatorProcess(demo_simulator(seed=7)) as simulator:
        setup = demo_setup(simulator.base_url, requests=60, concurrency=9, rpm=120, seed=7, price=DEMO_PRICE, out=None)
        host = Host(setup)
        app = WeirApp(host)
        async with app.run_test(size=(columns, rows)) as pilot:
            run = asyncio.create_task(host.run())
            host.beside(host.count_live())
            host.beside(cancel_one(host))
            await asyncio.wait({run}, timeout=at_s - 1)
            await pilot.press(*keys)
            await asyncio.wait({run}, timeout=1)
            latest = host.latest
            kept = msgspec.structs.replace(
                latest, run=msgspec.structs.replace(latest.run, endpoint="127.0.0.1:8600/v1")
            )
            RECORDINGS.mkdir(exist_ok=True)
            (RECORDINGS / f"{name}.msgpack").write_bytes(msgspec.msgpack.encode(kept))
            run.cancel()
            await asyncio.wait({run})


async def draw(name: str) -> None:
    """Draw the scene from its recording."""
    columns, rows, _, keys = SCENES[name]
    snapshot = msgspec.msgpack.decode((RECORDINGS / f"{name}.msgpack").read_bytes(), type=Snapshot)
    session: Session = Recorded(snapshot)
    standing: Callable[[], int] = lambda: snapshot.at  # noqa: E731
    app = WeirApp(session, clock=standing, ticking=False)
    async with app.run_test(size=(columns, rows)) as pilot:
        app.frame()
        await pilot.pause()
        await pilot.press(*keys)
        app.frame()
        await pilot.pause()
        (SCREENSHOTS / f"{name}.svg").write_text(app.export_screenshot(title="weir"))


def main() -> None:
    """Record if asked to, then draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="run the demo for each scene first (two minutes)")
    parser.add_argument("names", nargs="*", default=[], help="scenes; default: all")
    args = parser.parse_args()
    SCREENSHOTS.mkdir(exist_ok=True)
    for name in args.names or SCENES:
        os.environ.pop("NO_COLOR", None)
        if args.record:
            asyncio.run(record(name))
        if name.startswith("no-color"):
            os.environ["NO_COLOR"] = "1"
        asyncio.run(draw(name))
        print(SCREENSHOTS / f"{name}.svg")


if __name__ == "__main__":
    main()
