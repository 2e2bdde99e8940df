"""Which models a server has: one GET before a run, for those who named none."""

import asyncio
import ssl

import httpx
import msgspec

from tui.core.errors import UsageError
from tui.core.untrusted import clean_line
from tui.engine.endpoint import Endpoint
from tui.engine.transport import causes, make_transport
from tui.wire.chat import models_url, read_error

_LIMIT = 4 << 20
_SHOWN = 8


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


async def list_models(endpoint: Endpoint, timeout_s: float = 10.0) -> list[str]:
    """The ids of the server's models, in its order. UsageError that names --base-url when it does not say."""
    url = models_url(endpoint.base_url)
    hint = "name the model with -m, or check --base-url"
    choice = make_transport(endpoint.base_url)
    headers = endpoint.request_headers() | {"accept": "application/json"}
    body = bytearray()
    async with httpx.AsyncClient(transport=choice.transport, trust_env=False) as client:
        try:
            # The whole of it: httpx's time-out is for each read, and a server can drip.
            async with (
                asyncio.timeout(timeout_s),
                client.stream("GET", url, headers=headers, timeout=timeout_s) as response,
            ):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > _LIMIT:
                        raise UsageError("--base-url", f"{url} answers with more than {_LIMIT >> 20} MiB", hint)
        except TimeoutError as error:
            hint = _unreachable(choice.proxy_named_by)
            raise UsageError("--base-url", f"{url} lists no models within {timeout_s:g} s", hint) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = clean_line(endpoint.redact(str(error))) or type(error).__name__
            hint = _hint_for(error, choice.proxy_named_by) or hint
            raise UsageError("--base-url", f"{endpoint.shown} cannot be asked for its models: {what}", hint) from error
    if response.status_code != 200:
        said = endpoint.redact(read_error(response.status_code, bytes(body)).message)
        hint = _hint_for_status(response.status_code, choice.proxy_named_by) or hint
        raise UsageError("--base-url", f"{url} answers HTTP {response.status_code}: {clean_line(said)}", hint)
    try:
        return [model.id for model in msgspec.json.decode(body, type=_Models).data]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError("--base-url", f"{url} does not answer with a list of models", hint) from error


async def only_model(endpoint: Endpoint) -> str:
    """The server's only model; UsageError that names the choices when it has several."""
    models = await list_models(endpoint)
    if len(models) == 1:
        return models[0]
    if not models:
        raise UsageError("-m/--model", f"{endpoint.shown} lists no model", "name one with -m")
    names = ", ".join(clean_line(name) for name in models[:_SHOWN])
    more = f" and {len(models) - _SHOWN} more" if len(models) > _SHOWN else ""
    raise UsageError("-m/--model", f"{endpoint.shown} has {len(models)} models", f"name one with -m: {names}{more}")


def _hint_for(error: Exception, proxy_named_by: str | None) -> str | None:
    """What to do about an error of the transport; None: the address or the model is all there is to look at."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "if you trust the server, name its CA's certificate (PEM) in SSL_CERT_FILE"
        if isinstance(cause, ssl.SSLError):
            return "check whether --base-url should begin with http:// or https://, and its port"
    if isinstance(error, httpx.NetworkError | httpx.TimeoutException | httpx.ProxyError):
        return _unreachable(proxy_named_by)
    return None


def _hint_for_status(status: int, proxy_named_by: str | None) -> str | None:
    if status in (401, 403):
        return "check the key (--api-key-env)"
    if status == 429:
        return "wait a little, or name the model with -m"
    return _unreachable(proxy_named_by) if status >= 500 else None


def _unreachable(proxy_named_by: str | None) -> str:
    if proxy_named_by is None:
        return "check that the server runs and that --base-url is its address"
    return f"check the proxy that {proxy_named_by} names, or put the server's name into NO_PROXY"
