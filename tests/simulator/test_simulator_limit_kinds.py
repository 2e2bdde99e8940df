"""Kinds of limits, slots and waits over real sockets."""

import asyncio

import pytest
from simulator_client import Client, ask, chat, quick, rendered

from tui.simulator.server import Simulator

SOON = 200
"""Turns of the loop within which the server has noticed what a client did."""


async def status_soon(port):
    """200 as soon as the server has seen who left and lets a request of one token through; else the last refusal."""
    for _ in range(SOON):
        status = (await ask(port, chat(max_tokens=1))).status
        if status == 200:
            break
    return status


async def begun(client, **fields):
    """A stream of which the first chunk is here."""
    client.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=True, **fields)))
    assert (await client.head()).status == 200
    await client.chunk()


async def test_more_at_once_than_the_limit_is_refused_in_words_of_its_own():
    async with (
        Simulator(quick(itl_s=60.0, concurrency_limit=2)) as simulator,
        Client(simulator.port) as first,
        Client(simulator.port) as second,
    ):
        await begun(first)
        await begun(second)
        refused = await ask(simulator.port, chat(max_tokens=1))
        [truth] = [record for record in simulator.truth() if record["status"] == 429]
    assert refused.status == 429
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("concurrency", "concurrency_limit_exceeded")
    assert error["message"].startswith("Too many concurrent requests for sim: limit 2.")
    # Eleven pauses of a minute, less what has passed.
    assert 650 <= int(refused.headers["retry-after"]) <= 661
    assert (truth["id"], truth["ended"], truth["tokens"]) == (refused.headers["x-request-id"], "refused", 0)


async def test_each_model_has_its_own_slots():
    async with (
        Simulator(quick(itl_s=60.0, concurrency_limit=1, models=(("sim", 1.0), ("other", 1e9)))) as simulator,
        Client(simulator.port) as first,
    ):
        await begun(first)
        assert (await ask(simulator.port, chat(max_tokens=1))).status == 429
        assert (await ask(simulator.port, {**chat(), "model": "other"})).status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_a_slot_is_free_as_soon_as_its_answer_is_complete(stream):
    async with Simulator(quick(concurrency_limit=1)) as simulator, Client(simulator.port) as client:
        assert [(await client.ask(chat(stream=stream))).status for _ in range(20)] == [200] * 20


@pytest.mark.parametrize("stream", [True, False])
async def test_a_slot_is_free_as_soon_as_its_answer_is_cut(stream):
    async with Simulator(quick(concurrency_limit=1, reset_rate=1.0)) as simulator:
        answers = [await ask(simulator.port, chat(stream=stream)) for _ in range(20)]
    assert [answer.status for answer in answers] == [200] * 20
    assert {answer.ended for answer in answers} == {"short", "reset"}


async def test_errors_hold_no_slot():
    async with Simulator(quick(concurrency_limit=1, error_rate=1.0)) as simulator:
        statuses = [(await ask(simulator.port, chat())).status for _ in range(20)]
    assert set(statuses) == {500, 503}


async def test_a_stalled_stream_holds_its_slot_until_its_client_leaves_and_nobody_knows_when():
    async with Simulator(quick(concurrency_limit=1, stall_rate=1.0)) as simulator:
        async with Client(simulator.port) as client:
            await begun(client)
            for _ in range(5):
                refused = await ask(simulator.port, chat())
                assert refused.status == 429
                assert "retry-after" not in refused.headers
                assert refused.json()["error"]["message"] == "Too many concurrent requests for sim: limit 1."
        # The next one stalls as well; that its head comes is enough.
        for _ in range(SOON):
            async with Client(simulator.port) as other:
                other.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=True)))
                status = (await other.head()).status
            if status == 200:
                break
        assert status == 200


@pytest.mark.looptime
async def test_a_stall_that_ends_by_itself_gives_its_slot_back():
    async with (
        Simulator(quick(concurrency_limit=1, stall_rate=1.0, stall_s=5.0)) as simulator,
        Client(simulator.port) as client,
    ):
        assert [(await client.ask(chat(stream=True))).ended for _ in range(3)] == ["whole"] * 3


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_gives_its_slot_back(stream):
    async with Simulator(quick(itl_s=60.0, concurrency_limit=1)) as simulator:
        async with Client(simulator.port) as client:
            client.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=stream)))
            for _ in range(SOON):
                if simulator.truth():
                    break
                await asyncio.sleep(0)
            assert (await ask(simulator.port, chat(max_tokens=1))).status == 429
        assert await status_soon(simulator.port) == 200


async def test_a_reset_leaves_slots_with_those_who_run():
    async with Simulator(quick(itl_s=60.0, concurrency_limit=1)) as simulator, Client(simulator.port) as client:
        async with Client(simulator.port) as first:
            await begun(first)
            await client.ask({}, "/_reset")
            assert (await client.ask(chat(max_tokens=1))).status == 429
        assert await status_soon(simulator.port) == 200


async def test_what_is_refused_for_being_too_many_uses_no_allowance_up():
    async with (
        Simulator(quick(itl_s=60.0, concurrency_limit=1, rpm=10, limit_kind="sliding-window")) as simulator,
        Client(simulator.port) as first,
    ):
        await begun(first)
        answers = [await ask(simulator.port, chat(max_tokens=1)) for _ in range(5)]
    assert {answer.headers["x-ratelimit-remaining-requests"] for answer in answers} == {"9"}


async def test_what_is_refused_for_being_too_fast_takes_no_slot():
    async with Simulator(quick(concurrency_limit=2, rpm=1)) as simulator:
        answers = [await ask(simulator.port, chat()) for _ in range(5)]
    assert [answer.json().get("error", {}).get("code") for answer in answers] == [None, *["rate_limit_exceeded"] * 4]


@pytest.mark.looptime
@pytest.mark.parametrize("stream", [True, False])
async def test_who_waits_for_a_slot_as_told_gets_it(stream):
    async with (
        Simulator(quick(ttft_s=2.0, itl_s=0.5, concurrency_limit=1)) as simulator,
        Client(simulator.port) as first,
    ):
        first.writer.write(rendered("POST", "/v1/chat/completions", chat(stream=stream)))
        await asyncio.sleep(1.0)
        refused = await ask(simulator.port, chat())
        told_s = int(refused.headers["retry-after-ms"]) / 1000
        assert told_s == pytest.approx(2.0 + 11 * 0.5 - 1.0, abs=0.2)
        await asyncio.sleep(told_s)
        assert (await ask(simulator.port, chat())).status == 200


@pytest.mark.looptime
@pytest.mark.parametrize("kind", ["token-bucket", "fixed-window", "sliding-window"])
@pytest.mark.parametrize(("style", "passed"), [("honest", 200), ("short", 429)])
async def test_whether_a_wait_is_honest_shows_when_it_is_over(kind, style, passed):
    settings = quick(rpm=2, limit_kind=kind, retry_after_style=style)
    async with Simulator(settings, wall_s=lambda: 1_800_000_015.0) as simulator:
        statuses = [(await ask(simulator.port, chat())).status for _ in range(2)]
        refused = await ask(simulator.port, chat())
        statuses.append(refused.status)
        await asyncio.sleep(int(refused.headers["retry-after-ms"]) / 1000)
        statuses.append((await ask(simulator.port, chat())).status)
    assert statuses == [200, 200, 429, passed]


@pytest.mark.looptime
async def test_a_fixed_window_ends_with_the_wall_clocks_minute():
    async with Simulator(quick(rpm=1, limit_kind="fixed-window"), wall_s=lambda: 1_800_000_040.0) as simulator:
        answers = [await ask(simulator.port, chat())]
        for pause_s in (19.0, 2.0):
            await asyncio.sleep(pause_s)
            answers.append(await ask(simulator.port, chat()))
    assert [answer.status for answer in answers] == [200, 429, 200]
    assert [answer.headers["retry-after"] for answer in answers[1:2]] == ["1"]


async def test_no_wait_is_told_where_none_is_wanted_whatever_the_reason():
    async with Simulator(quick(rpm=1, retry_after_style="none", header_style="none")) as simulator:
        answers = [await ask(simulator.port, chat()) for _ in range(2)]
    async with Simulator(quick(refuse_rate=1.0, retry_after_style="none")) as simulator:
        answers.append(await ask(simulator.port, chat()))
    for refused in answers[1:]:
        assert refused.status == 429
        assert not [name for name in refused.headers if "retry" in name or "ratelimit" in name]
        assert "try again" not in refused.json()["error"]["message"]


async def test_half_the_wait_is_told_of_a_refusal_by_rate_too():
    async with Simulator(quick(refuse_rate=1.0, retry_after_s=4.0, retry_after_style="short")) as simulator:
        refused = await ask(simulator.port, chat())
    assert refused.headers["retry-after"] == "2"
    assert refused.json()["error"]["message"].endswith("Please try again in 2s.")
