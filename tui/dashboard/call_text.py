"""The text of one call as it comes in, and its rows as received. Bounded; asks nobody for what it lacks.

The engine sends the whole text once and only its end from then on (core/commands.py, Watch). What came is put
together here, for the rows, for Markdown and for the clipboard.
"""

from textual.strip import Strip

from tui.core import figures
from tui.dashboard.call_page import MARGIN, Page
from tui.dashboard.paint import Row
from tui.dashboard.pane import CARET
from tui.dashboard.wrap import Wrap

MOST_CHARS = 200_000
"""What the engine sends of a text at most; no more of it is kept."""

_SLACK_CHARS = 20_000
"""A text that outgrows the bound is cut this much too late, so that it is not wrapped anew with every frame."""


class CallText:
    """The end of a growing text, put together from slices of which each says where it ends."""

    def __init__(self) -> None:
        self.chars = ""
        self.end = 0
        """Characters of the text so far; `chars` is the slice that ends there."""
        self.complete = False
        """Nothing is missing that the engine could send: false until a whole text came, and again after a gap."""
        self.version = object()
        """Another one: `chars` is another text, or begins elsewhere; the same: it only grew."""
        self._of: object = None

    @property
    def start(self) -> int:
        """How many characters before `chars` are not here."""
        return self.end - len(self.chars)

    def take(self, of: object, slice_: str, end: int, whole: bool) -> bool:
        """Take in the slice that ends at character `end` of the text that `of` names; whether anything changed.

        `whole`: the engine sent all that it has of the text.
        """
        whole = whole or len(slice_) == end
        new = end - self.end
        if of != self._of or new < 0 or (whole and not self.complete):
            changed = of != self._of or (slice_, end) != (self.chars, self.end)
            self._of, self.complete = of, whole
            if changed:
                self.chars, self.end = slice_, end
                self.version = object()
            return changed
        if new > len(slice_):
            # The picture before this one never came: what is here stays until the whole has been sent again.
            self.complete = False
            return False
        if not new:
            return False
        self.chars += slice_[len(slice_) - new :]
        self.end = end
        if len(self.chars) > MOST_CHARS + _SLACK_CHARS:
            self.chars = self.chars[-MOST_CHARS:]
            self.version = object()
        return True

    def missing(self) -> str | None:
        """What people have to know of what is not here; None: it is all here."""
        if not self.complete or not self.start:
            return None
        if not self.chars:
            return "its text is no longer in memory; the record has it"
        return f"the last {figures.exact(len(self.chars))} of {figures.exact(self.end)} characters; the record has all"


class TextPage(Page):
    """A text as it was received, wrapped once: only its last row changes while it grows."""

    follows = True

    def __init__(self) -> None:
        super().__init__()
        self._wrap = Wrap(2)
        self._version: object = None
        self._fed = 0
        self._live = False
        self._made: dict[tuple[str, bool], Strip] = {}

    def update(self, text: CallText, live: bool) -> None:
        """Wrap what is new; `live`: more is to come."""
        self._live = live
        self.note = text.missing()
        if text.version != self._version:
            self._version, self._fed = text.version, 0
            self._wrap = Wrap(self.text_width)
        if self._fed < len(text.chars):
            self._wrap.feed(text.chars[self._fed :])
            self._fed = len(text.chars)

    def refit(self) -> None:
        self._version = None
        self._made = {}

    @property
    def length(self) -> int:
        return len(self._wrap.closed) + bool(self._wrap.open or self._live)

    def rows(self, first: int, count: int) -> list[Strip]:
        closed = self._wrap.closed
        made: dict[tuple[str, bool], Strip] = {}
        rows = []
        for index in range(first, min(self.length, first + count)):
            is_open = index == len(closed)
            line, caret = (self._wrap.open, self._live) if is_open else (closed[index], False)
            strip = made.get((line, caret)) or self._made.get((line, caret)) or self._row(line, caret)
            made[line, caret] = strip
            rows.append(strip)
        self._made = made
        return rows

    def _row(self, line: str, caret: bool) -> Strip:
        style = self.theme.style
        row = Row(self.width, style("text")).put(" " * MARGIN).put(line)
        return (row.put(CARET, style("accent")) if caret else row).strip()
