"""How one leaves a run: let it drain, stop it, or close the screen. Decides; others send, ask and draw.

Running calls cost money whether somebody looks or not, so leaving asks while there are any, and says what will happen.
"""

from collections.abc import Callable

from tui.core import figures
from tui.core.commands import AnyCommand, Close, Drain, Stop
from tui.core.snapshot import Snapshot
from tui.dashboard.asking import Ask
from tui.dashboard.dialogs import Choice
from tui.dashboard.steering import Say, is_over

CHOICES = (
    Choice("d", "d", "drain", "finish the running streams, then quit"),
    Choice("s", "s", "stop", "stop now: cancel what runs"),
    Choice("escape", "Esc", "stay", "stay"),
)


class Departure:
    """One person's way out."""

    def __init__(self, send: Callable[[AnyCommand], None], say: Say, ask: Ask, gone: Callable[[], None]) -> None:
        """`gone` takes the screen away."""
        self._send = send
        self._say = say
        self._ask = ask
        self._gone = gone
        self._snapshot: Snapshot | None = None
        self._asked = False
        self._leaving = False
        self._stopped = False

    def see(self, snapshot: Snapshot) -> None:
        """Take in the newest picture; close when the run is over and somebody wanted to go."""
        self._snapshot = snapshot
        # Who was asked what to do with the running calls wanted to go, and there are none any more.
        if snapshot.run.phase == "finished" and (self._leaving or self._asked):
            self._close()

    def leave(self) -> None:
        """Close at once when nothing runs; else ask."""
        if is_over(self._snapshot) or self._stopped or self._only_replayed():
            self._close()
        elif not self._asked:
            self._asked = True
            if not self._ask(self._still_running(), CHOICES, self._answered):
                self._asked = False

    def interrupt(self) -> None:
        """Ctrl-C: drain, then stop, then close."""
        if is_over(self._snapshot) or self._stopped or self._only_replayed():
            self._close()
        elif self._leaving:
            self._stop()
        else:
            self._drain("draining: running streams may end; Ctrl-C again stops now")

    def _only_replayed(self) -> bool:
        return self._snapshot is not None and self._snapshot.run.replay

    def _still_running(self) -> str:
        running = self._snapshot.counts.running if self._snapshot is not None else 0
        if running == 0:
            return "the run is not over"
        return "1 call is still running" if running == 1 else f"{figures.exact(running)} calls are still running"

    def _answered(self, answer: str | None) -> None:
        self._asked = False
        if answer == "drain":
            self._drain("finishing the running streams, then closing; Ctrl-C stops now")
        elif answer == "stop":
            self._stop()

    def _drain(self, words: str) -> None:
        self._leaving = True
        self._send(Drain())
        self._say(words, stays=True)

    def _stop(self) -> None:
        self._leaving = self._stopped = True
        self._send(Stop())
        self._say("stopping: cancelling what still runs", "red", stays=True)

    def _close(self) -> None:
        self._send(Close())
        self._gone()
