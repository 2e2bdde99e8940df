"""Arrivals survive being packed, whatever they are, and take few bytes."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.calls import TextKind
from tui.core.chunk_times import Arrivals, gaps_of, pack, unpack

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300) | st.integers(0, 2**33))


@given(NUMBERS)
def test_packed_numbers_are_the_same_numbers(numbers: list[int]) -> None:
    assert list(unpack(pack(numbers))) == numbers


@pytest.mark.parametrize(("largest", "bytes_each"), [(255, 1), (256, 2), (65_536, 4), (2**32, 8)])
def test_numbers_have_the_fewest_bytes_that_the_largest_one_needs(largest: int, bytes_each: int) -> None:
    assert len(pack([largest] * 100)) == 1 + 100 * bytes_each


def test_bytes_of_one_weight_stand_side_by_side() -> None:
    assert pack([0x0102, 0x0304]) == b"H" + bytes([0x02, 0x04, 0x01, 0x03])


@pytest.mark.parametrize("packed", [b"H\x01", b"I\x01\x02\x03\x04\x05", b"x\x01"])
def test_bytes_that_are_cut_or_foreign_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut short|bad typecode"):
        unpack(packed)


def test_gaps_lie_between_instants_and_may_go_back() -> None:
    assert list(unpack(gaps_of(array("q", [10, 30, 25])))) == [20, -5]
    assert list(unpack(gaps_of(array("q", [10])))) == list(unpack(gaps_of(array("q")))) == []


def test_one_strand_needs_no_mark_and_several_have_one_a_piece() -> None:
    arrivals = Arrivals()
    first, second = (0, TextKind.REASONING, 0), (0, TextKind.CONTENT, 0)
    arrivals.arrived(1)
    arrivals.arrived(2)
    assert arrivals.strands is None
    for at, strand in ((3, second), (4, first), (5, second)):
        arrivals.arrived(at)
        arrivals.braid(first, strand)
    assert arrivals.strands == [0, 0, 1, 0, 1]
    arrivals.close([["a", "bc", ""], ["def", "g"]])
    assert (list(arrivals.times), [list(sizes) for sizes in arrivals.sizes]) == ([1, 2, 3, 4, 5], [[1, 2, 0], [3, 1]])
