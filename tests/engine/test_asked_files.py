"""Files that people ask for: what the screen shows is what is written, over no other file, without a secret."""

import asyncio
import json
import os
import re
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import pytest

from tui.core.calls import State, TextKind, Usage
from tui.core.clock import NS_PER_MS
from tui.core.commands import Export, SaveCall, SaveScreenshot, Watch
from tui.core.errors import RecordError
from tui.core.facts import (
    AttemptEnded,
    Finished,
    HeadersCame,
    PhaseChanged,
    Queued,
    Sent,
    TextCame,
    UsageCame,
    Waited,
    Written,
)
from tui.core.ledger import Ledger
from tui.core.ordering import Listing, Window
from tui.core.picture import Painter, RunCard
from tui.core.rows import row
from tui.core.secrets import Mask, Secret, redact
from tui.core.views import CallRow
from tui.engine import asked_files
from tui.engine.asked_files import AskedFiles, redacted_svg
from tui.files.shown_export import Format, write_shown

KEY = Secret("sk-canary-0123456789abcdef")
CALLS = 40


def hidden(text: str) -> str:
    return redact(text, [KEY])


def at(ms: int) -> int:
    return 1_000_000_000_000 + ms * NS_PER_MS


def ended(ledger: Ledger, call: int, text: str = "Hello.", error: str | None = None) -> None:
    """A call from its beginning to its end; higher numbers take longer."""
    first = at(10 * call + 100 + call)
    for fact in (
        Queued(call, at(10 * call), at(10 * call), "m", f"=Prompt {call}"),
        Waited(call, at(10 * call)),
        Sent(call, at(10 * call)),
        Written(call, at(10 * call + 1)),
        HeadersCame(call, at(10 * call + 50), 200),
        TextCame(call, first, TextKind.CONTENT, text),
        UsageCame(call, first + 1, Usage(7, 1000 - call)),
        AttemptEnded(call, first + 2, error),
        Finished(call, first + 3, State.BROKEN if error else State.DONE, error),
    ):
        ledger.fold(fact)


def a_ledger(calls: int = CALLS) -> Ledger:
    ledger = Ledger()
    ledger.fold(PhaseChanged(at(0), "running"))
    for call in range(1, calls + 1):
        ended(ledger, call, error="cut" if call % 3 == 0 else None)
    return ledger


class Asker:
    """Asks for files of a run in a folder, and reads what came."""

    def __init__(self, folder: Path | None, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or a_ledger()
        self.files = AskedFiles(self.ledger, self.ledger.fold, lambda: folder, hidden, Mask([KEY]), self._request)

    def _request(self, call: int) -> Callable[[], str] | None:
        return (lambda: f"curl 'the request of {call}'") if call != 2 else None

    async def asks(self, *commands: Export | SaveCall | SaveScreenshot) -> str:
        """Ask for these at once; the last notice."""
        for command in commands:
            self.files.obey(command)
        await self.files.finish()
        assert self.ledger.notice is not None
        return self.ledger.notice


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is asked for in the same second."""

    class Noon(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Noon":
            return cls(2030, 4, 5, 12, 0, 0)

    monkeypatch.setattr(asked_files, "datetime", Noon)


def files(folder: Path, suffix: str = "") -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith(suffix))


def only(folder: Path, suffix: str = "") -> Path:
    (found,) = files(folder, suffix)
    return found


# ── exports ────────────────────────────────────────────────────────────────────────────────────────────────

SHOWN = [
    Export("csv"),
    Export("csv", "state:broken", "total", True),
    Export("jsonl", "ttft>120ms", "tokens"),
    Export("jsonl", "", "id", True),
    Export("csv", "state:refused"),
    Export("jsonl", "Prompt", "newest"),
]


@pytest.mark.parametrize("asked", SHOWN, ids=lambda asked: f"{asked.query or 'all'}-{asked.order}")
async def test_an_export_holds_the_rows_that_the_table_shows_in_its_order(tmp_path: Path, asked: Export) -> None:
    asker = Asker(tmp_path)
    await asker.asks(asked)
    watch = Watch("table", 0, 10**6, query=asked.query, order=asked.order, descending=asked.descending)
    rows = Painter(asker.ledger, RunCard("load", "m", "host")).picture(watch, at(10**6)).rows
    file = only(tmp_path)
    shown: Format = "csv" if asked.format == "csv" else "jsonl"
    write_shown(tmp_path / "again", rows, shown)
    assert file.read_bytes() == (tmp_path / "again").read_bytes()
    assert len(rows) == {"state:broken": 13, "state:refused": 0, "ttft>120ms": 20}.get(asked.query, CALLS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_notice_says_how_many_calls_went_where(tmp_path: Path, noon: None) -> None:
    asker = Asker(tmp_path)
    said = await asker.asks(Export("csv"))
    assert said == f"40 calls written to {tmp_path}/shown-12-00-00.csv"
    assert (await asker.asks(Export("jsonl", "Prompt 17"))).startswith("1 call written to ")


async def test_a_filter_that_cannot_be_read_hides_nothing_and_the_notice_says_so(tmp_path: Path) -> None:
    said = await Asker(tmp_path).asks(Export("csv", "ttft>soon"))
    assert said.startswith("40 calls written to ")
    assert ", all of them: the filter cannot be read (" in said


@pytest.mark.parametrize("format", ["xls", "", "../x", "csv\x1b"])
async def test_another_format_is_refused_and_no_file_is_made(tmp_path: Path, format: str) -> None:
    said = await Asker(tmp_path).asks(Export(format))
    assert said.startswith("not written: export: ")
    assert "is no format" in said
    assert os.listdir(tmp_path) == []


async def test_a_long_export_leaves_the_loop_to_the_streams_and_holds_each_call_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    rows, looks = Counter[int](), Counter[int]()

    def row_of(*arguments: Any) -> CallRow:
        rows[turns] += 1
        return row(*arguments)

    class Watched(Listing):
        def window(self, *arguments: Any) -> Window:
            looks[turns] += 1
            return super().window(*arguments)

    monkeypatch.setattr(asked_files, "row", row_of)
    monkeypatch.setattr(asked_files, "Listing", Watched)
    asker = Asker(tmp_path, a_ledger(3000))
    asker.files.obey(Export("jsonl", "", "id", True))
    asker.files.obey(Export("csv", "-state:refused", "cost"))
    finish = asyncio.create_task(asker.files.finish())
    while not finish.done():
        await asyncio.sleep(0)
        turns += 1
        if turns < 500:  # new calls come all the while
            ended(asker.ledger, 3000 + turns)
    # Two files, and for each a look that finds the list complete and one that takes it.
    assert max(rows.values()) <= 2 * 50
    assert max(looks.values()) <= 2 * 2
    numbers = [json.loads(line)["id"] for line in only(tmp_path, "jsonl").read_text().splitlines()]
    assert numbers == list(range(numbers[0], 0, -1))
    found = sorted(int(line.split(",")[0]) for line in only(tmp_path, "csv").read_text().splitlines()[1:])
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= 3000


# ── names ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_files_asked_for_in_one_instant_do_not_overwrite_each_other(tmp_path: Path, noon: None) -> None:
    asker = Asker(tmp_path)
    await asker.asks(Export("csv"), Export("csv", "state:broken"), *[SaveScreenshot(f"<svg>{n}</svg>") for n in "abc"])
    await asker.asks(SaveCall(1), SaveCall(1))
    assert sorted(os.listdir(tmp_path)) == [
        "call-1-12-00-00-2.md", "call-1-12-00-00.md", "screen-12-00-00-2.svg", "screen-12-00-00-3.svg",
        "screen-12-00-00.svg", "shown-12-00-00-2.csv", "shown-12-00-00.csv",
    ]  # fmt: skip
    assert sorted(path.read_text() for path in files(tmp_path, "svg")) == [f"<svg>{n}</svg>" for n in "abc"]
    assert sorted(len(path.read_text().splitlines()) for path in files(tmp_path, "csv")) == [14, 41]


async def test_whatever_has_the_name_already_is_left_as_it_is(tmp_path: Path, noon: None) -> None:
    (tmp_path / "shown-12-00-00.csv").write_text("mine")
    (tmp_path / "shown-12-00-00-2.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "shown-12-00-00-3.csv").mkdir()
    said = await Asker(tmp_path).asks(Export("csv"))
    assert said.endswith("shown-12-00-00-4.csv")
    assert (tmp_path / "shown-12-00-00.csv").read_text() == "mine"
    assert (tmp_path / "shown-12-00-00-2.csv").is_symlink()
    assert not (tmp_path / "nowhere").exists()


async def test_without_a_record_files_go_into_the_working_folder_under_names_that_say_whose_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noon: None
) -> None:
    monkeypatch.chdir(tmp_path)
    await Asker(None).asks(Export("jsonl"), SaveCall(3), SaveScreenshot("<svg/>"))
    assert sorted(os.listdir(tmp_path)) == [
        "weir-call-3-2030-04-05T12-00-00.md",
        "weir-screen-2030-04-05T12-00-00.svg",
        "weir-shown-2030-04-05T12-00-00.jsonl",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)} == {0o600}


# ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_folder_that_is_gone_is_said_and_nothing_raised(tmp_path: Path) -> None:
    said = await Asker(tmp_path / "gone").asks(Export("csv"))
    assert said == f"not written: no file can be made in {tmp_path}/gone: No such file or directory"


async def test_a_working_folder_that_is_gone_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    said = await Asker(None).asks(SaveScreenshot("<svg/>"))
    assert said == "not written: no file can be made in the working folder: No such file or directory"


async def test_what_cannot_be_written_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise RecordError("the disk is full")

    monkeypatch.setattr(asked_files, "write_shown", full)
    monkeypatch.setattr(asked_files, "write_text", full)
    for command in (Export("csv"), SaveCall(1), SaveScreenshot("<svg/>")):
        assert await Asker(tmp_path).asks(command) == "not written: the disk is full"
    assert os.listdir(tmp_path) == []


async def test_to_finish_is_to_wait_also_for_what_is_asked_for_meanwhile(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    asker.files.obey(Export("csv"))
    finish = asyncio.create_task(asker.files.finish())
    await asyncio.sleep(0)
    asker.files.obey(SaveCall(1))
    await finish
    assert sorted(path.suffix for path in files(tmp_path)) == [".csv", ".md"]
    assert asker.ledger.notices == 2


# ── one call, one picture ──────────────────────────────────────────────────────────────────────────────────


async def test_a_saved_call_has_its_prompt_its_answer_and_no_secret_that_the_server_echoed(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    ended(asker.ledger, 41, f"Your key is {KEY.reveal()}.")
    await asker.asks(SaveCall(41))
    text = only(tmp_path).read_text()
    assert text.startswith("# Call 41: done\n")
    assert "=Prompt 41" in text
    assert "Your key is ***." in text
    assert stat.S_IMODE(only(tmp_path).stat().st_mode) == 0o600


async def test_a_call_that_never_was_is_said(tmp_path: Path) -> None:
    assert await Asker(tmp_path).asks(SaveCall(99)) == "there is no call #99"
    assert os.listdir(tmp_path) == []


def picture(*texts: str) -> str:
    """An SVG as Rich draws it: a text element for each run of one style, its blanks as `&#160;`."""
    shown = [escape(text).replace(" ", "&#160;") for text in texts]
    elements = "\n".join(f'<text class="r1" x="0" textLength="9">{text}</text>' for text in shown)
    return f"<svg><style>.a > b {{ x: 1 }}</style>{elements}</svg>"


async def test_a_saved_picture_has_no_key_in_it(tmp_path: Path) -> None:
    await Asker(tmp_path).asks(SaveScreenshot(picture("Incorrect API key", f"provided: {KEY.reveal()}", "ok <&> é")))
    assert only(tmp_path).read_text() == picture("Incorrect API key", "provided: ***", "ok <&> é")


def test_a_picture_without_a_secret_is_left_to_the_letter() -> None:
    svg = picture("a < b & c", 'it\'s "quoted"', "") + "<p>&#39;&nbsp;</p>"
    assert redacted_svg(svg, hidden) == svg


@pytest.mark.parametrize(
    ("secret", "texts", "shown"),
    [
        ("pass<&>\"word'1", ["echo pass<&>\"word'1 end"], ["echo *** end"]),
        ("Basic two words here", ["got two words here"], ["got ***"]),
        ("sk-canary-0123456789", ["cut by the pane: sk-cana", "next"], ["cut by the pane: ***", "next"]),
    ],
)
def test_a_secret_is_found_as_it_is_drawn(secret: str, texts: list[str], shown: list[str]) -> None:
    hide: Callable[[str], str] = lambda text: redact(text, [Secret(secret)])  # noqa: E731
    assert redacted_svg(picture(*texts), hide) == picture(*shown)


def test_a_secret_outside_of_the_texts_is_taken_out_too() -> None:
    svg = f'<svg title="{KEY.reveal()}"><text>x</text></svg>'
    assert not re.search("canary", redacted_svg(svg, hidden))


# ── keys in prompts, and the loop's share ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pad", [0, 140, 150, 159])
async def test_no_file_has_a_piece_of_a_key_that_a_prompt_held(tmp_path: Path, pad: int) -> None:
    ledger = a_ledger(0)
    prompt = f"{'x' * pad}{KEY.reveal()} is refused, why?"
    for fact in (Queued(1, at(0), at(0), "m", prompt), Waited(1, at(0)), Sent(1, at(1))):
        ledger.fold(fact)
    await Asker(tmp_path, ledger).asks(Export("csv"), Export("jsonl"), SaveCall(1))
    assert len(files(tmp_path)) == 3
    assert [path.name for path in files(tmp_path) if "sk-can" in path.read_text() or "cdef" in path.read_text()] == []


async def test_a_saved_call_has_its_request_or_says_that_it_is_gone(tmp_path: Path) -> None:
    await Asker(tmp_path).asks(SaveCall(1), SaveCall(2))
    first, second = (path.read_text() for path in files(tmp_path))
    assert "## Request\n\n```text\ncurl 'the request of 1'\n```\n" in first
    assert "## Request\n\nIt is no longer in memory; the record has it.\n" in second


async def test_a_call_is_put_into_words_in_a_thread_with_short_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = sys.getswitchinterval()
    seen: list[tuple[bool, float]] = []
    real = asked_files.call_markdown

    def told(*arguments: Any) -> str:
        seen.append((threading.current_thread() is threading.main_thread(), sys.getswitchinterval()))
        return real(*arguments)

    monkeypatch.setattr(asked_files, "call_markdown", told)
    await Asker(tmp_path).asks(SaveCall(1), SaveCall(2), Export("csv"))
    assert seen == [(False, pytest.approx(0.0005))] * 2
    assert sys.getswitchinterval() == pytest.approx(usual)


async def test_turns_are_as_they_were_after_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    usual = sys.getswitchinterval()
    await Asker(tmp_path / "gone").asks(Export("csv"), SaveCall(1))
    assert sys.getswitchinterval() == pytest.approx(usual)
