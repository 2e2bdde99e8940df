"""The row that names the views, marks the one that is shown, and says what the figures are worth."""

from typing import NamedTuple

from textual.strip import Strip

from tui.core import figures
from tui.core.snapshot import Snapshot
from tui.core.views import VIEWS
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.theme import Ground, Theme
from tui.dashboard.trust import grade


class Spot(NamedTuple):
    """Cells of the row that can be clicked."""

    start: int
    end: int
    name: str
    """A view, or `trust`."""


def tabs_row(snapshot: Snapshot, shown: str, width: int, theme: Theme) -> tuple[Strip, list[Spot]]:
    """The row, and what a click on it means.

    Where it is narrow the badge loses its figures, then its words, then the views but the one shown lose their names.
    """
    badges = badge_forms(snapshot, theme)
    for words in ("all", "shown", "none"):
        names = [_name(number, name, shown, words, theme) for number, name in enumerate(VIEWS, start=1)]
        room = width - 1 - sum(map(width_of, names))
        badge = next((badge for badge in badges if width_of(badge) < room), None)
        if badge is None and (room < 0 or words == "all"):
            continue
        row = Row(width, theme.style("text", "bar")).put(" ")
        spots: list[Spot] = []
        for name, pieces in zip(VIEWS, names, strict=True):
            spots.append(Spot(row.used, row.used + width_of(pieces), name))
            row.pieces(pieces)
        if badge is not None:
            spots.append(Spot(width - width_of(badge), width, "trust"))
            row.right(badge)
        return row.strip(), spots
    return Row(width, theme.style("text", "bar")).strip(), []


def _name(number: int, name: str, shown: str, words: str, theme: Theme) -> list[Piece]:
    style, lit = theme.style, name == shown
    ground: Ground = "focus" if lit else "bar"
    pieces: list[Piece] = [(f" {number}", style("accent", ground, True))]
    if words == "all" or (words == "shown" and lit):
        pieces.append((f" {name}", style("bright" if lit else "soft", ground, lit)))
    return [*pieces, (" ", style("text", ground))]


def badge_forms(snapshot: Snapshot, theme: Theme) -> list[list[Piece]]:
    """The trust badge from its fullest form to a glyph: worth, engine lag, late stamps, skipped pictures, its key."""
    style = theme.style
    worth = grade(snapshot)
    key: Piece = (" T ", style("accent", "bar", True))
    glyph: Piece = (worth.glyph, style(worth.ink, "bar", True))
    word: Piece = (f" {worth.word}", style(worth.ink, "bar"))
    lag: list[Piece] = []
    if snapshot.lag is not None:
        lag = [("  lag ", style("dim", "bar")), (figures.ms(snapshot.lag.p99), style("text", "bar"))]
    counted: list[Piece] = [
        (f" {figures.count(n)} {what}", style("amber", "bar"))
        for n, what in ((snapshot.late, "late"), (snapshot.frames_dropped, "skipped"))
        if n
    ]
    return [[glyph, word, *lag, *counted, key], [glyph, word, *lag, key], [glyph, word, key], [glyph, key]]
