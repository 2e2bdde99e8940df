"""What a server echoes does not reach the disk: no key and, without text, no prompt. A killed run keeps its price."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rude_server import DONE, END, STREAM, WELL, RudeServer, delta, event, refuses, says, words
from test_host import PRICE, a_setup, folder_of

from tui.core.calls import CallPlan
from tui.core.money import Price
from tui.core.objectives import parse_goodput
from tui.core.secrets import Secret
from tui.engine.host import Host
from tui.files.journal_reader import read_journal, read_recording, read_run
from tui.files.price_book import PriceBook
from tui.files.run_figures import reported
from tui.files.run_list import read_run_folder
from tui.jobs.replay import read_replay

KEY = "sk-canary-0123456789abcdef"
STARS = "*" * len(KEY)
PROMPT = "Patient Jane Doe, born 1970: what is her diagnosis?"


def written(host: Host) -> bytes:
    """Every byte of the run's folder, and what is packed in it."""
    folder = folder_of(host)
    recording = read_recording(folder / "journal.db")
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return b"\n".join([*files, *recording.traces.values(), *recording.run_log])


def tool(arguments: str, choice: int = 0) -> bytes:
    call = {"index": 0, "id": KEY, "function": {"name": KEY, "arguments": arguments}}
    return event(delta(tool_calls=[call], index=choice) if choice else delta(tool_calls=[call]))


async def test_a_key_that_the_server_echoes_in_its_answer_is_in_no_file(tmp_path: Path) -> None:
    pieces = ("I got Bearer ", KEY[:9], KEY[9:], " from you")
    cut = says(STREAM, words(*pieces), END)
    whole = says(
        STREAM,
        words(*pieces),
        event(delta(reasoning_content=f"hm {KEY}")),
        tool(json.dumps({"key": KEY})),
        event(delta(finish_reason=KEY)),
        DONE + END,
    )
    asked = ({"role": "user", "content": f"Why is {KEY} refused?"},)
    async with RudeServer(cut, whole) as server:
        setup = a_setup(
            server.base_url, 2, key=Secret(KEY), out=tmp_path, concurrency=1, notes={"system": f"Use {KEY}"}
        )
        object.__setattr__(setup, "plans", iter([CallPlan(number, "m", asked) for number in (1, 2)]))
        host = Host(setup)
        await host.run()
        assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    everything = written(host)
    for secret in (KEY.encode(), KEY[9:].encode()):
        assert secret not in everything
    records = list(read_journal(folder_of(host) / "journal.db"))
    assert {record.text for record in records} == {f"I got Bearer {STARS} from you"}
    replay = read_replay(folder_of(host))  # pieces are as long as they were
    told = [fact.text for _, fact in replay.told() if hasattr(fact, "opens_chunk") and fact.call == 1]
    assert told == [pieces[0], STARS[:9], STARS[9:], pieces[3]]


@pytest.mark.parametrize("status", ["400 Bad", "503 Busy", "429 Slow", "401 No"])
async def test_without_text_an_error_that_quotes_the_prompt_is_cut_before_it(tmp_path: Path, status: str) -> None:
    async with RudeServer(refuses(status, f"bad prompt: {PROMPT}")) as server:
        setup = a_setup(server.base_url, 2, out=tmp_path, keep_text=False)
        asked = ({"role": "system", "content": "Be discreet with her"}, {"role": "user", "content": PROMPT})
        object.__setattr__(setup, "plans", iter([CallPlan(number, "m", asked) for number in (1, 2)]))
        host = Host(setup)
        figures = await host.run()
    everything = written(host)
    assert [part for part in (b"Jane Doe", b"diagnosis", b"discreet") if part in everything] == []
    assert b"bad prompt: \xe2\x80\xa6" in everything
    summary = json.loads((folder_of(host) / "summary.json").read_text())
    assert sum(each["n"] for each in summary["errors"]) == sum(each["n"] for each in figures["errors"]) > 0


async def test_price_budget_and_objectives_outlive_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.engine.record.RunRecord.close", lambda *_: None)
    async with RudeServer(WELL) as server:
        goals = parse_goodput("e2e:60s")
        setup = a_setup(server.base_url, 2, out=tmp_path, budget_usd=Decimal("50.00"), objectives=goals)
        asked = ({"role": "user", "content": "Hi"},)
        object.__setattr__(setup, "plans", iter([CallPlan(n, "m", asked, {"max_tokens": 9}) for n in (1, 2)]))
        host = Host(setup)
        live = await host.run()
    fields = read_run(folder_of(host) / "journal.db")
    assert (Price.from_dict(fields["price"]), fields["budget_usd"]) == (PRICE, "50.00")
    run = reported(read_run_folder(folder_of(host)))
    assert run.figures["cost_usd"] == live["cost_usd"]
    assert run.figures["goodput"]["met"] == live["goodput"]["met"] == 2


async def test_a_price_that_is_found_later_is_written_when_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(*_: Any) -> Any:
        return PRICE

    monkeypatch.setattr(PriceBook, "find", find)
    monkeypatch.setattr("tui.engine.record.RunRecord.close", lambda *_: None)
    monkeypatch.setattr("tui.engine.record.RUN_LOG_NS", 0)
    async with RudeServer(says(STREAM, words("Hel"), DONE + END)) as server:
        host = Host(a_setup(server.base_url, 3, out=tmp_path, price=None, concurrency=1))
        await host.run()
    assert Price.from_dict(read_run(folder_of(host) / "journal.db")["price"]) == PRICE
