"""What a record takes on the disk, and a replay to load: `python tests/bench/bench_record.py [calls] [tokens]`.

A real run against the simulator, recorded with `keep_text` off and on: one token a chunk, one every 5 ms ± 30 %. CPU is
this process's own; "load" ends when every fact of the record is there, "fold" when the summary is.
"""

import asyncio
import gc
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import TypeVar

from tui.core.calls import CallPlan
from tui.core.ledger import Ledger
from tui.core.secrets import Secret
from tui.engine.endpoint import Endpoint
from tui.engine.host import Host
from tui.engine.setup import RunSetup
from tui.jobs.replay import Replay, read_replay
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

T = TypeVar("T")
MB_TO_REACH, CPU_S_TO_REACH = 2.0, 1.0


def main(calls: int = 1_000, tokens: int = 200) -> None:
    settings = SimulatorSettings(ttft_s=0.2, itl_s=0.005, tokens=tokens, models=(("sim", 1.0),))
    with SimulatorProcess(settings) as simulator, tempfile.TemporaryDirectory() as out:
        for keep_text in (False, True):
            plans: Iterator[CallPlan] = (
                CallPlan(number, "sim", ({"role": "user", "content": f"Name river {number}."},), {"max_tokens": 500})
                for number in range(1, calls + 1)
            )
            endpoint = Endpoint(simulator.base_url, Secret(""), ())
            setup = RunSetup("load", "sim", endpoint, plans, calls, concurrency=100, out=Path(out), keep_text=keep_text)
            host = Host(setup)
            figures = asyncio.run(host.run())
            assert host.folder is not None
            gc.unfreeze()
            sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(host.folder.iterdir())}
            replay, read_s = timed(lambda folder=host.folder: read_replay(folder))
            facts, told_s = timed(lambda replay=replay: sum(1 for _ in replay.told()))
            ledger, fold_s = timed(lambda replay=replay: fold(replay))
            same = replay.figures(ledger) == {**figures, "record": str(host.folder)}
            print(f"{calls:,} calls of {tokens} chunks, {'with' if keep_text else 'without'} text")
            print("  " + ", ".join(f"{name} {size:.2f} MB" for name, size in sizes.items()))
            print(f"  to reach without text: {MB_TO_REACH:g} MB, loaded in {CPU_S_TO_REACH:g} s of CPU")
            print(f"  load {read_s + told_s:.2f} s CPU (read {read_s:.2f}, {facts:,} facts {told_s:.2f})")
            print(f"  told and folded {fold_s:.2f} s CPU; same summary: {same}")


def fold(replay: Replay) -> Ledger:
    ledger = replay.ledger()
    for _, fact in replay.told():
        ledger.fold(fact)
    return ledger


def timed(work: Callable[[], T]) -> tuple[T, float]:
    began = process_time()
    result = work()
    return result, process_time() - began


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
