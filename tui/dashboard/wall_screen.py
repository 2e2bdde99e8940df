"""The first screen: header, wall, footer, and the keys that move about the wall. Sends nothing itself."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.core.snapshot import Snapshot
from tui.dashboard.footer import Footer, Hint
from tui.dashboard.header import Header, header_height
from tui.dashboard.theme import Ink
from tui.dashboard.wall import Wall

HINTS: list[Hint] = [
    ("q", "quit"),
    ("?", "keys"),
    ("p", "pause"),
    ("⏎", "open"),
    ("c", "cancel"),
    ("+ -", "size"),
    ("f", "all/running"),
    ("[ ]", "rate"),
    ("PgUp PgDn", "page"),
]
FINISHED_HINTS: list[Hint] = [("q", "quits"), ("⏎", "open"), ("f", "all/running"), ("+ -", "size"), ("?", "keys")]


class WallScreen(Screen[None]):
    """All calls at a glance."""

    DEFAULT_CSS = """
    WallScreen { layout: vertical; }
    #header { height: 5; }
    #footer { height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 0)", "pane above", key_display="↑"),
        Binding("down", "move(1, 0)", "pane below", key_display="↓"),
        Binding("left", "move(0, -1)", "pane before", key_display="←"),
        Binding("right", "move(0, 1)", "pane after", key_display="→"),
        Binding("pageup", "page(-1)", "a wall back", key_display="PgUp"),
        Binding("pagedown", "page(1)", "a wall on", key_display="PgDn"),
        Binding("home", "home", "first pane", key_display="Home"),
        Binding("end", "end", "last pane", key_display="End"),
        Binding("plus,equals_sign", "zoom(1)", "larger panes", key_display="+"),
        Binding("minus,underscore", "zoom(-1)", "smaller panes", key_display="-"),
        Binding("f", "everything", "all calls in order, or the running ones", key_display="f"),
    ]

    def compose(self) -> ComposeResult:
        yield Header(id="header")
        yield Wall(id="wall")
        yield Footer(id="footer")

    @property
    def header(self) -> Header:
        """The rows on top."""
        return self.query_one(Header)

    @property
    def wall(self) -> Wall:
        """The panes."""
        return self.query_one(Wall)

    @property
    def footer(self) -> Footer:
        """The last row."""
        return self.query_one(Footer)

    def on_resize(self, event: events.Resize) -> None:
        self.header.styles.height = header_height(event.size.height)
        self.footer.display = event.size.height >= 8

    def draw(
        self,
        snapshot: Snapshot,
        now: int,
        note: tuple[str, Ink] | None,
        figures_due: bool = True,
        charts_due: bool = True,
    ) -> None:
        """Show `snapshot`; `now` is in the snapshot's time."""
        if figures_due:
            self.header.draw(snapshot, now, charts_due)
            finished = snapshot.run.phase == "finished"
            self.footer.draw(FINISHED_HINTS if finished else HINTS, note, self._where(snapshot))
        self.wall.draw(snapshot, now, figures_due)

    def _where(self, snapshot: Snapshot) -> str:
        wall = self.wall
        if not snapshot.places:
            return ""
        last = min(snapshot.places, wall.first + wall.capacity)
        kind = "calls" if wall.everything else "places"
        if wall.first == 0 and last == snapshot.places:
            return f"{snapshot.places} {kind}"
        return f"{kind} {wall.first + 1}–{last} of {snapshot.places}"

    def action_move(self, rows: int, columns: int) -> None:
        """Move the focus by panes."""
        self.wall.step_focus(rows, columns)

    def action_page(self, by: int) -> None:
        """Move by whole walls."""
        self.wall.page(by)

    def action_home(self) -> None:
        """Focus the first place."""
        self.wall.focus_on(0)

    def action_end(self) -> None:
        """Focus the last place."""
        self.wall.focus_on(self.wall.places - 1)

    def action_zoom(self, by: int) -> None:
        """Change the size of panes."""
        self.wall.zoom(by)

    def action_everything(self) -> None:
        """Swap between all calls and the running ones."""
        self.wall.jump(not self.wall.everything)
