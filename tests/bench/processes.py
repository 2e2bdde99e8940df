"""Running a command and knowing what it cost: CPU seconds and memory of the process and of those it waited for."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

PYTHON = sys.executable


@dataclass(frozen=True)
class Cost:
    """What one finished process took."""

    cpu_s: float
    """User and system time, waited-for children included."""
    max_rss_mb: float
    """The largest single process."""
    output: str


def run(command: list[str], **environment: str) -> Cost:
    """Run to the end; raises when it fails."""
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, stdout=output, env=os.environ | environment)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if child.returncode != 0:
            raise RuntimeError(f"{command} exited with {child.returncode}")
        return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.read())
