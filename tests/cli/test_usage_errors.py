"""What cannot be used is said in two lines, names its place, and never reaches the terminal raw."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from weir_process import environment, weir

from tui.cli import main

ESC = "\x1b[31m"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
HERE = ("--base-url", "http://127.0.0.1:9", "-m", "sim")
"""Nobody is asked: every error below comes before the first request."""


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """The error and the hint of a command line that is not accepted."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert UNSAFE.search(said.err) is None
    first, second, rest = said.err.split("\n")
    assert rest == ""
    assert first.startswith("error: ")
    assert second.startswith("hint: ")
    assert len(second) > len("hint: ")
    return first.removeprefix("error: "), second.removeprefix("hint: ")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--base-url", "ftp://host/v1"),
        ("--base-url", f"http://h{ESC}"),
        ("--base-url", "http://user:secret@host/v1"),
        ("--api-key-env", "WEIR_TEST_NO_SUCH_KEY"),
        ("--api-key-env", f"KEY{ESC}"),
        ("-H/--header", "no colon"),
        ("-H/--header", f"x{ESC}: y"),
        ("-H/--header", f"x-team: {ESC}"),
        ("-H/--header", "x-team: Fluß"),
        ("-H/--header", "x-team: env:WEIR_TEST_NO_SUCH_KEY"),
        ("-H/--header", "Content-Length: 3"),
        ("-H/--header", "transfer-encoding: chunked"),
        ("--extra-body", "{"),
        ("--extra-body", f'{{"a": "{ESC}'),
        ("--extra-body", "[1]"),
        ("--extra-body", '{"model": "other"}'),
        ("--extra-body", "[" * 100_000),
        ("--max-tokens", "0"),
        ("--max-tokens", "many"),
        ("--temperature", "warm"),
        ("--temperature", "nan"),
        ("--temperature", f"1{ESC}"),
        ("--rpm", "0"),
        ("--rpm", f"{ESC}5"),
        ("--rpm", "9" * 30),
        ("--tpm", "-1"),
        ("--burst", "0"),
        ("--burst", "3"),
        ("--concurrency", "0"),
        ("--requests", "0"),
        ("--requests", "1.5"),
        ("--requests", "２"),
        ("--duration", "0s"),
        ("--duration", "soon"),
        ("--duration", "99999999999h"),
        ("--duration", f"1s{ESC}"),
        ("--warmup", "-1"),
        ("--retries", "-1"),
        ("--timeout", "0"),
        ("--connect-timeout", "x"),
        ("--first-byte-timeout", "1 fortnight"),
        ("--idle-timeout", "-1s"),
        ("--seed", "x"),
        ("--seed", "1.5"),
        ("--seed", "9" * 5000),
        ("--fail-if", "cost_usd>1"),
        ("--fail-if", "ttft_s.p95"),
        ("--budget", "much"),
        ("--budget", "1"),
        ("--goodput", "fast"),
        ("--json", "5"),
        ("--price", "cheap"),
        ("--price", f"in={ESC},out=1"),
        ("--price", "in=1"),
        ("--arrival", "uniform"),
        ("--arrival", "poisson"),
        ("--arrival", ESC),
        ("--rate", "0"),
        ("--rate", "1.5"),
        ("--burstiness", "1"),
        ("--burstiness", f"1{ESC}"),
        ("--ramp", "60"),
        ("--ramp", "0..60/1m"),
        ("--ramp", "60..600/0s"),
        ("--ramp", f"60..600/{ESC}"),
        ("--sweep", "model=a,b"),
        ("--sweep", "rpm=60,,120"),
        ("--sweep", f"rpm={ESC}"),
        ("--ui", "window"),
        ("--ui", f"{ESC}"),
        ("--out", "/proc/nowhere"),
        ("--ui", "dashboard"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_under_its_flags_name(
    capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    error, hint = refused(capsys, "load", *HERE, f"{flag.split('/')[-1]}={value}")
    assert error.startswith(flag)
    assert "invalid" not in error
    assert "argument" not in error
    assert len(error) < 300
    assert hint != "see weir load --help"


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (["load"], "--base-url"),
        (["load", *HERE, "--requests", "3", "--duration", "1s"], "--duration"),
        (["load", *HERE, "--prompt", "a", "--prompts", "b.txt"], "--prompt"),
        (["load", *HERE, "--rate", "60", "--arrival", "closed"], "--rate"),
        (["load", *HERE, "--ramp", "1..2/1m", "--arrival", "closed"], "--ramp"),
        (["load", *HERE, "--ramp", "1..2/1m", "--rate", "60"], "--rate"),
        (["load", *HERE, "--rate", "60", "--burstiness", "2"], "--burstiness"),
        (["load", *HERE, "--rate", "60", "--arrival", "gamma", "--burstiness", "0"], "--burstiness"),
        (["load", *HERE, "--sweep", "concurrency=1,2", "--concurrency", "4"], "--concurrency"),
        (["load", *HERE, "--sweep", "rpm=60,120", "--rpm", "60"], "--rpm"),
        (["load", *HERE, "--sweep", "rpm=60,120", "--rate", "60"], "--rate"),
        (["load", *HERE, "--sweep", "rpm=60,120", "--rate", "60", "--arrival", "poisson"], "--rate"),
        (["load", *HERE, "--sweep", "rpm=60,120", "--ramp", "1..2/1m"], "--ramp"),
        (["load", *HERE, "--sweep", "concurrency=1,2", "--burst", "2"], "--burst"),
        (["load", *HERE, f"--bad{ESC}"], "--bad"),
        (["load", *HERE, "--requ", "3"], "--requ"),
        ([f"no{ESC}"], "VERB"),
        (["load", *HERE, "--seed"], "--seed"),
        (["demo", "--seed", "x"], "--seed"),
        (["ask", "x", *HERE, "--temperature", "hot"], "--temperature"),
        (["simulate", "--port", "x"], "--port"),
        (["simulate", "--error-rate", "x"], "--error-rate"),
        (["ask", "x", *HERE, "--price", "?"], "--price"),
        (["simulate", "--port", "70000"], "--port"),
        (["simulate", "--ttft", ESC], "--ttft"),
        (["simulate", "--models", f"{ESC}:0"], "--models"),
        (["simulate", "--error-rate", "2"], "--error-rate"),
        (["demo", "--rpm", "0"], "--rpm"),
        (["demo", "--price", ESC], "--price"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], flag: str
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    error, _ = refused(capsys, *arguments)
    assert error.startswith(flag)


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("prompts.jsonl", '{"prompt": "a"}\n{"messages": "b"}\n', "prompts.jsonl:2"),
        ("prompts.jsonl", '{"prompt": "a"}\n\n{"prompt": 1', "prompts.jsonl:3"),
        ("prompts.jsonl", '{"\x1b[31m": 1, "prompt": "a"}', "prompts.jsonl:1"),
        ("prompts.txt", "\n\n", "prompts.txt"),
        ("prompts.csv", "a", "prompts.csv"),
        (f"a{ESC}.txt", "", "a�[31m.txt"),
    ],
)
def test_a_prompt_file_that_is_wrong_is_refused_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: str, where: str
) -> None:
    (tmp_path / name).write_text(content)
    error, _ = refused(capsys, "load", *HERE, "--prompts", str(tmp_path / name))
    assert error.startswith(f"{tmp_path}/{where}: ")


def test_a_prompt_file_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    error, _ = refused(capsys, "load", *HERE, "--prompts", str(tmp_path / "none.txt"))
    assert "none.txt: cannot be read" in error


def test_no_secret_is_repeated_in_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_TEST_KEY", "sk-canary\x07")
    error, hint = refused(capsys, "load", *HERE, "--api-key-env", "WEIR_TEST_KEY")
    assert "canary" not in error + hint
    error, hint = refused(capsys, "load", *HERE, "-H", "x-key: env:WEIR_TEST_KEY")
    assert "canary" not in error + hint
    error, hint = refused(capsys, "load", "--base-url", "http://me:sk-canary@host/", "-m", "sim")
    assert "canary" not in error + hint


def test_a_process_says_the_same_and_ends_with_2(tmp_path: Path) -> None:
    ran = weir("load", *HERE, "--ui", "dashboard", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines() == [
        "error: --ui: there is no terminal to show a dashboard on",
        "hint: use --ui plain",
    ]
    assert list(tmp_path.iterdir()) == []  # no record of a run that never was


def test_a_prompt_that_is_not_text_is_refused() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tui", "ask", *HERE],
        input=b"\xff\xfe",
        capture_output=True,
        env=environment(PYTHONIOENCODING="utf-8:strict"),
    )
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode().splitlines()[0] == "error: stdin: is not utf-8 text"
