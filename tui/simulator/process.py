"""The simulator in a process of its own, for whoever needs a provider to talk to. Imports no event loop.

The child ends with its parent, however that ends: it serves until its stdin closes.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import urllib.request
from typing import IO, Any

from tui.core.child import child_environment, python_child
from tui.core.errors import UsageError, WeirError
from tui.simulator.settings import ANNOUNCEMENT, SimulatorSettings

_TRUTH_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 5.0


class SimulatorProcess:
    """A simulated provider; `with SimulatorProcess(settings) as simulator: simulator.base_url`."""

    def __init__(self, settings: SimulatorSettings | None = None) -> None:
        self.settings = settings or SimulatorSettings()
        self._child: subprocess.Popen[bytes] | None = None
        self._narration: IO[bytes] | None = None
        self._base_url: str | None = None

    def start(self) -> str:
        """Start it and wait until it listens; its base URL, such as `http://127.0.0.1:43121/v1`.

        UsageError when its address cannot be had; WeirError with what it said when it did not start.
        """
        if self._child is not None:
            return self.base_url
        # A file and not a pipe: nobody reads it unless the start fails, and a full pipe would block the child.
        self._narration = tempfile.TemporaryFile()  # noqa: SIM115
        self._child = subprocess.Popen(
            python_child("tui.simulator", "--embedded"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._narration,
            env=child_environment(os.environ),
            # Ctrl-C goes to the whole foreground group, and a run that drains still needs its provider.
            start_new_session=True,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(self.settings.as_json().encode() + b"\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline().decode()
        except BrokenPipeError:
            line = ""
        if not line.startswith(ANNOUNCEMENT):
            raise self._failure()
        self._base_url = line.removeprefix(ANNOUNCEMENT).strip()
        return self._base_url

    @property
    def base_url(self) -> str:
        """Where it listens; WeirError when it was not started."""
        if self._base_url is None:
            raise WeirError("the simulator is not running: call start() first")
        return self._base_url

    @property
    def pid(self) -> int:
        """The child's process id; WeirError when it was not started."""
        if self._child is None:
            raise WeirError("the simulator is not running: call start() first")
        return self._child.pid

    def truth(self) -> list[dict[str, Any]]:
        """What really happened so far, request by request, in the order of arrival (see `truth.Record`)."""
        with self._open("/_truth") as reply:
            requests: list[dict[str, Any]] = json.load(reply)["requests"]
        return requests

    def reset(self) -> None:
        """Make it as freshly started: no truth, no memory of earlier requests, full allowances."""
        with self._open("/_reset", b"") as reply:
            reply.read()

    def stop(self) -> None:
        """End it; nothing happens when it has ended already."""
        child, self._child, self._base_url = self._child, None, None
        if child is not None:
            assert child.stdin is not None
            assert child.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
            try:
                child.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            child.stdout.close()
        if self._narration is not None:
            self._narration.close()
            self._narration = None

    def __enter__(self) -> "SimulatorProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _open(self, path: str, data: bytes | None = None) -> Any:
        url = self.base_url.removesuffix("/v1") + path
        # No proxy: the environment's is for other machines.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(url, data, timeout=_TRUTH_TIMEOUT_S)

    def _failure(self) -> WeirError:
        assert self._child is not None
        assert self._narration is not None
        self._child.wait()
        self._narration.seek(0)
        said = self._narration.read().decode(errors="replace").strip()
        code = self._child.returncode
        self.stop()
        if code == 2:
            # Its own UsageError, printed as "error: where: what" and "hint: …".
            error, _, hint = said.partition("\nhint: ")
            where, _, what = error.removeprefix("error: ").partition(": ")
            return UsageError(where, what, hint)
        return WeirError(f"the simulator ended with exit code {code} instead of starting:\n{said}")
