"""Every address of a name is tried, the slow ones without waiting for them, and the losers are closed."""

import asyncio
import errno
import socket

import httpx
import pytest
from transport_servers import OK, answering, post, read_all

from tui.engine.transport import MeasuringTransport
from tui.engine.transport.connect import Resolver
from tui.engine.transport.outbox import Outbox

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


def resolve_to(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[str]:
    """Let every look-up answer `hosts`; the list of names that were looked up."""
    asked: list[str] = []

    async def getaddrinfo(self, host, port, **_hints):
        asked.append(host)
        await asyncio.sleep(0)
        if not hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in hosts]
        return [
            (family, socket.SOCK_STREAM, 6, "", (each, port) if family == socket.AF_INET else (each, port, 0, 0))
            for family, each in zip(families, hosts, strict=True)
        ]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_refused_address_gives_way_to_the_next(serve, transport, monkeypatch):
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    port = (await serve(answering(HELLO))).rsplit(":", 1)[1]
    assert await read_all(await transport.handle_async_request(post(f"http://many.test:{port}"))) == b"hello"
    assert transport.open_connections == 1


@pytest.mark.looptime
async def test_a_silent_address_has_a_head_start_of_250_ms(serve, transport, monkeypatch):
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    port = int((await serve(answering(HELLO))).rsplit(":", 1)[1])
    real = socket.socket.connect_ex
    silent: list[socket.socket] = []

    def connect_ex(self, address):
        if address[0] == "127.0.0.2":  # nobody answers: as a host that drops our packets
            silent.append(self)
            return errno.EINPROGRESS
        return real(self, address)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    watch = loop.add_writer
    monkeypatch.setattr(loop, "add_writer", lambda fd, *rest: None if fd == silent[0].fileno() else watch(fd, *rest))
    began = loop.time()
    await read_all(await transport.handle_async_request(post(f"http://many.test:{port}")))
    assert loop.time() - began == pytest.approx(0.25, abs=0.01)
    assert [each.fileno() for each in silent] == [-1]


async def test_the_error_names_the_place_and_the_reason(transport):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(httpx.ConnectError, match=f"cannot connect to 127.0.0.1:{port}: Connection refused"):
            await transport.handle_async_request(post(f"http://127.0.0.1:{port}"))
    assert transport.open_connections == 0


async def test_an_unknown_name_is_a_connect_error(transport, monkeypatch):
    resolve_to(monkeypatch)
    with pytest.raises(httpx.ConnectError, match=r"cannot find nowhere\.test: Name or service not known"):
        await transport.handle_async_request(post("http://nowhere.test"))
    assert transport.open_connections == 0


async def test_a_literal_address_is_not_looked_up(monkeypatch):
    asked = resolve_to(monkeypatch)
    assert await Resolver().addresses("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
    assert await Resolver().addresses("::1", 80) == [(socket.AF_INET6, ("::1", 80, 0, 0))]
    assert asked == []


async def test_addresses_alternate_between_the_families(monkeypatch):
    resolve_to(monkeypatch, "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1")
    found = [address[0] for _, address in await Resolver().addresses("many.test", 80)]
    assert found == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]


@pytest.mark.looptime
async def test_a_name_is_looked_up_once_for_many_and_again_later(monkeypatch):
    asked = resolve_to(monkeypatch, "127.0.0.1")
    resolver = Resolver()
    await asyncio.gather(*(resolver.addresses("a.test", 80) for _ in range(50)))
    assert asked == ["a.test"]
    await asyncio.sleep(6)
    await resolver.addresses("a.test", 80)
    assert asked == ["a.test", "a.test"]


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others(monkeypatch):
    resolve_to(monkeypatch, "127.0.0.1")
    resolver = Resolver()
    first, second = (asyncio.ensure_future(resolver.addresses("a.test", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert len(await second) == 1


async def test_too_many_open_files_say_so(monkeypatch):
    def refuse(*_args):
        raise OSError(errno.EMFILE, "Too many open files")

    transport = MeasuringTransport()
    monkeypatch.setattr("tui.engine.transport.connect.socket.socket", refuse)
    with pytest.raises(httpx.ConnectError, match=r"too many open files \(raise the limit"):
        await transport.handle_async_request(post("http://127.0.0.1:1"))
    assert transport.open_connections == 0


async def test_a_connection_that_is_gone_as_soon_as_it_is_made_is_a_connect_error(serve, monkeypatch):
    """macOS refuses to set an option of a socket whose server has closed already."""
    url = await serve(answering(HELLO))
    port = int(url.rsplit(":", 1)[1])
    touched: list[socket.socket] = []

    def refuse(self, *_args):
        if self.getpeername()[1] == port:  # ours, not the server's end
            touched.append(self)
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(socket.socket, "setsockopt", refuse)
    transport = MeasuringTransport()
    with pytest.raises(httpx.ConnectError, match=f"cannot connect to 127.0.0.1:{port}: Invalid argument"):
        await transport.handle_async_request(post(url))
    assert [sock.fileno() for sock in touched] == [-1]
    assert transport.open_connections == 0


async def test_a_connection_that_nobody_waits_for_any_more_is_closed(serve, monkeypatch):
    """Cancelled in the very turn in which the connection was made."""
    url = await serve(answering(HELLO))
    real = socket.socket.connect_ex
    made: list[socket.socket] = []

    def connect_ex(self, address):
        made.append(self)
        real(self, address)
        return errno.EINPROGRESS

    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    for steps in range(8):
        transport = MeasuringTransport()
        task = asyncio.ensure_future(transport.handle_async_request(post(url)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.aclose()
    assert made
    assert {each.fileno() for each in made} == {-1}


async def test_an_empty_outbox_watches_its_socket_no_more():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        empty = asyncio.Event()
        outbox = Outbox(loop, ours, empty.set, pytest.fail)
        outbox.push(b"x" * 5_000_000)
        assert not empty.is_set()
        got = 0
        while got < 5_000_000:
            got += len(await loop.sock_recv(theirs, 1 << 20))
        assert empty.is_set()
        assert not loop.remove_writer(ours)
