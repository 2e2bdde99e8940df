"""Where a filter or a command is typed, over the last rows of a screen. Reads it and hands on what it means.

The editing itself is Textual's Input: keys, clipboard and wide characters are its trade.
"""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui.dashboard import orders
from tui.dashboard.input_line import OneLineInput
from tui.dashboard.orders import Order, OrderError, parse_order
from tui.dashboard.paint import Row
from tui.dashboard.plain import cells, crop, plain, plain_line
from tui.dashboard.rows import Rows
from tui.dashboard.theme import Ground, Ink

MOST_CHARS = 500
FILTER, COMMAND = "/", ":"
SYNTAX: dict[str, tuple[str, ...]] = {
    FILTER: (
        "words, -words, state:failed, model:a, ttft>500ms, tokens>2k, status:429   ⏎ keep  Esc clear",
        "words, state:failed, model:a, ttft>500ms   ⏎ keep  Esc clear",
        "state:failed ttft>500ms words",
        "words",
    ),
    COMMAND: orders.HELP,
}
"""From the longest; the first one that fits is shown."""
_HISTORY = 50


class CommandLine(Vertical):
    """One line of input under a row that says what can be typed, or what is wrong with it.

    The first character, `/` or `:`, says what it is; deleting that leaves it. It lies over the screen's last rows, so
    that nothing moves when it comes and goes.
    """

    DEFAULT_CSS = """
    CommandLine { dock: bottom; layer: typing; height: 2; display: none; }
    CommandLine OneLineInput, CommandLine OneLineInput:focus { padding: 0 1; }
    CommandLine Rows { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("up", "recall(-1)", "what was typed before", show=False),
        Binding("down", "recall(1)", "what was typed after", show=False),
        # Else they would turn to another view underneath.
        Binding("tab,shift+tab", "nothing", "nothing", show=False),
    ]

    class Filtering(Message):
        """A filter is being typed: this is as far as it is."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Filtered(Filtering):
        """It stays as it is now."""

    class Ordered(Message):
        """A command was typed and understood."""

        def __init__(self, order: Order) -> None:
            super().__init__()
            self.order = order

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._kind = FILTER
        self._before: Widget | None = None
        self._typed: dict[str, list[str]] = {FILTER: [], COMMAND: []}
        self._at = 0
        """Which of those is shown; their number when it is none."""
        self._said: tuple[str, Ink] | None = None
        self._right = ""

    def compose(self) -> ComposeResult:
        yield Rows()
        yield OneLineInput(max_length=MOST_CHARS, select_on_focus=False)

    @property
    def _line(self) -> OneLineInput:
        return self.query_one(OneLineInput)

    @property
    def typing(self) -> str | None:
        """What is being typed: FILTER, COMMAND or nothing."""
        return self._kind if self.display else None

    def ask(self, kind: str, text: str = "") -> None:
        """Show itself with `text` to go on from."""
        if not self.display:
            self._before = self.screen.focused
        self._kind = kind
        self._at = len(self._typed[kind])
        self._said, self._right = None, ""
        self.display = True
        self._put(text)
        # At once: a key may follow before a message would.
        self.screen.set_focus(self._line)
        self._hint()

    def tell(self, said: tuple[str, Ink] | None, right: str = "") -> None:
        """Say what is wrong with what is typed, and how much it finds."""
        if (said, right) != (self._said, self._right):
            self._said, self._right = said, right
            self._hint()

    def leave(self) -> None:
        """Go away; the keys are again whose they were."""
        if not self.display:
            return
        before = self._before if self._before is not None and self._before.display else None
        if self._line.has_focus:
            self.screen.set_focus(before)
        self.display = False

    def on_resize(self) -> None:
        self._hint()

    def _put(self, text: str) -> None:
        line = self._line
        line.value = self._kind + text
        line.cursor_position = len(line.value)

    def _hint(self) -> None:
        if not self.display:
            return
        rows = self.query_one(Rows)
        style, width = rows.theme_now.style, self.screen.size.width
        # Without shades the underline of a title parts it from the line below.
        ground: Ground = "dialog" if rows.theme_now.colour else "title"
        row = Row(width, style("text", ground)).put(" ")
        right = [(f" {self._right} ", style("soft", ground))] if self._right else []
        room = row.room - (cells(self._right) + 2 if right else 0)
        if self._said is not None:
            words, ink = self._said
            row.put(crop(plain_line(words), room), style(ink, ground, True))
        else:
            fitting = next((words for words in SYNTAX[self._kind] if cells(words) <= room), "")
            row.put(fitting, style("soft", ground))
        rows.show([row.right(right).strip()])

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self.display:
            return
        if not event.value.startswith(self._kind):
            self.action_leave()
            return
        typed = self._line.value  # as it is by now: keys may have followed a paste
        clean = plain(typed).replace("\n", " ")
        if clean != typed:  # something pasted; it must not reach the terminal as it is
            self._line.value = clean
            return
        if self._kind == FILTER:
            self.post_message(self.Filtering(event.value[1:]))
        else:
            self.tell(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value[1:].strip()
        order: Order | None = None
        if self._kind == COMMAND:
            try:
                order = parse_order(text)
            except OrderError as error:
                self.tell((str(error), "red"))
                return
        self._remember(text)
        self.leave()
        if self._kind == FILTER:
            self.post_message(self.Filtered(text))
        elif order is not None:
            self.post_message(self.Ordered(order))

    def _remember(self, text: str) -> None:
        typed = self._typed[self._kind]
        if text and typed[-1:] != [text]:
            typed.append(text)
            del typed[:-_HISTORY]

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        # The terminal's window may have lost the focus, then it comes back to the line; else somebody clicked a view.
        left = self.screen.focused is not self._line
        if self.display and left and self.app.app_focus and self.app.screen is self.screen:
            text = self._line.value[1:]
            self.leave()
            if self._kind == FILTER:
                self.post_message(self.Filtered(text))

    def action_leave(self) -> None:
        """Go away; a filter is none any more."""
        self.leave()
        if self._kind == FILTER:
            self.post_message(self.Filtered(""))

    def action_recall(self, by: int) -> None:
        """Put what was typed earlier into the line, or later."""
        typed = self._typed[self._kind]
        at = max(0, min(self._at + by, len(typed)))
        if at != self._at:
            self._at = at
            self._put(typed[at] if at < len(typed) else "")

    def action_nothing(self) -> None:
        """Keep keys from meaning something to what lies below."""
