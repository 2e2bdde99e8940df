"""How providers of the OpenAI dialect say that something went wrong. Never raises on what they send.

Shapes seen: `{"error": {message, type, code, param}}` (OpenAI), a list around it (Gemini), `"type": "error"`
beside it (Anthropic), `{"error": "text", "error_type": …}` (TGI), `{"object": "error", "message": …}` (vLLM),
`{"detail": …}` (FastAPI), `{"errors": […]}` (Cloudflare), `{"message": …}`, and proxies' HTML.
"""

import json
import math
from http import HTTPStatus
from typing import Any

import msgspec

from tui.core.untrusted import clean_line
from tui.wire.chat_pieces import WireError
from tui.wire.html_page import words_of_page

MESSAGE_CHARS = 1000
"""The most that is kept of a provider's own message."""
EXCERPT_CHARS = 200
"""The most that is kept of something that is not an error message: a web page, an unreadable chunk."""
_NAME_CHARS = 100
_PAGE_BYTES = 16 << 10
_DEPTH = 3

_STATUS_BY_NAME = {
    "invalidrequest": 400,
    "badrequest": 400,
    "invalidargument": 400,
    "contextlengthexceeded": 400,
    "contentfilter": 400,
    "failedprecondition": 400,
    "authentication": 401,
    "invalidauthentication": 401,
    "invalidapikey": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "permission": 403,
    "permissiondenied": 403,
    "notfound": 404,
    "modelnotfound": 404,
    "requesttoolarge": 413,
    "unprocessableentity": 422,
    "validation": 422,
    "ratelimit": 429,
    "ratelimited": 429,
    "ratelimitexceeded": 429,
    "ratelimitreached": 429,
    "toomanyrequests": 429,
    "throttling": 429,
    "resourceexhausted": 429,
    "requests": 429,  # OpenAI's `type` of a 429 is what ran out
    "tokens": 429,
    "insufficientquota": 429,
    "quotaexceeded": 429,
    "exceededcurrentquota": 429,
    "engineoverloaded": 429,  # Moonshot answers 429 with it
    "server": 500,
    "internalserver": 500,
    "internal": 500,
    "api": 500,
    "generation": 500,
    "badgateway": 502,
    "overloaded": 503,
    "overcapacity": 503,
    "serveroverloaded": 503,
    "unavailable": 503,
    "serviceunavailable": 503,
    "gatewaytimeout": 504,
    "deadlineexceeded": 504,
    "timeout": 504,
}
"""Codes and types without case, separators and a final "error"."""


def read_error(status: int, body: bytes) -> WireError:
    """What a response with a status other than 200 says, in whatever form it says it."""
    found = find_error(parse_leniently(body))
    if found is not None:
        return msgspec.structs.replace(found, status=status)
    text = body[:_PAGE_BYTES].decode("utf-8-sig", "replace")
    words = words_of_page(text, status)
    if words is None:
        words = text[: 16 * EXCERPT_CHARS]
    return WireError(_one_line(words)[:EXCERPT_CHARS] or _phrase(status), None, None, status)


def parse_leniently(text: str | bytes) -> Any:
    """JSON as Python values, with what strict readers refuse (lone surrogates, NaN, a BOM); None if it is not JSON."""
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", "replace")
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):  # "maximum recursion depth exceeded": 100,000 brackets are no answer
        return None


def as_json(value: Any) -> str:
    """A decoded JSON value as JSON again; "" when it is nested too deeply for Python to write."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""


def find_error(value: Any, depth: int = _DEPTH) -> WireError | None:
    """The error that a decoded JSON value states; None when it states none."""
    if depth == 0:
        return None
    if isinstance(value, list):
        return find_error(value[0], depth - 1) if value else None
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    if isinstance(inner, dict) and inner:
        return _error(_message(inner, depth) or _compact(inner), inner, value)
    if inner and isinstance(inner, str):
        return _error(_message(value, depth) or inner, value)
    if inner and not isinstance(inner, bool | list):
        return _error(_message(value, depth) or _compact(inner), value)
    if isinstance(errors := value.get("errors"), list) and errors:
        first = errors[0]
        return _error(first, value) if isinstance(first, str) else find_error({"error": first}, depth - 1)
    message = _message(value, depth)
    if message or value.get("object") == "error" or value.get("type") == "error":
        return _error(message or _compact(value), value)
    return None


def error_of(value: Any) -> WireError:
    """The error in the value of an `error` field, whatever its type."""
    return find_error({"error": value}) or WireError(_line(_compact(value)))


def excerpt_of(what: str, text: str) -> WireError:
    """An error that shows the beginning of `text`, which could not be read."""
    return WireError(f"{what}: {_one_line(text[: 4 * EXCERPT_CHARS])}"[:EXCERPT_CHARS])


def name_of(value: Any) -> str | None:
    """A code, type, id or the like as a short clean text; None when it is absent, empty or no name."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        # Digits of an int are quadratic work, and Python refuses beyond 4,300 of them.
        return str(value) if -(10**18) < value < 10**18 else None
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 1e18:
        return str(int(value))
    return (clean_line(value[: 2 * _NAME_CHARS])[:_NAME_CHARS] or None) if isinstance(value, str) else None


def _error(message: str, *sources: dict[str, Any]) -> WireError:
    """An error of `message` with the first code, type and status among the sources."""
    code = _first(sources, "code", "error_code")
    kind = _first(sources, "type", "error_type")
    if kind == "error":  # Anthropic's envelope
        kind = None
    status = (
        _as_status(code)
        or _STATUS_BY_NAME.get(_fold(code))
        or _STATUS_BY_NAME.get(_fold(kind))
        or _as_status(_first(sources, "status_code", "status"))
        or _STATUS_BY_NAME.get(_fold(_first(sources, "status")))
    )
    if code is None and _fold(kind) == "insufficientquota":
        code = kind  # whoever stops at a spent quota looks at the code
    return WireError(_line(message), code, kind, status)


def _message(source: dict[str, Any], depth: int) -> str:
    """The words in `message`, `msg` or `detail`, which may themselves be an error object; "" without any."""
    for key in ("message", "msg", "detail"):
        value = source.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if key == "detail" and isinstance(value, list):
            return "; ".join(_complaint(item) for item in value[:5])
        if isinstance(value, dict) and (found := find_error(value, depth - 1)) is not None:
            return found.message
    return ""


def _complaint(item: Any) -> str:
    """One item of FastAPI's list of what is wrong with a request: `body.messages: Field required`."""
    if not isinstance(item, dict) or not isinstance(item.get("msg"), str):
        return _compact(item)
    where = item.get("loc")
    if not isinstance(where, list):
        return str(item["msg"])
    return f"{'.'.join(name_of(part) or '?' for part in where[:10])}: {item['msg']}"


def _first(sources: tuple[dict[str, Any], ...], *keys: str) -> str | None:
    for source in sources:
        for key in keys:
            if (name := name_of(source.get(key))) is not None:
                return name
    return None


def _as_status(name: str | None) -> int | None:
    if name is not None and len(name) == 3 and name.isascii() and name.isdigit() and 400 <= int(name) <= 599:
        return int(name)
    return None


def _fold(name: str | None) -> str:
    """`RateLimitError`, `rate_limit_error` and `rate-limit` as one: `ratelimit`."""
    letters = (name or "").lower().translate({ord(c): None for c in "_- ."})
    return letters if letters == "error" else letters.removesuffix("error")


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)[: 4 * EXCERPT_CHARS]


def _line(text: str) -> str:
    return _one_line(text[: 2 * MESSAGE_CHARS])[:MESSAGE_CHARS] or "an error without a message"


def _one_line(text: str) -> str:
    return clean_line(text.replace("\r", " "))  # the CR of a web page's line ends is no attack


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"
