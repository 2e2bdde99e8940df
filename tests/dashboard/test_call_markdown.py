"""A text as Markdown: looks, bounds, growth, and what a hostile text may not do."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.untrusted import UNSAFE_CLASS
from tui.dashboard.call_markdown import MOST_CHARS, MarkdownPage
from tui.dashboard.call_text import CallText
from tui.dashboard.theme import COLOUR, LIGHT, PLAIN, Theme

SAMPLE = """# Title

Some **bold** and *slanted* words with `code`, and [the docs](https://example.org/x).

1. first
2. second
   - inner

> quoted

```python
def f(x):
    return x  # [not](a link) & <b>no tag</b>
```

| name | value |
|------|------:|
| p50  |  412  |

---

[ref]: https://example.org/ref

Last </kbd> <b>words</b> see [ref].
"""
UNSAFE = re.compile(f"[{UNSAFE_CLASS}]")


def page_of(text: str, width: int = 80, theme: Theme = COLOUR, step: int | None = None) -> MarkdownPage:
    """The page of a text that came at once, or in steps."""
    taken, page = CallText(), MarkdownPage()
    page.fit(width, theme)
    for end in [*range(step or len(text), len(text), step or 1), len(text)]:
        taken.take(1, text[:end], end, whole=True)
        page.update(taken)
        while page.work():
            pass
    return page


def lines(page: MarkdownPage) -> list[str]:
    return [row.text.rstrip() for row in page.rows(0, page.length)]


def test_every_kind_of_block_is_drawn() -> None:
    text = "\n".join(lines(page_of(SAMPLE)))
    for words in ("Title", "bold and slanted words with code", "1 first", "• inner", "▌ quoted", "│     return x"):
        assert words in text
    assert "p50" in text
    assert "**" not in text
    assert "```" not in text


def test_html_is_text_and_an_end_tag_that_nothing_opened_is_harmless() -> None:
    assert "Last </kbd> <b>words</b> see ref (https://example.org/ref)." in "\n".join(lines(page_of(SAMPLE)))


def test_where_a_link_leads_is_written_out_and_nothing_is_a_hyperlink() -> None:
    page = page_of(SAMPLE, width=120)
    assert "the docs (https://example.org/x)" in "\n".join(lines(page))
    assert not any(segment.style and segment.style.link for row in page.rows(0, 999) for segment in row)


@pytest.mark.parametrize("theme", [COLOUR, LIGHT, PLAIN])
def test_every_row_has_the_width_of_the_page_and_a_style_of_our_palette(theme: Theme) -> None:
    for width in (1, 3, 9, 40, 200):
        for row in page_of(SAMPLE, width, theme).rows(0, 999):
            assert row.cell_length == width
            assert theme.colour or all(not s.style or (s.style.color is s.style.bgcolor is None) for s in row)


@pytest.mark.parametrize("step", [1, 7, 150])
def test_a_text_that_grows_ends_up_as_one_that_came_at_once(step: int) -> None:
    assert lines(page_of(SAMPLE, step=step)) == lines(page_of(SAMPLE))


def test_a_long_text_is_taken_in_piece_by_piece() -> None:
    text = SAMPLE * 20
    taken, page = CallText(), MarkdownPage()
    page.fit(80, COLOUR)
    taken.take(1, text, len(text), whole=True)
    page.update(taken)
    assert page.work()
    assert 0 < page.length < len(lines(page_of(text))) / 2


def test_a_block_that_has_settled_is_not_drawn_again() -> None:
    page = page_of(SAMPLE)
    before = page.rows(0, 5)
    taken = CallText()
    taken.take(1, SAMPLE, len(SAMPLE), whole=True)
    page.update(taken)
    while page.work():
        pass
    again = page.rows(0, 5)
    taken.take(1, SAMPLE + "more", len(SAMPLE) + 4, whole=True)
    page.update(taken)
    page.work()
    assert [row.text for row in before] == [row.text for row in again]
    assert all(old is new for old, new in zip(again, page.rows(0, 5), strict=True))


def test_a_list_without_an_end_is_shown_as_received_and_loses_nothing() -> None:
    text = "".join(f"- item {n}\n" for n in range(1_500))
    shown = "\n".join(lines(page_of(text)))
    assert all(f"item {n}" in shown for n in range(1_500))
    assert "- item 5\n" in shown


def test_a_line_without_an_end_after_another_block_is_there_once() -> None:
    text = "# Title\n\nfirst\n" + "# x" + "y" * 20_000
    shown = lines(page_of(text, step=1_000))
    assert sum("Title" in line for line in shown) == 1
    assert "".join(line.strip() for line in shown).count("y") == 20_000


def test_what_a_link_refers_to_is_known_however_far_back_it_was_said() -> None:
    text = "one\n\ntwo\n\n[ref]: https://example.org/ref\n\n" + "A paragraph.\n\n" * 400 + "See [ref].\n"
    for step in (None, 900):
        assert "See ref (https://example.org/ref)." in lines(page_of(text, step=step))[-1]


def test_code_without_an_end_is_code_to_its_last_line() -> None:
    text = "```\n" + "x = 1\n" * 1_500
    assert all(line == "  │ x = 1" for line in lines(page_of(text)))


def test_a_text_beyond_the_bound_is_left_as_received_and_that_is_said() -> None:
    page = page_of("word " * (MOST_CHARS // 5 + 1))
    assert page.too_long
    assert page.note is not None
    assert "50,000" in page.note
    assert not page.behind


HOSTILE = st.lists(
    st.sampled_from([
        *"ab \n\n#*_`~>-|[]()!<&;:1.\t\\", "\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\u2028", "👩‍👩‍👧", "漢", "é",
        "\x1b]8;;http://evil\x07", "\x1b]52;c;aGk=\x07", "&#27;", "&#x202e;", "&rlm;", "&#155;", "&zwj;", "</kbd>",
        "```", "[a](http://b)", "![i](x\x1b)", "|-|\n", "[a]: \x1bx\n", "[/bold]", "[link=http://e]",
    ]),
    max_size=60,
).map("".join)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(HOSTILE, st.integers(1, 60))
def test_no_text_gets_a_control_or_a_hyperlink_through_or_breaks_a_row(text: str, width: int) -> None:
    for row in page_of(text, width).rows(0, 9_999):
        assert not UNSAFE.search(row.text)
        assert row.cell_length == width
        assert not any(segment.control or (segment.style and segment.style.link) for segment in row)


PIECES = st.lists(
    st.sampled_from([
        *"ab *#_`~>-|1.=", "\n", "\n\n", "\n- ", "\n1. ", "\n> ", "\n    ", "\n```\n", "|-|-|\n", "|a|b|\n", "\n---\n",
        "\n# ",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(PIECES, st.integers(1, 9))
def test_what_was_drawn_early_is_what_is_drawn_at_last(text: str, step: int) -> None:
    assert lines(page_of(text, step=step)) == lines(page_of(text))
