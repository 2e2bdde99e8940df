"""The help lists what is bound, whole, at every size."""

import re

import pytest
from fake_session import FakeSession
from screen_under_test import screen
from textual.dom import DOMNode

from tui.core.views import VIEWS
from tui.dashboard.dialogs import Box
from tui.dashboard.help_dialog import HelpDialog, help_rows
from tui.dashboard.keys import Key, KeyGroup
from tui.dashboard.theme import COLOUR, MARKS, PLAIN

NODE = DOMNode()
LONG = "follow the running calls, or show all of them"
WORDS = ("go there", "do it at once", "quit", "in place or newest")


def group(title: str, n: int) -> KeyGroup:
    return KeyGroup(
        title, [Key("PgDn" if i == 3 else chr(97 + i), WORDS[i % 4] if i else LONG, f"a{i}", NODE) for i in range(n)]
    )


GROUPS = [group("this view: wall", 12), group("views", 4), group("the run", 19)]


def words_of(text: str) -> list[str]:
    return sorted(re.findall(r"\w+", text))


@pytest.mark.parametrize("theme", [COLOUR, PLAIN])
@pytest.mark.parametrize("size", [(80, 24), (78, 24), (120, 40), (200, 60), (300, 90), (60, 50)])
def test_nothing_is_cut(size, theme) -> None:  # type: ignore[no-untyped-def]
    rows = help_rows(GROUPS, *size, theme)
    assert len(rows) <= size[1]
    assert len({row.cell_length for row in rows}) == 1
    assert rows[0].cell_length <= size[0]
    wanted = " ".join([each.title for each in GROUPS] + [f"{key.shown} {key.words}" for g in GROUPS for key in g.keys])
    wanted += " " + " ".join(mark.word for mark in MARKS.values())
    assert words_of(" ".join(row.text for row in rows)) == words_of(wanted)


@pytest.mark.parametrize("size", [(80, 14), (40, 24), (30, 10), (20, 5)])
def test_what_does_not_fit_can_be_scrolled_to(size: tuple[int, int]) -> None:
    seen: set[str] = set()
    for first in range(200):
        rows = help_rows(GROUPS, *size, COLOUR, first)
        assert len(rows) <= size[1]
        seen.update(re.findall(r"\w+", " ".join(row.text for row in rows)))
    assert {word for words in (*WORDS, LONG) for word in re.findall(r"\w+", words)} <= seen


def test_a_group_stays_whole_where_it_can() -> None:
    rows = help_rows(GROUPS, 300, 60, COLOUR)
    assert len(rows) == len(GROUPS[2].keys) + 3, "its title, an empty row and the glyphs"


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (3, 40)])
def test_the_smallest_screens_do_no_harm(size: tuple[int, int]) -> None:
    assert all(row.cell_length <= size[0] for row in help_rows(GROUPS, *size, COLOUR))


def test_keys_of_one_action_with_a_word_each_are_one_entry() -> None:
    views = KeyGroup("views", [Key(str(n), name, f"view('{name}')", NODE) for n, name in enumerate(VIEWS, start=1)])
    said = " ".join(row.text for row in help_rows([views], 120, 40, COLOUR))
    assert "1–5  wall, table, charts, waterfall, limits" in said


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "enter"])
async def test_every_view_has_its_own_keys_in_the_help(key: str) -> None:
    async with screen(FakeSession(), size=(120, 40)) as shown:
        await shown.press(key, "question_mark")
        assert isinstance(shown.app.screen, HelpDialog)
        said = shown.text(shown.app.screen.query_one(Box))
        title = "this call" if key == "enter" else f"this view: {VIEWS[int(key) - 1]}"
        for words in (
            title,
            "the run",
            "pause or resume dispatch",
            "RPM limit up",
            "light or dark",
            "^C",
            "backing off",
        ):
            assert words in said
        assert ("open the call in full" in said) == (key not in ("enter", "3", "5"))
        await shown.press("question_mark")
        assert not isinstance(shown.app.screen, HelpDialog)
