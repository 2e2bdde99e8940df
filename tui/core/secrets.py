"""Secrets that cannot be printed by accident."""

from collections.abc import Iterable


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


SHORTEST = 6
"""A secret of fewer characters ("x", "none") is a placeholder, and replacing it would garble text."""


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """`text` without the secrets: servers echo keys in error bodies, and long messages are cut anywhere."""
    parts = sorted({part for secret in secrets for part in _parts(secret.reveal())}, key=len, reverse=True)
    for part in parts:
        text = text.replace(part, "***")
    for part in parts:
        begun = next((size for size in range(len(part) - 1, SHORTEST - 1, -1) if text.endswith(part[:size])), 0)
        if begun:
            text = f"{text[:-begun]}***"
    return text


def _parts(secret: str) -> list[str]:
    """What must not be seen of a secret: all of it and, of "Bearer sk-…", what comes after the scheme."""
    credentials = secret.partition(" ")[2].strip()
    return [part for part in (secret, credentials) if len(part) >= SHORTEST]
