"""What the screen costs: CPU of each turn of its loop at 120x40 with 16 streams of 50 tokens/s, on a real pty.

Run by hand: `python tests/bench/bench_screen.py [seconds] [columns] [rows] [streams]`.
"""

import asyncio
import fcntl
import gc
import json
import os
import pty
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

from tui.core.calls import State
from tui.core.clock import now_ns
from tui.core.commands import AnyCommand, Watch
from tui.core.snapshot import Cost, Counts, Pane, RunView, Snapshot
from tui.dashboard.app import WeirApp

TOKENS_PER_S = 50
WORDS = ["the", "weir", "holds", "back", "water", "that", "comes", "down", "from", "hills", "and", "lets", "it", "pass"]


class Streams:
    """A session whose streams all grow at a steady rate; a new picture is made 20 times a second."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._watch = Watch(count=count)
        self._text = [" ".join(WORDS[(n * 7 + k * k) % len(WORDS)] for k in range(20_000)) for n in range(count)]
        self._started_at = now_ns()
        self._made_at = 0
        self._latest: Snapshot | None = None

    @property
    def latest(self) -> Snapshot | None:
        return self._latest

    def make(self) -> None:
        """A new picture."""
        now = now_ns()
        tokens = int((now - self._started_at) / 1e9 * TOKENS_PER_S)
        panes = []
        for n in range(self._count):
            end = tokens * 5 + n * 13
            text = self._text[n][max(0, end - self._watch.tail_chars) : end]
            panes.append(
                Pane(
                    call=n + 1,
                    state=State.STREAMING,
                    model="gpt-4o-mini",
                    prompt="Explain what a weir does",
                    text=text,
                    text_end=end,
                    attempt=1,
                    ttft_ns=412_000_000,
                    tokens=tokens,
                    tokens_per_s=TOKENS_PER_S + n / 10,
                    cost=Cost(str(tokens * 6e-7), "estimated"),
                )
            )
        self._latest = Snapshot(
            at=now,
            run=RunView("load", "gpt-4o-mini", "127.0.0.1/v1", self._started_at, "running", concurrency=self._count),
            counts=Counts(streaming=self._count),
            attempts_by_second=[tokens % 7 + k % 5 for k in range(60)],
            tokens_by_second=[tokens % 11 + k % 9 for k in range(60)],
            tokens_per_s=float(TOKENS_PER_S * self._count),
            places=self._count,
            panes=panes[self._watch.first :][: self._watch.count],
        )

    def send(self, command: AnyCommand) -> None:
        if isinstance(command, Watch):
            self._watch = command


class Loop(asyncio.SelectorEventLoop):
    """Writes down the CPU time of its own thread in each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.turns_ns: list[int] = []
        self.measuring = False

    def _run_once(self) -> None:
        before = time.thread_time_ns()
        super()._run_once()  # type: ignore[misc]
        if self.measuring:
            self.turns_ns.append(time.thread_time_ns() - before)


async def show(seconds: float, streams: int, result: Path) -> None:
    """Run the app for a while, then write what its loop's turns cost."""
    loop: Any = asyncio.get_running_loop()
    session = Streams(streams)
    app = WeirApp(session)
    made_ns = 0

    def make() -> None:
        nonlocal made_ns
        before = time.thread_time_ns()
        session.make()
        made_ns += time.thread_time_ns() - before
        loop.call_later(0.05, make)

    def warm() -> None:
        gc.collect()
        gc.freeze()
        loop.call_later(0.1, start)

    def start() -> None:
        nonlocal made_ns
        made_ns = 0
        loop.measuring = True
        loop.cpu_before = time.process_time_ns()
        loop.call_later(seconds, stop)

    def stop() -> None:
        loop.measuring = False
        cpu = time.process_time_ns() - loop.cpu_before - made_ns
        # Turns that only looked at the clock say nothing of a frame.
        turns = sorted(turn for turn in loop.turns_ns if turn > 200_000) or [0]
        figures = {
            "turns": len(turns),
            "p50_ms": turns[len(turns) // 2] / 1e6,
            "p99_ms": turns[min(len(turns) - 1, int(len(turns) * 0.99))] / 1e6,
            "max_ms": turns[-1] / 1e6,
            "cpu_percent": cpu / seconds / 1e7,
        }
        result.write_text(json.dumps(figures))
        app.exit()

    make()
    loop.call_later(2.0, warm)
    await app.run_async()


def main() -> None:
    """Runs itself once more on a pty of the wanted size, reads all it draws, prints its figures."""
    seconds, columns, rows, streams = (
        int(word) for word in (sys.argv[1:] + ["8", "120", "40", "16"][len(sys.argv) - 1 :])[:4]
    )
    folder = tempfile.TemporaryDirectory()
    result = Path(folder.name) / "figures.json"
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(show(seconds, streams, result))
        os._exit(0)
    drawn = 0
    try:
        while data := os.read(terminal, 1 << 16):
            drawn += len(data)
    except OSError:
        pass  # Linux says EIO when the other end has gone
    os.waitpid(child, 0)
    figures = json.loads(result.read_text())
    folder.cleanup()
    print(f"{columns}x{rows}, {streams} streams of {TOKENS_PER_S} tok/s, {seconds} s: CPU of a turn of the loop")
    print("  " + "  ".join(f"{name} {value:.2f}" for name, value in figures.items()))
    print(f"  drawn {drawn / (seconds + 2) / 1000:.0f} kB/s")


if __name__ == "__main__":
    main()
