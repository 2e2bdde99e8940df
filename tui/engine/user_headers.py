"""API keys and headers that people hand in, checked before anything is sent.

No error here repeats a value: it may be a key.
"""

import re

from tui.core.errors import UsageError
from tui.core.secrets import Secret

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""These say where a request ends and what becomes of its connection. One of the user's would garble the exchange."""


def checked_key(where: str, text: str) -> Secret:
    """An API key without the blanks around it (a file's last newline); UsageError names `where` it came from."""
    return _checked_value(where, text)


def checked_header(where: str, name: str, value: str) -> tuple[str, Secret]:
    """A header of the user's own; UsageError names `where` it came from."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(where, "a header's name has letters, digits and dashes", "write it as NAME: VALUE")
    if name.lower() in _FRAMING:
        raise UsageError(where, f"{name.lower()} is set for each request by itself", "leave it out")
    return name, _checked_value(where, value)


def _checked_value(where: str, text: str) -> Secret:
    value = text.strip()
    if _VALUE.fullmatch(value) is None:
        raise UsageError(where, "the value has characters that no header may carry", "use plain ASCII, on one line")
    return Secret(value)
