"""What goes on the wire, and what never does."""

import httpx
import pytest
from transport_servers import OK, post, read_all, read_request

from tui.engine.transport import MeasuringTransport, raise_file_limit
from tui.engine.transport.bounds import Bounds, bounds_of
from tui.engine.transport.request import request_head


def test_the_head_is_the_request_as_httpx_made_it():
    request = httpx.Request("POST", "http://host.test:81/v1/a b?q=1", headers={"X-Key": "v"}, content=b"hi")
    assert request_head(request) == (
        b"POST /v1/a%20b?q=1 HTTP/1.1\r\nHost: host.test:81\r\nX-Key: v\r\nContent-Length: 2\r\n\r\n"
    )


def test_a_missing_host_is_added():
    request = httpx.Request("GET", "http://[::1]:81/")
    del request.headers["host"]
    assert request_head(request) == b"GET / HTTP/1.1\r\nHost: [::1]:81\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"])
def test_a_header_value_cannot_end_its_line_and_is_not_told(value: str):
    request = httpx.Request("GET", "http://host.test/", headers={"X-Key": "sesame" + value})
    with pytest.raises(httpx.LocalProtocolError, match="header 'X-Key'") as caught:
        request_head(request)
    assert "sesame" not in str(caught.value)


def test_neither_can_a_header_name_or_a_method():
    with pytest.raises(httpx.LocalProtocolError, match="header 'X Y'"):
        request_head(httpx.Request("GET", "http://host.test/", headers={"X Y": "v"}))
    with pytest.raises(httpx.LocalProtocolError, match="the request line"):
        request_head(httpx.Request("GET /x", "http://host.test/"))


async def test_what_cannot_be_sent_opens_no_connection(transport: MeasuringTransport):
    with pytest.raises(httpx.LocalProtocolError):
        await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1:1/", headers={"A": "\n"}))
    with pytest.raises(httpx.UnsupportedProtocol, match="ftp"):
        await transport.handle_async_request(httpx.Request("GET", "ftp://127.0.0.1/"))


async def pieces(*of: bytes):
    for piece in of:
        yield piece


async def echo(reader, writer):
    """Answers with the body of the request, as it came."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"chunked" in head:
            body = await reader.readuntil(b"0\r\n\r\n")
        else:
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
            body = await reader.readexactly(length)
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)


async def test_an_iterated_body_is_sent_in_chunks(serve, transport):
    url = await serve(echo)
    for _ in range(2):  # and leaves the connection usable
        request = httpx.Request("POST", url, content=pieces(b"he", b"", b"llo"))
        response = await transport.handle_async_request(request)
        assert await read_all(response) == b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        assert response.extensions["weir.instants"].written_at is not None
    assert transport.open_connections == 1


async def test_an_iterated_body_of_known_length_is_sent_as_it_is(serve, transport):
    request = httpx.Request("POST", await serve(echo), content=pieces(b"he", b"llo"), headers={"Content-Length": "5"})
    assert await read_all(await transport.handle_async_request(request)) == b"hello"


@pytest.mark.parametrize("length", ["3", "9"])
async def test_an_iterated_body_must_be_as_long_as_it_says(serve, transport, length: str):
    request = httpx.Request(
        "POST", await serve(echo), content=pieces(b"he", b"llo"), headers={"Content-Length": length}
    )
    with pytest.raises(httpx.LocalProtocolError, match="not as long"):
        await transport.handle_async_request(request)
    assert transport.open_connections == 0


async def test_a_body_that_fails_takes_its_connection_with_it(serve, transport):
    async def failing():
        yield b"he"
        raise LookupError("no more")

    with pytest.raises(LookupError):
        await transport.handle_async_request(httpx.Request("POST", await serve(echo), content=failing()))
    assert transport.open_connections == 0


async def test_accept_encoding_is_the_caller_s(serve, transport):
    heads: list[bytes] = []

    async def note(reader, writer):
        heads.append(await read_request(reader))
        writer.write(OK + b"Content-Length: 0\r\n\r\n")

    await transport.handle_async_request(post(await serve(note)))
    assert b"accept-encoding" not in heads[0].lower()


def test_bounds_come_from_httpx_unless_weir_s_own_are_there():
    timeout = {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0}
    assert bounds_of(post("http://a", timeout=timeout), 9) == Bounds(1.0, 3.0, 2.0, 2.0)
    own = {"timeout": timeout, "weir.first_byte_s": 5.0, "weir.idle_s": None}
    assert bounds_of(post("http://a", **own), 9) == Bounds(1.0, 3.0, 5.0, None)
    assert bounds_of(post("http://a"), 9) == Bounds(9, None, None, None)


def test_the_file_limit_is_raised_as_far_as_it_may_be(monkeypatch):
    resource = pytest.importorskip("resource")
    limits = {"now": (256, 4096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.update(now=pair))
    assert raise_file_limit(1000) == 1000
    assert raise_file_limit(500) == 1000
    assert raise_file_limit(100_000) == 4096
    assert limits["now"] == (4096, 4096)


def test_a_system_that_refuses_leaves_the_limit_or_takes_its_own_most(monkeypatch):
    resource = pytest.importorskip("resource")

    def most_10_240(_, pair):
        if pair[0] > 10_240:
            raise ValueError("exceeds OPEN_MAX")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", most_10_240)
    assert raise_file_limit() == 10_240
