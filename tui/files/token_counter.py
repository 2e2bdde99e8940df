"""How many tokens a text has, by tiktoken. Never downloads: without ranks on disk it estimates and says so.

Loading takes 0.1 to 1 s and tens of megabytes, so it belongs in a thread, after the first request.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tui.core.live_tokens import estimated_tokens, last_cut
from tui.files.prompt_texts import counted_texts, overhead_tokens
from tui.files.token_ranks import RANKS, RanksMissing, ranks_folder

if TYPE_CHECKING:
    import tiktoken

DEFAULT_ENCODING = "o200k_base"
"""For models tiktoken does not know: the encoding of OpenAI's models since 2024."""
MAX_SLICE = 16_000
"""Characters that tiktoken gets at once. Its pattern overflows its stack on a million blanks (a Rust panic,
which is no Exception), and a word of a million letters takes half a second at a stretch."""

_loading = threading.Lock()
"""One load at a time: a load sets an environment variable for its duration."""


class TokenCounter:
    """Counts tokens in one encoding, or estimates them where there is none. Safe to use from any thread."""

    def __init__(self, encoding_name: str | None, note: str | None = None) -> None:
        """Loads the encoding (blocks); RanksMissing when it cannot be had. None: estimate."""
        self.encoding_name = encoding_name
        self.note = note
        """What people should know about these counts; None when there is nothing."""
        self._encoding = None if encoding_name is None else _load(encoding_name)

    def count(self, text: str) -> int:
        """Tokens of a text. Special tokens in it are read as plain text."""
        if self._encoding is None:
            return estimated_tokens(len(text))
        encode = self._encoding.encode_ordinary
        total = start = 0
        while len(text) - start > MAX_SLICE:
            piece = text[start : start + MAX_SLICE + 1]
            cut = last_cut(piece, MAX_SLICE) or MAX_SLICE
            total += len(encode(piece[:cut]))
            start += cut
        return total + len(encode(text[start:] if start else text))

    def prompt_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tokens of a chat prompt, with OpenAI's overhead a message; images and tools are not counted."""
        return overhead_tokens(messages) + sum(map(self.count, counted_texts(messages)))


def load_counter(model: str) -> TokenCounter:
    """The counter for a model; blocks while it loads. Never fails: at worst it estimates."""
    try:
        name = _encoding_name(model)
        note = None
        if name not in RANKS:
            note = f"tokens are counted with {DEFAULT_ENCODING} instead of {name}"
            name = DEFAULT_ENCODING
        return TokenCounter(name, note)
    except RanksMissing as missing:
        return TokenCounter(None, f"tokens are estimated at four characters each: {missing}")


def _encoding_name(model: str) -> str:
    import tiktoken

    # Models are also named "openai/gpt-4o"; what is after the last slash is what tiktoken knows.
    try:
        return tiktoken.encoding_name_for_model(model.rpartition("/")[2])
    except KeyError:
        return DEFAULT_ENCODING


def _load(encoding_name: str) -> "tiktoken.Encoding":
    import tiktoken

    with _loading, ranks_folder(encoding_name) as folder, _environment("TIKTOKEN_CACHE_DIR", str(folder)):
        return tiktoken.get_encoding(encoding_name)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
