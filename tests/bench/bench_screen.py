"""What the screen costs: CPU of each turn of its loop, view by view, on a real pty, fed by a real engine's pictures.

    python tests/bench/bench_screen.py                                   all that the README's table says
    python tests/bench/bench_screen.py wall [columns rows streams calls] one view

The feeder (this process) folds a made-up run of `calls` ended calls and `streams` streams of 50 tokens/s, and sends a
picture 15 times a second, as the engine does. The screen's process runs the app as ever, on a loop that notes the CPU
time of its thread for each turn. Turns below 0.2 ms only looked at the clock and are left out.
"""

import asyncio
import contextlib
import fcntl
import gc
import json
import os
import pty
import select
import socket
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

import msgspec
from scripted_run import TOKENS_PER_S, ScriptedRun

from tui.core.clock import now_ns
from tui.core.commands import AnyCommand, Watch
from tui.core.frames import Frames, frame
from tui.core.picture import Painter, RunCard
from tui.core.views import VIEWS
from tui.dashboard.app import WeirApp
from tui.dashboard.link import LinkSession

SECONDS = 8.0
WARM_S = 2.0
FRAMES_PER_S = 15


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


class Drawn:
    """Counts the frames that the app draws."""

    def __init__(self, app: WeirApp) -> None:
        self.n = 0
        frame_of_app = app.frame

        def counted() -> None:
            before = app.snapshot
            frame_of_app()
            self.n += app.snapshot is not before

        app.frame = counted  # type: ignore[method-assign]


async def show(view: str, link: socket.socket, result: Path) -> None:
    """Run the app on the link, then write what its loop's turns cost."""
    loop: Any = asyncio.get_running_loop()
    session = LinkSession(link)
    app = WeirApp(session)
    drawn = Drawn(app)
    session.start(loop, lambda error: app.exit())

    def warm() -> None:
        app.main.show_view(view)
        gc.collect()
        gc.freeze()
        loop.call_later(WARM_S, start)

    def start() -> None:
        loop.measuring = True
        loop.cpu_before = time.process_time_ns()
        drawn.n = 0
        loop.call_later(SECONDS, stop)

    def stop() -> None:
        loop.measuring = False
        cpu = time.process_time_ns() - loop.cpu_before
        turns = sorted(turn for turn in loop.turns_ns if turn > 200_000) or [0]
        figures = {
            "p50_ms": turns[len(turns) // 2] / 1e6,
            "p99_ms": turns[min(len(turns) - 1, int(len(turns) * 0.99))] / 1e6,
            "max_ms": turns[-1] / 1e6,
            "cpu_percent": cpu / SECONDS / 1e7,
            "frames_a_s": drawn.n / SECONDS,
        }
        loop.switching = asyncio.create_task(switch(figures))

    async def switch(figures: dict[str, float]) -> None:
        """From view to view and back, twice round: the CPU until the new one is drawn."""
        costs: list[float] = []
        for name in (*VIEWS, *VIEWS):
            before = time.process_time_ns()
            app.main.show_view(name)
            while app.snapshot is None or app.snapshot.watch.view != name:  # noqa: ASYNC110 - no event says so
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.02)
            costs.append((time.process_time_ns() - before) / 1e6)
        figures["switch_max_ms"] = max(costs)
        figures["pss_mb"] = pss_mb()
        keep(result, figures)
        app.exit()

    loop.call_later(1.0, warm)
    await app.run_async()


def pss_mb() -> float:
    """Memory of this process; pages shared with others are counted in part."""
    held = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in held if line.startswith("Pss:")) / 1024


def keep(result: Path, figures: dict[str, float]) -> None:
    """For the process that started this one."""
    result.write_text(json.dumps(figures))


class Feeder:
    """The engine's side: pictures out, Watch in, the terminal read as fast as it is written."""

    def __init__(self, link: socket.socket, terminal: int, streams: int, calls: int) -> None:
        self._link, self._terminal = link, terminal
        self._run = ScriptedRun(calls, streams, now_ns())
        card = RunCard("load", "gpt-4o-mini", "api.example.com/v1", calls + streams)
        self._painter = Painter(self._run.ledger, card)
        self._watch = Watch()
        self._frames = Frames()
        self._decoder = msgspec.msgpack.Decoder(AnyCommand)
        self.drawn = 0
        self.tail = b""
        self.picture_ms: list[float] = []

    def feed(self) -> None:
        """Until the screen has gone."""
        due = time.monotonic()
        while True:
            ready, _, _ = select.select([self._link, self._terminal], [], [], max(0.0, due - time.monotonic()))
            if self._terminal in ready:
                try:
                    data = os.read(self._terminal, 1 << 16)
                except OSError:  # Linux says EIO when the other end has gone
                    return
                self.drawn += len(data)
                self.tail = (self.tail + data)[-2000:]
            if self._link in ready:
                try:
                    data = self._link.recv(1 << 16)
                except ConnectionResetError:  # gone with pictures unread
                    data = b""
                for body in self._frames.take(data):
                    command = self._decoder.decode(body)
                    if isinstance(command, Watch):
                        self._watch = command
            if time.monotonic() >= due:
                due = max(due + 1 / FRAMES_PER_S, time.monotonic())
                self._send()

    def _send(self) -> None:
        now = now_ns()
        self._run.grow(now)
        before = time.thread_time_ns()
        picture = frame(msgspec.msgpack.encode(self._painter.picture(self._watch, now)))
        self.picture_ms.append((time.thread_time_ns() - before) / 1e6)
        with contextlib.suppress(BrokenPipeError):
            self._link.sendall(picture)


def measure(view: str, columns: int, rows: int, streams: int, calls: int) -> None:
    ours, theirs = socket.socketpair()
    folder = tempfile.TemporaryDirectory()
    result = Path(folder.name) / "figures.json"
    child, terminal = pty.fork()
    if child == 0:
        ours.close()
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.set_inheritable(theirs.fileno(), True)
        os.execve(
            sys.executable, [sys.executable, __file__, "--child", view, str(theirs.fileno()), str(result)], environment
        )
    theirs.close()
    feeder = Feeder(ours, terminal, streams, calls)
    feeder.feed()
    os.waitpid(child, 0)
    if not result.exists():
        raise SystemExit(f"the screen died: {feeder.tail.decode(errors='replace')}")
    figures = json.loads(result.read_text())
    folder.cleanup()
    picture_ms = sorted(feeder.picture_ms)
    print(
        f"{view:9} {columns}x{rows}, {streams} streams of {TOKENS_PER_S} tok/s, {calls:,} calls ended: "
        f"turn p50 {figures['p50_ms']:.1f} p99 {figures['p99_ms']:.1f} max {figures['max_ms']:.1f} ms; "
        f"{figures['frames_a_s']:.1f} frames/s; {figures['cpu_percent']:.0f} % CPU; "
        f"switching views at most {figures['switch_max_ms']:.0f} ms; screen {figures['pss_mb']:.0f} MB; "
        f"drawn {feeder.drawn / (SECONDS + WARM_S + 2) / 1000:.0f} kB/s; "
        f"a picture costs the engine p99 {picture_ms[int(len(picture_ms) * 0.99)]:.1f} ms",
        flush=True,
    )


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        view, fd, result = sys.argv[2:]
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(show(view, socket.socket(fileno=int(fd)), Path(result)))
        return
    if sys.argv[1:]:
        view, *numbers = sys.argv[1:]
        columns, rows, streams, calls = [*map(int, numbers), *(120, 40, 16, 10_000)[len(numbers) :]]
        measure(view, columns, rows, streams, calls)
        return
    for view in VIEWS:
        measure(view, 120, 40, 16, 10_000)
    measure("wall", 300, 90, 60, 10_000)


if __name__ == "__main__":
    main()
