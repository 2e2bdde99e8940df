"""The OpenAI chat-completions dialect: what is asked, what comes back. The page to import it from."""

from tui.wire.chat_errors import read_error
from tui.wire.chat_pieces import Delta, Piece, Stop, StreamEnd, ToolStart, UsageSeen, WireError
from tui.wire.chat_reader import ChatReader
from tui.wire.chat_request import chat_url, models_url, normalise_base_url, request_body

__all__ = [
    "ChatReader",
    "Delta",
    "Piece",
    "Stop",
    "StreamEnd",
    "ToolStart",
    "UsageSeen",
    "WireError",
    "chat_url",
    "models_url",
    "normalise_base_url",
    "read_error",
    "request_body",
]
