"""What the figures on the screen are worth: how late the client itself was, and what of the run was not drawn.

The thresholds are ours: a lag of 10 ms is a hundredth of a usual TTFT, and one late stamp in a hundred moves a p99.
Nothing is called good before it was measured. Pure: a Snapshot in, a grade and sentences out.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tui.core import figures
from tui.core.clock import NS_PER_MS
from tui.core.snapshot import Snapshot
from tui.dashboard.theme import Ink

_LAG_AMBER_NS = 10 * NS_PER_MS
_LAG_RED_NS = 50 * NS_PER_MS
_LATE_RED_SHARE = 0.01
"""Of first tokens whose stamp was late: from here on a p99 is the client's own doing."""
_SHARED_SHARE = 0.05
_SKIPPED = 30
"""Pictures, two seconds of them: a few are skipped while a screen starts or is resized."""


class Grade(NamedTuple):
    """How it looks in the header."""

    rank: int
    """The highest of all counts."""
    glyph: str
    word: str
    ink: Ink


GOOD = Grade(0, "●", "timing good", "green")
UNKNOWN = Grade(1, "○", "not timed yet", "dim")
BEHIND = Grade(2, "▲", "screen behind", "amber")
DOUBTFUL = Grade(3, "▲", "timing doubtful", "amber")
BAD = Grade(4, "✗", "timing unreliable", "red")


class Doubt(NamedTuple):
    """One thing that was looked at."""

    grade: Grade
    words: str


def grade(snapshot: Snapshot) -> Grade:
    """The worst of all doubts."""
    return max(doubt.grade for doubt in doubts(snapshot))


def doubts(snapshot: Snapshot) -> list[Doubt]:
    """What was looked at, each with its grade."""
    return [
        *(doubt(snapshot) for doubt in (_lag, _late, _shared)),
        *_schedule(snapshot),
        _skipped(snapshot),
    ]


def _lag(snapshot: Snapshot) -> Doubt:
    if snapshot.lag is None:
        return Doubt(UNKNOWN, "engine lag: not measured yet")
    lag = snapshot.lag.p99
    worth = BAD if lag >= _LAG_RED_NS else DOUBTFUL if lag >= _LAG_AMBER_NS else GOOD
    bound = {GOOD: _LAG_AMBER_NS, DOUBTFUL: _LAG_AMBER_NS, BAD: _LAG_RED_NS}[worth]
    said = (
        f"under {figures.ms(bound)}, so sends and stamps are on time"
        if worth is GOOD
        else f"{figures.ms(bound)} or more: this machine or program was busy, requests went out late"
    )
    return Doubt(worth, f"engine lag p99 {figures.ms(lag)}, max {figures.ms(snapshot.lag.max)}: {said}")


def _late(snapshot: Snapshot) -> Doubt:
    n = _first_tokens(snapshot)
    if not n:
        return Doubt(UNKNOWN, "TTFT: no first token yet")
    worth = BAD if snapshot.late > _LATE_RED_SHARE * n else DOUBTFUL if snapshot.late else GOOD
    said = {
        GOOD: "every stamp is within 5 % of its TTFT",
        DOUBTFUL: "their stamps are late by over 5 %; the percentiles stand",
        BAD: "their stamps are late by over 5 %, which moves p99",
    }[worth]
    return Doubt(worth, f"{figures.exact(snapshot.late)} of {figures.exact(n)} TTFTs are client-bound: {said}")


def _shared(snapshot: Snapshot) -> Doubt:
    n = _first_tokens(snapshot)
    if not n:
        return Doubt(UNKNOWN, "first reads: none yet")
    worth = DOUBTFUL if snapshot.shared > _SHARED_SHARE * n else GOOD
    words = f"{figures.exact(snapshot.shared)} of {figures.exact(n)} first tokens came in one read with further text"
    return Doubt(worth, words + (": their TTFT is an upper bound" if snapshot.shared else ""))


def _schedule(snapshot: Snapshot) -> Iterator[Doubt]:
    """Of an open loop: how well its arrivals are kept, where that is our own doing, and who waits for a slot."""
    error = snapshot.dispatch_error
    if error is not None:
        worth = BAD if error.p99 >= _LAG_RED_NS else DOUBTFUL if error.p99 >= _LAG_AMBER_NS else GOOD
        late = f"p50 {figures.ms(error.p50)}, p99 {figures.ms(error.p99)}"
        yield Doubt(worth, f"schedule: sent {late} after due, where a slot stood ready")
    if snapshot.overdue:
        calls = "1 call is" if snapshot.overdue == 1 else f"{figures.exact(snapshot.overdue)} calls are"
        yield Doubt(
            GOOD, f"{calls} due and without a slot: a limit or --concurrency holds them, and it counts as queue"
        )


def _skipped(snapshot: Snapshot) -> Doubt:
    n = snapshot.frames_dropped
    if not n:
        return Doubt(GOOD, "no picture was skipped: this screen shows all that happens")
    pictures = "1 picture was" if n == 1 else f"{figures.exact(n)} pictures were"
    return Doubt(
        BEHIND if n >= _SKIPPED else GOOD, f"{pictures} skipped: this terminal reads slowly; no figure suffers"
    )


def _first_tokens(snapshot: Snapshot) -> int:
    return snapshot.ttft.n if snapshot.ttft is not None else 0
