"""What stands above every view: the run, how far it is, its figures, and the line that people should read.

Pure rows out of a Snapshot; the widget at the end only shows them. Where there is no room a tile is left out
whole, by rank; no word is cut.
"""

from itertools import product

from msgspec.structs import replace
from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.core import figures
from tui.core.snapshot import Snapshot
from tui.core.views import VIEWS
from tui.dashboard.batch_header import finished_forms, money_row, progress_row
from tui.dashboard.charts import bar
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import cells, crop, plain_line
from tui.dashboard.rows import Rows
from tui.dashboard.tabs import tabs_row
from tui.dashboard.theme import Ink, Theme
from tui.dashboard.tiles import GROUND, Tile, tiles

PHASES: dict[str, tuple[str, Ink]] = {
    "running": ("●", "accent"),
    "paused": ("‖", "amber"),
    "draining": ("◌", "amber"),
    "finished": ("✓", "green"),
}

_PLAYING = {"running": "playing", "paused": "standing still", "finished": "the end"}
"""What the phases of a replay are called: nothing runs in it."""

_ALL_STATES_WIDTH = 168
"""From this width on the calls' states are told apart more finely."""


def header_height(screen_height: int) -> int:
    """Rows that the header takes of a screen."""
    if screen_height < 8:
        return 1
    if screen_height < 14:
        return 2
    return 5 if screen_height < 32 else 8


def header_rows(
    snapshot: Snapshot,
    now: int,
    width: int,
    height: int,
    theme: Theme,
    sparks: Snapshot | None = None,
    shown: str = VIEWS[0],
) -> list[Strip]:
    """`height` rows; `now` is in the snapshot's time, charts are drawn from `sparks` when it is given.

    The last of five or eight rows names the views, `shown` among them.
    """
    title = _title(snapshot, now, width, theme)
    batch = snapshot.batch
    notice = notice_row(snapshot, now, width, theme)
    blank = Row(width, theme.style("text", GROUND)).strip()
    if height <= 1:
        return [notice or title]
    if height < 5:
        return [title, notice or _progress(snapshot, now, width, theme)]
    wide = width >= _ALL_STATES_WIDTH
    figures_shown = tiles(snapshot if sparks is None else _with_sparks(snapshot, sparks), theme, wide)
    tabs, _ = tabs_row(snapshot, shown, width, theme)
    if height < 8:
        progress = notice or _progress(snapshot, now, width, theme)
        return [title, progress, *_inline(figures_shown, width, theme), tabs]
    return [
        title,
        _progress(snapshot, now, width, theme),
        blank if batch is None else money_row(snapshot, batch, width, theme),
        *_tall(figures_shown, width, theme),
        notice or blank,
        tabs,
    ]


def _with_sparks(snapshot: Snapshot, sparks: Snapshot) -> Snapshot:
    """`snapshot` with the series of an earlier one: charts change more seldom than figures."""
    return replace(
        snapshot,
        attempts_by_second=sparks.attempts_by_second,
        tokens_by_second=sparks.tokens_by_second,
        ttft_by_second=sparks.ttft_by_second,
    )


def run_time(snapshot: Snapshot, now: int) -> int:
    """How long the run has lasted (ns)."""
    run = snapshot.run
    return (run.ended_at if run.ended_at is not None else now) - run.started_at


def _title(snapshot: Snapshot, now: int, width: int, theme: Theme) -> Strip:
    style, run = theme.style, snapshot.run
    row = Row(width, style("text", "title"))
    row.put(" ≋ weir ", style("accent", "title", True))
    glyph, ink = PHASES.get(run.phase, ("●", "accent"))
    phase = _PLAYING.get(run.phase, run.phase) if run.replay else run.phase
    if snapshot.batch is not None and snapshot.batch.asking is not None:
        glyph, ink, phase = "‖", "amber", "waits for its budget"
    right: list[Piece] = [
        (f"{glyph} {plain_line(phase)}", style(ink, "title", True)),
        (f"  {figures.elapsed(run_time(snapshot, now))} ", style("bright", "title", True)),
    ]
    room = row.room - width_of(right) - 1
    job = f"replay of {run.job}" if run.replay and run.job else run.job
    wanted: tuple[tuple[str, Ink], ...] = ((job, "soft"), (run.model, "bright"), (run.endpoint, "dim"))
    for text, name in wanted:
        text = plain_line(text)
        size = cells(text) + 2
        if text and room >= min(size, 12):
            text = crop(text, room - 2)
            row.put(f" {text} ", style(name, "title"))
            room -= cells(text) + 2
    return row.right(right).strip()


def _progress(snapshot: Snapshot, now: int, width: int, theme: Theme) -> Strip:
    """The bar: calls that ended of those planned, or time that went by; then the same in figures."""
    if snapshot.batch is not None:
        return progress_row(snapshot, snapshot.batch, width, theme)
    style, run, ended = theme.style, snapshot.run, snapshot.counts.ended
    row = Row(width, style("text", GROUND)).put(" ")
    done = run.phase == "finished"
    right: list[Piece] = []
    share: tuple[float, float] | None = None
    if run.planned is not None:
        share = (ended, run.planned)
        right.append((f" {figures.exact(ended)}", style("bright", GROUND, True)))
        right.append((f" / {figures.exact(run.planned)}", style("dim", GROUND)))
        right.append((f"  {figures.percent(ended, run.planned)}".rjust(7), style("text", GROUND)))
        queued = run.planned - ended - snapshot.counts.running
        if queued > 0 and not done and width >= 80:
            right.append((f"  {figures.count(queued)} queued", style("dim", GROUND)))
    elif run.deadline_at is not None:
        whole = run.deadline_at - run.started_at
        share = (min(whole, now - run.started_at) if not done else whole, whole)
        left = max(0, run.deadline_at - now)
        right.append((f" {figures.exact(ended)}", style("bright", GROUND, True)))
        right.append((" ended", style("dim", GROUND)))
        if not done:
            right.append((f"  {figures.ms(left)} left", style("text", GROUND)))
    else:
        right.append((f"{figures.exact(ended)}", style("bright", GROUND, True)))
        right.append((" ended", style("dim", GROUND)))
    if width >= 60:
        right.append((f"  {run.concurrency} at once", style("dim", GROUND)))
    right.append((" ", style("dim", GROUND)))
    space = row.room - width_of(right)
    if share is not None and space >= 4:
        filled, empty = bar(*share, space)
        ink: Ink = "green" if done else "accent"
        track = style(ink, "title" if theme.colour else GROUND)
        row.put(filled, track).put(empty if theme.colour else "·" * len(empty), track)
    return row.right(right).strip()


def notice_row(snapshot: Snapshot, now: int, width: int, theme: Theme) -> Strip | None:
    """A closed lane, the run's notice, or how it ended; None when there is nothing to say."""
    style, run = theme.style, snapshot.run
    row = Row(width, style("text", GROUND)).put(" ")
    said = False
    batch = snapshot.batch
    if run.phase == "finished" and batch is not None:
        forms = finished_forms(snapshot, batch, theme)
        row.pieces(next((form for form in forms if width_of(form) < row.room), forms[-1]))
        said = True
    elif run.phase == "finished":
        counts = snapshot.counts
        bad = counts.failed + counts.broken + counts.refused
        row.put("✓ finished", style("green", GROUND, True))
        text = f"  {figures.exact(counts.done)} done"
        text += f", {figures.exact(bad)} failed" if bad else ""
        text += f", {figures.exact(counts.cancelled)} cancelled" if counts.cancelled else ""
        hint: list[Piece] = [("  q", style("accent", GROUND, True)), (" quits", style("text", GROUND))]
        if run.replay:
            hint += [("  ,", style("accent", GROUND, True)), (" goes back", style("text", GROUND))]
        if width_of([(text, row.base), *hint]) <= row.room:
            row.put(text, style("text", GROUND))
        row.pieces(hint)
        said = True
    until = snapshot.lane_closed_until
    if until is not None and until > now and run.phase != "finished":
        row.put(f"◔ closed {figures.countdown(until - now)}", style("amber", GROUND, True))
        if snapshot.lane_closed_why:
            why = crop(": " + plain_line(snapshot.lane_closed_why), row.room - 1)
            row.put(why, style("amber", GROUND))
        said = True
    if batch is not None and batch.asking is not None:
        row.put("‖ ", style("amber", GROUND, True)).put(crop(plain_line(batch.asking), row.room - 10))
        row.put("  b", style("accent", GROUND, True)).put(" raise", style("text", GROUND))
        said = True
    elif run.notice and row.room >= 12:
        if said:
            row.put("   ")
        row.put("▲ ", style("amber", GROUND, True))
        row.put(crop(plain_line(run.notice), row.room - 1), style("bright", GROUND))
        said = True
    return row.strip() if said else None


def _chosen(shown: list[Tile], sizes: list[int], room: int, gap: int) -> list[int]:
    """Indices of the tiles that fit, taken by rank, in their order on the screen."""
    taken: list[int] = []
    for index in sorted(range(len(shown)), key=lambda index: shown[index].rank):
        size = sizes[index] + (gap if taken else 0)
        if size <= room:
            taken.append(index)
            room -= size
    return sorted(taken)


def _inline(shown: list[Tile], width: int, theme: Theme) -> list[Strip]:
    """Two rows for small screens: calls and retries, then the other figures with small charts."""
    calls, retries, *others = sorted(shown, key=lambda tile: not tile.of_calls)
    return [_inline_row([calls, retries], width, theme), _inline_row(others, width, theme)]


def _forms(shown: list[Tile], room: int, gap: int) -> list[tuple[Tile, list[Piece]]]:
    """The tiles that fit, each in as full a form as all of them allow; the highest rank goes first."""
    taken = list(shown)
    while taken:
        ways = product(*(range(len(tile.inlines)) for tile in taken))
        losses = [tile.loss for tile in taken]
        for way in sorted(ways, key=lambda way: sum(form * loss for form, loss in zip(way, losses, strict=True))):
            forms = [tile.inlines[form] for tile, form in zip(taken, way, strict=True)]
            if sum(map(width_of, forms)) + gap * (len(forms) - 1) <= room:
                return list(zip(taken, forms, strict=True))
        taken.remove(max(taken, key=lambda tile: tile.rank))
    return []


def _inline_row(shown: list[Tile], width: int, theme: Theme) -> Strip:
    row = Row(width, theme.style("text", GROUND)).put(" ")
    chosen = _forms(shown, row.room - 1, 2)
    spare = row.room - 1 - sum(width_of(form) for _, form in chosen) - 2 * (len(chosen) - 1)
    charts = [tile for tile, _ in chosen if tile.grows]
    each = min(20, spare // len(charts)) if charts else 0
    for position, (tile, form) in enumerate(chosen):
        if position:
            row.put("  ")
        row.pieces(form)
        if tile.grows and each >= 5:
            row.put(" ")
            gauge = tile.gauge_pieces(each - 1, theme)
            row.pieces(gauge or tile.chart(each - 1, theme))
    return row.strip()


def _tall(shown: list[Tile], width: int, theme: Theme) -> list[Strip]:
    """Three rows: labels, values, charts."""
    style = theme.style
    shown = [tile for tile in shown if tile.label]
    room = width - 2
    sizes = [tile.least for tile in shown]
    gap = 3
    chosen = _chosen(shown, sizes, room, gap)
    if len(chosen) < len(shown) and len(_chosen(shown, sizes, room, 2)) > len(chosen):
        gap = 2
        chosen = _chosen(shown, sizes, room, gap)
    spare = room - sum(sizes[index] for index in chosen) - gap * (len(chosen) - 1)
    growing = [index for index in chosen if shown[index].grows]
    for position, index in enumerate(growing):
        wish = max(0, 62 - sizes[index])
        extra = min(wish, spare // (len(growing) - position))
        sizes[index] += extra
        spare -= extra
    labels, values, charts = (Row(width, style("text", GROUND)).put(" ") for _ in range(3))
    for position, index in enumerate(chosen):
        if position:
            between = " │ " if gap == 3 else "  "
            for row in (labels, values, charts):
                row.put(between, style("faint", GROUND))
        tile, start = shown[index], labels.used
        end = start + sizes[index]
        labels.pieces(tile.label)
        if tile.gauge is not None:
            labels.put(" ").pieces(tile.gauge_pieces(end - labels.used, theme))
        labels.to(end)
        values.pieces(tile.value).to(end)
        charts.pieces(tile.chart(sizes[index], theme)).to(end)
    return [labels.strip(), values.strip(), charts.strip()]


class Header(Rows):
    """Shows `header_rows`: figures as often as it is drawn, charts when `charts_due`."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sparks: Snapshot | None = None
        self._drawn: tuple[Snapshot, str] | None = None

    class Chosen(Message):
        """A name on the row of views was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def draw(self, snapshot: Snapshot, now: int, charts_due: bool = True, shown: str = VIEWS[0]) -> None:
        """Show `snapshot`; `now` is in the snapshot's time."""
        if charts_due or self._sparks is None:
            self._sparks = snapshot
        width, height = self.size
        self.show(header_rows(snapshot, now, width, height, self.theme_now, self._sparks, shown))
        self._drawn = (snapshot, shown)

    def on_click(self, event: events.Click) -> None:
        if self._drawn is None or event.y != self.size.height - 1 or self.size.height < 5:
            return
        _, spots = tabs_row(*self._drawn, self.size.width, self.theme_now)
        for spot in spots:
            if spot.start <= event.x < spot.end:
                self.post_message(self.Chosen(spot.name))
