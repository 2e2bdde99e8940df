"""The screen's process: `python -m tui.dashboard --fd N`, with N an inherited, connected stream socket.

It owns the terminal from start to end and gives it back however it ends. Exit code 0, or 1 when it
failed or the other end sent nonsense; it says so on stderr.
"""

import argparse
import asyncio
import gc
import signal
import socket
import sys

from tui.core.frames import FrameError
from tui.dashboard.app import WeirApp
from tui.dashboard.link import LinkSession

_WARM_AFTER_S = 2.0


async def run(sock: socket.socket) -> int:
    """Show the run at the other end of `sock` until either side is done; the exit code."""
    loop = asyncio.get_running_loop()
    session = LinkSession(sock)
    app = WeirApp(session)
    failure: FrameError | None = None

    def lost(error: FrameError | None) -> None:
        nonlocal failure
        failure = error
        app.exit()

    session.start(loop, lost)
    # The terminal is raw, so Ctrl-C comes as a key; the signal comes from elsewhere and means the same.
    loop.add_signal_handler(signal.SIGINT, app.action_interrupt)
    loop.add_signal_handler(signal.SIGTERM, app.exit)
    loop.add_signal_handler(signal.SIGHUP, app.exit)
    loop.call_later(_WARM_AFTER_S, _freeze)
    try:
        await app.run_async()
    finally:
        session.close()
    if failure is not None:
        sys.stderr.write(f"weir: the screen lost the run: {failure}\n")
        return 1
    return app.return_code or 0


def _freeze() -> None:
    """What is alive once the screen is warm lives to the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


def main() -> int:
    """Entry point of the screen's process."""
    parser = argparse.ArgumentParser(prog="python -m tui.dashboard", description="The screen of a Weir run.")
    parser.add_argument("--fd", type=int, required=True, help="an inherited, connected stream socket")
    fd = parser.parse_args().fd
    return asyncio.run(run(socket.socket(fileno=fd)))


if __name__ == "__main__":
    sys.exit(main())
