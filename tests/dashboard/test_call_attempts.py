"""The attempts of an open call."""

from a_call import ATTEMPTS, a_call
from msgspec.structs import replace

from tui.dashboard.call_attempts import AttemptsPage, attempt_rows, columns
from tui.dashboard.theme import COLOUR, PLAIN


def lines(chosen: int, width: int = 80) -> list[str]:
    return [row.text for row in attempt_rows(ATTEMPTS, chosen, width, max(2, width - 5), PLAIN)]


def test_a_line_an_attempt_with_status_and_instants() -> None:
    first, second, third = lines(2)[1:4]
    assert " ".join(first.split()) == "1 ✗ 429 530 ms 840 ms 18 ms 410 ms — — 430 ms"
    assert second.split()[:3] == ["2", "✗", "503"]
    assert " ".join(third.split()) == "▸ 3 ✓ 200 0.0 ms 6.48 s 2.0 ms 640 ms 1.08 s 6.73 s 6.75 s"


def test_everything_is_told_of_the_chosen_one_and_of_no_other() -> None:
    text = "\n".join(lines(0))
    assert "the server asked to wait 3.0 s" in text
    assert "HTTP 429: Rate limit reached" in text
    assert "req_a" in text
    assert "x-api-key    ***" in text
    assert "event-stream" not in text
    assert "event-stream" in "\n".join(lines(2))


def test_headers_that_are_gone_are_not_called_absent() -> None:
    assert "no longer in memory; the record has them" in "\n".join(lines(1))


def test_times_without_a_column_are_told_below() -> None:
    assert columns(80).times == ("limiter", "sent", "written", "headers", "first", "last", "ended")
    assert columns(40).times == ("sent", "first", "ended")
    assert "limiter 530 ms" in "\n".join(lines(0, 40))


def test_errors_have_a_column_where_there_is_room() -> None:
    assert not columns(80).error
    assert columns(120).error
    assert "overloaded" in lines(0, 120)[2]


def test_the_choice_goes_along_with_new_attempts_until_an_older_one_is_chosen() -> None:
    page = AttemptsPage()
    page.fit(80, PLAIN)
    full = a_call()
    page.update(replace(full, attempts=ATTEMPTS[:2]))
    assert page.chosen == 1
    page.update(full)
    assert page.chosen == 2
    assert page.choose(0)
    assert not page.choose(3)
    assert not page.choose(-1)
    page.update(full)
    assert "req_a" in "\n".join(row.text for row in page.rows(0, 99))


def test_rows_are_made_again_only_when_something_changed() -> None:
    page = AttemptsPage()
    page.fit(80, PLAIN)
    page.update(a_call())
    before = page.rows(0, 99)
    page.update(a_call(tokens=413))
    assert page.rows(0, 99)[0] is before[0]


def test_before_the_first_attempt_that_is_said() -> None:
    assert "nothing has been sent yet" in attempt_rows([], 0, 80, 75, PLAIN)[0].text


def test_hostile_headers_are_plain_cells_at_any_width() -> None:
    hostile = replace(ATTEMPTS[0], error="\x1b[2Jx\u202e", headers=[("\x9bname\x1b", "v\x1b]8;;http://e\x07 " * 20)])
    for width in (1, 2, 8, 30, 80, 200):
        for row in attempt_rows([hostile], 0, width, max(2, width - 5), COLOUR):
            assert row.cell_length == width
            assert not set("\x1b\x07\x9b\u202e") & set(row.text)
