"""What stands in a list of calls where no row is: why there is none, or what is wrong with the filter."""

from textual.strip import Strip

from tui.core.snapshot import Snapshot
from tui.dashboard.paint import Row
from tui.dashboard.plain import cells, crop, plain_line
from tui.dashboard.theme import Ground, Ink, Palette

GROUND: Ground = "panel"


def error_row(error: str, width: int, style: Palette) -> Strip:
    """Why the filter cannot be read."""
    row = Row(width, style("text", GROUND)).put(" ▲ ", style("amber", GROUND, True))
    return row.put(crop(plain_line(error), row.room - 1), style("amber", GROUND)).strip()


def empty_words(snapshot: Snapshot) -> list[str]:
    """Why there is no row: lines, the last of which may be left out."""
    if snapshot.watch.query and snapshot.query_error is None and snapshot.calls:
        return [f"no call passes the filter {plain_line(snapshot.watch.query)}", "Esc clears it"]
    return ["no calls" if snapshot.run.phase == "finished" else "no calls yet"]


def empty_rows(words: list[str], width: int, height: int, style: Palette) -> list[Strip]:
    """`height` rows with `words` in their middle, a little above it."""
    inks: tuple[Ink, ...] = ("soft", "dim")
    top = max(0, (height - len(words)) * 2 // 5)
    rows = []
    for y in range(height):
        row = Row(width, style("text", GROUND))
        if 0 <= y - top < len(words):
            line = crop(words[y - top], width - 2)
            row.to((width - cells(line)) // 2).put(line, style(inks[min(y - top, 1)], GROUND))
        rows.append(row.strip())
    return rows
