"""One pane of the wall: a title row, a figures row and the tail of a call's text. No widget; it makes rows.

A row is made again only when what it says has changed, so that an unchanged row is the same object as before.
"""

from rich.style import Style
from textual.strip import Strip

from tui.core import figures
from tui.core.calls import TERMINAL, State
from tui.core.snapshot import Pane
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import cells, crop, crop_start, plain_line
from tui.dashboard.theme import MARKS, Ground, Ink, Mark, Theme
from tui.dashboard.wrap import Tail, Wrap

CARET = "▍"
"""At the end of a text that still grows."""

_LONG_QUIET_NS = 2_000_000_000
"""From here on a silent stream is pointed out."""

_ONE_ROW = 54
"""From this width on all figures stand on one row, with room for retries."""

_SHORT_UNITS = 46
"""Below this width a single row of figures has shorter units."""

_TWO_ROWS_HEIGHT = 7
"""From this height on a narrower pane has a second row of figures."""

_WIDE_TITLE = 46
"""From this width on a title spells its state out."""


class PaneView:
    """The rows of one place on the wall, at one size."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        self.width = width
        self.height = height
        self.theme = theme
        self.named = False
        """Calls are called by their documents: the title has that, and not the model, which all share."""
        self.rows: list[Strip] = []
        self.pane: Pane | None = None
        self._focused = False
        self._tail = Tail(self._text_width, keep=max(1, height))
        self._made: dict[tuple[object, ...], Strip] = {}
        self._figure_rows: list[Strip] = []

    @property
    def _text_width(self) -> int:
        return max(2, self.width - 4)

    @property
    def tail_chars(self) -> int:
        """Characters of text that may be of use: twice what can be seen, for rows that break early."""
        return 2 * self.width * max(1, self.height - 2)

    def draw(self, pane: Pane | None, now: int, focused: bool, figures_due: bool) -> None:
        """Bring `rows` up to date with `pane`; None draws an empty place. `now` is in the snapshot's time.

        Figures are only made anew when `figures_due` or when the call or its state is another one.
        """
        if pane is None:
            self._draw_empty(focused)
            return
        before = self.pane
        anew = before is None or before.call != pane.call or before.state != pane.state or figures_due
        anew = anew or focused != self._focused
        self.pane = pane
        self._focused = focused
        self._tail.show((pane.call, pane.attempt), pane.text, pane.text_end)
        made: dict[tuple[object, ...], Strip] = {}
        rows: list[Strip] = []
        if self.height >= 1:
            rows.append(self._title(pane, focused, made))
        if self.height >= 3:
            if anew or len(self.rows) < 3:
                self._figure_rows = self._figures(pane, now, made)
            rows.extend(self._figure_rows)
        rows.extend(self._body(pane, self.height - len(rows), made))
        self._made = made
        self.rows = rows

    def _draw_empty(self, focused: bool) -> None:
        if self.pane is None and self._focused == focused and self.rows:
            return
        self.pane = None
        self._focused = focused
        edge = self.theme.style("faint", "page")
        blank = Row(self.width, edge).put("·" if not focused else "▸", edge).strip()
        empty = Row(self.width, edge).strip()
        self.rows = [blank if y == 0 else empty for y in range(self.height)]

    def _cached(self, key: tuple[object, ...], made: dict[tuple[object, ...], Strip]) -> Strip | None:
        strip = made.get(key) or self._made.get(key)
        if strip is not None:
            made[key] = strip
        return strip

    def _row(self, ground: Ground, ink: Ink) -> Row:
        style = self.theme.style
        edge = "█" if self._focused else self.theme.edge
        edge_ground = ground if self.theme.colour else "panel"
        return Row(self.width, style("text", ground)).put(edge, style(ink, edge_ground)).put(" ")

    def _title(self, pane: Pane, focused: bool, made: dict[tuple[object, ...], Strip]) -> Strip:
        key = ("title", pane.call, pane.state, pane.model, pane.prompt, pane.warmup, focused, self.named)
        strip = self._cached(key, made)
        if strip is None:
            strip = made[key] = self._make_title(pane, focused)
        return strip

    def _make_title(self, pane: Pane, focused: bool) -> Strip:
        style, mark = self.theme.style, MARKS[pane.state]
        ground: Ground = "focus" if focused else "title"
        row = self._row(ground, mark.ink)
        row.put(f"{mark.glyph} ", style(mark.ink, ground, True))
        row.put(f"#{pane.call} ", style("bright", ground, True))
        word = "warm-up" if pane.warmup else mark.word
        end: list[Piece] = [(f" {word} ", style(mark.ink, ground))]
        spelled = self.width >= _WIDE_TITLE or pane.state in (State.FAILED, State.BROKEN)
        room = row.room - (width_of(end) if spelled else 1)
        model = crop(plain_line(pane.model), max(6, min(24, room // 2)))
        if cells(model) <= room and not self.named:
            row.put(f"{model} ", style("soft", ground))
            room -= cells(model) + 1
        if room >= 6:
            shorten, ink = (crop_start, "soft") if self.named else (crop, "dim")
            row.put(shorten(plain_line(pane.prompt), room - 1), style(ink, ground))
        if spelled:
            row.right(end)
        return row.strip()

    def _figures(self, pane: Pane, now: int, made: dict[tuple[object, ...], Strip]) -> list[Strip]:
        mark = MARKS[pane.state]
        two = self.width - 3 < _ONE_ROW and self.height >= _TWO_ROWS_HEIGHT
        strips = []
        for pieces in figure_rows(pane, now, self.width - 3, two, self.theme):
            key = ("figures", mark.ink, self._focused, *pieces)
            strip = self._cached(key, made)
            if strip is None:
                strip = made[key] = self._row("panel", mark.ink).pieces(pieces).strip()
            strips.append(strip)
        return strips

    def _body(self, pane: Pane, height: int, made: dict[tuple[object, ...], Strip]) -> list[Strip]:
        if height <= 0:
            return []
        mark = MARKS[pane.state]
        foot = foot_lines(pane, self._text_width)
        lines: list[tuple[str, Ink]] = []
        text_ink: Ink = "text" if pane.state is State.STREAMING else "soft"
        if pane.text:
            lines = [(line, text_ink) for line in self._tail.wrap.last(height)]
        elif pane.state not in TERMINAL:
            lines = [(line, "dim") for line in _wrapped(pane.prompt, self._text_width, 3)]
        lines = lines[-max(0, height - len(foot)) :] if height > len(foot) else []
        lines += foot[:height]
        live = pane.state is State.STREAMING
        strips = [
            self._text_row(line, ink, mark, live and index == len(lines) - 1, made)
            for index, (line, ink) in enumerate(lines)
        ]
        while len(strips) < height:
            strips.append(self._text_row("", "text", mark, False, made))
        return strips

    def _text_row(self, line: str, ink: Ink, mark: Mark, caret: bool, made: dict[tuple[object, ...], Strip]) -> Strip:
        key = (line, ink, mark.ink, caret, self._focused)
        strip = self._cached(key, made)
        if strip is None:
            style = self.theme.style
            row = self._row("panel", mark.ink).put(line, style(ink, "panel"))
            if caret:
                row.put(CARET, style("accent", "panel"))
            strip = made[key] = row.strip()
        return strip


def _wrapped(text: str, width: int, rows: int) -> list[str]:
    """The first `rows` rows of a text."""
    wrap = Wrap(width)
    wrap.feed(plain_line(text))
    lines = wrap.last(len(wrap.closed) + 1)
    if len(lines) > rows:
        return [*lines[: rows - 1], crop(lines[rows - 1] + " …", width)]
    return lines


def foot_lines(pane: Pane, width: int) -> list[tuple[str, Ink]]:
    """What stands below the text: how it failed, or why it waits before its next attempt."""
    inks: dict[State, Ink] = {
        State.BACKING_OFF: "violet",
        State.FAILED: "red",
        State.BROKEN: "red",
        State.REFUSED: "grey",
        State.CANCELLED: "grey",
    }
    if pane.error and pane.state in inks:
        return [(line, inks[pane.state]) for line in _wrapped(pane.error, width, 3)]
    return []


def countdown_text(pane: Pane, now: int) -> str | None:
    """`↻ 2 in 1.4 s` while the call backs off: its second retry comes then."""
    if pane.state is not State.BACKING_OFF or pane.backoff_until is None:
        return None
    return f"↻ {max(1, pane.attempt)} in {figures.countdown(pane.backoff_until - now)}"


def figure_rows(pane: Pane, now: int, width: int, two: bool, theme: Theme) -> list[list[Piece]]:
    """The figures of a call on one row or `two`, each at most `width` cells: bright values, dim units.

    Columns keep their place while figures change. Those that matter least are left off first; none is cut.
    """
    unit = theme.style("dim", "panel")
    ttft, speed, count = _ttft(pane, theme), _speed(pane, theme), _tokens(pane, theme)
    tries, cost = _retries(pane, now, theme), _cost(pane, theme)
    # Until the first token the figure is how long it is waited for, back-off and all: no TTFT, and not called one.
    waits = pane.ttft_ns is None and pane.state not in TERMINAL
    label: list[Piece] = [("wait " if waits else "TTFT ", unit)]
    if two:
        first = [[*label, *ttft], speed] if width >= 26 else [ttft, speed]
        return [_fitting(first, None, width, unit), _fitting([count, cost], tries, width, unit)]
    if width >= _ONE_ROW:
        ttft = [*label, *ttft]
    elif width < _SHORT_UNITS:
        speed, count = _shortened(speed, "/s", 4), _shortened(count, "t", 6)
    return [_fitting([ttft, speed, count, cost], tries, width, unit)]


def _shortened(column: list[Piece], unit: str, size: int) -> list[Piece]:
    """A figure with a shorter unit and less room for digits."""
    (figure, ink), (was, dim) = column
    if was not in (" tok/s", " tok"):
        return [("quiet".rjust(size + len(unit)), dim)]
    return [(figure.strip().rjust(size), ink), (unit, dim)]


def _fitting(columns: list[list[Piece]], tries: list[Piece] | None, width: int, blank: Style) -> list[Piece]:
    """Whole columns, two cells apart. Retries stand last, but only the first column comes before them in need."""
    order = columns[:1] + ([tries] if tries else []) + columns[1:]
    shown: list[list[Piece]] = []
    used = 0
    for column in order:
        size = width_of(column) + (2 if shown else 0)
        if used + size <= width:
            shown.append(column)
            used += size
    if tries is not None and tries in shown:
        shown.append(shown.pop(shown.index(tries)))
    pieces: list[Piece] = []
    for column in shown:
        if pieces:
            pieces.append(("  ", blank))
        pieces.extend(column)
    return pieces


def _tokens(pane: Pane, theme: Theme) -> list[Piece]:
    text = figures.tokens(pane.tokens, pane.tokens_estimated).rjust(6)
    return [(text, theme.style("bright" if pane.tokens else "dim", "panel")), (" tok", theme.style("dim", "panel"))]


def _cost(pane: Pane, theme: Theme) -> list[Piece]:
    ink: Ink = "dim" if pane.cost.usd is None else "bright"
    text = figures.money(pane.cost) if pane.attempt else figures.ABSENT
    return [(text.rjust(9), theme.style(ink, "panel"))]


def _ttft(pane: Pane, theme: Theme) -> list[Piece]:
    """Time to the first token; until it comes, how long it is waited for."""
    if pane.ttft_ns is not None:
        mark = figures.ESTIMATED if pane.ttft_mark else ""
        return [((mark + figures.ms(pane.ttft_ns)).rjust(7), theme.style("bright", "panel"))]
    if pane.state in TERMINAL:
        return [(figures.ABSENT.rjust(7), theme.style("dim", "panel"))]
    return [(figures.ms(pane.waited_ns).rjust(7), theme.style("amber", "panel"))]


def _speed(pane: Pane, theme: Theme) -> list[Piece]:
    unit = theme.style("dim", "panel")
    if pane.state is State.STREAMING and (pane.quiet_ns or 0) >= _LONG_QUIET_NS:
        silence = figures.countdown(pane.quiet_ns or 0)
        amber = theme.style("amber", "panel")
        return [("quiet".rjust(5), amber), (f" {silence}".ljust(6), amber)]
    ink: Ink = "dim" if pane.tokens_per_s is None else "bright"
    return [(figures.rate(pane.tokens_per_s).rjust(5), theme.style(ink, "panel")), (" tok/s", unit)]


def _retries(pane: Pane, now: int, theme: Theme) -> list[Piece]:
    waits = countdown_text(pane, now)
    if waits is not None:
        return [(waits, theme.style("violet", "panel", True))]
    if pane.retries:
        return [(f"↻ {pane.retries}", theme.style("violet", "panel"))]
    return []
