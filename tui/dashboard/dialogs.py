"""Questions and help over the wall. They answer; the app acts."""

from collections.abc import Iterable
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.strip import Strip

from tui.core import figures
from tui.dashboard.paint import Row
from tui.dashboard.rows import Rows
from tui.dashboard.theme import Theme

Answer = Literal["drain", "stop", "stay"]

_CHOICES: tuple[tuple[str, Answer, str], ...] = (
    ("d", "drain", "finish the running streams, then quit"),
    ("s", "stop", "stop now: cancel what runs"),
    ("Esc", "stay", "stay"),
)


def quit_rows(running: int, chosen: int, width: int, theme: Theme) -> list[Strip]:
    """The question, its three answers, one of them chosen."""
    style = theme.style
    calls = "1 call is" if running == 1 else f"{figures.exact(running)} calls are"
    rows = [_row(width, theme), _row(width, theme).put(f"{calls} still running", style("bright", "dialog", True))]
    rows.append(_row(width, theme))
    for index, (key, _, words) in enumerate(_CHOICES):
        lit = index == chosen
        ground: Literal["focus", "dialog"] = "focus" if lit else "dialog"
        row = Row(width, style("text", ground)).put(" ❯ " if lit else "   ", style("accent", ground, True))
        row.put(f"{key:<4} ", style("accent", ground, True)).put(words, style("bright" if lit else "text", ground))
        rows.append(row)
    rows.append(_row(width, theme))
    return [row.strip() for row in rows]


def help_rows(bindings: Iterable[tuple[str, str]], width: int, height: int, theme: Theme) -> list[Strip]:
    """Keys and what they do, in two columns where one would be too long."""
    style = theme.style
    entries = list(bindings)
    columns = 1 if len(entries) + 4 <= height or width < 64 else 2
    each = -(-len(entries) // columns)
    size = (width - 2) // columns
    rows = [_row(width, theme).put("keys", style("bright", "dialog", True)), _row(width, theme)]
    if height > each + 3:
        rows.insert(0, _row(width, theme))
    for line in range(each):
        row = Row(width, style("text", "dialog")).put(" ")
        for column, entry in enumerate(entries[line::each]):
            key, words = entry
            row.to(1 + column * size).put(f" {key:>6}  ", style("accent", "dialog", True))
            row.put(words, style("text", "dialog"))
        rows.append(row)
    rows.append(_row(width, theme))
    return [row.strip() for row in rows][: max(1, height)]


def _row(width: int, theme: Theme) -> Row:
    return Row(width, theme.style("text", "dialog")).put("  ")


class _Box(Rows):
    """A block of rows in the middle of the screen."""


class QuitDialog(ModalScreen[Answer]):
    """What to do with the running calls."""

    DEFAULT_CSS = """
    QuitDialog { align: center middle; background: transparent; }
    QuitDialog _Box { width: 48; max-width: 100%; height: 7; max-height: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "answer('drain')", "drain"),
        Binding("s", "answer('stop')", "stop"),
        Binding("escape,n,q", "answer('stay')", "stay"),
        Binding("up,shift+tab", "choose(-1)", "up"),
        Binding("down,tab", "choose(1)", "down"),
        Binding("enter", "take", "take"),
    ]

    def __init__(self, running: int) -> None:
        super().__init__()
        self._running_calls = running
        self._chosen = 0

    def compose(self) -> ComposeResult:
        yield _Box()

    def on_mount(self) -> None:
        self._paint()

    def on_resize(self) -> None:
        self._paint()

    def _paint(self) -> None:
        box = self.query_one(_Box)
        width = box.size.width or 48
        box.show(quit_rows(self._running_calls, self._chosen, width, box.theme_now))

    def action_choose(self, by: int) -> None:
        """Move the choice."""
        self._chosen = (self._chosen + by) % len(_CHOICES)
        self._paint()

    def action_take(self) -> None:
        """Answer with the choice."""
        self.dismiss(_CHOICES[self._chosen][1])

    def action_answer(self, answer: Answer) -> None:
        """Answer."""
        self.dismiss(answer)


class HelpDialog(ModalScreen[None]):
    """The keys, out of the bindings themselves."""

    DEFAULT_CSS = """
    HelpDialog { align: center middle; background: transparent; }
    HelpDialog _Box { width: 56; max-width: 100%; max-height: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,space", "close", "close", key_display="Esc"),
    ]

    def __init__(self, bindings: list[tuple[str, str]]) -> None:
        super().__init__()
        self._keys = bindings

    def compose(self) -> ComposeResult:
        yield _Box()

    def on_mount(self) -> None:
        self._paint()

    def on_resize(self) -> None:
        self._paint()

    def _paint(self) -> None:
        box = self.query_one(_Box)
        width, height = self.app.size
        wide = 56 if len(self._keys) + 4 <= height or width < 64 else min(100, width)
        rows = help_rows(self._keys, min(wide, width), height, box.theme_now)
        box.styles.width = min(wide, width)
        box.styles.height = len(rows)
        box.show(rows)

    def action_close(self) -> None:
        """Back to what was."""
        self.dismiss(None)
