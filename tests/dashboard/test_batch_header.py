"""Documents and money above every view: whole words only, the least telling ones go first."""

import re

import pytest
from fake_batch import BATCH, as_batch
from fake_session import START, FakeSession
from msgspec.structs import replace
from rich.style import Style

from tui.core.batch_view import BatchView, Projection
from tui.core.snapshot import Snapshot
from tui.core.views import UNPRICED
from tui.dashboard.batch_header import money_forms
from tui.dashboard.header import header_rows
from tui.dashboard.theme import COLOUR, PLAIN

DOCUMENTS = "1,204 of 2,000 done · 3 failed · 12 shared · 40 reused · 2 cut"
MONEY = "$0.8400 spent · $2.10 [1.95–2.30] projected · $2.50 budget"
NAME = "2026-11-22T22-40-42-batch-sim-steady"


def shown(batch: BatchView = BATCH, **run: object) -> Snapshot:
    return as_batch(FakeSession().go(14), batch, **run)


def rows(snapshot: Snapshot, width: int, height: int) -> list[str]:
    return [row.text for row in header_rows(snapshot, START + 14_000_000_000, width, height, COLOUR)]


def text(snapshot: Snapshot, width: int = 120, height: int = 8) -> str:
    return "\n".join(rows(snapshot, width, height))


def finished(batch: BatchView, width: int, height: int = 5, **run: object) -> str:
    return rows(
        shown(batch, **{"phase": "finished", "ended_at": START, "record": f"runs/{NAME}", **run}), width, height
    )[1 if height == 5 else 6]


@pytest.mark.parametrize(("width", "height"), [(120, 8), (200, 8), (120, 5), (200, 5)])
def test_all_is_there_where_there_is_room(width: int, height: int) -> None:
    said = text(shown(), width, height)
    assert DOCUMENTS in said
    assert MONEY in said
    assert "60 %" in said or height == 5
    for word in ("16 at once", "RPM", "tok/s", "TTFT", "429s"):
        assert word in said


def test_on_a_small_screen_the_words_of_calls_and_the_interval_go_before_any_figure() -> None:
    _, progress, calls, others, _ = rows(shown(), 80, 5)
    assert DOCUMENTS in progress
    assert progress.count("█") >= 6
    assert "$0.8400 spent · $2.10 projected · $2.50 budget" in calls
    assert re.search(r"● \d+ .* ✓ \d+ .* ✗ \d+", calls)
    assert "TTFT p50" in others
    assert "↻" in others


@pytest.mark.parametrize("height", [1, 2, 5, 8])
def test_rows_are_as_wide_as_the_screen_and_no_word_is_cut(height: int) -> None:
    whole = set(re.findall(r"[A-Za-z/]{2,}", f"{DOCUMENTS} {MONEY} streaming waiting retries at once of spent"))
    whole |= {"TTFT", "RPM", "tok/s", "ms", "backing", "off", "broken", "cancelled", "limit"}
    for batch in (BATCH, replace(BATCH, documents=None, projection=None), replace(BATCH, failed=0, budget_usd=None)):
        for width in [*range(8, 210), 300]:
            drawn = header_rows(shown(batch), START, width, height, COLOUR)
            assert len(drawn) == height
            assert all(row.cell_length == width for row in drawn)
            if height >= 5 and batch.documents is not None:
                said = set(re.findall(r"[A-Za-z/]{2,}", " ".join(row.text for row in drawn[1:-2])))
                assert said <= whole, (width, said - whole)


def test_shared_and_reused_ones_go_before_cut_and_failed_ones() -> None:
    kinds = ("shared", "reused", "cut", "failed")
    gone: list[str] = []
    for width in range(120, 30, -1):
        progress = rows(shown(), width, 5)[1]
        gone += [kind for kind in kinds if kind not in progress and kind not in gone]
    assert gone == list(kinds)


def test_an_unknown_whole_has_no_bar() -> None:
    batch = BatchView(read=1_260, done=1_204, failed=3)
    for height in (5, 8):
        said = text(shown(batch), 120, height)
        assert "1,204 done, 1,260 read · 3 failed" in said
        assert "%" not in said
        assert "█" not in said.splitlines()[1]


def inks(batch: BatchView) -> dict[str, str]:
    def colour(style: Style) -> str:
        return style.color.name if style.color is not None else ""

    forms = money_forms(shown(batch), batch, COLOUR)
    return {words.strip(): colour(style) for words, style in forms[0]}


def test_a_projection_beyond_the_budget_is_a_warning() -> None:
    amber, red, bright = (COLOUR.style(ink).color.name for ink in ("amber", "red", "bright"))  # type: ignore[union-attr]
    assert inks(BATCH)["$2.10"] == bright
    assert inks(replace(BATCH, budget_usd=2.2))["[1.95–2.30]"] == amber
    assert inks(replace(BATCH, budget_usd=2.2))["$2.10"] == amber
    assert inks(replace(BATCH, budget_usd=2.0))["$2.10"] == red
    assert inks(replace(BATCH, budget_usd=0.85))["$0.8400"] == amber


def test_what_is_not_known_is_not_told() -> None:
    plain = replace(BATCH, projection=None, budget_usd=None)
    assert "$0.8400 spent" in text(shown(plain))
    assert "budget" not in text(shown(plain))
    assert "projected" not in text(shown(plain))
    unpriced = replace(shown(plain), cost=UNPRICED)
    assert "cost ?" in text(unpriced)


def test_documents_that_failed_are_the_bars_end() -> None:
    bar = header_rows(shown(replace(BATCH, done=1_000, failed=500)), START, 120, 8, COLOUR)[1].crop(0, 40)
    red = COLOUR.style("red").color
    failed = sum(len(piece.text) for piece in bar if piece.style is not None and piece.style.color == red)
    assert 6 <= failed <= 10  # a quarter of some thirty cells
    plain = header_rows(shown(replace(BATCH, done=1_000, failed=500)), START, 120, 8, PLAIN)[1].text
    assert plain.count("▒") == failed


def test_a_reached_budget_is_said_with_its_key() -> None:
    asking = replace(BATCH, asking="the budget of $2.50 is reached")
    for width, height in ((80, 5), (120, 8)):
        said = text(shown(asking, notice="the budget of $2.50 is reached: raise it, or drain"), width, height)
        assert "‖ the budget of $2.50 is reached  b raise" in said
        assert "‖ waits for its budget" in said
        assert "or drain" not in said


WHOLE = replace(BATCH, done=1_990, failed=10, read=2_000, corpus_ended=True)


def test_a_finished_batch_says_where_its_results_are() -> None:
    assert f"✓ finished  1,990 of 2,000 done · 10 failed  q quits   results: weir results {NAME}" in finished(
        WHOLE, 160
    )
    assert f"✓ finished  results: weir results {NAME}" in finished(WHOLE, 80)
    assert f"weir results {NAME}" in finished(WHOLE, 120, 8)
    assert "projected" not in text(shown(WHOLE, phase="finished"))


def test_one_that_was_ended_early_says_how_to_go_on() -> None:
    said = finished(BATCH, 160)
    assert f"◌ not all done  1,204 of 2,000 done · 3 failed  q quits   go on: weir batch --resume {NAME}" in said
    assert f"weir batch --resume {NAME}" in finished(BATCH, 80)


def test_without_a_record_there_is_nothing_to_point_to() -> None:
    said = finished(WHOLE, 80, record=None)
    assert "✓ finished" in said
    assert "q quits" in said
    assert "weir results" not in said


def test_nothing_sets_a_colour_when_none_is_wanted() -> None:
    for batch in (BATCH, replace(BATCH, documents=None), replace(BATCH, asking="reached")):
        for height in (5, 8):
            for row in header_rows(shown(batch), START, 120, height, PLAIN):
                assert all(piece.style is None or piece.style.color is None for piece in row)


def test_money_is_told_shorter_and_shorter() -> None:
    said = ["".join(words for words, _ in form) for form in money_forms(shown(), BATCH, COLOUR)]
    assert said[0] == MONEY
    assert [len(form) for form in said] == sorted((len(form) for form in said), reverse=True)
    wide = replace(BATCH, projection=Projection(1, 2, 3))
    assert "[1.00–3.00]" in "".join(words for words, _ in money_forms(shown(wide), wide, COLOUR)[0])
