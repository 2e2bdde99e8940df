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


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """`text` without the secrets: servers echo keys in error bodies."""
    for secret in secrets:
        # A secret of a few characters ("x", "none") is a placeholder, and replacing it would garble text.
        if len(secret.reveal()) >= 6:
            text = text.replace(secret.reveal(), "***")
    return text
