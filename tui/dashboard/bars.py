"""A call's life as one row of cells: how each kind of span looks, and which of them a cell shows.

Pure: a Bar, a scale and an instant in, cells out. Each kind has a glyph of its own, so that none needs its colour.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.style import Style

from tui.core import figures
from tui.core.views import Bar, Span, TryEnd
from tui.dashboard.paint import Piece
from tui.dashboard.theme import Ground, Ink, Palette
from tui.dashboard.time_axis import TimeScale

TOO_MANY = 429


class Look(NamedTuple):
    """How something on a bar is drawn: one cell of glyph, an ink, and the word for it."""

    glyph: str
    ink: Ink
    word: str


LOOKS: dict[str, Look] = {
    "queue": Look("·", "dim", "queue"),
    "limiter": Look("░", "amber", "limiter"),
    "connect": Look("╍", "blue", "connect"),
    "wait": Look("━", "soft", "first token"),
    "stream": Look("█", "accent", "stream"),
    "tail": Look("─", "soft", "tail"),
    "backoff": Look("╌", "violet", "back-off"),
}
"""By kind of span, in the order of a call's life."""

FAILED = Look("✗", "red", "failed")
REFUSED = Look("⊗", "amber", "429")

_RISING = ("queue", "tail", "connect", "backoff", "limiter", "wait", "stream")
_CLAIMS = {kind: claim for claim, kind in enumerate(_RISING)}
"""Who has a cell that several share: the last of them."""

_EIGHTHS = " ▏▎▍▌▋▊▉"
_RIGHT_HALF = "▐"
_BEFORE, _AFTER = "‹", "›"
"""Stand at an edge of the axis for a call that lies beyond it."""

TICK, NOW = "┊", "│"
"""What shows through behind the bars."""

_STATUS_FROM = 400
_STATUS_ROOM = 4
"""Cells after a failed attempt that must be free before its status is spelled out there: three digits and a gap."""


class Cell(NamedTuple):
    """One cell of a row."""

    glyph: str
    ink: Ink
    cut: bool = False
    """The glyph is what is missing at the cell's left; its ink fills the rest."""
    bold: bool = False


_FULL = {kind: Cell(look.glyph, look.ink) for kind, look in LOOKS.items()}
_ENDS = [Cell(glyph, LOOKS["stream"].ink) for glyph in _EIGHTHS]
_STARTS = [Cell(glyph, LOOKS["stream"].ink, cut=True) for glyph in _EIGHTHS]
_LOW = {_FULL["queue"], _FULL["backoff"], _FULL["tail"], None}
_OUT_BEFORE, _OUT_AFTER = Cell(_BEFORE, "dim"), Cell(_AFTER, "dim")


def bar_cells(bar: Bar, scale: TimeScale, now: int) -> list[Cell | None]:
    """What each cell of `scale` shows of `bar` at `now`; None where it shows nothing.

    Whatever touches a cell has a claim to it, however short: failures before streams before waits. Streams begin
    and end on an eighth of a cell, all else on whole cells.
    """
    row: list[Cell | None] = [None] * scale.cells
    end_at = bar.ended_at if bar.ended_at is not None else max(now, bar.due_at)
    if not scale.shows(bar.due_at, end_at):
        row[0 if end_at < scale.start_at else -1] = _OUT_BEFORE if end_at < scale.start_at else _OUT_AFTER
        return row
    for span in sorted(bar.spans, key=_claim):
        _paint(span, scale, now, row)
    for failure in bar.failures:
        _mark(failure, scale, row, len(row) if bar.ended_at is not None else scale.cell(now))
    return row


def _claim(span: Span) -> int:
    return _CLAIMS[span.kind]


def _paint(span: Span, scale: TimeScale, now: int, row: list[Cell | None]) -> None:
    start = scale.eighths(span.start_at)
    end = max(start + 1, scale.eighths(span.end_at if span.end_at is not None else now))
    if end <= 0 or start >= len(row) * 8:
        return
    if span.kind == "tail" and end - start < 4:
        # Nearly every call has a millisecond of it, which would lengthen one bar in ten by a cell, by chance.
        return
    first, last = max(0, start // 8), min(len(row) - 1, (end - 1) // 8)
    full = _FULL[span.kind]
    if span.kind != "stream":
        row[first : last + 1] = [full] * (last + 1 - first)
        return
    missing, kept = start - first * 8, end - last * 8
    if first == last and missing > 0 and kept < 8:
        # It begins and ends inside of one cell, and only one end can be exact: the one nearer to the cell's edge.
        row[first] = _ENDS[kept] if missing < 8 - kept else _STARTS[missing]
        return
    waited = row[first]
    row[first : last + 1] = [full] * (last + 1 - first)
    if missing > 0:
        # Where it takes less than half of its first cell the line of the wait goes on, rather than leave a hole.
        row[first] = waited if missing > 4 and last > first and waited not in _LOW else _STARTS[missing]
    if kept < 8:
        row[last] = _ENDS[kept]


def _mark(failure: TryEnd, scale: TimeScale, row: list[Cell | None], until: int) -> None:
    """Mark a failed attempt; its status is spelled out where nothing is in the way, and nothing will be."""
    cell = scale.cell(failure.at)
    if not 0 <= cell < len(row):
        return
    look = REFUSED if failure.status == TOO_MANY else FAILED
    row[cell] = Cell(look.glyph, look.ink, bold=True)
    if failure.status is None or failure.status < _STATUS_FROM:
        return
    after = row[cell + 1 : min(until, cell + 1 + _STATUS_ROOM)]
    if len(after) == _STATUS_ROOM and all(other in _LOW for other in after):
        row[cell + 1 : cell + _STATUS_ROOM] = [Cell(digit, look.ink) for digit in f"{failure.status:03d}"[:3]]


class Under(NamedTuple):
    """What shows where a row has no cell."""

    text: str
    """One character a cell of the axis: ticks and blanks."""
    now_cell: int = -1
    """Where the line of now stands; elsewhere than on the axis: nowhere."""


def row_pieces(row: Sequence[Cell | None], under: Under, style: Palette, ground: Ground = "page") -> list[Piece]:
    """Cells as pieces of text on `ground`, as long as `under.text`.

    Cells that are the same object are one step: measured, a loop over single cells took a third of a whole frame.
    """
    pieces: list[Piece] = []
    start, size = 0, len(row)
    while start < size:
        cell = row[start]
        end = start + 1
        while end < size and row[end] is cell:
            end += 1
        if cell is not None:
            its, glyph = style(cell.ink, ground, cell.bold), cell.glyph
            if cell.cut:
                its, glyph = _cut(its, glyph)
            pieces.append((glyph * (end - start), its))
        elif start <= under.now_cell < end:
            faint, now_cell = style("faint", ground), under.now_cell
            pieces += [
                (under.text[start:now_cell], faint),
                (NOW, style("dim", ground)),
                (under.text[now_cell + 1 : end], faint),
            ]
        else:
            pieces.append((under.text[start:end], style("faint", ground)))
        start = end
    return pieces


@lru_cache(maxsize=64)
def _cut(style: Style, glyph: str) -> tuple[Style, str]:
    """A block that lacks its left eighths: the glyph of what is missing, in colours that are exchanged.

    Without colours there is nothing to exchange, and the right half stands for all of them.
    """
    if style.color is None or style.bgcolor is None or style.color == style.bgcolor:
        return style, _RIGHT_HALF
    return Style(color=style.bgcolor, bgcolor=style.color), glyph


class Part(NamedTuple):
    """A figure of a call's life: what it is, how long it took, and how it looks."""

    word: str
    text: str
    ink: Ink


def parts(bar: Bar, now: int) -> list[Part]:
    """How long each kind took in all, in the order of a call's life, the total last; what still lasts ends in `…`.

    Every attempt's time is in it: two waits for a first token, one of them in vain, are added up.
    """
    took: dict[str, int] = {}
    lasting = ""
    for span in bar.spans:
        end_at = span.end_at if span.end_at is not None else max(now, span.start_at)
        took[span.kind] = took.get(span.kind, 0) + end_at - span.start_at
        lasting = span.kind if span.end_at is None else lasting
    made = [
        Part(look.word, figures.ms(took[kind]) + ("…" if kind == lasting else ""), look.ink)
        for kind, look in LOOKS.items()
        if kind in took
    ]
    end_at = bar.ended_at if bar.ended_at is not None else max(now, bar.due_at)
    more = "" if bar.ended_at is not None else "…"
    return [*made, Part("total", figures.ms(end_at - bar.due_at) + more, "bright")]
