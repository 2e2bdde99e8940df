"""What a chat completion's bytes turn into, one piece at a time. Values only, no instants: the engine stamps."""

import msgspec

from tui.core.calls import TextKind, Usage


class Delta(msgspec.Struct, frozen=True, gc=False):
    """A non-empty piece of text."""

    kind: TextKind
    text: str
    """Valid Unicode (never a surrogate), otherwise as the server sent it: whoever shows it cleans it."""
    choice: int = 0
    tool: int = 0
    """Which tool call of the choice it belongs to; meant for `TextKind.TOOL` only."""


class ToolStart(msgspec.Struct, frozen=True, gc=False):
    """A tool call began, or its name grew: `name` is all of it so far."""

    choice: int
    index: int
    id: str
    name: str


class UsageSeen(msgspec.Struct, frozen=True, gc=False):
    """The server counted tokens; the last one of an answer wins."""

    usage: Usage


class Stop(msgspec.Struct, frozen=True, gc=False):
    """A choice came to its end (`stop`, `length`, `tool_calls`, `content_filter`, …)."""

    reason: str
    choice: int


class WireError(msgspec.Struct, frozen=True, gc=False):
    """The server said that it failed, or sent something that cannot be read."""

    message: str
    """One clean line."""
    code: str | None = None
    """The provider's own code, such as `insufficient_quota`; a number as digits."""
    type: str | None = None
    status: int | None = None
    """The HTTP status, or the one (400 to 599) that code or type stand for; None when that is unknown."""


class StreamEnd(msgspec.Struct, frozen=True, gc=False):
    """The server said that the stream is over (`[DONE]`)."""


Piece = Delta | ToolStart | UsageSeen | Stop | WireError | StreamEnd
