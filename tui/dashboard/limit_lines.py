"""Lines of a panel: an edge, pieces of text, and what stands at the right end. Knows no figure and no limit.

A piece that does not fit whole is left out with all that follows it, so that no word is ever cut.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from textual.strip import Strip

from tui.dashboard.charts import bar
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import cells
from tui.dashboard.theme import Ground, Ink, Theme

FRAME = 3
"""Cells of a panel's width that are not for text: its edge, a blank after it and one at the end."""

LABEL = 8
"""Cells of the column of labels."""

VALUE = 18
"""Cells of a gauge's figures: `12.3k / 99.9k left`."""

_MOST_GAUGE = 72
"""Cells; a longer bar says no more."""

_LEVELS = " ▁▂▃▄▅▆▇█"


class Line(NamedTuple):
    """One row of a panel; equal ones look alike."""

    pieces: tuple[Piece, ...]
    right: tuple[Piece, ...] = ()
    """Left out when there is no room for all of it."""
    ground: Ground = "panel"
    edge: Ink = "faint"


def line(*pieces: Piece, right: Sequence[Piece] = (), ground: Ground = "panel") -> Line:
    """A line whose edge is not chosen yet."""
    return Line(pieces, tuple(right), ground)


def longest(candidates: Sequence[str], room: int) -> str:
    """The first of `candidates`, which grow shorter, that fits; empty when none does."""
    return next((text for text in candidates if cells(text) <= room), "")


def painted(shown: Line, width: int, theme: Theme) -> Strip:
    """`shown` in exactly `width` cells."""
    base = theme.style("text", shown.ground)
    row = Row(width, base).put(theme.edge, theme.style(shown.edge, shown.ground if theme.colour else "panel")).put(" ")
    end = width - 1
    taken = 0
    for text, style in shown.pieces:
        if cells(text) > end - row.used:
            break
        row.put(text, style)
        taken += 1
    size = width_of(list(shown.right))
    if shown.right and taken == len(shown.pieces) and size < end - row.used:
        row.to(end - size).pieces(list(shown.right))
    return row.strip()


def gauge(part: float, whole: float, width: int, ink: Ink, theme: Theme) -> list[Piece]:
    """A bar of exactly `width` cells on a track; without colour the track is dotted."""
    filled, empty = bar(part, whole, width)
    track: Style = theme.style(ink, "title") if theme.colour else theme.style("text", "panel")
    return [piece for piece in ((filled, track), (empty if theme.colour else "·" * len(empty), track)) if piece[0]]


def columns(values: Sequence[int], width: int, height: int) -> list[str]:
    """Values as columns of eighths in `height` rows; each of `width` cells is the sum of equally many of them."""
    each = len(values) // width if width > 0 else 0
    sums = [sum(values[index * each : (index + 1) * each]) for index in range(width)]
    highest = max(sums, default=0)
    eighths = [max(1, round(n / highest * height * 8)) if n > 0 else 0 for n in sums] if highest else [0] * width
    rows = ["".join(_LEVELS[max(0, min(8, n - 8 * below))] for n in eighths) for below in range(height - 1, 0, -1)]
    # A second in which nothing went is a base line, and no hole.
    return [*rows, "".join(_LEVELS[max(1, min(8, n))] for n in eighths)]


def gauge_width(inner: int) -> int:
    """Cells for a gauge between its label and its figures, in a panel with room for `inner` cells."""
    return max(0, min(_MOST_GAUGE, inner - LABEL - VALUE - 1))


def gauge_line(
    label: str, part: float, whole: float, value: tuple[Piece, ...], inner: int, ink: Ink, theme: Theme
) -> tuple[Piece, ...]:
    """Label, bar and figures; the bar is left out where it would say nothing."""
    size = gauge_width(inner)
    drawn = [*gauge(part, whole, size, ink, theme), (" ", theme.style("text", "panel"))] if size >= 4 else []
    return ((label.ljust(LABEL), theme.style("dim", "panel")), *drawn, *value)


def of_whole(part: str, whole: str, word: str, room: int, ink: Ink, theme: Theme) -> tuple[Piece, ...]:
    """`  118 / 120 left` in at most `room` cells; first the word goes, then what it is a part of."""
    part = part.rjust(5)
    number: Piece = (part, theme.style(ink, "panel", True))
    dim = theme.style("dim", "panel")
    rest = longest((f" / {whole} {word}".rstrip(), f" / {whole}"), max(0, room - cells(part)))
    return (number, (rest, dim)) if rest else (number,)
