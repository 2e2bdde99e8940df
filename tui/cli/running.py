"""Running a host, or a sweep of them, to the end under a user interface (cli/viewing.py); last words and exit codes."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tui.cli.goals import verdict_exit
from tui.cli.parsing import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED
from tui.cli.viewing import PLAIN_INTERVAL_S, Interrupts, Viewing, choose_ui
from tui.core.calls import State
from tui.core.figures import exact
from tui.engine.host import Host
from tui.headless import summary_text, sweep_text, troubles_text

if TYPE_CHECKING:
    from tui.core.fail_if import Condition
    from tui.jobs.sweep import Step, SweepSession

UNSENT_SHARE = 0.01
"""Of the calls that a schedule wants within a duration, so many may be left unsent. A choice."""


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
    async with Viewing(host, ui, host.open) as viewing:
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
        async with Viewing(sweep, ui, sweep.open) as viewing:
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
    if not host.interrupted:
        sys.stderr.write(left_undone(host, figures))
    return code if code and not host.interrupted else exit_code(host, figures)


def exit_code(host: Host, figures: dict[str, Any]) -> int:
    """0 all calls done, 1 some not (or none was measured, or the record is not whole), 130 interrupted.

    A call that somebody did again, and that was done then, counts as done. So does a schedule that was kept but for a
    call or a hundredth of its calls: what is due in the last moment has no time left to be sent in.
    """
    if host.interrupted:
        return EXIT_INTERRUPTED
    if host.record_error is not None or left_undone(host, figures):
        return EXIT_FAILED
    return EXIT_DONE if figures["calls"]["done"] and not _unanswered(host) else EXIT_FAILED


def left_undone(host: Host, figures: dict[str, Any]) -> str:
    """What a run of a given duration did not send though its schedule wanted it, as a line; "" when it kept to it."""
    if host.setup.duration_s is None or host.setup.schedule is None:
        return ""
    never_sent = figures["never_sent"]
    due = never_sent + sum(1 for call in host.ledger.calls.values() if call.attempts)
    if never_sent <= max(1, due * UNSENT_SHARE):
        return ""
    return (
        f"schedule: {exact(never_sent)} of {exact(due)} calls that were due were never sent: "
        "a limit, or too few streams at once, held them back\n"
    )


def _unanswered(host: Host) -> int:
    """Measured calls that did not end well, and that nobody did again with success."""
    ledger = host.ledger
    answered: set[int] = set()
    unanswered = 0
    for number in reversed(ledger.order):  # one that does another again began after it
        call = ledger.calls[number]
        if call.state is State.DONE or number in answered:
            if call.retry_of is not None:
                answered.add(call.retry_of)
            continue
        # What a run of a given duration had not sent by its end was never due; of a schedule, see `left_undone`.
        withdrawn = host.setup.duration_s is not None and call.state is State.CANCELLED and not call.attempts
        unanswered += not (call.warmup or withdrawn)
    return unanswered


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


__all__ = ["PLAIN_INTERVAL_S", "Interrupts", "choose_ui", "exit_code", "left_undone", "run_host", "run_sweep"]
