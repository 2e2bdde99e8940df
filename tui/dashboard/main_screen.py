"""The screen of a run: header, one of the five views, last row. Knows which view is shown; sends nothing itself."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.core import figures
from tui.core.commands import Watch
from tui.core.snapshot import RunView, Snapshot
from tui.core.views import VIEWS
from tui.dashboard.charts_view import ChartsView
from tui.dashboard.command_line import FILTER, CommandLine
from tui.dashboard.footer import Footer, Hint
from tui.dashboard.header import Header, header_height
from tui.dashboard.limits import LimitsView
from tui.dashboard.plain import crop
from tui.dashboard.steerable import offered
from tui.dashboard.table import TableView
from tui.dashboard.theme import Ink
from tui.dashboard.view import View
from tui.dashboard.wall import Wall
from tui.dashboard.waterfall import WaterfallView

ESSENTIAL_HINTS: list[Hint] = [("q", "quit"), ("?", "keys")]
STEERING_HINTS: list[Hint] = [("p", "pause"), ("[ ]", "rate"), ("{ }", "at once"), ("x", "stop")]
FINISHED_HINTS: list[Hint] = [("e", "export"), ("S", "picture")]
PLAYING_HINTS: list[Hint] = [("p", "pause"), (", .", "10 s"), ("[ ]", "speed")]
BUDGET_HINT: Hint = ("b", "budget")
"""Where a batch waits for more money."""

_MOST_QUERY = 32
"""Cells of the filter in the last row."""


def _in_turns(turns: int, work: Callable[[], None]) -> None:
    """Do `work` so many turns of the loop later: the next ones belong to a view that is drawn in several."""
    loop = asyncio.get_running_loop()
    if turns:
        loop.call_soon(_in_turns, turns - 1, work)
    else:
        work()


def hints_for(run: RunView, of_view: Sequence[Hint]) -> list[Hint]:
    """The keys worth a place in the last row, the most telling first: to play is what a replay is there for."""
    if run.replay:
        wanted = [*ESSENTIAL_HINTS, *PLAYING_HINTS, *of_view]
    else:
        wanted = [*ESSENTIAL_HINTS, *of_view, *(FINISHED_HINTS if run.phase == "finished" else STEERING_HINTS)]
    return offered(wanted, run)


class MainScreen(Screen[None]):
    """A run, in the view that was chosen."""

    DEFAULT_CSS = """
    MainScreen { layout: vertical; }
    #header { height: 5; }
    #footer { height: 1; }
    """
    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"view('{name}')", name, key_display=str(number))
            for number, name in enumerate(VIEWS, start=1)
        ),
        Binding("tab", "next_view(1)", "next view", key_display="Tab"),
        Binding("shift+tab", "next_view(-1)", "view before", show=False),
        Binding("slash", "filter", "filter the calls", key_display="/"),
        Binding("escape", "clear_filter", "clear the filter", key_display="Esc"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.shown = VIEWS[0]
        self.query_text = ""
        """The filter that is in force."""
        # Held, not looked for: on the way out Textual takes the children away while a frame may still be due.
        self.header = Header(id="header")
        self.wall = Wall()
        self._views: dict[str, View] = {
            view.NAME: view for view in (self.wall, TableView(), ChartsView(), WaterfallView(), LimitsView())
        }
        for name, view in self._views.items():
            view.id = name
            view.display = name == self.shown
        self.footer = Footer(id="footer")
        self.command_line = CommandLine(id="typing")
        """Where filters and commands are typed; lies over the last rows meanwhile."""

    @property
    def view(self) -> View:
        """The view that is shown."""
        return self._views[self.shown]

    def compose(self) -> ComposeResult:
        yield self.header
        yield from self._views.values()
        yield self.footer
        yield self.command_line

    def on_mount(self) -> None:
        self.set_focus(self.view)  # at once: `focus` waits, and keys typed ahead would go to the view before

    def on_resize(self, event: events.Resize) -> None:
        self.header.styles.height = header_height(event.size.height)
        self.footer.display = event.size.height >= 8

    def watch_command(self) -> Watch:
        """What to ask the engine for; the app adds the call that is open in full."""
        return replace(self.view.wanted(), query=self.query_text)

    def draw(
        self,
        snapshot: Snapshot,
        now: int,
        note: tuple[str, Ink] | None,
        figures_due: bool = True,
        charts_due: bool = True,
    ) -> None:
        """Show `snapshot`; `now` is in the snapshot's time. What stands around the view has a turn of its own."""
        view = self.view
        if snapshot.watch.view == view.NAME and snapshot.watch.query == self.query_text:
            view.draw(snapshot, now, figures_due, charts_due)
        if figures_due:
            _in_turns(4, partial(self._draw_around, snapshot, now, note, charts_due))

    def _draw_around(self, snapshot: Snapshot, now: int, note: tuple[str, Ink] | None, charts_due: bool) -> None:
        view = self.view
        self.header.draw(snapshot, now, charts_due, self.shown)
        asked = [] if snapshot.batch is None or snapshot.batch.asking is None else [BUDGET_HINT]
        hints = [*asked, *hints_for(snapshot.run, view.HINTS)]
        wrong = self._wrong(snapshot)
        # Lists say it above their rows.
        self.footer.draw(hints, note or (wrong if view is self.wall else None), self._where(snapshot))
        if self.command_line.typing == FILTER:
            self.command_line.tell(wrong, self._found(snapshot))

    def _wrong(self, snapshot: Snapshot) -> tuple[str, Ink] | None:
        """Why the filter cannot be read; then it filters nothing, and nobody should think that it does."""
        if not self.view.FILTERS or snapshot.watch.query != self.query_text or not snapshot.query_error:
            return None
        return f"▲ not filtered: {snapshot.query_error}", "amber"

    def _found(self, snapshot: Snapshot) -> str:
        """How many calls the filter lets through."""
        if not self.view.FILTERS:
            return "⏎ shows the table"
        if not self.query_text or snapshot.query_error or snapshot.watch.query != self.query_text:
            return ""
        return f"{figures.exact(snapshot.listed)} of {figures.exact(snapshot.calls)}"

    def _where(self, snapshot: Snapshot) -> str:
        where = self.view.where(snapshot)
        if self.query_text and self.view.FILTERS:
            return f"/{crop(self.query_text, _MOST_QUERY)}  {where}"
        return where

    def show_view(self, name: str) -> None:
        """Show another view."""
        if name == self.shown:
            return
        before = self.view
        self.shown = name
        before.display = False
        self.view.display = True
        self.set_focus(self.view)  # at once: `focus` waits, and keys typed ahead would go to the view before
        self.view.post_message(View.Moved())

    def recolour(self) -> None:
        """The theme is another one: draw everything anew."""
        for view in self._views.values():
            view.recolour()

    def mark_columns(self, marked: bool) -> None:
        """Whether rows may carry column marks; see Wall.mark_columns."""
        for view in self._views.values():
            view.mark_columns(marked)

    def set_query(self, query: str) -> None:
        """Filter by `query` from now on."""
        if query != self.query_text:
            self.query_text = query
            for view in self._views.values():
                view.restart()
            self.view.post_message(View.Moved())

    def action_view(self, name: str) -> None:
        """Show a view by its name."""
        self.show_view(name)

    def action_next_view(self, by: int) -> None:
        """Show the view that follows in order, round and round."""
        self.show_view(VIEWS[(VIEWS.index(self.shown) + by) % len(VIEWS)])

    def action_filter(self) -> None:
        """Type a filter."""
        self.command_line.ask(FILTER, self.query_text)

    def action_clear_filter(self) -> None:
        """Show all calls again."""
        self.set_query("")

    def on_command_line_filtering(self, event: CommandLine.Filtering) -> None:
        if self.view.FILTERS:
            self.set_query(event.text.strip())

    def on_command_line_filtered(self, event: CommandLine.Filtered) -> None:
        self.keep_filter(event.text)

    def keep_filter(self, text: str) -> None:
        """Filter by what was typed, on a view where that can be seen."""
        self.set_query(text.strip())
        if self.query_text and not self.view.FILTERS:
            self.show_view("table")

    def on_header_chosen(self, event: Header.Chosen) -> None:
        if event.name in VIEWS:
            event.stop()
            self.show_view(event.name)
