"""Questions and explanations over the screen. They answer; the app acts."""

from collections.abc import Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip

from tui.dashboard.paint import Row
from tui.dashboard.plain import cells, crop
from tui.dashboard.rows import Rows
from tui.dashboard.theme import Ground, Ink, Theme
from tui.dashboard.wrap import Wrap

Result = TypeVar("Result")

_WORDS_WIDTH = 76


class Choice(NamedTuple):
    """One answer to a question."""

    key: str
    """As Textual names it."""
    shown: str
    """As it is printed."""
    answer: str
    words: str


def choice_rows(question: str, choices: Sequence[Choice], chosen: int, width: int, theme: Theme) -> list[Strip]:
    """The question and its answers, one of them lit."""
    style = theme.style
    title = dialog_row(width, theme)
    rows = [title.put(crop(question, title.room), style("bright", "dialog", True)), dialog_row(width, theme)]
    for index, choice in enumerate(choices):
        lit = index == chosen
        ground: Ground = "focus" if lit else "dialog"
        row = Row(width, style("text", ground)).put("❯ " if lit else "  ", style("accent", ground, True))
        row.put(f"{choice.shown:<4} ", style("accent", ground, True))
        rows.append(row.put(crop(choice.words, row.room), style("bright" if lit else "text", ground)))
    return [row.strip() for row in rows]


def words_rows(title: str, lines: Sequence[tuple[str, str, Ink]], width: int, theme: Theme) -> list[Strip]:
    """A title, then glyph and words of each line, wrapped."""
    style = theme.style
    head = dialog_row(width, theme)
    rows = [head.put(crop(title, head.room), style("bright", "dialog", True)), dialog_row(width, theme)]
    for glyph, words, ink in lines:
        wrap = Wrap(max(2, width - 6))
        wrap.feed(words)
        for index, part in enumerate([*wrap.closed, wrap.open]):
            row = dialog_row(width, theme).put(f"{glyph} " if index == 0 else "  ", style(ink, "dialog", True))
            rows.append(row.put(part, style("text", "dialog")))
    return [row.strip() for row in rows]


def dialog_row(width: int, theme: Theme) -> Row:
    """A row of a dialog, begun."""
    return Row(width, theme.style("text", "dialog")).put("  ")


def boxed(rows: Sequence[Strip], height: int, theme: Theme) -> list[Strip]:
    """Rows with a margin above and below where `height` has room for it; without colours a line goes around them."""
    if not rows:
        return []
    width = rows[0].cell_length
    roomy = height >= len(rows) + 2
    base = theme.style("text", "dialog")
    if theme.colour:
        blank = Row(width, base).strip()
        return [blank, *rows, blank] if roomy else list(rows)
    side = Strip([Segment("│", base)], 1)
    lined = [Strip.join([side, row, side]) for row in rows]
    if not roomy:
        return lined
    above, below = (Row(width + 2, base).put(f"{a}{'─' * width}{b}").strip() for a, b in ("┌┐", "└┘"))
    return [above, *lined, below]


class Box(Rows):
    """A block of rows in the middle of the screen."""

    class Clicked(Message):
        """One of its rows was clicked."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Clicked(int(event.y)))


class Dialog(ModalScreen[Result], Generic[Result]):
    """A box of rows that are made again whenever the size changes. Transparent: the run goes on behind it."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: transparent; }
    Dialog Box { max-width: 100%; max-height: 100%; }
    """

    above = 0
    """Rows of margin that were drawn above those of `rows`."""
    drawn_size = (0, 0)
    """Columns and rows that were drawn, with margins."""

    def compose(self) -> ComposeResult:
        yield Box()

    def rows(self, width: int, height: int, theme: Theme) -> list[Strip]:
        """The rows for a screen of this size, all of one width."""
        raise NotImplementedError

    def clicked(self, row: int) -> None:
        """A click on one of `rows`."""

    def clicked_outside(self) -> None:
        """A click beside the box."""

    def on_mount(self) -> None:
        self.paint()

    def on_resize(self) -> None:
        self.paint()

    def paint(self) -> None:
        """Draw the rows."""
        box = self.query_one(Box)
        theme = box.theme_now
        width, height = self.app.size
        made = self.rows(width if theme.colour else max(1, width - 2), height, theme)
        rows = boxed(made, height, theme)[: max(1, height)]
        self.above = (len(rows) - len(made)) // 2
        self.drawn_size = (rows[0].cell_length if rows else 1, max(1, len(rows)))
        box.styles.width, box.styles.height = self.drawn_size
        box.show(rows)

    def on_box_clicked(self, event: Box.Clicked) -> None:
        event.stop()
        self.clicked(event.row - self.above)

    def on_click(self) -> None:
        self.clicked_outside()


class ChoiceDialog(Dialog[str]):
    """A question with a few answers; Esc is the last of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "answer_last", "stay"),
        Binding("up,shift+tab", "choose(-1)", "up"),
        Binding("down,tab", "choose(1)", "down"),
        Binding("enter", "take", "take"),
    ]

    def __init__(self, question: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._question = question
        self._choices = choices
        self._chosen = 0

    def rows(self, width: int, height: int, theme: Theme) -> list[Strip]:
        wanted = max(cells(self._question) + 4, *(cells(choice.words) + 9 for choice in self._choices))
        made = choice_rows(self._question, self._choices, self._chosen, min(width, wanted), theme)
        if height < len(made):
            del made[1]
        return made

    def on_key(self, event: events.Key) -> None:
        """A choice's own key."""
        for choice in self._choices:
            if event.key == choice.key:
                event.stop()
                self.dismiss(choice.answer)

    def clicked(self, row: int) -> None:
        at = row - 2
        if 0 <= at < len(self._choices):
            self.dismiss(self._choices[at].answer)

    def clicked_outside(self) -> None:
        self.action_answer_last()

    def action_choose(self, by: int) -> None:
        """Move the choice."""
        self._chosen = (self._chosen + by) % len(self._choices)
        self.paint()

    def action_take(self) -> None:
        """Answer what is chosen."""
        self.dismiss(self._choices[self._chosen].answer)

    def action_answer_last(self) -> None:
        """Answer that nothing shall happen."""
        self.dismiss(self._choices[-1].answer)


class ReadDialog(Dialog[None]):
    """Something to read: any of the usual keys and any click closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,T,q,enter,space", "close", "close", key_display="Esc")
    ]

    def clicked(self, row: int) -> None:
        self.action_close()

    def clicked_outside(self) -> None:
        self.action_close()

    def action_close(self) -> None:
        """Back to what was."""
        self.dismiss(None)


class WordsDialog(ReadDialog):
    """A few lines to read."""

    def __init__(self, title: str, lines: Sequence[tuple[str, str, Ink]]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def rows(self, width: int, height: int, theme: Theme) -> list[Strip]:
        return words_rows(self._title, self._lines, min(width, _WORDS_WIDTH), theme)
