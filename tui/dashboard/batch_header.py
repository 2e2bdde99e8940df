"""What the header says of a batch: how many documents it has dealt with, and what it costs. Pure: a Snapshot in.

Where there is no room parts are left out whole, those that matter least first.
"""

from rich.style import Style
from textual.strip import Strip

from tui.core import figures
from tui.core.batch_view import BatchView
from tui.core.batch_words import Said, budget_of, documents, ended, fits, interval, projected, share
from tui.core.snapshot import Snapshot
from tui.dashboard.charts import bar
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.theme import Ground, Ink, Theme

_GROUND: Ground = "bar"
_INKS: dict[str, Ink] = {"done": "bright", "failed": "red", "cut": "amber"}
_LEAST_TELLING = ("shared", "reused", "cut", "failed")
"""What the words on documents do without, in this order."""
_LEAST_BAR = 10
_NEAR = 0.95
"""Of the budget: from here on what is spent is a warning."""


def progress_row(snapshot: Snapshot, batch: BatchView, width: int, theme: Theme) -> Strip:
    """The bar of documents, and what became of them."""
    style = theme.style
    row = Row(width, style("text", _GROUND)).put(" ")
    at_once: list[Piece] = [(f"  {snapshot.run.concurrency} at once", style("dim", _GROUND))] if width >= 60 else []
    of_all = share(batch)
    blank: Piece = (" ", row.base)
    if of_all is None:  # a bar of an unknown whole would say something that nobody knows
        row.pieces(document_pieces(batch, row.room - width_of(at_once) - 1, theme))
        return row.right([*at_once, blank]).strip()
    said = [blank, *document_pieces(batch, row.room - _LEAST_BAR - 2, theme), blank]
    full = [*said, (f" {of_all}".rjust(6), style("text", _GROUND)), *at_once, blank]
    right = full if row.room - width_of(full) >= 2 * _LEAST_BAR else said
    row.pieces(_bar(batch, row.room - width_of(right), snapshot.run.phase == "finished", theme))
    return row.right(right).strip()


def _bar(batch: BatchView, width: int, over: bool, theme: Theme) -> list[Piece]:
    """Documents that are done, then those that failed, of all."""
    if width < 4 or batch.documents is None:
        return []
    filled, empty = bar(ended(batch), batch.documents, width)
    failed = min(len(filled), max(1, round(batch.failed / batch.documents * width))) if batch.failed else 0
    done = len(filled) - failed
    ground: Ground = "title" if theme.colour else _GROUND
    ink: Ink = "green" if over and ended(batch) >= batch.documents else "accent"
    track = theme.style(ink, ground)
    return [
        (filled[:done], track),
        (filled[done:] if theme.colour else "▒" * failed, theme.style("red", ground)),
        (empty if theme.colour else "·" * len(empty), track),
    ]


def money_row(snapshot: Snapshot, batch: BatchView, width: int, theme: Theme) -> Strip:
    """Money, as much of it as fits."""
    row = Row(width, theme.style("text", _GROUND)).put(" ")
    forms = money_forms(snapshot, batch, theme)
    return row.pieces(next((form for form in forms if width_of(form) < row.room), [])).strip()


def document_pieces(batch: BatchView, room: int, theme: Theme, ground: Ground = _GROUND) -> list[Piece]:
    """The words on documents, as many as fit; nothing when not even the first ones do."""
    said = documents(batch)
    for kind in (None, *_LEAST_TELLING):
        said = [each for each in said if each.kind != kind]
        pieces = _joined([[_piece(each, theme, ground)] for each in said], theme, ground)
        if width_of(pieces) <= room:
            return pieces
    return []


def _piece(said: Said, theme: Theme, ground: Ground) -> Piece:
    return said.words, theme.style(_INKS.get(said.kind, "soft"), ground, said.kind in ("done", "failed"))


def money_forms(snapshot: Snapshot, batch: BatchView, theme: Theme, ground: Ground = _GROUND) -> list[list[Piece]]:
    """`$0.84 spent · $2.10 [1.95–2.30] projected · $2.50 budget` and shorter forms of it, the fullest first."""
    style, limit, projection = theme.style, budget_of(batch), batch.projection
    soft = style("soft", ground)
    amount: Piece = (figures.money(snapshot.cost), _spent_style(snapshot, batch, theme, ground))
    spent: list[Piece] = [amount, (" spent", soft)]
    if snapshot.cost.usd is None:
        spent = [("cost ", soft), amount]
    budget: list[Piece] = []
    if limit is not None:
        budget = [(figures.usd(limit), style("bright", ground, True)), (" budget", soft)]
    short = _joined([spent, budget], theme, ground)
    forms = [short, [amount, (f" of {figures.usd(limit)}", soft)] if limit is not None else spent, [amount]]
    if projection is not None and snapshot.run.phase != "finished":  # then what is spent says it
        ink = _projected_ink(batch)
        all_of_it: Piece = (projected(projection), style(ink, ground, True))
        between: Piece = (f" {interval(projection)}", style("soft" if ink == "bright" else ink, ground))
        full = [all_of_it, between, (" projected", soft)]
        forms = [
            _joined([spent, full, budget], theme, ground),
            _joined([spent, [full[0], full[2]], budget], theme, ground),
            *forms,
        ]
    return forms


def _joined(parts: list[list[Piece]], theme: Theme, ground: Ground) -> list[Piece]:
    joined: list[Piece] = []
    for part in parts:
        if part and joined:
            joined.append((" · ", theme.style("dim", ground)))
        joined += part
    return joined


def _spent_style(snapshot: Snapshot, batch: BatchView, theme: Theme, ground: Ground) -> Style:
    usd, limit = snapshot.cost.usd, batch.budget_usd
    near = usd is not None and limit is not None and float(usd) >= _NEAR * limit
    return theme.style("amber" if near or batch.asking else "bright", ground, True)


def _projected_ink(batch: BatchView) -> Ink:
    """Red when it costs more than it may, amber when it well may."""
    if fits(batch) is not False or batch.projection is None or batch.budget_usd is None:
        return "bright"
    return "red" if batch.projection.usd > batch.budget_usd else "amber"


def finished_forms(snapshot: Snapshot, batch: BatchView, theme: Theme) -> list[list[Piece]]:
    """How a batch ended and where its results are, the fullest form first."""
    style, record = theme.style, snapshot.run.record
    text, accent = style("text", _GROUND), style("accent", _GROUND, True)
    whole = batch.corpus_ended and ended(batch) >= (batch.documents if batch.documents is not None else batch.read)
    head: Piece = ("✓ finished", style("green", _GROUND, True))
    if not whole:
        head = ("◌ not all done", style("amber", _GROUND, True))
    said = [each.words for each in documents(batch) if each.kind in ("done", "failed")]
    counts: Piece = ("  " + " · ".join(said), text)
    quits: list[Piece] = [("  q", accent), (" quits", text)]
    if record is None:
        return [[head, counts, *quits], [head, *quits]]
    name = record.replace("\\", "/").rstrip("/").rpartition("/")[2]
    verb, words = (f"weir results {name}", "results: ") if whole else (f"weir batch --resume {name}", "go on: ")
    way: list[Piece] = [(words, text), (verb, style("bright", _GROUND))]
    between: Piece = ("   ", text)
    return [
        [head, counts, *quits, between, *way],
        [head, counts, between, *way],
        [head, ("  ", text), *way],
        [(f"{head[0][0]} ", head[1]), *way],
        [head, counts, *quits],
        [head, *quits],
    ]
