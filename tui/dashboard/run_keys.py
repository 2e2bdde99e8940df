"""The keys that hold on every screen of a run, whatever is shown: they steer the run and the program."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from textual.app import App
from textual.binding import ActiveBinding, Binding, BindingType
from textual.dom import DOMNode

from tui.core.snapshot import RunView, Snapshot
from tui.dashboard.keys import KeyGroup, key_groups
from tui.dashboard.main_screen import MainScreen
from tui.dashboard.steerable import meant, words_for
from tui.dashboard.view import View

RUN_KEYS: list[BindingType] = [
    Binding("enter", "open", "open the call in full", key_display="⏎"),
    Binding("c", "cancel", "cancel the call", key_display="c"),
    Binding("r", "retry", "do a failed call again", key_display="r"),
    Binding("R", "retry_failed", "do all failed calls again", key_display="R"),
    Binding("p", "pause", "pause or resume dispatch", key_display="p"),
    Binding("left_square_bracket", "rate(-1)", "RPM limit down by a tenth", key_display="["),
    Binding("right_square_bracket", "rate(1)", "RPM limit up by a tenth", key_display="]"),
    Binding("left_curly_bracket", "concurrency(-1)", "fewer streams at once", key_display="{"),
    Binding("right_curly_bracket", "concurrency(1)", "more streams at once", key_display="}"),
    Binding("colon", "command", "type a command: rpm 120", key_display=":"),
    Binding("b", "budget", "raise the budget", key_display="b"),
    Binding("x", "stop_dispatching", "stop dispatching for good", key_display="x"),
    Binding("comma", "seek(-10)", "replay: 10 s back", key_display=","),
    Binding("full_stop", "seek(10)", "replay: 10 s on", key_display="."),
    Binding("e", "export", "export the calls shown", key_display="e"),
    Binding("S", "picture", "save a picture of the screen", key_display="S"),
    Binding("t", "light_or_dark", "light or dark", key_display="t"),
    Binding("T", "trust", "what the figures are worth", key_display="T"),
    Binding("ctrl+p", "palette", "all of this, by name", key_display="^P"),
    Binding("question_mark", "keys", "these keys", key_display="?"),
    Binding("q", "leave", "quit (asks while calls run)", key_display="q"),
    Binding("ctrl+c", "ctrl_c", "drain; a second time: stop", key_display="^C", priority=True),
    Binding("ctrl+q", "leave", "quit", show=False, priority=True),
]
"""Of the app; each names one of its actions."""

_CALL = "this call"


@runtime_checkable
class ShowsARun(Protocol):
    """The app, as far as its keys go."""

    @property
    def snapshot(self) -> Snapshot | None:
        """The picture that is drawn."""


def groups_of(active: Iterable[ActiveBinding], view: str) -> list[KeyGroup]:
    """The keys that mean something now: those of the `view` or call in front first, the run's last.

    What the run is, is told by the app, whose keys are among them.
    """
    titles: list[tuple[type[DOMNode], str]] = [
        (View, f"this view: {view}"),
        (MainScreen, "views"),
        (App, "the run"),
        (DOMNode, _CALL),  # the open call and whatever is in it
    ]
    bindings = list(active)
    shown = next((each.node.snapshot for each in bindings if isinstance(each.node, ShowsARun)), None)
    groups = key_groups(bindings, titles)
    if shown is not None:
        groups = [each for group in groups if (each := _of_run(group, shown.run)).keys]
    return sorted(groups, key=lambda group: group.title != _CALL)


def _of_run(group: KeyGroup, run: RunView) -> KeyGroup:
    """The group without the keys that mean nothing to this run, in its words."""
    keys = [key._replace(words=words_for(key.action, key.words, run)) for key in group.keys if meant(key.action, run)]
    return group._replace(keys=keys)
