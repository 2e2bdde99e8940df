"""The table's columns: which fit, where they stand, and their heads. Knows no call; see table_row.py for rows.

Figures stand left, each at its place whatever the texts hold; model and prompt, which others wrote, stand last.
Where there is no room a column is left out whole, by rank; no head and no figure is ever cut.
"""

from functools import lru_cache
from typing import NamedTuple

from textual.strip import Strip

from tui.dashboard.paint import Row
from tui.dashboard.theme import MARKS, Ground, Palette

GROUND: Ground = "panel"

_LEAST_ID = 5
_MOST_MODEL = 28
_LEAST_MODEL = 7
_WORD = 2 + max(len(mark.word) for mark in MARKS.values())
"""Glyph and longest word of a state."""

LEAST_PROMPT = 12
"""What there must be for a prompt to be worth its place."""

_LEAST_NAME = 26
"""What documents' names keep: they tell one call from another."""
_BEFORE_NAMES = ("status", "ttft", "prompt")

NAMED = "document"
"""What the column of prompts holds in a batch."""

_FAIR_PROMPT = 18
"""What the prompt keeps when the figures of less interest come in."""

_GOOD_PROMPT = 32
"""What it keeps when the only model, which the title names already, comes in."""


class Column(NamedTuple):
    """One column of the table."""

    order: str
    """What the engine calls it when it sorts by it."""
    head: str
    width: int
    """Cells of its widest usual figure, and of its head with the mark of the order."""
    right: bool = True
    descending: bool = True
    """Which way it is sorted first."""


COLUMNS = (
    Column("id", "id", _LEAST_ID, descending=False),
    Column("state", "state", 1, right=False, descending=False),
    Column("queue", "queue", 7),
    Column("attempts", "tries", 6),
    Column("status", "status", 7),
    Column("ttft", "TTFT", 8),
    Column("tok/s", "tok/s", 6),
    Column("tokens", "tokens", 7),
    Column("cost", "cost", 9),
    Column("total", "total", 7),
    Column("model", "model", _LEAST_MODEL, right=False, descending=False),
    Column("prompt", "prompt", LEAST_PROMPT, right=False, descending=False),
)
"""In their order on the screen, which is also that of the key that sorts by the next one."""

BY_ORDER = {column.order: column for column in COLUMNS}

_RANKED = (
    ("status", 0),
    ("ttft", 0),
    ("prompt", 0),
    ("tokens", LEAST_PROMPT),
    ("tok/s", LEAST_PROMPT),
    ("total", LEAST_PROMPT),
    ("cost", LEAST_PROMPT),
    ("model", _FAIR_PROMPT),
    ("words", _FAIR_PROMPT),
    ("attempts", _FAIR_PROMPT),
    ("queue", _FAIR_PROMPT),
)
"""What comes in while the prompt keeps so many cells, the first ones first. `words`: the states' words."""


class Place(NamedTuple):
    """Where a column stands."""

    column: Column
    start: int
    width: int

    @property
    def end(self) -> int:
        """The cell after its last one."""
        return self.start + self.width


class Layout(NamedTuple):
    """Which columns a row of `width` cells has, from left to right."""

    width: int
    places: tuple[Place, ...]
    words: bool
    """States are spelled out."""
    named: bool = False
    """Calls are called by their documents: that says more than why one failed, and stands first."""

    def column_at(self, x: int) -> Column | None:
        """The column that cell `x` belongs to; a gap belongs to the column on its right."""
        return next((place.column for place in self.places if x < place.end), None)


def _gap(column: Column) -> int:
    return 2 if column.order in ("model", "prompt") else 1


@lru_cache(maxsize=64)
def lay_out(
    width: int, last_id: int, model_width: int, several_models: bool, order: str, named: bool = False
) -> Layout:
    """The columns that fit into `width` cells: by rank, but the one that is sorted by is always among them.

    `last_id` and `model_width` say how much there is to be shown of ids and models.
    """
    sizes = {column.order: column.width for column in COLUMNS}
    sizes["id"] = max(_LEAST_ID, len(str(last_id)) + 1)
    sizes["model"] = max(_LEAST_MODEL, min(_MOST_MODEL, model_width, width // 7))
    taken = {"id", "state"}
    # Before the id stands the cursor's mark, and after the last column a blank, for the scroll bar's sake.
    room = width - 2 - sizes["id"] - 1 - sizes["state"]
    ranked = list(_RANKED)
    if not several_models:
        ranked.remove(("model", _FAIR_PROMPT))
        ranked.append(("model", _GOOD_PROMPT))
    if order not in taken:
        ranked.sort(key=lambda entry: entry[0] != order)
    for name, prompt in ranked:
        if named and name not in _BEFORE_NAMES:
            prompt = max(prompt, _LEAST_NAME)
        size = _WORD - sizes["state"] if name == "words" else sizes[name] + _gap(BY_ORDER[name])
        spare = room - size + sizes["prompt"]
        if size <= room and (prompt <= spare or "prompt" not in taken or name == order):
            taken.add(name)
            room -= size
    if "words" in taken:
        sizes["state"] = _WORD
    if "prompt" in taken:
        sizes["prompt"] += room
    places = []
    at = 1
    for column in COLUMNS:
        if column.order in taken:
            at += _gap(column) if column.order != "id" else 0
            places.append(Place(column, at, sizes[column.order]))
            at += sizes[column.order]
    return Layout(width, tuple(places), "words" in taken, named)


def head_strip(layout: Layout, order: str, descending: bool, style: Palette) -> Strip:
    """The columns' heads; the one that is sorted by is lit, and marked with the way it is sorted."""
    row = Row(layout.width, style("dim", "title"))
    mark = "▼" if descending else "▲"
    for column, start, width in layout.places:
        lit = column.order == order
        text = column.head if column.order != "state" or layout.words else ""
        if column.order == "prompt" and layout.named:
            text = NAMED
        if lit:
            text = mark + text if column.right else f"{text} {mark}".lstrip()
        row.to(start)
        row.put(text.rjust(width) if column.right else text, style("accent" if lit else "soft", "title", lit))
    return row.strip()
