"""Files that are asked for of a live run, and of one that has ended: what is in them, where they are, what is not."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from call_under_test import until
from rude_server import END, STREAM, WELL, Act, RudeServer, event, refuses, reply, says, then_silence, words
from test_host import FAST, KEY, TOKEN, a_setup, check, folder_of, running
from test_host_steering import adds_up, request_of

from tui.core.commands import Export, SaveCall, SaveScreenshot, Stop, Watch
from tui.core.secrets import Secret
from tui.engine.host import Host
from tui.engine.tokens import TokenDesk
from tui.simulator.server import Simulator

HANGS = then_silence(STREAM, words("Hello"))
FAILS = refuses("400 Bad", "no")
BREAKS = says(STREAM, words("Hel") + END)


@pytest.fixture(autouse=True)
def _no_counting_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that hang are cut, and to start the process that counts their tokens would take most of a test's time."""

    async def none(desk: TokenDesk, *arguments: Any) -> None:
        pass

    monkeypatch.setattr(TokenDesk, "count_missing", none)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_an_export_of_a_live_run_holds_what_the_table_shows(tmp_path: Path) -> None:
    async with RudeServer(WELL, FAILS, BREAKS, FAILS, HANGS) as server:
        host = Host(a_setup(server.base_url, 9, concurrency=1, out=tmp_path))
        async with running(host):
            await until(lambda: (host.latest.counts.ended, host.latest.counts.streaming) == (4, 1))
            host.send(Watch("table", 0, 100, order="total", descending=True, query="-state:done -state:streaming"))
            shown = host.latest.rows
            for format in ("jsonl", "csv"):
                host.send(Export(format, "-state:done -state:streaming", "total", True))
            await host.asked_files_written()
            assert host.ledger.notices == 2
            assert host.latest.run.notice.startswith("3 calls written to ")  # type: ignore[union-attr]
            host.send(Stop())
    files = {path.suffix: path for path in folder_of(host).glob("shown-*")}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    lines = [json.loads(line) for line in files[".jsonl"].read_text().splitlines()]
    assert [(line["id"], line["state"], line["error"]) for line in lines] == [
        (row.call, row.state.value, row.error) for row in shown
    ]
    assert sorted(line["id"] for line in lines) == [2, 3, 4]
    cells = [line.split(",")[0] for line in files[".csv"].read_text().splitlines()]
    assert cells == ["id", *(str(row.call) for row in shown)]


async def test_files_can_be_asked_for_when_the_run_has_ended(tmp_path: Path) -> None:
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 5, out=tmp_path))
        await host.run()
    for command in (Export("csv"), SaveCall(1), SaveScreenshot("<svg/>")):
        host.send(command)
    await host.asked_files_written()
    assert {name.split("-")[0] for name in os.listdir(folder_of(host))} == {
        "journal.db", "calls.jsonl", "summary.json", "shown", "call", "screen",
    }  # fmt: skip
    check(host)


async def test_without_a_record_files_go_into_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Simulator(FAST) as simulator:
        host = Host(a_setup(simulator.base_url, 5))
        await host.run()
    for command in (Export("csv"), SaveCall(1), SaveScreenshot("<svg/>")):
        host.send(command)
    await host.asked_files_written()
    assert sorted("-".join(name.split("-")[:2]) for name in os.listdir(tmp_path)) == [
        "weir-call", "weir-screen", "weir-shown",
    ]  # fmt: skip


async def test_no_file_that_is_asked_for_and_no_view_has_a_key_in_it(tmp_path: Path) -> None:
    echo = f"key {KEY} token {TOKEN} Bearer {KEY}"
    acts: list[Act] = [
        says(reply("400 Bad", echo.encode(), f"x-echo: {echo}", f"set-cookie: {KEY}", f"x-cut: {'x' * 495}{KEY}")),
        says(STREAM, words("Hi"), event({"error": {"message": echo, "code": TOKEN}}) + END),
        says(reply("401 No", f"you sent {KEY[:20]}".encode(), "retry-after: 1")),
        WELL,
    ]
    async with RudeServer(*acts) as server:
        headers = (("x-token", Secret(f"Bearer {TOKEN}")),)
        setup = a_setup(server.base_url, 4, concurrency=1, key=Secret(KEY), headers=headers, out=tmp_path)
        host = Host(setup)
        figures = await host.run()
    adds_up(host, figures)
    drawn = f"<svg><text>Incorrect key: {KEY}</text><text>{TOKEN}&#160;and&#160;{KEY[:12]}</text></svg>"
    for call in range(1, 5):
        host.send(SaveCall(call))
    for command in (Export("csv"), Export("jsonl", "no such text"), Export("jsonl"), SaveScreenshot(drawn)):
        host.send(command)
    await host.asked_files_written()
    written = contents(folder_of(host))
    assert len(written) == 3 + 8
    assert [name for name, content in written.items() if b"canary" in content] == []
    masked = [name for name, content in written.items() if b"***" in content.replace(b"\\", b"")]  # Markdown escapes *
    assert len(masked) == 3 + 8 - 1  # the list without a row
    for watch in (
        *(Watch(view, 0, 100, everything=True) for view in ("wall", "table", "charts", "waterfall", "limits")),
        *(Watch(focus=call, focus_request=True) for call in range(1, 5)),
    ):
        host.send(watch)
        assert b"canary" not in msgspec.msgpack.encode(host.latest)
    assert "$OPENAI_API_KEY" in request_of(host)
