"""What a person does to a run: each wish becomes one Command and a few words that say what happens now.

Knows the newest Snapshot, to tell what a wish can mean at this moment; draws nothing.
"""

from collections.abc import Callable
from typing import Protocol

from tui.core import figures
from tui.core.batch_words import budget_of
from tui.core.calls import TERMINAL, State
from tui.core.commands import (
    AnyCommand,
    CancelCall,
    ChangeSpeed,
    Drain,
    Export,
    Pause,
    RaiseBudget,
    Resume,
    RetryCall,
    RetryFailed,
    SaveCall,
    SaveScreenshot,
    Seek,
    SetConcurrency,
    SetRate,
)
from tui.core.snapshot import Snapshot
from tui.dashboard.orders import MOST, OrderError, parse_amount
from tui.dashboard.steerable import is_probe, why_no_budget, why_not
from tui.dashboard.theme import Ink
from tui.dashboard.view import Focused


class Say(Protocol):
    """Shows a few words, for a while or until others come."""

    def __call__(self, text: str, ink: Ink = "amber", stays: bool = False) -> None:
        """Say `text`."""


def is_over(snapshot: Snapshot | None) -> bool:
    """Whether the run is. Not "no call runs": a paused run has none, and more to come."""
    return snapshot is None or snapshot.run.phase == "finished"


class Steering:
    """Turns wishes into commands."""

    def __init__(self, send: Callable[[AnyCommand], None], say: Say) -> None:
        self._send = send
        self._say = say
        self.snapshot: Snapshot | None = None
        self._asked: dict[str, tuple[int, int]] = {}
        """By limit: what it was when somebody last moved it, and what was asked for."""

    def over(self) -> bool:
        """Whether there is nothing left to steer; says so then."""
        over = is_over(self.snapshot)
        if over:
            self._say("the run has ended")
        return over or (self.snapshot is not None and self.snapshot.run.replay and self._denied("stop_dispatching"))

    def _denied(self, action: str) -> bool:
        """Whether `action` means nothing to what is shown; says why then."""
        why = why_not(action, self.snapshot.run) if self.snapshot is not None else None
        if why is not None:
            self._say(why)
        return why is not None

    def pause(self) -> None:
        """Hold dispatch back, or let it go on; of a replay, the playing."""
        run = self.snapshot.run if self.snapshot is not None else None
        phase, replay = (run.phase, run.replay) if run is not None else ("", False)
        if phase == "running" and not self._denied("pause"):
            self._send(Pause())
            self._say("standing still, p plays on" if replay else "pausing: running streams go on, p resumes")
        elif phase == "paused":
            self._send(Resume())
            self._say("playing again" if replay else "dispatching again", "accent")
        elif phase != "running":
            self._say("this is the end; , goes 10 s back" if replay else "nothing is dispatched any more")

    def seek(self, by_s: float) -> None:
        """Go on from another moment of a replay."""
        if self.snapshot is not None and not self._denied("seek"):
            self._send(Seek(by_s))

    def move_rate(self, direction: int) -> None:
        """Move the RPM limit by a tenth, by 1 at least; play a replay twice or half as fast."""
        if self._denied("rate"):
            return
        if self.snapshot is not None and self.snapshot.run.replay:
            self._send(ChangeSpeed(2.0**direction))
            return
        limit = self.snapshot.run.rpm_limit if self.snapshot is not None else None
        if limit is None:
            self._say("this run has no RPM limit to move; :rpm 120 sets one")
        else:
            base = self._base("rpm", limit)
            self.set_rate(min(MOST["rpm"], max(1, base + direction * max(1, round(base / 10)))))

    def set_rate(self, rpm: int | None) -> None:
        """Set the RPM limit; None lifts it."""
        if self.snapshot is None or self._denied("rate") or self.over():
            return
        if rpm is not None:
            self._asked["rpm"] = (self.snapshot.run.rpm_limit or 0, rpm)
        self._send(SetRate(rpm))
        self._say("no RPM limit" if rpm is None else f"RPM limit {figures.exact(rpm)}", "accent")

    def move_concurrency(self, direction: int) -> None:
        """Move the number of streams at once by a tenth, by 1 at least."""
        if self.snapshot is not None and not self._denied("concurrency"):
            base = self._base("concurrency", self.snapshot.run.concurrency)
            self.set_concurrency(min(MOST["concurrency"], max(1, base + direction * max(1, round(base / 10)))))

    def set_concurrency(self, concurrency: int) -> None:
        """Set the number of streams at once."""
        if self.snapshot is None or self._denied("concurrency"):
            return
        self._asked["concurrency"] = (self.snapshot.run.concurrency, concurrency)
        self._send(SetConcurrency(concurrency))
        self._say(f"{figures.exact(concurrency)} at once", "accent")

    def _base(self, name: str, stands: int) -> int:
        """Several presses may come before the engine's answer: each goes on from the one before."""
        asked = self._asked.get(name)
        return asked[1] if asked is not None and asked[0] == stands else stands

    def cancel(self, focused: Focused | None) -> None:
        """Cancel a call that runs."""
        if self._is_not_ours() and self._denied("cancel"):
            return
        if focused is None:
            self._say("there is no call here to cancel")
        elif focused.state in TERMINAL:
            self._say(f"#{focused.call} has already ended")
        else:
            self._send(CancelCall(focused.call))
            self._say(f"cancelling #{focused.call}")

    def retry(self, focused: Focused | None) -> None:
        """Do a call again that did not end well."""
        if self._is_not_ours() and self._denied("retry"):
            return
        if focused is None:
            self._say("there is no call here to retry")
        elif focused.state not in TERMINAL:
            self._say(f"#{focused.call} has not ended yet")
        elif focused.state is State.DONE:
            self._say(f"#{focused.call} is done: there is nothing to retry")
        elif not self.over():
            self._send(RetryCall(focused.call))
            self._say(f"#{focused.call} is done again as a new call", "accent")

    def _is_not_ours(self) -> bool:
        """Whether no call of it can ever be cancelled or done again from here: a replay's, a probe's."""
        return self.snapshot is not None and (self.snapshot.run.replay or is_probe(self.snapshot.run))

    @property
    def failed(self) -> int:
        """Calls that failed or broke and can be done again, and have not been."""
        if self.snapshot is None or self._is_not_ours():
            return 0
        return self.snapshot.unanswered

    def retry_failed(self) -> None:
        """Do all calls again that did not end well."""
        if self._denied("retry_failed"):
            return
        if not self.failed:
            self._say("no failed call is left to do again")
            return
        self._send(RetryFailed())
        self._say("what failed is done again, as new calls", "accent")

    def why_not_raise(self, amount: str) -> str | None:
        """Why the budget cannot be raised to an amount as it was typed; None: it can."""
        if self.snapshot is None or self.snapshot.batch is None:
            return "only the budget of a batch can be raised while it runs"
        if (why := why_no_budget(self.snapshot)) is not None:
            return why
        limit = budget_of(self.snapshot.batch)
        try:
            raised = parse_amount(amount)
        except OrderError as error:
            return str(error)
        return f"that is not above {figures.usd(limit)}" if limit is not None and raised <= limit else None

    def raise_budget(self, amount: str) -> None:
        """Let a batch spend more: so many USD in all."""
        why = self.why_not_raise(amount)
        if why is not None:
            self._say(why)
            return
        raised = parse_amount(amount)
        self._send(RaiseBudget(format(raised, "f")))
        self._say(f"the budget is raised to {figures.usd(raised)}", "accent")

    def stop_dispatching(self) -> None:
        """Send nothing more; what streams may end."""
        if not self._denied("stop_dispatching"):
            self._send(Drain())
            self._say("nothing more is sent; running streams may end")

    def export(self, format: str, query: str, order: str, descending: bool) -> None:
        """Write what is shown to a file; the engine says where."""
        if self._denied("export"):
            return
        self._send(Export(format, query, order, descending))
        self._say(f"exporting as {format}", "accent")

    def picture(self, drawn: Callable[[], str]) -> None:
        """Have the engine write a picture of the screen; `drawn` makes it, as SVG."""
        if self._denied("picture"):
            return
        self._send(SaveScreenshot(drawn()))
        self._say("saving a picture of this screen", "accent")

    def save(self, call: int) -> None:
        """Write one call to a file; the engine says where."""
        if self._denied("save"):
            return
        self._send(SaveCall(call))
        self._say(f"saving #{call}", "accent")
