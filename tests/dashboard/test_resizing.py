"""The window is dragged from corner to corner while a run grows: nothing raises, every row is as wide as the screen."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import product

import pytest
from drawn import assert_whole, resized, settled
from run_of_facts import RunOfFacts
from screen_under_test import Screen, screen
from textual import events

from tui.core.clock import NS_PER_S
from tui.core.views import VIEWS

NARROWEST, WIDEST = 20, 300
LOWEST, HIGHEST = 5, 90
CORNERS = list(product((1, 20, 80, 300), (1, 5, 24, 90)))
"""Those of the promise, the usual screen, and a window so small that nothing can be said in it."""
PLACES = {
    **{view: (str(number),) for number, view in enumerate(VIEWS, start=1)},
    "one panel of the charts": ("3", "z"),
    "the newest bars, followed": ("4", "end"),
    "the open call": ("2", "end", "enter"),
    "attempts": ("2", "end", "up", "enter", "2"),
    "prompt": ("2", "end", "enter", "3"),
    "request": ("2", "end", "enter", "4"),
    "the text as Markdown": ("2", "home", "enter", "m"),
    "a question": ("1", "q"),
    "a question over the open call": ("2", "enter", "x"),
    "the keys": ("3", "question_mark"),
    "what figures are worth": ("5", "T"),
    "the palette": ("2", "ctrl+p"),
    "a filter that is typed": ("2", "slash", *"state:done"),
    "an order that is typed": ("4", "colon", *"rpm"),
}


def walk(rng: random.Random, steps: int) -> Iterator[tuple[int, int]]:
    """Sizes as a hand drags them: small steps, now and then a leap."""
    width, height = 80, 24
    for _ in range(steps):
        if rng.random() < 0.15:
            width, height = rng.randint(NARROWEST, WIDEST), rng.randint(LOWEST, HIGHEST)
        else:
            width, height = width + rng.randint(-9, 9), height + rng.randint(-4, 4)
        width = min(WIDEST, max(NARROWEST, width))
        height = min(HIGHEST, max(LOWEST, height))
        yield width, height


@asynccontextmanager
async def place(name: str, seed: int = 7) -> AsyncIterator[Screen]:
    """A growing run in one of `PLACES`."""
    async with screen(RunOfFacts(slots=6, seed=seed), (100, 30), at_s=20.0) as shown:
        for key in PLACES[name]:
            shown.app._driver.send_message(events.Key(key, key if len(key) == 1 else None))  # type: ignore[union-attr]
            await settled(shown.app)
            await grown(shown, 0.1)
        yield shown


async def grown(shown: Screen, seconds: float) -> None:
    """The run goes on, and is drawn."""
    shown.session.go((shown.session.now - shown.session.latest.run.started_at) / NS_PER_S + seconds)
    shown.now += int(seconds * NS_PER_S)
    shown.app.frame()
    await settled(shown.app)


async def drag(shown: Screen, sizes: list[tuple[int, int]], rng: random.Random) -> None:
    for width, height in sizes:
        await resized(shown.app, width, height)
        assert shown.app._exception is None, (width, height)
        assert_whole(shown.app, f"{width}x{height}, not yet drawn again")
        await grown(shown, rng.choice((0.07, 0.07, 0.6)))
        assert shown.app._exception is None, (width, height)
        assert_whole(shown.app, f"{width}x{height}")


@pytest.mark.parametrize("name", PLACES)
async def test_any_size_is_drawn_whole(name: str) -> None:
    rng = random.Random(name)
    async with place(name) as shown:
        corners = len(CORNERS) if name in VIEWS else 5
        await drag(shown, [*rng.sample(CORNERS, corners), *walk(rng, 5)], rng)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PLACES)
async def test_any_size_is_drawn_whole_for_long(name: str, seed: int) -> None:
    rng = random.Random(f"{name} {seed}")
    async with place(name, seed) as shown:
        await drag(shown, list(walk(rng, 120)), rng)
        shown.session.end()
        await drag(shown, list(walk(rng, 30)), rng)


async def test_the_wall_in_every_order_and_size() -> None:
    rng = random.Random(3)
    async with place("wall") as shown:
        for key in ("f", "s", "plus", "s", "minus", "minus", "s", "end", "f"):
            shown.app._driver.send_message(events.Key(key, None))  # type: ignore[union-attr]
            await drag(shown, list(walk(rng, 3)), rng)
