"""A panel of the view of limits: one allowance, from our side and from the server's. Pure: figures in, lines out."""

from collections.abc import Sequence

from tui.core import figures
from tui.core.views import Meter
from tui.dashboard.limit_lines import LABEL, VALUE, Line, columns, gauge_line, line, longest, of_whole
from tui.dashboard.limit_words import NEAR, Kind, Moment, ahead, share_of_limit
from tui.dashboard.paint import Piece
from tui.dashboard.theme import Ink, Theme

COMPACT_ROWS = 8
"""Rows that hold every figure once."""

TALL_ROWS = 12
"""From here on the strip is three rows high or more, and has its axis."""

_BY_RANK = ("title", "used", "server", "ETA", "strip", "pace", "bucket", "resets")
"""The rows of a small panel, what must stay first."""

_IN_ORDER = ("title", "used", "strip", "pace", "ETA", "bucket", "server", "resets")


def meter_lines(
    meter: Meter, kind: Kind, by_second: Sequence[int], moment: Moment, inner: int, height: int, theme: Theme
) -> list[Line]:
    """`height` lines for a panel with room for `inner` cells of text."""
    share = share_of_limit(meter)
    edge: Ink = "amber" if share is not None and share >= NEAR else kind.ink
    made = {
        "title": [_title(meter, kind, inner, theme)],
        "used": [_used(meter, inner, theme)],
        "strip": _strip(by_second, kind, inner, 1 if height < TALL_ROWS else height - TALL_ROWS + 3, theme),
        "pace": [_pace(meter, inner, theme)],
        "ETA": [_ahead(meter, kind, moment, inner, theme)],
        "bucket": [_bucket(meter, inner, theme)],
        "server": [_server(meter, moment, inner, theme)],
        "resets": [_resets(meter, moment, inner, theme)],
    }
    if height >= TALL_ROWS:
        made["strip"].append(_axis(kind, inner, theme))
        made["server"].insert(0, line())
    chosen = _BY_RANK[:height]
    lines = [shown._replace(edge=edge) for name in _IN_ORDER if name in chosen for shown in made[name]]
    return [*lines, *[line()._replace(edge=edge)] * (height - len(lines))]


def _labelled(label: str, theme: Theme) -> Piece:
    return label.ljust(LABEL), theme.style("dim", "panel")


def _title(meter: Meter, kind: Kind, inner: int, theme: Theme) -> Line:
    style = theme.style
    title = longest(kind.title, inner)
    room = inner - len(title) - 2
    share = share_of_limit(meter)
    if share is None or meter.limit is None:
        right = (longest(("no limit",), room), style("dim", "title"))
    elif share < 1:
        percent = figures.percent(meter.used_60s, meter.limit)
        mark, ink = ("▲ ", style("amber", "title", True)) if share >= NEAR else ("", style("soft", "title"))
        right = (longest((f"{mark}{percent} of the limit", f"{mark}{percent}"), room), ink)
    else:
        right = (longest(("▲ at the limit", "▲"), room), style("amber", "title", True))
    return line((title, style("bright", "title", True)), right=[right], ground="title")


def _used(meter: Meter, inner: int, theme: Theme) -> Line:
    used = figures.count(meter.used_60s)
    share = share_of_limit(meter)
    if share is None or meter.limit is None:
        number: Piece = (used, theme.style("bright", "panel", True))
        return line(_labelled("used", theme), number, (" in 60 s", theme.style("dim", "panel")))
    ink: Ink = "amber" if share >= NEAR else "accent"
    number_ink: Ink = "amber" if share >= NEAR else "bright"
    value = of_whole(used, figures.count(meter.limit), "", min(VALUE, inner - LABEL), number_ink, theme)
    return Line(gauge_line("used", meter.used_60s, meter.limit, value, inner, ink, theme))


def _strip_width(inner: int) -> int:
    """Cells of the strip: one a second where that fits, else one for 2, 3, … whole seconds."""
    room = max(0, inner - LABEL)
    return next((60 // each for each in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60) if 60 // each <= room), 0)


def _strip(by_second: Sequence[int], kind: Kind, inner: int, height: int, theme: Theme) -> list[Line]:
    width = _strip_width(inner)
    ink = theme.style(kind.ink, "panel")
    most = max(by_second, default=0)
    # The seconds of a cell must always be the same number, or what stands still would shimmer while it moves on.
    values = [0] * (60 - len(by_second)) + list(by_second)[-60:]
    rows = columns(values, width, height) if by_second else [" " * width] * height
    lines = []
    for index, text in enumerate(rows):
        label = kind.strip if index == height - 1 else ""
        side = f"  most {figures.count(most)}/s" if index == 0 and by_second else ""
        side = longest((side,), inner - LABEL - width)
        lines.append(line(_labelled(label, theme), (text, ink), (side, theme.style("dim", "panel"))))
    return lines


def _axis(kind: Kind, inner: int, theme: Theme) -> Line:
    """Below the strip: its two ends."""
    width = _strip_width(inner)
    dim = theme.style("dim", "panel")
    left = longest(kind.oldest, width - 4)
    return line(_labelled("", theme), (left + "now".rjust(width - len(left)), dim))


def _pace(meter: Meter, inner: int, theme: Theme) -> Line:
    dim = theme.style("dim", "panel")
    pace = figures.rate(meter.per_minute_now)
    pieces = [_labelled("pace", theme), (pace, theme.style("bright", "panel", True))]
    # The unit takes up what a shorter number leaves, so that the peak does not move.
    pieces.append(("/min now".ljust(13 - len(pace)), dim))
    peak = f"peak {figures.count(meter.peak_60s)}"
    room = inner - LABEL - 16
    return line(*pieces, ("   " + longest((f"{peak} in 60 s", peak), room), theme.style("soft", "panel")))


def _ahead(meter: Meter, kind: Kind, moment: Moment, inner: int, theme: Theme) -> Line:
    said = ahead(meter, kind, moment)
    return line(_labelled("ETA", theme), (longest(said.lengths, inner - LABEL), theme.style(said.ink, "panel")))


def _bucket(meter: Meter, inner: int, theme: Theme) -> Line:
    if meter.level is None or not meter.size:
        words = longest(("none: nothing is held back", "none"), inner - LABEL)
        return line(_labelled("bucket", theme), (words, theme.style("dim", "panel")))
    room = min(VALUE, inner - LABEL)
    value = of_whole(figures.rate(meter.level), figures.rate(meter.size), "free", room, "text", theme)
    return Line(gauge_line("bucket", meter.level, meter.size, value, inner, "soft", theme))


def _is_past(meter: Meter, now: int) -> bool:
    """Whether the server's figures are older than the reset they spoke of."""
    return meter.server_reset_at is not None and now >= meter.server_reset_at


def _server(meter: Meter, moment: Moment, inner: int, theme: Theme) -> Line:
    room = inner - LABEL
    style = theme.style
    label = _labelled("server", theme)
    if meter.server_said_at is None:
        silent = longest(("says nothing about its limits", "says nothing of its limits", "says nothing"), room)
        return line(label, (silent, style("dim", "panel")))
    left, limit = meter.server_remaining, meter.server_limit
    past = _is_past(meter, moment.now)
    if left is None:
        told = "figures not said"
        if limit is not None:
            most = f"limit {figures.count(limit)}"
            told = longest((f"{most}, what is left not said", most), room)
        return line(label, (told, style("grey" if past else "text", "panel")))
    if limit is None or limit <= 0:
        ink: Ink = "grey" if past else "bright"
        return line(label, (figures.count(left), style(ink, "panel", True)), (" left", style("dim", "panel")))
    scarce = left <= (1 - NEAR) * limit
    ink = "grey" if past else "amber" if scarce else "bright"
    value = of_whole(figures.count(left), figures.count(limit), "left", min(VALUE, room), ink, theme)
    return Line(
        gauge_line("server", left, limit, value, inner, "grey" if past else "amber" if scarce else "green", theme)
    )


def _resets(meter: Meter, moment: Moment, inner: int, theme: Theme) -> Line:
    """When the allowance is whole again, and how old that news is."""
    label = _labelled("resets", theme)
    style = theme.style
    room = inner - LABEL
    if meter.server_said_at is None:
        return line(label, (figures.ABSENT, style("dim", "panel")))
    age = figures.countdown(max(0, moment.now - meter.server_said_at))
    if meter.server_reset_at is None:
        told = longest((f"not said; heard {age} ago", f"heard {age} ago", "not said"), room)
        return line(label, (told, style("soft", "panel")))
    if _is_past(meter, moment.now):
        told = longest((f"is past: out of date, heard {age} ago", f"past; heard {age} ago", "is past"), room)
        return line(label, (told, style("grey", "panel")))
    left = f"in {figures.countdown(meter.server_reset_at - moment.now)}"
    heard = longest((f"heard {age} ago", f"{age} ago"), room - len(left) - 3)
    return line(label, (left.ljust(10), style("bright", "panel")), (f" {heard}", style("dim", "panel")))
