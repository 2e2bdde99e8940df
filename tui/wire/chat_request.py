"""What is asked of a server of the OpenAI dialect: addresses and request bodies. Sends nothing."""

import ipaddress
import json
import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tui.core.calls import CallPlan
from tui.core.errors import UsageError

_FLAG = "--base-url"
_CHAT = "/chat/completions"
_FOUR_NUMBERS = re.compile(r"\d+(\.\d+){3}")
_HINT = "write it as https://host/v1 or http://127.0.0.1:8000/v1"


def request_body(plan: CallPlan, stream: bool = True) -> bytes:
    """The JSON body of one chat completion request.

    A stream is asked to count its tokens at the end (`stream_options.include_usage`). Whatever `plan.params`
    says wins; a `stream_options` of None in it keeps the field out, for servers that refuse to know it.
    """
    body: dict[str, Any] = {"model": plan.model, "messages": plan.messages, "stream": stream, **plan.params}
    options = body.pop("stream_options", {})
    if body["stream"] and isinstance(options, dict):
        options = {"include_usage": True, **options}
    if options:
        body["stream_options"] = options
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        # A prompt with a lone surrogate has no UTF-8; JSON can still escape it, and the server may judge.
        return json.dumps(body).encode("ascii")


def chat_url(base_url: str) -> str:
    """Where chat completions are asked for; `base_url` is normalised."""
    return f"{base_url}{_CHAT}"


def models_url(base_url: str) -> str:
    """Where the server lists its models; `base_url` is normalised."""
    return f"{base_url}/models"


def normalise_base_url(text: str) -> str:
    """`text` as an address without a final slash; an empty path becomes `/v1`.

    Raises UsageError. Its message never repeats the address, which may hold a password.
    """
    if any(c.isspace() or not c.isprintable() or c == "\\" for c in text):
        raise UsageError(_FLAG, "the address holds a blank, a backslash or a control character", _HINT)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        place = text.partition("://")[2].partition("/")[0]
        bare_ipv6 = place.count(":") > 1 and "@" not in place
        hint = "write an IPv6 address in brackets: http://[::1]:8000/v1" if bare_ipv6 else _HINT
        raise UsageError(_FLAG, "the address has a bad host or port", hint) from None
    if parts.scheme not in ("http", "https") or not text[len(parts.scheme) :].startswith("://"):
        raise UsageError(_FLAG, "the address must begin with http:// or https://", _HINT)
    if "@" in parts.netloc:
        hint = "give the key in the environment (--api-key-env NAME) and leave user and password out"
        raise UsageError(_FLAG, "the address holds a user name or password", hint)
    if "?" in text or "#" in text:
        raise UsageError(_FLAG, "the address has a query or fragment", "leave out everything from ? or # on")
    if not host:
        raise UsageError(_FLAG, "the address has no host", _HINT)
    if not _can_be_a_host(host):
        raise UsageError(_FLAG, "the address has a host that no name can be", "check its dots and its spelling")
    if port == 0:
        raise UsageError(_FLAG, "the address has port 0", _HINT)
    path = parts.path.rstrip("/")
    if path.endswith(_CHAT):
        raise UsageError(_FLAG, f"the address ends in {_CHAT}", f"leave {_CHAT} out of --base-url; it is added")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc = f"{netloc}:{port}"
    return f"{parts.scheme}://{netloc}{path or '/v1'}"


def _can_be_a_host(host: str) -> bool:
    """Whether a look-up or TLS could take it: they raise for empty and overlong labels and half an address."""
    try:
        if ":" in host or _FOUR_NUMBERS.fullmatch(host):
            ipaddress.ip_address(host)
        else:
            host.encode("idna")
    except ValueError:  # UnicodeError is one
        return False
    return True
