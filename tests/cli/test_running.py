"""A host under a user interface: what is still to be done at its end is done before the last words; its exit code."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tui.cli import running
from tui.cli.running import exit_code, left_undone, run_host
from tui.core.calls import State
from tui.core.commands import AnyCommand, Export, SaveCall, SaveScreenshot
from tui.core.facts import Finished, Queued, Sent
from tui.core.money import Price
from tui.core.summary import summary
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


# ── exit codes ─────────────────────────────────────────────────────────────────────────────────────────


class Ended:
    """A run that has ended, out of what became of its calls."""

    def __init__(self, **setup: Any) -> None:
        plain = RunSetup("load", "m", Endpoint("http://127.0.0.1:9/v1"), iter(()), setup.pop("planned", None), **setup)
        self.host = Host(plain)
        self._calls = 0

    def call(self, state: State, *, again: int | None = None, sent: bool = True, warmup: bool = False) -> int:
        """Another call with this end; its number."""
        self._calls += 1
        number, ledger = self._calls, self.host.ledger
        ledger.fold(Queued(number, 1, 1, "m", "", warmup, again))
        if sent:
            ledger.fold(Sent(number, 2))
        ledger.fold(Finished(number, 3, state, None if state is State.DONE else "why"))
        return number

    def calls(self, number: int, state: State = State.DONE, *, sent: bool = True) -> "Ended":
        for _ in range(number):
            self.call(state, sent=sent)
        return self

    def figures(self, never_sent: int) -> dict[str, Any]:
        return summary(self.host.ledger, self.host._card, 4) | {"never_sent": never_sent}

    def code(self, never_sent: int = 0) -> int:
        return exit_code(self.host, self.figures(never_sent))

    def told(self, never_sent: int) -> str:
        return left_undone(self.host, self.figures(never_sent))


def test_a_run_whose_calls_are_all_done_is_0_and_one_of_no_call_is_1() -> None:
    assert Ended().calls(3).code() == 0
    assert Ended().code() == 1


@pytest.mark.parametrize("state", [State.FAILED, State.BROKEN, State.CANCELLED, State.REFUSED])
def test_a_call_that_did_not_end_well_is_1_until_it_is_done_again(state: State) -> None:
    run = Ended().calls(2)
    bad = run.call(state)
    assert run.code() == 1
    again = run.call(State.FAILED, again=bad)
    assert run.code() == 1
    run.call(State.DONE, again=again)
    assert run.code() == 0
    run.call(state)
    assert run.code() == 1


def test_a_warm_up_call_that_failed_counts_for_nothing() -> None:
    run = Ended().calls(1)
    run.call(State.FAILED, warmup=True)
    assert run.code() == 0


def test_an_interrupted_run_is_130_whatever_else_it_was() -> None:
    run = Ended().calls(1)
    run.host.interrupted = True
    assert run.code() == 130


def test_what_waited_at_the_end_of_a_duration_was_never_due_in_a_closed_loop() -> None:
    assert Ended(duration_s=1.0).calls(5).calls(2, State.CANCELLED, sent=False).code(never_sent=2) == 0
    assert Ended(duration_s=1.0).calls(5).calls(1, State.CANCELLED).code() == 1
    assert Ended(planned=7).calls(5).calls(2, State.CANCELLED, sent=False).code(never_sent=2) == 1


def test_a_schedule_that_was_not_kept_is_1_and_says_how_many_calls_were_left() -> None:
    run = Ended(duration_s=1.0, schedule=iter(())).calls(100)
    assert (run.code(never_sent=0), run.told(0)) == (0, "")
    assert (run.code(never_sent=1), run.told(1)) == (0, "")  # due in the last moment
    assert run.code(never_sent=20) == 1
    assert run.told(20).startswith("schedule: 20 of 120 calls that were due were never sent: ")
    assert run.told(20).endswith("\n")


def test_a_long_schedule_may_lose_a_hundredth() -> None:
    run = Ended(duration_s=1.0, schedule=iter(())).calls(990)
    assert run.code(never_sent=10) == 0
    assert run.code(never_sent=11) == 1
