"""What every view of a run has in common: a window on a list, a focus in it, and what it asks of the engine.

A view draws a Snapshot that was made for it and knows no session and no app; the screen around it sends what it
asks for. A picture that was made for another view or another question is not drawn.
"""

from typing import ClassVar, NamedTuple

from textual.message import Message

from tui.core.calls import State
from tui.core.commands import Watch
from tui.core.snapshot import Snapshot
from tui.dashboard.footer import Hint
from tui.dashboard.rows import Rows


class Focused(NamedTuple):
    """The call that keys such as Enter and `c` mean."""

    call: int
    state: State


class View(Rows, can_focus=True):
    """One way to look at a run. Its bindings hold while it is shown, for it has the keyboard then."""

    NAME: ClassVar[str]
    """One of `core.views.VIEWS`."""
    HINTS: ClassVar[list[Hint]]
    """The keys worth a place in the last row, the most useful first."""
    FILTERS: ClassVar[bool] = False
    """Whether the filter says which calls it shows."""
    DEFAULT_CSS = "View { height: 1fr; }"

    class Moved(Message):
        """Window, focus, order or size is another one: what is watched changes."""

    class Opened(Message):
        """A call was asked for in full."""

        def __init__(self, call: int) -> None:
            super().__init__()
            self.call = call

    @property
    def focused_call(self) -> Focused | None:
        """The call that has the focus, as it was drawn."""
        return None

    @property
    def owes_figures(self) -> bool:
        """Whether the next frame has something to draw even when nothing new has come."""
        return False

    def wanted(self) -> Watch:
        """What to ask the engine for; the screen adds the filter and the open call."""
        return Watch(view=self.NAME)

    def draw(self, snapshot: Snapshot, now: int, figures_due: bool = True, charts_due: bool = True) -> None:
        """Show `snapshot`, which was made for this view; `now` is in the snapshot's time.

        Called up to 15 times a second; `figures_due` 5 times and `charts_due` twice a second.
        """
        raise NotImplementedError

    def where(self, snapshot: Snapshot) -> str:
        """Where the window stands, for the end of the last row: `calls 1–16 of 400`."""
        return ""

    def step(self, by: int) -> bool:
        """Move the focus to the call before (-1) or after (1) in the list; False where there is no list."""
        return False

    def restart(self) -> None:
        """The filter is another one: show the list from where it begins. What lists no calls need not care."""

    def recolour(self) -> None:
        """The colours are others: make every row anew."""
        raise NotImplementedError

    def mark_columns(self, marked: bool) -> None:
        """Whether rows may carry column marks. Not under a dialog: Textual draws what lies behind a transparent
        screen through its line filters, and those take the marks for text.
        """
