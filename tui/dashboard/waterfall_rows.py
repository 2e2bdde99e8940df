"""The waterfall's rows: where their parts stand, head, a call, the one under the cursor in words, the legend. Pure.

Where there is no room a part is left out whole, by rank; no word and no figure is cut, only what others wrote.
"""

from collections.abc import Sequence
from typing import NamedTuple

from textual.strip import Strip

from tui.core import figures
from tui.core.calls import TERMINAL
from tui.core.views import Bar
from tui.dashboard.bars import FAILED, LOOKS, REFUSED, TICK, TOO_MANY, Part, Under, bar_cells, parts, row_pieces
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import crop, crop_start, plain_line
from tui.dashboard.table_columns import NAMED
from tui.dashboard.theme import MARKS, Ground, Ink, Palette
from tui.dashboard.time_axis import Tick, TimeScale

GROUND: Ground = "panel"

_LEAST_ID = 5
_TOTAL = 9
"""The longest total and a gap on both sides."""

_DETAIL_RANK = ("total", "first token", "stream", "limiter", "back-off", "queue", "connect", "tail")
_LEGEND_RANK = ("stream", "first token", "failed", "429", "limiter", "back-off", "connect", "queue", "tail")


class Columns(NamedTuple):
    """Cells of the parts of a row, from left to right, without its last cell (the scroll bar); 0: left out."""

    width: int
    id: int
    model: int
    prompt: int
    plot_x: int
    """Where the axis begins."""
    plot: int
    total: int
    named: bool = False
    """Calls are called by their documents."""


def columns(width: int, last_id: int, named: bool = False) -> Columns:
    """The columns of rows of `width` cells, none of which depends on what moves while one looks.

    The bars get three fifths of a wide screen and nearly all of a narrow one.
    """
    id_cells = max(_LEAST_ID, len(str(last_id)) + 1)
    if width < 2 * id_cells + 8:
        id_cells = 0
    model = min(24, 14 + (width - 160) // 10) if width >= 160 else 0
    prompt = min(48, 16 + (width - 96) // 4) if width >= 96 else 0
    total = _TOTAL if width >= 72 else 0
    plot_x = min(width, 1 + (id_cells + 1 if id_cells else 0) + 2 + (model + 2 if model else 0) + prompt + bool(prompt))
    return Columns(width, id_cells, model, prompt, plot_x, max(0, width - plot_x - total), total, named)


def under(place: Columns, ticks: Sequence[Tick], now_cell: int) -> Under:
    """What shows where there is no bar: a line at each tick, and one for now."""
    cells = [" "] * place.plot
    for tick in ticks:
        if tick.cell < place.plot:
            cells[tick.cell] = TICK
    return Under("".join(cells), now_cell)


def head_strip(place: Columns, ticks: Sequence[Tick], now_cell: int, style: Palette) -> Strip:
    """What the columns are, and round times of the run; a mark where now is."""
    soft = style("soft", "title")
    row = Row(place.width + 1, style("dim", "title")).to(1)
    if place.id:
        row.put("id".rjust(place.id), soft).to(place.id + 4)
    if place.model:
        row.put("model", soft).to(place.id + 4 + place.model + 2)
    if place.prompt:
        row.put(NAMED if place.named else "prompt", soft)
    row.to(place.plot_x)
    end = place.plot_x + place.plot
    for tick in ticks:
        # A label that would cover the mark of now gives way to it, or the mark would blink as it goes by.
        start = place.plot_x + tick.cell
        covers = tick.cell <= now_cell < tick.cell + len(tick.label) + 1
        if start + len(tick.label) <= end and not covers:
            if row.used <= place.plot_x + now_cell < start:
                row.to(place.plot_x + now_cell).put("▾", style("accent", "title", True))
            row.to(start).put(tick.label, soft)
    if 0 <= now_cell < place.plot and row.used <= place.plot_x + now_cell:
        row.to(place.plot_x + now_cell).put("▾", style("accent", "title", True))
    if place.total:
        row.to(end).put("total".rjust(place.total - 1), soft)
    return row.strip()


def label_strip(bar: Bar, place: Columns, focused: bool, style: Palette) -> Strip:
    """Which call it is: what stands to the left of its bar."""
    ground: Ground = "focus" if focused else GROUND
    soft, dim = style("text" if focused else "soft", ground), style("soft" if focused else "dim", ground)
    mark = MARKS[bar.state]
    row = Row(place.plot_x, style("text", ground)).put("▸" if focused else " ", style("accent", ground, True))
    if place.id:
        row.put(f"#{bar.call}".rjust(place.id), style("bright", ground)).put(" ")
    row.put(mark.glyph, style(mark.ink, ground)).put(" ")
    if place.model:
        row.put(crop(plain_line(bar.model), place.model), soft).to(place.id + 4 + place.model + 2)
    if place.prompt:
        room = place.prompt
        if bar.warmup:
            row.put("warm-up ", style("blue", ground))
            room -= 8
        shorten = crop_start if place.named else crop
        row.put(shorten(plain_line(bar.prompt), room), dim if bar.state in TERMINAL else soft)
    return row.strip()


def total_text(bar: Bar, now: int) -> str:
    """How long a call took, or has taken so far."""
    return figures.ms((bar.ended_at if bar.ended_at is not None else max(now, bar.due_at)) - bar.due_at)


def plot_pieces(
    bar: Bar, scale: TimeScale, now: int, behind: Under, place: Columns, ground: Ground, style: Palette
) -> list[Piece]:
    """What stands to the right of a call's label: its bar, and how long it took."""
    pieces = row_pieces(bar_cells(bar, scale, now), behind, style, ground) if place.plot else []
    if place.total:
        ink: Ink = "text" if bar.state in TERMINAL else "bright"
        pieces.append((total_text(bar, now).rjust(place.total - 1) + " ", style(ink, ground)))
    return pieces


def blank_strip(behind: Under, place: Columns, style: Palette) -> Strip:
    """A row without a call."""
    row = Row(place.width + 1, style("text", GROUND)).to(place.plot_x)
    return row.pieces(row_pieces([None] * place.plot, behind, style, GROUND)).strip()


def detail_strip(bar: Bar | None, now: int, width: int, style: Palette) -> Strip:
    """One call in words: how long each part of it took, and why it failed."""
    row = Row(width, style("dim", "title"))
    if bar is None:
        return row.strip()
    mark = MARKS[bar.state]
    row.put(" ").put(f"#{bar.call} ", style("bright", "title", True)).put(f"{mark.glyph} ", style(mark.ink, "title"))
    pieces = _figures(parts(bar, now), row.room - 1, style)
    row.pieces(pieces)
    if bar.failures and row.room >= 16:
        last = bar.failures[-1]
        many = f"{len(bar.failures)} failed attempts, the last: " if len(bar.failures) > 1 else ""
        look = REFUSED if last.status == TOO_MANY else FAILED
        row.put("  ").put(crop(f"{look.glyph} {many}{plain_line(last.error)}", row.room - 1), style(look.ink, "title"))
    return row.strip()


def _figures(found: list[Part], room: int, style: Palette) -> list[Piece]:
    """As many parts as fit, by rank, in the order of a call's life."""
    between = style("dim", "title")
    shown: set[str] = set()
    for word in _DETAIL_RANK:
        part = next((part for part in found if part.word == word), None)
        if part is None:
            continue
        size = len(part.word) + 1 + len(part.text) + (3 if shown else 0)
        if size > room:
            break
        shown.add(word)
        room -= size
    pieces: list[Piece] = []
    for part in found:
        if part.word in shown:
            if pieces:
                pieces.append((" · ", between))
            pieces += [(f"{part.word} ", between), (part.text, style(part.ink, "title"))]
    return pieces


def legend_strip(width: int, scale: TimeScale, style: Palette) -> Strip:
    """How each kind looks, and how much time is in sight; the least telling parts are left off whole."""
    looks = [*LOOKS.values(), FAILED, REFUSED]
    signs = {look.word: look.glyph * (1 if look in (FAILED, REFUSED) else 2) for look in looks}
    row = Row(width, style("dim", GROUND)).put(" ")
    room, shown = row.room, set()
    for word in _LEGEND_RANK:
        size = len(signs[word]) + 1 + len(word) + 2
        if size <= room:
            shown.add(word)
            room -= size
    for look in looks:
        if look.word in shown:
            row.put(f"{signs[look.word]} ", style(look.ink, GROUND)).put(f"{look.word}  ", style("dim", GROUND))
    sight: list[Piece] = [(f"{figures.ms(scale.width_ns)} in sight ", style("dim", GROUND))]
    return row.right(sight).strip() if width_of(sight) <= row.room else row.strip()
