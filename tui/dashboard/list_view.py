"""A view that is a window on a long list, a call a row: where the window stands, the cursor, scrolling, following.

Only the window travels, so a list of a hundred thousand calls scrolls like one of ten. Draws no row itself.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tui.core import figures
from tui.core.commands import Watch
from tui.core.snapshot import Snapshot
from tui.core.views import Bar, CallRow
from tui.dashboard.view import Focused, View

Entry = CallRow | Bar


class ListView(View):
    """Rows of calls under a head of `HEAD_ROWS` rows."""

    HEAD_ROWS: ClassVar[int] = 1
    FILTERS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "row above", key_display="↑"),
        Binding("down", "move(1)", "row below", key_display="↓"),
        Binding("pageup", "page(-1)", "a page up", key_display="PgUp"),
        Binding("pagedown", "page(1)", "a page down", key_display="PgDn"),
        Binding("home", "home", "first row, and stay there", key_display="Home"),
        Binding("end", "end", "last row, and follow what comes", key_display="End"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.first = 0
        self.cursor = 0
        """The index of the focused row, in the whole list."""
        self.listed = 0
        self.following = False
        """The window stays at the end of the list, and the cursor on its last row."""
        self.order = "id"
        self.descending = False
        self.entries: Sequence[Entry] = []
        """The window that was drawn last; its first one is number `drawn_first` of the list."""
        self.drawn_first = 0
        self._capacity = 0
        self._placed = False
        """The cursor was put where it is by hand, so it belongs to a call; else it is on the first row, whatever comes
        there while a list is being sorted."""

    @property
    def head_rows(self) -> int:
        """Rows above the first call, as they are now."""
        return self.HEAD_ROWS

    @property
    def capacity(self) -> int:
        """Calls that fit."""
        return max(1, self.size.height - self.head_rows)

    @property
    def drawn_cursor(self) -> int:
        """The row, from the first call's, that the cursor is drawn on.

        At the window's edge for as long as the picture of where it has gone is still to come: no frame is without it.
        """
        return max(0, min(self.cursor - self.drawn_first, len(self.entries) - 1))

    @property
    def focused_call(self) -> Focused | None:
        index = self.cursor - self.drawn_first
        entry = self.entries[index] if 0 <= index < len(self.entries) else None
        return Focused(entry.call, entry.state) if entry is not None else None

    def wanted(self) -> Watch:
        return Watch(self.NAME, self.first, self.capacity, self.following, self.order, self.descending)

    def where(self, snapshot: Snapshot) -> str:
        if snapshot.watch.view != self.NAME:
            return ""
        if not snapshot.listed:
            return "no calls"
        last = min(snapshot.listed, snapshot.first + self.capacity)
        follows = "following  " if self.following else ""
        all_of_them = f" ({figures.exact(snapshot.calls)} in all)" if snapshot.listed < snapshot.calls else ""
        place = f"{figures.exact(snapshot.first + 1)}–{figures.exact(last)} of {figures.exact(snapshot.listed)}"
        return f"{follows}calls {place}{all_of_them}"

    def take(self, snapshot: Snapshot, entries: Sequence[Entry]) -> bool:
        """Take the window in; False when it was made before the list was ordered as it is now."""
        watch = snapshot.watch
        if (watch.order, watch.descending) != (self.order, self.descending):
            return False
        before = self.focused_call
        self.entries, self.drawn_first, self.listed = entries, snapshot.first, snapshot.listed
        if self.following:
            if watch.follow:
                self.first = snapshot.first
            self.cursor = self.listed - 1
        elif self._placed and before is not None and watch.first == self.first and not watch.follow:
            # The list moves under the cursor while calls come and are sorted: it stays with its call while it can.
            moved = next((index for index, entry in enumerate(entries) if entry.call == before.call), None)
            if moved is not None:
                self.cursor = self.drawn_first + moved
        self.cursor = max(0, min(self.cursor, self.listed - 1))
        if not self.following and self.first > self._last_first:
            # Calls leave a filtered list; the window must not stand where nothing is any more.
            self.first = self._last_first
            self.post_message(self.Moved())
        return True

    def restart(self) -> None:
        self.first = self.cursor = 0
        self._placed = False
        self.entries = []
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """Keep the cursor in sight when there is room for more rows than before, or for fewer."""
        if self.capacity != self._capacity:
            self._capacity = self.capacity
            placed = self._placed
            self.put_cursor(self.cursor, self.following)
            self._placed = placed
            self.post_message(self.Moved())

    def put_cursor(self, row: int, following: bool = False) -> None:
        """Move the cursor, and the window with it."""
        row = max(0, min(row, self.listed - 1))
        first = min(self.first, row)
        first = max(first, row - self.capacity + 1)
        self._go(first, row, following)

    def scroll_rows(self, by: int) -> None:
        """Move the window; the cursor stays in sight."""
        first = max(0, min(self.first + by, self._last_first))
        row = max(first, min(self.cursor, first + self.capacity - 1))
        self._go(first, row, self.following and first == self._last_first)

    def sort_by(self, order: str, descending: bool) -> None:
        """Another order, from its start."""
        self.order, self.descending = order, descending
        self.following = False
        self.restart()

    @property
    def _last_first(self) -> int:
        """Where the window stands when it shows the end of the list."""
        return max(0, self.listed - self.capacity)

    def _go(self, first: int, cursor: int, following: bool) -> None:
        first = max(0, min(first, self._last_first))
        self._placed = True
        if (first, cursor, following) != (self.first, self.cursor, self.following):
            self.first, self.cursor, self.following = first, cursor, following
            self.post_message(self.Moved())

    def step(self, by: int) -> bool:
        self.put_cursor(self.cursor + by)
        return True

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.put_cursor(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move by pages."""
        cursor = max(0, min(self.cursor + by * self.capacity, self.listed - 1))
        self._go(self.first + by * self.capacity, cursor, False)

    def action_home(self) -> None:
        """To the first row, and stay there."""
        self.put_cursor(0)
        self._placed = False

    def action_end(self) -> None:
        """To the last row, and stay there."""
        self.put_cursor(self.listed - 1, following=True)

    def clicked_beside_rows(self, x: int, y: int) -> bool:
        """Whether a click at this cell meant something other than a row, which has then been done.

        Textual calls `on_click` of every class from here up, so that a view cannot put its own in this one's place.
        """
        return y < self.head_rows

    def on_click(self, event: events.Click) -> None:
        event.stop()
        x, y = int(event.x), int(event.y)
        index = y - self.head_rows
        if self.clicked_beside_rows(x, y) or not 0 <= index < len(self.entries):
            return
        self.put_cursor(self.drawn_first + index)
        if event.chain == 2 and (here := self.focused_call) is not None:
            self.post_message(self.Opened(here.call))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-3)


def thumb(first: int, shown: int, listed: int, height: int) -> tuple[int, int]:
    """Top and size of a scroll bar's thumb in `height` rows; size 0 when all of the list is shown.

    It touches an end of the bar only when the window stands at that end of the list.
    """
    if listed <= shown or height <= 0:
        return 0, 0
    size = max(1, min(height - 1, height * shown // listed)) if height > 1 else 1
    way, last_first = height - size, listed - shown
    first = max(0, min(first, last_first))
    top = round(way * first / last_first)
    if way >= 2 and 0 < first < last_first:
        top = max(1, min(top, way - 1))
    return top, size
