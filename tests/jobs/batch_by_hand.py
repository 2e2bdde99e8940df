"""A batch whose calls are answered by the test: a feed of given documents, and records that are kept in a dict."""

import hashlib
from collections.abc import Callable, Iterable

from tui.core.calls import CallPlan, State, Usage
from tui.core.documents import Messages, Prepared
from tui.core.records import CallRecord, item_key
from tui.core.results import DocumentRow, ItemRow, Outcome
from tui.jobs.batch import Asking, BatchPlans

ORIGIN = "https://api.example"


def asked(text: str) -> Messages:
    return ({"role": "user", "content": f"Summarise: {text}"},)


def document(number: int, *parts: str, error: str | None = None) -> Prepared:
    text = "".join(parts)
    return Prepared(
        number=number,
        id=f"doc-{number}",
        source=f"doc-{number}.md",
        hash=hashlib.sha256(text.encode()).hexdigest(),
        asks=tuple(map(asked, parts)),
        error=error,
    )


class Feed:
    """Documents of a list."""

    documents: int | None = None

    def __init__(self, documents: Iterable[Prepared]) -> None:
        self._documents = iter(documents)

    async def next(self) -> Prepared | None:
        return next(self._documents, None)


class Disk:
    """What is committed: outcomes by key, and the documents as they were last written down."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.documents: dict[int, DocumentRow] = {}
        self.items: dict[int, tuple[ItemRow, ...]] = {}
        self.ended: int | None = None
        self.last_call = 0

    def outcome(self, key: str) -> Outcome | None:
        return self.outcomes.get(key)

    def put_document(self, row: DocumentRow, items: tuple[ItemRow, ...] = ()) -> None:
        self.documents[row.number] = row
        self.items[row.number] = items

    def end_corpus(self, last_number: int) -> None:
        self.ended = last_number

    async def room(self) -> None:
        return


class Session:
    """One session of a batch: `plans` over `disk`."""

    def __init__(
        self, documents: Iterable[Prepared], disk: Disk, retry_failed: bool = False, room: int = 10**6
    ) -> None:
        self.disk = disk
        asking = Asking("sim", {"max_tokens": 5}, ORIGIN, lambda text: asked(f"reduce\n{text}"), room, retry_failed)
        self.plans = BatchPlans(asking, Feed(documents), disk, disk, disk.last_call + 1)
        self.asked: list[CallPlan] = []

    async def next(self) -> CallPlan | None:
        plan = await self.plans.next()
        if plan is not None:
            self.asked.append(plan)
            self.plans.begun(plan)
        return plan

    def end(self, plan: CallPlan, state: State = State.DONE, answer: str | None = None) -> None:
        assert plan.document is not None
        key = item_key(plan.messages, plan.model, ORIGIN, plan.params, plan.document.hash)
        text = answer if answer is not None else f"answer to {plan.prompt[:200]}"
        error = None if state is State.DONE else "it broke"
        self.disk.last_call = max(self.disk.last_call, plan.id)
        if state not in (State.CANCELLED, State.REFUSED):
            self.disk.outcomes[key] = Outcome(
                call=plan.id, state=state, text=text, finish_reason=None, error=error, completion_tokens=3
            )
        self.plans.recorded(
            plan,
            CallRecord(
                id=plan.id,
                state=state,
                model=plan.model,
                item_key=key,
                plan_json=b"{}",
                due_s=0.0,
                usage=Usage(5, 3),
                text=text,
                error=error,
            ),
        )

    async def run(self, fate: Callable[[CallPlan], State] = lambda plan: State.DONE) -> None:
        """Each call ends before the next one is made."""
        while (plan := await self.next()) is not None:
            self.end(plan, fate(plan))
