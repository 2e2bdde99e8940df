"""The list of runs on a terminal: aligned, as wide as it may be, and a name never moves the columns."""

import unicodedata
from datetime import UTC, datetime

import pytest

from tui.core.report_run import ReportedRun
from tui.core.run_table import run_lines

SUMMARY = {"calls": {"done": 9, "total": 10}, "ttft_s": {"p50": 0.25, "p95": 0.5}, "run_tokens_per_s": 48.0}


def run(name: str, **fields: object) -> ReportedRun:
    return ReportedRun(name, "finished", datetime(2026, 1, 1, tzinfo=UTC), {"job": "load", **fields}, SUMMARY)


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def test_columns_stand_below_one_another_whatever_the_names_are() -> None:
    lines = run_lines([(run("short"), 10), (run("漢字漢字"), 3_100_000), (run("a-rather-long-name"), 812)], None)
    assert len({cells(line) for line in lines}) == 1
    assert "9/10" in lines[1]
    assert lines[2].endswith("3.1 MB")


@pytest.mark.parametrize("width", [1, 7, 20, 40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = run_lines([(run("2026-11-22T10-15-00-load-" + "漢" * 20, model="m" * 30), 10)], width)
    assert all(cells(line) <= width for line in lines)


def test_a_narrow_terminal_loses_the_least_telling_columns_first_and_keeps_both_ends_of_a_name() -> None:
    head, line = run_lines([(run("2026-11-22T10-15-00-load-gpt-4o-mini", model="gpt-4o-mini"), 10)], 60)
    assert "size" not in head
    assert "TTFT p50" in head
    assert line.startswith("2026-11-")
    assert "…" in line


def test_a_crashed_run_is_counted_against_what_was_planned() -> None:
    crashed = ReportedRun("r", "crashed", datetime(2026, 1, 1, tzinfo=UTC), {"planned": 500}, SUMMARY)
    assert "9/500" in run_lines([(crashed, 0)], None)[1]


def test_calls_that_never_began_are_among_all() -> None:
    cut = ReportedRun(
        "cut", "interrupted", datetime(2026, 1, 1, tzinfo=UTC), {"job": "load"}, {**SUMMARY, "never_sent": 2_990}
    )
    assert "9/3,000" in run_lines([(cut, 10)], None)[1]
    killed = ReportedRun("k", "crashed", cut.began, {"planned": 500}, SUMMARY)
    assert "9/500" in run_lines([(killed, 10)], None)[1]


def test_the_runs_of_a_sweep_are_told_apart() -> None:
    swept = run("s", sweep={"kind": "rpm", "value": 1200})
    assert "load rpm 1,200" in run_lines([(swept, 10)], None)[1]
