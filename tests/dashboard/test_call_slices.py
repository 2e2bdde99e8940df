"""The text of a call, put together from slices."""

from hypothesis import given
from hypothesis import strategies as st

from tui.dashboard import call_text
from tui.dashboard.call_text import MOST_CHARS, CallText, TextPage
from tui.dashboard.theme import PLAIN

LONG = "".join(f"{n:06d} " for n in range(2_000))


def lines(page: TextPage) -> list[str]:
    return [row.text.strip() for row in page.rows(0, page.length)]


def test_a_text_is_complete_once_the_whole_of_it_came() -> None:
    text = CallText()
    text.take(1, LONG[-600:], len(LONG), whole=False)
    assert not text.complete
    text.take(1, LONG, len(LONG), whole=True)
    assert text.complete
    assert text.chars == LONG


def test_a_short_text_needs_no_second_question() -> None:
    text = CallText()
    text.take(1, "all of it", 9, whole=False)
    assert text.complete


@given(st.lists(st.integers(0, 900), max_size=40))
def test_tails_that_overlap_make_up_the_text(steps: list[int]) -> None:
    text, end = CallText(), 1_000
    text.take(1, LONG[:end], end, whole=True)
    for step in steps:
        end = min(len(LONG), end + step)
        text.take(1, LONG[:end][-900:], end, whole=False)
    assert (text.chars, text.end, text.complete) == (LONG[:end], end, True)


def test_after_a_gap_it_keeps_what_it_has_until_the_whole_came_again() -> None:
    text = CallText()
    text.take(1, LONG[:100], 100, whole=True)
    assert not text.take(1, LONG[900:1_000], 1_000, whole=False)
    assert not text.complete
    assert text.chars == LONG[:100]
    text.take(1, LONG[:1_200], 1_200, whole=True)
    assert (text.chars, text.complete) == (LONG[:1_200], True)


def test_another_attempt_begins_another_text() -> None:
    text = CallText()
    text.take((7, 1), "first try", 9, whole=True)
    text.take((7, 2), "", 0, whole=False)
    assert (text.chars, text.complete) == ("", True)
    text.take((7, 2), "second", 6, whole=False)
    assert text.chars == "second"


def test_no_more_is_kept_than_the_bound_and_that_is_said() -> None:
    text = CallText()
    end = MOST_CHARS
    text.take(1, "x" * MOST_CHARS, end, whole=True)
    for _ in range(60):
        end += 1_000
        text.take(1, "y" * 4_000, end, whole=False)
        assert len(text.chars) <= MOST_CHARS + 20_000
    assert text.end == end
    assert text.missing() == f"the last {len(text.chars):,} of 260,000 characters; the record has all"


def test_a_text_that_is_no_longer_in_memory_is_not_called_empty() -> None:
    text = CallText()
    text.take(1, "", 312, whole=True)
    assert text.missing() == "its text is no longer in memory; the record has it"


def test_rows_are_the_same_however_the_text_came() -> None:
    grown, at_once = CallText(), CallText()
    growing, whole = TextPage(), TextPage()
    for page in (growing, whole):
        page.fit(40, PLAIN)
    for end in range(0, len(LONG) + 1, 700):
        grown.take(1, LONG[:end], end, whole=True)
        growing.update(grown, live=False)
    at_once.take(1, LONG[: grown.end], grown.end, whole=True)
    whole.update(at_once, live=False)
    assert lines(growing) == lines(whole)


def test_a_text_that_only_grew_is_not_wrapped_again() -> None:
    text, page = CallText(), TextPage()
    page.fit(40, PLAIN)
    text.take(1, LONG[:5_000], 5_000, whole=True)
    page.update(text, live=True)
    first = page._wrap
    text.take(1, LONG[:5_100], 5_100, whole=False)
    page.update(text, live=True)
    assert page._wrap is first
    assert page.rows(0, 1)[0] is page.rows(0, 1)[0]


def test_a_caret_stands_where_a_live_text_grows() -> None:
    text, page = CallText(), TextPage()
    page.fit(40, PLAIN)
    text.take(1, "one\ntwo", 7, whole=True)
    page.update(text, live=True)
    assert lines(page) == ["one", f"two{call_text.CARET}"]
