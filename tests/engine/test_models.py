"""Asking a server for its models: its only one, or a usage error that says what is wrong and shows no key."""

import asyncio
import json
import ssl

import httpx
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
from tui.engine.transport import MeasuringTransport
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


async def hint_of(base_url: str) -> tuple[str, str]:
    """What a question for the models comes to, and what is advised."""
    with pytest.raises(UsageError) as error:
        await list_models(Endpoint(base_url, Secret(KEY)))
    return str(error.value), error.value.hint


@pytest.mark.parametrize(
    ("act", "advice"),
    [
        (refuses("401 No", "bad key"), "--api-key-env"),
        (refuses("502 Bad Gateway", "upstream"), "check that the server runs"),
        (refuses("503 Unavailable", "loading"), "check that the server runs"),
        (refuses("404 Not Found", "nothing here"), "name the model with -m"),
        (refuses("429 Slow", "slow down"), "wait a little"),
        (then_resets(), "check that the server runs"),
        (then_silence(), "check that the server runs"),
        (then_closes(b"nonsense\r\n\r\n"), "name the model with -m"),
    ],
)
async def test_the_hint_fits_what_went_wrong(act: Act, advice: str) -> None:
    async with RudeServer(act) as server:
        assert advice in (await hint_of(server.base_url))[1]


async def test_a_server_that_is_not_there_is_not_answered_with_name_the_model() -> None:
    async with RudeServer(then_resets()) as server:
        gone = server.base_url
    what, hint = await hint_of(gone)
    assert "Connection refused" in what
    assert "-m" not in hint.split()


async def test_a_dead_proxy_is_what_the_error_and_the_hint_are_about(monkeypatch: pytest.MonkeyPatch) -> None:
    async with RudeServer(then_resets()) as server:
        dead = server.base_url.removesuffix("/v1").replace("//", "//user:canary@")
    monkeypatch.setenv("HTTP_PROXY", dead)
    monkeypatch.delenv("NO_PROXY", raising=False)
    what, hint = await hint_of("http://api.test/v1")
    assert f"cannot connect to the proxy {dead.rpartition('@')[2]} (HTTP_PROXY): Connection refused" in what
    assert "HTTP_PROXY" in hint
    assert "canary" not in what + hint


async def test_a_port_without_tls_and_a_refused_certificate_have_hints_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with RudeServer(says(b"x")) as server:

        async def refuse(*_args: object) -> None:
            error = httpx.ConnectError("the certificate of api.test:443 was refused: expired")
            raise error from ssl.SSLCertVerificationError(1, "expired")

        monkeypatch.setattr(MeasuringTransport, "handle_async_request", refuse)
        what, hint = await hint_of(server.base_url)
        assert "certificate" in what
        assert "SSL_CERT_FILE" in hint

        async def no_tls(*_args: object) -> None:
            raise httpx.ConnectError("no TLS") from ssl.SSLError(1, "WRONG_VERSION_NUMBER")

        monkeypatch.setattr(MeasuringTransport, "handle_async_request", no_tls)
        assert "http://" in (await hint_of(server.base_url))[1]
