"""A document's calls as a tree: who reduces what; the open call is marked, and every other one can be jumped to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drawn import assert_whole, settled
from fake_batch import FAMILY, BatchSession
from msgspec.structs import replace
from screen_under_test import Screen, screen
from textual.geometry import Offset

from tui.core.batch_view import FamilyView, Relative
from tui.core.calls import State
from tui.core.snapshot import Snapshot
from tui.dashboard.call_family import FamilyPage, is_family, name_of, tree
from tui.dashboard.call_head import call_rows
from tui.dashboard.one_call import CallScreen
from tui.dashboard.theme import COLOUR

ROOT = Relative("d · reduce", 2, 1, 1, None, None, 0, (1, 2))


def drawn(family: FamilyView, opened: int, width: int) -> list[str]:
    page = FamilyPage()
    page.fit(width, COLOUR)
    page.update(family, opened)
    assert {row.cell_length for row in page.rows(0, 99)} == {width}
    return [row.text.rstrip() for row in page.rows(0, 99)]


def test_what_reduces_stands_above_what_it_reduces() -> None:
    family = replace(FAMILY, members=(*FAMILY.members, ROOT))
    assert [f"{line.branches}{name_of(line.member)}" for line in tree(family.members)] == [
        "reduction of reductions 1–2",
        "├─ reduction 1 of 2: parts 1–3",
        "│  ├─ part 1 of 5",
        "│  ├─ part 2 of 5",
        "│  └─ part 3 of 5",
        "└─ reduction 2 of 2: parts 4–5",
        "   ├─ part 4 of 5",
        "   └─ part 5 of 5",
    ]


def test_what_nothing_reduces_yet_stands_by_itself() -> None:
    parts = FAMILY.members[:5]
    assert [line.branches for line in tree(parts)] == [""] * 5
    assert [line.member.part for line in tree(parts)] == [1, 2, 3, 4, 5]


def test_parts_are_named_in_runs() -> None:
    assert name_of(replace(ROOT, level=1, part_of=(1, 2, 3, 7, 9, 10))) == "reduction of parts 1–3, 7, 9–10"
    assert name_of(replace(ROOT, part_of=(4,))) == "reduction of reduction 4"


def test_a_row_says_state_tokens_and_number() -> None:
    rows = drawn(FAMILY, 5, 100)
    assert rows[0].split() == ["notes/long.md", "state", "tokens", "call"]
    by_name = {row.strip("▸ │├└─"): row for row in rows}
    part = next(row for row in rows if "part 4 of 5" in row)
    assert part.split()[-4:] == ["5", "done", "60", "#4"]
    opened = next(row for row in rows if "◂ open" in row)
    assert "● part 5 of 5" in opened
    assert "streaming" in opened
    assert opened.startswith("▸")
    waits = next(row for row in rows if "reduction 1 of 2" in row)
    assert waits.split()[-4:] == ["not", "begun", "—", "—"]
    assert len(by_name) == len(rows)


def test_columns_stand_below_one_another_at_every_width() -> None:
    for width in range(24, 160):
        rows = drawn(FAMILY, 5, width)
        ends = {row.index("#") for row in rows if "#" in row}
        assert len(ends) == 1, width


def test_one_call_makes_no_family() -> None:
    assert not is_family(None)
    assert not is_family(FamilyView("d", 1_234, (FAMILY.members[0],)))
    assert is_family(FAMILY)


@asynccontextmanager
async def opened(call: int = 5, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Screen, BatchSession]]:
    session = BatchSession()
    async with screen(session, size) as shown:
        await shown.press("colon", str(call), "enter")
        await shown.show(14)
        assert isinstance(shown.app.screen, CallScreen)
        yield shown, session


def call_of(shown: Screen) -> CallScreen:
    assert isinstance(shown.app.screen, CallScreen)
    return shown.app.screen


def said(shown: Screen) -> str:
    return "\n".join(assert_whole(shown.app, "call"))


async def test_5_shows_the_tree_and_enter_jumps_along_it() -> None:
    async with opened() as (shown, session):
        assert "5 document" in said(shown)
        await shown.press("5")
        assert "part 1 of 5" in said(shown)
        assert "⏎ open" in said(shown)
        await shown.press("home", "down", "enter")  # the first reduction stands first
        assert call_of(shown).call == 1
        assert session.watch.focus == 1
        assert "◂ open" in next(row for row in said(shown).splitlines() if "part 1 of 5" in row)
        await shown.press("end", "enter")
        assert call_of(shown).call == 5
        assert call_of(shown).view.shown == "document"
        await shown.press("escape")
        assert shown.app.screen is shown.app.main


async def test_a_call_that_has_not_begun_cannot_be_opened() -> None:
    async with opened() as (shown, _):
        await shown.press("5", "home", "enter")
        assert call_of(shown).call == 5
        assert "that call has not begun" in said(shown)


async def test_a_click_jumps_too() -> None:
    async with opened(size=(120, 40)) as (shown, _):
        await shown.press("5")
        rows = said(shown).splitlines()
        y = next(index for index, row in enumerate(rows) if "part 2 of 5" in row)
        await shown.pilot.click(offset=Offset(10, y))
        await settled(shown.app)
        assert call_of(shown).call == 2


async def test_other_calls_have_no_such_page() -> None:
    async with opened(6) as (shown, _):
        assert "5 document" not in said(shown)
        before = call_of(shown).view.shown
        await shown.press("5")
        assert call_of(shown).view.shown == before
        await shown.press("tab", "tab", "tab", "tab")
        assert call_of(shown).view.shown == before


async def test_who_goes_to_a_call_without_it_sees_its_text_and_finds_it_again() -> None:
    async with opened(5) as (shown, _):
        await shown.press("5")
        call_of(shown).show_call(6)
        await shown.show(14)
        assert call_of(shown).view.shown == "text"
        call_of(shown).show_call(4)
        await shown.show(14)
        assert call_of(shown).view.shown == "document"


async def test_a_call_of_an_earlier_session_is_said_to_be_on_record() -> None:
    async with opened(5) as (shown, session):
        old = Relative("notes/long.md · 1/5", 0, 1, 5, State.DONE, 9_001, 60)
        session.family = replace(FAMILY, members=(old, *FAMILY.members[1:]))
        await shown.show(14)
        await shown.press("5", "home", "down", "enter")
        await shown.show(14)
        assert call_of(shown).call == 5
        assert "#9001 is not of this session" in said(shown)
        await shown.press("escape", "colon", *"8001", "enter")
        await shown.show(14)
        assert shown.app.screen is shown.app.main
        assert "#8001 is not of this session" in shown.footer


async def test_the_tree_scrolls_with_the_choice() -> None:
    async with opened(size=(80, 16)) as (shown, session):
        session.family = replace(
            FAMILY, members=tuple(Relative("d", 0, n, 60, State.DONE, n if n < 6 else None, 5) for n in range(1, 61))
        )
        await shown.show(14)
        await shown.press("5", "end")
        assert "part 60 of 60" in said(shown)
        await shown.press("home")
        assert "part 1 of 60" in said(shown)
        await shown.press("pagedown", "pagedown")
        assert "▸" in said(shown)


async def test_what_was_cut_is_said_above_every_page() -> None:
    async with opened(5) as (shown, session):
        session.family = FamilyView("notes/long.md", 1_234)
        await shown.show(14)
        assert "▲ cut: the last 1,234 tokens of the document were not sent" in said(shown)
        assert "5 document" not in said(shown)


async def test_a_document_is_named_before_its_prompt() -> None:
    async with opened(5, (120, 40)) as (_, session):
        snapshot: Snapshot = session.go(14)
        assert snapshot.focus is not None
        rows = [row.text for row in call_rows(snapshot.focus, snapshot.at, 120, 40, COLOUR)]
        assert "❯ reports/2026/quarter-2/005-river.md   " in rows[1]
        assert session.lives[4].prompt[:20] in rows[1]
        assert "005-river.md" in call_rows(snapshot.focus, snapshot.at, 80, 24, COLOUR)[0].text
