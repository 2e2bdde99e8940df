"""The screen as a program: draws the newest Snapshot at a steady pace and turns keys into Commands.

Knows a Session and nothing of who is behind it. Untrusted text is only ever drawn as plain cells.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from msgspec.structs import replace
from textual.app import App
from textual.binding import BindingType

from tui.core.clock import NS_PER_S, Clock, now_ns
from tui.core.commands import AnyCommand, Watch
from tui.core.session import Session
from tui.core.snapshot import Snapshot
from tui.dashboard.asking import Asking
from tui.dashboard.budget_question import BudgetQuestion
from tui.dashboard.command_line import COMMAND, CommandLine
from tui.dashboard.departure import Departure
from tui.dashboard.dialogs import Choice, ChoiceDialog, Dialog, WordsDialog
from tui.dashboard.header import Header
from tui.dashboard.help_dialog import HelpDialog
from tui.dashboard.keys import Key, KeyGroup
from tui.dashboard.main_screen import MainScreen
from tui.dashboard.one_call import CallScreen, full_call
from tui.dashboard.orders import Order
from tui.dashboard.pace import TEXT_HZ, Pace
from tui.dashboard.palette import PaletteDialog
from tui.dashboard.run_keys import RUN_KEYS, groups_of
from tui.dashboard.steerable import why_no_budget
from tui.dashboard.steering import Steering
from tui.dashboard.textual_themes import DARK_THEME, LIGHT_THEME
from tui.dashboard.theme import DARK_GROUNDS, LIGHT_GROUNDS, Ink
from tui.dashboard.trust import doubts
from tui.dashboard.view import Focused, View

_NOTE_NS = 4 * NS_PER_S


class WeirApp(App[None]):
    """Shows a session until the run or the person is done with it."""

    TITLE = "weir"
    ENABLE_COMMAND_PALETTE = False  # ours is palette.py
    CSS = f"""
    MainScreen, CallScreen {{ background: {DARK_GROUNDS["page"]}; overflow: hidden; layers: default typing; }}
    MainScreen:light, CallScreen:light {{ background: {LIGHT_GROUNDS["page"]}; }}
    MainScreen:ansi, CallScreen:ansi {{ background: ansi_default; }}
    """

    BINDINGS: ClassVar[list[BindingType]] = RUN_KEYS

    def __init__(self, session: Session, *, clock: Clock = now_ns, ticking: bool = True) -> None:
        """`ticking` False: nothing is drawn until somebody calls `frame` (tests do)."""
        no_colour = "NO_COLOR" in os.environ
        # With colours of the terminal's own, Textual's NO_COLOR filter takes all colour away; else it makes greys.
        super().__init__(ansi_color=True if no_colour else None)
        self.register_theme(DARK_THEME)
        self.register_theme(LIGHT_THEME)
        self.theme = DARK_THEME.name
        self._session = session
        self._clock = clock
        self._ticking = ticking
        self._snapshot: Snapshot | None = None
        self._arrived_at = 0
        self._pace = Pace()
        self._watched: Watch | None = None
        self._note: tuple[str, Ink] | None = None
        self._note_until: int | None = None
        self._follows = False
        """The open call follows the list's focus, once."""
        self.main = MainScreen()
        self.steering = Steering(self._send, self.say)
        self.asking = Asking(self.steering, self._ask)
        self.budget = BudgetQuestion(self.steering, self._over, self.say)
        self.departure = Departure(self._send, self.say, self._ask, self.exit)

    def on_mount(self) -> None:
        self.screen_change_signal.subscribe(self, lambda _: self._mark_columns(), immediate=True)
        self.push_screen(self.main)
        if self._ticking:
            self.set_interval(1 / TEXT_HZ, self.frame)

    @property
    def snapshot(self) -> Snapshot | None:
        """The picture that is drawn."""
        return self._snapshot

    def frame(self) -> None:
        """Draw what is new. Cheap when nothing is; left out while the terminal is behind."""
        if self._terminal_is_behind():
            return
        local = self._clock()
        snapshot = self._session.latest
        if snapshot is None or not self.main.is_mounted:
            return
        fresh = snapshot is not self._snapshot
        if fresh:
            self._snapshot, self._arrived_at = snapshot, local
            self.steering.snapshot = snapshot
        due = self._pace.due(local, fresh or self.main.view.owes_figures)
        if due is None:
            return
        if self._note_until is not None and local >= self._note_until:
            self._note = self._note_until = None
        now = snapshot.at + local - self._arrived_at
        for screen in self._pictures():
            if screen.is_mounted:
                screen.draw(snapshot, now, self._note, due.figures, due.charts)
        self._follow()
        self._watch()
        self.budget.see(snapshot)
        self.departure.see(snapshot)

    def _follow(self) -> None:
        """Show the call that the list's focus has moved to: it may have come with this picture only."""
        here, opened = self.main.view.focused_call, self._open
        if self._follows and opened is not None and here is not None and here.call != opened.call:
            self._follows = False
            opened.show_call(here.call)

    def say(self, text: str, ink: Ink = "amber", stays: bool = False) -> None:
        """Tell the person something in the last row, for a while or until something else is said."""
        self._note = (text, ink)
        self._note_until = None if stays else self._clock() + _NOTE_NS
        self._redraw()

    def _redraw(self) -> None:
        self._pace.hurry()
        if self._ticking:
            self.call_later(self.frame)

    def _send(self, command: AnyCommand) -> None:
        self._session.send(command)

    def _terminal_is_behind(self) -> bool:
        """Whether output waits to be written: Textual's writer holds 30 pieces, then it blocks this loop."""
        writer = getattr(self._driver, "_writer_thread", None)
        return writer is not None and writer._queue.qsize() > 0

    def _pictures(self) -> list[MainScreen | CallScreen]:
        """The screens that show the run, from the bottom; dialogs are none."""
        return [screen for screen in self.screen_stack if isinstance(screen, MainScreen | CallScreen)]

    def _mark_columns(self) -> None:
        """What lies behind another screen carries no column marks (see View.mark_columns)."""
        for screen in self._pictures():
            screen.mark_columns(screen is self.screen)

    # What is watched

    @property
    def _open(self) -> CallScreen | None:
        """The call that is open in full."""
        return next((screen for screen in self._pictures() if isinstance(screen, CallScreen)), None)

    def _watch(self) -> None:
        if self._snapshot is None:
            return
        command = self.main.watch_command()
        if (opened := self._open) is not None:
            tail, request = opened.wanted_focus()
            command = replace(command, focus=opened.call, focus_tail=tail, focus_request=request)
        if command != self._watched:
            self._watched = command
            self._send(command)

    def on_view_moved(self, _: View.Moved) -> None:
        self._watch()
        self._redraw()

    def on_view_opened(self, event: View.Opened) -> None:
        self._show_call(event.call)

    def _show_call(self, call: int) -> None:
        self.push_screen(CallScreen(call), self._turned)
        self._turned()

    def _turned(self, _: None = None) -> None:
        """A call was opened or left: what is watched changes, once the screens have."""
        self.call_later(self._watch)
        self.call_later(self._redraw)

    def on_call_screen_go(self, event: CallScreen.Go) -> None:
        """Its neighbour in the list it was opened from, however that is filtered and sorted; else by its number."""
        opened = self._open
        if opened is None:
            return
        if self.main.view.step(event.by):
            self._follows = True
            self._redraw()
        else:
            self._go_to(opened.call + event.by)

    def _go_to(self, call: int) -> None:
        opened = self._open
        if opened is not None and self._is_there(call):
            opened.show_call(call)

    def _is_there(self, call: int) -> bool:
        """Whether a call has begun; says so when it has not."""
        snapshot = self._snapshot
        # Who goes on with a batch counts on from the calls on record: only the engine knows which are there.
        there = snapshot is not None and (1 <= call <= snapshot.calls or snapshot.batch is not None)
        if not there:
            self.say(f"there is no call #{call}")
        return there

    def on_call_screen_jump(self, event: CallScreen.Jump) -> None:
        if self._open is not None:
            self._open.show_call(event.call)

    def on_call_screen_lost(self, event: CallScreen.Lost) -> None:
        self.say(f"#{event.call} is not of this session; the record has it")
        if self._open is not None and self._open.call == event.call:
            self._open.dismiss()

    def on_call_screen_save(self, event: CallScreen.Save) -> None:
        self.steering.save(event.call)

    def on_call_screen_said(self, event: CallScreen.Said) -> None:
        self.say(event.text, event.ink)

    # Keys

    @property
    def _call_here(self) -> Focused | None:
        """The call that is open in full, else the one with the focus."""
        if (opened := self._open) is None:
            return self.main.view.focused_call
        full = full_call(self._snapshot, opened.call) if self._snapshot is not None else None
        return Focused(full.pane.call, full.pane.state) if full is not None else None

    def action_open(self) -> None:
        """Show the focused call in full."""
        here = self.main.view.focused_call
        if self._open is None and here is not None:
            self._show_call(here.call)

    def action_cancel(self) -> None:
        """Cancel the call that is open or has the focus."""
        self.steering.cancel(self._call_here)

    def action_retry(self) -> None:
        """Do the call again."""
        self.steering.retry(self._call_here)

    def action_retry_failed(self) -> None:
        """Do all failed calls again."""
        self.asking.retry_failed()

    def action_pause(self) -> None:
        """Hold dispatch back, or let it go on."""
        self.steering.pause()

    def action_seek(self, by_s: int) -> None:
        """Go on from another moment of a replay."""
        self.steering.seek(by_s)

    def action_rate(self, direction: int) -> None:
        """Move the RPM limit."""
        self.steering.move_rate(direction)

    def action_concurrency(self, direction: int) -> None:
        """Move the number of streams at once."""
        self.steering.move_concurrency(direction)

    def action_budget(self) -> None:
        """Let a batch spend more."""
        self.budget.ask()

    def action_stop_dispatching(self) -> None:
        """Send nothing more."""
        self.asking.stop_dispatching()

    def action_export(self) -> None:
        """Export what is shown."""
        self.asking.export(self.main.watch_command())

    def action_picture(self) -> None:
        """Have the engine write a picture of the screen."""
        self.steering.picture(lambda: self.export_screenshot(title="weir"))

    def action_light_or_dark(self) -> None:
        """Swap light and dark."""
        if self.no_color:
            self.say("NO_COLOR is set: there are no colours to change")
            return
        self.theme = LIGHT_THEME.name if self.current_theme.dark else DARK_THEME.name
        for screen in self._pictures():
            screen.recolour()
        self._redraw()

    def action_trust(self) -> None:
        """Say what the figures are worth."""
        if self._snapshot is not None:
            lines = [(doubt.grade.glyph, doubt.words, doubt.grade.ink) for doubt in doubts(self._snapshot)]
            self._over(WordsDialog("what these figures are worth", lines))

    def action_keys(self) -> None:
        """Show the keys."""
        self._over(HelpDialog(self._keys()))

    def action_palette(self) -> None:
        """Show all that can be done, to be found by name."""
        self._over(PaletteDialog(self._keys()[::-1]), self._take)

    def action_leave(self) -> None:
        """Close at once when nothing runs; else ask."""
        self.departure.leave()

    def action_interrupt(self) -> None:
        """Drain, then stop, then close."""
        self.departure.interrupt()

    def action_ctrl_c(self) -> None:
        """Leave the line that is being typed, as a shell does; else interrupt the run."""
        typing = self._typing
        if typing is not None:
            typing.action_leave()
        else:
            self.action_interrupt()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open":
            view = self.main.view
            return self._open is None and (view.FILTERS or view.focused_call is not None)
        if action == "budget":
            return self._snapshot is not None and why_no_budget(self._snapshot) is None
        return True

    def _keys(self) -> list[KeyGroup]:
        return groups_of(self.screen.active_bindings.values(), self.main.shown)

    async def _take(self, key: Key | None) -> None:
        if key is not None:
            await self.run_action(key.action, key.node)

    def _ask(self, question: str, choices: Sequence[Choice], answered: Callable[[str | None], None]) -> bool:
        return self._over(ChoiceDialog(question, choices), answered)

    def _over(self, dialog: Dialog[Any], answered: Callable[[Any], Any] = lambda _: None) -> bool:
        """Show a dialog, unless there is one already or something is being typed; whether it is shown."""
        free = not isinstance(self.screen, Dialog) and self._typing is None
        if free:
            self.push_screen(dialog, answered)
        return free

    # What is typed

    @property
    def _typing(self) -> CommandLine | None:
        return next((line for line in self.screen.query(CommandLine) if line.typing), None)

    async def action_command(self) -> None:
        """Type a command, on whatever screen that is."""
        if isinstance(self.screen, Dialog):
            return
        if not self.screen.query(CommandLine):
            await self.screen.mount(CommandLine())
        self.screen.query_one(CommandLine).ask(COMMAND)

    async def on_command_line_ordered(self, event: CommandLine.Ordered) -> None:
        match event.order:
            case Order("rpm", rpm):
                self.steering.set_rate(rpm)
            case Order("concurrency", int(n)):
                self.steering.set_concurrency(n)
            case Order("budget", _, amount):
                self.steering.raise_budget(amount)
            case Order("export", _, format):
                self.asking.exported(format, self.main.watch_command())
            case Order("do", _, action):
                await self.run_action(action)
            case Order("view", _, name):
                await self._close_call()
                self.main.show_view(name)
            case Order("filter", _, text):
                await self._close_call()
                self.main.keep_filter(text)
            case Order("call", int(call)):
                if self._is_there(call):
                    await self._close_call()
                    self._show_call(call)

    async def _close_call(self) -> None:
        if isinstance(self.screen, CallScreen):
            await self.screen.dismiss()

    def on_header_chosen(self, event: Header.Chosen) -> None:
        if event.name == "trust":
            self.action_trust()
