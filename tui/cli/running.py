"""Running a host to its end under a user interface: screen, plain lines or nothing; signals; the last words."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tui.cli.parsing import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED
from tui.core.commands import Drain, Stop
from tui.engine.host import Host
from tui.engine.screen import Screen
from tui.headless import progress_line, summary_text, troubles_text

PLAIN_INTERVAL_S = 2.0


def choose_ui(asked: str | None) -> str:
    """`dashboard` on a terminal, else `plain`; what was asked for comes first."""
    if asked is not None:
        return asked
    return "dashboard" if sys.stdin.isatty() and sys.stdout.isatty() else "plain"


def run_host(make: Callable[[], Host], ui: str, as_json: bool) -> int:
    """Run a host and say how it went; the exit code. `make` is called inside the loop."""
    return asyncio.run(_run(make, ui, as_json))


async def _run(make: Callable[[], Host], ui: str, as_json: bool) -> int:
    host = make()
    # First, so that where there is no terminal no empty record is left behind.
    screen = Screen(host) if ui == "dashboard" else None
    host.open()
    interrupts = _Interrupts(host, quiet=ui == "dashboard")
    interrupts.install()
    if screen is not None:
        screen.start()
        host.beside(host.count_live())
        host.beside(_go_on_without(screen, host))
    narrator = asyncio.create_task(_narrate(host)) if ui == "plain" else None
    try:
        figures = await host.run()
        if screen is not None:
            # A finished run stays on the screen until its reader has seen enough, or a signal says so.
            await interrupts.stopped_or(screen.closed)
    finally:
        if narrator is not None:
            narrator.cancel()
        if screen is not None:
            await screen.close()
    await host.asked_files_written()
    _last_words(host, figures, as_json)
    if host.corpus_error is not None:
        raise host.corpus_error
    return exit_code(host, figures)


def exit_code(host: Host, figures: dict[str, Any]) -> int:
    """0 all calls done, 1 some not (or none was measured, or the record is not whole), 130 interrupted."""
    calls = figures["calls"]
    if host.interrupted:
        return EXIT_INTERRUPTED
    # What a run of a given duration had not sent by its end was never due.
    withdrawn = host.ledger.withdrawn if host.setup.duration_s is not None else 0
    whole = calls["done"] + withdrawn == calls["total"] and host.record_error is None
    return EXIT_DONE if whole and calls["done"] else EXIT_FAILED


class _Interrupts:
    """First Ctrl-C drains, a second one stops now; so do SIGTERM and a closed terminal."""

    def __init__(self, host: Host, quiet: bool) -> None:
        self._host = host
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
        self._host.send(Drain())
        if not self._quiet:
            sys.stderr.write("\nweir: draining: running streams end by themselves; Ctrl-C again stops now\n")

    def _stop(self) -> None:
        self._stopped.set()
        self._host.send(Stop())


async def _go_on_without(screen: Screen, host: Host) -> None:
    """A screen that goes before its run has ended leaves nobody to watch it: let running streams end."""
    await screen.closed.wait()
    if screen.asked_to_close:
        return  # its reader has said already what is to become of the run
    sys.stderr.write("weir: the screen is gone: draining; Ctrl-C stops now\n")
    host.send(Drain())


async def _narrate(host: Host) -> None:
    while True:
        await asyncio.sleep(PLAIN_INTERVAL_S)
        sys.stderr.write(progress_line(host.latest) + "\n")


def _last_words(host: Host, figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stderr.write(troubles_text(figures))
    else:
        sys.stdout.write(summary_text(figures, host.notes) + "\n" + troubles_text(figures))
    sys.stdout.flush()
    if host.record_error is not None:
        sys.stderr.write(f"error: {host.record_error}\n")
