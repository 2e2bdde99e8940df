"""The user interface of a session: screen, plain lines or nothing, and the signals. Makes no calls."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from tui.core.commands import Drain, Stop
from tui.core.session import Session
from tui.engine.host import Host
from tui.engine.screen import Screen
from tui.headless import progress_line

PLAIN_INTERVAL_S = 2.0


def choose_ui(asked: str | None) -> str:
    """`dashboard` on a terminal, else `plain`; what was asked for comes first."""
    if asked is not None:
        return asked
    return "dashboard" if sys.stdin.isatty() and sys.stdout.isatty() else "plain"


class Viewing:
    """The user interface of one session, from before its first call until its viewer has seen enough."""

    def __init__(self, session: Session, ui: str, open_session: Callable[[], None]) -> None:
        """UsageError when there is no terminal to show it on; `open_session` is called once there is one."""
        self._session = session
        # First, so that where there is no terminal no empty record is left behind.
        self._screen = Screen(session) if ui == "dashboard" else None
        open_session()
        self._interrupts = Interrupts(session, quiet=ui == "dashboard")
        self._plain = ui == "plain"
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._interrupts.install()
        if self._screen is not None:
            self._screen.start()
            self._tasks.append(asyncio.create_task(_go_on_without(self._screen, self._session)))
        if self._plain:
            self._tasks.append(asyncio.create_task(_narrate(self._session)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        if self._screen is not None:
            await self._screen.close()

    def count_for(self, host: Host) -> None:
        """Have a run that is about to begin count the tokens of running streams, if somebody will see them."""
        if self._screen is not None:
            host.beside(host.count_live())

    async def seen_enough(self) -> None:
        """A finished run stays on the screen until its reader has seen enough, or a signal says so."""
        for task in self._tasks:
            task.cancel()
        if self._screen is not None:
            await self._interrupts.stopped_or(self._screen.closed)


class Interrupts:
    """First Ctrl-C drains, a second one stops now; so do SIGTERM and a closed terminal."""

    def __init__(self, session: Session, quiet: bool) -> None:
        self._session = session
        self._quiet = quiet
        self._count = 0
        self._stopped = asyncio.Event()

    def install(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows: Ctrl-C then raises KeyboardInterrupt
            for number, handler in (
                (signal.SIGINT, self._interrupt),
                (signal.SIGTERM, self._stop),
                (signal.SIGHUP, self._stop),
            ):
                # What our parent had ignored (nohup does, and a shell for its background jobs) stays ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    loop.add_signal_handler(number, handler)

    async def stopped_or(self, event: asyncio.Event) -> None:
        """Wait for `event` at the end of a run, which the next signal of any kind cuts short."""
        self._count += 1
        waits = [asyncio.create_task(each.wait()) for each in (event, self._stopped)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _interrupt(self) -> None:
        self._count += 1
        if self._count > 1:
            self._stop()
            return
        self._session.send(Drain())
        if not self._quiet:
            sys.stderr.write("\nweir: draining: running streams end by themselves; Ctrl-C again stops now\n")

    def _stop(self) -> None:
        self._stopped.set()
        self._session.send(Stop())


async def _go_on_without(screen: Screen, session: Session) -> None:
    """A screen that goes before its run has ended leaves nobody to watch it: let running streams end."""
    await screen.closed.wait()
    if screen.asked_to_close:
        return  # its reader has said already what is to become of the run
    sys.stderr.write("weir: the screen is gone: draining; Ctrl-C stops now\n")
    session.send(Drain())


async def _narrate(session: Session) -> None:
    while True:
        await asyncio.sleep(PLAIN_INTERVAL_S)
        if (latest := session.latest) is not None:
            sys.stderr.write(progress_line(latest) + "\n")
