"""A text as Markdown, in rows of our palette, made piece by piece while it grows. Nothing in it acts on a terminal.

Rich draws the blocks; parser and pieces are ours, for three reasons that were measured or seen in Rich 15:

- 50,000 characters take it 1.1 s, tables three times as much. A block of Markdown never changes once another one has
  begun after it, so that only the newest one is drawn again, and a long text is taken in a piece at a time;
- it drops HTML, and ends with an exception at a `</kbd>` that nothing opened. Here HTML is text like any other;
- it colours code with Pygments, whose patterns can take quadratic time on a hostile text. Here code has one colour.

Links are words and never hyperlinks (OSC 8): what a model's link says and where it leads are two things.
"""

import io
from typing import Any, ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, HorizontalRule, Markdown, MarkdownElement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from rich.theme import Theme as RichTheme
from textual.strip import Strip

from tui.core import figures
from tui.dashboard.call_page import MARGIN, Page, text_row, wrapped
from tui.dashboard.call_text import CallText
from tui.dashboard.paint import Row
from tui.dashboard.plain import plain, plain_line
from tui.dashboard.theme import Theme

MOST_CHARS = 50_000
"""Of a longer text no Markdown is made."""

_PIECE_CHARS = 2_000
"""Taken in at a time: 40 ms of dense Markdown."""

_MOST_BLOCK_CHARS = 8_000
_MOST_BLOCK_TOKENS = 2_000
"""A block of more than that is shown as received, for it is drawn anew with every piece, at about 45 µs a token.
It is a list of 300 items, or a table of 400 cells. Code is drawn without Rich and may be as long as it likes."""


_CODE = ("fence", "code_block")
"""Blocks that cost little, however long, and that mean nothing when they are cut in two."""


class _Code(CodeBlock):
    """Code without colours, behind a line that shows what it is where there are no shades."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = console.get_style("markdown.code_block")
        edge, end = Segment("│ ", console.get_style("markdown.code_edge")), Segment("\n")
        text = Text(str(self.text).rstrip("\n"), style=style, overflow="fold")
        for line in console.render_lines(text, options.update(width=max(2, options.max_width - 2)), style=style):
            yield edge
            yield from line
            yield end


class _Heading(Heading):
    """A heading at the left."""

    LEVEL_ALIGN: ClassVar[dict[str, Any]] = {}


class _Line(HorizontalRule):
    """A line from edge to edge."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment("─" * options.max_width, console.get_style("markdown.hr"))
        yield Segment("\n")


class _Blocks(Markdown):
    """Rich's Markdown for tokens that were parsed elsewhere."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "hr": _Line,
    }


class MarkdownPage(Page):
    """A text as Markdown."""

    follows = True

    def __init__(self) -> None:
        super().__init__()
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
        self._drawing = _Blocks("", hyperlinks=False)
        self._console = Console(file=io.StringIO())
        self._version: object = None
        self._chars = ""
        self._taken = 0
        """Characters that were parsed so far."""
        self._settled = 0
        """Characters that belong to blocks that no longer change; `_rows` up to `_settled_rows` are theirs."""
        self._settled_rows = 0
        self._references: dict[str, Any] = {}
        """Where links lead that the text names in one place and uses in another."""
        self._rows: list[Strip] = []
        self._joined = False
        """What comes next belongs to the block that was broken off before it."""
        self.too_long = False
        """No Markdown is made of this text."""

    def update(self, text: CallText) -> None:
        """Take `text`; `work` makes its rows."""
        self.too_long = len(text.chars) > MOST_CHARS
        self.note = text.missing()
        if self.too_long:
            words = f"as received: over {figures.exact(MOST_CHARS)} characters are not made into Markdown"
            self.note = words if self.note is None else f"{words}; {self.note}"
            return
        if text.version != self._version:
            self._version = text.version
            self._taken = self._settled = self._settled_rows = 0
            self._rows = []
            self._references = {}
            self._joined = False
        self._chars = text.chars

    @property
    def behind(self) -> bool:
        """Whether there is text of which no rows have been made."""
        return self._taken < len(self._chars) and not self.too_long

    def work(self) -> bool:
        """Make the rows of the next piece; whether there are more to make."""
        if self.behind:
            self._taken = min(len(self._chars), self._taken + _PIECE_CHARS)
            self._parse()
        return self.behind

    def refit(self) -> None:
        self._version = None
        self._console = Console(
            width=self.text_width,
            file=io.StringIO(),
            color_system="truecolor",
            force_terminal=True,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            theme=RichTheme(_styles(self.theme)),
            _environ={},
        )

    @property
    def length(self) -> int:
        return len(self._rows)

    def rows(self, first: int, count: int) -> list[Strip]:
        return self._rows[first : first + count]

    def _parse(self) -> None:
        """Draw the blocks that begin in what has not settled, and settle what the newest one of them has ended.

        A block that begins in the last line is not believed yet: `*` is a list until `*b` follows.
        """
        raw = self._chars[self._settled : self._taken]
        source = plain(raw)
        env: dict[str, Any] = {"references": dict(self._references)}
        blocks = _blocks(self._parser.parse(source, env))
        lines = source.split("\n")
        starts = [_first_line(block) for block in blocks]
        newest = max((index for index, start in enumerate(starts) if start < len(lines) - 1), default=0)
        del self._rows[self._settled_rows :]
        for index, block in enumerate(blocks):
            is_last = index == len(blocks) - 1
            words = "\n".join(lines[starts[index] : None if is_last else starts[index + 1]])
            is_code = block[0].type in _CODE
            too_long = not is_code and (len(words) > _MOST_BLOCK_CHARS or _size(block) > _MOST_BLOCK_TOKENS)
            if index and (index == newest or (is_last and too_long)):
                self._settle(raw, starts[index], env["references"])
            if self._rows and not (index == 0 and self._joined):
                self._rows.append(text_row("", "text", self.width, self.theme))
            if is_code:
                self._rows += self._code(block[0].content)
            elif is_last and too_long:
                self._break_off()
            elif too_long:
                self._rows += self._as_received(words)
            else:
                self._rows += self._drawn(block)

    def _settle(self, raw: str, line: int, references: dict[str, Any]) -> None:
        """What stands before `line` of `raw` no longer changes."""
        self._settled = self._taken - len(raw) + sum(len(each) + 1 for each in raw.split("\n")[:line])
        self._settled_rows = len(self._rows)
        # The last words of a text are half of a definition at times, and the first definition counts.
        self._references |= {
            name: link
            for name, link in references.items()
            if name not in self._references and link.get("map", [0])[0] < line
        }
        self._joined = False

    def _break_off(self) -> None:
        """The last block has become too long: it settles as received, up to its last break, and a new one begins."""
        rest = self._chars[self._settled : self._taken]
        size = rest.rfind("\n") + 1 or rest.rfind(" ") + 1 or len(rest)
        self._rows += self._as_received(plain(rest[:size]))
        self._settled += size
        self._settled_rows = len(self._rows)
        self._joined = True
        if size < len(rest):
            self._parse()

    def _as_received(self, words: str) -> list[Strip]:
        return [text_row(line, "text", self.width, self.theme) for line in wrapped(words, self.text_width)]

    def _drawn(self, block: list[Token]) -> list[Strip]:
        _make_plain(block)
        self._drawing.parsed = block
        rows = [self._row(line) for line in self._console.render_lines(self._drawing, pad=False)]
        # Rich puts empty rows around some blocks; we put one between any two.
        said = [index for index, row in enumerate(rows) if row.text.strip()]
        return rows[said[0] : said[-1] + 1] if said else []

    def _code(self, code: str) -> list[Strip]:
        style, width = self.theme.style, self.text_width
        text, edge = style("text", "panel"), style("dim", "panel")
        made = []
        for line in wrapped(plain(code).rstrip("\n"), width - 2):
            row = Row(self.width, style("text")).put(" " * MARGIN).put("│ ", edge)
            made.append(row.put(line, text).to(MARGIN + width, style=text).strip())
        return made

    def _row(self, segments: list[Segment]) -> Strip:
        base = self.theme.style("text")
        row = Row(self.width, base).put(" " * MARGIN)
        for segment in segments:
            # Once more, for nothing but plain cells may leave here, whatever a renderer makes of a text.
            text = plain(segment.text).replace("\n", " ")
            row.put(text, base + segment.style if segment.style is not None else base)
        return row.strip()


def _blocks(tokens: list[Token]) -> list[list[Token]]:
    """The tokens of each block that stands in no other."""
    blocks: list[list[Token]] = []
    depth = 0
    for token in tokens:
        if depth == 0:
            blocks.append([])
        blocks[-1].append(token)
        depth += token.nesting
    return blocks


def _size(tokens: list[Token]) -> int:
    return sum(1 + len(token.children or ()) for token in tokens)


def _first_line(block: list[Token]) -> int:
    return block[0].map[0] if block[0].map is not None else 0


def _make_plain(tokens: list[Token]) -> None:
    """Clean what the parser has decoded: `&#x202e;` was harmless as text."""
    for token in tokens:
        if token.type == "image":
            # Rich takes a picture out of its sentence.
            token.content = f"[image: {token.content or token.attrs.get('src', '')}]"
            token.type, token.tag, token.children = "text", "", None
        token.content = plain(token.content)
        for name, value in token.attrs.items():
            if isinstance(value, str):
                token.attrs[name] = plain_line(value)
        if token.children:
            _make_plain(token.children)


def _styles(theme: Theme) -> dict[str, Style]:
    """Rich's names for what a Markdown text is made of."""
    style = theme.style
    bold, italic, underline = Style(bold=True), Style(italic=True), Style(underline=True)
    code = style("bright", "panel")
    return {
        "markdown.paragraph": style("text"),
        "markdown.text": style("text"),
        "markdown.em": italic,
        "markdown.strong": bold,
        "markdown.s": Style(strike=True),
        "markdown.code": code if theme.colour else bold,
        "markdown.code_block": style("text", "panel"),
        "markdown.code_edge": style("dim", "panel"),
        "markdown.block_quote": style("soft") + italic,
        "markdown.list": style("text"),
        "markdown.item": style("text"),
        "markdown.item.bullet": style("accent"),
        "markdown.item.number": style("accent"),
        "markdown.hr": style("faint"),
        "markdown.h1": style("accent", "page", True) + underline,
        "markdown.h2": style("accent", "page", True),
        "markdown.h3": style("bright", "page", True),
        "markdown.h4": style("bright", "page", True) + italic,
        "markdown.h5": style("bright") + italic,
        "markdown.h6": style("soft") + italic,
        "markdown.link": style("accent"),
        "markdown.link_url": style("dim"),
        "markdown.table.border": style("faint"),
        "markdown.table.header": style("bright", "page", True),
    }
