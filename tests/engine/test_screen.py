"""The engine's end of the screen: what it sends, what it obeys, and that the terminal comes back however it ends."""

import asyncio
import os
import pty
import signal
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tui.core.commands import AnyCommand, Watch
from tui.core.errors import UsageError
from tui.core.snapshot import RunView, Snapshot
from tui.engine import screen as screen_module
from tui.engine.screen import Screen

END_MARK = b"<the end>"
CHILD = """
import os, socket, sys
link = socket.socket(fileno=int(sys.argv[-1]))
{body}
"""


class Run:
    """A session that stands still, and hears what the screen asks."""

    def __init__(self) -> None:
        self.latest = Snapshot(at=0, run=RunView("load", "m", "h", started_at=0, phase="running"))
        self.asked: list[AnyCommand] = []

    def send(self, command: AnyCommand) -> None:
        self.asked.append(command)


class Pty:
    """A terminal that becomes this process's stdin and stderr when it is taken."""

    def __init__(self) -> None:
        self.ours, self._theirs = pty.openpty()
        self._kept: list[tuple[int, int]] = []

    def take(self) -> None:
        """In the test itself: pytest moves these two about between a test and its set-up."""
        self._kept = [(fd, os.dup(fd)) for fd in (0, 2)]
        for fd, _ in self._kept:
            os.dup2(self._theirs, fd)

    def close(self) -> None:
        for fd, was in self._kept:
            os.dup2(was, fd)
            os.close(was)
        os.close(self.ours)
        os.close(self._theirs)

    def settings(self) -> list[object]:
        return termios.tcgetattr(self._theirs)

    def written(self) -> bytes:
        """All that was written, up to a mark of ours: a terminal hands bytes on a moment after they were written."""
        os.write(self._theirs, END_MARK)
        seen = b""
        while not seen.endswith(END_MARK):
            seen += os.read(self.ours, 1 << 16)
        return seen.removesuffix(END_MARK)


@pytest.fixture
def terminal() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.close()


@pytest.fixture
async def shown(terminal: Pty, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[Run, str], Screen]]:
    """Start a screen whose child runs a few lines of ours instead of the dashboard."""
    started: list[Screen] = []
    real = screen_module.subprocess.Popen

    def start(run: Run, body: str) -> Screen:
        def popen(command: list[str], **options: object) -> object:
            return real([sys.executable, "-c", CHILD.format(body=body), command[-1]], **options)  # type: ignore[call-overload]

        monkeypatch.setattr(screen_module.subprocess, "Popen", popen)
        terminal.take()
        screen = Screen(run)
        screen.start()
        started.append(screen)
        return screen

    yield start
    for screen in started:
        await screen.close()
        assert screen._child.returncode is not None


def test_without_a_terminal_there_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module.os, "isatty", lambda fd: False)
    with pytest.raises(UsageError) as raised:
        Screen(Run())
    assert raised.value.where == "--ui"


async def test_a_command_of_the_screen_reaches_the_run(shown: Callable[[Run, str], Screen]) -> None:
    run = Run()
    lines = "from tui.core.commands import Watch\nfrom tui.core.frames import frame\nimport msgspec\n"
    screen = shown(run, lines + "link.sendall(frame(msgspec.msgpack.encode(Watch(count=9))))")
    async with asyncio.timeout(20):
        await screen.closed.wait()
    assert run.asked == [Watch(count=9)]


async def test_a_screen_that_sends_nonsense_is_given_up(shown: Callable[[Run, str], Screen]) -> None:
    run = Run()
    screen = shown(run, "link.sendall(b'\\x00\\x00\\x00\\x01x'); link.recv(1 << 20)")
    async with asyncio.timeout(20):
        await screen.closed.wait()
    assert run.asked == []


async def test_a_killed_screen_leaves_no_mode_and_no_setting_behind(
    shown: Callable[[Run, str], Screen], terminal: Pty
) -> None:
    before = terminal.settings()
    spoil = "import tty; tty.setraw(0); os.write(2, b'\\x1b[?1049h\\x1b[?25l'); os.kill(os.getpid(), 9)"
    screen = shown(Run(), spoil)
    async with asyncio.timeout(20):
        await screen.closed.wait()
    assert screen._child.returncode == -signal.SIGKILL
    assert terminal.settings() == before
    output = terminal.written()
    assert output.rfind(b"\x1b[?1049l") > output.rfind(b"\x1b[?1049h") >= 0
    assert output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l") >= 0


async def test_a_screen_that_ends_well_cleans_up_by_itself(shown: Callable[[Run, str], Screen], terminal: Pty) -> None:
    screen = shown(Run(), "")
    async with asyncio.timeout(20):
        await screen.closed.wait()
    assert terminal.written() == b""


async def test_a_screen_that_does_not_read_is_sent_no_more_than_it_can_hold(
    shown: Callable[[Run, str], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen_module, "FRAMES_PER_S", 2000)
    run = Run()
    run.latest = Snapshot(at=0, run=RunView("load", "m" * 50_000, "h", started_at=0, phase="running"))
    screen = shown(run, "os.read(0, 1)")
    async with asyncio.timeout(20):
        while screen.dropped < 10:  # noqa: ASYNC110 - a picture that is skipped sets no event
            await asyncio.sleep(0.001)
    assert len(screen._unsent) < screen_module.UNSENT_LIMIT + 60_000


async def test_a_screen_that_will_not_go_is_made_to(
    shown: Callable[[Run, str], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen_module, "GOODBYE_S", 0.05)
    screen = shown(Run(), "import time; time.sleep(600)")
    async with asyncio.timeout(20):
        await screen.close()
    assert screen._child.returncode == -signal.SIGKILL


async def test_a_picture_that_no_frame_can_hold_is_dropped_and_the_screen_stays(
    shown: Callable[[Run, str], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen_module, "FRAME_LIMIT", 0)
    sent: list[bytes] = []
    monkeypatch.setattr(Screen, "_send", lambda self, data: sent.append(data))
    screen = shown(Run(), "link.recv(1)")
    assert (screen.dropped, sent) == (1, [])
    monkeypatch.setattr(screen_module, "FRAME_LIMIT", 1 << 20)
    screen._tick()
    assert (screen.dropped, len(sent)) == (1, 1)
    assert not screen.closed.is_set()
