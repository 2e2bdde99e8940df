"""The stock transport only where something asks for it, behind the same interface, with the reason told."""

import asyncio
import errno
import socket
import traceback

import httpx
import pytest
from transport_servers import CHUNKED, OK, answering, chunked, post, quiet, read_request, stalling, until

from tui.core.errors import UsageError
from tui.engine.transport import MeasuringTransport, StockTransport, UnreadableReply, make_transport
from tui.engine.transport import choose as choosing


@pytest.fixture(autouse=True)
def no_proxy_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_our_own_where_nothing_speaks_against_it():
    choice = make_transport("http://api.test/v1")
    assert isinstance(choice.transport, MeasuringTransport)
    assert choice.reason.startswith("own transport")


@pytest.mark.parametrize(
    ("environment", "url", "named_by"),
    [
        ({"HTTP_PROXY": "http://u:secret@proxy.test:3128"}, "http://api.test", "HTTP_PROXY"),
        ({"https_proxy": "proxy.test:3128"}, "https://api.test", "HTTPS_PROXY"),
        ({"ALL_PROXY": "http://proxy.test:3128"}, "https://api.test", "ALL_PROXY"),
    ],
)
def test_a_proxy_in_the_environment_asks_for_the_stock_one(monkeypatch, environment, url: str, named_by: str):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    choice = make_transport(url)
    assert isinstance(choice.transport, StockTransport)
    assert f"proxy proxy.test:3128 named by {named_by}" in choice.reason
    assert choice.proxy_named_by == named_by
    assert "secret" not in choice.reason


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("http://api.test", "api.test"),
        ("http://api.test", "*"),
        ("http://127.0.0.1:8600", ""),
        ("http://localhost:8600", ""),
        ("http://[::1]:8600", ""),
        ("https://api.test", ""),
    ],
)
def test_a_proxy_that_is_not_meant_for_the_address_is_left_alone(monkeypatch, url: str, no_proxy: str):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert isinstance(make_transport(url).transport, MeasuringTransport)


def test_a_proxy_by_hand_overrides_the_environment(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    assert isinstance(make_transport("http://api.test", proxy="").transport, MeasuringTransport)
    assert "proxy other.test:80 named by --proxy" in make_transport("http://a.test", proxy="http://other.test").reason


@pytest.mark.parametrize(
    "address",
    [
        "http://user:canary/ret@proxy.test:1",
        "http://user:canary@proxy.test:port",
        "ftp://user:canary@proxy.test",
        "http://user:canary@",
        "http://user:canary@.test:1",
        "http://user:canary@a..test",
        "http://user:canary@" + "a" * 64,
        "http://user:canary@[::1",
        "http://user:canary@proxy.test:1\x07",
        "junk:canary",
    ],
)
def test_a_proxy_that_is_no_address_is_a_usage_error_without_its_password(monkeypatch, address: str):
    monkeypatch.setenv("HTTP_PROXY", address)
    with pytest.raises(UsageError) as caught:
        make_transport("http://api.test/v1")
    assert caught.value.where == "HTTP_PROXY"
    assert "http://host:port" in caught.value.hint
    assert "canary" not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


def test_an_address_that_httpx_cannot_take_is_a_usage_error():
    with pytest.raises(UsageError) as caught:
        make_transport("http://☃.test/v1")
    assert caught.value.where == "--base-url"


def test_http2_and_socks_ask_for_their_packages(monkeypatch):
    monkeypatch.setattr(choosing.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="HTTP/2"):
        make_transport("http://api.test", http2=True)
    with pytest.raises(UsageError, match="SOCKS"):
        make_transport("http://api.test", proxy="socks5://proxy.test")
    monkeypatch.setattr(choosing.importlib.util, "find_spec", lambda _name: object())
    choice = make_transport("http://api.test", http2=True)
    assert isinstance(choice.transport, StockTransport)
    assert "HTTP/2" in choice.reason


async def test_a_loop_that_cannot_watch_sockets_asks_for_the_stock_one(monkeypatch):
    monkeypatch.setattr(asyncio, "ProactorEventLoop", type(asyncio.get_running_loop()), raising=False)
    choice = make_transport("http://api.test")
    assert isinstance(choice.transport, StockTransport)
    assert "cannot watch sockets" in choice.reason


@pytest.fixture
async def stock():
    transport = StockTransport()
    yield transport
    await transport.aclose()


async def test_the_stock_transport_has_the_same_interface(serve, stock):
    url = await serve(answering(CHUNKED + chunked(b"he", b"llo")))
    written: list[int] = []
    for reused in (False, True):
        response = await stock.handle_async_request(post(url, **{"weir.on_written": written.append}))
        body, instants = response.extensions["weir.body"], response.extensions["weir.instants"]
        pieces: list[bytes] = []
        while (read := await body.receive()) is not None:
            assert not read.stamped
            assert read.at >= instants.headers_at >= instants.written_at
            pieces += read.pieces
        assert b"".join(pieces) == b"hello"
        assert instants.reused == reused
        assert written.pop() == instants.written_at
        assert await body.receive() is None
        await until(lambda: not stock._farewells)
    assert stock.streams == 0


async def test_the_stock_transport_serves_httpx_too(serve, stock):
    async with httpx.AsyncClient(transport=stock) as client:
        assert (await client.post(await serve(answering(CHUNKED + chunked(b"hello"))))).text == "hello"


async def test_streams_are_dealt_out_twenty_to_a_pool(serve, stock):
    url = await serve(stalling(CHUNKED))
    responses = await asyncio.gather(*(stock.handle_async_request(post(url)) for _ in range(45)))
    assert stock.streams == 45
    assert len(stock._pools) == 3
    for response in responses:
        response.extensions["weir.body"].close()
    assert stock.streams == 0


async def test_closing_a_stock_body_ends_the_request_even_when_cancelled_twice(serve, stock):
    gone = asyncio.Event()

    async def endless(reader, writer):
        await read_request(reader)
        writer.write(CHUNKED)
        await reader.read()
        gone.set()

    response = await stock.handle_async_request(post(await serve(endless)))
    body = response.extensions["weir.body"]
    task = asyncio.ensure_future(body.receive())
    await asyncio.sleep(0)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    body.close()
    body.finish_quietly()
    await gone.wait()
    assert stock.streams == 0
    with pytest.raises(httpx.StreamClosed):
        await body.receive()


@pytest.mark.looptime
async def test_the_stock_transport_keeps_the_same_bounds(serve, stock):
    extensions = {"weir.first_byte_s": 7.0, "weir.idle_s": 3.0, "timeout": {"connect": 0.0}}
    extensions["timeout"] = {"connect": None}
    with pytest.raises(httpx.ReadTimeout, match=r"within 7 s \(first-byte"):
        await stock.handle_async_request(post(await serve(quiet), **extensions))
    response = await stock.handle_async_request(post(await serve(stalling(CHUNKED)), **extensions))
    with pytest.raises(httpx.ReadTimeout, match=r"for 3 s \(idle"):
        await response.extensions["weir.body"].receive()
    await response.aclose()
    assert stock.streams == 0


async def test_errors_of_the_stock_transport_have_words(serve, stock):
    url = await serve(answering(OK + b"Content-Length: 9\r\n\r\nhi", then_close=True))
    response = await stock.handle_async_request(post(url))
    body = response.extensions["weir.body"]
    await body.receive()
    with pytest.raises(httpx.RemoteProtocolError, match=r"."):
        await body.receive()
    body.close()


@pytest.fixture
def dead_port():
    """A port of this machine that refuses every connection."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def through(monkeypatch: pytest.MonkeyPatch, port: int) -> StockTransport:
    """What is used for api.test when the environment names a proxy on this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://user:canary@127.0.0.1:{port}")
    transport = make_transport("https://api.test/v1").transport
    assert isinstance(transport, StockTransport)
    return transport


async def test_a_dead_proxy_is_named_with_the_variable_that_named_it(monkeypatch, dead_port: int):
    transport = through(monkeypatch, dead_port)
    refused = f"cannot connect to the proxy 127.0.0.1:{dead_port} \\(HTTPS_PROXY\\): Connection refused"
    for url in ("http://api.test/v1", "https://api.test/v1"):
        with pytest.raises(httpx.ConnectError, match=refused) as caught:
            await transport.handle_async_request(post(url))
        assert caught.value.__cause__ is not None
        assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert transport.streams == 0
    await transport.aclose()


async def test_a_proxy_that_refuses_is_named_and_the_request_counts_as_unsent(serve, monkeypatch):
    port = int((await serve(answering(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"))).rsplit(":", 1)[1])
    transport = through(monkeypatch, port)
    written: list[int] = []
    with pytest.raises(
        httpx.ProxyError, match=rf"the proxy 127.0.0.1:{port} \(HTTPS_PROXY\) refused .*407 Who are you"
    ):
        await transport.handle_async_request(post("https://api.test/v1", **{"weir.on_written": written.append}))
    assert written == []
    await transport.aclose()


@pytest.mark.looptime
async def test_a_proxy_that_never_connects_is_named(monkeypatch):
    async def never(*_args, **_kwargs):
        await asyncio.sleep(1e6)

    monkeypatch.setattr("anyio.connect_tcp", never)
    transport = through(monkeypatch, 9)
    extensions = {"timeout": {"connect": 3.0}}
    with pytest.raises(
        httpx.ConnectTimeout, match=r"no connection to the proxy 127.0.0.1:9 \(HTTPS_PROXY\) within 3 s"
    ):
        await transport.handle_async_request(post("https://api.test/v1", **extensions))
    await transport.aclose()


async def test_the_stock_transport_says_who_could_not_be_reached_and_why(stock, dead_port: int, monkeypatch):
    with pytest.raises(httpx.ConnectError, match=f"cannot connect to 127.0.0.1:{dead_port}: Connection refused"):
        await stock.handle_async_request(post(f"http://127.0.0.1:{dead_port}"))

    async def exhausted(*_args, **_kwargs):
        raise OSError("All connection attempts failed") from ExceptionGroup("", [OSError(errno.EMFILE, "x")])

    monkeypatch.setattr("anyio.connect_tcp", exhausted)
    with pytest.raises(httpx.ConnectError, match="too many open files"):
        await stock.handle_async_request(post(f"http://127.0.0.1:{dead_port}"))


@pytest.mark.parametrize("wire", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_what_is_no_http_is_told_from_a_cut_by_its_class(serve, stock, wire: bytes):
    with pytest.raises(UnreadableReply, match="not proper HTTP"):
        await stock.handle_async_request(post(await serve(answering(wire, then_close=True))))


@pytest.mark.parametrize("wire", [b"", OK + b"Content-Length: 9\r\n\r\nhi", CHUNKED + b"9\r\nhi"])
async def test_a_cut_is_no_unreadable_reply(serve, stock, wire: bytes):
    url = await serve(answering(wire, then_close=True))
    async with httpx.AsyncClient(transport=stock) as client:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await client.post(url)
    assert not isinstance(caught.value, UnreadableReply)
