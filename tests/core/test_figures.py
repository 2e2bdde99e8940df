"""Numbers look the same everywhere, and keep to their width."""

import pytest

from tui.core import figures
from tui.core.snapshot import UNPRICED, Cost

MS = 1_000_000
S = 1_000 * MS


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (None, "—"),
        (0, "0.0 ms"),
        (340_000, "0.3 ms"),
        (9_940_000, "9.9 ms"),
        (9_960_000, "10 ms"),
        (412 * MS, "412 ms"),
        (999_600_000, "1.00 s"),
        (1_240 * MS, "1.24 s"),
        (9_996 * MS, "10.0 s"),
        (12_400 * MS, "12.4 s"),
        (59_960 * MS, "1m 00s"),
        (125 * S, "2m 05s"),
        (3 * 3600 * S + 7 * 60 * S, "3h 07m"),
        (-5, "0.0 ms"),
    ],
)
def test_a_duration_has_three_figures_or_its_parts(duration_ns: int | None, text: str) -> None:
    assert figures.ms(duration_ns) == text


@pytest.mark.parametrize("exponent", range(13))
def test_no_duration_below_a_hundred_hours_is_wider_than_its_column(exponent: int) -> None:
    assert all(len(figures.ms(digit * 10**exponent)) <= 7 for digit in (1, 3, 9))


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0"),
        (1234, "1,234"),
        (9999, "9,999"),
        (12_345, "12.3k"),
        (99_960, "100k"),
        (999_600, "1.00M"),
        (12_345_678, "12.3M"),
    ],
)
def test_a_count_is_exact_up_to_four_digits(n: int, text: str) -> None:
    assert figures.count(n) == text


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (UNPRICED, "?"),
        (Cost("0", "billed by usage"), "$0"),
        (Cost("0.0123", "billed by usage"), "$0.0123"),
        (Cost("0.01234", "estimated"), "~$0.0123"),
        (Cost("0.5", "possibly billed"), "≤$0.5000"),
        (Cost("0.000081", "estimated"), "~$0.00008"),
        (Cost("0.0000001", "estimated"), "<$0.00001"),
        (Cost("1.239", "billed by usage"), "$1.24"),
        (Cost("1234.5", "billed by usage"), "$1,234"),
    ],
)
def test_money_carries_the_mark_of_its_source(cost: Cost, text: str) -> None:
    assert figures.money(cost) == text


def test_an_unknown_price_is_never_nought() -> None:
    assert "0" not in figures.money(Cost(None, "unpriced"))


@pytest.mark.parametrize(("per_s", "text"), [(None, "—"), (0.0, "0.0"), (4.24, "4.2"), (48.4, "48"), (1204.0, "1,204")])
def test_a_rate_drops_decimals_when_it_is_large(per_s: float | None, text: str) -> None:
    assert figures.rate(per_s) == text


def test_tokens_that_nobody_counted_are_marked() -> None:
    assert figures.tokens(1234, estimated=True) == "~1,234"
    assert figures.tokens(1234, estimated=False) == "1,234"
    assert figures.tokens(0, estimated=True) == "0"


@pytest.mark.parametrize(
    ("left_ns", "text"), [(-1, "0.0 s"), (1_420 * MS, "1.4 s"), (12_900 * MS, "12 s"), (125 * S, "2m 05s")]
)
def test_a_countdown_never_goes_below_nought(left_ns: int, text: str) -> None:
    assert figures.countdown(left_ns) == text


def test_a_hundred_percent_is_all_of_it() -> None:
    assert figures.percent(999, 1000) == "99 %"
    assert figures.percent(1000, 1000) == "100 %"
    assert figures.percent(0, 0) == "—"


def test_a_running_clock_shows_hours_only_when_there_are_some() -> None:
    assert figures.elapsed(42 * S) == "00:42"
    assert figures.elapsed(3753 * S) == "1:02:33"
