"""How many tokens the simulator sends in one second of its own CPU time, and how late it sends them.

The client only reads bytes, in this process; the simulator's CPU time is read from the kernel. Run it on a quiet
machine: `python tests/bench/bench_simulator.py`, or with pytest and `-m bench -s`.
"""

import json
import os
import selectors
import socket
import time
from pathlib import Path

import pytest

from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

pytestmark = pytest.mark.bench

ENOUGH = 50_000
"""Tokens per CPU second that keep the simulator ahead of any client."""


def cpu_s(pid: int) -> float:
    """CPU time of a process, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_streams(base_url: str, streams: int, requests: int) -> None:
    """Send `requests` over `streams` connections and read every answer to its end, byte by byte blind."""
    host, port = base_url.removeprefix("http://").removesuffix("/v1").split(":")
    body = json.dumps(
        {"model": "sim", "stream": True, "messages": [{"role": "user", "content": "Tell me about a weir."}]}
    ).encode()
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (host.encode(), len(body), body)
    )
    selector = selectors.DefaultSelector()
    for _ in range(streams):
        sock = socket.create_connection((host, int(port)))
        sock.setblocking(False)
        sock.send(request)
        selector.register(sock, selectors.EVENT_READ)
    sent, done = streams, 0
    while done < requests:
        for key, _ in selector.select():
            data = key.fileobj.recv(1 << 18)
            assert data, "the simulator cut a stream"
            if data.endswith(b"0\r\n\r\n"):
                done += 1
                if sent < requests:
                    sent += 1
                    key.fileobj.send(request)
    for key in list(selector.get_map().values()):
        key.fileobj.close()


def measure(name: str, settings: SimulatorSettings, streams: int, requests: int) -> float:
    with SimulatorProcess(settings) as simulator:
        read_streams(simulator.base_url, streams, streams)  # warm
        simulator.reset()
        cpu_before, before = cpu_s(simulator.pid), time.monotonic()
        read_streams(simulator.base_url, streams, requests)
        wall_s, used_s = time.monotonic() - before, cpu_s(simulator.pid) - cpu_before
        truth = simulator.truth()
    tokens = sum(record["tokens"] for record in truth)
    assert [record["ended"] for record in truth] == ["complete"] * requests
    rate = tokens / used_s
    print(f"{name}: {tokens:,} tokens in {wall_s:.2f} s, {used_s:.2f} s of CPU")
    print(f"  tokens per CPU second of the simulator: {rate:,.0f}")
    if settings.ttft_s:
        late = sorted(record["first_token_ns"] - record["accepted_ns"] - settings.ttft_s * 1e9 for record in truth)
        last_due = settings.ttft_s + (settings.tokens - 1) * settings.itl_s
        last_late = sorted(record["last_token_ns"] - record["accepted_ns"] - last_due * 1e9 for record in truth)
        for what, values in (("first", late), ("last", last_late)):
            print(
                f"  {what} token after it was due: p50 {values[len(values) // 2] / 1e6:.2f} ms, "
                f"p99 {values[int(len(values) * 0.99)] / 1e6:.2f} ms"
            )
    return rate


def test_paced_streams_cost_one_send_a_token_and_still_outrun_a_client():
    settings = SimulatorSettings(models=(("sim", 1.0),), ttft_s=0.5, itl_s=0.02, jitter=0.0, tokens=150)
    assert measure("1,000 streams of 50 tok/s, a send per token", settings, 1000, 1000) > ENOUGH


def test_unpaced_streams_go_as_fast_as_the_socket_takes_them():
    settings = SimulatorSettings(models=(("sim", 1.0),), ttft_s=0.0, itl_s=0.0, jitter=0.0, tokens=128)
    assert measure("32 streams without a pause", settings, 32, 6000) > ENOUGH


if __name__ == "__main__":
    test_paced_streams_cost_one_send_a_token_and_still_outrun_a_client()
    test_unpaced_streams_go_as_fast_as_the_socket_takes_them()
