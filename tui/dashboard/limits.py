"""The X-ray of limits: requests and tokens from our side and the server's, what is held back, why it refuses.

Shows what a Snapshot says, and counts down what is to come; decides nothing and sends nothing.
"""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tui.core import views
from tui.core.snapshot import Snapshot
from tui.dashboard.footer import Hint
from tui.dashboard.limit_layout import Painter, Picture, plan
from tui.dashboard.limit_verdict import Cooling
from tui.dashboard.view import View


class LimitsView(View):
    """Draws the picture of limits; a cursor goes through the refusals, and Enter opens the call of one.

    It offers no `focused_call`: a refusal does not tell how its call stands now, and keys that cancel or retry a
    call must not guess.
    """

    NAME = "limits"
    HINTS: ClassVar[list[Hint]] = [("↑ ↓", "refusals"), ("⏎", "open")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "refusal above", key_display="↑"),
        Binding("down", "move(1)", "refusal below", key_display="↓"),
        Binding("pageup", "page(-1)", "refusals a page up", key_display="PgUp"),
        Binding("pagedown", "page(1)", "refusals a page down", key_display="PgDn"),
        Binding("home", "first", "newest refusal", key_display="Home"),
        Binding("end", "last", "oldest refusal that is known", key_display="End"),
        # Not shown among the keys: the app's own Enter, which opens the focused call, says the same there.
        Binding("enter", "open_refused", "open the refused call", key_display="⏎", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.first = 0
        self.cursor = 0
        self._refusals: list[views.Refusal] = []
        self._painter: Painter | None = None
        self._cooling: Cooling | None = None
        self._picture: Picture | None = None

    def draw(self, snapshot: Snapshot, now: int, figures_due: bool = True, charts_due: bool = True) -> None:
        before = self._picture
        if before is not None and not figures_due:
            return
        self._take(snapshot.limits.refusals if snapshot.limits is not None else [])
        self._cooling = self._cools(snapshot, now)
        series = snapshot if charts_due or before is None else before
        requests = series.attempts_by_second if isinstance(series, Snapshot) else series.requests_by_second
        self._picture = Picture(snapshot, now, requests, series.tokens_by_second, self._cooling)
        self._paint()

    def where(self, snapshot: Snapshot) -> str:
        limits = snapshot.limits
        if limits is None or not limits.refusals:
            return "no refusals" if limits is not None else ""
        n, capacity = len(limits.refusals), self.capacity
        if not capacity:
            return f"{n} refusals"
        return f"refusals {self.first + 1}–{min(n, self.first + capacity)} of {n}"

    def recolour(self) -> None:
        self._painter = None
        self._paint()

    @property
    def capacity(self) -> int:
        """Refusals that fit."""
        return plan(*self.size).capacity

    def on_resize(self) -> None:
        self._paint()

    def _cools(self, snapshot: Snapshot, now: int) -> Cooling | None:
        """The cool-down that runs. A snapshot says when it ends; it began with the newest refusal, or unseen."""
        until = snapshot.lane_closed_until
        if until is None or until <= now or snapshot.run.phase == "finished":
            return None
        if self._cooling is not None and self._cooling.until == until:
            return self._cooling
        refused_at = self._refusals[0].at if self._refusals else None
        return Cooling(refused_at if refused_at is not None and refused_at <= now else now, until)

    def _take(self, refusals: list[views.Refusal]) -> None:
        """New refusals come on top; a cursor that was moved away from there stays with its own."""
        if 0 < self.cursor < len(self._refusals):
            mine = self._refusals[self.cursor]
            same = (
                index for index, refusal in enumerate(refusals) if (refusal.at, refusal.call) == (mine.at, mine.call)
            )
            moved = next(same, len(refusals) - 1)
            self.first += moved - self.cursor
            self.cursor = moved
        self._refusals = refusals

    def _paint(self) -> None:
        if self._picture is None or not self.size:
            return
        width, height = self.size
        if self._painter is None or self._painter.width != width or self._painter.plan != plan(width, height):
            self._painter = Painter(width, height, self.theme_now)
        self._clamp(self._painter.plan.capacity)
        self.show(self._painter.rows(self._picture._replace(first=self.first, cursor=self.cursor)))

    def _clamp(self, capacity: int) -> None:
        n = len(self._refusals)
        self.cursor = max(0, min(self.cursor, n - 1))
        first = min(self.first, self.cursor)
        first = max(first, self.cursor - max(1, capacity) + 1)
        self.first = max(0, min(first, n - max(1, capacity)))

    def move_to(self, index: int) -> None:
        """Put the cursor on a refusal, counted from the newest."""
        self.cursor = max(0, min(index, len(self._refusals) - 1))
        self._paint()

    def action_move(self, by: int) -> None:
        """Move the cursor by refusals."""
        self.move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move_to(self.cursor + by * max(1, self.capacity))

    def action_first(self) -> None:
        """To the newest."""
        self.move_to(0)

    def action_last(self) -> None:
        """To the oldest that is known."""
        self.move_to(len(self._refusals) - 1)

    def action_open_refused(self) -> None:
        """Show the call of the refusal under the cursor in full."""
        if self._refusals and self.capacity:
            self.post_message(self.Opened(self._refusals[self.cursor].call))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        shown = plan(*self.size)
        top = len(self._rows) - shown.capacity
        index = self.first + int(event.y) - top
        if shown.capacity and self.first <= index < min(len(self._refusals), self.first + shown.capacity):
            self.move_to(index)
            if event.chain == 2:
                self.action_open_refused()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_move(-1)
