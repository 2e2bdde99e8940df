"""Frames come out whole, however the bytes were cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.frames import FRAME_LIMIT, FrameError, Frames, frame


@given(st.lists(st.binary(max_size=50), max_size=10), st.lists(st.integers(0, 300), max_size=10))
def test_any_cutting_gives_the_same_bodies(bodies: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(frame, bodies))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    frames, found = Frames(), []
    for start, end in pairwise(edges):
        found += frames.take(data[start:end])
    assert found == bodies


def test_a_frame_comes_on_the_byte_that_completes_it() -> None:
    frames, data = Frames(), frame(b"picture")
    assert frames.take(data[:-1]) == []
    assert frames.take(data[-1:]) == [b"picture"]


def test_a_length_that_no_frame_of_ours_has_is_an_error() -> None:
    with pytest.raises(FrameError, match="most"):
        Frames().take((FRAME_LIMIT + 1).to_bytes(4, "big"))
