"""How long each part of one exchange may take, read from a request's extensions. Values only."""

import sys
from typing import Any

import httpx
import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """Time-outs of one exchange in seconds; None waits for ever."""

    connect_s: float | None
    """Looking the name up, connecting and the TLS handshake, all together."""
    write_s: float | None
    """The longest the kernel may refuse to take more of the request."""
    first_byte_s: float | None
    """From the request's last byte to the end of the response's headers."""
    idle_s: float | None
    """The longest silence between two reads of the body."""


def bounds_of(request: httpx.Request, connect_s: float | None) -> Bounds:
    """The request's own time-outs; `connect_s` where it has none.

    httpx's `timeout` extension is the base; `weir.first_byte_s` and `weir.idle_s` override its `read`.
    """
    extensions = request.extensions
    timeout: dict[str, Any] = extensions.get("timeout", {})
    read_s = timeout.get("read")
    return Bounds(
        connect_s=timeout.get("connect", connect_s),
        write_s=timeout.get("write"),
        first_byte_s=extensions.get("weir.first_byte_s", read_s),
        idle_s=extensions.get("weir.idle_s", read_s),
    )


def raise_file_limit(wanted: int = 65_536) -> int | None:
    """Raise this process's soft limit of open files towards `wanted`; the limit that holds now.

    A stream is a file, and many shells start with a limit of 1,024 or 256. None where there is no such limit.
    """
    if sys.platform == "win32":
        return None
    import resource  # Unix only

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= wanted:
        return soft if soft != unlimited else wanted
    # macOS reports an unlimited hard limit and then refuses anything above its OPEN_MAX of 10,240.
    for goal in (wanted, 10_240):
        target = goal if hard == unlimited else min(goal, hard)
        if target <= soft:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        except (OSError, ValueError):
            continue
        return target
    return soft
