"""CPU time from launch to the first request: `python tests/bench/bench_launch.py`. Linux only (/proc).

A bare socket takes the request's first bytes and reads at that moment what the scheduler has charged to all
threads of the client's process. httpx by hand stands beside it.
"""

import socket
import statistics
import subprocess
import tempfile
from pathlib import Path

from processes import PYTHON

ROUNDS = 7


def cpu_s(pid: int) -> float:
    """Seconds on a processor, all threads of a process."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def until_first_request(command: list[str]) -> float:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        words = [word.replace("URL", url) for word in command]
        client = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                return cpu_s(client.pid)
        finally:
            client.kill()
            client.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as out:
        weir = [PYTHON, "-m", "tui", "load", "--base-url", "URL", "-m", "sim", "--ui", "none", "--out", out]
        by_hand = [PYTHON, "tests/bench/httpx_by_hand.py", "URL", "sim", "8", "8"]
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(until_first_request(weir))
            theirs.append(until_first_request(by_hand))
    print(
        f"CPU from launch to the first request, median of {ROUNDS}: weir {statistics.median(ours):.3f} s "
        f"(to reach: 0.4), httpx by hand {statistics.median(theirs):.3f} s: "
        f"{statistics.median(ours) / statistics.median(theirs):.2f}x"
    )


if __name__ == "__main__":
    main()
