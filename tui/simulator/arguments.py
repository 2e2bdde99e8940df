"""The simulator's flags. Parses and resolves; starts nothing."""

import argparse

from tui.core.durations import parse_duration
from tui.core.errors import UsageError
from tui.simulator.settings import HEADER_STYLES, LIMIT_KINDS, RETRY_AFTER_STYLES, SimulatorSettings, parse_models

_DEFAULT = SimulatorSettings(port=8600)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every flag of `weir simulate`."""
    parser.add_argument(
        "--port", type=int, default=_DEFAULT.port, help="port to listen on, 0 picks one (default: %(default)s)"
    )
    parser.add_argument("--host", default=_DEFAULT.host, help="address to listen on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed, help="same seed, same text, timing and faults")

    pace = parser.add_argument_group("pace")
    pace.add_argument("--ttft", default="300ms", metavar="DURATION", help="time to first token (default: %(default)s)")
    pace.add_argument(
        "--itl", default="20ms", metavar="DURATION", help="time between tokens, 0 for no pause (default: %(default)s)"
    )
    pace.add_argument(
        "--jitter",
        type=float,
        default=_DEFAULT.jitter,
        metavar="FRACTION",
        help="spread of every duration, 0.3 is ±30 %% (default: %(default)s)",
    )
    pace.add_argument(
        "--tokens", type=int, default=_DEFAULT.tokens, metavar="N", help="length of an answer (default: %(default)s)"
    )
    pace.add_argument(
        "--tokens-jitter",
        type=float,
        default=_DEFAULT.tokens_jitter,
        metavar="FRACTION",
        help="spread of the length (default: %(default)s)",
    )
    pace.add_argument(
        "--same-answers", action="store_true", help="equal requests get the same text (default: each its own)"
    )
    pace.add_argument(
        "--coalesce",
        type=int,
        default=_DEFAULT.coalesce,
        metavar="N",
        help="tokens glued into one chunk (default: %(default)s)",
    )
    pace.add_argument(
        "--models",
        default=",".join(f"{name}:{speed:g}" for name, speed in _DEFAULT.models),
        metavar="NAME:SPEED,…",
        help="models and how fast each is, 2 is twice as fast (default: %(default)s)",
    )

    limits = parser.add_argument_group("limits, for each model")
    limits.add_argument("--rpm", type=int, metavar="N", help="requests per minute (default: no limit)")
    limits.add_argument("--tpm", type=int, metavar="N", help="tokens per minute (default: no limit)")
    limits.add_argument(
        "--limit-kind",
        default=_DEFAULT.limit_kind,
        metavar="|".join(LIMIT_KINDS),
        help="how both are counted; fixed windows are minutes of the wall clock (default: %(default)s)",
    )
    limits.add_argument(
        "--burst",
        type=int,
        metavar="N",
        help="requests that a rested token bucket lets pass at once (default: a minute's worth)",
    )
    limits.add_argument(
        "--concurrency-limit", type=int, metavar="N", help="requests answered at once (default: no limit)"
    )
    limits.add_argument(
        "--header-style",
        default=_DEFAULT.header_style,
        metavar="|".join(HEADER_STYLES),
        help="how headers tell what is left, if they do (default: %(default)s)",
    )
    limits.add_argument(
        "--retry-after",
        action="append",
        metavar="|".join((*RETRY_AFTER_STYLES, "DURATION")),
        help="the wait that a 429 asks for: the true one, none or half of it (default: honest); a duration is the "
        "true wait of those of --limit-rate (default: 1s). Give both by giving the flag twice",
    )

    faults = parser.add_argument_group("faults, as a fraction of the requests")
    faults.add_argument(
        "--error-rate", type=float, default=0.0, metavar="FRACTION", help="answered 500 or 503 (default: 0)"
    )
    faults.add_argument(
        "--limit-rate",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="answered 429 whatever the limits say (default: 0)",
    )
    faults.add_argument(
        "--reset-rate", type=float, default=0.0, metavar="FRACTION", help="cut in mid-stream (default: 0)"
    )
    faults.add_argument(
        "--stall-rate", type=float, default=0.0, metavar="FRACTION", help="silent in mid-stream (default: 0)"
    )
    faults.add_argument(
        "--invalid-rate",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="of the answers in JSON, not what was asked for until it is asked for anew (default: 0)",
    )
    faults.add_argument(
        "--stall",
        metavar="DURATION",
        help="how long such a silence lasts (default: until the client leaves)",
    )


def settings_from(args: argparse.Namespace) -> SimulatorSettings:
    """The settings that the flags of `add_arguments` describe; UsageError names a flag that cannot be used."""
    retry_after_s, retry_after_style = _retry_after(args.retry_after or [])
    return SimulatorSettings(
        host=args.host,
        port=args.port,
        seed=args.seed,
        ttft_s=_duration("--ttft", args.ttft),
        itl_s=_duration("--itl", args.itl),
        jitter=args.jitter,
        tokens=args.tokens,
        tokens_jitter=args.tokens_jitter,
        same_answers=args.same_answers,
        coalesce=args.coalesce,
        models=parse_models(args.models),
        rpm=args.rpm,
        tpm=args.tpm,
        limit_kind=args.limit_kind,
        burst=args.burst,
        concurrency_limit=args.concurrency_limit,
        retry_after_style=retry_after_style,
        header_style=args.header_style,
        error_rate=args.error_rate,
        refuse_rate=args.limit_rate,
        retry_after_s=retry_after_s,
        reset_rate=args.reset_rate,
        stall_rate=args.stall_rate,
        invalid_rate=args.invalid_rate,
        stall_s=None if args.stall is None else _duration("--stall", args.stall),
    )


def _retry_after(given: list[str]) -> tuple[float, str]:
    """Duration and style in the values of `--retry-after`, in any order."""
    duration_s, style = _DEFAULT.retry_after_s, _DEFAULT.retry_after_style
    for text in given:
        if text in RETRY_AFTER_STYLES:
            style = text
        else:
            known = ", ".join(RETRY_AFTER_STYLES)
            duration_s = _duration("--retry-after", text, f"give one of {known}, or a duration such as 250ms")
    return duration_s, style


def _duration(flag: str, text: str, hint: str | None = None) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(flag, str(error), hint or f"write it like {flag} 250ms") from error
