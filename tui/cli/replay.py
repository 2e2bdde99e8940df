"""`weir replay`: a recorded run in the same dashboard, offline."""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.parsing import EXIT_DONE, Parser, number
from tui.cli.report import add_runs_folder

if TYPE_CHECKING:
    from tui.jobs.replay_session import ReplaySession

EXAMPLES = """examples:
  weir replay last
  weir replay 2026-01-31T12-00-00-load-gpt-4o --speed 4
  weir replay 2026-01-31T12 --runs /data/weir-runs
  weir replay last --ui none --json

p pauses, "," and "." go 10 s back and forth, [ and ] play slower and faster. Nothing is sent and nothing is written.
"""


def add_replay(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("replay", help="play a recorded run in the dashboard", epilog=EXAMPLES)
    parser.add_argument(
        "recorded", metavar="RUN", help="a run's folder, its journal.db, its name in --runs or how that begins, or last"
    )
    parser.add_argument("--speed", type=speed, default=1.0, metavar="X", help="times as fast as it was (default: 1)")
    parser.add_argument(
        "--ui",
        choices=("dashboard", "plain", "none"),
        help="default: dashboard on a terminal, else plain; none: no playing, the summary at once",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_runs_folder(parser)
    parser.set_defaults(run=run_replay)


def speed(text: str) -> float:
    """How many times as fast as it was."""
    from tui.jobs.replay_session import FASTEST, SLOWEST

    value = number(text)
    if not SLOWEST <= value <= FASTEST:
        raise argparse.ArgumentTypeError(f"expected a number from {SLOWEST:g} to {FASTEST:g}")
    return value


def run_replay(args: argparse.Namespace) -> int:
    """Play it; 0 when it was played, whatever became of the run's calls."""
    from tui.cli.running import choose_ui
    from tui.headless import summary_text, troubles_text
    from tui.jobs.replay import read_replay
    from tui.jobs.replay_session import ReplaySession

    ui = choose_ui(args.ui)
    session = ReplaySession(read_replay(_found(args.recorded, args.runs)), args.speed)
    if ui != "none":
        asyncio.run(_play(session, ui == "dashboard"))
    if ui == "dashboard" and not args.json and not session.over:
        return EXIT_DONE  # who leaves in the middle does not wait for the rest
    figures = session.replay.figures(session.tell_all())
    if args.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stderr.write(troubles_text(figures))
    else:
        sys.stdout.write(summary_text(figures, session.replay.notes) + "\n" + troubles_text(figures))
    return EXIT_DONE


def _found(name: str, runs: Path) -> Path:
    """The run's folder, found as for a report; or a journal that lies anywhere."""
    from tui.files.run_list import SUMMARY, resolve_run

    path = Path(name)
    with suppress(OSError, ValueError):  # a name that is no path is looked up as a name
        if path.is_file() and path.name != SUMMARY:
            return path
    return resolve_run(name, runs)


async def _play(session: "ReplaySession", on_screen: bool) -> None:
    from tui.engine.screen import Screen

    enough = asyncio.Event()
    with suppress(NotImplementedError):  # Windows: Ctrl-C then raises KeyboardInterrupt
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(each, enough.set)
    if not on_screen:
        await _narrate(session, enough)
        return
    screen = Screen(session)
    screen.start()
    waits = [asyncio.create_task(each.wait()) for each in (screen.closed, enough)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await screen.close()


async def _narrate(session: "ReplaySession", enough: asyncio.Event) -> None:
    from tui.cli.running import PLAIN_INTERVAL_S
    from tui.headless import progress_line

    while not enough.is_set():
        sys.stderr.write(progress_line(session.latest) + "\n")
        if session.over:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PLAIN_INTERVAL_S):
                await enough.wait()
