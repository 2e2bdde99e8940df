"""How many panes fit and where each one lies. Pure arithmetic on cells."""

from dataclasses import dataclass

STEPS = ((20, 3), (24, 4), (26, 5), (28, 6), (28, 8), (38, 8), (38, 11), (52, 12), (58, 16), (76, 18), (98, 24))
"""Smallest width and height of a pane, step by step; beyond the last one pane takes it all."""

SMALLEST_AUTO = 3
"""The step below which panes are only made by hand: too small to read a sentence in."""

GAP = 1
"""Cells between two columns of panes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pane lies on the wall, in cells."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows and columns of panes over the whole of an area."""

    width: int
    height: int
    columns: int
    rows: int

    @property
    def capacity(self) -> int:
        """How many panes there are."""
        return self.columns * self.rows

    def places(self) -> list[Place]:
        """Every pane's place, row by row; spare cells go to the first columns and rows."""
        inner = self.width - GAP * (self.columns - 1)
        xs = _spread(inner, self.columns, GAP)
        ys = _spread(self.height, self.rows, 0)
        return [Place(x, y, width, height) for y, height in ys for x, width in xs]


def _spread(total: int, parts: int, gap: int) -> list[tuple[int, int]]:
    size, spare = divmod(total, parts)
    spans, start = [], 0
    for index in range(parts):
        length = size + (1 if index < spare else 0)
        spans.append((start, length))
        start += length + gap
    return spans


def at_step(width: int, height: int, step: int) -> Grid:
    """The grid of panes no smaller than `STEPS[step]`; a single pane where not even one is that big."""
    if step >= len(STEPS):
        return Grid(width, height, 1, 1)
    least_width, least_height = STEPS[step]
    columns = max(1, (width + GAP) // (least_width + GAP))
    return Grid(width, height, columns, max(1, height // least_height))


def automatic(width: int, height: int, wanted: int) -> tuple[Grid, int]:
    """The largest panes with room for `wanted` of them, as a grid and its step."""
    wanted = max(1, wanted)
    step = SMALLEST_AUTO
    for candidate in range(len(STEPS), SMALLEST_AUTO - 1, -1):
        if at_step(width, height, candidate).capacity >= wanted:
            step = candidate
            break
    grid = at_step(width, height, step)
    rows = min(grid.rows, -(-wanted // grid.columns))
    columns = min(grid.columns, -(-wanted // rows))
    return Grid(width, height, columns, rows), step


def other_step(width: int, height: int, step: int, by: int) -> int:
    """The next step (`by` is 1 for larger panes, -1 for smaller) whose grid differs; `step` when there is none."""
    now = at_step(width, height, step)
    candidate = step + by
    while 0 <= candidate <= len(STEPS):
        if at_step(width, height, candidate).capacity != now.capacity:
            return candidate
        candidate += by
    return step
