"""`weir load` with a schedule and as a sweep: what is sent, printed, kept and returned."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from weir_process import RunningWeir, streams, until, weir

from tui.files.journal_reader import read_run
from tui.simulator.process import SimulatorProcess

QUIET = ("--price", "in=1,out=1", "--ui", "none")


def due_of(run: Path) -> list[float]:
    """When calls were due, from the first one on."""
    calls = [json.loads(line) for line in (run / "calls.jsonl").read_text().splitlines()]
    due = sorted(call["due_s"] for call in calls)
    return [each - due[0] for each in due]


def test_the_same_seed_is_the_same_schedule_and_the_record_says_how_calls_arrived(
    quick: SimulatorProcess, tmp_path: Path
) -> None:
    flags = ("--arrival", "poisson", "--rate", "3000", "--requests", "25", *QUIET)
    for folder, seed in (("one", "5"), ("same", "5"), ("other", "6")):
        ran = weir("load", "--base-url", quick.base_url, *flags, "--seed", seed, "--out", f"{tmp_path}/{folder}")
        assert ran.returncode == 0
        assert "schedule   sent p50" in ran.stdout
    runs = {folder: next((tmp_path / folder).iterdir()) for folder in ("one", "same", "other")}
    one, same, other = (due_of(run) for run in runs.values())
    assert one == pytest.approx(same, abs=1e-5)
    assert one != pytest.approx(other, abs=1e-3)
    facts = read_run(runs["one"] / "journal.db")
    assert (facts["arrival"], facts["rate_rpm"], facts["concurrency"]) == ("poisson", 3000, 1000)


def test_a_ramp_alone_lasts_as_long_as_it_climbs(quick: SimulatorProcess) -> None:
    ran = weir("load", "--base-url", quick.base_url, "--ramp", "600..1800/1s:600", "--no-save", "--json", *QUIET)
    found = json.loads(ran.stdout)
    # 600, 1,200 and 1,800 a minute for a third of a second each are 3.3 + 6.7 + 10 calls, the first at 0 s.
    assert found["calls"]["total"] == pytest.approx(20, abs=2)
    assert found["dispatch_error_s"]["n"] > 0


def test_what_finds_no_slot_before_the_end_is_counted_and_not_forgotten(endless: SimulatorProcess) -> None:
    flags = ("--rate", "6000", "--concurrency", "2", "--duration", "500ms", "--timeout", "1s", "--no-save", "--json")
    ran = weir("load", "--base-url", endless.base_url, *flags, *QUIET)
    found = json.loads(ran.stdout)
    assert found["attempts"] == 2
    assert found["never_sent"] == pytest.approx(48, abs=5)
    assert ran.returncode == 1
    told = f"schedule: {found['never_sent']} of {found['never_sent'] + 2} calls that were due were never sent"
    assert told in ran.stderr


def test_a_schedule_that_was_kept_for_its_duration_is_exit_0(quick: SimulatorProcess) -> None:
    flags = ("--rate", "3000", "--duration", "400ms", "--no-save", *QUIET)
    ran = weir("load", "--base-url", quick.base_url, *flags)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_sweep_is_one_run_a_value_with_its_own_record_and_one_list(quick: SimulatorProcess, tmp_path: Path) -> None:
    flags = ("--sweep", "concurrency=1,3", "--requests", "4", "--json", "--out", str(tmp_path))
    ran = weir("load", "--base-url", quick.base_url, *flags, *QUIET)
    assert ran.returncode == 0
    assert ran.stdout.count("\n") == 1
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    assert [(run["sweep"]["value"], run["calls"]["done"]) for run in found] == [(1, 4), (3, 4)]
    assert [run["attempts"] for run in found] == [4, 4]  # warm-up calls, one a slot, are in none of the figures
    assert len(quick.truth()) == (1 + 4) + (3 + 4)
    facts = [read_run(Path(run["record"]) / "journal.db") for run in found]
    assert [(each["concurrency"], each["warmup"], each["sweep"]["number"]) for each in facts] == [(1, 1, 1), (3, 3, 2)]
    assert len({each["sweep"]["began"] for each in facts}) == 1


def test_a_sweep_of_rates_is_of_the_limit_or_of_the_schedule(quick: SimulatorProcess, tmp_path: Path) -> None:
    sweep = ("--sweep", "rpm=1200,6000", "--requests", "2", "--warmup", "0", *QUIET)
    for folder, flags in (("closed", ()), ("open", ("--arrival", "constant"))):
        ran = weir("load", "--base-url", quick.base_url, *sweep, *flags, "--out", f"{tmp_path}/{folder}")
        assert ran.returncode == 0
        assert ran.stdout.startswith("sweep · sim\n")
        facts = sorted(
            (read_run(run / "journal.db") for run in (tmp_path / folder).iterdir()),
            key=lambda each: each["sweep"]["number"],
        )
        assert [(each["rpm"], each.get("rate_rpm")) for each in facts] == (
            [(1200, None), (6000, None)] if folder == "closed" else [(None, 1200), (None, 6000)]
        )


@pytest.mark.slow
def test_an_interrupt_stops_the_whole_sweep_and_its_table_is_printed(endless: SimulatorProcess) -> None:
    arguments = ("load", "--base-url", endless.base_url, "--sweep", "concurrency=2,3", "--no-save", *QUIET)
    with RunningWeir(*arguments) as running:
        until(lambda: streams(endless) == 2, "two streams")
        running.interrupt()
        until(lambda: "draining" in running.stderr, "the word that it drains")
        running.interrupt(signal.SIGINT)
        code, output = running.ends()
    assert code == 130
    assert "stopped after 1 of 2 runs" in output
