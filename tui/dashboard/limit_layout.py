"""How the view of limits divides its rows among its parts, and how their lines become rows. Reads no key.

A line that says the same as in the frame before is the same Strip, so that nothing is painted twice.
"""

from collections.abc import Sequence
from typing import NamedTuple

from textual.strip import Strip

from tui.core import views
from tui.core.snapshot import Snapshot
from tui.dashboard.limit_lines import FRAME, Line, painted
from tui.dashboard.limit_meter import meter_lines
from tui.dashboard.limit_verdict import Cooling, Places, held_lines, refusal_lines, verdict_lines
from tui.dashboard.limit_words import REQUESTS, TOKENS, Moment
from tui.dashboard.paint import Row
from tui.dashboard.theme import Theme

_TWO_COLUMNS = 64
"""From this width on requests and tokens stand side by side."""

_GRANTS = (
    ("verdict", 1),
    ("meters", 2),
    ("verdict", 2),
    ("held", 1),
    ("meters", 2),
    ("verdict", 1),
    ("meters", 4),
    ("held", 1),
    ("refusals", 4),
    ("gaps", 3),
    ("meters", 4),
    ("held", 1),
    ("verdict", 1),
    *(("refusals", 1),) * 18,
    ("verdict", 3),
    *(("meters", 1),) * 4,
)
"""Who gets rows, in this order, while there are any; what is left goes to the refusals. The first nine fill the 18 rows
of a terminal of 24. None of it depends on what there is to show, so that nothing moves while figures change.
"""


class Plan(NamedTuple):
    """Rows of each part."""

    side_by_side: bool
    meters: int
    held: int
    verdict: int
    refusals: int
    gaps: int

    @property
    def capacity(self) -> int:
        """Refusals that fit below title and head."""
        return max(0, self.refusals - 2)


def plan(width: int, height: int) -> Plan:
    """Divide a view of `width` by `height` among its parts."""
    side_by_side = width >= _TWO_COLUMNS
    given = {"meters": 0, "held": 0, "verdict": 0, "refusals": 0, "gaps": 0}
    for part, rows in _GRANTS:
        cost = rows * (2 if part == "meters" and not side_by_side else 1)
        if cost <= height:
            given[part] += rows
            height -= cost
    if given["refusals"]:
        given["refusals"] += height
    return Plan(side_by_side, **given)


class Picture(NamedTuple):
    """What is drawn at one instant."""

    snapshot: Snapshot
    now: int
    requests_by_second: Sequence[int]
    tokens_by_second: Sequence[int]
    cooling: Cooling | None
    first: int = 0
    """The refusal on top of the list."""
    cursor: int = 0


class Painter:
    """Rows of one size; what says the same as in the frame before is the same Strip."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        self.width = width
        self.theme = theme
        self.plan = plan(width, height)
        self._before: dict[object, Strip] = {}
        self._made: dict[object, Strip] = {}

    def rows(self, picture: Picture) -> list[Strip]:
        """All rows from the top."""
        self._before, self._made = self._made, {}
        shown, snapshot, limits = self.plan, picture.snapshot, picture.snapshot.limits
        if limits is None:
            words = ("nothing is known about limits yet", self.theme.style("dim", "panel"))
            return [self._across(Line((words,)))]
        inner = self.width - FRAME
        wide = (self.width - 1) // 2 if shown.side_by_side else self.width
        between = self.width - 2 * wide
        # Gauges below stand in line with those of the left panel, and words beside them with the right panel's.
        places = Places(wide - FRAME, wide + between if shown.side_by_side else inner, inner)
        held = held_lines(snapshot, limits, picture.cooling, picture.now, places, shown.held, self.theme)
        verdict = verdict_lines(limits, snapshot.run.rpm_limit, inner, shown.verdict, self.theme)
        started_at = snapshot.run.started_at
        refusals = refusal_lines(limits, started_at, picture.first, picture.cursor, inner, shown.refusals, self.theme)
        rows = self._meters(picture, limits, wide, between)
        for part in (held, verdict, refusals):
            if rows and part and shown.gaps:
                rows.append(self._blank())
            rows.extend(self._across(row) for row in part)
        return rows

    def _meters(self, picture: Picture, limits: views.LimitsView, wide: int, between: int) -> list[Strip]:
        """The panels of requests and tokens, `wide` cells each."""
        now, snapshot = picture.now, picture.snapshot
        closed_ns = max(0, picture.cooling.until - now) if picture.cooling is not None else 0
        finished = snapshot.run.phase == "finished"
        moment = Moment(now, max(0, now - snapshot.at), limits.in_limiter, finished, closed_ns)
        height, inner = self.plan.meters, wide - FRAME
        requests = meter_lines(limits.requests, REQUESTS, picture.requests_by_second, moment, inner, height, self.theme)
        tokens = meter_lines(limits.tokens, TOKENS, picture.tokens_by_second, moment, inner, height, self.theme)
        if not self.plan.side_by_side:
            return [self._across(row) for row in (*requests, *tokens)]
        return [self._beside(left, right, wide, between) for left, right in zip(requests, tokens, strict=True)]

    def _kept(self, key: object) -> Strip | None:
        strip = self._made.get(key) or self._before.get(key)
        if strip is not None:
            self._made[key] = strip
        return strip

    def _beside(self, left: Line, right: Line, width: int, between: int) -> Strip:
        key = (left, right)
        strip = self._kept(key)
        if strip is None:
            page = self.theme.style("text", "page")
            parts = [painted(left, width, self.theme), Strip.blank(between, page), painted(right, width, self.theme)]
            strip = self._made[key] = Strip.join(parts)
        return strip

    def _across(self, shown: Line) -> Strip:
        key = ("across", shown)
        strip = self._kept(key)
        if strip is None:
            strip = self._made[key] = painted(shown, self.width, self.theme)
        return strip

    def _blank(self) -> Strip:
        key = "blank"
        strip = self._kept(key)
        if strip is None:
            strip = self._made[key] = Row(self.width, self.theme.style("text", "page")).strip()
        return strip
