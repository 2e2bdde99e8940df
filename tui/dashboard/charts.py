"""Bars and small charts out of block characters: numbers in, a string of a given width out."""

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"


def bar(part: float, whole: float, width: int) -> tuple[str, str]:
    """A bar of `width` cells in eighths: its filled and its empty end."""
    if width <= 0:
        return "", ""
    share = min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
    eighths = round(share * width * 8)
    if part > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (_EIGHTHS[rest] if rest else "")
    return filled, " " * (width - len(filled))


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Values from old to new in `width` cells, one each; where there are more, a cell is the mean of its share.

    Fewer than that stand to the right. A cell without any value is blank, a value of 0 is the lowest block.
    """
    if width <= 0:
        return ""
    count = min(width, len(values))
    cells: list[float | None] = []
    for index in range(count):
        share = values[index * len(values) // count : (index + 1) * len(values) // count]
        known = [value for value in share if value is not None]
        cells.append(sum(known) / len(known) if known else None)
    highest = max((value for value in cells if value is not None), default=0.0)
    drawn = "".join(" " if value is None else _level(value, highest) for value in cells)
    return drawn.rjust(width)


def _level(value: float, highest: float) -> str:
    if highest <= 0 or value <= 0:
        return _LEVELS[0]
    return _LEVELS[min(7, max(1, round(value / highest * 7)))]


def shares(parts: Sequence[int], width: int) -> list[int]:
    """`width` cells divided among `parts` in proportion; whatever is more than nothing gets a cell if it can."""
    total = sum(parts)
    if total <= 0 or width <= 0:
        return [0] * len(parts)
    sizes = [max(1, part * width // total) if part else 0 for part in parts]
    while sum(sizes) > width:
        sizes[sizes.index(max(sizes))] -= 1
    sizes[parts.index(max(parts))] += width - sum(sizes)
    return sizes
