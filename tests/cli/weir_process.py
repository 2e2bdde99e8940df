"""`python -m tui …` as people start it: a process with its own environment, folder and signals."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tui.simulator.process import SimulatorProcess

PATIENCE_S = 30.0
"""Until a condition that ought to hold soon counts as missed."""


def environment(**variables: str) -> dict[str, str]:
    """The tests' environment without what people may have set for themselves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return {**kept, **variables}


def weir(
    *arguments: str, stdin: str = "", cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    command = [sys.executable, "-m", "tui", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, cwd=cwd, env=environment(**variables), timeout=PATIENCE_S
    )


class RunningWeir:
    """A run under way; killed at the end of the `with` if it still runs."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            **options,
        )
        self.stderr = ""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> "RunningWeir":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C."""
        self._process.send_signal(number)

    def ends(self) -> tuple[int, str]:
        """Its exit code and its stdout."""
        assert self._process.stdout is not None
        output = self._process.stdout.read()
        code = self._process.wait(PATIENCE_S)
        self._listener.join()
        return code, output

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as said:
            for line in said:
                self.stderr += line


def until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until it holds."""
    ticks = threading.Event()
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        ticks.wait(0.02)


def streams(simulator: SimulatorProcess) -> int:
    """Streams that have begun to answer and have not ended."""
    return sum(request["tokens"] > 0 and request["ended"] is None for request in simulator.truth())
