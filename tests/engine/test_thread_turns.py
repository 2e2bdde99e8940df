"""The interpreter's switch interval while calls are dispatched."""

import sys

import pytest

from tui.engine.thread_turns import THREAD_TURN_S, short_thread_turns


@pytest.fixture(autouse=True)
def as_it_was():
    usual_s = sys.getswitchinterval()
    yield
    sys.setswitchinterval(usual_s)


def test_turns_are_short_inside_and_as_they_were_afterwards_also_after_an_error() -> None:
    sys.setswitchinterval(0.005)
    seen_s = []

    def fail() -> None:
        with short_thread_turns():
            seen_s.append(sys.getswitchinterval())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen_s == [pytest.approx(THREAD_TURN_S, abs=2e-6)]
    assert sys.getswitchinterval() == pytest.approx(0.005, abs=2e-6)


def test_shorter_ones_are_left_alone() -> None:
    sys.setswitchinterval(0.0001)
    with short_thread_turns():
        assert sys.getswitchinterval() == pytest.approx(0.0001, abs=2e-6)  # whole microseconds, rounded down
