"""The simulator's listening socket and its address. Accepts nothing."""

import errno
import socket

from tui.core.errors import UsageError

BACKLOG = 4096


def listen(host: str, port: int) -> socket.socket:
    """A non-blocking socket that listens; UsageError names the flag when the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError("--host", f"cannot listen on {host}: {error.strerror}", "use 127.0.0.1") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise UsageError(
                "--port", f"cannot listen on {host}:{port}: {error.strerror}", "use --port 0 to pick a free one"
            ) from error
        raise UsageError("--host", f"cannot listen on {host}:{port}: {error.strerror}", "use 127.0.0.1") from error
    listener.setblocking(False)
    return listener


def base_url(host: str, port: int) -> str:
    """What an OpenAI client takes as its base URL."""
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
