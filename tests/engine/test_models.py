"""Asking a server for its models: its only one, or a usage error that says what is wrong and shows no key."""

import asyncio
import json

import pytest
from rude_server import (
    Act,
    RudeServer,
    answers_json,
    refuses,
    reply,
    says,
    then_closes,
    then_resets,
    then_silence,
)

from tui.core.errors import UsageError
from tui.core.secrets import Secret
from tui.engine.endpoint import Endpoint
from tui.engine.models import list_models, only_model
from tui.simulator.server import Simulator
from tui.simulator.settings import SimulatorSettings

pytestmark = pytest.mark.looptime
KEY = "sk-canary-0123456789"


def models(*names: str) -> Act:
    return answers_json({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


async def test_the_only_model_of_a_server_is_taken() -> None:
    async with RudeServer(models("llama")) as server:
        assert await only_model(Endpoint(server.base_url, Secret(KEY))) == "llama"
    assert server.requests[0].line == "GET /v1/models HTTP/1.1"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_the_simulator_is_such_a_server() -> None:
    async with Simulator(SimulatorSettings(models=(("one", 1.0), ("two", 1.0)))) as simulator:
        assert await list_models(Endpoint(simulator.base_url)) == ["one", "two"]


@pytest.mark.parametrize(
    ("act", "where", "what"),
    [
        (models(), "-m/--model", "lists no model"),
        (models("a", "b"), "-m/--model", "has 2 models"),
        (models(*(f"m{index}" for index in range(99))), "-m/--model", "has 99 models"),
        (refuses("401 No", f"bad key {KEY}"), "--base-url", "HTTP 401: bad key ***"),
        (refuses("404 Not Found", "nothing here"), "--base-url", "HTTP 404: nothing here"),
        (says(reply("307 Moved", b"", "Location: /v2")), "--base-url", "HTTP 307"),
        (says(reply("307 Moved", b"", "Location: http://[:bad")), "--base-url", "cannot be asked"),
        (answers_json({"models": []}), "--base-url", "does not answer with a list of models"),
        (answers_json({"data": [{"id": None}]}), "--base-url", "does not answer with a list of models"),
        (says(reply("200 OK", b'{"data": [{"id": "\xff"}]}')), "--base-url", "does not answer with a list of models"),
        (says(reply("200 OK", b"[" * 200_000)), "--base-url", "does not answer with a list of models"),
        (says(reply("200 OK", b"<html>")), "--base-url", "does not answer with a list of models"),
        (says(reply("200 OK", b"x" * (5 << 20))), "--base-url", "more than 4 MiB"),
        (then_resets(), "--base-url", "reset"),
        (then_closes(b"nonsense\r\n\r\n"), "--base-url", "not proper HTTP"),
        (then_silence(), "--base-url", "within 10 s"),
    ],
)
async def test_anything_else_is_a_usage_error(act: Act, where: str, what: str) -> None:
    async with RudeServer(act) as server:
        with pytest.raises(UsageError) as error:
            await only_model(Endpoint(server.base_url, Secret(KEY)))
    assert error.value.where == where
    assert what in str(error.value)
    assert "canary" not in f"{error.value} {error.value.hint} {error.value.__cause__}"
    assert len(str(error.value) + error.value.hint) < 500


async def test_a_list_that_drips_in_is_not_waited_for_for_ever() -> None:
    async def drip(exchange) -> None:  # type: ignore[no-untyped-def]
        await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await exchange.write(b" ")
            await asyncio.sleep(1)

    loop = asyncio.get_running_loop()
    async with RudeServer(drip) as server:
        began = loop.time()
        with pytest.raises(UsageError, match="within 10 s"):
            await list_models(Endpoint(server.base_url))
        assert loop.time() - began <= 11


async def test_control_characters_in_a_name_reach_no_terminal() -> None:
    async with RudeServer(answers_json(json.loads('{"data": [{"id": "a\\u001b[2J"}, {"id": "b"}]}'))) as server:
        with pytest.raises(UsageError) as error:
            await only_model(Endpoint(server.base_url))
    assert "\x1b" not in error.value.hint + str(error.value)
