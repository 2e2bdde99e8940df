"""Runs as aligned lines for a terminal, one a run. Reads no disk; every text is clean.

What a narrow terminal has no room for is left out, the least telling column first.
"""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from tui.core.figures import ABSENT, exact, rate
from tui.core.lookup import number_at, whole_at
from tui.core.report import cost_text, seconds_text
from tui.core.report_run import ReportedRun

LEAST_NAME = 12
GAP = "  "


class _Column(NamedTuple):
    name: str
    right: bool
    """Figures stand at the right."""
    gives_way: int
    """Which column is left out first: the one with the highest number. 0: none of them."""


_COLUMNS = (
    _Column("name", False, 0),
    _Column("state", False, 0),
    _Column("began", False, 6),
    _Column("job", False, 8),
    _Column("model", False, 7),
    _Column("documents", True, 1),
    _Column("calls", True, 2),
    _Column("TTFT p50", True, 3),
    _Column("p95", True, 4),
    _Column("tok/s", True, 5),
    _Column("cost", True, 9),
    _Column("size", True, 10),
)
_DOCUMENTS = next(index for index, column in enumerate(_COLUMNS) if column.name == "documents")
"""Left out where no run is a batch."""


def run_lines(runs: Sequence[tuple[ReportedRun, int]], width: int | None) -> list[str]:
    """A head and a line for each run (with its size in bytes); at most `width` cells wide, or as wide as it gets."""
    cells = [[column.name for column in _COLUMNS], *(_cells(run, size) for run, size in runs)]
    kept = list(range(len(_COLUMNS)))
    if all(line[_DOCUMENTS] == ABSENT for line in cells[1:]):
        kept.remove(_DOCUMENTS)
    widths = [max(_width(line[index]) for line in cells) for index in range(len(_COLUMNS))]

    def taken() -> int:
        return sum(widths[index] for index in kept) + len(GAP) * (len(kept) - 1)

    if width is not None:
        # A name that is shortened to its half still tells more than the columns that give way do.
        short = max(LEAST_NAME, min(widths[0], width // 3))
        while taken() - widths[0] + short > width and any(_COLUMNS[index].gives_way for index in kept):
            kept.remove(max(kept, key=lambda index: _COLUMNS[index].gives_way))
        widths[0] = max(1, min(widths[0], width - (taken() - widths[0])))
    return [_line(line, kept, widths) if width is None else _cut(_line(line, kept, widths), width) for line in cells]


def _cells(run: ReportedRun, size: int) -> list[str]:
    figures = run.figures
    done, total = whole_at(figures, "calls", "done"), run.due
    answered, documents = (whole_at(figures, "documents", name) for name in ("done", "total"))
    return [
        run.name,
        run.state,
        f"{run.began.astimezone():%Y-%m-%d %H:%M}",
        run.job if run.swept is None else f"{run.job} {run.swept}",
        run.model,
        ABSENT if answered is None or documents is None else f"{exact(answered)}/{exact(documents)}",
        ABSENT if done is None or total is None else f"{exact(done)}/{exact(total)}",
        _duration(number_at(figures, "ttft_s", "p50")),
        _duration(number_at(figures, "ttft_s", "p95")),
        rate(number_at(figures, "run_tokens_per_s")),
        cost_text(run) if figures else ABSENT,
        _size(size),
    ]


def _duration(value_s: float | None) -> str:
    return ABSENT if value_s is None else seconds_text(value_s)


def _size(size_bytes: int) -> str:
    """`812 B`, `24 kB`, `3.1 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    for unit, power in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if size_bytes < 999.5 * power or unit == "GB":
            value = size_bytes / power
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    raise AssertionError("the last unit takes any size")


def _line(cells: Sequence[str], kept: Sequence[int], widths: Sequence[int]) -> str:
    parts = []
    for index in kept:
        cell = _cut(cells[index], widths[index])
        pad = " " * (widths[index] - _width(cell))
        parts.append(pad + cell if _COLUMNS[index].right else cell + pad)
    return GAP.join(parts).rstrip()


def _cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, with `…` in the middle where it is cut: both ends of a run's name tell."""
    if _width(text) <= width:
        return text
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while head + tail and _width(head) + _width(tail) + 1 > width:
        if len(head) > len(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}" if width > 0 else ""


def _width(text: str) -> int:
    """Cells that a terminal needs."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


__all__ = ["run_lines"]
