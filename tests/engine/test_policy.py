"""Rules of the retry and limiter policy that a quick reading of the code would let slip."""

import asyncio

import pytest
from call_under_test import Witness, a_plan, lane_to
from rude_server import (
    DONE,
    END,
    ROLE,
    STOP,
    STREAM,
    USAGE,
    WELL,
    RudeServer,
    delta,
    event,
    refuses,
    says,
    then_closes,
    then_silence,
    words,
)

from tui.core.calls import State
from tui.core.facts import Sent, TextCame
from tui.engine.limiter import Limiter
from tui.wire.hints import RateHint

pytestmark = pytest.mark.looptime


def refused_and_cut(status: str, *headers: str) -> object:
    head = "\r\n".join((f"HTTP/1.1 {status}", "Content-Length: 500", *headers, "", "")).encode()
    return then_closes(head, b'{"error": {"mess')


async def test_a_refusal_whose_body_is_cut_keeps_its_hint() -> None:
    witness = Witness()
    async with RudeServer(refused_and_cut("429 Slow", "Retry-After: 5"), WELL) as server, lane_to(server) as lane:
        began = asyncio.get_running_loop().time()
        ending = await witness.run(lane)
        assert asyncio.get_running_loop().time() - began >= 5
    assert ending.state is State.DONE


async def test_a_refusal_whose_body_is_cut_keeps_its_status() -> None:
    witness = Witness()
    async with RudeServer(refused_and_cut("401 No")) as server, lane_to(server) as lane:
        ending = await witness.run(lane)
    assert (ending.state, len(witness.of(Sent))) == (State.FAILED, 1)
    assert (ending.error or "").startswith("HTTP 401")


async def test_a_long_hint_fails_its_call_and_closes_the_lane_for_the_others() -> None:
    closed: list[float] = []
    limiter = Limiter(on_closed=lambda seconds, why: closed.append(seconds))
    acts = refuses("429 Slow", "later", None, "Retry-After: 300"), WELL
    async with RudeServer(*acts) as server, lane_to(server, limiter=limiter) as lane:
        assert (await Witness().run(lane)).state is State.FAILED
        began = asyncio.get_running_loop().time()
        assert (await Witness().run(lane)).state is State.DONE
        assert asyncio.get_running_loop().time() - began >= 299
    assert closed == [300]


async def test_a_long_hint_that_comes_with_no_429_is_an_interactive_calls_own_affair() -> None:
    closed: list[float] = []
    limiter = Limiter(on_closed=lambda seconds, why: closed.append(seconds))
    act = refuses("503 Busy", "later", None, "Retry-After: 300")
    async with RudeServer(act) as server, lane_to(server, limiter=limiter) as lane:
        assert (await Witness().run(lane)).state is State.FAILED
    assert not closed


async def test_a_stream_of_nothing_but_done_is_not_done() -> None:
    witness = Witness()
    async with RudeServer(says(STREAM, ROLE, DONE + END)) as server, lane_to(server) as lane:
        ending = await witness.run(lane)
    assert (ending.state, len(witness.of(Sent))) == (State.FAILED, 3)
    assert "nothing but [DONE]" in (ending.error or "")


async def test_a_web_page_is_no_stream_and_is_not_asked_for_again() -> None:
    witness = Witness()
    page = says(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
    async with RudeServer(page) as server, lane_to(server) as lane:
        ending = await witness.run(lane)
    assert (ending.state, len(witness.of(Sent))) == (State.FAILED, 1)
    assert "text/html" in (ending.error or "")


async def test_a_server_that_never_says_done_costs_a_little_patience_and_no_time_in_the_figures() -> None:
    witness = Witness()
    act = then_silence(STREAM, words("Hello"), STOP, USAGE)
    async with RudeServer(act) as server, lane_to(server) as lane:
        began = asyncio.get_running_loop().time()
        ending = await witness.run(lane)
        assert asyncio.get_running_loop().time() - began < 6
    attempt = witness.entry().attempts[0]
    assert ending.state is State.DONE
    assert attempt.ended_at is not None
    assert attempt.last_token_at is not None
    assert attempt.ended_at - attempt.last_token_at < 1_000_000_000


async def test_two_choices_in_one_event_are_one_chunk() -> None:
    witness = Witness()
    both = {"choices": [delta(content="a")["choices"][0], delta(index=1, content="b")["choices"][0]]}
    stops = event(delta(finish_reason="stop")) + event(delta(index=1, finish_reason="stop"))
    act = says(STREAM, event(both), event(both), stops + DONE + END)
    async with RudeServer(act) as server, lane_to(server) as lane:
        await witness.run(lane, a_plan(n=2))
    assert [fact.opens_chunk for fact in witness.of(TextCame)] == [True, False, True, False]
    assert witness.entry().attempts[0].chunks == 2
    assert not witness.of(TextCame)[0].shared


@pytest.mark.parametrize(
    ("seen", "closed_s"),
    [
        ([], 60.0),  # nothing is known: until the allowance is whole
        ([(19, 3.0), (12, 24.0)], 3.0),  # 3 s for each that is missing: the next one has room after 3 s
        ([(19, 60.0), (5, 57.0)], 60.0),  # a window: what is missing says nothing about its end
    ],
)
async def test_an_empty_allowance_is_waited_for_until_it_has_room(
    seen: list[tuple[int, float]], closed_s: float
) -> None:
    closed: list[float] = []
    limiter = Limiter(on_closed=lambda seconds, why: closed.append(seconds))
    async with RudeServer(WELL) as server, lane_to(server, limiter=limiter) as lane:
        for remaining, reset_s in seen:
            lane.heed(RateHint(20, remaining, reset_s))
        assert not closed
        lane.heed(RateHint(20, 0, 60.0))
    assert closed == [closed_s]
