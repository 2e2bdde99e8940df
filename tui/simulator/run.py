"""The simulator as a program: serves until it is told to stop. stdout is one line with the address."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable

from tui.simulator.server import Simulator
from tui.simulator.settings import ANNOUNCEMENT, SimulatorSettings


def run(settings: SimulatorSettings) -> int:
    """Serve until Ctrl-C or SIGTERM; 0. UsageError when the address cannot be had.

    Prints `listening on http://127.0.0.1:8600/v1` to stdout and describes itself on stderr.
    """

    def narrate(simulator: Simulator) -> None:
        sys.stderr.write(_description(settings, simulator.base_url))
        sys.stderr.flush()

    asyncio.run(_serve(settings, narrate, leave_at_end_of_input=False))
    return 0


def run_embedded() -> int:
    """Serve for the process that started this one, until it closes our stdin or ends; 0.

    The first line of stdin is `SimulatorSettings.as_json()`.
    """
    settings = SimulatorSettings.from_json(sys.stdin.buffer.readline().decode())
    asyncio.run(_serve(settings, lambda simulator: None, leave_at_end_of_input=True))
    return 0


async def _serve(
    settings: SimulatorSettings, narrate: Callable[[Simulator], None], leave_at_end_of_input: bool
) -> None:
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    _allow_many_connections()
    async with Simulator(settings) as simulator:
        if leave_at_end_of_input:
            # Nothing but the end ever comes, so readable means that it came.
            loop.add_reader(sys.stdin.fileno(), told_to_stop.set)
        narrate(simulator)
        sys.stdout.write(f"{ANNOUNCEMENT}{simulator.base_url}\n")
        sys.stdout.flush()
        gc.collect()
        gc.freeze()
        await told_to_stop.wait()


def _allow_many_connections() -> None:
    """Lift the soft limit on open files, which is often 1,024, to the hard one."""
    try:
        import resource
    except ImportError:  # not a Unix
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as error:  # macOS refuses "unlimited"
            sys.stderr.write(f"weir simulate: open files stay limited to {soft}: {error}\n")


def _description(settings: SimulatorSettings, base_url: str) -> str:
    models = ", ".join(f"{name} (speed {speed:g})" for name, speed in settings.models)
    faults = ", ".join(
        f"{rate:.3g} {what}"
        for rate, what in (
            (settings.error_rate, "500/503"),
            (settings.refuse_rate, "429"),
            (settings.reset_rate, "cut"),
            (settings.stall_rate, "stalled"),
        )
        if rate
    )
    first = settings.models[0][0]
    return (
        f"weir simulate: {models}\n"
        f"  pace   first token {settings.ttft_s * 1000:g} ms, then {settings.itl_s * 1000:g} ms a token, "
        f"±{settings.jitter:.0%}, {settings.tokens} tokens, seed {settings.seed}\n"
        f"  limits {_limit(settings.rpm, 'requests')}, {_limit(settings.tpm, 'tokens')} a minute for each model"
        f"{_how_limited(settings)}\n"
        f"  faults {faults or 'none'}\n"
        f"  try    weir load --base-url {base_url} --model {first} --requests 50 --concurrency 16\n"
        f"  truth  {base_url.removesuffix('/v1')}/_truth\n"
        "  Ctrl-C stops it\n"
    )


def _how_limited(settings: SimulatorSettings) -> str:
    """What was asked for beyond the usual."""
    return "".join(
        f", {what}"
        for what, unusual in (
            (settings.limit_kind, settings.limit_kind != "token-bucket"),
            (f"bursts of {settings.burst}", settings.burst is not None),
            (f"{settings.concurrency_limit} at once", settings.concurrency_limit is not None),
            (f"Retry-After {settings.retry_after_style}", settings.retry_after_style != "honest"),
            (f"headers {settings.header_style}", settings.header_style != "openai"),
        )
        if unusual
    )


def _limit(limit: int | None, what: str) -> str:
    return f"any number of {what}" if limit is None else f"{limit} {what}"
