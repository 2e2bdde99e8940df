"""Which transport a run uses, and why, in words for the run's header. Opens no connection."""

import asyncio
import importlib.util
import ipaddress
import os
import socket
import ssl
import sys
import urllib.request

import httpx
import msgspec

from tui.core.errors import UsageError
from tui.engine.transport.errors import place
from tui.engine.transport.pool import MeasuringTransport
from tui.engine.transport.stock import StockTransport
from tui.engine.transport.tls import shared_context

_PROXY_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Choice(msgspec.Struct, frozen=True):
    """A transport and why it is that one."""

    transport: MeasuringTransport | StockTransport
    reason: str
    """Such as `own transport, kernel receive stamps`; no secret of a proxy's address is in it."""
    proxy_named_by: str | None = None
    """The variable that names the proxy in between; None when there is none."""


def make_transport(
    base_url: str,
    *,
    http2: bool = False,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    connect_timeout_s: float | None = 10.0,
) -> Choice:
    """The measuring transport for `base_url`, unless a proxy, HTTP/2 or the platform asks for the stock one.

    `proxy` (a URL) overrides the environment; "" asks for none. Call it before the clock runs: with https it
    makes the SSL context (35 to 50 ms). UsageError when a needed package is missing, or when the address, the proxy's
    or a variable that names the trusted roots cannot be used; a proxy's address is never repeated in it.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        raise UsageError("--base-url", "the address has a host that no name can be", "check its spelling") from None
    named_by = "--proxy"
    if proxy is None:
        proxy, named_by = environment_proxy(url)
    why_not = proxy_place = None
    if proxy:
        proxy_place = _place_of(proxy, named_by)
        why_not = f"proxy {proxy_place} named by {named_by}"
        if proxy.lower().startswith("socks") and importlib.util.find_spec("socksio") is None:
            raise UsageError(named_by, "a SOCKS proxy needs a package", "pip install 'httpx[socks]'")
    elif http2:
        why_not = "HTTP/2"
    elif not _loop_has_readers():
        why_not = "this event loop cannot watch sockets"
    if http2 and importlib.util.find_spec("h2") is None:
        raise UsageError("HTTP/2", "it needs a package", "pip install 'httpx[http2]'")
    if why_not is not None:
        stock = StockTransport(
            ssl_context=ssl_context,
            proxy=proxy or None,
            proxy_shown=f"{proxy_place} ({named_by})" if proxy_place else None,
            http2=http2,
            connect_timeout_s=connect_timeout_s,
        )
        reason = f"httpx's transport ({why_not}), stamps when the loop reads"
        return Choice(stock, reason, named_by if proxy_place else None)
    if url.scheme == "https" and ssl_context is None:
        ssl_context = shared_context()
    own = MeasuringTransport(ssl_context=ssl_context, connect_timeout_s=connect_timeout_s)
    stamps = "kernel receive stamps" if sys.platform == "linux" else "stamps when the loop reads"
    return Choice(own, f"own transport, {stamps}")


def environment_proxy(url: httpx.URL) -> tuple[str | None, str]:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for `url`, and which of them did.

    urllib's reading of them (which httpx's rests on, the system's settings on macOS and Windows included), with
    one rule of Go's net/http on top: this machine's own addresses are never asked of a proxy, which would look
    for the simulator or a local server on its own machine.
    """
    if _is_loopback(url.host) or urllib.request.proxy_bypass(url.host):
        return None, ""
    proxies = urllib.request.getproxies()
    for name in (url.scheme, "all"):
        address = proxies.get(name)
        if address:
            variable = f"{name.upper()}_PROXY"
            if variable not in os.environ and variable.lower() not in os.environ:
                variable = "the system's settings"
            return address if "://" in address else f"http://{address}", variable
    return None, ""


def _place_of(proxy: str, named_by: str) -> str:
    """Host and port of a proxy's address; UsageError without any of the address, which may hold a password."""
    try:
        url = httpx.Proxy(proxy).url
        if not url.host:
            raise ValueError("no host")
        url.host.encode("idna")
    except (httpx.InvalidURL, ValueError):
        hint = "write it as http://host:port; in a password, write / as %2F, @ as %40 and so on"
        raise UsageError(named_by, "its value is not the address of a proxy", hint) from None
    return place(url.host, url.port or _PROXY_PORTS[url.scheme])


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _loop_has_readers() -> bool:
    """Windows' default loop has no `add_reader`, and Windows' sockets no `recvmsg_into`."""
    if not hasattr(socket.socket, "recvmsg_into"):
        return False
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return sys.platform != "win32"
    proactor = getattr(asyncio, "ProactorEventLoop", None)
    return proactor is None or not isinstance(loop, proactor)
