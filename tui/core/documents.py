"""What a batch is made of: documents, prepared for their calls, and where a call of a batch comes from. Values only."""

from typing import Any

import msgspec

Messages = tuple[dict[str, Any], ...]
"""Chat messages as the API takes them."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """One document of the corpus, read, rendered and ready to be asked about; or why it cannot be."""

    number: int
    """Counts from 1 in the order of the input."""
    id: str
    """Its own, by `--id-field`; else what names it: a path, or a path and a line."""
    source: str
    """Where it was read: `notes/a.md`, `rows.jsonl:17`, `stdin:3`."""
    hash: str = ""
    """SHA-256 (hex) of its text as UTF-8, before anything was cut; "" when it could not be read."""
    asks: tuple[Messages, ...] = ()
    """The messages of its calls: one of the whole document, or one of each part. Empty with an error."""
    tokens: tuple[int, ...] = ()
    """Of each of `asks`, by tiktoken or estimated, overhead included; empty when nobody asked for them."""
    document_tokens: int | None = None
    """Of the text alone, before anything was cut; None when nobody asked."""
    cut_tokens: int = 0
    """How many of them were cut away at its end."""
    error: str | None = None
    """Why nothing can be asked about it: it is not UTF-8, empty, has no such field, …"""


class DocumentPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which document a call is about, and which step of it."""

    number: int
    """The document's, as in `Prepared`."""
    id: str
    source: str
    hash: str
    part: int = 1
    """Which part of its level, from 1."""
    parts: int = 1
    """How many parts its level has."""
    level: int = 0
    """0: text of the document; above it, the answers of the level below are reduced to one or some."""
    part_of: tuple[int, ...] = ()
    """Above level 0: which parts of the level below it reduces."""
    cut_tokens: int = 0

    @property
    def title(self) -> str:
        """How lists name the call."""
        if self.level:
            return f"{self.id} · reduce" if self.parts == 1 else f"{self.id} · reduce {self.part}/{self.parts}"
        return self.id if self.parts == 1 else f"{self.id} · {self.part}/{self.parts}"
