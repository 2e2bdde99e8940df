"""When a batch is asked for more money: by itself once when its budget is reached, and whenever somebody wants to."""

from collections.abc import Callable
from typing import Protocol

from tui.core.snapshot import Snapshot
from tui.dashboard.budget_dialog import DRAIN, BudgetDialog
from tui.dashboard.steerable import why_no_budget
from tui.dashboard.steering import Say, Steering


class Show(Protocol):
    """Shows a dialog and hands on its answer. False: it cannot be shown now."""

    def __call__(self, dialog: BudgetDialog, answered: Callable[[str | None], None], /) -> bool:
        """Show `dialog`."""


class BudgetQuestion:
    """Asks, then steers."""

    def __init__(self, steering: Steering, show: Show, say: Say) -> None:
        self._steering = steering
        self._show = show
        self._say = say
        self._dialog: BudgetDialog | None = None
        """The one that is shown."""
        self._put: str | None = None
        """What was asked by itself: once put away, it comes back only when somebody wants it."""
        self._waits = False
        """The dialog that is shown came up because the run waits."""

    def see(self, snapshot: Snapshot) -> None:
        """Ask when the run waits for an answer, and no longer when it does not."""
        batch = snapshot.batch
        if batch is None:
            return
        asking = batch.asking if why_no_budget(snapshot) is None else None
        if asking is None:
            self._put = None
        elif asking != self._put and self._dialog is None and self._ask(snapshot):
            self._put = asking
        if self._dialog is None:
            return
        if why_no_budget(snapshot) is not None or (self._waits and asking is None):
            self._dialog.dismiss(None)
        else:
            self._dialog.tell(snapshot, batch)

    def ask(self) -> None:
        """Ask because somebody wants to."""
        snapshot = self._steering.snapshot
        why = why_no_budget(snapshot) if snapshot is not None else None
        if why is not None:
            self._say(why)
        elif snapshot is not None and self._dialog is None:
            self._ask(snapshot)

    def _ask(self, snapshot: Snapshot) -> bool:
        assert snapshot.batch is not None
        dialog = BudgetDialog(snapshot, snapshot.batch, self._steering.why_not_raise)
        if not self._show(dialog, self._answered):
            return False
        self._dialog, self._waits = dialog, snapshot.batch.asking is not None
        return True

    def _answered(self, answer: str | None) -> None:
        self._dialog = None
        if answer == DRAIN:
            self._steering.stop_dispatching()
        elif answer is not None:
            self._steering.raise_budget(answer)
        elif self._waits and self._put is not None:
            self._say("the run waits for its budget: b raises it, x ends the run")
