"""What both transports say when something went wrong, in words that name the place. Raises nothing itself."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator

import httpx


class UnreadableReply(httpx.RemoteProtocolError):
    """Bytes that are no HTTP, or more of them than a bound allows: another try would meet them again.

    A connection that ended too early, which another try may mend, is a plain httpx.RemoteProtocolError.
    """


def causes(error: BaseException) -> Iterator[BaseException]:
    """What led to `error`, nearest first; of several that failed side by side, the first."""
    seen = {id(error)}
    cause = error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__


def place(host: str, port: int) -> str:
    """Where a connection goes, as it stands in an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refused_words(where: str, error: OSError) -> str:
    """Why no connection to `where` came about."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"cannot connect to {where}: too many open files (raise the limit with ulimit -n)"
    return f"cannot connect to {where}: {system_words(error)}"


def system_words(error: OSError) -> str:
    """The system's words for an error; asyncio puts words of its own in their place."""
    if error.errno and not isinstance(error, socket.gaierror | ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__


def tls_words(where: str, error: OSError) -> str:
    """Why the TLS handshake with `where` failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {where} was refused: {error.verify_message}"
    why = system_words(error)
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":  # the bytes are no TLS record
        why = "the server does not speak TLS on this port (try http://)"
    return f"the TLS handshake with {where} failed: {why}"
