"""The lower panels of the view of limits: what is held back, the verdict, the refusals. Pure: figures in, lines out.

Text of others (a reason, evidence, a message) always stands last in its row: nothing can be pushed aside by it.
"""

from typing import NamedTuple

from tui.core import figures, views
from tui.core.clock import NS_PER_S
from tui.core.snapshot import Snapshot
from tui.dashboard.limit_lines import LABEL, VALUE, Line, gauge_line, line, longest, of_whole
from tui.dashboard.limit_words import Judgement, judgement
from tui.dashboard.paint import Piece
from tui.dashboard.plain import crop, plain_line
from tui.dashboard.theme import Ground, Ink, Theme
from tui.dashboard.wrap import Wrap

_MOST_EVIDENCE = 1000
"""Characters of one sentence that are looked at."""

_MOST_WIDTH = 120
"""Longer rows are hard to read."""


class Cooling(NamedTuple):
    """A cool-down, from when it began."""

    since: int
    until: int


class Places(NamedTuple):
    """Where things stand in the panel of what is held back: cells from where its text begins."""

    gauges: int
    """How many cells a gauge, its label and its figures share."""
    words: int
    """Where words beside a gauge begin."""
    inner: int
    """How many cells there are."""


def held_lines(
    snapshot: Snapshot,
    limits: views.LimitsView,
    cooling: Cooling | None,
    now: int,
    places: Places,
    height: int,
    theme: Theme,
) -> list[Line]:
    """What is held back: the cool-down, streams at once, the limiter's queue."""
    if height <= 0:
        return []
    cools = cooling is not None and now < cooling.until
    edge: Ink = "amber" if cools else "dim"
    lines = [_cooling(snapshot, cooling if cools else None, now, places, theme)]
    lines.append(_at_once(limits, places, theme))
    if height >= 3:
        title = longest(("Held back",), places.inner)
        lines.insert(0, line((title, theme.style("bright", "title", True)), ground="title"))
    lines = [shown._replace(edge=edge) for shown in lines[:height]]
    return [*lines, *[line()._replace(edge=edge)] * (height - len(lines))]


def _after(pieces: tuple[Piece, ...], column: int, theme: Theme) -> Piece:
    """The blanks up to where words begin, beside a gauge."""
    used = sum(len(text) for text, _ in pieces)
    return " " * max(2, column - used), theme.style("text", "panel")


def _cooling(snapshot: Snapshot, cooling: Cooling | None, now: int, places: Places, theme: Theme) -> Line:
    style = theme.style
    if cooling is None:
        label: Piece = ("cooling".ljust(LABEL), style("dim", "panel"))
        words = longest(("no cool-down now", "no"), places.inner - LABEL)
        return line(label, (words, style("dim", "panel")))
    rest = cooling.until - now
    value: tuple[Piece, ...] = ((figures.countdown(rest).rjust(7), style("amber", "panel", True)),)
    value = (*value, (" left", style("dim", "panel"))) if places.gauges - LABEL >= 12 else value
    pieces = gauge_line("cooling", rest, cooling.until - cooling.since, value, places.gauges, "amber", theme)
    gap = _after(pieces, places.words, theme)
    room = places.inner - sum(len(text) for text, _ in (*pieces, gap))
    why = crop(plain_line(snapshot.lane_closed_why or ""), room) if room >= 8 else ""
    return line(*pieces, gap, (why, style("amber", "panel")))


def _at_once(limits: views.LimitsView, places: Places, theme: Theme) -> Line:
    style = theme.style
    number = figures.count(limits.in_flight)
    value = of_whole(number, figures.count(limits.concurrency), "", min(VALUE, places.gauges - LABEL), "bright", theme)
    pieces = gauge_line("at once", limits.in_flight, limits.concurrency, value, places.gauges, "accent", theme)
    gap = _after(pieces, places.words, theme)
    room = places.inner - sum(len(text) for text, _ in (*pieces, gap))
    peak = f"peak {figures.count(limits.in_flight_peak)}"
    n = figures.count(limits.in_limiter)
    waits = f"{n} call waits" if limits.in_limiter == 1 else f"{n} calls wait"
    queue = longest(
        (f"   {waits} in the limiter's queue", f"   {waits} in the limiter", f"   {n} in limiter"), room - len(peak)
    )
    ink: Ink = "text" if limits.in_limiter else "dim"
    return line(*pieces, gap, (longest((peak,), room), style("soft", "panel")), (queue, style(ink, "panel")))


def _judged(limits: views.LimitsView, rpm_limit: int | None) -> Judgement:
    known = judgement(limits.verdict, rpm_limit)
    if limits.verdict.kind == "none" and limits.refused and known is not None:
        return known._replace(words="no refusals lately")
    return known if known is not None else Judgement("?", plain_line(limits.verdict.kind), "amber", None)


def verdict_lines(limits: views.LimitsView, rpm_limit: int | None, inner: int, height: int, theme: Theme) -> list[Line]:
    """The verdict, what to do about it, and the evidence, in `height` lines."""
    if height <= 0:
        return []
    style = theme.style
    judged = _judged(limits, rpm_limit)
    refused = f"{figures.count(limits.refused)} refused (429)"
    # With colour the verdict is a bar of its own ground; it is the one thing that must be seen from afar.
    words: Piece = (crop(f"{judged.glyph} {judged.words}", inner), style(judged.ink, "title", True))
    right = [(refused, style("soft", "title"))] if limits.refused else []
    lines = [line(words, right=right, ground="title")]
    if judged.advice is not None:
        advice = longest((f"→ {judged.advice}", judged.advice), inner) or crop(judged.advice, inner)
        lines.append(line((advice, style("bright", "panel", True))))
    # What --adapt believes comes first: it is what the limits above follow.
    rows = evidence_rows([*limits.belief, *limits.verdict.evidence], min(_MOST_WIDTH, inner), height - len(lines))
    if not rows and not limits.refused:
        rows = [longest(("so far the server has refused no request with 429", "no request refused"), inner)]
    lines.extend(line((row, style("text", "panel"))) for row in rows)
    lines = [shown._replace(edge=judged.ink) for shown in lines[:height]]
    return [*lines, *[line()._replace(edge=judged.ink)] * (height - len(lines))]


def evidence_rows(evidence: list[str], width: int, height: int) -> list[str]:
    """Sentences wrapped, each behind a dot, in at most `height` rows.

    Where room is short each keeps a row before one has two: a long quotation must not hide the figures.
    """
    wrapped: list[list[str]] = []
    for sentence in evidence[: max(0, height)]:
        wrap = Wrap(max(2, width - 2))
        wrap.feed(plain_line(sentence[:_MOST_EVIDENCE]))
        wrapped.append(wrap.last(len(wrap.closed) + 1))
    spare = height - len(wrapped)
    rows: list[str] = []
    for pieces in wrapped:
        more = min(spare, max(0, len(pieces) - 1))
        spare -= more
        shown = pieces[: 1 + more]
        if len(shown) < len(pieces):
            shown[-1] = crop(shown[-1] + " …", width - 2)
        rows.extend(("· " if index == 0 else "  ") + piece for index, piece in enumerate(shown))
    if rows and len(evidence) > len(wrapped):
        rows[-1] += " …"
    return [crop(row, width) for row in rows]


class _Column(NamedTuple):
    head: str
    width: int
    rank: int


_COLUMNS = (
    _Column("time", 8, 1),
    _Column("call", 9, 0),
    _Column("at once", 9, 2),
    _Column("in 60 s", 9, 3),
    _Column("retry after", 13, 4),
)
"""The columns before the message; all stand to the right of their width."""

_LEAST_MESSAGE = 20


def _chosen(inner: int) -> list[int]:
    """The columns that leave the message room, by rank."""
    room = inner - _LEAST_MESSAGE
    taken: list[int] = []
    for index in sorted(range(len(_COLUMNS)), key=lambda index: _COLUMNS[index].rank):
        if _COLUMNS[index].width > room:
            break
        taken.append(index)
        room -= _COLUMNS[index].width
    return sorted(taken)


def refusal_lines(
    limits: views.LimitsView, started_at: int, first: int, cursor: int, inner: int, height: int, theme: Theme
) -> list[Line]:
    """The newest refusals from number `first` on, in `height` lines, the first two a title and the head."""
    if height <= 0:
        return []
    style = theme.style
    edge: Ink = "red" if limits.refusals else "dim"
    title = longest(("Refusals, newest first", "Refusals"), inner)
    lines = [line((title, style("bright", "title", True)), ground="title")]
    if limits.refusals:
        lines.append(_head(inner, theme))
        shown = limits.refusals[first : first + max(0, height - 2)]
        lines.extend(
            _refusal(refusal, started_at, first + index == cursor, inner, theme) for index, refusal in enumerate(shown)
        )
    else:
        words = longest(("none: each will stand here with how things stood when it was sent", "none"), inner)
        lines.append(line((words, style("dim", "panel"))))
    lines = [shown._replace(edge=edge) for shown in lines[:height]]
    return [*lines, *[line()._replace(edge=edge)] * (height - len(lines))]


def _head(inner: int, theme: Theme) -> Line:
    dim = theme.style("dim", "panel")
    chosen = [_COLUMNS[index] for index in _chosen(inner)]
    pieces = [(column.head.rjust(column.width), dim) for column in chosen]
    return line(*pieces, ("   message", dim))


def _refusal(refusal: views.Refusal, started_at: int, focused: bool, inner: int, theme: Theme) -> Line:
    ground: Ground = "focus" if focused else "panel"
    style = theme.style
    asked = figures.ABSENT
    if refusal.retry_after_s is not None:
        asked = figures.ms(round(refusal.retry_after_s * NS_PER_S))
    cells: tuple[tuple[str, Ink], ...] = (
        (figures.elapsed(refusal.at - started_at), "soft"),
        (f"#{refusal.call}", "bright"),
        (figures.count(refusal.in_flight), "text"),
        (figures.count(refusal.attempts_60s), "text"),
        (asked, "text"),
    )
    pieces: list[Piece] = []
    used = 0
    for index in _chosen(inner):
        text, ink = cells[index]
        pieces.append((text.rjust(_COLUMNS[index].width), style(ink, ground)))
        used += _COLUMNS[index].width
    message = crop(plain_line(refusal.message), inner - used - 3)
    return line(
        *pieces, ("   " if used else "", style("text", ground)), (message, style("text", ground)), ground=ground
    )
