"""`weir` as a process, against the simulator: what each flag does, what is printed, kept and returned."""

import json
import signal
import stat
import subprocess
import sys
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from weir_process import RunningWeir, environment, streams, until, weir

from tui.cli import main
from tui.core.records import CallRecord
from tui.files.journal_reader import read_journal, read_run
from tui.simulator.process import SimulatorProcess
from tui.simulator.settings import SimulatorSettings

CANARY = "sk-canary-3141592653"
DISTRIBUTIONS = [
    "ttft_s", "server_ttft_s", "user_ttft_s", "queue_s", "tpot_s", "chunk_gap_s", "e2e_s", "stream_tokens_per_s",
]  # fmt: skip
SUMMARY_KEYS = {
    "schema", "job", "model", "calls", "attempts", "retries", "http_429", *DISTRIBUTIONS, "tokens", "run_tokens_per_s",
    "cost_usd", "cost_source", "wall_s", "rpm_peak_60s", "engine_lag_s",
}  # fmt: skip


def load(simulator: SimulatorProcess, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    return weir("load", "--base-url", simulator.base_url, *arguments, **more)


def summary_of(ran: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The one JSON object on stdout."""
    assert ran.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def the_run_in(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def lines_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "calls.jsonl").read_text().splitlines()]


def plan_of(record: CallRecord) -> dict[str, Any]:
    """What was asked, as the journal has it."""
    plan: dict[str, Any] = json.loads(record.plan_json)
    return plan


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ── what is printed and kept ───────────────────────────────────────────────────────────────────────────────


def test_json_is_one_object_of_the_schema_and_the_run_is_kept_for_its_owner_only(
    quick: SimulatorProcess, tmp_path: Path
) -> None:
    flags = ("--requests", "6", "--concurrency", "2", "--json", "--price", "in=2.5,out=10", "--seed", "3")
    ran = load(quick, *flags, cwd=tmp_path)
    assert ran.returncode == 0
    found = summary_of(ran)
    assert found.keys() >= SUMMARY_KEYS
    assert (found["schema"], found["job"], found["model"], found["attempts"]) == (1, "load", "sim", 6)
    assert found["calls"] == {"total": 6, "done": 6, "failed": 0, "broken": 0, "cancelled": 0, "refused": 0}
    for name in DISTRIBUTIONS:
        assert list(found[name]) == ["n", "mean", "min", "p50", "p90", "p95", "p99", "max"], name
    assert found["tokens"]["completion"] == 48
    assert found["tokens"]["source"] == "usage"
    prompt = found["tokens"]["prompt"]
    assert Decimal(found["cost_usd"]) == (prompt * Decimal("2.5") + 48 * 10) / 1_000_000
    assert found["cost_source"] == "billed by usage"
    assert found["rpm_peak_60s"] == 6

    run = the_run_in(tmp_path / "weir-runs")
    assert run.name.endswith("-load-sim")
    assert {file.name for file in run.iterdir()} == {"journal.db", "summary.json", "calls.jsonl"}
    assert mode(tmp_path / "weir-runs") == mode(run) == 0o700
    assert {mode(file) for file in run.iterdir()} == {0o600}
    assert json.loads((run / "summary.json").read_text()) == found
    calls = lines_of(run)
    assert [call["id"] for call in calls] == [1, 2, 3, 4, 5, 6]
    truth = {request["id"]: request for request in quick.truth()}
    for call in calls:
        (attempt,) = call["attempts"]
        assert (call["state"], call["finish_reason"], attempt["status"]) == ("done", "stop", 200)
        assert truth[attempt["request_id"]]["ended"] == "complete"
        instants = [call["due_s"], call["admitted_s"], *(attempt[name] for name in (
            "sent_s", "written_s", "headers_s", "first_token_s", "last_token_s", "ended_s"
        ))]  # fmt: skip
        assert instants == sorted(instants)
    assert {record.id for record in read_journal(run / "journal.db")} == {1, 2, 3, 4, 5, 6}
    assert read_run(run / "journal.db")["seed"] == 3


def test_a_summary_for_people_goes_to_stdout_and_nothing_is_kept_when_nobody_wants_it(
    quick: SimulatorProcess, tmp_path: Path
) -> None:
    ran = load(quick, "--requests", "2", "--no-save", "--ui", "none", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("load · sim\n  calls      2 of 2 done\n")
    assert list(tmp_path.iterdir()) == []


def test_the_record_goes_where_it_is_wanted_and_a_hostile_name_is_drawn_clean(
    quick: SimulatorProcess, tmp_path: Path
) -> None:
    ran = load(quick, "--requests", "1", "--ui", "none", "--out", f"{tmp_path}/a\x1b[31m")
    assert ran.returncode == 0
    assert "\x1b" not in ran.stdout
    assert f"{tmp_path}/a�[31m/" in ran.stdout
    assert the_run_in(tmp_path / "a\x1b[31m").is_dir()


def test_failed_calls_make_the_exit_code_1_and_are_explained(tmp_path: Path) -> None:
    settings = SimulatorSettings(error_rate=1.0, models=(("sim", 1.0),))
    with SimulatorProcess(settings) as simulator:
        ran = load(simulator, "--requests", "2", "--retries", "0", "--ui", "none", "--out", str(tmp_path))
        once = len(simulator.truth())
        flags = ("--requests", "1", "--retries", "1", "--ui", "none", "--no-save", "--json")
        again = load(simulator, *flags)
        assert len(simulator.truth()) == once + 2
    assert (ran.returncode, once) == (1, 2)
    assert "0 of 2 done · 2 failed" in ran.stdout
    assert "HTTP 50" in ran.stdout
    assert {call["state"] for call in lines_of(the_run_in(tmp_path))} == {"failed"}
    assert again.returncode == 1
    assert summary_of(again)["retries"] == 1


def test_the_key_is_in_no_file_and_no_output(tmp_path: Path) -> None:
    # Three rates at once: replies, error bodies and broken streams all pass by the record.
    settings = SimulatorSettings(
        ttft_s=0, itl_s=0, tokens=8, error_rate=0.3, reset_rate=0.3, refuse_rate=0.1, retry_after_s=0.0,
        models=(("sim", 1.0),),
    )  # fmt: skip
    with SimulatorProcess(settings) as simulator:
        flags = ("--requests", "12", "--api-key-env", "MY_KEY", "-H", "x-other: env:MY_OTHER", "--json")
        ran = load(simulator, *flags, cwd=tmp_path, MY_KEY=CANARY, MY_OTHER=f"{CANARY}-2", OPENAI_API_KEY=f"{CANARY}-3")
    assert summary_of(ran)["calls"]["total"] == 12
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) == 3
    assert not any(CANARY.encode() in content for content in written)
    assert CANARY not in ran.stdout + ran.stderr


# ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────


def test_prompts_come_again_and_again_from_the_line_or_a_file(quick: SimulatorProcess, tmp_path: Path) -> None:
    load(quick, "--prompt", "one", "--prompt", "two", "--requests", "3", "--ui", "none", cwd=tmp_path)
    journal = the_run_in(tmp_path / "weir-runs") / "journal.db"
    assert [plan_of(record)["messages"][-1]["content"] for record in read_journal(journal)] == ["one", "two", "one"]

    (tmp_path / "p.txt").write_text("first\n\nsecond\u2028still second\n")
    load(quick, "--prompts", "p.txt", "--system", "Be brief.", "--ui", "none", "--out", "texts", cwd=tmp_path)
    journal = the_run_in(tmp_path / "texts") / "journal.db"
    system = {"role": "system", "content": "Be brief."}
    assert [plan_of(record)["messages"] for record in read_journal(journal)] == [
        [system, {"role": "user", "content": "first"}],
        [system, {"role": "user", "content": "second\u2028still second"}],
    ]


def test_jsonl_prompts_bring_their_own_fields(quick: SimulatorProcess, tmp_path: Path) -> None:
    lines = [{"prompt": "a", "max_tokens": 2}, {"messages": [{"role": "user", "content": "b"}], "system": "S"}]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, lines)))
    flags = ("--max-tokens", "5", "--temperature", "0.5", "--extra-body", '{"top_p": 0.9}', "--ui", "none")
    ran = load(quick, "--prompts", "p.jsonl", *flags, "--out", "runs", cwd=tmp_path)
    assert ran.returncode == 0
    first, second = lines_of(the_run_in(tmp_path / "runs"))
    assert (first["tokens"]["completion"], second["tokens"]["completion"]) == (2, 5)
    assert first["finish_reason"] == "length"
    one, two = map(plan_of, read_journal(the_run_in(tmp_path / "runs") / "journal.db"))
    assert one["params"] == {"max_tokens": 2, "temperature": 0.5, "top_p": 0.9}
    assert two["messages"][0] == {"role": "system", "content": "S"}


def test_a_server_that_counts_nothing_has_its_tokens_estimated(quick: SimulatorProcess) -> None:
    ran = load(quick, "--requests", "2", "--extra-body", '{"stream_options": null}', "--json", "--no-save")
    tokens = summary_of(ran)["tokens"]
    assert tokens["source"] == "estimated"
    assert tokens["completion"] > 0


def test_the_environment_names_the_server_and_the_server_its_only_model(quick: SimulatorProcess) -> None:
    bare = quick.base_url.removesuffix("/v1")
    ran = weir("load", "--requests", "1", "--json", "--no-save", OPENAI_BASE_URL=bare)
    assert (ran.returncode, summary_of(ran)["model"]) == (0, "sim")


def test_of_several_models_one_must_be_named() -> None:
    with SimulatorProcess(SimulatorSettings(models=(("left", 1.0), ("right", 1.0)))) as simulator:
        ran = load(simulator, "--requests", "1")
    assert (ran.returncode, ran.stdout) == (2, "")
    error, hint = ran.stderr.splitlines()
    assert error.startswith("error: -m/--model: ")
    assert error.endswith(" has 2 models")
    assert hint == "hint: name one with -m: left, right"


def test_a_server_that_is_not_there_is_a_usage_error_while_its_models_are_asked_for() -> None:
    ran = weir("load", "--base-url", "http://127.0.0.1:9", "--requests", "1")
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: --base-url: 127.0.0.1:9/v1 cannot be asked for its models: ")
    assert ran.stderr.count("\n") == 2


# ── pace and length ────────────────────────────────────────────────────────────────────────────────────────


def test_warm_up_calls_are_sent_and_recorded_and_counted_in_no_figure(quick: SimulatorProcess, tmp_path: Path) -> None:
    ran = load(quick, "--requests", "3", "--warmup", "2", "--json", cwd=tmp_path)
    found = summary_of(ran)
    assert (found["calls"]["total"], found["attempts"], found["ttft_s"]["n"]) == (3, 3, 3)
    assert found["rpm_peak_60s"] == 5
    assert len(quick.truth()) == 5
    assert [call["warmup"] for call in lines_of(the_run_in(tmp_path / "weir-runs"))] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_run_in_which_nothing_succeeded_is_no_success_when_its_time_is_up() -> None:
    with SimulatorProcess(SimulatorSettings(refuse_rate=1.0, retry_after_s=20.0)) as refusing:
        flags = ("-m", "sim-fast", "--duration", "700ms", "--concurrency", "4", "--json", "--no-save", "--ui", "none")
        ran = weir("load", "--base-url", refusing.base_url, *flags)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["calls"]["failed"] > 0
    assert "hint: send less" in ran.stderr


def test_a_run_of_a_given_duration_ends_by_itself(quick: SimulatorProcess) -> None:
    ran = load(quick, "--duration", "300ms", "--concurrency", "2", "--json", "--no-save")
    found = summary_of(ran)
    assert ran.returncode == 0
    assert found["calls"]["done"] == len([request for request in quick.truth() if request["ended"] == "complete"]) > 2


def test_no_minute_sees_more_attempts_than_rpm(quick: SimulatorProcess) -> None:
    flags = ("--rpm", "3", "--burst", "3", "--concurrency", "5", "--duration", "700ms")
    ran = load(quick, *flags, "--json", "--no-save")
    found = summary_of(ran)
    assert found["rpm_peak_60s"] == len(quick.truth()) == 3
    assert ran.returncode == 0  # what a duration cut off was never due


def test_a_request_that_no_minute_can_hold_says_both_figures(quick: SimulatorProcess) -> None:
    ran = load(quick, "--requests", "1", "--tpm", "100", "--max-tokens", "500", "--ui", "none", "--no-save")
    assert ran.returncode == 1
    assert "but the limit is 100 a minute" in ran.stdout
    assert quick.truth() == []


def test_a_time_out_names_its_flag(endless: SimulatorProcess) -> None:
    ran = load(endless, "--requests", "1", "--timeout", "300ms", "--ui", "none", "--no-save")
    assert ran.returncode == 1
    assert "1 broken" in ran.stdout
    assert "not done within 0.3 s (--timeout)" in ran.stdout


@pytest.mark.slow
def test_the_same_seed_asks_the_same_in_the_same_order(quick: SimulatorProcess, tmp_path: Path) -> None:
    def asked(seed: str, out: str) -> list[str]:
        load(quick, "--requests", "5", "--seed", seed, "--ui", "none", "--out", out, cwd=tmp_path)
        return [
            plan_of(record)["messages"][-1]["content"]
            for record in read_journal(the_run_in(tmp_path / out) / "journal.db")
        ]

    assert asked("1", "a") == asked("1", "b") != asked("2", "c")


# ── signals and pipes ──────────────────────────────────────────────────────────────────────────────────────


def test_the_first_interrupt_drains_and_the_second_stops_and_the_record_is_whole(
    endless: SimulatorProcess, tmp_path: Path
) -> None:
    flags = ("--base-url", endless.base_url, "--concurrency", "3", "--requests", "9", "--price", "in=1,out=1")
    with RunningWeir("load", *flags, "--ui", "plain", "--json", "--out", str(tmp_path)) as run:
        until(lambda: streams(endless) == 3, "three streams")
        run.interrupt()
        until(lambda: "draining" in run.stderr, "word of the drain")
        assert streams(endless) == 3
        run.interrupt()
        code, output = run.ends()
    assert code == 130
    found = json.loads(output)
    assert found["calls"] == {"total": 3, "done": 0, "failed": 0, "broken": 0, "cancelled": 3, "refused": 0}
    assert "Traceback" not in run.stderr
    until(lambda: [request["ended"] for request in endless.truth()] == ["cut"] * 3, "the streams' cuts")
    folder = the_run_in(tmp_path)
    assert json.loads((folder / "summary.json").read_text()) == found
    assert [(call["state"], bool(call["text"])) for call in lines_of(folder)] == [("cancelled", True)] * 3
    assert read_run(folder / "journal.db")["interrupted"] is True


def test_after_one_interrupt_running_streams_end_by_themselves(tmp_path: Path) -> None:
    settings = SimulatorSettings(ttft_s=0, itl_s=0.02, tokens=60, jitter=0.0, models=(("sim", 1.0),))
    with SimulatorProcess(settings) as simulator:
        flags = ("--base-url", simulator.base_url, "--concurrency", "2", "--requests", "9", "--price", "in=1,out=1")
        with RunningWeir("load", *flags, "--out", str(tmp_path)) as run:
            until(lambda: streams(simulator) == 2, "two streams")
            run.interrupt()
            code, output = run.ends()
        assert [request["ended"] for request in simulator.truth()] == ["complete"] * 2
    assert code == 130
    assert "2 of 2 done" in output
    assert len(lines_of(the_run_in(tmp_path))) == 2


def test_sigterm_stops_at_once_with_a_summary(endless: SimulatorProcess) -> None:
    flags = ("--base-url", endless.base_url, "--requests", "2", "--price", "in=1,out=1", "--no-save")
    with RunningWeir("load", *flags) as run:
        until(lambda: streams(endless) == 2, "two streams")
        run.interrupt(signal.SIGTERM)
        code, output = run.ends()
    assert code == 130
    assert "2 cancelled" in output


@pytest.mark.parametrize("closed", ["stdout", "stderr", "stdin"])
def test_a_stream_that_was_closed_before_the_start_is_no_trouble(quick: SimulatorProcess, closed: str) -> None:
    number = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-"}[closed]
    asked = f"load --base-url {quick.base_url} --requests 1 --no-save --ui plain"
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tui {asked} {number}"], capture_output=True, text=True, env=environment()
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(quick.truth()) == 1


@pytest.mark.parametrize("verb", ["--help", "load"])
def test_a_reader_that_leaves_early_is_no_trouble(quick: SimulatorProcess, verb: str) -> None:
    asked = f"load --base-url {quick.base_url} --requests 2 --no-save --ui none" if verb == "load" else "load --help"
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tui {asked} | true"], capture_output=True, text=True, env=environment()
    )
    assert (ran.stdout, ran.stderr) == ("", "")


@pytest.mark.slow
def test_an_ascii_terminal_gets_the_summary_all_the_same(quick: SimulatorProcess) -> None:
    ran = load(quick, "--requests", "1", "--no-save", "--ui", "none", PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("load ? sim\n")


# ── the other verbs ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_demo_runs_without_a_terminal(tmp_path: Path) -> None:
    ran = weir("demo", "--ui", "plain", "--requests", "4", "--rpm", "600", "--json", cwd=tmp_path)
    found = summary_of(ran)
    assert found["job"] == "demo"
    assert found["calls"]["total"] == 4
    assert found["cost_usd"] is not None
    assert ran.returncode == 0
    assert the_run_in(tmp_path / "weir-runs").name.endswith("-demo-sim-steady")


def test_simulate_says_where_it_listens_and_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "tui", "simulate", "--port", "0", "--models", "one", "--ttft", "0", "--itl", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            base_url = server.stdout.readline().removeprefix("listening on ").strip()
            ran = weir("ask", "Hello?", "--base-url", base_url, "--max-tokens", "3")
            assert (ran.returncode, len(ran.stdout.split()) > 0) == (0, True)
            server.send_signal(signal.SIGINT)
            rest, said = server.communicate(timeout=20)
        finally:
            server.kill()
    assert (server.returncode, rest) == (0, "")
    assert "Ctrl-C stops it" in said
    assert "Traceback" not in said


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["load", "--help"], ["ask", "-h"], ["demo", "--help"], ["simulate", "--help"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
        assert "usage: weir" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == "weir 0.1.0\n"


def test_python_m_tui_is_weir() -> None:
    (script,) = entry_points(group="console_scripts", name="weir")
    assert script.load() is main
    assert weir("--version").stdout == "weir 0.1.0\n"
