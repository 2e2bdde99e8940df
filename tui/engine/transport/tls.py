"""TLS as a pipe: ciphertext in, plaintext out, and the other way round. Opens no socket, starts no task.

`ssl.MemoryBIO` instead of asyncio's own TLS, so that the transport does the receiving itself and each piece
of plaintext can carry the kernel's stamp of the read that completed its record. Certificates are always checked.
"""

import functools
import os
import ssl

import httpx

from tui.core.errors import UsageError
from tui.core.untrusted import clean_line


@functools.cache
def shared_context() -> ssl.SSLContext:
    """The default context, made once: httpx's trusted roots, HTTP/1.1. Loading the roots takes 35 to 50 ms."""
    return make_context()


def make_context(ca_file: str | None = None) -> ssl.SSLContext:
    """A verifying context for HTTP/1.1; `ca_file` (PEM) replaces the default roots.

    UsageError when SSL_CERT_FILE or SSL_CERT_DIR cannot be used.
    """
    context = ssl.create_default_context(cafile=ca_file) if ca_file else _trusting_the_default_roots()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting_the_default_roots() -> ssl.SSLContext:
    """httpx's choice of them: those that SSL_CERT_FILE names, else SSL_CERT_DIR's, else certifi's."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if folder and not file and not os.path.isdir(folder):  # OpenSSL would take it and trust nobody
        raise UsageError("SSL_CERT_DIR", f"{clean_line(folder)} is no folder", "name a folder of certificates")
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        if not file:
            raise
        why = "it has no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        hint = "name a file of CA certificates (PEM), or unset the variable"
        raise UsageError("SSL_CERT_FILE", f"{clean_line(file)} cannot be used: {why}", hint) from error


def require_verification(context: ssl.SSLContext) -> None:
    """ValueError when `context` would talk to anybody."""
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise ValueError("the SSL context must require a certificate and check the host name")


class TlsPipe:
    """One client-side TLS session over memory."""

    __slots__ = ("_incoming", "_outgoing", "_session", "ready")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.ready = False
        """The handshake is over."""

    def handshake(self) -> None:
        """Go as far as the bytes at hand allow; sets `ready`. Raises ssl.SSLError when it failed."""
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return
        protocol = self._session.selected_alpn_protocol()
        if protocol not in (None, "http/1.1"):
            raise ssl.SSLError(f"the server chose {protocol}, which was not offered")
        self.ready = True

    def take_in(self, ciphertext: memoryview) -> None:
        """Bytes from the network."""
        self._incoming.write(ciphertext)

    def decrypt(self, into: memoryview) -> int | None:
        """Bytes of plaintext put into `into`; None: needs more ciphertext; 0: the server ended the session.

        Raises ssl.SSLError for a record that is not genuine.
        """
        try:
            return self._session.read(len(into), into)  # type: ignore[return-value]
        except ssl.SSLWantReadError:
            return None

    def encrypt(self, plaintext: bytes) -> None:
        """Queue plaintext; `take_out` has its records."""
        view = memoryview(plaintext)
        while view:
            view = view[self._session.write(view) :]

    def take_out(self) -> bytes:
        """Bytes for the network (handshake, alerts and key updates as well as data)."""
        return self._outgoing.read()
