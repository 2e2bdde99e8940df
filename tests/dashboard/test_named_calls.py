"""In a batch lists call their calls by their documents: what is cut of a path is its start."""

import re

import pytest
from drawn import assert_whole
from fake_batch import BatchSession
from hypothesis import given
from hypothesis import strategies as st
from screen_under_test import screen

from tui.dashboard.plain import cells, crop_start, plain_line
from tui.dashboard.table_columns import lay_out

FILE = re.compile(r"\d{3}-river\.md")


def test_the_end_of_a_path_is_kept() -> None:
    assert crop_start("reports/2026/river.md", 12) == "…26/river.md"
    assert crop_start("a/河川.md", 7) == "…川.md"
    assert crop_start("river.md", 8) == "river.md"
    assert crop_start("river.md", 0) == ""


@given(st.text(), st.integers(0, 40))
def test_what_is_cut_at_its_start_fits(text: str, width: int) -> None:
    text = plain_line(text)
    cut = crop_start(text, width)
    assert cells(cut) <= width
    assert cut == text or not cut or (cut.startswith("…") and text.endswith(cut[1:]))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("view", ["1", "2", "4"])
async def test_every_list_names_the_file(view: str, size: tuple[int, int]) -> None:
    async with screen(BatchSession(), size) as shown:
        await shown.press(view)
        said = "\n".join(assert_whole(shown.app, view))
        if (view, size) != ("4", (80, 24)):  # where a waterfall has no room for texts
            assert len(FILE.findall(said)) > 3
            assert "document" in said or view == "1"
            assert " prompt" not in said
        assert "Explain how" not in said


async def test_a_title_has_no_model_which_all_calls_share() -> None:
    async with screen(BatchSession(), (120, 40)) as shown:
        titles = [row for row in shown.rows() if "#" in row]
        assert titles
        assert not [row for row in titles if "gpt-4o-mini" in row]
        assert "gpt-4o-mini" in shown.header


async def test_a_failed_call_says_which_document_it_was_before_why() -> None:
    async with screen(BatchSession(), (160, 40), at_s=40) as shown:
        await shown.press("2", "slash", *"failed", "enter")
        rows = [row for row in assert_whole(shown.app, "table") if "✗" in row and "#" in row]
        assert rows
        for row in rows:
            name = FILE.search(row)
            assert name is not None, row
            assert re.search(r"connect:|upstream|context_len", row[name.end() :]), row


def test_documents_names_keep_their_room() -> None:
    for width in range(60, 200):
        named = {place.column.order: place.width for place in lay_out(width, 400, 11, False, "id", True).places}
        assert named["prompt"] >= 26 or set(named) <= {"id", "state", "status", "ttft", "prompt"}, width
