"""Running a host, or a sweep of them, to the end under a user interface: screen, plain lines or nothing; signals; the
last words.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tui.cli.goals import verdict_exit
from tui.cli.parsing import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED
from tui.core.commands import Drain, Stop
from tui.core.session import Session
from tui.engine.host import Host
from tui.engine.screen import Screen
from tui.headless import progress_line, summary_text, sweep_text, troubles_text

if TYPE_CHECKING:
    from tui.core.fail_if import Condition
    from tui.jobs.sweep import Step, SweepSession

PLAIN_INTERVAL_S = 2.0


def choose_ui(asked: str | None) -> str:
    """`dashboard` on a terminal, else `plain`; what was asked for comes first."""
    if asked is not None:
        return asked
    return "dashboard" if sys.stdin.isatty() and sys.stdout.isatty() else "plain"


def run_host(make: Callable[[], Host], ui: str, as_json: bool, conditions: "Sequence[Condition]" = ()) -> int:
    """Run a host and say how it went; the exit code. `make` is called inside the loop.

    `conditions` are checked on the figures at the end.
    """
    return asyncio.run(_run(make, ui, as_json, conditions))


def run_sweep(
    make: "Callable[[], SweepSession]", ui: str, as_json: bool, conditions: "Sequence[Condition]" = ()
) -> int:
    """Run a sweep, and put its runs side by side at the end; the exit code. `make` is called inside the loop."""
    return asyncio.run(_run_all(make, ui, as_json, conditions))


async def _run(make: Callable[[], Host], ui: str, as_json: bool, conditions: "Sequence[Condition]") -> int:
    host = make()
    async with _Viewing(host, ui, host.open) as viewing:
        viewing.count_for(host)
        figures = await host.run()
        await viewing.seen_enough()
    await host.asked_files_written()
    _last_words(host, figures, as_json)
    if host.corpus_error is not None:
        raise host.corpus_error
    return _exit_code(host, figures, conditions)


async def _run_all(
    make: "Callable[[], SweepSession]", ui: str, as_json: bool, conditions: "Sequence[Condition]"
) -> int:
    sweep = make()
    ended: list[tuple[dict[str, Any], Host]] = []

    def begins(step: "Step", host: Host) -> None:
        viewing.count_for(host)
        if ui == "plain":
            sys.stderr.write(f"{step.title}\n")

    try:
        async with _Viewing(sweep, ui, sweep.open) as viewing:
            async for step, host in sweep.runs(begins):
                await host.asked_files_written()
                ended.append(({**host.figures, "sweep": step.notes()}, host))
            await viewing.seen_enough()
    finally:  # an error of a later run takes nothing back of what those before it have found
        if ended:
            _last_words_of_all([figures for figures, _ in ended], [host for _, host in ended], as_json)
    for _, host in ended:
        if host.corpus_error is not None:
            raise host.corpus_error
    if sweep.interrupted:
        return EXIT_INTERRUPTED
    return max(_exit_code(host, figures, conditions) for figures, host in ended)


def _exit_code(host: Host, figures: dict[str, Any], conditions: "Sequence[Condition]") -> int:
    """The code of the goals that were missed, which is said on stderr, else of how the calls ended."""
    code, text = verdict_exit(figures, conditions, host)
    sys.stderr.write(text)
    return code if code and not host.interrupted else exit_code(host, figures)


def exit_code(host: Host, figures: dict[str, Any]) -> int:
    """0 all calls done, 1 some not (or none was measured, or the record is not whole), 130 interrupted."""
    calls = figures["calls"]
    if host.interrupted:
        return EXIT_INTERRUPTED
    # What a run of a given duration had not sent by its end was never due.
    withdrawn = host.ledger.withdrawn if host.setup.duration_s is not None else 0
    whole = calls["done"] + withdrawn == calls["total"] and host.record_error is None
    return EXIT_DONE if whole and calls["done"] else EXIT_FAILED


class _Viewing:
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


def _last_words(host: Host, figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stderr.write(troubles_text(figures))
    else:
        sys.stdout.write(summary_text(figures, host.notes) + "\n" + troubles_text(figures))
    sys.stdout.flush()
    if host.record_error is not None:
        sys.stderr.write(f"error: {host.record_error}\n")


def _last_words_of_all(runs: list[dict[str, Any]], hosts: list[Host], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(runs) + "\n")
        sys.stderr.write("".join(map(troubles_text, runs)))
    else:
        sys.stdout.write(sweep_text(runs) + "\n")
    sys.stdout.flush()
    for host in hosts:
        if host.record_error is not None:
            sys.stderr.write(f"error: {host.record_error}\n")
