"""The link carries whole frames whichever way the bytes are cut, and ends cleanly."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import pytest
from fake_session import FakeSession

from tui.core.commands import AnyCommand, CancelCall, Pause, SaveScreenshot, SetRate, Watch
from tui.core.frames import FrameError
from tui.dashboard.link import LinkSession


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def picture(t_s: float) -> bytes:
    return framed(msgspec.msgpack.encode(FakeSession().go(t_s)))


class Ends:
    """Both ends of a link, and how it ended."""

    def __init__(self) -> None:
        ours, self.engine = socket.socketpair()
        self.session = LinkSession(ours)
        self.lost: list[FrameError | None] = []

    def start(self) -> None:
        self.session.start(asyncio.get_running_loop(), self.lost.append)

    async def settle(self) -> None:
        """Let the loop look at the socket a few times."""
        for _ in range(20):
            await asyncio.sleep(0)

    def received(self) -> list[AnyCommand]:
        data = self.engine.recv(1 << 16)
        found = []
        while data:
            size = int.from_bytes(data[:4], "big")
            found.append(msgspec.msgpack.decode(data[4 : 4 + size], type=AnyCommand))
            data = data[4 + size :]
        return found


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.session.close()
    made.engine.close()


async def test_the_newest_picture_is_the_latest(ends: Ends) -> None:
    ends.start()
    assert ends.session.latest is None
    ends.engine.sendall(picture(3) + picture(4))
    await ends.settle()
    assert ends.session.latest == FakeSession().go(4)


async def test_a_picture_that_comes_in_halves_is_shown_when_it_is_whole(ends: Ends) -> None:
    ends.start()
    data = picture(3)
    ends.engine.sendall(data[:100])
    await ends.settle()
    assert ends.session.latest is None
    ends.engine.sendall(data[100:])
    await ends.settle()
    assert ends.session.latest is not None


async def test_commands_arrive_as_what_they_are(ends: Ends) -> None:
    ends.start()
    commands = [Watch(first=3, focus=7), Pause(), CancelCall(12), SetRate(None)]
    for command in commands:
        ends.session.send(command)
    await ends.settle()
    assert ends.received() == commands


async def test_the_end_of_the_link_is_told_once_and_is_no_error(ends: Ends) -> None:
    ends.start()
    ends.engine.close()
    await ends.settle()
    ends.session.send(Pause())
    await ends.settle()
    assert ends.lost == [None]


@pytest.mark.parametrize("body", [b"\xc1", b"garbage", msgspec.msgpack.encode({"at": "soon"}), b""])
async def test_nonsense_ends_the_link_with_an_error_that_says_so(ends: Ends, body: bytes) -> None:
    ends.start()
    ends.engine.sendall(framed(body))
    await ends.settle()
    assert len(ends.lost) == 1
    assert "no snapshot" in str(ends.lost[0])


async def test_an_engine_that_stops_reading_never_blocks_the_screen(ends: Ends) -> None:
    ends.start()
    for _ in range(1_000):
        ends.session.send(SaveScreenshot("<svg/>" * 10_000))
        if ends.lost:
            break
    assert "no longer reads" in str(ends.lost[0])


async def test_a_picture_of_a_large_screen_does_not_end_the_link(ends: Ends) -> None:
    ends.start()
    ends.session.send(SaveScreenshot("x" * 4_000_000))
    assert not ends.lost


async def test_commands_wait_for_a_slow_engine_and_keep_their_order(ends: Ends) -> None:
    ends.start()
    total = 5_000
    for call in range(total):
        ends.session.send(CancelCall(call))
    data = b""
    ends.engine.setblocking(False)
    for _ in range(total):
        await asyncio.sleep(0)
        with suppress(BlockingIOError):
            data += ends.engine.recv(1 << 16)
    calls = []
    while data:
        size = int.from_bytes(data[:4], "big")
        calls.append(msgspec.msgpack.decode(data[4 : 4 + size], type=AnyCommand).call)
        data = data[4 + size :]
    assert calls == list(range(total))
