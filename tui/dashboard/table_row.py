"""One call as a row of the table: what it says in each column. Pure: values in, segments out."""

from collections.abc import Callable
from functools import lru_cache, partial

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.core import figures
from tui.core.calls import TERMINAL, State
from tui.core.views import CallRow
from tui.dashboard.plain import cells, crop, crop_start, plain_line
from tui.dashboard.table_columns import GROUND, LEAST_PROMPT, Layout
from tui.dashboard.theme import MARKS, Ground, Ink, Palette


def row_segments(row: CallRow, layout: Layout, focused: bool, style: Palette) -> list[Segment]:
    """A call as one row of `layout.width` cells.

    No strip yet: what is joined into a longer row would have been one for nothing, and a strip's caches are a dozen
    objects for the garbage collector to walk.
    """
    ground: Ground = "focus" if focused else GROUND
    if focused:
        style = partial(_on_focus, style)
    line = _Line("▸" if focused else " ", style("accent", ground, True))
    for column, start, width in layout.places:
        name = column.order
        figure = _FIGURES.get(name)
        if figure is not None:
            text, ink = figure(row)
            # A figure longer than any usual one is cut, and says so: it must not run into its neighbour's digits.
            room = start + width - line.used
            line.put((text if len(text) <= width else crop(text, width)).rjust(room), room, style(ink, ground))
            continue
        before = " " * (start - line.used)
        if name == "state":
            mark = MARKS[row.state]
            text = before + (f"{mark.glyph} {mark.word}" if layout.words else mark.glyph)
            line.put(text, len(text), style(mark.ink, ground))
        elif name == "model":
            text = before + _cropped(row.model, width)
            line.put(text, cells(text), style("dim", ground))
        else:
            for text, ink in _prompt(row, width, layout.named):
                line.put(before + text, len(before) + cells(text), style(ink, ground))
                before = ""
    return line.segments(layout.width, style("text", ground))


class _Line:
    """A row that grows to the right; neighbours of one style become one segment, for the terminal's sake.

    `paint.Row` measures every piece, and most of these are known to be as wide as they are long: half the cost.
    """

    __slots__ = ("_segments", "_style", "_text", "used")

    def __init__(self, text: str, style: Style) -> None:
        self._segments: list[Segment] = []
        self._text = text
        self._style = style
        self.used = len(text)

    def put(self, text: str, size: int, style: Style) -> None:
        """Add `text`, which is `size` cells wide."""
        if style is self._style:
            self._text += text
        else:
            self._segments.append(Segment(self._text, self._style))
            self._text, self._style = text, style
        self.used += size

    def segments(self, width: int, base: Style) -> list[Segment]:
        """All of it, filled up to `width` cells or cut there."""
        if self.used < width:
            self.put(" " * (width - self.used), width - self.used, base)
        self._segments.append(Segment(self._text, self._style))
        return self._segments if self.used == width else list(Strip(self._segments, self.used).crop(0, width))


_FOCUS_INKS: dict[Ink, Ink] = {"soft": "text", "dim": "soft", "faint": "dim", "grey": "text"}
"""Inks that would be hard to read on the cursor's ground, and those that stand for them there."""


def _on_focus(style: Palette, ink: Ink, ground: Ground = "page", bold: bool = False, /) -> Style:
    return style(_FOCUS_INKS.get(ink, ink), ground, bold)


@lru_cache(maxsize=1024)
def _cropped(text: str, width: int) -> str:
    return crop(plain_line(text), width)


_LEAST_ERROR = 24
_ERROR_INKS: dict[State, Ink] = {
    State.BACKING_OFF: "violet",
    State.FAILED: "red",
    State.BROKEN: "red",
    State.REFUSED: "grey",
    State.CANCELLED: "grey",
}
"""States in which the error says more than the prompt."""


@lru_cache(maxsize=1024)
def _named(text: str, width: int) -> str:
    return crop_start(plain_line(text), width)


def _error(row: CallRow) -> str:
    """Why it failed, without the status, which has a column of its own."""
    return (row.error or "").removeprefix(f"HTTP {row.status}: ")


def _prompt(row: CallRow, width: int, named: bool) -> list[tuple[str, Ink]]:
    """What is special about a call, then its error if it is in trouble, then its prompt.

    `named`: it has its document's name for a prompt, which stands before the error.
    """
    pieces: list[tuple[str, Ink]] = []
    marks: list[tuple[str, Ink]] = []
    if row.warmup:
        marks.append(("warm-up ", "blue"))
    if row.retry_of is not None:
        marks.append((f"↻ #{row.retry_of} ", "violet"))
    room = width
    for text, ink in marks:
        if len(text) <= room:
            pieces.append((text, ink))
            room -= len(text)
    in_trouble = row.error is not None and row.state in _ERROR_INKS
    if named:
        name = _named(row.prompt, room if not in_trouble else max(room // 2, room - _LEAST_ERROR))
        pieces.append((name, "soft" if row.state in TERMINAL else "text"))
        room -= cells(name) + 2
        if in_trouble and room >= LEAST_PROMPT:
            pieces.append(("  " + _cropped(_error(row), room), _ERROR_INKS[row.state]))
    elif in_trouble:
        error = _cropped(_error(row), room)
        pieces.append((error, _ERROR_INKS[row.state]))
        room -= cells(error) + 2
        if room >= LEAST_PROMPT:
            pieces.append(("  " + _cropped(row.prompt, room), "dim"))
    else:
        pieces.append((_cropped(row.prompt, room), "soft" if row.state in TERMINAL else "text"))
    return pieces


# Figures: text and ink. Those of running calls are brighter: that is where something happens.


def _value(row: CallRow, text: str) -> tuple[str, Ink]:
    if text == figures.ABSENT:
        return text, "faint"
    return text, "text" if row.state in TERMINAL else "bright"


def _id(row: CallRow) -> tuple[str, Ink]:
    return _value(row, f"#{row.call}")


def _queue(row: CallRow) -> tuple[str, Ink]:
    return figures.ms(row.queue_ns), "faint" if row.queue_ns is None else "soft"


def _attempts(row: CallRow) -> tuple[str, Ink]:
    return figures.count(row.attempts), "violet" if row.attempts > 1 else "dim"


def _status(row: CallRow) -> tuple[str, Ink]:
    if row.status is None:
        return figures.ABSENT, "faint"
    return str(row.status), "amber" if row.status == 429 else "red" if row.status >= 400 else "soft"


def _ttft(row: CallRow) -> tuple[str, Ink]:
    mark = figures.ESTIMATED if row.ttft_mark and row.ttft_ns is not None else ""
    return _value(row, mark + figures.ms(row.ttft_ns))


def _rate(row: CallRow) -> tuple[str, Ink]:
    return _value(row, figures.rate(row.tokens_per_s))


def _tokens(row: CallRow) -> tuple[str, Ink]:
    if not row.tokens:
        return "0", "dim"
    return _value(row, figures.tokens(row.tokens, row.tokens_estimated))


def _cost(row: CallRow) -> tuple[str, Ink]:
    if not row.attempts:
        return figures.ABSENT, "faint"
    if row.cost.usd is None:
        return figures.money(row.cost), "dim"
    return _value(row, figures.money(row.cost))


def _total(row: CallRow) -> tuple[str, Ink]:
    return _value(row, figures.ms(row.total_ns))


_FIGURES: dict[str, Callable[[CallRow], tuple[str, Ink]]] = {
    "id": _id,
    "queue": _queue,
    "attempts": _attempts,
    "status": _status,
    "ttft": _ttft,
    "tok/s": _rate,
    "tokens": _tokens,
    "cost": _cost,
    "total": _total,
}
