"""A recorded run told again, fact by fact, from its journal. Sends nothing, changes nothing, asks no clock.

The facts come in the order in which the run stated them, so the fold is the run's own: the same figures, the same wall.
"""

import json
from collections.abc import Iterator, Mapping
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from tui.core.call_trace import TracedCall, read_trace
from tui.core.calls import CallPlan
from tui.core.errors import UsageError
from tui.core.fact_log import Heard, RunChunk, facts_of_rows, lags_of
from tui.core.facts import Fact, Queued
from tui.core.ledger import Ledger
from tui.core.lookup import text_at
from tui.core.money import Price
from tui.core.objectives import Goodput, Objectives
from tui.core.picture import RunCard
from tui.core.records import CallRecord
from tui.core.summary import summary
from tui.core.untrusted import clean_line
from tui.files.journal_reader import Recording, read_recording
from tui.files.price_book import is_local

Told = tuple[int, Fact]
"""A fact and the instant to tell it (ns on the clock of the recorded run)."""

_CHUNKS = msgspec.msgpack.Decoder(RunChunk)


class Replay:
    """One recorded run. It can be told any number of times."""

    def __init__(self, recording: Recording, shown_path: str) -> None:
        """ValueError or msgspec.MsgspecError when something in it is not what we write."""
        self._fields = recording.fields
        _check_fields(self._fields)
        self._objectives = Objectives.from_ns(self._fields.get("objectives_ns"))
        price = self._fields.get("price")
        self._price = Price.from_dict(price) if price is not None else None
        self._is_local = is_local(self._fields.get("base_url") or "")
        self._shown_path = shown_path
        chunks = [_CHUNKS.decode(chunk) for chunk in recording.run_log]
        self._chunks = chunks
        run = [heard for chunk in chunks for heard in facts_of_rows(chunk.rows, None)]
        calls = [
            TracedCall(record, read_trace(recording.traces[record.id]), _prompt(record))
            for record in recording.records
            if record.id in recording.traces
        ]
        self._calls = [call for call in calls if call.whole]
        order_of = {call: order for chunk in chunks for order, call in chunk.ended}
        for call in self._calls:
            if call.record.id in order_of:
                call.ends_at(order_of[call.record.id])
        told_at = _told_at([run, *(call.heard for call in self._calls)])
        self._run_facts = [(at, heard.fact) for at, heard in zip(told_at[0], run, strict=True)]
        self._told_at = told_at[1:]
        instants = [at for each in told_at for at in each]
        # The loop's lag is taken until after the last call has ended.
        instants += [at for chunk in chunks if chunk.lags for at in (chunk.lags_at, chunk.lags_until)]
        self.starts_at = min(instants, default=0)
        """The instant of the first fact (ns)."""
        self.ends_at = max(instants, default=0)
        """The instant of the last one."""

    @property
    def notes(self) -> dict[str, str | None]:
        """What people should know about some rows of the summary, as the run said it."""
        kept = self._fields.get("figure_notes")
        notes = {name: text_at(kept, name) for name in _NOTED}
        if notes["cost"] is None and self._is_local:
            notes["cost"] = NO_LOCAL_PRICE
        return {**notes, "wire": self._fields.get("transport")}

    def told(self) -> Iterator[Told]:
        """Every fact in its order; each call's text is unpacked when the call is sent."""
        lags = ((fact.at, fact) for chunk in self._chunks for fact in lags_of(chunk))
        calls = (call.tell(told_at) for call, told_at in zip(self._calls, self._told_at, strict=True))
        return merge(self._run_facts, lags, *calls, key=itemgetter(0))

    def ledger(self) -> Ledger:
        """An empty ledger, for this run's facts."""
        ledger = Ledger(Goodput(self._objectives) if self._objectives is not None else None)
        ledger.set_price(self.card().model, self._price)
        return ledger

    def card(self) -> RunCard:
        """What the run is called."""
        fields = self._fields
        planned = fields.get("planned")
        if planned is not None and "summary" not in fields:  # what was asked for again is added at the end
            again = (call.heard[0].fact for call in self._calls)
            planned += sum(isinstance(begun, Queued) and begun.retry_of is not None for begun in again)
        endpoint = fields.get("endpoint") or fields.get("base_url") or ""
        return RunCard(fields.get("job") or "", fields.get("model") or "", endpoint, planned, self._shown_path)

    def figures(self, ledger: Ledger) -> dict[str, Any]:
        """The run's summary, of a ledger to which all was told.

        What no fact tells (whether it was interrupted, what was never due) is what the run wrote of itself at its end;
        of a run that was cut off, that it was.
        """
        card = self.card()
        kept = self._fields.get("summary") or {}
        unbegun = 0 if card.planned is None else max(0, card.planned - len(ledger.calls))
        at_a_cut = {
            "endpoint": card.endpoint,
            "record": card.record,
            "interrupted": True,
            "never_sent": unbegun + ledger.withdrawn,
            "budget": None,
        }
        folded = summary(ledger, card, self.ends_at)
        figures = {**at_a_cut, **kept, **folded}
        # In the order of the run's own: who compares the two need not know JSON.
        return {name: figures[name] for name in (*kept, *folded, *at_a_cut)}


def read_replay(run: Path) -> Replay:
    """The replay of a run's folder, or of a journal; UsageError when there is none, or none that can be told."""
    journal = run / "journal.db" if run.is_dir() else run
    where = clean_line(str(run))
    hint = "name a run's folder, such as weir-runs/2026-01-31T12-00-00-load-gpt-4o; weir runs lists them"
    if not journal.is_file():
        why = "holds no journal.db, so there is nothing to replay" if run.is_dir() else "is no run's folder"
        raise UsageError(where, why, hint)
    recording = read_recording(journal)
    try:
        replay = Replay(recording, clean_line(str(journal.parent)))
    except (msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
        raise UsageError(where, f"cannot be replayed: {clean_line(str(error))}", hint) from error
    if replay.ends_at == replay.starts_at:
        raise UsageError(where, "holds nothing to replay", hint)
    return replay


def _told_at(tellers: list[list[Heard]]) -> list[list[int]]:
    """When to tell each fact of each teller: never two at once, in the order in which they were stated.

    An instant may lie before that of what was stated earlier: a call's end is stated once it is on record.
    """
    told_at = [[0] * len(heard) for heard in tellers]
    everything = [
        (heard.order, index == len(teller) - 1, number, index, heard.fact.at)
        for number, teller in enumerate(tellers)
        for index, heard in enumerate(teller)
    ]
    # An end that was recorded and not stated any more has the order of the fact before it, which comes first.
    everything.sort()
    latest = 0
    for _, _, number, index, at in everything:
        latest = max(latest + 1, at)
        told_at[number][index] = latest
    return told_at


NO_LOCAL_PRICE = "a server on this machine has no price"
"""What a run says of its cost where it asks nobody, in the words of its price book."""
_NOTED = ("tokens", "cost")
"""Rows of the summary that a run may have a word on."""
_TEXT_FIELDS = ("job", "model", "endpoint", "base_url", "transport")


def _check_fields(fields: Mapping[str, Any]) -> None:
    """ValueError when a field of the run that a replay shows is not of its kind."""
    for name in _TEXT_FIELDS:
        if not isinstance(fields.get(name, ""), str | None):
            raise ValueError(f'"{name}" is no text')
    planned = fields.get("planned")
    if planned is not None and (type(planned) is not int or planned < 0):
        raise ValueError('"planned" is no number of calls')
    if not isinstance(fields.get("summary"), dict | None):
        raise ValueError('"summary" holds no figures')


def _prompt(record: CallRecord) -> str | None:
    asked = json.loads(record.plan_json)
    messages = asked.get("messages") if isinstance(asked, dict) else None
    if messages is not None and not (isinstance(messages, list) and all(isinstance(each, dict) for each in messages)):
        raise ValueError(f"what call {record.id} asked is no list of messages")
    return CallPlan(record.id, record.model, tuple(messages)).prompt if messages is not None else None
