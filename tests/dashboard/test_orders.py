"""A typed line is understood, or told what could have been typed."""

import pytest

from tui.core.views import VIEWS
from tui.dashboard.app import WeirApp
from tui.dashboard.orders import DEEDS, HELP, Order, OrderError, parse_order


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("rpm 120", Order("rpm", 120)),
        (" :rpm   120 ", Order("rpm", 120)),
        ("RPM off", Order("rpm", None)),
        ("rpm none", Order("rpm", None)),
        ("concurrency 16", Order("concurrency", 16)),
        ("c 16", Order("concurrency", 16)),
        ("12", Order("call", 12)),
        ("#12", Order("call", 12)),
        ("filter state:failed ttft>1s", Order("filter", text="state:failed ttft>1s")),
        ("filter", Order("filter", text="")),
        ("export CSV", Order("export", text="csv")),
        ("q", Order("do", text="leave")),
        ("help", Order("do", text="keys")),
        *((view, Order("view", text=view)) for view in VIEWS),
    ],
)
def test_a_line_is_understood(line: str, order: Order) -> None:
    assert parse_order(line) == order


@pytest.mark.parametrize("line", ["", "  ", ":", " : "])
def test_an_empty_line_is_nothing(line: str) -> None:
    assert parse_order(line) is None


@pytest.mark.parametrize(
    "line",
    [
        *(
            "rpm",
            "rpm 0",
            "rpm -4",
            "rpm 1e3",
            "rpm ٣",
            "rpm 1000001",
            "rpm 5 6",
            "concurrency 10001",
            "concurrency off",
        ),
        *("export", "export xml", "rmp 120", "0", "#", "1.5", "wall 2", "q now", "12 13", "9" * 40),
    ],
)
def test_what_cannot_be_done_is_told_what_can(line: str) -> None:
    with pytest.raises(OrderError) as caught:
        parse_order(line)
    words = str(caught.value)
    assert len(words) <= 78, "it must fit the smallest usual screen"
    assert any(part in words for part in ("1 to", "csv", "rpm N", "stands alone"))


def test_a_limit_can_be_lifted_and_a_number_of_streams_cannot() -> None:
    assert parse_order("rpm off") == Order("rpm", None)
    with pytest.raises(OrderError, match=":concurrency 16"):
        parse_order("concurrency off")


def test_every_deed_is_an_action_of_the_app() -> None:
    assert all(hasattr(WeirApp, f"action_{action}") for action in DEEDS.values())


def test_what_is_possible_is_said_in_several_lengths() -> None:
    assert [len(words) for words in HELP] == sorted((len(words) for words in HELP), reverse=True)
    assert len(HELP[-1]) < 10
