"""Lines and areas in braille, bars in blocks: numbers in, rows of inked text out. Knows no time, no theme, no run.

A cell holds 2 x 4 dots. A series becomes one integer a dot column (bit 0 is the lowest dot); the columns of cells
that those give are remembered, for between two redraws nearly all of them stay as they were.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tui.dashboard.theme import Ink

Inked = tuple[str, Ink]
"""Text of one look, a cell a character."""

Column = tuple[str, str]
"""A column of cells from the top down: its characters, and a code of one letter for each one's ink."""

Range = tuple[float, float] | None
"""The lowest and highest value of a dot column; None: there is none."""

_CODES: dict[Ink, str] = {
    "text": " ",
    "bright": "w",
    "soft": "s",
    "dim": "d",
    "faint": "f",
    "accent": "a",
    "amber": "y",
    "violet": "v",
    "green": "g",
    "red": "r",
    "blue": "b",
    "grey": "k",
}
_INKS = {code: ink for ink, code in _CODES.items()}
_BLANK = _CODES["text"]
_FAINT = _CODES["faint"]
GRID = "┈"

# What the dots of a cell's left and right half, lowest first, add to U+2800.
_LEFT_DOTS, _RIGHT_DOTS = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
_LEFT = [sum(dot for bit, dot in enumerate(_LEFT_DOTS) if bits >> bit & 1) for bits in range(16)]
_RIGHT = [sum(dot for bit, dot in enumerate(_RIGHT_DOTS) if bits >> bit & 1) for bits in range(16)]
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_RUN = re.compile(r"(.)\1*", re.DOTALL)


class Layer(NamedTuple):
    """Dots of one ink. Layers are given from the one on top to the one at the back."""

    masks: Sequence[int]
    """One a dot column."""
    ink: Ink
    back: bool = False
    """The ground under a line: gives way in cells where another line passes through it."""


def dot(value: float, top: float, rows: int) -> int:
    """Which dot from below, of `rows` rows whose highest stands for `top`, a value of 0 or more lights."""
    if top <= 0 or rows <= 0:
        return 0
    return max(0, min(4 * rows - 1, round(value / top * (4 * rows - 1))))


def line(ranges: Sequence[Range], top: float, rows: int) -> list[int]:
    """A line through `ranges` (0 or more): every dot column from low to high, and joined to the one before it."""
    last = 4 * rows - 1
    scale = last / top if top > 0 else 0.0
    masks: list[int] = []
    before: tuple[int, int] | None = None
    for known in ranges:
        if known is None or rows <= 0:
            masks.append(0)
            before = None
            continue
        low = round(known[0] * scale)
        low = last if low > last else low
        high = low if known[0] == known[1] else min(last, round(known[1] * scale))
        here = (low, high)
        if before is not None:
            if before[1] < low:
                low = before[1] + 1
            elif before[0] > high:
                high = before[0] - 1
        before = here
        masks.append((2 << high) - (1 << low))
    return masks


def under(masks: Sequence[int]) -> list[int]:
    """All dots below a line."""
    return [(mask & -mask) - 1 if mask else 0 for mask in masks]


def stacked(
    lower: Sequence[float | None], upper: Sequence[float | None], top: float, rows: int
) -> tuple[list[int], list[int]]:
    """Two counts on top of each other, a bar a dot column; whatever is more than nothing gets a dot.

    The upper one is made of every other dot, so that they differ without colour.
    """
    dots = 4 * rows
    scale = dots / top if top > 0 else 0.0
    below: list[int] = []
    above: list[int] = []
    for x, (first, second) in enumerate(zip(lower, upper, strict=True)):
        base = max(1, min(dots, round(first * scale))) if first else 0
        both = base + (max(1, round(second * scale)) if second else 0)
        both = min(dots, both)
        below.append((1 << base) - 1)
        above.append((1 << both) - (1 << min(base, both)) & _every_other(dots, (x + base) % 2))
    return below, above


@lru_cache(maxsize=64)
def _every_other(dots: int, first: int) -> int:
    return sum(1 << bit for bit in range(first, dots, 2))


@lru_cache(maxsize=8192)
def _column(masks: tuple[int, ...], codes: str, backs: int, rows: int, grid: int) -> Column:
    """One column of cells. `masks` are left and right of each layer, `backs` says which layers are grounds."""
    text: list[str] = []
    inks: list[str] = []
    layers = range(len(codes))
    for row in range(rows):
        shift = 4 * (rows - 1 - row)
        front = ground = 0
        code = ""
        for layer in layers:
            cell = _LEFT[masks[2 * layer] >> shift & 15] | _RIGHT[masks[2 * layer + 1] >> shift & 15]
            if not cell:
                continue
            code = code or codes[layer]
            if backs >> layer & 1:
                ground |= cell
            else:
                front |= cell
        # A line that crosses the ground under another would drown in it.
        bits = front if front & ground else front | ground
        if bits:
            text.append(chr(0x2800 + bits))
            inks.append(code)
        elif grid >> row & 1:
            text.append(GRID)
            inks.append(_FAINT)
        else:
            text.append(" ")
            inks.append(_BLANK)
    return "".join(text), "".join(inks)


@lru_cache(maxsize=2048)
def _bar(eighths: int, code: str, rows: int, grid: int) -> Column:
    """One column of a bar of so many eighths of a cell."""
    text: list[str] = []
    inks: list[str] = []
    for row in range(rows):
        part = max(0, min(8, eighths - 8 * (rows - 1 - row)))
        lined = not part and grid >> row & 1
        text.append(GRID if lined else _EIGHTHS[part])
        inks.append(code if part else _FAINT if lined else _BLANK)
    return "".join(text), "".join(inks)


class Plot:
    """Columns of cells side by side, and what is put over them."""

    def __init__(self, columns: list[Column], rows: int) -> None:
        self.rows = rows
        self._columns = columns

    @classmethod
    def of_layers(cls, layers: Sequence[Layer], cells: int, rows: int, grid: Sequence[int] = ()) -> "Plot":
        """Braille: every layer has two masks a cell. `grid`: rows from the top with a faint line at the back."""
        lines = _bits(grid)
        codes = "".join(_CODES[layer.ink] for layer in layers)
        backs = _bits([index for index, layer in enumerate(layers) if layer.back])
        if not layers:
            return cls([_column((), "", 0, rows, lines)] * cells, rows)
        halves: list[Sequence[int]] = []
        for layer in layers:
            halves += [layer.masks[0::2], layer.masks[1::2]]
        return cls([_column(key, codes, backs, rows, lines) for key in zip(*halves, strict=True)], rows)

    @classmethod
    def of_bars(cls, heights: Sequence[float], top: float, ink: Ink, rows: int, grid: Sequence[int] = ()) -> "Plot":
        """Blocks: a bar a cell; whatever is more than nothing is seen."""
        lines, code = _bits(grid), _CODES[ink]
        scale = 8 * rows / top if top > 0 else 0.0
        return cls(
            [_bar(max(1, round(height * scale)) if height > 0 else 0, code, rows, lines) for height in heights], rows
        )

    def below(self, rows: int) -> "Plot":
        """The same under so many blank rows."""
        blank, code = " " * rows, _BLANK * rows
        return Plot([(blank + glyphs, code + inks) for glyphs, inks in self._columns], self.rows + rows)

    def put(self, x: int, row: int, text: str, ink: Ink) -> None:
        """Write `text` from a cell on, over whatever is there; what lies outside is left off."""
        if not 0 <= row < self.rows:
            return
        code = _CODES[ink]
        for at, glyph in enumerate(text, start=x):
            if 0 <= at < len(self._columns):
                glyphs, inks = self._columns[at]
                self._columns[at] = (
                    glyphs[:row] + glyph + glyphs[row + 1 :],
                    inks[:row] + code + inks[row + 1 :],
                )

    def upright(self, x: int, ink: Ink, tinted: Sequence[Ink] = (), through: Sequence[Ink] = ()) -> None:
        """A thin line from top to bottom, behind all that is not blank or faint.

        What is drawn in an ink of `tinted` takes the line's ink instead, and `through` gives way to it.
        """
        if not 0 <= x < len(self._columns):
            return
        free = {_BLANK, _FAINT, *(_CODES[other] for other in through)}
        taken = free | {_CODES[other] for other in tinted}
        glyphs, inks = self._columns[x]
        code = _CODES[ink]
        self._columns[x] = (
            "".join("│" if old in free else glyph for glyph, old in zip(glyphs, inks, strict=True)),
            "".join(code if old in taken else old for old in inks),
        )

    def lines(self) -> list[tuple[str, str]]:
        """The rows from the top: text, and the code of every character's ink; see `pieces`."""
        texts = "".join([glyphs for glyphs, _ in self._columns])
        codes = "".join([inks for _, inks in self._columns])
        return [(texts[row :: self.rows], codes[row :: self.rows]) for row in range(self.rows)]


def pieces(text: str, codes: str) -> list[Inked]:
    """A row in as few pieces as its inks allow."""
    return [(text[run.start() : run.end()], _INKS[run[1]]) for run in _RUN.finditer(codes)]


def _bits(numbers: Sequence[int]) -> int:
    return sum(1 << number for number in numbers)
