"""The question that a reached budget is: raise it to what, or end the run. Answers; the app acts."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widgets import Input

from tui.core import figures
from tui.core.batch_view import BatchView
from tui.core.batch_words import budget_of
from tui.core.snapshot import Snapshot
from tui.dashboard.batch_header import document_pieces, money_forms
from tui.dashboard.dialogs import Box, Dialog, dialog_row
from tui.dashboard.input_line import OneLineInput
from tui.dashboard.paint import width_of
from tui.dashboard.plain import cells, crop, plain_line
from tui.dashboard.theme import DARK_GROUNDS, LIGHT_GROUNDS, Theme

DRAIN = "drain"
"""The answer that is no amount."""
_WIDTH = 76
_AMOUNT_CHARS = 16
_ROOMY = 10
"""Rows of a screen from which on it says how things stand."""
_LABEL = "raise to… "
_KEYS = (("⏎", "raise, and go on"), ("d", "drain (resumable)"), ("Esc", "later"))


class AmountInput(OneLineInput):
    """A line that takes an amount, and leaves letters to those who have a use for them."""

    def __init__(self) -> None:
        super().__init__(restrict=r"\$?[0-9.]*", max_length=_AMOUNT_CHARS, select_on_focus=False)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return character is not None and character in "$.0123456789"


class BudgetDialog(Dialog[str]):
    """Answers with an amount in USD as it was typed, with DRAIN, or with nothing. The amount field begins empty.

    It may come up by itself while somebody types for something else: nothing is spent by an Enter alone.
    """

    DEFAULT_CSS = f"""
    BudgetDialog {{ align: left top; layers: default typing; }}
    BudgetDialog AmountInput, BudgetDialog AmountInput:focus {{
        layer: typing; padding: 0 1; background: {DARK_GROUNDS["page"]};
    }}
    BudgetDialog:light AmountInput, BudgetDialog:light AmountInput:focus {{ background: {LIGHT_GROUNDS["page"]}; }}
    BudgetDialog:ansi AmountInput, BudgetDialog:ansi AmountInput:focus {{
        background: ansi_default; text-style: underline;
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "later", key_display="Esc"),
        # Before the line that is being typed, which would swallow it.
        Binding("d", "drain", "drain", priority=True),
        Binding("tab,shift+tab", "nothing", "nothing", show=False),
    ]

    def __init__(self, snapshot: Snapshot, batch: BatchView, wrong: Callable[[str], str | None]) -> None:
        """`wrong` says why an amount cannot be taken; None: it can."""
        super().__init__()
        self._snapshot, self._batch = snapshot, batch
        self._wrong = wrong
        self._error: str | None = None
        self._field_row = 0

    def compose(self) -> ComposeResult:
        yield Box()
        yield AmountInput()

    def on_mount(self) -> None:
        self.query_one(AmountInput).focus()
        self.paint()

    def tell(self, snapshot: Snapshot, batch: BatchView) -> None:
        """Show how things stand now."""
        self._snapshot, self._batch = snapshot, batch
        if self.is_mounted:
            self.paint()

    def rows(self, width: int, height: int, theme: Theme) -> list[Strip]:
        width = min(width, _WIDTH)
        style, limit = theme.style, budget_of(self._batch)
        shown = figures.usd(limit) if limit is not None else figures.ABSENT
        question = plain_line(self._batch.asking or f"the budget is {shown}")
        title, field, under = (dialog_row(width, theme) for _ in range(3))
        title.put(crop(question[:1].upper() + question[1:], title.room - 2), style("bright", "dialog", True))
        field.put(_LABEL, style("text", "dialog")).put("$", style("accent", "dialog", True))
        said = self._error or f"in all; above {shown}"
        under.put(crop(said, under.room - 2), style("red" if self._error else "dim", "dialog", self._error is not None))
        asked = [field.strip(), under.strip()]
        keys = _keys_row(width, theme)
        if height < _ROOMY:
            self._field_row = 1
            return [title.strip(), *asked, keys]
        blank = dialog_row(width, theme).strip()
        standing = self._standing(width, theme)
        self._field_row = len(standing) + 2
        return [title.strip(), *standing, blank, *asked, blank, keys]

    def _standing(self, width: int, theme: Theme) -> list[Strip]:
        """Money and documents, as the header says them."""
        money, documents = dialog_row(width, theme), dialog_row(width, theme)
        forms = money_forms(self._snapshot, self._batch, theme, "dialog")
        money.pieces(next((form for form in forms if width_of(form) <= money.room - 2), []))
        documents.pieces(document_pieces(self._batch, documents.room - 2, theme, "dialog"))
        return [money.strip(), documents.strip()]

    def paint(self) -> None:
        super().paint()
        line, box = self.query_one(AmountInput), self.query_one(Box)
        width, height = self.app.size
        box_width, box_height = self.drawn_size
        left, top = (width - box_width) // 2, (height - box_height) // 2
        box.styles.margin = (max(0, top), 0, 0, max(0, left))
        beside = left + (0 if box.theme_now.colour else 1) + 2 + cells(_LABEL) + 1
        line.styles.margin = (max(0, top) + self.above + self._field_row, 0, 0, beside)
        line.styles.width = max(1, min(_AMOUNT_CHARS + 3, width - beside - 1))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell_wrong(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        wrong = self._wrong(event.value)
        if wrong is None:
            self.dismiss(event.value)
        else:
            self._tell_wrong(wrong)

    def _tell_wrong(self, wrong: str | None) -> None:
        self._error = wrong
        self.paint()

    def action_drain(self) -> None:
        """End the run; it can be resumed."""
        self.dismiss(DRAIN)

    def action_close(self) -> None:
        """Decide later."""
        self.dismiss(None)

    def action_nothing(self) -> None:
        """Keep the focus where it is."""


def _keys_row(width: int, theme: Theme) -> Strip:
    """What can be answered; where it is narrow without the words."""
    style = theme.style
    for worded in (True, False):
        row = dialog_row(width, theme)
        pieces = []
        for place, (key, words) in enumerate(_KEYS):
            pieces.append((f"{'   ' if place else ''}{key}", style("accent", "dialog", True)))
            pieces.append((f" {words if worded else words.split()[0].rstrip(',')}", style("text", "dialog")))
        if width_of(pieces) <= row.room or not worded:
            return row.pieces(pieces).strip()
    raise AssertionError("the second form is taken whatever its width")
