"""The screen as a program: draws the newest Snapshot at a steady pace and turns keys into Commands.

Knows a Session and nothing of who is behind it. Untrusted text is only ever drawn as plain cells.
"""

import os
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from tui.core.calls import TERMINAL
from tui.core.clock import NS_PER_S, Clock, now_ns
from tui.core.commands import AnyCommand, CancelCall, Close, Drain, Pause, Resume, SetRate, Stop, Watch
from tui.core.session import Session
from tui.core.snapshot import Snapshot
from tui.dashboard.dialogs import Answer, HelpDialog, QuitDialog
from tui.dashboard.one_call import CallScreen, full_call
from tui.dashboard.theme import GROUNDS, Ink
from tui.dashboard.wall import Wall
from tui.dashboard.wall_screen import WallScreen

TEXT_HZ = 15
_FIGURES_NS = NS_PER_S // 5
_CHARTS_NS = NS_PER_S // 2
_NOTE_NS = 4 * NS_PER_S


class WeirApp(App[None]):
    """Shows a session until the run or the person is done with it."""

    ENABLE_COMMAND_PALETTE = False
    CSS = f"""
    WallScreen, CallScreen {{ background: {GROUNDS["page"]}; overflow: hidden; }}
    WallScreen:ansi, CallScreen:ansi {{ background: ansi_default; }}
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open the call in full", key_display="⏎"),
        Binding("c", "cancel", "cancel the call", key_display="c"),
        Binding("p", "pause", "pause or resume dispatch", key_display="p"),
        Binding("left_square_bracket", "rate(-1)", "RPM limit down by a tenth", key_display="["),
        Binding("right_square_bracket", "rate(1)", "RPM limit up by a tenth", key_display="]"),
        Binding("question_mark", "keys", "these keys", key_display="?"),
        Binding("q", "leave", "quit (asks while calls run)", key_display="q"),
        Binding("ctrl+c", "interrupt", "drain; a second time: stop", key_display="^C", priority=True),
        Binding("ctrl+q", "leave", "quit", show=False, priority=True),
    ]

    def __init__(self, session: Session, *, clock: Clock = now_ns, ticking: bool = True) -> None:
        """`ticking` False: nothing is drawn until somebody calls `frame` (tests do)."""
        no_colour = "NO_COLOR" in os.environ
        # With colours of the terminal's own, Textual's NO_COLOR filter takes all colour away; else it makes greys.
        super().__init__(ansi_color=True if no_colour else None)
        self._session = session
        self._clock = clock
        self._ticking = ticking
        self._snapshot: Snapshot | None = None
        self._arrived_at = 0
        self._figures_at = 0
        self._charts_at = 0
        self._stale = True
        self._watched: Watch | None = None
        self._note: tuple[str, Ink] | None = None
        self._note_until: int | None = None
        self._asked_rpm: tuple[int | None, int] | None = None
        self._leaving = False
        self._stopped = False
        self.wall_screen = WallScreen()

    def on_mount(self) -> None:
        self.push_screen(self.wall_screen)
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
        if snapshot is None or not self.wall_screen.is_mounted:
            return
        fresh = snapshot is not self._snapshot
        if fresh:
            self._snapshot, self._arrived_at = snapshot, local
        figures_due = self._stale or local >= self._figures_at
        if not (fresh or figures_due or self.wall_screen.wall.owes_figures):
            return
        charts_due = self._stale or local >= self._charts_at
        self._stale = False
        if figures_due:
            self._figures_at = local + _FIGURES_NS
        if charts_due:
            self._charts_at = local + _CHARTS_NS
        now = snapshot.at + local - self._arrived_at
        if self._note_until is not None and local >= self._note_until:
            self._note = self._note_until = None
        for screen in self.screen_stack:
            if isinstance(screen, WallScreen | CallScreen) and screen.is_mounted:
                screen.draw(snapshot, now, self._note, figures_due, charts_due)
        self._watch()
        if snapshot.run.phase == "finished" and (self._leaving or isinstance(self.screen, QuitDialog)):
            # Who was asked what to do with the running calls wanted to go, and there are none any more.
            self._close()

    def say(self, text: str, ink: Ink = "amber", stays: bool = False) -> None:
        """Tell the person something in the last row, for a while or until something else is said."""
        self._note = (text, ink)
        self._note_until = None if stays else self._clock() + _NOTE_NS
        self._redraw()

    def _redraw(self) -> None:
        self._stale = True
        if self._ticking:
            self.call_later(self.frame)

    def _send(self, command: AnyCommand) -> None:
        self._session.send(command)

    def _terminal_is_behind(self) -> bool:
        """Whether output waits to be written: Textual's writer holds 30 pieces, then it blocks this loop."""
        writer = getattr(self._driver, "_writer_thread", None)
        return writer is not None and writer._queue.qsize() > 0

    # What is watched

    @property
    def _open_call(self) -> int | None:
        for screen in self.screen_stack:
            if isinstance(screen, CallScreen):
                return screen.call
        return None

    def _watch(self) -> None:
        if self._snapshot is None:
            return
        command = self.wall_screen.wall.watch_command(self._open_call)
        if command != self._watched:
            self._watched = command
            self._send(command)

    def on_wall_moved(self, _: Wall.Moved) -> None:
        self._watch()
        self._redraw()

    def on_wall_opened(self, event: Wall.Opened) -> None:
        self._open(event.call)

    def _open(self, call: int) -> None:
        self.push_screen(CallScreen(call), lambda _: self._back())
        self.call_later(self._opened)

    def _opened(self) -> None:
        self._watch()
        self._redraw()

    def _back(self) -> None:
        self.call_later(self._opened)

    # Keys

    def action_open(self) -> None:
        """Show the focused call in full."""
        pane = self.wall_screen.wall.focused_pane
        if self._open_call is None and pane is not None:
            self._open(pane.call)

    def action_cancel(self) -> None:
        """Cancel the call that is open or has the focus."""
        pane = self.wall_screen.wall.focused_pane
        if self._open_call is not None:
            full = full_call(self._snapshot, self._open_call) if self._snapshot is not None else None
            pane = full.pane if full is not None else None
        if pane is None:
            self.say("there is no call here to cancel")
        elif pane.state in TERMINAL:
            self.say(f"#{pane.call} has already ended")
        else:
            self._send(CancelCall(pane.call))
            self.say(f"cancelling #{pane.call}")

    def action_pause(self) -> None:
        """Hold dispatch back, or let it go on."""
        phase = self._snapshot.run.phase if self._snapshot is not None else ""
        if phase == "running":
            self._send(Pause())
            self.say("pausing: running streams go on, p resumes")
        elif phase == "paused":
            self._send(Resume())
            self.say("dispatching again", "accent")
        else:
            self.say("nothing is dispatched any more")

    def action_rate(self, direction: int) -> None:
        """Move the RPM limit by a tenth, by 1 at least."""
        limit = self._snapshot.run.rpm_limit if self._snapshot is not None else None
        if limit is None:
            self.say("this run has no RPM limit to move")
            return
        # Several presses may come before the engine's answer: each goes on from the one before.
        asked = self._asked_rpm
        base = asked[1] if asked is not None and asked[0] == limit else limit
        rpm = max(1, base + direction * max(1, round(base / 10)))
        self._asked_rpm = (limit, rpm)
        self._send(SetRate(rpm))
        self.say(f"RPM limit {rpm:,}", "accent")

    def action_keys(self) -> None:
        """Show the keys."""
        self.wall_screen.wall.mark_columns(False)
        self.push_screen(HelpDialog(self._keys()), lambda _: self.wall_screen.wall.mark_columns(True))

    def _keys(self) -> list[tuple[str, str]]:
        bindings = [*type(self.wall_screen).BINDINGS, *type(self).BINDINGS]
        return [
            (binding.key_display or binding.key, binding.description)
            for binding in bindings
            if isinstance(binding, Binding) and binding.show
        ]

    def action_leave(self) -> None:
        """Close at once when nothing runs; else ask."""
        if self._nothing_runs() or self._stopped:
            self._close()
        elif not isinstance(self.screen, QuitDialog):
            running = self._snapshot.counts.running if self._snapshot is not None else 0
            self.wall_screen.wall.mark_columns(False)
            self.push_screen(QuitDialog(running), self._answered)

    def _nothing_runs(self) -> bool:
        # Not "no call runs": a paused run has none, and more to come.
        return self._snapshot is None or self._snapshot.run.phase == "finished"

    def _answered(self, answer: Answer | None) -> None:
        self.wall_screen.wall.mark_columns(True)
        if answer == "drain":
            self._drain("finishing the running streams, then closing; Ctrl-C stops now")
        elif answer == "stop":
            self._stop()

    def _drain(self, words: str) -> None:
        self._leaving = True
        self._send(Drain())
        self.say(words, stays=True)

    def _stop(self) -> None:
        self._leaving = self._stopped = True
        self._send(Stop())
        self.say("stopping: cancelling what still runs", "red", stays=True)

    def action_interrupt(self) -> None:
        """Ctrl-C: drain, then stop, then close."""
        if self._nothing_runs() or self._stopped:
            self._close()
        elif self._leaving:
            self._stop()
        else:
            self._drain("draining: running streams may end; Ctrl-C again stops now")

    def _close(self) -> None:
        self._send(Close())
        self.exit()
