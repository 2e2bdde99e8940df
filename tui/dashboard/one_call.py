"""One call in full: its figures and its time above, and pages below. Says what it needs; sends nothing itself.

Text travels once: the whole of it when the call is opened, then its end (`wanted_focus`), put together in CallText.
"""

from typing import ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from tui.core import figures
from tui.core.batch_view import FamilyView
from tui.core.snapshot import FullCall, Snapshot
from tui.dashboard.call_head import CallHead
from tui.dashboard.call_text import CallText
from tui.dashboard.call_view import FAMILY, PAGES, Material, TextView
from tui.dashboard.footer import Footer, Hint
from tui.dashboard.steerable import offered
from tui.dashboard.theme import Ink
from tui.dashboard.view import View

TAIL_CHARS = 4_000
"""Several frames of a stream of 3,000 tokens a second, so that one that was left out tears no hole."""

_LEAST_HEIGHT_WITH_KEYS = 8


class CallScreen(Screen[None]):
    """One call, until Esc."""

    DEFAULT_CSS = """
    CallScreen { layout: vertical; }
    #call-head { height: 8; }
    #call-footer { height: 1; }
    """
    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "dismiss", "back to the run", key_display="Esc"),
        *(
            Binding(str(number), f"page('{name}')", f"page: {name}", key_display=str(number))
            for number, name in enumerate((*PAGES, FAMILY), start=1)
        ),
        Binding("tab", "next_page(1)", "next page", key_display="Tab"),
        Binding("shift+tab", "next_page(-1)", "page before", key_display="⇧Tab"),
        Binding("enter", "jump", "open that call of the document", key_display="⏎"),
        Binding("left", "go(-1)", "call before", key_display="←"),
        Binding("right", "go(1)", "next call", key_display="→"),
        Binding("up", "scroll_text(-1)", "scroll up", key_display="↑"),
        Binding("down", "scroll_text(1)", "scroll down", key_display="↓"),
        Binding("pageup", "page_text(-1)", "a page up", key_display="PgUp"),
        Binding("pagedown", "page_text(1)", "a page down", key_display="PgDn"),
        Binding("home", "scroll_text(-1000000)", "to the start", key_display="Home"),
        Binding("end", "scroll_text(1000000)", "to the end, and follow", key_display="End"),
        Binding("m", "markdown", "text as Markdown, or as received", key_display="m"),
        Binding("n", "attempt(1)", "next attempt", key_display="n"),
        Binding("N", "attempt(-1)", "attempt before", key_display="N"),
        Binding("y", "copy_text", "copy the text", key_display="y"),
        Binding("Y", "copy_request", "copy the request, as curl", key_display="Y"),
        Binding("w", "save", "save the call to a file", key_display="w"),
    ]

    class Go(Message):
        """The call before (-1) or after (1) is asked for; nobody has looked whether there is one."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class Jump(Message):
        """Another call of the document is asked for."""

        def __init__(self, call: int) -> None:
            super().__init__()
            self.call = call

    class Lost(Message):
        """The engine has no such call: its number is of an earlier session of the run, or a later one."""

        def __init__(self, call: int) -> None:
            super().__init__()
            self.call = call

    class Save(Message):
        """The call is to be written to a file."""

        def __init__(self, call: int) -> None:
            super().__init__()
            self.call = call

    class Said(Message):
        """What became of a key, for the last row."""

        def __init__(self, text: str, ink: Ink) -> None:
            super().__init__()
            self.text = text
            self.ink = ink

    def __init__(self, call: int) -> None:
        super().__init__()
        self.call = call
        self._came_from: int | None = None
        """The call that was shown before, until the engine has sent this one."""
        self.text = CallText()
        # Held, not looked for: see MainScreen.
        self._head = CallHead(id="call-head")
        self.view = TextView(id="call-text")
        """The pages."""
        self._footer = Footer(id="call-footer")
        self._family: FamilyView | None = None
        """Of the call that was shown last, until the engine has sent this one's."""
        self._begin()

    def _begin(self) -> None:
        self._request: str | None = None
        self._request_lost = False
        self._copies_text = self._copies_request = False
        """A copy was asked for that waits for what the engine has to send first."""

    def compose(self) -> ComposeResult:
        yield self._head
        yield self.view
        yield self._footer

    def on_resize(self) -> None:
        self._footer.display = self.size.height >= _LEAST_HEIGHT_WITH_KEYS

    def show_call(self, call: int) -> None:
        """Show another call, on the same page."""
        if call != self.call:
            self._came_from, self.call = self.call, call
            self.text = CallText()
            self._begin()
            self.view.restart()
            self.post_message(View.Moved())

    def wanted_focus(self) -> tuple[int | None, bool]:
        """How much of the text's end it needs (None: all of it), and whether it needs the request."""
        wants_request = self._request is None and (self._copies_request or self._shows_request)
        return (TAIL_CHARS if self.text.complete else None), wants_request

    @property
    def _shows_request(self) -> bool:
        return self.is_mounted and self.view.shown == "request"

    def draw(
        self,
        snapshot: Snapshot,
        now: int,
        note: tuple[str, Ink] | None,
        figures_due: bool = True,
        charts_due: bool = True,
    ) -> None:
        """Show the call as `snapshot` has it; until it has, what its pane says."""
        view = self.view
        if figures_due:
            self._footer.draw(offered(hints(view.shown), snapshot.run), note, "")
        full = full_call(snapshot, self.call)
        if full is None:
            if snapshot.watch.focus == self.call:
                self._lost()
            return
        self._came_from = None
        full = self._with_family(full, in_full=full is snapshot.focus)
        self._take(full, snapshot)
        width, height = self.size
        if figures_due and width:
            self._head.draw(full, now, width, height)
        view.draw(Material(full, self.text, self._request, self._request_lost), charts_due)

    def _lost(self) -> None:
        """Back to where it came from; whoever opened it hears of it."""
        lost, before = self.call, self._came_from
        if before is not None:
            self.show_call(before)
            self._came_from = None
        self.post_message(self.Lost(lost))

    def _with_family(self, full: FullCall, in_full: bool) -> FullCall:
        """The call with its document's calls: of a sibling they are known before the engine has sent it in full."""
        if in_full:
            self._family = full.family
        elif self._family is not None and self.call in [member.call for member in self._family.members]:
            return replace(full, family=self._family)
        return full

    def _take(self, full: FullCall, snapshot: Snapshot) -> None:
        """Take in what the engine sent, and what has waited for it."""
        pane, watch = full.pane, snapshot.watch
        in_full = snapshot.focus is not None and snapshot.focus.pane is full.pane
        # A picture answers the question that it was made with, which may be one from before.
        whole = in_full and watch.focus == self.call and watch.focus_tail is None
        self.text.take((pane.call, pane.attempt), pane.text, pane.text_end, whole)
        if self._copies_text and self.text.complete:
            self.action_copy_text()
        if full.request is not None:
            self._request, self._request_lost = full.request, False
        elif in_full and watch.focus == self.call and watch.focus_request:
            self._request_lost = self._request is None
        if self._copies_request and (self._request is not None or self._request_lost):
            self.action_copy_request()

    def recolour(self) -> None:
        """The colours are others; the next picture is drawn in them."""
        self.view.draw_again()

    def mark_columns(self, marked: bool) -> None:
        """Nothing here has column marks: where text is of unsure width, nothing stands to its right."""

    # Keys

    def action_page(self, name: str) -> None:
        """Show a page by its name."""
        self.view.turn_to(name)

    def action_next_page(self, by: int) -> None:
        """Show the page that follows in order, round and round."""
        pages = self.view.pages
        self.view.turn_to(pages[(pages.index(self.view.shown) + by) % len(pages)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "jump":
            return self.view.shown == FAMILY
        return action != "page" or parameters[0] in self.view.pages

    def action_jump(self) -> None:
        """Open the call of the document that is chosen."""
        member = self.view.family.chosen_member
        if member is not None and member.call is None:
            self._say("that call has not begun", "amber")
        elif member is not None and member.call is not None and member.call != self.call:
            self.post_message(self.Jump(member.call))

    def on_text_view_picked(self) -> None:
        """Open the call that was clicked."""
        self.action_jump()

    def on_text_view_turned(self) -> None:
        """What is watched may be another thing."""
        self.post_message(View.Moved())

    def action_go(self, by: int) -> None:
        """Ask for the call before or after."""
        self.post_message(self.Go(by))

    def action_scroll_text(self, rows: int) -> None:
        """Scroll by rows; on the document's page move the choice."""
        if self.view.shown == FAMILY:
            self.view.choose_relative(rows)
        else:
            self.view.scroll_by(rows)

    def action_page_text(self, by: int) -> None:
        """Scroll by pages."""
        self.action_scroll_text(by * self.view.page_rows)

    def action_markdown(self) -> None:
        """Show the text as Markdown, or as it was received."""
        self.view.swap_markdown()

    def action_attempt(self, by: int) -> None:
        """Choose the next attempt, or the one before."""
        if self.view.shown == "attempts":
            self.view.choose_attempt(by)
        else:
            self.view.turn_to("attempts")

    def action_save(self) -> None:
        """Ask for a file."""
        self.post_message(self.Save(self.call))

    def action_copy_text(self) -> None:
        """Put the text on the clipboard; when a part of it is still to come, then."""
        self._copies_text = not self.text.complete
        if self._copies_text:
            self.post_message(View.Moved())
        elif not self.text.chars:
            self._say("there is no text to copy", "amber")
        else:
            sized = f"{figures.exact(len(self.text.chars))} characters"
            what = f"the last {sized} of {figures.exact(self.text.end)}" if self.text.start else f"the text, {sized}"
            self.app.copy_to_clipboard(self.text.chars)
            self._say(f"copied {what}; if nothing arrives, w saves it to a file", "accent")

    def action_copy_request(self) -> None:
        """Put the request on the clipboard; when it is still to come, then."""
        self._copies_request = self._request is None and not self._request_lost
        if self._copies_request:
            self.post_message(View.Moved())
        elif self._request is None:
            self._say("its request is no longer in memory; the record has it", "amber")
        else:
            sized = f"{figures.exact(len(self._request))} characters"
            self.app.copy_to_clipboard(self._request)
            self._say(f"copied the curl command, {sized}; a terminal may ignore this: page 4 shows it", "accent")

    def _say(self, text: str, ink: Ink) -> None:
        self.post_message(self.Said(text, ink))


def hints(page: str) -> list[Hint]:
    """The keys worth a place in the last row."""
    own: dict[str, list[Hint]] = {
        "text": [("m", "Markdown"), ("y", "copy")],
        "attempts": [("n N", "attempt")],
        "request": [("Y", "copy")],
        FAMILY: [("⏎", "open")],
    }
    moves = "choose" if page == FAMILY else "scroll"
    others: list[Hint] = [("w", "save"), ("← →", "calls"), ("c", "cancel"), ("r", "retry"), ("?", "keys")]
    return [("Esc", "back"), ("Tab", "page"), ("↑ ↓", moves), *own.get(page, []), *others]


def full_call(snapshot: Snapshot, call: int) -> FullCall | None:
    """The call in full; before the engine sent it, what is known from its pane."""
    if snapshot.focus is not None and snapshot.focus.pane.call == call:
        return snapshot.focus
    for pane in snapshot.panes:
        if pane.call == call:
            return FullCall(pane=pane, prompt=pane.prompt, attempts=[])
    return None
