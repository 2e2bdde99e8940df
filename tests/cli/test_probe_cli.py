"""`weir probe` as people start it: the verdict on stdout, its progress on stderr, and exit codes."""

import argparse
import json
from collections.abc import Iterator

import pytest
from weir_process import RunningWeir, until, weir

from tui.cli.probe import target_flags
from tui.cli.probe_words import verdict_text
from tui.core.probe_seen import Answer, Cause, Fate, Range
from tui.core.probe_verdict import Verdict
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

LIMITED = SimulatorSettings(
    ttft_s=0.2, itl_s=0.0, jitter=0.0, tokens=4, models=(("sim", 1.0),), rpm=240, burst=10, concurrency_limit=32
)


@pytest.fixture(scope="module")
def _limited() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(LIMITED) as simulator:
        yield simulator


@pytest.fixture
def limited(_limited: SimulatorProcess) -> SimulatorProcess:
    """A provider with a small bucket, which is full."""
    _limited.reset()
    return _limited


def test_the_last_line_is_ready_to_be_run(limited: SimulatorProcess) -> None:
    ran = weir("probe", "--base-url", limited.base_url, "--ui", "plain")
    assert ran.returncode == 0
    # As printed, it runs: the same server, the only model.
    command = ran.stdout.splitlines()[-1]
    assert command == f"weir load --base-url {limited.base_url} -m sim --rpm 240 --burst 10"
    limited.reset()
    again = weir(*command.split()[1:], "--requests", "2", "--no-save", "--ui", "none")
    assert again.returncode == 0, again.stderr
    assert "token bucket: it refills evenly" in ran.stdout
    assert "retry-after" in ran.stdout
    assert "first request" in ran.stderr
    assert "refused after" in ran.stderr


def test_without_a_verdict_it_says_why(limited: SimulatorProcess) -> None:
    ran = weir("probe", "--base-url", limited.base_url, "-m", "nobody", "--json", "--ui", "none")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: HTTP 404")
    assert "hint: is the name after -m right" in ran.stderr
    found = json.loads(ran.stdout)
    assert list(found)[:8] == [
        "rpm", "burst", "tpm", "concurrency", "kind", "retry_after_honest", "requests_used", "command",
    ]  # fmt: skip
    assert list(found["rpm"]) == ["estimate", "low", "high"]
    assert found["kind"] is None


def test_a_model_that_is_not_there_is_an_error_and_no_verdict(limited: SimulatorProcess) -> None:
    ran = weir("probe", "--base-url", limited.base_url, "-m", "nobody", "--ui", "none")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error: HTTP 404")


def test_a_bounded_verdict_is_one_and_no_error(limited: SimulatorProcess) -> None:
    ran = weir("probe", "--base-url", limited.base_url, "--max-requests", "5", "--ui", "none", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    assert found["kind"] == "none"
    assert found["stopped"] == "--max-requests 5 are used up"


def test_a_probe_has_no_retries(limited: SimulatorProcess) -> None:
    ran = weir("probe", "--base-url", limited.base_url, "--retries", "3")
    assert ran.returncode == 2
    assert limited.truth() == []


def test_the_command_repeats_what_was_asked_and_no_headers_value() -> None:
    headers = ["api-key: env:AZURE_KEY", "x-team: river"]
    args = argparse.Namespace(
        api_key_env="MY KEY", header=headers, system="-be brief", max_tokens=5, temperature=None,
        extra_body=None,
    )  # fmt: skip
    silent = Range(None, None, None)
    target = target_flags(args, "http://a/v1", "m")
    command = Verdict(
        Range(60, 60, 60), silent, None, None, "fixed-window", None, 9, None, None, 7, None, None, target=target
    ).command
    assert command == (
        "weir load --base-url http://a/v1 -m m --api-key-env 'MY KEY' -H 'api-key: env:AZURE_KEY' "
        "-H 'x-team: env:X_TEAM' '--system=-be brief' --max-tokens=5 --rpm 60"
    )


def test_a_budget_that_is_used_up_is_exit_code_4(limited: SimulatorProcess) -> None:
    ran = weir(
        "probe", "--base-url", limited.base_url, "--budget", "0.0001", "--price", "in=1,out=1", "--ui", "none", "--json"
    )
    assert ran.returncode == 4
    assert limited.truth() == []
    assert json.loads(ran.stdout)["stopped"] == "the budget is used up"


def test_a_budget_without_a_price_is_a_usage_error(limited: SimulatorProcess) -> None:
    ran = weir("probe", "--base-url", limited.base_url, "--budget", "1", "--ui", "none")
    assert ran.returncode == 2
    assert "--price" in ran.stderr
    assert limited.truth() == []


def test_ctrl_c_ends_it_with_what_is_known(limited: SimulatorProcess) -> None:
    with RunningWeir("probe", "--base-url", limited.base_url, "--json", "--ui", "plain") as probe:
        until(lambda: "server states" in probe.stderr, "the first finding")
        probe.interrupt()
        code, output = probe.ends()
    assert code == 130
    assert json.loads(output)["stopped"] == "interrupted"


def test_a_second_ctrl_c_ends_it_while_a_server_hangs() -> None:
    silent = SimulatorSettings(ttft_s=600.0, models=(("sim", 1.0),))
    with (
        SimulatorProcess(silent) as simulator,
        RunningWeir("probe", "--base-url", simulator.base_url, "--json", "--ui", "plain") as probe,
    ):
        until(lambda: len(simulator.truth()) == 1, "the first request")
        probe.interrupt()
        until(lambda: "Ctrl-C again" in probe.stderr, "what the first one does")
        probe.interrupt()
        code, output = probe.ends()
    assert code == 130
    assert json.loads(output)["stopped"] == "interrupted"


# ── the words ──────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_known_is_a_dash_and_what_is_only_bounded_says_so() -> None:
    silent = Range(None, None, None)
    verdict = Verdict(Range(None, 150.0, None), silent, None, None, None, None, 9, None, 40_000, 7, None, "why not")
    text = verdict_text(verdict)
    assert "150 or more a minute" in text
    assert "— at once from a rest" in text
    assert "limit not reached; the server states 40,000" in text
    assert "no limit met with 7 at once" in text
    assert text.endswith("early: why not")


def test_words_of_a_server_are_shown_clean() -> None:
    refusal = Answer(0.0, 0.1, 0.1, Fate.REFUSED, Cause.RATE, 429, 1.5, headers=(("x-limit", "a\x1b[31m"),))
    exact = Range(60.0, 60.0, 60.0)
    text = verdict_text(Verdict(exact, exact, None, exact, "fixed-window", False, 9, 60, None, 7, refusal, None))
    assert "\x1b" not in text
    assert "asks for a wait of 1.50 s" in text
    assert "too short" in text
    untested = Verdict(exact, exact, None, exact, "fixed-window", None, 9, 60, None, 7, refusal, None)
    assert "its wait   — (not put to the test)" in verdict_text(untested)
    assert text.endswith("weir load --rpm 60 --burst 60 --concurrency 60")
