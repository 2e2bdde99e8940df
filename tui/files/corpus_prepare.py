"""A document made ready for its calls: counted, cut or split if it is too long, put into the prompt. Reads no file."""

import hashlib
from collections.abc import Mapping

from tui.core.cutting import cut, split
from tui.core.documents import Messages, Prepared
from tui.core.figures import exact
from tui.core.template import Template
from tui.files.corpus import CorpusPlan
from tui.files.corpus_text import Document, UnreadableError
from tui.files.token_counter import TokenCounter

MAX_PARTS = 10_000
"""A document of more is an error: a limit of a few tokens would else make a million requests of one file."""
MAX_ASKED_CHARS = 256 << 20
"""Of all requests of one document together."""


class Preparer:
    """Prepares documents for one plan."""

    def __init__(self, plan: CorpusPlan, template: Template, counter: TokenCounter | None) -> None:
        """`counter`: None when nothing is to be counted."""
        self._plan = plan
        self._template = template
        self._counter = counter
        self._literal_chars = sum(map(len, template.literals)) + len(plan.system or "")

    def prepare(self, number: int, document: Document) -> Prepared:
        """The document with its number, which counts from 1; with an error if nothing can be asked about it."""
        if document.error is not None:
            return Prepared(number=number, id=document.id, source=document.source, error=document.error)
        hash = "" if document.text is None else _sha256(document.text)
        try:
            return self._prepared(number, document, hash)
        except UnreadableError as unfit:
            error = str(unfit)
            return Prepared(number=number, id=document.id, source=document.source, hash=hash, error=error)

    def _prepared(self, number: int, document: Document, hash: str) -> Prepared:
        plan, counter = self._plan, self._counter
        text = document.text or ""
        # By the name of its field as well: that is the same text, and as short.
        text_names = {"text", plan.field} - document.values.keys()
        text_places = sum(name in text_names for name in self._template.places)
        if text_places and not text.strip():
            raise UnreadableError("is empty")
        parts, cut_tokens, document_tokens = [text], 0, None
        if counter is not None and document.text is not None:
            document_tokens = counter.count(text)
            most = plan.max_input_tokens
            if text_places and most is not None and document_tokens > most:
                parts, cut_tokens = self._shortened(text, most, document_tokens, counter)
        self._check_size(parts, document.values, text_places)
        asks = tuple(self._messages({**document.values, **dict.fromkeys(text_names, part)}) for part in parts)
        return Prepared(
            number=number,
            id=document.id,
            source=document.source,
            # A row without a text is known by what is asked about it.
            hash=hash or _sha256(asks[0][-1]["content"]),
            asks=asks,
            tokens=() if counter is None else tuple(map(counter.prompt_tokens, asks)),
            document_tokens=document_tokens,
            cut_tokens=cut_tokens,
        )

    def _shortened(self, text: str, most: int, tokens: int, counter: TokenCounter) -> tuple[list[str], int]:
        """The parts that are asked about, and the tokens that were cut away."""
        match self._plan.long:
            case "cut":
                short = cut(text, most, counter.count, tokens)
                return [short.text], short.cut_tokens
            case "split":
                if tokens > most * MAX_PARTS:
                    raise UnreadableError(f"has {exact(tokens)} tokens: too many for {exact(MAX_PARTS)} parts")
                return split(text, most, counter.count, tokens), 0
            case "refuse":
                raise UnreadableError(f"has {exact(tokens)} tokens, where --max-input-tokens allows {exact(most)}")

    def _check_size(self, parts: list[str], values: Mapping[str, str], text_places: int) -> None:
        """UnreadableError when all requests together were absurdly large: a prompt may name a text many times."""
        others = sum(len(values.get(name, "")) for name in self._template.places)
        chars = (self._literal_chars + others) * len(parts) + text_places * sum(map(len, parts))
        if chars > MAX_ASKED_CHARS:
            raise UnreadableError(f"would be asked about with {exact(chars)} characters")

    def _messages(self, values: Mapping[str, str]) -> Messages:
        user = {"role": "user", "content": self._template.render(values)}
        return (user,) if self._plan.system is None else ({"role": "system", "content": self._plan.system}, user)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
