"""Reports: the figures of the run and no others, nothing a browser runs or loads, nothing a spreadsheet reckons."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from run_folders import HOSTILE, call, finished_run, make_run

from tui.core.report import change_text, tables
from tui.core.report_charts import charts
from tui.core.report_compare import comparisons
from tui.core.report_run import ReportedRun
from tui.files.report_csv import csv_report, json_report
from tui.files.report_html import html_report
from tui.files.report_markdown import markdown_report
from tui.files.run_figures import reported
from tui.files.run_list import read_run_folder

MADE = datetime(2026, 11, 22, 12, 0)
CALLS = (call(1), call(2, 1.0, 0.5), call(3, 3.0, error="HTTP 503: busy"))


def a_run(tmp_path: Path, name: str = "run") -> ReportedRun:
    return reported(read_run_folder(finished_run(tmp_path, name, *CALLS)))


def hostile_run(tmp_path: Path) -> ReportedRun:
    folder = make_run(
        tmp_path,
        "bad <b>|\x1b[31m",
        call(1, error=HOSTILE),
        model=HOSTILE,
        params={HOSTILE: HOSTILE},
        **{HOSTILE: HOSTILE},
    )
    return reported(read_run_folder(folder))


def cell(run: ReportedRun, table: str, row: str) -> str:
    (found,) = [each for each in tables([run]) if each.title == table]
    return next(each.cells[0].text for each in found.rows if each.name == row)


def test_a_record_without_a_summary_gives_the_figures_of_its_calls(tmp_path: Path) -> None:
    run = reported(read_run_folder(make_run(tmp_path, "run", *CALLS)))
    assert any("no summary (crashed)" in note for note in run.notes)
    figures = run.figures
    assert (figures["calls"]["done"], figures["calls"]["failed"]) == (2, 1)
    assert (figures["attempts"], figures["retries"], figures["http_429"]) == (6, 3, 3)
    assert figures["ttft_s"]["max"] == pytest.approx(0.5)
    assert figures["user_ttft_s"]["min"] == pytest.approx(2.25)
    assert figures["queue_s"]["p50"] == pytest.approx(0.5, rel=0.001)
    assert figures["tpot_s"]["p50"] == pytest.approx(0.1, rel=0.001)
    assert figures["tokens"]["completion"] == 22
    assert figures["errors"] == [{"error": "HTTP 503: busy", "n": 1}]
    assert "engine_lag_s" not in figures


def test_what_is_drawn_over_time_adds_up_to_the_run(tmp_path: Path) -> None:
    timeline = a_run(tmp_path).timeline
    assert timeline is not None
    assert (sum(timeline.attempts), sum(timeline.http_429), sum(timeline.errors)) == (6, 3, 1)
    assert sum(timeline.tokens) == pytest.approx(22)
    assert sum(each.n for each in timeline.ttft_bins) == 2
    assert sum(cost or 0 for cost in timeline.cost_usd) == pytest.approx(2 * (100 * 2.5 + 11 * 10) / 1e6)


def test_the_tables_say_what_the_summary_says(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    assert cell(run, "Calls", "done") == "2"
    assert cell(run, "Attempts and pace", "429s") == "3"
    assert cell(run, "Limits and settings", "rpm") == "60"
    assert cell(run, "Tokens and cost", "cost") == "$0.00072"


def test_several_runs_stand_side_by_side_with_differences_against_the_first(tmp_path: Path) -> None:
    slow = reported(read_run_folder(finished_run(tmp_path, "slow", call(1, ttft_s=0.5))))
    quick = reported(read_run_folder(finished_run(tmp_path, "quick", call(1, ttft_s=0.25))))
    (latency,) = [table for table in tables([slow, quick]) if table.title == "Latency"]
    first, second = latency.rows[0].cells
    assert (first.text, first.change) == ("500 ms", "")
    assert (second.text, second.change, second.verdict) == ("250 ms", "−50 %", "better")


@pytest.mark.parametrize(
    ("first", "other", "text"),
    [
        (100, 112, "+12 %"),
        (100, 99, "−1.0 %"),
        (2, 2, "±0 %"),
        (0, 0, ""),
        (0, 3, ""),
        (1, 14, "×14"),
        (1e9, 1e9 + 1, "±0 %"),
    ],
)
def test_a_difference_is_said_in_few_characters(first: float, other: float, text: str) -> None:
    assert change_text(first, other) == text


def a_summary(**figures: object) -> ReportedRun:
    calls = {"total": 8, "done": 8, "cancelled": 0}
    return ReportedRun("r", "finished", datetime(2026, 1, 1, tzinfo=UTC), {}, {"calls": calls, **figures})


def test_what_never_began_counts_against_the_share_that_is_done() -> None:
    assert cell(a_summary(), "Calls", "done, of all that were due") == "100.0 %"
    assert cell(a_summary(never_sent=92), "Calls", "done, of all that were due") == "8.0 %"
    assert "<b>92</b> never sent" in html_report([a_summary(never_sent=92)], MADE)
    nearly = a_summary(calls={"total": 10_000, "done": 9_999})
    assert cell(nearly, "Calls", "done, of all that were due") == "99.9 %"


def test_a_call_withdrawn_before_it_was_sent_counts_once() -> None:
    now = a_summary(never_sent=5, warmup_calls=2, done_again=1, calls={"total": 10, "done": 7, "cancelled": 3})
    assert (now.unbegun, now.due) == (5, 15)
    assert cell(now, "Calls", "warm-up, in no figure here") == "2"
    assert cell(now, "Calls", "done again by hand, of these") == "1"
    # Of old such calls were among the cancelled as well.
    run = a_summary(never_sent=5, calls={"total": 10, "done": 7, "cancelled": 3})
    assert (run.unbegun, run.due) == (2, 12)
    known = ReportedRun("r", "finished", run.began, {}, run.figures, withdrawn=1)
    assert (known.unbegun, known.due) == (4, 14)


def test_what_a_run_without_an_end_had_planned_is_not_called_done(tmp_path: Path) -> None:
    run = reported(read_run_folder(make_run(tmp_path, "run", *CALLS, planned=100)))
    assert (run.state, run.unbegun, run.due) == ("crashed", 97, 100)
    assert "<b>97</b> not on record" in html_report([run], MADE)


def test_nothing_is_said_of_a_difference_between_noughts(tmp_path: Path) -> None:
    text = markdown_report([a_run(tmp_path, "a"), a_run(tmp_path, "b")], MADE)
    assert "0 (" not in re.sub(r"[1-9.][0-9,.]* \(", "", text.replace("$0.00072 (", ""))
    assert "broken" not in text


SETTINGS = {
    "sweep": {"kind": "rpm", "value": 1200, "number": 2, "of": 3, "began": "2026-01-01"},
    "ramp": {"start_rpm": 60, "end_rpm": 1200, "duration_s": 120.0, "step_rpm": 60},
    "params": {"max_tokens": 40, "stop": ["x", "y"], "response_format": {"type": "json_object", "strict": True}},
    "adapt": True,
    "budget_usd": "0.50",
    "keep_text": False,
    "duration_s": 90.0,
    "rate_rpm": 60,
    "odd_thing": {"a": {"b": {"c": {"d": 1}}}},
}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("sweep", "rpm 1,200, run 2 of 3"),
        ("ramp", "from 60 to 1,200 calls a minute within 2m 00s, in steps of 60"),
        ("sent with each call", "max_tokens 40 · stop x, y · response_format (type json_object, strict yes)"),
        ("adapts its pace", "yes: the pace that the server bears is found"),
        ("budget", "$0.5000"),
        ("text kept", "no"),
        ("duration", "1m 30s"),
        ("schedule", "60 calls a minute"),
        ("odd thing", "a b c …"),
        ("price", "$2.50 in, $10.00 out per million tokens (--price)"),
    ],
)
def test_settings_are_words(tmp_path: Path, row: str, text: str) -> None:
    run = reported(read_run_folder(finished_run(tmp_path, "run", *CALLS, **SETTINGS)))
    assert cell(run, "Limits and settings", row) == text


def test_no_setting_is_json_whatever_it_holds(tmp_path: Path) -> None:
    odd = {"sweep": {"kind": 7}, "ramp": ["x"], "budget_usd": "many", "duration_s": {}, "params": {"a": [{"b": None}]}}
    run = reported(read_run_folder(make_run(tmp_path, "run", *CALLS, **odd)))
    (settings,) = [table for table in tables([run]) if table.title == "Limits and settings"]
    assert not [row for row in settings.rows if re.search(r'[{}"\[\]]', row.cells[0].text)]
    assert cell(run, "Limits and settings", "sweep") == "kind 7"


def test_what_a_budget_let_through_is_told() -> None:
    run = a_summary(budget={"limit_usd": "0.5", "charged_usd": "0.42", "refused": 3})
    assert cell(run, "Tokens and cost", "budget") == "$0.5000"
    assert cell(run, "Tokens and cost", "· spent of it, at most") == "$0.4200"
    assert cell(run, "Tokens and cost", "· calls not sent for it") == "3"


def a_sweep(tmp_path: Path) -> list[ReportedRun]:
    runs = []
    for number, (value, ttft_s) in enumerate(((1, 0.25), (8, 0.5)), start=1):
        step = {"kind": "concurrency", "value": value, "number": number, "of": 2, "began": "2026-01-01T00:00:00"}
        folder = finished_run(tmp_path, f"step-{number}", call(1, ttft_s=ttft_s), job="sweep", sweep=step)
        runs.append(reported(read_run_folder(folder)))
    return runs


def test_the_runs_of_a_sweep_are_named_by_its_values_and_stand_in_one_chart_a_figure(tmp_path: Path) -> None:
    runs = a_sweep(tmp_path)
    page, text = html_report(runs, MADE), markdown_report(runs, MADE)
    for made in (page, text):
        assert "sweep of concurrency · m" in made
        assert "A · concurrency 1" in made
        assert "B · concurrency 8" in made
    (ttft,) = [each for each in comparisons(runs) if each.title == "TTFT p95"]
    assert [(bar.name, bar.share, bar.text) for bar in ttft.bars] == [
        ("concurrency 1", pytest.approx(0.5, abs=0.01), "250 ms"),
        ("concurrency 8", 1.0, "500 ms"),
    ]
    assert "██████ 250 ms" in text
    assert '<b style="width:100.0%"></b>' in page


def test_runs_that_are_no_one_sweep_are_side_by_side(tmp_path: Path) -> None:
    assert "# 2 runs side by side" in markdown_report([a_run(tmp_path), a_sweep(tmp_path)[0]], MADE)
    assert comparisons([a_run(tmp_path, "only")]) == []


class _Page(HTMLParser):
    """Every tag, attribute and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_runs_no_script_and_loads_nothing_whatever_a_server_says(tmp_path: Path) -> None:
    for page in (
        html_report([hostile_run(tmp_path)], MADE),
        html_report([a_run(tmp_path), reported(read_run_folder(tmp_path / "bad <b>|\x1b[31m"))], MADE),
    ):
        parsed = _Page(page)
        assert not {"script", "img", "link", "iframe", "a", "object", "image", "use", "base", "form"} & set(parsed.tags)
        assert not [
            name for name, _ in parsed.attributes if name.startswith("on") or name in ("src", "href", "xlink:href")
        ]
        assert not re.search(r"url\(|@import|javascript:", "".join(value for _, value in parsed.attributes))
        assert not any("//" in value for _, value in parsed.attributes)
        assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in parsed.attributes
        assert "<script>alert(1)</script>" in parsed.text
        assert "\x1b" not in page
        assert "\u202e" not in page


def test_the_style_loads_nothing(tmp_path: Path) -> None:
    style = html_report([a_run(tmp_path)], MADE).partition("<style>")[2].partition("</style>")[0]
    assert "prefers-color-scheme:dark" in style
    assert not re.search(r"url\(|@import|https?:|//", style)


def test_a_page_draws_each_chart_of_each_run_and_says_its_figures_when_pointed_at(tmp_path: Path) -> None:
    runs = [a_run(tmp_path, "a"), a_run(tmp_path, "b")]
    page = html_report(runs, MADE)
    assert page.count("<svg") == sum(len(charts(run)) + 1 for run in runs)
    assert "<title>00:00 · attempts 1 · 429s 1</title>" in page


def test_no_user_and_no_query_of_an_address_is_in_any_report(tmp_path: Path) -> None:
    runs = [a_run(tmp_path)]
    for text in (html_report(runs, MADE), markdown_report(runs, MADE), csv_report(runs), json_report(runs)):
        assert "secret" not in text
        assert "http://127.0.0.1:1/v1" in text.replace("\\", "")


def test_markdown_has_no_markup_but_its_own(tmp_path: Path) -> None:
    text = markdown_report([hostile_run(tmp_path)], MADE)
    assert "<script>" not in re.sub(r"\\.", "", text)
    assert not re.search(r"(?<!\\)<|(?<!\\)\[", text)
    assert "\x1b" not in text


def test_every_row_of_a_markdown_table_has_as_many_cells(tmp_path: Path) -> None:
    for block in markdown_report([hostile_run(tmp_path), a_run(tmp_path)], MADE).split("\n\n"):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line.startswith("|")}
        assert len(counts) <= 1


def test_a_spreadsheet_gets_a_row_a_run_and_no_formula(tmp_path: Path) -> None:
    bad = reported(read_run_folder(finished_run(tmp_path, "=1+1", call(1), model="\x1b@SUM(A1)", job="-2")))
    rows = list(csv.DictReader(io.StringIO(csv_report([a_run(tmp_path), bad]))))
    assert [row["name"] for row in rows] == ["run", "'=1+1"]
    assert (rows[0]["calls.done"], rows[0]["http_429"], rows[0]["rpm"]) == ("2", "3", "60")
    assert float(rows[0]["ttft_s.max"]) == pytest.approx(0.5)
    assert rows[1]["job"] == "'-2"
    assert not [value for row in rows for value in row.values() if value.startswith(("=", "+", "@"))]


def test_json_has_summary_and_series(tmp_path: Path) -> None:
    (run,) = json.loads(json_report([a_run(tmp_path)]))
    assert run["summary"]["calls"]["done"] == 2
    assert sum(run["series"]["attempts"]) == 6
    assert len(run["series"]["ttft_p95_s"]) == len(run["series"]["attempts"])


def test_foreign_values_are_absent_and_never_raise(tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "summary.json").write_text(
        '{"calls": {"done": "many", "total": NaN}, "ttft_s": [1], "errors": {"a": 1}, "cost_usd": "x", "tokens": 7,'
        f' "wall_s": 1e300, "attempts": {"9" * 400}, "goodput": {{"objectives_s": 3}}}}'
    )
    runs = [reported(read_run_folder(folder)), a_run(tmp_path)]
    for text in (html_report(runs, MADE), markdown_report(runs, MADE), csv_report(runs), json_report(runs)):
        assert text
    assert "NaN" not in json_report(runs)


def test_an_empty_journal_makes_a_report_that_says_so(tmp_path: Path) -> None:
    run = reported(read_run_folder(make_run(tmp_path, "empty")))
    assert run.timeline is None
    assert "no summary (crashed)" in markdown_report([run], MADE)


def test_a_run_without_anything_still_makes_every_report() -> None:
    run = ReportedRun("r", "unreadable", datetime(2026, 1, 1, tzinfo=UTC), {}, {}, ("it is broken",))
    for text in (html_report([run], MADE), markdown_report([run], MADE), csv_report([run]), json_report([run])):
        assert "r" in text


@pytest.mark.parametrize(
    ("field", "note"),
    [
        ({"price": {"input": "NaN", "output": "1"}}, "price"),
        ({"price": {"input": "-1", "output": "1"}}, "price"),
        ({"price": {"input": []}}, "price"),
        ({"objectives_ns": [1]}, "objectives"),
        ({"objectives_ns": {"ttft": "x"}}, "objectives"),
    ],
)
def test_a_price_or_an_objective_that_is_none_leaves_the_other_figures(
    tmp_path: Path, field: dict[str, object], note: str
) -> None:
    run = reported(read_run_folder(make_run(tmp_path, "run", *CALLS, **field)))
    assert any(f"its {note} cannot be read" in each for each in run.notes)
    assert run.figures["calls"]["done"] == 2
    assert run.figures["cost_usd"] is None
    assert run.figures["goodput"] is None
    for form in (csv_report, json_report):
        assert form([run])
    for made in (markdown_report, html_report):
        assert made([run], MADE)


def test_what_a_run_asked_is_in_no_report(tmp_path: Path) -> None:
    words = {"system": "secret words", "prompt": "secret words", "prompts": ["secret words"]}
    run = reported(read_run_folder(make_run(tmp_path, "run", *CALLS, **words)))
    for text in (markdown_report([run], MADE), csv_report([run]), json_report([run]), html_report([run], MADE)):
        assert "secret words" not in text
