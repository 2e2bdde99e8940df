"""Which calls a batch makes: one a question, none for what is on record, and a tree of them for a long document."""

import random

from batch_by_hand import Disk, Session, document
from hypothesis import given
from hypothesis import strategies as st

from tui.core.calls import CallPlan, State
from tui.core.documents import Prepared


def prompts(session: Session) -> list[str]:
    return [plan.prompt for plan in session.asked]


async def test_each_document_is_asked_about_once_in_the_order_of_the_input() -> None:
    session = Session([document(1, "a"), document(2, "b")], Disk())
    await session.run()
    assert prompts(session) == ["Summarise: a", "Summarise: b"]
    assert [plan.id for plan in session.asked] == [1, 2]
    assert session.disk.ended == 2
    view = session.plans.view
    assert (view.read, view.documents, view.done, view.failed) == (2, 2, 2, 0)


async def test_what_cannot_be_asked_about_is_a_failed_document_and_no_call() -> None:
    session = Session([document(1, error="is not UTF-8"), document(2, "b")], Disk())
    await session.run()
    assert len(session.asked) == 1
    assert session.disk.documents[1].error == "is not UTF-8"
    assert (session.plans.view.done, session.plans.view.failed) == (1, 1)
    assert session.plans.view.unaskable == (("is not UTF-8", 1),)


async def test_a_long_document_of_which_a_part_was_cancelled_is_not_said_to_have_failed() -> None:
    session = Session([document(1, "one ", "two ")], Disk())
    first = await session.next()
    assert first is not None
    session.end(first, State.CANCELLED)
    assert session.disk.documents[1].error is None
    assert session.plans.view.failed == 0


async def test_equal_documents_share_one_call_while_it_runs_and_after_it() -> None:
    session = Session([document(1, "same"), document(2, "same"), document(3, "other"), document(4, "same")], Disk())
    first = await session.next()
    third = await session.next()  # reads past the second, which waits for the first's call
    assert first is not None
    assert third is not None
    assert third.prompt == "Summarise: other"
    session.end(first)
    session.end(third)
    await session.run()
    assert len(session.asked) == 2
    assert session.plans.view.done == 4
    assert session.plans.view.shared == 2
    keys = {number: row.item_key for number, row in session.disk.documents.items()}
    assert keys[1] == keys[2] == keys[4] != keys[3]


async def test_a_run_that_goes_on_asks_only_about_what_is_not_settled() -> None:
    disk = Disk()
    corpus = [document(1, "a"), document(2, "b"), document(3, "c"), document(4, "d")]
    fates = {"a": State.DONE, "b": State.FAILED, "c": State.CANCELLED, "d": State.REFUSED}
    await Session(corpus, disk).run(lambda plan: fates[plan.prompt[-1]])
    again = Session(corpus, disk)
    await again.run()
    assert prompts(again) == ["Summarise: c", "Summarise: d"]
    assert [plan.id for plan in again.asked] == [5, 6]
    assert (again.plans.view.done, again.plans.view.failed, again.plans.view.reused) == (3, 1, 2)


async def test_what_failed_is_asked_again_only_when_that_is_wanted_and_once_a_session() -> None:
    disk = Disk()
    corpus = [document(1, "a"), document(2, "b"), document(3, "b")]
    await Session(corpus, disk).run(lambda plan: State.FAILED if plan.prompt[-1] == "b" else State.DONE)
    again = Session(corpus, disk, retry_failed=True)
    await again.run(lambda plan: State.FAILED)
    assert prompts(again) == ["Summarise: b"]
    assert again.plans.view.failed == 2


async def test_documents_are_known_by_what_they_say_and_not_by_where_they_stand() -> None:
    disk = Disk()
    await Session([document(1, "a"), document(2, "b"), document(3, "c")], disk).run()
    again = Session([document(1, "new"), document(2, "c"), document(3, "a changed"), document(4, "b")], disk)
    await again.run()
    assert prompts(again) == ["Summarise: new", "Summarise: a changed"]
    assert disk.ended == 4


async def test_a_long_document_is_asked_about_in_parts_and_the_answers_are_reduced() -> None:
    session = Session([document(1, "one ", "two ", "three")], Disk())
    parts = [await session.next() for _ in range(3)]
    assert await session.next() is None
    assert session.plans.expects_more
    for plan in reversed(parts):  # in whatever order they end
        assert plan is not None
        session.end(plan, answer=f"<{plan.prompt[-4:].strip()}>")
    reduction = await session.next()
    assert reduction is not None
    assert reduction.prompt == (
        "Summarise: reduce\n[Part 1 of 3]\n<one>\n\n[Part 2 of 3]\n<two>\n\n[Part 3 of 3]\n<hree>"
    )
    session.end(reduction)
    assert not session.plans.expects_more
    row = session.disk.documents[1]
    assert row.item_key == session.disk.items[1][-1].item_key
    assert [(item.level, item.part) for item in session.disk.items[1]] == [(0, 1), (0, 2), (0, 3), (1, 1)]
    assert session.plans.view.done == 1
    family = session.plans.family(reduction.id)
    assert family is not None
    assert [member.title for member in family.members] == [
        "doc-1 · 1/3",
        "doc-1 · 2/3",
        "doc-1 · 3/3",
        "doc-1 · reduce",
    ]
    assert family.members[-1].part_of == (1, 2, 3)


async def test_answers_too_long_to_be_reduced_at_once_are_reduced_level_by_level() -> None:
    session = Session([document(1, *(f"part {number} " for number in range(5)))], Disk(), room=1)
    await session.run()
    levels = [plan.document.level for plan in session.asked if plan.document is not None]
    assert levels == [0, 0, 0, 0, 0, 1, 1, 2]
    assert session.plans.view.done == 1


async def test_a_part_that_fails_fails_the_document_and_saves_the_parts_that_were_not_sent() -> None:
    session = Session([document(1, "one ", "two ", "three"), document(2, "b")], Disk())
    first = await session.next()
    assert first is not None
    session.end(first, State.FAILED)
    await session.run()
    assert prompts(session) == ["Summarise: one ", "Summarise: b"]
    assert session.disk.documents[1].error == "part 1 of 3: it broke"
    assert (session.plans.view.done, session.plans.view.failed) == (1, 1)
    assert not session.plans.expects_more


async def test_a_failed_part_that_is_done_again_brings_its_document_back() -> None:
    session = Session([document(1, "one ", "two ", "three")], Disk())
    first = await session.next()
    assert first is not None
    session.end(first, State.FAILED)
    assert await session.next() is None
    session.end(first)  # somebody had it done again
    await session.run()
    assert [plan.document.title for plan in session.asked if plan.document] == [
        "doc-1 · 1/3",
        "doc-1 · 2/3",
        "doc-1 · 3/3",
        "doc-1 · reduce",
    ]
    assert session.disk.documents[1].error is None
    assert (session.plans.view.done, session.plans.view.failed) == (1, 0)


@st.composite
def corpora(draw: st.DrawFn) -> list[Prepared]:
    texts = draw(st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4), max_size=8))
    return [document(number, *parts) for number, parts in enumerate(texts, start=1)]


@given(corpora(), st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 30))
async def test_however_a_run_is_cut_off_it_ends_as_one_that_was_not(
    corpus: list[Prepared], seed: int, slots: int, cut_after: int
) -> None:
    whole = Session(corpus, Disk())
    await whole.run()
    rng = random.Random(seed)
    disk, asked = Disk(), 0
    left: int | None = cut_after
    while True:
        session = Session(corpus, disk)
        running: list[CallPlan] = []
        while left is None or left > 0:
            plan = await session.next() if len(running) < slots else None
            if plan is not None:
                running.append(plan)
                continue
            if not running:
                break
            session.end(running.pop(rng.randrange(len(running))))
            left = None if left is None else left - 1
        asked += len(session.asked)
        if left is None:
            break
        asked -= len(running)  # on the wire when it was cut off: these may be asked again
        left = None
    assert {number: row.item_key for number, row in disk.documents.items()} == {
        number: row.item_key for number, row in whole.disk.documents.items()
    }
    assert {key: outcome.text for key, outcome in disk.outcomes.items()} == {
        key: outcome.text for key, outcome in whole.disk.outcomes.items()
    }
    assert asked == len(whole.asked)
    assert session.plans.view.done == len(corpus)
