"""The whole of it on a real terminal: engine, screen, keys, signals, and how the terminal is given back."""

import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal, child_that_runs

from tui.files.journal_reader import read_journal, read_run
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

WEIR = [sys.executable, "-m", "tui"]
PRICE = ["--price", "in=1,out=10"]
ENDLESS = SimulatorSettings(ttft_s=0.0, itl_s=0.05, jitter=0.0, tokens=5_000, models=(("sim", 1.0),))
SHORT = SimulatorSettings(ttft_s=0.0, itl_s=0.01, jitter=0.0, tokens=30, models=(("sim", 1.0),))
STEADY = SimulatorSettings(ttft_s=0.0, itl_s=0.05, jitter=0.0, tokens=80, models=(("sim", 1.0),))

HOSTILE = "A\x1b]52;c;aGFja2Vk\x07B\x1b[2JC\x9b31mD\x1b]0;title\x07E\u202eF\u2066G [/red] [bold]H\x1b[?1049lI\x85J"
FORBIDDEN = (b"\x1b]52", b"\x1b]0;", b"\x1b[2J", "\x9b".encode(), "\u202e".encode(), "\u2066".encode(), "\x85".encode())


def load(simulator: SimulatorProcess, *flags: str) -> list[str]:
    return [*WEIR, "load", "--base-url", simulator.base_url, *PRICE, *flags]


def streaming(simulator: SimulatorProcess) -> int:
    return sum(request["tokens"] > 0 and request["ended"] is None for request in simulator.truth())


@pytest.fixture
def endless() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(ENDLESS) as simulator:
        yield simulator


def test_the_wall_shows_its_panes_and_q_gives_the_terminal_back_with_the_summary(tmp_path: Path) -> None:
    with SimulatorProcess(SHORT) as simulator:
        flags = ("--requests", "4", "--concurrency", "4", "--prompt", "How deep is it?", "--out", str(tmp_path))
        with Terminal(load(simulator, *flags)) as terminal:
            terminal.shows("#1", "#2", "#3", "#4", "sim", "How deep is it?", "TTFT", "done")
            terminal.until(lambda: len(simulator.truth()) == 4 and not streaming(simulator), "the streams' ends")
            terminal.shows("finished")
            assert terminal.settings != terminal.before  # the screen has it
            terminal.type("q")
            assert terminal.ends() == 0
            assert terminal.is_given_back()
    last_words = terminal.after_the_screen()
    assert "4 of 4 done" in last_words
    assert str(tmp_path) in last_words
    (run,) = tmp_path.iterdir()
    assert json.loads((run / "summary.json").read_text())["calls"]["done"] == 4


def test_a_killed_screen_leaves_the_terminal_in_order_and_the_run_drains(tmp_path: Path) -> None:
    with SimulatorProcess(STEADY) as simulator:
        flags = ("--requests", "50", "--concurrency", "2", "--out", str(tmp_path))
        with Terminal(load(simulator, *flags)) as terminal:
            terminal.shows("#1", "#2")
            terminal.until(lambda: streaming(simulator) == 2, "two streams")
            screen = child_that_runs(terminal.process.pid, "tui.dashboard")
            assert screen is not None
            os.kill(screen, signal.SIGKILL)
            terminal.until(lambda: b"the screen is gone: draining" in terminal.output, "word of it")
            assert terminal.is_given_back()
            assert terminal.ends() == 130
            assert terminal.is_given_back()
        assert {request["ended"] for request in simulator.truth()} == {"complete"}
        asked = len(simulator.truth())
    assert asked < 50
    assert f"{asked} of {asked} done" in terminal.after_the_screen()
    (run,) = tmp_path.iterdir()
    assert len(list(read_journal(run / "journal.db"))) == asked
    assert read_run(run / "journal.db")["interrupted"] is True


def test_ctrl_c_drains_and_ctrl_c_again_stops(endless: SimulatorProcess, tmp_path: Path) -> None:
    flags = ("--requests", "50", "--concurrency", "2", "--out", str(tmp_path))
    with Terminal(load(endless, *flags)) as terminal:
        terminal.shows("#1", "#2")
        terminal.until(lambda: streaming(endless) == 2, "two streams")
        terminal.type("\x03")
        terminal.shows("draining")
        assert streaming(endless) == 2
        terminal.type("\x03")
        assert terminal.ends() == 130
        assert terminal.is_given_back()
    assert "0 of 2 done · 2 cancelled" in terminal.after_the_screen()
    (run,) = tmp_path.iterdir()
    assert {record.state.value for record in read_journal(run / "journal.db")} == {"cancelled"}


def test_a_signal_ends_a_finished_run_that_nobody_closes() -> None:
    with SimulatorProcess(SHORT) as simulator, Terminal(load(simulator, "--requests", "1", "--no-save")) as terminal:
        terminal.shows("finished")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ends() == 0
        assert terminal.is_given_back()
        assert "1 of 1 done" in terminal.after_the_screen()


@pytest.mark.slow
def test_resizing_in_the_middle_of_a_run_is_survived(endless: SimulatorProcess) -> None:
    with Terminal(load(endless, "--requests", "6", "--concurrency", "6", "--no-save"), 100, 30) as terminal:
        terminal.shows("#1", "#6")
        for columns, rows in ((40, 10), (200, 60), (3, 2), (80, 24)):
            seen = len(terminal.output)
            terminal.resize(columns, rows)
            terminal.until(lambda seen=seen: len(terminal.output) > seen + 100, f"a screen of {columns}x{rows}")  # type: ignore[misc]
        terminal.until(lambda: terminal.process.poll() is None and streaming(endless) == 6, "six streams")
        terminal.type("\x03\x03")
        assert terminal.ends() == 130
        assert terminal.is_given_back()


@pytest.mark.slow
def test_no_color_means_no_colour(endless: SimulatorProcess) -> None:
    command = load(endless, "--requests", "2", "--concurrency", "2", "--no-save")
    with Terminal(command, 100, 30, NO_COLOR="1") as terminal:
        terminal.shows("#1", "#2")
        terminal.until(lambda: streaming(endless) == 2, "two streams")
        terminal.type("\x03\x03")
        assert terminal.ends() == 130
    sequences = re.findall(rb"\x1b\[([0-9;:]*)m", bytes(terminal.output))
    parameters = {int(each or 0) for sequence in sequences for each in re.split(rb"[;:]", sequence)}
    assert sequences
    assert not parameters & {*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108)}


@pytest.fixture
def hostile() -> Iterator[str]:
    """The address of a server whose every word is an attack on a terminal, and which then stays on the line."""
    chunk = {"choices": [{"index": 0, "delta": {"content": HOSTILE + " HARMLESS"}, "finish_reason": None}]}
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            asked = connection.recv(1 << 16)
            if b"FAIL" in asked:
                body = json.dumps({"error": {"message": HOSTILE + " REFUSED", "type": HOSTILE}}).encode()
                said = b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                connection.sendall(said + body)
            else:
                connection.sendall(head.encode() + f"data: {json.dumps(chunk)}\n\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    server.join()
    for connection in kept:
        connection.close()


def test_text_from_outside_cannot_command_the_terminal(hostile: str) -> None:
    prompts = ("--prompt", f"one {HOSTILE}", "--prompt", f"FAIL {HOSTILE}")
    command = [
        *WEIR,
        "load",
        "--base-url",
        hostile,
        "-m",
        f"m{HOSTILE}",
        *PRICE,
        "--requests",
        "2",
        *prompts,
        "--no-save",
    ]
    with Terminal(command) as terminal:
        terminal.shows("HARMLESS", "REFUSED")
        given_back = bytes(terminal.output).count(b"\x1b[?1049l")
        terminal.type("\r")  # one call in full
        terminal.shows("HARMLESS")
        terminal.type("\x03")
        terminal.shows("draining")
        assert given_back == bytes(terminal.output).count(b"\x1b[?1049l") == 0
        terminal.type("\x03")
        assert terminal.ends() == 130
        assert terminal.is_given_back()
    # Textual itself sets the shape of the mouse pointer, and ends that with a bell.
    output = re.sub(rb"\x1b\]22;[a-z]*\x07", b"", bytes(terminal.output))
    for sequence in (*FORBIDDEN, b"\x07"):
        assert sequence not in output, sequence
    assert "REFUSED" in terminal.after_the_screen()
