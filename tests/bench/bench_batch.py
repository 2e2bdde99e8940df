"""What a batch of tiny documents takes: `python tests/bench/bench_batch.py [documents] [calls] [pairs]`.

First `weir batch` against `weir load`, with the same questions, answers and number at once: pairs of runs after one
another, and the median of the pairs' ratios, because a shared machine changes from minute to minute. Once with answers
that come at once, where both are as fast as one core lets them, and once with answers that take a tenth of a second.
Then the memory (PSS) of the engine over a run of many documents, and what it takes to go on with that run when it is
done: nothing is left to ask, and all of it has to be looked up.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench_memory import pss_mb
from processes import PYTHON, run

from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

AT_ONCE = SimulatorSettings(ttft_s=0.0, itl_s=0.0, jitter=0.0, tokens=8, models=(("sim", 1.0),))
PACED = replace(AT_ONCE, ttft_s=0.05, itl_s=0.007)
CONCURRENCY = 50
MB_TO_REACH, RATIO_TO_REACH = 300, 0.9
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Watched:
    """One process, looked at while it ran."""

    took_s: float
    most_mb: float
    """PSS of the process alone."""
    summary: dict[str, Any]


def text_of(number: int) -> str:
    return f"Note {number}: the gauge at the old weir read {number % 97} cm."


def write_questions(folder: Path, calls: int) -> tuple[Path, Path]:
    """The same texts as documents and as prompts."""
    documents, prompts = folder / "documents.jsonl", folder / "prompts.jsonl"
    with documents.open("w") as rows, prompts.open("w") as lines:
        for number in range(calls):
            rows.write(json.dumps({"id": number, "text": text_of(number)}) + "\n")
            lines.write(json.dumps({"prompt": text_of(number)}) + "\n")
    return documents, prompts


def asked_of(simulator: SimulatorProcess) -> list[str]:
    base = ["--base-url", simulator.base_url, "-m", "sim", "--max-tokens", "20", "--price", "in=1,out=2"]
    return [*base, "--concurrency", str(CONCURRENCY), "--ui", "none"]


def batch(simulator: SimulatorProcess, documents: Path, runs: Path) -> list[str]:
    what = [str(documents), "--prompt", "{text}", "--runs", str(runs), "--summary", "json"]
    return [PYTHON, "-m", "tui", "batch", *what, *asked_of(simulator)]


def load(simulator: SimulatorProcess, prompts: Path, runs: Path) -> list[str]:
    what = ["--prompts", str(prompts), "--out", str(runs), "--json"]
    return [PYTHON, "-m", "tui", "load", *what, *asked_of(simulator)]


def a_second(command: list[str]) -> tuple[float, float]:
    """Calls a second of a run, and CPU milliseconds of all its processes for each."""
    cost = run(command)
    summary = json.loads(cost.output)
    calls = summary["calls"]["done"]
    return calls / summary["wall_s"], cost.cpu_s / calls * 1e3


def compare(name: str, settings: SimulatorSettings, calls: int, pairs: int) -> None:
    ratios = list[float]()
    shown = list[str]()
    with SimulatorProcess(settings) as simulator, tempfile.TemporaryDirectory() as out:
        documents, prompts = write_questions(Path(out), calls)
        kinds = batch(simulator, documents, Path(out) / "b"), load(simulator, prompts, Path(out) / "l")
        for pair in range(pairs):
            turn = kinds if pair % 2 else kinds[::-1]
            found = dict(zip(map(id, turn), map(a_second, turn), strict=True))
            (ours, ours_ms), (theirs, theirs_ms) = (found[id(kind)] for kind in kinds)
            ratios.append(ours / theirs)
            shown.append(f"{ours:,.0f}/{theirs:,.0f} calls/s ({ours_ms:.2f}/{theirs_ms:.2f} ms CPU)")
    print(f"{name}: {calls:,} calls, {CONCURRENCY} at once, batch/load: {', '.join(shown)}")
    print(f"  median ratio {statistics.median(ratios):.3f} (to reach: {RATIO_TO_REACH:g})", flush=True)


def watched(command: Sequence[str]) -> Watched:
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    most_mb = 0.0
    ended = threading.Event()

    def look() -> None:
        nonlocal most_mb
        while not ended.wait(LOOK_EVERY_S):
            try:
                most_mb = max(most_mb, pss_mb(child.pid))
            except (OSError, StopIteration):  # it is ending
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    output, _ = child.communicate()
    ended.set()
    watcher.join()
    if child.returncode:
        raise RuntimeError(f"{command} exited with {child.returncode}")
    return Watched(time.monotonic() - began, most_mb, json.loads(output))


def remember(documents: int) -> None:
    with SimulatorProcess(AT_ONCE) as simulator, tempfile.TemporaryDirectory() as out:
        corpus, _ = write_questions(Path(out), documents)
        first = watched(batch(simulator, corpus, Path(out) / "runs"))
        rate = documents / first.summary["wall_s"]
        print(f"{documents:,} documents: engine at most {first.most_mb:.0f} MB (to reach: {MB_TO_REACH})")
        print(f"  {first.took_s:.0f} s in all, {rate:,.0f} documents/s while they were asked", flush=True)
        (folder,) = (Path(out) / "runs").iterdir()
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(folder.iterdir())}
        print("  " + ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items()))
        again = [PYTHON, "-m", "tui", "batch", "--resume", str(folder), "--ui", "none", "--summary", "json"]
        second = watched(again)
        reused = second.summary["documents"]["reused"]
        print(f"  gone on with when done ({reused:,} reused): {second.took_s:.0f} s, at most {second.most_mb:.0f} MB")


def main(documents: int = 100_000, calls: int = 5_000, pairs: int = 5) -> None:
    if pairs:
        compare("answers at once", AT_ONCE, calls, pairs)
        compare("answers of 0.1 s", PACED, calls, pairs)
    if documents:
        remember(documents)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
