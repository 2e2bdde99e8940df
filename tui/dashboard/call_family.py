"""The calls that make one document's answer, as a tree: what reduces above what it reduces. Values in, rows out."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.strip import Strip

from tui.core import figures
from tui.core.batch_view import FamilyView, Relative
from tui.core.calls import State
from tui.dashboard.call_page import MARGIN, ListedPage
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import cells, crop, plain_line
from tui.dashboard.theme import MARKS, Ground, Mark, Theme

FAMILY_HEAD_ROWS = 1
_NOT_BEGUN = Mark("·", "not begun", "dim")
_WORD_CELLS = 12
_TOKEN_CELLS = 8
_LEAST_ID_CELLS = 6
_GAP = 2


class Line(NamedTuple):
    """A call, and where it hangs."""

    branches: str
    member: Relative


def is_family(family: FamilyView | None) -> bool:
    """Whether there is a tree to look at: a document that is asked about in one call has none."""
    return family is not None and len(family.members) > 1


def tree(members: Sequence[Relative]) -> list[Line]:
    """The calls from the last level down to the parts; what nothing reduces yet stands by itself."""
    by_place = {(member.level, member.part): member for member in members}
    below = {
        (member.level, member.part): [
            by_place[place] for part in member.part_of if (place := (member.level - 1, part)) in by_place
        ]
        for member in members
    }
    reduced = {(child.level, child.part) for children in below.values() for child in children}
    roots = sorted((place for place in by_place if place not in reduced), key=lambda place: (-place[0], place[1]))

    def lines(member: Relative, branch: str, under: str) -> Iterator[Line]:
        yield Line(branch, member)
        children = below[member.level, member.part]
        for child in children:
            last = child is children[-1]
            yield from lines(child, under + ("└─ " if last else "├─ "), under + ("   " if last else "│  "))

    return [line for place in roots for line in lines(by_place[place], "", "")]


def name_of(member: Relative) -> str:
    """`part 2 of 5`, `reduction of parts 1–5`, `reduction 1 of 2: parts 1–3`."""
    if not member.level:
        return f"part {member.part} of {member.parts}"
    what = "part" if member.level == 1 else "reduction"
    taken = f"{what}{'' if len(member.part_of) == 1 else 's'} {_ranges(member.part_of)}"
    return f"reduction of {taken}" if member.parts == 1 else f"reduction {member.part} of {member.parts}: {taken}"


def _ranges(numbers: Sequence[int]) -> str:
    """`1–3, 7`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("–".join(map(str, run)) for run in runs)


class FamilyPage(ListedPage):
    """The tree, with the open call marked; the choice stands on that until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._opened = 0
        """The index of the open call."""
        self._chosen: tuple[int, int] | None = None
        """Level and part: lines move when a level comes in above."""

    @property
    def chosen(self) -> int:
        """The index of the chosen call."""
        for index, line in enumerate(self._lines):
            if (line.member.level, line.member.part) == self._chosen:
                return index
        return self._opened

    @property
    def chosen_member(self) -> Relative | None:
        """The chosen call."""
        return self._lines[self.chosen].member if self._lines else None

    def choose(self, index: int) -> bool:
        """Choose another one; False when there is none."""
        if not 0 <= index < len(self._lines):
            return False
        member = self._lines[index].member
        self._chosen = (member.level, member.part)
        return True

    def choose_by(self, by: int) -> None:
        """Choose the one so many lines on, as far as there is one."""
        self.choose(max(0, min(self.chosen + by, len(self._lines) - 1)))

    def restart(self) -> None:
        """It is another call."""
        self._chosen = None

    def update(self, family: FamilyView, opened: int) -> None:
        """Show the calls of a document, of which `opened` is the one that is open."""
        said = (family, self._chosen, opened)
        if self._said == said:
            return
        self._said = said
        self._lines = tree(family.members)
        self._opened = next((at for at, line in enumerate(self._lines) if line.member.call == opened), 0)
        self._rows = _rows(self._lines, self.chosen, opened, plain_line(family.document), self.width, self.theme)


def _rows(lines: list[Line], chosen: int, opened: int, document: str, width: int, theme: Theme) -> list[Strip]:
    ids = max([_LEAST_ID_CELLS, *(len(f"#{line.member.call}") for line in lines)])
    label = max([16, *(cells(line.branches) + 2 + cells(name_of(line.member)) for line in lines)])
    fixed = MARGIN + _TOKEN_CELLS + ids + _GAP
    worded = width >= fixed + label + _WORD_CELLS + _GAP
    label = min(label, max(4, width - fixed - ((_WORD_CELLS + _GAP) if worded else 0) - 1))
    rows = [_heading(document, label, worded, ids, width, theme)]
    for index, line in enumerate(lines):
        rows.append(_line(line, index == chosen, line.member.call == opened, label, worded, ids, width, theme))
    return rows


def _heading(document: str, label: int, worded: bool, ids: int, width: int, theme: Theme) -> Strip:
    row = Row(width, theme.style("dim")).put(" " * MARGIN)
    row.put(crop(document, label), theme.style("soft")).to(MARGIN + label + _GAP)
    row.put("state".ljust(_WORD_CELLS) if worded else "")
    return row.put("tokens".rjust(_TOKEN_CELLS)).put("call".rjust(ids + _GAP if worded else ids)).strip()


def _line(
    line: Line, chosen: bool, opened: bool, label: int, worded: bool, ids: int, width: int, theme: Theme
) -> Strip:
    ground: Ground = "focus" if chosen else "page"
    style, member = theme.style, line.member
    mark = MARKS[member.state] if member.state is not None else _NOT_BEGUN
    row = Row(width, style("text", ground)).put("▸" if chosen else " ", style("accent", ground, True)).put(" ")
    row.put(line.branches, style("dim" if not chosen else "soft", ground))
    row.put(f"{mark.glyph} ", style(mark.ink, ground, True))
    begun = member.call is not None
    name = crop(name_of(member), MARGIN + label - row.used)
    row.put(name, style("bright" if opened else "text" if begun else "dim", ground, opened)).to(MARGIN + label + _GAP)
    if worded:
        row.put(mark.word.ljust(_WORD_CELLS), style(mark.ink, ground))
    tokens = figures.count(member.tokens) if member.tokens or member.state is State.DONE else figures.ABSENT
    row.put(tokens.rjust(_TOKEN_CELLS), style("text" if member.tokens else "dim", ground))
    number = f"#{member.call}" if begun else figures.ABSENT
    row.put(number.rjust(ids + _GAP if worded else ids), style("soft" if begun else "dim", ground))
    here: list[Piece] = [("  ◂ open", style("accent", ground, True))]
    if opened and width_of(here) <= row.room:
        row.pieces(here)
    return row.strip()


__all__ = ["FAMILY_HEAD_ROWS", "FamilyPage", "Line", "is_family", "name_of", "tree"]
