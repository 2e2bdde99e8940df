"""A recorded run as a Session: it plays at a speed, stands still, goes back and forth. Asks the clock it is given.

Going back is telling the run again from its start. However much is to be told, one look takes a bounded time: time
stands still until the telling has caught up.
"""

from collections.abc import Callable
from itertools import islice

from msgspec.structs import replace

from tui.core.clock import NS_PER_S, now_ns
from tui.core.commands import AnyCommand, ChangeSpeed, Close, Drain, Pause, Resume, Seek, Stop, Watch
from tui.core.ledger import Ledger
from tui.core.picture import Painter
from tui.core.snapshot import Snapshot
from tui.jobs.replay import Replay, Told

SLOWEST, FASTEST = 0.01, 1000.0
"""Times as fast as the run was."""
MOST_A_LOOK = 20_000
"""Facts that one look folds: some 50 ms."""


class ReplaySession:
    """One person's look at a recorded run."""

    def __init__(self, replay: Replay, speed: float = 1.0, clock: Callable[[], int] = now_ns) -> None:
        self.replay = replay
        self._speed = speed
        self._clock = clock
        self._watch = Watch()
        self._paused = False
        self._left = False
        """Its viewer wants to go."""
        self._said: str | None = None
        self._times_said = 0
        self._wanted_at = replay.starts_at
        """Where it should stand, on the recorded run's clock."""
        self._looked_at = clock()
        self._rewind()

    def _rewind(self) -> None:
        self.ledger: Ledger = self.replay.ledger()
        self.ledger.places.wanted = self._watch.count
        self._painter = Painter(self.ledger, self.replay.card())
        self._told = self.replay.told()
        self._next: Told | None = next(self._told, None)
        self._at = self.replay.starts_at
        """Where it stands: everything up to here is folded."""

    @property
    def over(self) -> bool:
        """Everything is told."""
        return self._next is None

    @property
    def latest(self) -> Snapshot:
        """The run where the replay stands now."""
        self._advance()
        ended_at = self.ledger.ended_at if self.over else None
        picture = self._painter.picture(self._watch, self._at if ended_at is None else ended_at)
        phase = "finished" if self.over or self._left else "paused" if self._paused else "running"
        notice = picture.run.notice if self._said is None else self._said
        notices = picture.run.notices + self._times_said
        return replace(picture, run=replace(picture.run, replay=True, phase=phase, notice=notice, notices=notices))

    def send(self, command: AnyCommand) -> None:
        """Obey what can be asked of a replay; say of anything else that it cannot."""
        match command:
            case Watch():
                self._watch = command
                if command.view == "wall":
                    self.ledger.places.wanted = command.count
            case Pause():
                self._advance()
                self._paused = True
            case Resume():
                self._looked_at = self._clock()
                self._paused = False
            case Seek(by_s):
                self._seek(by_s)
            case ChangeSpeed(by):
                self._advance()  # what has gone by was played at the speed until now
                self._speed = min(max(self._speed * by, SLOWEST), FASTEST)
                self._say(f"plays at {self._speed:g} times the run's own speed")
            case Drain() | Stop():
                self._left = True  # nothing runs that could drain
            case Close():
                pass  # the screen's own affair
            case _:
                self._say("this is a replay: nothing in it can be changed or saved")

    def _say(self, words: str) -> None:
        self._said = words
        self._times_said += 1

    def tell_all(self) -> Ledger:
        """Fold everything that is not told yet, at once, whatever the clock says."""
        if self._next is not None:
            fold = self.ledger.fold
            fold(self._next[1])
            for _, fact in self._told:
                fold(fact)
            self._next = None
        self._wanted_at = self._at = self.replay.ends_at
        return self.ledger

    def _seek(self, by_s: float) -> None:
        self._advance()
        self._left = False
        replay = self.replay
        self._wanted_at = min(max(self._wanted_at + round(by_s * NS_PER_S), replay.starts_at), replay.ends_at)
        if self._wanted_at < self._at:
            self._rewind()

    def _advance(self) -> None:
        now = self._clock()
        elapsed_ns, self._looked_at = now - self._looked_at, now
        if not self._paused and self._at >= self._wanted_at:
            self._wanted_at = min(self._wanted_at + round(elapsed_ns * self._speed), self.replay.ends_at)
        self._tell()

    def _tell(self) -> None:
        """Tell what should be told by now, as much of it as one look may take."""
        upcoming, fold, wanted_at = self._next, self.ledger.fold, self._wanted_at
        if upcoming is None or upcoming[0] > wanted_at:
            self._at = wanted_at
            return
        fold(upcoming[1])
        at = upcoming[0]
        for upcoming in islice(self._told, MOST_A_LOOK):
            if upcoming[0] > wanted_at:
                self._next, self._at = upcoming, wanted_at
                return
            fold(upcoming[1])
            at = upcoming[0]
        self._next = next(self._told, None)
        caught_up = self._next is None or self._next[0] > wanted_at
        self._at = wanted_at if caught_up else at
