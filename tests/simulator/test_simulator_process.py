"""The simulator as a process: starting, asking for the truth, ending with its parent."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from simulator_client import chat, quick

from tui.core.errors import UsageError, WeirError
from tui.simulator.process import SimulatorProcess


def ask(base_url):
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(chat()).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def test_it_starts_answers_tells_the_truth_and_stops():
    with SimulatorProcess(quick()) as simulator:
        answer = ask(simulator.base_url)
        assert [record["id"] for record in simulator.truth()] == [answer["id"]]
        simulator.reset()
        assert simulator.truth() == []
        child = simulator._child
    assert child.returncode == 0
    with pytest.raises(WeirError):
        _ = simulator.base_url


def test_a_port_in_use_is_reported_to_whoever_starts_it():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError) as refused:
        SimulatorProcess(quick(port=taken.getsockname()[1])).start()
    assert refused.value.where == "--port"
    assert refused.value.hint


def test_a_folder_named_like_the_package_does_not_get_in_the_way(tmp_path, monkeypatch):
    (tmp_path / "tui").mkdir()
    (tmp_path / "tui" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    monkeypatch.chdir(tmp_path)
    with SimulatorProcess(quick()) as simulator:
        assert simulator.truth() == []


def test_it_ends_when_its_parent_is_killed():
    program = (
        "from tui.simulator.process import SimulatorProcess\n"
        "simulator = SimulatorProcess()\n"
        "simulator.start()\n"
        "print(simulator.pid, flush=True)\n"
        "import signal; signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        watch = os.pidfd_open(child)
        parent.kill()
        assert select.select([watch], [], [], 10.0)[0], "the simulator outlived its parent"
        os.close(watch)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_as_a_program_it_prints_one_line_and_ends_cleanly_when_told(number):
    argv = [sys.executable, "-m", "tui.simulator", "--port", "0", "--ttft", "0", "--itl", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        line = program.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        program.send_signal(number)
        rest, narration = program.communicate()
    assert (program.returncode, rest) == (0, "")
    assert "Ctrl-C stops it" in narration
    assert "Traceback" not in narration


def test_a_bad_flag_is_one_line_and_a_hint():
    argv = [sys.executable, "-m", "tui.simulator", "--jitter", "7"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("error: --jitter: ")
    assert done.stderr.splitlines()[1].startswith("hint: ")


def test_it_starts_without_the_heavy_packages():
    program = (
        "import sys, tui.simulator.__main__\n"
        "print([name for name in ('httpx', 'textual', 'tiktoken', 'msgspec', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
