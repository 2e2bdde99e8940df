"""The figures above the wall, one tile each: label, value and a small chart. Pure: a Snapshot in, pieces out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.style import Style

from tui.core import figures
from tui.core.batch_view import BatchView
from tui.core.snapshot import Counts, Snapshot
from tui.core.views import GoodputView
from tui.dashboard.batch_header import money_forms
from tui.dashboard.charts import bar, shares, sparkline
from tui.dashboard.paint import Piece, width_of
from tui.dashboard.theme import Ground, Ink, Theme

GROUND: Ground = "bar"


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure (or a few that belong together)."""

    rank: int
    """0 is shown first when there is room for a few only."""
    label: list[Piece]
    """Empty: on tall screens another row says it."""
    value: list[Piece]
    inlines: list[list[Piece]]
    """Label and value on one line, for small screens: from the fullest form to the shortest."""
    spark: Sequence[float | None] | None = None
    spark_ink: Ink = "accent"
    gauge: tuple[float, float] | None = None
    """Used and allowed: drawn as a bar."""
    parts: list[tuple[int, Ink]] = field(default_factory=list)
    """Numbers whose proportion is drawn as a bar of colours."""
    of_calls: bool = False
    """It stands in the first of two lines: it counts calls, or what comes of them; the others measure."""
    loss: int = 1
    """How much is lost with each shorter form of it."""

    @property
    def least(self) -> int:
        """Cells without which something would be cut."""
        return max(width_of(self.label), width_of(self.value))

    @property
    def grows(self) -> bool:
        """Its chart gains from more cells."""
        return self.spark is not None

    def chart(self, width: int, theme: Theme) -> list[Piece]:
        """The tile's third row."""
        if self.parts:
            sizes = shares([n for n, _ in self.parts], width)
            glyphs = "━" if theme.colour else "━╍┅┄·"
            return [
                (glyphs[index % len(glyphs)] * size, theme.style(ink, GROUND))
                for index, ((_, ink), size) in enumerate(zip(self.parts, sizes, strict=True))
                if size
            ]
        if self.spark is not None:
            drawn = sparkline(self.spark, min(width, max(1, len(self.spark))))
            return [(drawn, theme.style(self.spark_ink, GROUND))]
        return []

    def gauge_pieces(self, width: int, theme: Theme) -> list[Piece]:
        """The gauge in `width` cells; nothing when there is none."""
        if self.gauge is None or width < 3:
            return []
        used, allowed = self.gauge
        filled, empty = bar(used, allowed, width)
        ink: Ink = "amber" if used >= 0.95 * allowed else "accent"
        track = theme.style(ink, "title") if theme.colour else theme.style("text", GROUND)
        return [(filled, track), (empty if theme.colour else "·" * len(empty), track)]


def tiles(snapshot: Snapshot, theme: Theme, wide: bool) -> list[Tile]:
    """All tiles from left to right; `wide` tells the states of calls apart more finely."""
    limit, batch = snapshot.run.tpm_limit, snapshot.batch
    return [
        _calls(snapshot, theme, wide),
        _requests(snapshot, theme),
        *([_tpm(snapshot, limit, theme)] if limit is not None else []),
        _tokens(snapshot, theme),
        _ttft(snapshot, theme),
        *([_goodput(snapshot.goodput, theme)] if snapshot.goodput is not None else []),
        _retries(snapshot, theme),
        _cost(snapshot, theme) if batch is None else _money(snapshot, batch, theme),
    ]


def groups(counts: Counts, wide: bool) -> list[tuple[int, str, str, Ink]]:
    """Calls by what people ask for: number, glyph, word, ink. Every call is in one group.

    Where it is narrow, cancelled calls have a place of their own only once there are any.
    """
    before_text = counts.queued + counts.waiting + counts.connecting
    failed = counts.failed + counts.broken + counts.refused
    rows: list[tuple[int, str, str, Ink]] = [(counts.streaming, "●", "streaming", "accent")]
    if wide:
        rows.append((before_text, "◔", "waiting", "amber"))
        rows.append((counts.backing_off, "↻", "backing off", "violet"))
        rows.append((counts.done, "✓", "done", "green"))
        rows.append((counts.failed + counts.refused, "✗", "failed", "red"))
        rows.append((counts.broken, "◐", "broken", "red"))
        rows.append((counts.cancelled, "⊘", "cancelled", "grey"))
        return rows
    rows.append((before_text + counts.backing_off, "◔", "waiting", "amber"))
    rows.append((counts.done, "✓", "done", "green"))
    rows.append((failed, "✗", "failed", "red"))
    if counts.cancelled:
        rows.append((counts.cancelled, "⊘", "cancelled", "grey"))
    return rows


def _calls(snapshot: Snapshot, theme: Theme, wide: bool) -> Tile:
    style = theme.style
    label: list[Piece] = []
    value: list[Piece] = []
    full: list[Piece] = []
    short: list[Piece] = []
    rows = groups(snapshot.counts, wide)
    for n, glyph, word, ink in rows:
        size = max(len(word), 6)
        lit: Ink = ink if n else "faint"
        last = word == rows[-1][2]
        label.append((word if last else word.ljust(size + 2), style("dim", GROUND)))
        number = f"{glyph} {figures.count(n)}"
        value.append((number if last else number.ljust(size + 2), style(lit, GROUND, True)))
        number = f"{glyph} {figures.count(n)}"
        full.append((number, style(lit, GROUND, True)))
        full.append((f" {word}" + ("" if last else "  "), style("dim", GROUND)))
        short.append((number + ("" if last else "  "), style(lit, GROUND, True)))
    counts = snapshot.counts
    parts: list[tuple[int, Ink]] = [
        (counts.streaming, "accent"),
        (counts.connecting + counts.queued, "blue"),
        (counts.waiting, "amber"),
        (counts.backing_off, "violet"),
        (max(0, snapshot.run.concurrency - counts.running), "faint"),
    ]
    return Tile(0, label, value, [full, short], parts=parts, of_calls=True)


def _named(theme: Theme, label: str, value: str) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Label, value and inline form of a plain figure."""
    name = theme.style("dim", GROUND)
    values: list[Piece] = [(value, theme.style("bright", GROUND, True))]
    return [(label, name)], values, [(f"{label} ", name), *values]


def _requests(snapshot: Snapshot, theme: Theme) -> Tile:
    limit = snapshot.run.rpm_limit
    used = figures.count(snapshot.attempts_60s)
    dim, bright = theme.style("dim", GROUND), theme.style("bright", GROUND, True)
    size = len(figures.count(limit)) if limit is not None else 0
    unit = f" / {figures.count(limit)}" if limit is not None else " no limit"
    short = f"/{figures.count(limit)}" if limit is not None else ""
    return Tile(
        1,
        [("RPM", dim)],
        [(used.rjust(max(3, size)), bright), (unit, dim)],
        [[("RPM ", dim), (used.rjust(size), bright), (short, dim)]],
        spark=snapshot.attempts_by_second,
        spark_ink="blue",
        gauge=(snapshot.attempts_60s, limit) if limit is not None else None,
    )


def _tpm(snapshot: Snapshot, limit: int, theme: Theme) -> Tile:
    dim, bright = theme.style("dim", GROUND), theme.style("bright", GROUND, True)
    used, most = figures.count(snapshot.tokens_60s), f"/{figures.count(limit)}"
    return Tile(
        6, [("TPM", dim)], [(used.rjust(5), bright), (f" {most}", dim)], [[("TPM ", dim), (used, bright), (most, dim)]]
    )


def _tokens(snapshot: Snapshot, theme: Theme) -> Tile:
    mark = figures.ESTIMATED if snapshot.tokens_estimated and snapshot.tokens_per_s else ""
    label, value, inline = _named(theme, "tok/s", f"{mark}{figures.rate(snapshot.tokens_per_s)}".ljust(6))
    return Tile(2, label, value, [inline], spark=snapshot.tokens_by_second, spark_ink="accent")


def _ttft(snapshot: Snapshot, theme: Theme) -> Tile:
    spread = snapshot.ttft
    dim = theme.style("dim", GROUND)
    label: list[Piece] = []
    value: list[Piece] = []
    inline: list[Piece] = [("TTFT", dim)]
    forms: list[list[Piece]] = []
    for index, name in enumerate(("p50", "p95", "p99")):
        figure = figures.ms(getattr(spread, name) if spread is not None else None)
        label.append(((f"TTFT {name}" if index == 0 else name).ljust(10 if index < 2 else 0), dim))
        value.append((figure.ljust(10 if index < 2 else 7), _mood(theme, index)))
        inline = [*inline, (f" {name} ", dim), (figure.ljust(7), _mood(theme, index))]
        forms.insert(0, inline)
    return Tile(0, label, value, forms, spark=snapshot.ttft_by_second, spark_ink="soft")


def _goodput(goodput: GoodputView, theme: Theme) -> Tile:
    """The share of ended calls that met every objective."""
    text = figures.percent(goodput.met, goodput.ended)
    label, value, inline = _named(theme, "goodput", text.ljust(7))
    return Tile(1, label, value, [inline])


def _mood(theme: Theme, index: int) -> Style:
    return theme.style("bright", GROUND, True) if index == 0 else theme.style("text", GROUND)


def _retries(snapshot: Snapshot, theme: Theme) -> Tile:
    dim = theme.style("dim", GROUND)
    lit = theme.style("violet" if snapshot.retries else "faint", GROUND, True)
    refused = theme.style("amber" if snapshot.http_429 else "faint", GROUND, True)
    retries, http_429 = figures.count(snapshot.retries), figures.count(snapshot.http_429)
    return Tile(
        4,
        [("retries  ", dim), ("429s", dim)],
        [(f"↻ {retries}".ljust(9), lit), (http_429, refused)],
        [
            [("↻ ", lit), (retries, lit), (" retries", dim), ("  429s ", dim), (http_429, refused)],
            [("↻ ", lit), (retries, lit), ("  429s ", dim), (http_429, refused)],
        ],
        of_calls=snapshot.batch is None,
    )


def _cost(snapshot: Snapshot, theme: Theme) -> Tile:
    text = figures.money(snapshot.cost)
    label, value, inline = _named(theme, "cost", text.ljust(9))
    # A dollar sign says what it is; a lone question mark would not.
    return Tile(3, label, value, [inline if snapshot.cost.usd is None else value])


def _money(snapshot: Snapshot, batch: BatchView, theme: Theme) -> Tile:
    """What a batch costs and may cost; the calls' words go before the least of it does."""
    return Tile(0, [], [], money_forms(snapshot, batch, theme), of_calls=True, loss=3)
