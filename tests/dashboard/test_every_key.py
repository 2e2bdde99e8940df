"""Every key of a view, of the open call and of a dialog is pressed; what it must bring about is told here.

The keys come from the screen itself, so one that is new fails until it has a line in a table below.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from drawn import assert_whole, drawn, settled
from run_of_facts import RunOfFacts
from screen_under_test import Screen, screen
from textual import events
from textual.strip import Strip

from tui.core.clock import NS_PER_S
from tui.core.commands import (
    AnyCommand,
    CancelCall,
    Drain,
    Export,
    Pause,
    RetryCall,
    RetryFailed,
    SaveCall,
    SaveScreenshot,
    SetConcurrency,
    SetRate,
    Stop,
    Watch,
)
from tui.core.views import VIEWS

SIZES = [(120, 40), (80, 24)]


class Seen(NamedTuple):
    """The screen at one moment."""

    place: str
    """The view, or the kind of screen over it."""
    look: list[Strip]
    """The rows, with their colours, but for the header and the last row."""
    rows: list[str]
    sent: list[AnyCommand]
    """Since the moment before."""
    dark: bool
    typing: bool


Effect = Callable[[Seen, Seen], bool]


class Key(NamedTuple):
    """What a key must bring about, and the keys that make it possible."""

    effect: Effect
    after: tuple[str, ...] = ()


def sends(kind: type) -> Effect:
    return lambda _, then: any(isinstance(command, kind) for command in then.sent)


def goes_to(place: str) -> Effect:
    return lambda _, then: then.place == place


def draws(before: Seen, then: Seen) -> bool:
    """It shows, in the same place."""
    return then.place == before.place and then.look != before.look


def watches(before: Seen, then: Seen) -> bool:
    """It shows, and the engine is asked for something else."""
    return draws(before, then) and sends(Watch)(before, then)


def types(_: Seen, then: Seen) -> bool:
    return then.typing


def says(*words: str) -> Effect:
    return lambda _, then: any(word in "\n".join(then.rows[-3:]) for word in words)


def changes_nothing(before: Seen, then: Seen) -> bool:
    """It has nothing to do here, and steers nothing by mistake."""
    return then.place == before.place and all(isinstance(command, Watch) for command in then.sent)


def swaps_light(before: Seen, then: Seen) -> bool:
    return then.dark != before.dark


def either(*effects: Effect) -> Effect:
    return lambda before, then: any(effect(before, then) for effect in effects)


RUN = {
    "p": Key(sends(Pause)),
    "left_square_bracket": Key(sends(SetRate)),
    "right_square_bracket": Key(sends(SetRate)),
    "left_curly_bracket": Key(sends(SetConcurrency)),
    "right_curly_bracket": Key(sends(SetConcurrency)),
    "R": Key(goes_to("ChoiceDialog")),
    "comma": Key(says("weir replay")),
    "full_stop": Key(says("weir replay")),
    "x": Key(goes_to("ChoiceDialog")),
    "e": Key(goes_to("ChoiceDialog")),
    "S": Key(sends(SaveScreenshot)),
    "t": Key(swaps_light),
    "T": Key(goes_to("WordsDialog")),
    "question_mark": Key(goes_to("HelpDialog")),
    "ctrl+p": Key(goes_to("PaletteDialog")),
    "q": Key(goes_to("ChoiceDialog")),
    "ctrl+q": Key(goes_to("ChoiceDialog")),
    "ctrl+c": Key(sends(Drain)),
    "super+c": Key(changes_nothing),  # Textual's own: copies what is selected, and nothing can be selected
    "colon": Key(types),
}
A_CALL = {
    "c": Key(either(sends(CancelCall), says("already ended", "no call here"))),
    "r": Key(either(sends(RetryCall), says("has not ended", "nothing to retry", "no call here"))),
}
SCREEN = {
    **{str(number): Key(goes_to(name)) for number, name in enumerate(VIEWS, start=1)},
    "tab": Key(lambda before, then: then.place == VIEWS[(VIEWS.index(before.place) + 1) % 5]),
    "shift+tab": Key(lambda before, then: then.place == VIEWS[VIEWS.index(before.place) - 1]),
    "slash": Key(types),
    "escape": Key(changes_nothing),
}
OPENS = {"enter": Key(goes_to("CallScreen"))}
MIDST = ("home", "down")
ALONG_A_LIST = {
    "up": Key(draws, MIDST),
    "down": Key(draws, MIDST),
    "pageup": Key(draws, ("home", "pagedown")),
    "pagedown": Key(draws, MIDST),
    "home": Key(draws, MIDST),
    "end": Key(draws, MIDST),
}
ZOOM = {key: Key(draws, before) for key, before in (
    ("plus", ()), ("equals_sign", ()), ("minus", ("plus",)), ("underscore", ("plus",)),
)}  # fmt: skip
VIEW: dict[str, dict[str, Key]] = {
    "wall": {
        **ALONG_A_LIST,
        **ZOOM,
        **OPENS,
        "left": Key(draws, MIDST),
        "right": Key(draws, ("home",)),
        "f": Key(watches),
        "s": Key(watches),
    },
    "table": {**ALONG_A_LIST, **OPENS, "s": Key(watches), "i": Key(watches)},
    "charts": {
        **ALONG_A_LIST,
        "left": Key(draws, ("home", "right")),
        "right": Key(draws, ("home",)),
        "z": Key(draws),
        "escape": Key(draws, ("z",)),
        "w": Key(draws),
    },
    "waterfall": {
        **ALONG_A_LIST,
        **ZOOM,
        **OPENS,
        "left": Key(draws, ("plus", "plus")),
        "right": Key(draws, ("plus", "plus", "left", "left")),
        "f": Key(draws, ("home",)),
        "0": Key(draws, ("plus", "plus")),
    },
    "limits": {**ALONG_A_LIST, **OPENS},
}
CALL = {
    **RUN,
    **A_CALL,
    "escape": Key(goes_to("table")),
    "backspace": Key(goes_to("table")),
    "1": Key(draws, ("2",)),
    "2": Key(draws),
    "3": Key(draws),
    "4": Key(watches),
    "tab": Key(draws),
    "shift+tab": Key(draws),
    "left": Key(watches),
    "right": Key(watches),
    "up": Key(draws, ("end",)),
    "down": Key(draws, ("home",)),
    "pageup": Key(draws, ("end",)),
    "pagedown": Key(draws, ("home",)),
    "home": Key(draws, ("end",)),
    "end": Key(draws, ("home",)),
    "m": Key(draws),
    "n": Key(draws),
    "N": Key(draws),
    "y": Key(says("copied")),
    "Y": Key(says("copied")),
    "w": Key(sends(SaveCall)),
}
ASKED: dict[tuple[str, str], type] = {
    ("R", "r"): RetryFailed,
    ("x", "x"): Drain,
    ("e", "c"): Export,
    ("e", "j"): Export,
    ("q", "d"): Drain,
    ("q", "s"): Stop,
}
"""A key that asks, an answer, and what is sent then."""
DIALOGS = {
    "R": ("r", "ctrl+c"),
    "x": ("x", "ctrl+c"),
    "e": ("c", "j", "ctrl+c"),
    "q": ("d", "s"),
    "T": ("ctrl+c",),
    "question_mark": ("ctrl+c",),
    "ctrl+p": ("a", "Z", "[", "space", "ctrl+c"),
    "colon": ("a", "Z", "[", "space", "ctrl+c"),
    "slash": ("a", "Z", "[", "space", "ctrl+c"),
}
"""By the key that opens it: its own keys that no binding tells of."""


class Hands:
    """Presses keys on a screen in the midst of a run."""

    def __init__(self, shown: Screen) -> None:
        self.screen = shown
        self.app = shown.app
        self._told = 0

    @property
    def place(self) -> str:
        top = self.app.screen
        return self.app.main.shown if top is self.app.main else type(top).__name__

    async def press(self, *keys: str) -> None:
        for key in keys:
            character = " " if key == "space" else key if len(key) == 1 else None
            self.app._driver.send_message(events.Key(key, character))  # type: ignore[union-attr]
            await settled(self.app)
            asked = len(self.screen.session.sent)
            await self.frame()
            if len(self.screen.session.sent) > asked:
                await self.frame()  # draws what the first one asked for

    async def frame(self) -> None:
        """Draw once more. The run stands still, so that whatever shows was the key's doing."""
        self.screen.session.go(0)
        self.screen.now += NS_PER_S
        self.app.frame()
        await settled(self.app)

    def seen(self) -> Seen:
        sent, self._told = self.screen.session.sent[self._told :], len(self.screen.session.sent)
        focused = self.app.focused
        typing = focused is not None and type(focused).__name__.endswith("Input")
        strips = drawn(self.app)
        rows = assert_whole(self.app, self.place, strips)
        top = 0 if self.place == "CallScreen" else self.app.main.header.size.height
        return Seen(self.place, strips[top:-1], rows, sent, self.app.current_theme.dark, typing)

    def keys(self) -> set[str]:
        """Those that hold now."""
        return set(self.app.screen.active_bindings)


@asynccontextmanager
async def hands(size: tuple[int, int], place: str) -> AsyncIterator[Hands]:
    """A run of more than two minutes, in a view."""
    async with screen(RunOfFacts(), size, at_s=130.0) as shown:
        made = Hands(shown)
        await made.press(str(VIEWS.index(place) + 1))
        yield made


def a_call(run: RunOfFacts) -> int:
    """One that has ended, with a long text and two attempts at least."""
    ended = [call for call in run.ledger.calls.values() if call.ended_at is not None and len(call.attempts) > 1]
    return max(ended, key=lambda call: sum(attempt.shown_chars for attempt in call.attempts)).id


async def open_call(one: Hands) -> None:
    """Open that call, by its number."""
    await one.press("colon", *str(a_call(one.screen.session)), "enter")
    assert one.place == "CallScreen"


async def check(one: Hands, name: str, key: Key) -> None:
    await one.press(*key.after)
    before = one.seen()
    await one.press(name)
    then = one.seen()
    assert key.effect(before, then), "\n".join([f"{name}: now in {then.place}, sent {then.sent}", *then.rows])


def expected(place: str) -> dict[str, Key]:
    return CALL if place == "call" else {**RUN, **A_CALL, **SCREEN, **VIEW[place]}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", [*VIEWS, "call"])
async def test_every_key_does_what_it_must(place: str, size: tuple[int, int]) -> None:
    async with hands(size, "table" if place == "call" else place) as one:
        if place == "call":
            await open_call(one)
        table = expected(place)
        held = one.keys()
        assert held == set(table), f"not told here: {held - set(table)}; no longer there: {set(table) - held}"
        for name in sorted(table, key=lambda name: name == "ctrl+c"):  # at the end: it ends the run
            await check(one, name, table[name])
            await back(one, place)


async def back(one: Hands, place: str) -> None:
    """Where the next key is to be pressed."""
    while type(one.app.screen).__name__.endswith("Dialog") or one.seen().typing:
        await one.press("escape")
    if place == "call":
        if one.place != "CallScreen":
            await open_call(one)
        elif one.app.screen.call != a_call(one.screen.session):  # type: ignore[attr-defined]
            await one.press("escape")
            await open_call(one)
        return
    if one.place == "CallScreen":
        await one.press("escape")
    if one.place != place:
        await one.press(str(VIEWS.index(place) + 1))
    assert one.place == place


@pytest.mark.parametrize("place", ["wall", "charts"])
async def test_what_is_answered_is_sent(place: str) -> None:
    async with hands((80, 24), place) as one:
        for (key, answer), kind in ASKED.items():
            await one.press(key)
            before = one.seen()
            assert before.place == "ChoiceDialog"
            await one.press(answer)
            then = one.seen()
            assert sends(kind)(before, then), (key, answer, then.sent)
            assert then.place == place


@pytest.mark.parametrize("opener", DIALOGS)
async def test_every_key_of_a_dialog_is_survived(opener: str) -> None:
    names: list[str] = []
    first = True
    while first or names:
        async with hands((80, 24), "wall") as one:
            if first:
                await one.press(opener)
                names, first = [*sorted(one.keys() - {"ctrl+c"}), *DIALOGS[opener]], False
            while names:
                if one.place == "CallScreen":
                    await one.press("escape")
                if one.place in VIEWS and not one.seen().typing:
                    await one.press(opener)
                if not one.app.is_running:
                    # Who stopped the run and says `q` once more leaves at once: the other keys need another run.
                    assert one.screen.session.asked(Stop)
                    break
                await one.press(names.pop(0))
                one.seen()
                assert one.app._exception is None
