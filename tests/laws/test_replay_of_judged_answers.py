"""A run whose answers had to be of a form: its record, its replay and its report tell of the rejected ones alike."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tui.core.calls import CallPlan
from tui.core.commands import Watch
from tui.core.money import Price
from tui.core.retry import RetryPolicy
from tui.core.secrets import Secret
from tui.core.structured import params_for
from tui.engine.endpoint import Endpoint
from tui.engine.host import Host
from tui.engine.setup import RunSetup
from tui.files.answer_schema import AnswerSchema
from tui.files.journal_reader import read_recording
from tui.jobs.replay import read_replay
from tui.jobs.replay_session import ReplaySession
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

ASKED: dict[str, Any] = {"type": "object", "properties": {"level": {"type": "number"}}, "required": ["level"]}
# The simulator knows no `pattern`: what this asks for of a name, no answer of its has.
NEVER: dict[str, Any] = {
    "type": "object",
    "properties": {"level": {"type": "number"}, "name": {"type": "string", "pattern": "^none$"}},
    "required": ["level", "name"],
}
ERRS = SimulatorSettings(ttft_s=0.0, itl_s=0.0, tokens=12, models=(("m", 1.0),), invalid_rate=0.5, error_rate=0.1)
CALLS = 30


def a_host(base_url: str, out: Path, schema: dict[str, Any], **more: Any) -> Host:
    judge = AnswerSchema(schema, quoting=more.get("keep_text", True)).judge
    plans = (
        CallPlan(number, "m", ({"role": "user", "content": f"River {number}?"},), params_for(schema))
        for number in range(1, CALLS + 1)
    )
    options: dict[str, Any] = {
        "policy": RetryPolicy(attempts=4, first_backoff_s=0.0),
        "price": Price(Decimal(1), Decimal(10), origin="--price"),
        **more,
    }
    endpoint = Endpoint(base_url, Secret(""), ())
    return Host(RunSetup("batch", "m", endpoint, plans, CALLS, out=out, judge=judge, **options))


def replayed(host: Host) -> ReplaySession:
    assert host.folder is not None
    session = ReplaySession(read_replay(host.folder))
    session.tell_all()
    return session


async def test_rejected_answers_are_in_the_record_the_replay_and_the_bill(tmp_path: Path) -> None:
    async with Simulator(ERRS) as simulator:
        host = a_host(simulator.base_url, tmp_path, ASKED)
        figures = await host.run()
        tokens = sum(truth["tokens"] for truth in simulator.truth())
    assert figures["calls"]["done"] == CALLS
    assert figures["tokens"]["completion"] == tokens  # the rejected ones cost, too
    session = replayed(host)
    assert json.loads(json.dumps(session.replay.figures(session.ledger))) == json.loads(json.dumps(figures))
    for live, again in zip(host.ledger.calls.values(), session.ledger.calls.values(), strict=True):
        assert [attempt.error for attempt in again.attempts] == [attempt.error for attempt in live.attempts]
    errors = [attempt.error or "" for call in host.ledger.calls.values() for attempt in call.attempts]
    assert sum(error.startswith("answer is not valid: ") for error in errors) > CALLS // 5
    watch = Watch("table", 0, 100)
    host.send(watch)
    session.send(watch)
    assert session.latest.rows == host.latest.rows


async def test_without_text_the_record_has_no_word_of_an_answer(tmp_path: Path) -> None:
    async with Simulator(ERRS) as simulator:
        host = a_host(simulator.base_url, tmp_path, NEVER, keep_text=False)
        figures = await host.run()
    assert figures["calls"]["failed"] == CALLS
    assert host.folder is not None
    names = {
        json.loads(text)["name"].encode()
        for call in host.ledger.calls.values()
        for attempt in call.attempts
        if (text := attempt.text()).startswith('{"level') and text.endswith("}")
    }
    recording = read_recording(host.folder / "journal.db")
    written = b"".join([*(path.read_bytes() for path in host.folder.iterdir()), *recording.traces.values()])
    assert len(names) > 3
    assert not [name for name in names if name in written]
    assert b"it breaks the schema at #/properties/name/pattern" in written
