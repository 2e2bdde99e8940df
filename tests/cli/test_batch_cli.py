"""`weir batch` as people use it: what it refuses, what it keeps of a command to go on with, what it says and writes."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from weir_process import RunningWeir, streams, until, weir

from tui.cli import main
from tui.cli.batch_earlier import Earlier, _wants_to_go_on
from tui.core.documents import Prepared
from tui.engine.corpus import CorpusError, CorpusFeed
from tui.files.journal_reader import read_journal, read_run
from tui.files.run_lock import RunLock
from tui.simulator.process import SimulatorProcess

NOWHERE = ("--base-url", "http://127.0.0.1:9/v1", "-m", "sim")
"""Nobody is asked: every error below comes before the first request."""
CANARY = "sk-canary-5f2c9d71e0"


@pytest.fixture(autouse=True)
def _a_folder_of_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """We are in a folder with three documents, one of them empty of letters beyond ASCII, and no key is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in (("a", "Alder trees."), ("b", "Birch trees: ä, ö."), ("c", "Cedar trees.")):
        (docs / f"{name}.md").write_text(text, "utf-8")
    yield
    os.chdir("/")  # a run that goes on moves to where it began


@pytest.fixture
def batch(quick: SimulatorProcess, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`weir batch …` against the quick provider: exit code, stdout and stderr."""

    def run(*arguments: str, resume: bool = False) -> tuple[int, str, str]:
        to = () if resume else ("--base-url", quick.base_url, "-m", "sim")
        code = main(["batch", *arguments, *to, "--ui", "none"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def runs() -> list[Path]:
    return sorted(Path("weir-runs").iterdir()) if Path("weir-runs").is_dir() else []


def the_run() -> Path:
    (folder,) = runs()
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def prompts(folder: Path) -> list[str]:
    return [json.loads(record.plan_json)["messages"][-1]["content"] for record in read_journal(folder / "journal.db")]


# ── what is refused ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ((), "documents"),
        (("nowhere",), "nowhere"),
        (("empty",), "empty"),
        (("docs", "--prompt", "Translate {txt}"), "--prompt"),
        (("docs", "--prompt", "No name at all"), "--prompt"),
        (("docs", "--prompt", "{text}", "--prompt-file", "docs/a.md"), "--prompt-file"),
        (("docs", "--prompt-file", "gone.txt"), "--prompt-file"),
        (("docs", "--retry-failed"), "--retry-failed"),
        (("docs", "--resume", "last"), "--resume"),
        (("docs", "--resume", "nowhere"), "nowhere"),
        (("docs", "--burst", "3"), "--burst"),
        (("docs", "--long", "split"), "--long"),
        (("docs", "--reduce-prompt", "{text}"), "--reduce-prompt"),
        (("docs", "--max-input-tokens", "9", "--long", "split", "--reduce-prompt", "none"), "--reduce-prompt"),
        (("docs", "--max-input-tokens", "9", "--long", "split", "--reduce-prompt", "{text}{x}"), "--reduce-prompt"),
        (("docs", "--no-response-format"), "--no-response-format"),
        (("docs", "--schema", "gone.json"), "gone.json"),
        (("docs", "--schema", "docs/a.md"), "docs/a.md"),
        (("docs", "--budget", "1", "--max-tokens", "5"), "--budget"),
        (("docs", "--budget", "1", "--price", "in=1,out=1"), "--budget"),
        (("docs", "--out", "results.txt"), "--out"),
        (("docs", "--out", "docs/a.md"), "--out"),
        (("docs", "--out", "gone/results.csv"), "--out"),
        (("docs", "--ui", "dashboard"), "--ui"),
        (("rows.jsonl", "--field", "body"), "--field"),
        (("rows.jsonl", "--id-field", "number"), "--id-field"),
        (("docs", "-H", "X-Key:"), "-H/--header"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent_or_recorded(
    arguments: tuple[str, ...], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    Path("rows.jsonl").write_text('{"text": "x", "id": 1}\n')
    assert main(["batch", *arguments, *NOWHERE]) == 2
    said = capsys.readouterr()
    error, hint = said.err.splitlines()
    assert error.startswith(f"error: {where}")
    assert hint.startswith("hint: ")
    assert said.out == ""
    assert runs() == []


def test_a_run_that_is_no_batch_and_one_that_is_held_are_not_gone_on_with(
    quick: SimulatorProcess, batch: Callable[..., tuple[int, str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    load = ["load", "--base-url", quick.base_url, "-m", "sim", "--requests", "1", "--ui", "none", "--out", "loads"]
    assert main(load) == 0
    (loaded,) = Path("loads").iterdir()
    capsys.readouterr()
    assert batch("--resume", str(loaded), resume=True)[2].startswith("error: --resume: ")
    assert batch("docs")[0] == 0
    before = (the_run() / "summary.json").read_bytes()
    with RunLock.take(the_run()):
        code, _, said = batch("--resume", "last", resume=True)
    assert code == 2
    assert f"is held by process {os.getpid()}" in said
    assert (the_run() / "summary.json").read_bytes() == before


# ── what is asked, and what comes of it ────────────────────────────────────────────────────────────────


def test_every_document_has_its_row_in_the_order_of_the_input_and_a_word_says_where(
    batch: Callable[..., tuple[int, str, str]],
) -> None:
    (Path("docs") / "b2.md").write_bytes(b"\xff\xfe")
    code, out, err = batch("docs")
    found = rows(the_run() / "results.jsonl")
    assert code == 1
    assert [(row["id"], row["state"]) for row in found] == [
        ("docs/a.md", "done"),
        ("docs/b.md", "done"),
        ("docs/b2.md", "failed"),
        ("docs/c.md", "done"),
    ]
    assert "UTF-8" in found[2]["error"] or "UTF-16" in found[2]["error"]
    assert "documents  3 of 4 done · 1 failed" in out
    assert "--retry-failed" not in err, "nothing could be asked about it"
    assert f"results: {the_run()}/results.jsonl" in err
    assert prompts(the_run())[0] == ("Summarise the following document in three bullet points.\n\nAlder trees.")


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_results_go_where_they_are_asked_for_in_the_form_of_the_name(
    name: str, batch: Callable[..., tuple[int, str, str]]
) -> None:
    assert batch("docs", "--out", name)[0] == 0
    text = Path(name).read_text("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text))) if name.endswith(".csv") else [*map(json.loads, text.splitlines())]
    assert [row["id"] for row in found] == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert not (the_run() / "results.jsonl").exists()
    assert batch("--resume", "last", resume=True)[0] == 0, "its own results may be written again"


def test_rows_come_from_stdin_and_the_summary_goes_to_stdout(quick: SimulatorProcess) -> None:
    lines = "".join(json.dumps({"id": f"t{number}", "body": f"Ticket {number}"}) + "\n" for number in range(3))
    said = weir(
        "batch", "-", "--field", "body", "--prompt", "{{{id}}}: {text}", "--summary", "json",
        "--base-url", quick.base_url, "-m", "sim",
        stdin=lines, cwd=Path.cwd(),
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["documents"]["done"] == 3
    assert prompts(the_run()) == [f"{{t{number}}}: Ticket {number}" for number in range(3)]
    assert [row["id"] for row in rows(the_run() / "results.jsonl")] == ["t0", "t1", "t2"]
    again = weir("batch", "--resume", "last", "--summary", "json", stdin=lines, cwd=Path.cwd())
    assert json.loads(again.stdout)["documents"]["reused"] == 3


def test_a_dry_run_counts_documents_tokens_and_money_and_sends_nothing(
    quick: SimulatorProcess, batch: Callable[..., tuple[int, str, str]]
) -> None:
    (Path("docs") / "d.md").write_text("Alder trees.")
    asked = ("docs", "--max-tokens", "100", "--price", "in=1000000,out=0", "--dry-run")
    code, out, _ = batch(*asked, "--summary", "json")
    told = json.loads(out)
    assert code == 0
    assert told["documents"] == {"total": 4, "unaskable": 0, "settled": 0, "shared": 1, "cut": 0, "split": 0}
    assert told["requests"] == 3
    assert told["prompt_tokens"] > 30
    assert float(told["cost_usd"]["low"]) == float(told["cost_usd"]["high"]) == told["prompt_tokens"]
    code, out, _ = batch(*asked, "--budget", "1")
    assert code == 0
    assert "documents  4 · 1 equal to another" in out
    assert "may be reached before the end" in out
    assert runs() == []
    assert quick.truth() == []


def test_a_dry_run_of_a_run_that_goes_on_leaves_out_what_is_settled_and_the_folder_as_it_is(
    batch: Callable[..., tuple[int, str, str]],
) -> None:
    batch("docs")
    (Path("docs") / "d.md").write_text("Dogwood.")
    before = sorted(path.name for path in the_run().iterdir())
    _, out, _ = batch("--resume", "last", "--dry-run", "--summary", "json", resume=True)
    told = json.loads(out)
    assert (told["documents"]["total"], told["documents"]["settled"], told["requests"]) == (4, 3, 1)
    assert sorted(path.name for path in the_run().iterdir()) == before


# ── going on ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_goes_on_with_its_name_alone_and_asks_only_what_is_new(
    quick: SimulatorProcess, batch: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ask.txt").write_text("\ufeffName the tree: {text}", "utf-8")
    batch("docs", "--prompt-file", "ask.txt", "--max-tokens", "5", "--temperature", "0", "--system", "Be brief.")
    Path("ask.txt").unlink()
    (Path("docs") / "d.md").write_text("Dogwood.")
    (Path("docs") / "a.md").write_text("Ash.")
    (Path("docs") / "c.md").unlink()
    folder = the_run().absolute()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    code, out, _ = batch("--resume", str(folder), "--concurrency", "1", resume=True)
    assert code == 0
    assert "3 of 3 done" in out
    assert prompts(folder)[3:] == ["Name the tree: Ash.", "Name the tree: Dogwood."]
    assert len(quick.truth()) == 5
    assert [row["id"] for row in rows(folder / "results.jsonl")] == ["docs/a.md", "docs/b.md", "docs/d.md"]
    fields = read_run(folder / "journal.db")
    assert (fields["concurrency"], fields["sessions"], fields["settings"]["concurrency"]) == (1, 2, 1)
    assert fields["settings"]["system"] == "Be brief."
    asked = json.loads([*read_journal(folder / "journal.db")][-1].plan_json)
    assert asked["params"] == {"max_tokens": 5, "temperature": 0.0}


def test_what_is_given_anew_counts_and_a_changed_question_is_asked_anew(
    quick: SimulatorProcess, batch: Callable[..., tuple[int, str, str]]
) -> None:
    batch("docs", "--max-tokens", "5")
    code, _, _ = batch("docs", "--resume", "last", "--max-tokens", "5")  # the rest of the command, as it was
    assert (code, len(quick.truth())) == (0, 3)
    code, _, _ = batch("--resume", "last", "--max-tokens", "6", resume=True)
    assert (code, len(quick.truth())) == (0, 6)
    assert all(row["tokens"]["completion"] == 6 for row in rows(the_run() / "results.jsonl"))


def test_documents_that_are_named_anew_are_meant_from_where_we_are(
    batch: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch("docs")
    folder = the_run().absolute()
    (Path("elsewhere") / "docs").mkdir(parents=True)
    monkeypatch.chdir("elsewhere")
    (Path("docs") / "z.md").write_text("Zelkova.")
    assert batch("docs", "--resume", str(folder), resume=True)[0] == 0
    assert [row["id"] for row in rows(folder / "results.jsonl")] == ["docs/z.md"]


def test_headers_with_secrets_are_asked_for_again_and_those_from_the_environment_are_not(
    batch: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_TEST_TOKEN", CANARY + "env")
    batch("docs", "-H", f"X-Team: {CANARY}", "-H", "X-Token: env:WEIR_TEST_TOKEN")
    assert read_run(the_run() / "journal.db")["settings"]["header"] == ["X-Team:", "X-Token: env:WEIR_TEST_TOKEN"]
    code, _, said = batch("--resume", "last", resume=True)
    assert code == 2
    assert said.startswith('error: -H/--header: the value of "X-Team" is not kept')
    assert batch("--resume", "last", "-H", "x-team: other", resume=True)[0] == 0
    assert read_run(the_run() / "journal.db")["settings"]["header"] == ["x-team:", "X-Token: env:WEIR_TEST_TOKEN"]


def test_an_api_key_is_in_no_byte_that_is_written(
    batch: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    _, out, err = batch("docs", "--out", "out.csv", "-H", "X-Also: env:OPENAI_API_KEY")
    batch("--resume", "last", resume=True)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in out + err
    assert {oct(path.stat().st_mode & 0o777) for path in the_run().iterdir()} == {"0o600"}
    assert oct(the_run().stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize(
    ("answer", "goes_on"), [("\n", True), ("y\n", True), ("Yes\n", True), ("n\n", False), ("", False)]
)
def test_at_a_terminal_the_same_command_again_asks_whether_to_go_on(
    answer: str, goes_on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    said = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", said)
    folder = tmp_path / "weir-runs" / "2026-batch"
    assert _wants_to_go_on(Earlier(folder, {}), tmp_path) is goes_on
    assert said.getvalue() == (
        "weir: an unfinished run of the same command is there: 2026-batch\nGo on with it? [Y/n] "
    )


def test_a_run_goes_on_with_the_budget_that_it_had_in_the_end(tmp_path: Path) -> None:
    earlier = Earlier(tmp_path, {"settings": {"budget": "0.5", "rpm": 7}, "budget_usd": "1"})
    assert earlier.settings == {"budget": "1", "rpm": 7}
    assert Earlier(tmp_path, {"settings": {"budget": "0.5"}}).settings == {"budget": "0.5"}
    assert Earlier(tmp_path, {"settings": {"budget": None}, "budget_usd": None}).settings == {"budget": None}


@pytest.mark.parametrize("flag", ["--prompt", "--system", "--extra-body", "--prompt-file"])
def test_a_key_in_a_text_that_is_kept_is_refused(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    Path("ask.txt").write_text(f"{CANARY} {{text}}")
    text = {"--extra-body": json.dumps({"x": CANARY}), "--prompt-file": "ask.txt"}.get(flag, f"{CANARY} {{text}}")
    assert main(["batch", "docs", flag, text, *NOWHERE]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {flag.removesuffix('-file')}: holds the API key")
    assert CANARY not in said
    assert runs() == []


def test_the_same_command_again_says_which_run_to_go_on_with(endless: SimulatorProcess) -> None:
    command = ("batch", "docs", "--base-url", endless.base_url, "-m", "sim", "--ui", "none", "--runs", "kept runs")
    with RunningWeir(*command, cwd=Path.cwd()):
        until(lambda: streams(endless) == 3, "three streams")  # and then it is killed
    (folder,) = Path("kept runs").iterdir()
    said = f"an unfinished run of the same command is there: {folder.name}; to go on with it: "
    with RunningWeir(*command, cwd=Path.cwd()) as again:
        until(lambda: f"weir: {said}weir batch --resume '{folder.absolute()}'\n" in again.stderr, "the word for it")
    with RunningWeir(*command, "--prompt", "Other: {text}", cwd=Path.cwd()) as other:
        until(lambda: len([*Path("kept runs").iterdir()]) == 2, "a run of its own")
    assert other.stderr == ""


# ── exit codes ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_budget_that_is_reached_ends_it_with_4_and_a_higher_one_goes_on_where_it_was(
    quick: SimulatorProcess, batch: Callable[..., tuple[int, str, str]]
) -> None:
    priced = ("--price", "in=0,out=100000", "--max-tokens", "8")  # a call costs 0.80
    code, out, err = batch("docs", *priced, "--budget", "1.7", "--concurrency", "1")
    assert code == 4
    assert "2 done of 3 or more" in out
    assert "to go on: weir batch --resume" in err
    assert [row["state"] for row in rows(the_run() / "results.jsonl")] == ["done", "done", "pending"]
    code, _, _ = batch("--resume", "last", resume=True)  # the two that are paid for count
    assert (code, len(quick.truth())) == (4, 2)
    code, out, _ = batch("--resume", "last", "--budget", "2.5", resume=True)
    assert (code, len(quick.truth())) == (0, 3)
    assert "at most $2.40 of $2.50 spent" in out


def test_a_reader_of_documents_that_dies_is_an_error_and_the_run_goes_on(
    quick: SimulatorProcess, batch: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = CorpusFeed.next

    async def dies(feed: CorpusFeed) -> Prepared | None:
        document = await read(feed)
        if document is not None and document.number == 3:
            raise CorpusError("the process that reads the documents ended by signal 9")
        return document

    with monkeypatch.context() as patched:
        patched.setattr(CorpusFeed, "next", dies)
        code, _, err = batch("docs")
    assert code == 1
    assert f"to go on: weir batch --resume {the_run().name}" in err
    assert err.endswith("error: the process that reads the documents ended by signal 9\n")
    assert batch("--resume", "last", resume=True)[0] == 0
    assert len(quick.truth()) == 3


def test_two_signals_stop_it_with_130_and_it_goes_on_afterwards(
    endless: SimulatorProcess, batch: Callable[..., tuple[int, str, str]]
) -> None:
    with RunningWeir(
        "batch", "docs", "--base-url", endless.base_url, "-m", "sim", "--ui", "none", cwd=Path.cwd()
    ) as run:
        until(lambda: streams(endless) == 3, "three streams")
        run.interrupt()
        until(lambda: "draining" in run.stderr, "the word that it drains")
        run.interrupt()
        code, out = run.ends()
    assert code == 130
    assert "interrupted" in out
    assert f"to go on: weir batch --resume {the_run().name}" in run.stderr
    assert {row["state"] for row in rows(the_run() / "results.jsonl")} == {"pending"}
    code, out, _ = batch("--resume", "last")
    assert code == 0
    assert "documents  3 of 3 done" in out


def test_a_condition_that_holds_ends_it_with_3(batch: Callable[..., tuple[int, str, str]]) -> None:
    assert batch("docs", "--fail-if", "calls.done>2")[0] == 3


def test_an_address_where_nobody_ever_answered_ends_the_run_and_leaves_it_to_be_gone_on_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["batch", "docs", *NOWHERE, "--ui", "none"])
    said = capsys.readouterr()
    assert code == 1
    assert "Connection refused (nothing was ever reached" in said.out
    assert "to go on: weir batch --resume" in said.err
    assert [row["state"] for row in rows(the_run() / "results.jsonl")] == ["pending"] * 3
