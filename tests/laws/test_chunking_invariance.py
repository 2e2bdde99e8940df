"""However the bytes of a stream are cut into chunks, the same events come out, each on the byte that completes it.

The decoder is held against a reference that is slow and plain: it decodes all bytes at once and walks the
lines as WHATWG HTML 9.2.6 words it.
"""

import random
import re
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui.wire.sse import EventTooLarge, ServerEvent, SSEDecoder

PIECES = [
    b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r", b"data:", b"data: ", b"data", b"event:", b"event: e", b"id:", b"id: 7",
    b"retry: 1", b":", b" ", b"x", b"\xef\xbb\xbf", b"\0", "é".encode(), "流".encode(), "😀".encode(),
    b"\xf0\x9f", b"\xff", "\u2028\u0085\x0b\x1c".encode(), b"data: x\n\n", b"data: {}\r\n\r\n",
]  # fmt: skip


def reference(stream: bytes) -> list[ServerEvent]:
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _open = re.split("\r\n|\r|\n", text)
    events, data, kind, last_id = [], "", "", ""
    for line in lines:
        if line == "":
            if data != "":
                events.append(ServerEvent(data.removesuffix("\n"), kind or "message", last_id))
            data, kind = "", ""
            continue
        if line.startswith(":"):
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


def fed(stream: bytes, cuts: list[int], limit: int = 1 << 20) -> list[ServerEvent | str]:
    """The events of `stream` cut at `cuts`; a final "too large" when the decoder gave up."""
    decoder, events = SSEDecoder(limit), []
    for start, stop in pairwise([0, *cuts, len(stream)]):
        try:
            events += decoder.feed(stream[start:stop])
        except EventTooLarge as error:
            return [*events, *error.before, "too large"]
    return events


streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(b"".join)


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    stream = draw(streams)
    return stream, sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))


@given(cut_streams())
@example((b"data: x\r\n\r\ndata: y\r\n\r\n", [8, 10, 11]))
@example((b"\xef\xbb\xbfdata: x\n\n", [1, 2]))
@settings(max_examples=400, deadline=None)
def test_any_cut_gives_the_events_of_one_feed(case: tuple[bytes, list[int]]):
    stream, cuts = case
    assert fed(stream, cuts) == fed(stream, []) == reference(stream)


@given(cut_streams(), st.integers(0, 40))
@settings(max_examples=400, deadline=None)
def test_any_cut_meets_the_bound_at_the_same_event(case: tuple[bytes, list[int]], limit: int):
    stream, cuts = case
    assert fed(stream, cuts, limit) == fed(stream, [], limit)


@given(streams)
@settings(max_examples=200, deadline=None)
def test_every_event_comes_on_the_byte_that_completes_it(stream: bytes):
    decoder, events = SSEDecoder(), []
    for end in range(1, len(stream) + 1):
        events += decoder.feed(stream[end - 1 : end])
        assert events == reference(stream[:end])


def test_a_hundred_thousand_random_streams_agree_with_the_reference():
    rng = random.Random(20261122)
    for case in range(100_000):
        stream = b"".join(rng.choices(PIECES, k=rng.randrange(1, 9)))
        cuts = sorted(rng.choices(range(len(stream) + 1), k=case % 4))
        assert fed(stream, cuts) == reference(stream), (stream, cuts)
