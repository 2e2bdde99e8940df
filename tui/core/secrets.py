"""Secrets that cannot be printed by accident."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from sys import intern


class Secret:
    """An API key or token. Its text comes out of `reveal` only; every other view is `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself, for the request's header and nothing else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never pickled")


MOST_HEADERS = 64
MOST_HEADER_CHARS = 500

# By the last word of the name: `x-api-key` and `set-cookie` are secrets, `x-ratelimit-remaining-tokens` is not.
_SECRET_NAME = re.compile(
    r"(?:^|[-_])(?:authorization|auth|cookie2?|credentials?|jwt|(?:api|access)?key|password|secret"
    r"|session(?:-?id)?|signature|(?:access)?token)$"
)


def masked_headers(headers: Mapping[str, str], redact: Callable[[str], str]) -> tuple[tuple[str, str], ...]:
    """Response headers as they may be shown: `***` for what a name says is secret, our own secrets taken out.

    Names come in lower case. At most `MOST_HEADERS`, each cut to `MOST_HEADER_CHARS`.
    """
    # Redacted before it is cut: what a cut leaves of a secret could not be told from other text.
    return tuple(
        (intern(name[:MOST_HEADER_CHARS]), _shown_value(name, value, redact))
        for name, value in islice(headers.items(), MOST_HEADERS)
    )


def _shown_value(name: str, value: str, redact: Callable[[str], str]) -> str:
    return "***" if _SECRET_NAME.search(name) else redact(value)[:MOST_HEADER_CHARS]


SHORTEST = 6
"""A secret of fewer characters ("x", "none") is a placeholder, and replacing it would garble text."""


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """`text` without the secrets: servers echo keys in error bodies, and long messages are cut anywhere."""
    parts = sorted({part for secret in secrets for part in _parts(secret.reveal())}, key=len, reverse=True)
    for part in parts:
        text = text.replace(part, "***")
    for part in parts:
        begun_at = _begun_at(text, part)
        if begun_at is not None:
            text = f"{text[:begun_at]}***"
    return text


class Mask:
    """Takes secrets out of what is shown while it grows: an asterisk for each character, so that no length changes.

    A pane's text is a slice that ends at a count of characters; `***` for a key would shift it. A secret that the end
    of a text cuts is hidden from its sixth character on.
    """

    __slots__ = ("_parts", "longest")

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        parts = {part for secret in secrets for part in _parts(secret.reveal())}
        self._parts = [(part, "*" * len(part)) for part in sorted(parts, key=lambda part: (-len(part), part))]
        self.longest = len(self._parts[0][0]) if self._parts else 0
        """Characters of the longest secret: who wants a part of a text masks so much more of it, and then cuts."""

    def __call__(self, text: str) -> str:
        """`text` without the secrets, as long as it was; the same object when there are none to hide."""
        for part, stars in self._parts:
            text = text.replace(part, stars)
        for part, stars in self._parts:
            begun_at = _begun_at(text, part)
            if begun_at is not None:
                text = text[:begun_at] + stars[: len(text) - begun_at]
        return text


NO_MASK = Mask()


def _begun_at(text: str, part: str) -> int | None:
    """Where a secret begins that the end of `text` cuts."""
    at = max(0, len(text) - len(part) + 1)
    while (at := text.find(part[:SHORTEST], at)) >= 0:
        if part.startswith(text[at:]):
            return at
        at += 1
    return None


def _parts(secret: str) -> list[str]:
    """What must not be seen of a secret: all of it and, of "Bearer sk-…", what comes after the scheme."""
    credentials = secret.partition(" ")[2].strip()
    return [part for part in (secret, credentials) if len(part) >= SHORTEST]
