"""The row of views names as much as fits, and a click on a name means that view."""

import pytest
from fake_session import FakeSession
from msgspec.structs import replace

from tui.core.snapshot import Spread
from tui.core.views import VIEWS
from tui.dashboard.tabs import tabs_row
from tui.dashboard.theme import COLOUR, LIGHT, PLAIN

SNAPSHOT = FakeSession().go(14)
DOUBTED = replace(
    SNAPSHOT, lag=Spread(9, 1, 1, 40_000_000, 1), ttft=Spread(20_000, 1, 1, 1, 1), late=123, frames_dropped=4_567
)


@pytest.mark.parametrize("snapshot", [SNAPSHOT, DOUBTED])
@pytest.mark.parametrize("theme", [COLOUR, LIGHT, PLAIN])
@pytest.mark.parametrize("shown", VIEWS)
def test_a_click_on_a_spot_hits_what_is_written_there(snapshot, theme, shown) -> None:  # type: ignore[no-untyped-def]
    for width in range(1, 140):
        row, spots = tabs_row(snapshot, shown, width, theme)
        assert row.cell_length == width
        for spot in spots:
            assert 0 <= spot.start < spot.end <= width
            written = row.text[spot.start : spot.end]
            if spot.name == "trust":
                assert "T" in written
            else:
                assert str(VIEWS.index(spot.name) + 1) in written


def test_all_names_and_the_lag_fit_the_smallest_usual_screen() -> None:
    row, spots = tabs_row(SNAPSHOT, "wall", 80, COLOUR)
    assert all(f"{number} {name}" in row.text for number, name in enumerate(VIEWS, start=1))
    assert "● timing good  lag 0.3 ms T" in row.text
    assert [spot.name for spot in spots] == [*VIEWS, "trust"]


def test_where_it_is_narrow_the_view_that_is_shown_keeps_its_name_and_the_badge_its_glyph() -> None:
    text = tabs_row(DOUBTED, "limits", 36, COLOUR)[0].text
    assert "5 limits" in text
    assert "4 waterfall" not in text
    assert "▲" in text


def test_doubts_are_counted_where_there_is_room() -> None:
    assert "▲ timing doubtful  lag 40 ms 123 late 4,567 skipped" not in tabs_row(DOUBTED, "wall", 80, COLOUR)[0].text
    assert "123 late 4,567 skipped T" in tabs_row(DOUBTED, "wall", 120, COLOUR)[0].text


def test_the_view_that_is_shown_is_told_without_colour() -> None:
    row, _ = tabs_row(SNAPSHOT, "table", 80, PLAIN)
    reversed_text = "".join(part.text for part in row if part.style is not None and part.style.reverse)
    assert reversed_text.strip() == "2 table"
