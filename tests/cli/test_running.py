"""A host under a user interface: what is still to be done when its run has ended is done before the last words."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tui.cli import running
from tui.cli.running import run_host
from tui.core.commands import AnyCommand, Export, SaveCall, SaveScreenshot
from tui.core.money import Price
from tui.engine.endpoint import Endpoint
from tui.engine.host import Host
from tui.engine.setup import RunSetup

PRICE = Price(Decimal(1), Decimal(1))
LAST_SECOND: list[AnyCommand] = [Export("csv"), Export("jsonl"), SaveScreenshot("<svg/>"), SaveCall(1)]


class AskedAtTheEnd(Host):
    """A run without a call, whose viewer asks for files in the moment before they leave."""

    async def run(self) -> dict[str, Any]:
        figures = await super().run()
        for command in LAST_SECOND:
            self.send(command)
        return figures


def test_files_that_are_asked_for_right_before_the_end_are_written_before_the_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[str] = []
    notices: list[int] = []

    def last_words(host: Host, figures: dict[str, Any], as_json: bool) -> None:
        assert host.folder is not None
        there.extend(path.suffix for path in host.folder.iterdir() if path.name.startswith(("shown", "screen")))
        notices.append(host.ledger.notices)

    monkeypatch.setattr(running, "_last_words", last_words)
    setup = RunSetup("load", "m", Endpoint("http://127.0.0.1:9/v1"), iter(()), 0, price=PRICE, out=tmp_path)
    run_host(lambda: AskedAtTheEnd(setup), "none", as_json=True)
    assert sorted(there) == [".csv", ".jsonl", ".svg"]
    assert notices == [len(LAST_SECOND)]
