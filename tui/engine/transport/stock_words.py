"""The stock transport's errors in our own words: httpcore's name no place and are often empty. Raises nothing itself.

Each error stays in the chain of causes of the one that replaces it: what is done about it depends on them.
"""

import ssl

import httpx

from tui.engine.transport.errors import UnreadableReply, causes, place, refused_words, tls_words

_CUT = ("closed", "disconnected", "ConnectionTerminated", "StreamReset")
"""One of these is in the words of h11, h2 and httpcore for a connection that ended too early. The other errors of the
same class are about bytes that are no HTTP."""
_PORTS = {"http": 80, "https": 443}
_PAST_THE_PROXY = ("proxy.start_tls", "socks.start_tls")


def worded(
    error: httpx.RequestError,
    request: httpx.Request,
    step: str = "",
    proxy: str | None = None,
    connect_s: float | None = None,
) -> httpx.RequestError:
    """What to raise (from `error`) instead of it.

    `step` is the latest step of connecting that began, as httpcore's trace names it ("" without one); `proxy` says
    where the proxy is and who named it; `connect_s` is the bound that a connect time-out met.
    """
    url = request.url
    where = place(url.host, url.port or _PORTS.get(url.scheme, 0))
    if proxy is not None and step not in _PAST_THE_PROXY:
        where = f"the proxy {proxy}"
    words = str(error) or f"{type(error).__name__} in the stock transport"
    kind = type(error)
    if isinstance(error, httpx.ConnectError):
        words = _unconnected(where, error, step) or words
    elif isinstance(error, httpx.ConnectTimeout) and connect_s is not None:
        words = f"no connection to {where} within {connect_s:g} s (connect time-out)"
    elif isinstance(error, httpx.ProxyError) and proxy is not None:
        words = f"the proxy {proxy} refused the connection: {words}"
    elif isinstance(error, httpx.RemoteProtocolError) and not any(word in words for word in _CUT):
        kind, words = UnreadableReply, f"the server's answer is not proper HTTP: {words}"
    return kind(words, request=request)


def _unconnected(where: str, error: httpx.ConnectError, step: str) -> str | None:
    """Why there is no connection; None when no cause tells."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError):
            return tls_words(where, cause)
        if isinstance(cause, OSError) and cause.errno:
            return tls_words(where, cause) if step.endswith("start_tls") else refused_words(where, cause)
    return f"{where} closed the connection during the TLS handshake" if step.endswith("start_tls") else None
