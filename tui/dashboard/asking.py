"""Wishes that are asked back about before they are done: they cost much, cannot be taken back, or have two ways."""

from collections.abc import Callable, Sequence

from tui.core import figures
from tui.core.commands import Watch
from tui.dashboard.dialogs import Choice
from tui.dashboard.steering import Steering

Ask = Callable[[str, Sequence[Choice], Callable[[str | None], None]], bool]
"""Shows a question with its answers, and hands on the one that was given. False: it cannot be asked now."""

MANY = 10
"""Failed calls: more than so many cost enough to ask first."""

_STOP = (
    Choice("x", "x", "yes", "stop dispatching; running streams may end"),
    Choice("escape", "Esc", "stay", "go on"),
)
_RETRY = (
    Choice("r", "r", "yes", "send them again, at their price"),
    Choice("escape", "Esc", "stay", "nothing"),
)
_EXPORT = (
    Choice("c", "c", "csv", "CSV, for a spreadsheet"),
    Choice("j", "j", "jsonl", "JSON lines, for a program"),
    Choice("escape", "Esc", "stay", "nothing"),
)


class Asking:
    """Asks, then steers."""

    def __init__(self, steering: Steering, ask: Ask) -> None:
        self._steering = steering
        self._ask = ask

    def retry_failed(self) -> None:
        """Do all failed calls again."""
        failed = self._steering.failed
        if failed <= MANY or self._steering.over():
            self._steering.retry_failed()
        else:
            question = f"do {figures.exact(failed)} failed calls again?"
            self._ask(question, _RETRY, lambda answer: self._if_yes(answer, self._steering.retry_failed))

    def stop_dispatching(self) -> None:
        """Send nothing more."""
        if not self._steering.over():
            question = "send nothing more? this cannot be taken back"
            self._ask(question, _STOP, lambda answer: self._if_yes(answer, self._steering.stop_dispatching))

    def export(self, watch: Watch) -> None:
        """Write what is shown to a file of either format."""
        which = "the calls that pass the filter" if watch.query else "all calls"
        self._ask(f"export {which}", _EXPORT, lambda answer: self.exported(answer, watch))

    def exported(self, format: str | None, watch: Watch) -> None:
        """Write what is shown to a file of this format."""
        if format in ("csv", "jsonl"):
            by_column = watch.view in ("table", "waterfall")
            order, descending = (watch.order, watch.descending) if by_column else ("id", False)
            self._steering.export(format, watch.query, order, descending)

    def _if_yes(self, answer: str | None, do: Callable[[], None]) -> None:
        if answer == "yes":
            do()
