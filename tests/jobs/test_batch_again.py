"""What a batch does when calls are done again, and that what it counts and keeps is bounded and the same every time."""

import asyncio

from batch_by_hand import Disk, Session, document
from hypothesis import given
from hypothesis import strategies as st

from tui.core.calls import CallPlan, State
from tui.jobs import batch


async def all_plans(session: Session) -> list[CallPlan]:
    return [plan async for plan in _plans(session)]


async def _plans(session: Session):  # type: ignore[no-untyped-def]
    while (plan := await session.next()) is not None:
        yield plan


def is_over(session: Session) -> bool:
    return not session.plans.expects_more


def fates(session: Session) -> tuple[int, int]:
    return session.plans.view.done, session.plans.view.failed


async def test_a_failed_part_that_is_done_again_keeps_the_run_open_until_its_answer_is_reduced() -> None:
    session = Session([document(1, "one ", "two ")], Disk())
    one, two = await all_plans(session)
    session.end(one, State.FAILED)
    session.end(two)
    assert is_over(session)
    assert fates(session) == (0, 1)
    session.plans.begun(one)  # somebody has it done again
    assert not is_over(session), "else the run would end before the answer is there"
    assert fates(session) == (0, 0)
    session.end(one)
    (reduction,) = await all_plans(session)
    session.end(reduction)
    assert fates(session) == (1, 0)
    assert is_over(session)
    assert session.disk.documents[1].error is None


async def test_parts_that_were_given_up_are_asked_when_the_one_that_failed_is_done_again() -> None:
    session = Session([document(1, "one ", "two ", "three")], Disk())
    one = await session.next()
    assert one is not None
    session.end(one, State.FAILED)
    assert await all_plans(session) == []
    session.plans.begun(one)
    others = await all_plans(session)
    assert [plan.prompt for plan in others] == ["Summarise: two ", "Summarise: three"]
    for plan in (one, *others):
        session.end(plan)
    await session.run()
    assert fates(session) == (1, 0)


async def test_a_call_that_fails_twice_fails_once() -> None:
    session = Session([document(1, "a"), document(2, "a")], Disk())
    (plan,) = await all_plans(session)
    session.end(plan, State.FAILED)
    assert fates(session) == (0, 2)
    session.plans.begun(plan)
    session.end(plan, State.FAILED)
    assert fates(session) == (0, 2)
    assert session.plans.view.reused == 0


async def test_a_cancelled_question_that_an_equal_document_asks_anew_answers_both() -> None:
    session = Session([document(1, "a"), document(2, "b"), document(3, "a")], Disk())
    first = await session.next()
    assert first is not None
    session.end(first, State.CANCELLED)
    second, third = await all_plans(session)
    session.plans.begun(first)  # and somebody has the first done again, too
    session.end(third)
    session.end(first, State.FAILED)
    session.end(second)
    assert fates(session) == (3, 0)


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=3), max_size=9), st.integers(0, 9))
async def test_what_is_shared_is_the_same_however_often_the_run_is_cut_off(texts: list[list[str]], cut: int) -> None:
    corpus = [document(number, *parts) for number, parts in enumerate(texts, start=1)]
    whole, disk = Session(corpus, Disk()), Disk()
    await whole.run()
    first = Session(corpus, disk)
    for _ in range(cut):
        if (plan := await first.next()) is None:
            break
        first.end(plan)
    again = Session(corpus, disk)
    await again.run()
    assert again.plans.view.shared == whole.plans.view.shared == len(texts) - len(set(map(tuple, texts)))
    assert whole.plans.view.done == len(corpus)


async def test_a_corpus_that_is_on_record_is_read_no_faster_than_it_is_written() -> None:
    class SlowPaper(Disk):
        waits = 0
        open = asyncio.Event()

        async def room(self) -> None:
            self.waits += 1
            await self.open.wait()

    disk = Disk()
    corpus = [document(number, f"text {number}") for number in range(1, 500)]
    await Session(corpus, disk).run()
    slow = SlowPaper()
    slow.outcomes, slow.last_call = disk.outcomes, disk.last_call
    again = Session(corpus, slow)
    run = asyncio.create_task(again.run())
    for _ in range(50):
        await asyncio.sleep(0)
    assert slow.waits == 1
    assert len(slow.documents) < 50
    slow.open.set()
    await run
    assert again.plans.view.done == 499


async def test_nothing_of_an_answered_document_is_kept_but_the_newest_trees(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(batch, "KEPT_RELATIVES", 10)
    session = Session([document(number, f"one {number}", f"two {number}") for number in range(1, 50)], Disk())
    await session.run()
    plans = session.plans
    assert not plans._open
    assert not plans._unanswered
    assert not plans._ready
    assert len(plans._family_of) == 10
    assert plans.family(session.asked[-1].id) is not None
    assert plans.family(session.asked[0].id) is None


async def test_who_waits_for_a_call_under_way_holds_no_text_of_its_own() -> None:
    session = Session([document(number, "the same") for number in range(1, 20)], Disk())
    (plan,) = await all_plans(session)
    ((_, waiting),) = session.plans._open.items()
    assert len(waiting) == 19
    assert all(member.messages == () for _, member in waiting)
    session.end(plan)
    assert session.plans.view.shared == 18
