"""A batch: which call each document needs, which need none, and what becomes of the documents. Makes no calls.

An item is a question: its key is made of the document's text, the messages, the model and all that affects the answer
(core/records.py). What is committed under a key is never asked again, so a run that goes on needs no list of what is
left to do: it reads its corpus anew and skips what is there. Equal documents have equal keys and share one call.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from tui.core.batch_view import BatchView, FamilyView, Projection
from tui.core.calls import CallPlan, State
from tui.core.documents import DocumentPart, Messages, Prepared
from tui.core.money import Price
from tui.core.records import CallRecord, item_key
from tui.core.results import DocumentRow, ItemRow, Outcome
from tui.jobs.batch_costs import DocumentCosts
from tui.jobs.document_calls import DocumentCalls, Fate, Member

_TURN = 32
"""Documents that are dealt with in one turn of the loop, where none needs a call."""
KEPT_RELATIVES = 20_000
"""Calls of documents that take several, whose trees can be looked at: the newest."""

_Waiting = list[tuple[DocumentCalls, Member]]


MOST_ERRORS = 1_000
"""Different ones that are counted of documents about which nothing can be asked, and …"""
SHOWN_ERRORS = 5
"""… that are told of."""


class Feed(Protocol):
    """Documents, prepared, one by one (engine/corpus.py)."""

    documents: int | None
    """How many there are, once that is known."""

    async def next(self) -> Prepared | None:
        """The next one; None at the end. Cancelling it loses nothing."""
        ...


class OnRecord(Protocol):
    """What is committed (files/done_items.py)."""

    def outcome(self, key: str) -> Outcome | None:
        """What became of an item; None: nothing is settled."""
        ...


class Paper(Protocol):
    """Where it is written which documents there are (files/journal.py)."""

    def put_document(self, row: DocumentRow, items: tuple[ItemRow, ...] = ()) -> None:
        """Write a document down, with the calls that it takes so far."""
        ...

    def end_corpus(self, last_number: int) -> None:
        """Every document is written down."""
        ...

    async def room(self) -> None:
        """Wait until not too much waits to be written."""
        ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What all calls of a batch share."""

    model: str
    params: dict[str, Any]
    origin: str
    """The API's scheme, host and port: a part of every key."""
    reduction: Callable[[str], Messages] | None = None
    """Renders what reduces the joined answers about parts; None: documents are not split."""
    room_tokens: int = 0
    """Of answers that are reduced together."""
    retry_failed: bool = False
    """Ask again about what failed in an earlier session."""
    form: dict[str, Any] = field(default_factory=dict)
    """Further fields of the calls whose answer is the document's: what form it has to have. Parts answer in prose."""
    formed: Callable[[Messages], Messages] = lambda messages: messages
    """The messages of such a call, with what is said of the form."""


class BatchPlans:
    """The calls of a batch: a PlanSource (engine/plan_source.py)."""

    def __init__(
        self,
        asking: Asking,
        feed: Feed,
        on_record: OnRecord,
        paper: Paper,
        first_call: int = 1,
        price: Callable[[], Price | None] = lambda: None,
    ) -> None:
        """`first_call`: the number of its first call, above all that are on record."""
        self._asking = asking
        self._feed = feed
        self._on_record = on_record
        self._paper = paper
        self._first_call = self._next_call = first_call
        self._price = price
        self._ready: list[str] = []
        """Keys to ask before another document is read, last first: a document is brought to its end before others."""
        self._open: dict[str, _Waiting] = {}
        """By key: who waits for a call that has not ended."""
        self._unanswered: dict[str, _Waiting] = {}
        """The same, of calls that ended without an answer: somebody may have them done again."""
        self._family_of: OrderedDict[int, DocumentCalls] = OrderedDict()
        """By call: the documents that take several, or were cut."""
        self._met = bytearray(first_call)
        """By call of an earlier session: 1 once a document was found to be answered by it."""
        self._corpus_ended = False
        self._read = self._reused = self._shared = self._cut = self._open_families = 0
        self._fates: dict[Fate, int] = {"open": 0, "done": 0, "failed": 0, "pending": 0}
        self._costs = DocumentCosts()
        self._unaskable: Counter[str] = Counter()
        """Why nothing could be asked about documents."""

    # ── the PlanSource ─────────────────────────────────────────────────────────────────────────────────

    @property
    def expects_more(self) -> bool:
        """Answers about parts are under way, which are to be reduced."""
        return self._open_families > 0

    async def next(self) -> CallPlan | None:
        """The next call; see PlanSource."""
        while True:
            while self._ready:
                if (plan := self._plan(self._ready.pop())) is not None:
                    return plan
            if self._corpus_ended:
                return None
            document = await self._feed.next()
            if document is None:
                self._corpus_ended = True
                self._paper.end_corpus(self._read)
                return None
            self._take(document)
            if self._read % _TURN == 0:
                # A corpus that is on record already must not hold the loop, nor be read faster than it is written.
                await asyncio.sleep(0)
                await self._paper.room()

    def begun(self, plan: CallPlan) -> None:
        """A call has begun, with the number that it has now."""
        assert plan.document is not None
        key = self._key(plan.messages, plan.params, plan.document)
        if key not in self._open:
            self._reopen(key)
        for calls, member in self._open[key]:
            member.call = plan.id
            self._keep_family(calls, plan.id)

    def recorded(self, plan: CallPlan, record: CallRecord) -> None:
        """A call has ended and is on the disk: what waits for it learns of it."""
        key = record.item_key
        waiting = [*self._open.pop(key, ()), *self._unanswered.pop(key, ())]
        amount = record.cost(self._price()).amount
        self._costs.paid(amount)
        for place, (calls, member) in enumerate(waiting):
            member.state, member.call = record.state, record.id
            member.answer, member.error = record.text, record.error
            member.tokens = record.usage.completion if record.usage is not None else 0
            calls.asked = True
            if not place:  # one call: the first document that waited for it pays
                calls.cost = None if amount is None or calls.cost is None else calls.cost + amount
            self._advance(calls)
        if record.state is not State.DONE and waiting:
            self._unanswered[key] = waiting

    # ── for those who look ─────────────────────────────────────────────────────────────────────────────

    @property
    def documents(self) -> int | None:
        """How many there are, when that is known."""
        if self._corpus_ended or self._feed.documents is None:
            return self._read if self._corpus_ended else None
        return max(self._read, self._feed.documents)

    @property
    def view(self) -> BatchView:
        """How it stands, but for the money."""
        fates = self._fates
        return BatchView(
            read=self._read,
            documents=self.documents,
            done=fates["done"],
            failed=fates["failed"],
            corpus_ended=self._corpus_ended,
            unaskable=tuple(self._unaskable.most_common(SHOWN_ERRORS)),
            reused=self._reused,
            shared=self._shared,
            cut=self._cut,
        )

    def projection(self, spent_usd: Decimal) -> Projection | None:
        """What all documents will have cost, of which `spent_usd` is spent, that of earlier sessions included."""
        return None if self.documents is None else self._costs.projection(spent_usd, self.documents)

    def family(self, call: int) -> FamilyView | None:
        """The calls of a call's document, where it takes several or was cut; else None."""
        calls = self._family_of.get(call)
        if calls is None:
            return None
        return FamilyView(calls.id, calls.cut_tokens, calls.relatives() if calls.split else ())

    # ── documents ──────────────────────────────────────────────────────────────────────────────────────

    def _take(self, document: Prepared) -> None:
        self._read += 1
        self._cut += document.cut_tokens > 0
        if document.error is not None:
            self._fates["failed"] += 1
            self._costs.document(Decimal(0))
            if document.error in self._unaskable or len(self._unaskable) < MOST_ERRORS:
                self._unaskable[document.error] += 1
            self._paper.put_document(
                DocumentRow(
                    number=document.number, id=document.id, source=document.source, error=document.error, parts=0
                )
            )
            return
        asking = self._asking
        reduction = asking.reduction if len(document.asks) > 1 else None
        calls = DocumentCalls.of(document, reduction, asking.room_tokens)
        self._fates["open"] += 1
        self._open_families += calls.split
        self._ask(calls, calls.levels[0])
        self._shared += calls.levels[0][0].shared  # its text is a part of every key, so one of them tells for all
        self._advance(calls)

    def _ask(self, calls: DocumentCalls, members: list[Member]) -> None:
        """Have these asked, but for what is on record or under way; and write down that they belong to the document."""
        ready = []
        for member in members:
            if not member.key:
                member.messages = self._messages(member)
                member.key = self._key(member.messages, self._params(member.part), member.part)
        self._write_down(calls)
        for member in members:
            if (waiting := self._open.get(member.key)) is not None:
                waiting.append((calls, member))
                member.messages, member.shared = (), True
            elif (outcome := self._outcome(member.key)) is not None:
                self._reuse(calls, member, outcome)
            else:
                self._open[member.key] = [(calls, member)]
                ready.append(member.key)
        self._ready += reversed(ready)

    def _reuse(self, calls: DocumentCalls, member: Member, outcome: Outcome) -> None:
        member.state, member.call = outcome.state, outcome.call
        member.answer, member.error, member.tokens = outcome.text, outcome.error, outcome.completion_tokens or 0
        member.messages = ()
        self._keep_family(calls, outcome.call)
        if (unanswered := self._unanswered.get(member.key)) is not None:
            unanswered.append((calls, member))
        if outcome.call < self._first_call:
            member.shared = bool(self._met[outcome.call])
            self._met[outcome.call] = 1
        else:
            member.shared = calls.asked = True  # by another document's call: it costs nothing

    def _outcome(self, key: str) -> Outcome | None:
        """What is on record under a key, if that is not to be asked again."""
        outcome = self._on_record.outcome(key)
        if outcome is None or outcome.state is State.DONE or outcome.call >= self._first_call:
            return outcome
        return None if self._asking.retry_failed else outcome

    def _advance(self, calls: DocumentCalls) -> None:
        """Count what became of a document, and reduce the answers that are all there."""
        while level := calls.next_level():
            self._ask(calls, level)
        fate = calls.fate
        if fate == calls.counted:
            return
        if fate == "open":  # a part that failed was done again: so are those that were given up for it
            self._ask(calls, [each for each in calls.members if each.state is None and each.key not in self._open])
        if fate in ("done", "failed") and not calls.reckoned:
            calls.reckoned = True
            self._reused += not calls.asked
            self._costs.document(calls.cost if calls.asked else None)
        self._fates[calls.counted] -= 1
        self._fates[fate] += 1
        if calls.split:
            self._open_families += (fate == "open") - (calls.counted == "open")
            if fate != "open" or calls.error is None:
                self._write_down(calls)
        calls.counted = fate

    def _reopen(self, key: str) -> None:
        """A call that ended without an answer is done again: documents that need one are not at their end."""
        waiting = self._open[key] = self._unanswered.pop(key, [])
        for _, member in waiting:
            member.state = member.error = None
        for calls, _ in waiting:
            self._advance(calls)

    def _write_down(self, calls: DocumentCalls) -> None:
        root = calls.root
        self._paper.put_document(
            DocumentRow(
                number=calls.number,
                id=calls.id,
                source=calls.source,
                item_key=root.key if root is not None else None,
                error=calls.error if calls.split and calls.fate == "failed" else None,
                tokens=calls.tokens,
                cut_tokens=calls.cut_tokens,
                parts=len(calls.levels[0]),
            ),
            tuple(ItemRow(calls.number, each.part.level, each.part.part, each.key) for each in calls.members),
        )

    def _plan(self, key: str) -> CallPlan | None:
        """The call for a key; None when nobody needs its answer any more."""
        waiting = self._open[key]
        if all(calls.fate != "open" for calls, _ in waiting):  # another part of the document has failed meanwhile
            del self._open[key]
            return None
        member = waiting[0][1]
        asking = self._asking
        params = self._params(member.part)
        plan = CallPlan(self._next_call, asking.model, member.messages, params, document=member.part)
        self._next_call += 1
        for _, each in waiting:
            each.messages = ()
        return plan

    def _messages(self, member: Member) -> Messages:
        return self._asking.formed(member.messages) if member.part.parts == 1 else member.messages

    def _params(self, part: DocumentPart) -> dict[str, Any]:
        asking = self._asking
        return {**asking.params, **asking.form} if part.parts == 1 and asking.form else asking.params

    def _key(self, messages: Messages, params: dict[str, Any], part: DocumentPart) -> str:
        return item_key(messages, self._asking.model, self._asking.origin, params, part.hash)

    def _keep_family(self, calls: DocumentCalls, call: int) -> None:
        if calls.split or calls.cut_tokens:
            self._family_of[call] = calls
            if len(self._family_of) > KEPT_RELATIVES:
                self._family_of.popitem(last=False)
