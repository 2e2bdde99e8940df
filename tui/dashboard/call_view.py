"""The lower part of an open call: its pages, one at a time, scrolled. Draws what pages make; knows no session."""

from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.core import figures
from tui.core.calls import TERMINAL, State
from tui.core.snapshot import FullCall
from tui.dashboard.call_attempts import HEAD_ROWS, AttemptsPage
from tui.dashboard.call_family import FAMILY_HEAD_ROWS, FamilyPage, is_family
from tui.dashboard.call_page import Page, WordsPage, text_row
from tui.dashboard.call_text import CallText, TextPage
from tui.dashboard.paint import Piece, Row, width_of
from tui.dashboard.plain import crop
from tui.dashboard.rows import Rows
from tui.dashboard.theme import Ground, Theme

if TYPE_CHECKING:
    from tui.dashboard.call_markdown import MarkdownPage

PAGES = ("text", "attempts", "prompt", "request")
"""In the order of their keys."""
FAMILY = "document"
"""One more, where the call's document takes several calls."""


class Spot(NamedTuple):
    """Cells of the first row that stand for a page."""

    start: int
    end: int
    page: str


class Material(NamedTuple):
    """What pages are made of."""

    full: FullCall
    text: CallText
    request: str | None
    request_lost: bool
    """The engine was asked for the request and has none."""

    @property
    def live(self) -> bool:
        """The call runs, so that more is to come."""
        return self.full.pane.state not in TERMINAL


def pages_of(full: FullCall) -> tuple[str, ...]:
    """The pages that the call has."""
    return (*PAGES, FAMILY) if is_family(full.family) else PAGES


def pages_row(
    shown: str, pages: tuple[str, ...], wheres: list[list[Piece]], width: int, theme: Theme
) -> tuple[Strip, list[Spot]]:
    """The pages' names and, at the end, the first of `wheres` that fits; then what a click on the row means."""
    style = theme.style
    for words, where in [(words, where) for words in ("all", "shown") for where in [*wheres, []]]:
        row = Row(width, style("text", "title"))
        spots: list[Spot] = []
        fits = True
        for number, name in enumerate(pages, start=1):
            lit = name == shown
            ground: Ground = "focus" if lit else "title"
            pieces: list[Piece] = [(f" {number}", style("accent", ground, True))]
            if words == "all" or lit:
                pieces.append((f" {name}", style("bright" if lit else "soft", ground, lit)))
            pieces.append((" ", style("text", ground)))
            fits = fits and width_of(pieces) <= row.room
            spots.append(Spot(row.used, row.used + width_of(pieces), name))
            row.pieces(pieces)
        if fits and width_of(where) < row.room:
            return row.right(where).strip(), spots
    return Row(width, style("text", "title")).put(crop(f" {shown}", width)).strip(), []


class TextView(Rows):
    """One of the pages. A page whose text grows follows its end until one scrolls away from it."""

    DEFAULT_CSS = "TextView { height: 1fr; }"

    class Turned(Message):
        """Another page is shown."""

    class Picked(Message):
        """A call of the document was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._turned_to = PAGES[0]
        self._text = TextPage()
        self._markdown: MarkdownPage | None = None
        """Made when it is first asked for: the parser and Rich's part are 200 ms of imports."""
        self._as_markdown = False
        self.attempts = AttemptsPage()
        self.family = FamilyPage()
        self._prompt, self._request = WordsPage(), WordsPage()
        self._tops: dict[Page, int] = {}
        self._follow: dict[Page, bool] = {}
        self._begins_at_end = True
        self._material: Material | None = None
        self._spots: list[Spot] = []
        self._working = False

    @property
    def pages(self) -> tuple[str, ...]:
        """Those that the call has."""
        return PAGES if self._material is None else pages_of(self._material.full)

    @property
    def shown(self) -> str:
        """The page that was turned to; where this call has no such page, its text."""
        return self._turned_to if self._turned_to in self.pages else PAGES[0]

    @property
    def markdown(self) -> "MarkdownPage | None":
        """The text as Markdown, when that is the way to read it now."""
        return self._markdown if self._as_markdown and self.shown == "text" else None

    @property
    def page(self) -> Page:
        """What is drawn. A text that is too long for Markdown is drawn as received."""
        pages: dict[str, Page] = {
            "attempts": self.attempts, "prompt": self._prompt, "request": self._request, FAMILY: self.family
        }  # fmt: skip
        markdown = self.markdown
        return pages.get(self.shown, self._text if markdown is None or markdown.too_long else markdown)

    @property
    def following(self) -> bool:
        """The page stays at its end while it grows."""
        page = self.page
        return page.follows and self._follow.get(page, self._begins_at_end)

    # Drawing

    def draw(self, material: Material, markdown_due: bool = True) -> None:
        """Show a call; its text is made into Markdown only when `markdown_due`."""
        if self._material is None:
            # A whole answer is read from its start; one that runs, or was cut off, is looked at where it ends.
            self._begins_at_end = material.full.pane.state is not State.DONE
            markdown_due = True
        self._material = material
        self._update(markdown_due)
        self._paint()

    def restart(self) -> None:
        """It is another call: every page is read from where it begins."""
        self._material = None
        self._tops.clear()
        self._follow.clear()
        self.attempts.restart()
        self.family.restart()

    def draw_again(self) -> None:
        """Size, colours, page or way of reading are others."""
        if self._material is not None:
            self._update(True)
            self._paint()

    def _update(self, markdown_due: bool) -> None:
        material = self._material
        if material is None or not self.size:
            return
        width, theme = self.size.width, self.theme_now
        markdown = self.markdown
        if markdown is not None:
            markdown.fit(width, theme)
            if markdown_due:
                markdown.update(material.text)
                self._work()
        page = self.page
        page.fit(width, theme)
        if page is self._text:
            self._text.update(material.text, material.live)
        elif page is self.attempts:
            self.attempts.update(material.full)
        elif page is self.family and material.full.family is not None:
            self.family.update(material.full.family, material.full.pane.call)
        elif page is self._prompt:
            self._prompt.update(material.full.prompt)
        elif page is self._request:
            self._request.update(_request_words(material))

    def _work(self) -> None:
        """Make the next rows of Markdown; a long text takes several turns, and keys come in between."""
        markdown = self.markdown
        if markdown is not None and markdown.work() and not self._working:
            self._working = True
            self.call_later(self._work_on)

    def _work_on(self) -> None:
        self._working = False
        self._work()
        self._paint()

    @property
    def _room(self) -> int:
        """Rows for the page itself."""
        return max(0, self.size.height - 1 - (self._note is not None))

    @property
    def _note(self) -> str | None:
        return (self.markdown or self.page).note

    @property
    def _last_top(self) -> int:
        return max(0, self.page.length - max(1, self._room))

    @property
    def _top(self) -> int:
        """The page's first row in sight. Where it was scrolled to is kept while a page is made anew, row by row."""
        return self._last_top if self.following else min(self._tops.get(self.page, 0), self._last_top)

    def _paint(self) -> None:
        material = self._material
        if material is None or not self.size:
            return
        width, height = self.size
        theme, page = self.theme_now, self.page
        top = self._top
        first, self._spots = pages_row(self.shown, self.pages, self._wheres(top, material.live), width, theme)
        rows = [first]
        if self._note is not None:
            rows.append(text_row(crop(self._note, max(1, width - 4)), "amber", width, theme))
        rows += page.rows(top, self._room)
        if not page.length and self.shown == "text" and self._note is None:
            rows.append(text_row(self._empty_words(material.live), "dim", width, theme))
        blank = text_row("", "text", width, theme)
        rows += [blank] * (height - len(rows))
        self.show(rows[:height])

    def _empty_words(self, live: bool) -> str:
        if self.markdown is not None and self.markdown.behind:
            return "…"
        return "no text yet" if live else "no text came"

    def _wheres(self, top: int, live: bool) -> list[list[Piece]]:
        """Where the page stands, in more and in fewer words."""
        style, page = self.theme_now.style, self.page
        if not page.length:
            return []
        last = min(page.length, top + self._room)
        place = f"rows {min(top + 1, last)}–{last} of {figures.exact(page.length)} "
        rows: list[Piece] = [(place, style("dim", "title"))]
        follows: list[Piece] = [("following  ", style("accent", "title"))] if self.following and live else []
        if self.shown != "text":
            return [rows]
        way = "Markdown  " if page is self.markdown else "as received  "
        return [[(way, style("soft", "title")), *follows, *rows], [*follows, *rows], rows]

    # Moving

    @property
    def page_rows(self) -> int:
        """Rows that a page up or down moves."""
        return max(1, self._room - 1)

    def scroll_by(self, rows: int) -> None:
        """Scroll; at the end of a text that grows it follows again."""
        page = self.page
        self._tops[page] = max(0, min(self._top + rows, self._last_top))
        self._follow[page] = page.follows and self._tops[page] >= self._last_top
        self._paint()

    def turn_to(self, name: str) -> None:
        """Show another page."""
        if name in self.pages and name != self.shown:
            self._turned_to = name
            self.draw_again()
            self.post_message(self.Turned())

    def swap_markdown(self) -> None:
        """Show the text the other way; from another page, show the text."""
        if self.shown != "text":
            self.turn_to("text")
            return
        from tui.dashboard.call_markdown import MarkdownPage

        self._as_markdown = not self._as_markdown
        self._markdown = self._markdown or MarkdownPage()
        self.draw_again()

    def choose_attempt(self, by: int) -> None:
        """Choose the next attempt, or the one before."""
        self._choose(self.attempts.chosen + by)

    def _choose(self, index: int) -> None:
        if self.attempts.choose(index):
            self._tops[self.attempts] = max(0, index + HEAD_ROWS + 1 - self._room)
            self.draw_again()

    def choose_relative(self, by: int) -> None:
        """Choose a call of the document further up or down."""
        self.family.choose_by(by)
        index = self.family.chosen + FAMILY_HEAD_ROWS
        first = max(self._top, index + 1 - self._room)
        self._tops[self.family] = 0 if index <= FAMILY_HEAD_ROWS else min(first, index)
        self.draw_again()

    def on_resize(self) -> None:
        self.draw_again()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if event.y == 0:
            for spot in self._spots:
                if spot.start <= event.x < spot.end:
                    self.turn_to(spot.page)
        elif self.page is self.attempts:
            self._choose(self._top + event.y - 1 - HEAD_ROWS)
        elif self.page is self.family and self.family.choose(self._top + event.y - 1 - FAMILY_HEAD_ROWS):
            self.draw_again()
            self.post_message(self.Picked())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_by(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_by(-3)


def _request_words(material: Material) -> str:
    if material.request is not None:
        return material.request
    return "its request is no longer in memory; the record has it" if material.request_lost else "…"
