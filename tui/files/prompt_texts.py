"""What of a chat prompt is counted: its texts, and OpenAI's overhead for each message. Counts nothing itself.

Source: OpenAI's cookbook, "How to count tokens with tiktoken": every reply is primed with three tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_TOKENS_A_MESSAGE = 3
_TOKENS_A_NAME = 1
_TOKENS_A_REPLY = 3


def counted_texts(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Every text of a prompt; images and tools are not counted."""
    for message in messages:
        for field, value in message.items():
            if isinstance(value, str):
                yield value
            elif field == "content" and isinstance(value, list):
                for part in value:
                    if isinstance(part, dict) and isinstance(part.get("text"), str):
                        yield part["text"]


def overhead_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Tokens of a prompt beside those of its texts."""
    names = sum("name" in message for message in messages)
    return _TOKENS_A_REPLY + _TOKENS_A_MESSAGE * len(messages) + _TOKENS_A_NAME * names
