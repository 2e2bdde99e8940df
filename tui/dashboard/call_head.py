"""What stands above the pages of an open call: who it is, its figures, its time as a bar, and what is wrong with it.

Pure: a FullCall in, rows out. Where there is no room, parts are left out whole, what is wrong last of all.
"""

from typing import NamedTuple

from rich.style import Style
from textual.strip import Strip

from tui.core import figures
from tui.core.live_tokens import estimated_tokens
from tui.core.snapshot import FullCall
from tui.core.views import Bar
from tui.dashboard.bars import FAILED, LOOKS, REFUSED, TOO_MANY, Under, bar_cells, parts, row_pieces
from tui.dashboard.call_page import wrapped
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.pane import countdown_text, foot_lines
from tui.dashboard.plain import cells, crop, crop_start, plain_line
from tui.dashboard.rows import Rows
from tui.dashboard.theme import MARKS, Ground, Ink, Theme
from tui.dashboard.time_axis import TimeScale, TimeWindow

_GROUND: Ground = "bar"
_EDGE = 2
"""Cells left free at both ends of a row."""

_BESIDE = 150
"""From this width on the bar stands to the right of the figures."""

_PROMPT_HEIGHT = 30
"""From this height of the screen on the prompt's start has a row of its own."""

_LONG_QUIET_NS = 2_000_000_000

_TICK = "┊"
_LEGEND_GAP = 2
_LEAST_TELLING = ("tail", "connect", "queue", "failed", "429", "limiter", "first token", "back-off")
"""Parts of a bar that its legend does without, in this order: the glyphs of failures speak for themselves."""

_GLYPHS = {look.word: look.glyph for look in LOOKS.values()}


class Figure(NamedTuple):
    """A value with its name."""

    label: str
    value: str
    ink: Ink = "bright"


class Group(NamedTuple):
    """Figures that stand under one another."""

    label_cells: int
    value_cells: int
    figures: list[Figure]

    @property
    def cells(self) -> int:
        """Its width."""
        return self.label_cells + 1 + self.value_cells


def call_rows(full: FullCall, now: int, width: int, height: int, theme: Theme) -> list[Strip]:
    """The head of a screen of `width` x `height` cells, at most half as high; `now` is in the snapshot's time."""
    tall = height >= _PROMPT_HEIGHT
    title = [_title(full, width, theme, with_prompt=not tall)]
    foot = _foot(full, now, width, theme)
    bar = full.bar
    if width >= _BESIDE and bar is not None:
        middle = _beside(full, bar, now, width, theme)
        options = [[*_prompt(full, width, theme), *middle], middle]
    else:
        known = figure_rows(full, width, theme)
        drawn = bar_rows(bar, now, width, theme) if bar is not None else []
        options = [[*_prompt(full, width, theme), *known, *drawn], [*known, *drawn], [*known, *drawn[:2]], known]
    if not tall:
        options = options[1:]
    room = max(1, height // 2)
    for middle in options:
        if len(title) + len(middle) + len(foot) <= room:
            return [*title, *middle, *foot]
    return [*title, *foot, *options[-1]][:room]


def _row(width: int, theme: Theme) -> Row:
    return Row(width, theme.style("text", _GROUND)).put(" " * _EDGE)


def _title(full: FullCall, width: int, theme: Theme, with_prompt: bool) -> Strip:
    style, pane = theme.style, full.pane
    mark = MARKS[pane.state]
    row = Row(width, style("text", "title")).put(f" {mark.glyph} ", style(mark.ink, "title", True))
    row.put(f"#{pane.call}  ", style("bright", "title", True))
    words = mark.word + (f" ({crop(plain_line(pane.finish_reason), 16)})" if pane.finish_reason else "")
    right: list[Piece] = [(f" {words} ", style(mark.ink, "title", True))]
    status = full.attempts[-1].status if full.attempts else None
    if status is not None:
        good = status < 400
        right.insert(0, (f" HTTP {status} ", style("green" if good else "red", "title")))
    if pane.warmup:
        right.insert(0, (" warm-up ", style("dim", "title")))
    while len(right) > 1 and width_of(right) + 12 > row.room:
        right.pop(0)
    room = row.room - width_of(right)
    model = crop(plain_line(pane.model), min(32, room))
    row.put(model, style("soft", "title"))
    room -= cells(model) + 2
    if with_prompt and room >= 8:
        row.put("  ").put(
            (crop_start if is_named(full) else crop)(plain_line(pane.prompt), room), style("dim", "title")
        )
    return row.right(right).strip()


def is_named(full: FullCall) -> bool:
    """Lists call it by a name, a document's, and not by the start of its prompt."""
    name, prompt = full.pane.prompt, full.prompt
    return not plain_line(prompt[: 4 * len(name)]).startswith(plain_line(name))


def _prompt(full: FullCall, width: int, theme: Theme) -> list[Strip]:
    """The prompt's start; before it the document's name, where lists call the call by that."""
    row = Row(width, theme.style("text", _GROUND)).put("❯ ", theme.style("accent", _GROUND, True))
    if is_named(full):
        name = plain_line(full.pane.prompt)
        row.put(crop_start(name, row.room - 1), theme.style("bright", _GROUND)).put("   ")
    words = crop(plain_line(full.prompt[: 4 * width]), row.room - 1)
    return [row.put(words, theme.style("soft", _GROUND)).strip()]


# ── figures ────────────────────────────────────────────────────────────────────────────────────────────


def groups(full: FullCall) -> list[Group]:
    """Everything that is known of the call in numbers: time, tokens, chunks, money."""
    pane = full.pane
    mark = figures.ESTIMATED if pane.ttft_mark else ""
    time = [Figure("TTFT", mark + figures.ms(pane.ttft_ns))]
    if full.ttfa_ns is not None:
        time.append(Figure("TTFA", figures.ms(full.ttfa_ns)))
    time += [Figure("waited", figures.ms(pane.waited_ns)), Figure("queue", figures.ms(full.queue_ns))]
    tokens = [
        Figure("tokens", figures.tokens(pane.tokens, pane.tokens_estimated)),
        Figure("tok/s", figures.rate(pane.tokens_per_s)),
        Figure("prompt", _count(full.prompt_tokens)),
        Figure("cached", _count(full.cached_tokens)),
    ]
    quiet = pane.quiet_ns is not None and pane.quiet_ns >= _LONG_QUIET_NS
    chunks = [
        Figure("chunks", figures.count(full.chunks)),
        Figure("tok/chunk", _tokens_a_chunk(full)),
        Figure("bursts", figures.count(full.bursts), "amber" if full.buffered else "bright"),
        Figure("quiet now", figures.ms(pane.quiet_ns), "amber")
        if quiet
        else Figure("largest gap", figures.ms(full.largest_gap_ns)),
    ]
    money = [
        Figure("cost", figures.money(pane.cost) if pane.attempt else figures.ABSENT),
        Figure("reasoning", _count(full.reasoning_tokens)),
        Figure("attempts", figures.count(pane.attempt)),
        Figure("retries", figures.count(pane.retries), "violet" if pane.retries else "bright"),
    ]
    return [Group(6, 7, time), Group(6, 6, tokens), Group(11, 7, chunks), Group(9, 9, money)]


def _count(n: int | None) -> str:
    return figures.ABSENT if n is None else figures.count(n)


def _tokens_a_chunk(full: FullCall) -> str:
    """How many tokens a chunk held on average. Reasoning that was counted and never sent came in no chunk."""
    pane = full.pane
    if not full.chunks:
        return figures.ABSENT
    tokens, estimated = pane.tokens, pane.tokens_estimated
    if full.reasoning_tokens and full.ttfa_ns is None:
        # Without a first answer after the first token no reasoning was seen.
        tokens, estimated = min(tokens, max(tokens - full.reasoning_tokens, estimated_tokens(pane.text_end))), True
    return (figures.ESTIMATED if estimated else "") + figures.rate(tokens / full.chunks)


def figure_rows(full: FullCall, width: int, theme: Theme) -> list[Strip]:
    """The figures, as many whole groups as fit beside one another."""
    shown, gap = _fitting(groups(full), width)
    rows = []
    for index in range(max((len(group.figures) for group in shown), default=0)):
        rows.append(_figures_at(shown, index, gap, _row(width, theme), theme).strip())
    return rows


def _fitting(all_of_them: list[Group], width: int) -> tuple[list[Group], int]:
    """The groups that fit, and the cells between two of them."""
    shown: list[Group] = []
    used = 2 * _EDGE
    for group in all_of_them:
        if used + group.cells > width:
            break
        shown.append(group)
        used += group.cells + 3
    spare = width - 2 * _EDGE - sum(group.cells for group in shown)
    return shown, max(3, min(6, spare // max(1, len(shown) - 1)))


def _figures_at(shown: list[Group], index: int, gap: int, row: Row, theme: Theme) -> Row:
    """The figures on one line of all groups."""
    style = theme.style
    at = row.used
    for group in shown:
        if index < len(group.figures):
            label, value, ink = group.figures[index]
            absent = value in (figures.ABSENT, "?", "0")
            row.to(at).put(label.ljust(group.label_cells + 1), style("dim", _GROUND))
            row.put(value.rjust(group.value_cells), style("dim" if absent else ink, _GROUND, not absent))
        at += group.cells + gap
    return row


# ── its time as a bar ──────────────────────────────────────────────────────────────────────────────────


def bar_rows(bar: Bar, now: int, width: int, theme: Theme) -> list[Strip]:
    """The bar, its ticks, and how long each part of it took."""
    lines = [_pieces_of_bar(bar, now, width - 2 * _EDGE, theme), _ticks(bar, now, width - 2 * _EDGE, theme)]
    lines += _legend(bar, now, width - 2 * _EDGE, 2, theme)
    return [_row(width, theme).pieces(line).strip() for line in lines]


def _beside(full: FullCall, bar: Bar, now: int, width: int, theme: Theme) -> list[Strip]:
    """Figures at the left, the bar at the right."""
    shown, gap = groups(full), 4
    start = _EDGE + sum(group.cells + gap for group in shown) + 4
    room = width - start - _EDGE
    lines = [_pieces_of_bar(bar, now, room, theme), _ticks(bar, now, room, theme), *_legend(bar, now, room, 2, theme)]
    rows = []
    for index in range(max(len(lines), *(len(group.figures) for group in shown))):
        row = _figures_at(shown, index, gap, _row(width, theme), theme)
        if index < len(lines):
            row.to(start).pieces(lines[index])
        rows.append(row.strip())
    return rows


def _scale(bar: Bar, now: int, width: int) -> TimeScale:
    live = bar.ended_at is None
    last_at = bar.ended_at if bar.ended_at is not None else max(now, bar.due_at)
    return TimeWindow(None).scale(bar.due_at, last_at, max(1, width), live)


def _pieces_of_bar(bar: Bar, now: int, width: int, theme: Theme) -> list[Piece]:
    scale = _scale(bar, now, width)
    under = [" "] * scale.cells
    for tick in scale.ticks(bar.due_at):
        if 0 <= tick.cell < scale.cells:
            under[tick.cell] = _TICK
    now_cell = scale.cell(now) if bar.ended_at is None else -1
    return row_pieces(bar_cells(bar, scale, now), Under("".join(under), now_cell), theme.style, _GROUND)


def _ticks(bar: Bar, now: int, width: int, theme: Theme) -> list[Piece]:
    """The labels, each behind its tick; one that would be cut is left out."""
    row = Row(max(1, width), theme.style("dim", _GROUND))
    for tick in _scale(bar, now, width).ticks(bar.due_at):
        if row.used <= tick.cell and tick.cell + 1 + cells(tick.label) <= row.width:
            row.to(tick.cell).put(_TICK, theme.style("faint", _GROUND)).put(tick.label)
    return [(segment.text, segment.style or row.base) for segment in row.strip()]


def _legend(bar: Bar, now: int, width: int, most: int, theme: Theme) -> list[list[Piece]]:
    """How each part looks and how long it took, in at most `most` lines; the least telling ones are left out whole."""
    style = theme.style
    dim = style("dim", _GROUND)
    entries: dict[str, list[Piece]] = {}
    for part in parts(bar, now):
        glyph = _GLYPHS.get(part.word)
        mark: list[Piece] = [(f"{glyph * 2} ", style(part.ink, _GROUND))] if glyph else []
        entries[part.word] = [*mark, (f"{part.word} ", dim), (part.text, style("bright", _GROUND, True))]
    refused = sum(failure.status == TOO_MANY for failure in bar.failures)
    for look, n in ((REFUSED, refused), (FAILED, len(bar.failures) - refused)):
        if n:
            words = look.word + (f" ×{n}" if n > 1 else "")
            entries[look.word] = [(f"{look.glyph} ", style(look.ink, _GROUND, True)), (words, dim)]
    lines = _lines(list(entries.values()), width, dim)
    for word in _LEAST_TELLING:
        if len(lines) > most and entries.pop(word, None) is not None:
            lines = _lines(list(entries.values()), width, dim)
    return lines[:most]


def _lines(entries: list[list[Piece]], width: int, blank: Style) -> list[list[Piece]]:
    """Entries side by side, on as many lines as they need; one that is wider than a line is left out."""
    lines: list[list[Piece]] = []
    for entry in entries:
        if lines and width_of(lines[-1]) + _LEGEND_GAP + width_of(entry) <= width:
            lines[-1] += [(" " * _LEGEND_GAP, blank), *entry]
        elif width_of(entry) <= width:
            lines.append([*entry])
    return lines


# ── what is wrong ──────────────────────────────────────────────────────────────────────────────────────


def _foot(full: FullCall, now: int, width: int, theme: Theme) -> list[Strip]:
    room = max(2, width - 2 * _EDGE)
    lines: list[tuple[str, Ink]] = [(line, ink) for line, ink in foot_lines(full.pane, room)][:2]
    waits = countdown_text(full.pane, now)
    if waits is not None:
        lines.insert(0, (waits, "violet"))
    if full.family is not None and full.family.cut_tokens:
        cut = figures.exact(full.family.cut_tokens)
        lines.append((crop(f"▲ cut: the last {cut} tokens of the document were not sent", room), "amber"))
    if full.buffered is not None:
        warning = f"▲ buffered upstream: {plain_line(full.buffered)}"
        lines += [(line, "amber") for line in wrapped(warning, room, 3)]
    return [_row(width, theme).put(line, theme.style(ink, _GROUND)).strip() for line, ink in lines]


class CallHead(Rows):
    """Shows `call_rows`."""

    def draw(self, full: FullCall, now: int, width: int, height: int) -> None:
        """Show the head of a call on a screen of `width` x `height` cells, and take the height that it needs."""
        rows = call_rows(full, now, width, height, self.theme_now)
        self.styles.height = len(rows)
        self.show(rows)
