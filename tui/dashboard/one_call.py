"""One call in full: its timings, its attempts, its prompt and all of its text. Sends nothing itself."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip

from tui.core import figures
from tui.core.calls import State
from tui.core.snapshot import AttemptView, FullCall, Snapshot
from tui.dashboard.footer import Footer, Hint
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.pane import CARET, countdown_text, foot_lines
from tui.dashboard.plain import crop, plain_line
from tui.dashboard.rows import Rows
from tui.dashboard.theme import MARKS, Ink, Theme
from tui.dashboard.wrap import Tail, Wrap

HINTS: list[Hint] = [("Esc", "back"), ("c", "cancel"), ("↑ ↓", "scroll"), ("End", "follow"), ("q", "quit")]

_MARGIN = 2
_MOST_TEXT_WIDTH = 120
"""Longer rows are hard to read."""


def call_rows(full: FullCall, now: int, width: int, height: int, theme: Theme) -> list[Strip]:
    """What stands above the text, in at most `height` rows; `now` is in the snapshot's time."""
    rows = [_title(full, width, theme)]
    rows.extend(_timings(full, width, theme))
    rows.append(_blank(width, theme))
    rows.extend(_attempts(full, width, theme))
    rows.extend(_foot(full, now, width, theme))
    rows.extend(_prompt(full, width, theme))
    return rows[: max(1, height)]


def _blank(width: int, theme: Theme) -> Strip:
    return Row(width, theme.style("text", "bar")).strip()


def _title(full: FullCall, width: int, theme: Theme) -> Strip:
    style, pane = theme.style, full.pane
    mark = MARKS[pane.state]
    row = Row(width, style("text", "title")).put(f" {mark.glyph} ", style(mark.ink, "title", True))
    row.put(f"#{pane.call}  ", style("bright", "title", True))
    words = mark.word + (f" ({plain_line(pane.finish_reason)})" if pane.finish_reason else "")
    words = crop(words, 24)
    right: list[Piece] = [(f" {words} ", style(mark.ink, "title", True))]
    row.put(crop(plain_line(pane.model), row.room - width_of(right)), style("soft", "title"))
    return row.right(right).strip()


def _timings(full: FullCall, width: int, theme: Theme) -> list[Strip]:
    """Label and value pairs, as many to a row as fit."""
    style, pane = theme.style, full.pane
    known = [
        ("TTFT", (figures.ESTIMATED if pane.ttft_mark else "") + figures.ms(pane.ttft_ns)),
        ("waited", figures.ms(pane.waited_ns)),
        ("queue", figures.ms(full.queue_ns)),
        ("tok/s", figures.rate(pane.tokens_per_s)),
        ("tokens", figures.tokens(pane.tokens, pane.tokens_estimated)),
        ("prompt", _count(full.prompt_tokens)),
        ("reasoning", _count(full.reasoning_tokens)),
        ("cached", _count(full.cached_tokens)),
        ("chunks", figures.count(full.chunks)),
        ("largest gap", figures.ms(full.largest_gap_ns)),
        ("retries", figures.count(pane.retries)),
        ("cost", figures.money(pane.cost)),
    ]
    if full.ttfa_ns is not None:
        known.insert(1, ("TTFA", figures.ms(full.ttfa_ns)))
    column = 23
    each = max(1, (width - 2) // column)
    rows: list[Strip] = []
    for start in range(0, len(known), each):
        row = Row(width, style("text", "bar"))
        for index, (label, value) in enumerate(known[start : start + each]):
            row.to(1 + index * column)
            row.put(f" {label.ljust(11)} ", style("dim", "bar"))
            row.put(value, style("bright", "bar", True))
        rows.append(row.strip())
    return rows


def _count(n: int | None) -> str:
    return figures.ABSENT if n is None else figures.count(n)


_COLUMNS = ("sent", "written", "headers", "first", "last", "ended")


def _attempts(full: FullCall, width: int, theme: Theme) -> list[Strip]:
    """A line an attempt, the newest five; columns that do not fit are left out whole."""
    style = theme.style
    fits = max(0, min(len(_COLUMNS), (width - 14) // 9))
    head = Row(width, style("text", "bar")).put("  try ", style("dim", "bar"))
    for name in _COLUMNS[:fits]:
        head.put(name.rjust(9), style("dim", "bar"))
    head.put("  status", style("dim", "bar"))
    rows = [head.strip()]
    rows.extend(_attempt(attempt, fits, width, theme) for attempt in full.attempts[-5:])
    return rows


def _attempt(attempt: AttemptView, fits: int, width: int, theme: Theme) -> Strip:
    style = theme.style
    row = Row(width, style("text", "bar"))
    row.put(f"  {attempt.number:>3} ", style("bright", "bar", True))
    durations = (
        attempt.sent_after_ns,
        attempt.written_ns,
        attempt.headers_ns,
        attempt.first_token_ns,
        attempt.last_token_ns,
        attempt.ended_ns,
    )
    for duration_ns in durations[:fits]:
        row.put(figures.ms(duration_ns).rjust(9), style("text", "bar"))
    good = attempt.status is not None and attempt.status < 400 and attempt.error is None
    status = figures.ABSENT if attempt.status is None else str(attempt.status)
    row.put(f"  {status}", style("green" if good else "red" if attempt.error else "text", "bar", True))
    detail = "  ".join(plain_line(text) for text in (attempt.error, attempt.request_id) if text)
    row.put("  ").put(crop(detail, row.room - 1), style("red" if attempt.error else "dim", "bar"))
    return row.strip()


def _foot(full: FullCall, now: int, width: int, theme: Theme) -> list[Strip]:
    style = theme.style
    lines = foot_lines(full.pane, max(2, width - 4))
    waits = countdown_text(full.pane, now)
    if waits is not None:
        lines.insert(0, (waits, "violet"))
    return [Row(width, style("text", "bar")).put("  ").put(line, style(ink, "bar")).strip() for line, ink in lines]


def _prompt(full: FullCall, width: int, theme: Theme) -> list[Strip]:
    """The prompt's first three rows."""
    style = theme.style
    wrap = Wrap(max(2, min(_MOST_TEXT_WIDTH, width - 2 * _MARGIN)))
    wrap.feed(full.prompt[:2000])
    lines = wrap.last(len(wrap.closed) + 1)
    shown = lines[:3]
    if len(lines) > 3:
        shown[2] = crop(shown[2] + " …", wrap.width)
    rows = [_blank(width, theme)]
    for index, line in enumerate(shown):
        row = Row(width, style("text", "bar")).put("❯ " if index == 0 else "  ", style("accent", "bar", True))
        rows.append(row.put(line, style("soft", "bar")).strip())
    return rows


class CallHead(Rows):
    """Shows `call_rows`."""

    DEFAULT_CSS = "CallHead { height: auto; }"


class TextView(Rows):
    """The whole text, wrapped once; follows its end until one scrolls away from it."""

    DEFAULT_CSS = "TextView { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tail: Tail | None = None
        self._full: FullCall | None = None
        self._top = 0
        self.following = True

    @property
    def _text_width(self) -> int:
        return max(2, min(_MOST_TEXT_WIDTH, self.size.width - 2 * _MARGIN - 1))

    def draw(self, full: FullCall) -> None:
        """Show the text of `full`."""
        self._full = full
        pane = full.pane
        if self._tail is None or self._tail.wrap.width != self._text_width:
            self._tail = Tail(self._text_width)
        self._tail.show((pane.call, pane.attempt), pane.text, pane.text_end)
        self._paint()

    def _last_top(self) -> int:
        return max(0, self._length() - max(1, self.size.height - 1))

    def _length(self) -> int:
        return len(self._tail.wrap.closed) + 1 if self._tail is not None else 0

    def scroll_by(self, rows: int) -> None:
        """Scroll; at the end it follows again."""
        start = self._last_top() if self.following else self._top
        self._top = max(0, min(start + rows, self._last_top()))
        self.following = self._top >= self._last_top()
        self._paint()

    @property
    def page(self) -> int:
        """Rows that a page moves."""
        return max(1, self.size.height - 2)

    def _paint(self) -> None:
        if self._tail is None or self._full is None or not self.size:
            return
        style = self.theme_now.style
        width, height = self.size
        wrap, pane = self._tail.wrap, self._full.pane
        top = self._last_top() if self.following else min(self._top, self._last_top())
        self._top = top
        rule = Row(width, style("faint")).put("─ ").put("text ", style("dim"))
        room = max(0, height - 1)
        last = min(self._length(), top + room)
        place: list[Piece] = [
            (f" rows {top + 1}–{last} of {figures.exact(self._length())} ", style("dim")),
            (("following " if self.following and pane.state is State.STREAMING else ""), style("accent")),
            ("─", style("faint")),
        ]
        if width_of(place) < rule.room:
            rule.to(width - width_of(place), "─").pieces(place)
        else:
            rule.to(width, "─")
        rows = [rule.strip()]
        live = pane.state is State.STREAMING
        ink: Ink = "text"
        for index in range(top, last):
            is_open = index == len(wrap.closed)
            line = wrap.open if is_open else wrap.closed[index]
            row = Row(width, style("text")).put(" " * _MARGIN).put(line, style(ink))
            if is_open and live:
                row.put(CARET, style("accent"))
            rows.append(row.strip())
        while len(rows) < height:
            rows.append(Row(width, style("text")).strip())
        self.show(rows[:height])

    def on_resize(self) -> None:
        if self._full is not None:
            self.draw(self._full)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_by(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_by(-3)


class CallScreen(Screen[None]):
    """One call, until Esc."""

    DEFAULT_CSS = """
    CallScreen { layout: vertical; }
    #call-head { height: 8; }
    #call-footer { height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "dismiss", "back to the wall", key_display="Esc"),
        Binding("up", "scroll_text(-1)", "scroll up", key_display="↑"),
        Binding("down", "scroll_text(1)", "scroll down", key_display="↓"),
        Binding("pageup", "page_text(-1)", "a page up", key_display="PgUp"),
        Binding("pagedown", "page_text(1)", "a page down", key_display="PgDn"),
        Binding("home", "scroll_text(-1000000)", "to the start", key_display="Home"),
        Binding("end", "scroll_text(1000000)", "to the end, and follow", key_display="End"),
    ]

    def __init__(self, call: int) -> None:
        super().__init__()
        self.call = call

    def compose(self) -> ComposeResult:
        yield CallHead(id="call-head")
        yield TextView(id="call-text")
        yield Footer(id="call-footer")

    def draw(
        self,
        snapshot: Snapshot,
        now: int,
        note: tuple[str, Ink] | None,
        figures_due: bool = True,
        charts_due: bool = True,
    ) -> None:
        """Show the call as `snapshot` has it; until it has, what its pane says."""
        full = full_call(snapshot, self.call)
        if figures_due:
            self.query_one(Footer).draw(HINTS, note, "")
        if full is None:
            return
        width, height = self.size
        if figures_due and width:
            head = self.query_one(CallHead)
            rows = call_rows(full, now, width, max(1, height // 2), head.theme_now)
            head.styles.height = len(rows)
            head.show(rows)
        self.query_one(TextView).draw(full)

    def action_scroll_text(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one(TextView).scroll_by(rows)

    def action_page_text(self, by: int) -> None:
        """Scroll by pages."""
        view = self.query_one(TextView)
        view.scroll_by(by * view.page)


def full_call(snapshot: Snapshot, call: int) -> FullCall | None:
    """The call in full; before the engine sent it, what is known from its pane."""
    if snapshot.focus is not None and snapshot.focus.pane.call == call:
        return snapshot.focus
    for pane in snapshot.panes:
        if pane.call == call:
            return FullCall(pane=pane, prompt=pane.prompt, attempts=[])
    return None
