"""`weir ask`: the answer on stdout, everything else on stderr."""

import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from weir_process import RunningWeir, environment, streams, until, weir

from tui.cli.ask import _prompt
from tui.simulator.process import SimulatorProcess

HOSTILE = "red \x1b[31m bell \x07 wide \u202e half \ud83d end"


@pytest.fixture
def hostile() -> Iterator[str]:
    """The address of a server whose model answers with what a terminal would obey."""
    heads = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    chunk = {"choices": [{"index": 0, "delta": {"content": HOSTILE}, "finish_reason": "stop"}]}

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                connection.sendall(heads + f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    server.join()


def test_stdout_is_the_answer_and_stderr_its_figures(quick: SimulatorProcess) -> None:
    ran = weir("ask", "What is a weir?", "--base-url", quick.base_url, "--price", "in=1,out=1")
    (request,) = quick.truth()
    assert ran.returncode == 0
    assert ran.stdout.strip()
    assert "tok/s" not in ran.stdout
    assert request["tokens"] == 8
    line = ran.stderr.strip()
    assert line.startswith("sim · TTFT ")
    assert "8 out · " in line
    assert "\n" not in line


def test_quiet_means_that_stderr_is_empty(quick: SimulatorProcess) -> None:
    ran = weir("ask", "-q", "Hello?", "--base-url", quick.base_url, "--price", "in=1,out=1", "--max-tokens", "2")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


@pytest.mark.parametrize(
    ("given", "piped", "prompt"),
    [
        ("Why?", "", "Why?"),
        (None, "Why?\n", "Why?"),
        ("Review this.", "a diff\n", "Review this.\n\na diff"),
        ("Why?", " \n", "Why?"),
    ],
)
def test_stdin_is_the_prompt_or_stands_below_it(
    monkeypatch: pytest.MonkeyPatch, given: str | None, piped: str, prompt: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(piped))
    assert _prompt(given) == prompt


def test_a_prompt_comes_through_a_pipe(quick: SimulatorProcess) -> None:
    ran = weir("ask", "-q", "--base-url", quick.base_url, "--price", "in=1,out=1", stdin="What is a weir?\n")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


def test_nothing_asked_is_a_usage_error(quick: SimulatorProcess) -> None:
    ran = weir("ask", "--base-url", quick.base_url)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: PROMPT: nothing is asked\nhint: ")


@pytest.mark.parametrize("name", ["system", "prompt", "self", "model_"])
def test_a_field_of_the_extra_body_may_have_any_name(quick: SimulatorProcess, name: str) -> None:
    body = json.dumps({name: "x", "max_tokens": 3})
    ran = weir("ask", "-q", "Hello?", "--base-url", quick.base_url, "--price", "in=1,out=1", "--extra-body", body)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert quick.truth()[0]["tokens"] == 3


def test_a_failed_answer_says_why_and_ends_with_1(quick: SimulatorProcess) -> None:
    ran = weir("ask", "Hello?", "-m", "other", "--base-url", quick.base_url, "-q")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.lstrip().startswith("error: HTTP 404: ")


def test_an_interrupt_cuts_the_stream_and_keeps_what_came(endless: SimulatorProcess) -> None:
    with RunningWeir("ask", "Hello?", "--base-url", endless.base_url, "--price", "in=1,out=1") as run:
        until(lambda: streams(endless) == 1, "the stream")
        run.interrupt()
        code, output = run.ends()
    until(lambda: endless.truth()[0]["ended"] == "cut", "the cut")
    assert code == 130
    assert output
    assert "Traceback" not in run.stderr


def test_an_interrupt_before_the_stream_is_quiet_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with RunningWeir("ask", "Hello?", "--base-url", address) as run:
            connection, _ = mute.accept()  # it asks for the models, and nobody answers
            run.interrupt(signal.SIGINT)
            code, output = run.ends()
            connection.close()
    assert (code, output, run.stderr) == (130, "", "")


def test_a_pipe_gets_what_the_model_wrote(hostile: str) -> None:
    ran = weir("ask", "Hello?", "-m", "m", "--base-url", hostile, "--price", "in=1,out=1")
    assert ran.returncode == 0
    assert ran.stdout == HOSTILE.replace("\ud83d", "�")
    assert "\x1b" not in ran.stderr


def test_a_terminal_gets_clean_text(hostile: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tui", "ask", "Hello?", "-m", "m", "--base-url", hostile, "--price", "in=1,out=1"]
    ran = subprocess.run(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment(), timeout=30)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # Linux's end of a terminal
        pass
    finally:
        os.close(ours)
    assert ran.returncode == 0
    assert shown.decode() == "red �[31m bell � wide � half � end\r\n"


def test_a_reader_that_leaves_stops_the_answer(endless: SimulatorProcess) -> None:
    asked = f"ask Hello? --base-url {endless.base_url} --price in=1,out=1"
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tui {asked} | head -c 3"],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert len(ran.stdout) == 3
    assert ran.stderr == ""
    until(lambda: endless.truth()[0]["ended"] == "cut", "the cut")
