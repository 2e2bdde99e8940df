"""The attempts of an open call: a line each, and everything about the one that is chosen. Values in, rows out."""

from typing import NamedTuple

from textual.strip import Strip

from tui.core import figures
from tui.core.snapshot import AttemptView, FullCall
from tui.dashboard.call_page import MARGIN, ListedPage, text_row, wrapped
from tui.dashboard.paint import Row
from tui.dashboard.plain import crop, plain_line
from tui.dashboard.theme import Ground, Ink, Theme

HEAD_ROWS = 1

_TRY_CELLS = 11
"""Of number, glyph and status."""
_TIME_CELLS = 9
_LEAST_ERROR_CELLS = 18

_TIMES = ("limiter", "sent", "written", "headers", "first", "last", "ended")
_RANK = ("sent", "first", "ended", "headers", "limiter", "last", "written")
"""Which of the times matter most."""


class Columns(NamedTuple):
    """What of an attempt's line is shown."""

    times: tuple[str, ...]
    error: bool


def columns(width: int) -> Columns:
    """The columns of rows of `width` cells; those that do not fit are left out whole."""
    fits = max(0, min(len(_TIMES), (width - MARGIN - _TRY_CELLS) // _TIME_CELLS))
    best = _RANK[:fits]
    rest = width - MARGIN - _TRY_CELLS - fits * _TIME_CELLS
    return Columns(tuple(name for name in _TIMES if name in best), rest >= _LEAST_ERROR_CELLS)


class AttemptsPage(ListedPage):
    """All attempts, oldest first; the newest one is chosen until another one is."""

    def __init__(self) -> None:
        super().__init__()
        self._chosen: int | None = None
        self._count = 0

    @property
    def chosen(self) -> int:
        """The index of the chosen attempt."""
        last = max(0, self._count - 1)
        return last if self._chosen is None else min(self._chosen, last)

    def choose(self, index: int) -> bool:
        """Choose another one; False when there is none. At the newest one the choice goes along with what comes."""
        if not 0 <= index < self._count:
            return False
        self._chosen = None if index == self._count - 1 else index
        return True

    def restart(self) -> None:
        """It is another call."""
        self._chosen = None

    def update(self, full: FullCall) -> None:
        """Show the attempts of `full`."""
        self._count = len(full.attempts)
        said = (full.attempts, self.chosen, full.pane.call)
        if self._said == said:
            return
        self._said = said
        self._rows = attempt_rows(full.attempts, self.chosen, self.width, self.text_width, self.theme)


def attempt_rows(attempts: list[AttemptView], chosen: int, width: int, text_width: int, theme: Theme) -> list[Strip]:
    """A heading, a line an attempt, and what is known of the chosen one."""
    if not attempts:
        return [text_row("nothing has been sent yet", "dim", width, theme)]
    shown = columns(width)
    rows = [_heading(shown, width, theme)]
    rows += [_line(attempt, shown, index == chosen, width, theme) for index, attempt in enumerate(attempts)]
    rows += _about(attempts[chosen], width, text_width, theme)
    return rows


def _heading(shown: Columns, width: int, theme: Theme) -> Strip:
    style = theme.style
    row = Row(width, style("dim")).put(" " * MARGIN).put("try status".ljust(_TRY_CELLS))
    for name in shown.times:
        row.put(name.rjust(_TIME_CELLS))
    if shown.error:
        row.put("  what went wrong")
    return row.strip()


def _line(attempt: AttemptView, shown: Columns, chosen: bool, width: int, theme: Theme) -> Strip:
    ground: Ground = "focus" if chosen else "page"
    style = theme.style
    glyph, ink = _outcome(attempt)
    row = Row(width, style("text", ground)).put("▸" if chosen else " ", style("accent", ground, True)).put(" ")
    row.put(f"{attempt.number:>2}  ", style("bright", ground, True))
    status = figures.ABSENT if attempt.status is None else str(attempt.status)
    row.put(f"{glyph} {status}", style(ink, ground, True)).to(MARGIN + _TRY_CELLS)
    times = times_of(attempt)
    for name in shown.times:
        row.put(figures.ms(times[name]).rjust(_TIME_CELLS), style("text" if times[name] is not None else "dim", ground))
    if shown.error and attempt.error:
        row.put("  ").put(crop(plain_line(attempt.error), row.room - 1), style("red", ground))
    return row.strip()


def _outcome(attempt: AttemptView) -> tuple[str, Ink]:
    if attempt.error is not None:
        return "✗", "amber" if attempt.status == 429 else "red"
    if attempt.ended_ns is None:
        return "●", "accent"
    return "✓", "green"


def times_of(attempt: AttemptView) -> dict[str, int | None]:
    """Its instants by name: `sent` since the call was due, the others since then; `limiter` is a duration."""
    return {
        "limiter": attempt.limiter_ns,
        "sent": attempt.sent_after_ns,
        "written": attempt.written_ns,
        "headers": attempt.headers_ns,
        "first": attempt.first_token_ns,
        "last": attempt.last_token_ns,
        "ended": attempt.ended_ns,
    }


def _about(attempt: AttemptView, width: int, text_width: int, theme: Theme) -> list[Strip]:
    """Error, times that found no column, what a refusal asked for, and the headers of the answer."""
    blank = text_row("", "text", width, theme)
    sent = f"sent {figures.ms(attempt.sent_after_ns)} after it was due; other times count from there"
    rows = [blank, _title(f"attempt {attempt.number}", width, theme)]
    known: list[tuple[str, str, Ink]] = [("times", sent, "soft")]
    hidden = [name for name in _TIMES if name not in columns(width).times]
    times = times_of(attempt)
    if hidden:
        known.append(("more times", "  ".join(f"{name} {figures.ms(times[name])}" for name in hidden), "text"))
    if attempt.error is not None:
        known.append(("error", plain_line(attempt.error), "red"))
    if attempt.retry_after_s is not None:
        asked = figures.countdown(round(attempt.retry_after_s * 1_000_000_000))
        known.append(("retry-after", f"the server asked to wait {asked}", "amber"))
    if attempt.request_id is not None:
        known.append(("request id", plain_line(attempt.request_id), "text"))
    for name, value, ink in known:
        rows += _entry(name, value, ink, 11, width, text_width, theme)
    rows += [blank, _title("headers of the answer", width, theme)]
    if not attempt.headers:
        words = "none came" if attempt.status is None else "no longer in memory; the record has them"
        return [*rows, text_row(words, "dim", width, theme)]
    longest = min(max(len(plain_line(name)) for name, _ in attempt.headers), 34, text_width // 2)
    for name, value in attempt.headers:
        rows += _entry(plain_line(name), plain_line(value), "text", longest, width, text_width, theme)
    return rows


def _title(words: str, width: int, theme: Theme) -> Strip:
    row = Row(width, theme.style("text")).put(" " * MARGIN)
    return row.put(words, theme.style("bright", "page", True)).strip()


def _entry(name: str, value: str, ink: Ink, name_cells: int, width: int, text_width: int, theme: Theme) -> list[Strip]:
    """A name and its value, which may take several rows."""
    style = theme.style
    rows = []
    for index, line in enumerate(wrapped(value, text_width - name_cells - 2) or [figures.ABSENT]):
        row = Row(width, style("text")).put(" " * MARGIN)
        row.put(crop(name, name_cells) if index == 0 else "", style("dim")).to(MARGIN + name_cells + 2)
        rows.append(row.put(line, style(ink)).strip())
    return rows
