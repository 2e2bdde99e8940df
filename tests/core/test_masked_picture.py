"""No picture holds a piece of a secret that is long enough to be one, wherever a text is cut."""

import msgspec
import pytest

from tests.core.call_story import Story, at
from tui.core.commands import Watch
from tui.core.facts import Queued
from tui.core.picture import Painter, RunCard
from tui.core.secrets import Mask, Secret

KEY = "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
CARD = RunCard("load", "m", "host")
VIEWS = [
    *(Watch(view, 0, 9, everything=True) for view in ("wall", "table", "waterfall")),
    Watch(focus=1),
    Watch(focus=1, focus_tail=30),
]


def told(prompt: str, *pieces: str) -> Story:
    story = Story()
    story.tell(Queued(1, at(0), at(0), "m", prompt))
    story.sent(10)
    for index, piece in enumerate(pieces):
        story.text(100 + 10 * index, piece)
    return story


def longest_piece(picture: bytes) -> int:
    """Of the key, in the picture."""
    text = picture.decode("utf-8", "replace")
    return max(
        (
            size
            for size in range(1, len(KEY) + 1)
            if any(KEY[at : at + size] in text for at in range(len(KEY) - size + 1))
        ),
        default=0,
    )


@pytest.mark.parametrize("watch", VIEWS, ids=lambda watch: f"{watch.view}-{watch.focus}-{watch.focus_tail}")
@pytest.mark.parametrize("pad", [0, 1, 100, 120, 140, 155, 159, 160])
def test_no_view_has_a_piece_of_a_key_in_it(watch: Watch, pad: int) -> None:
    story = told(f"{'y' * pad}{KEY} is my key", "z" * pad, KEY[:17], KEY[17:], " is wrong.")
    seen = Painter(story.ledger, CARD, Mask([Secret(KEY)])).picture(watch, at(500))
    assert longest_piece(msgspec.msgpack.encode(seen)) <= 5
    bare = Painter(story.ledger, CARD).picture(watch, at(500))
    assert pad > 150 or longest_piece(msgspec.msgpack.encode(bare)) > 5


@pytest.mark.parametrize("tail", range(60))
def test_a_tail_that_begins_within_a_key_is_as_long_as_it_was_and_shows_none_of_it(tail: int) -> None:
    story = told("p", f"Your key {KEY} is wrong.")
    seen = Painter(story.ledger, CARD, Mask([Secret(KEY)])).picture(Watch(count=1, tail_chars=tail), at(500)).panes[0]
    whole = f"Your key {'*' * len(KEY)} is wrong."
    assert (seen.text, seen.text_end) == (whole[len(whole) - tail :], len(whole))


def test_the_picture_of_a_key_that_is_coming_hides_it_from_the_sixth_character_on() -> None:
    story = told("p", "Your key ")
    painter = Painter(story.ledger, CARD, Mask([Secret(KEY)]))
    for index, char in enumerate(KEY):
        story.text(200 + index, char)
        text = painter.picture(Watch(count=1), at(400)).panes[0].text
        assert text == f"Your key {KEY[: index + 1] if index < 5 else '*' * (index + 1)}"
