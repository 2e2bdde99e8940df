import pytest

from tui.core.errors import WeirError
from tui.wire.sse import EventTooLarge, ServerEvent, SSEDecoder, WireProtocolError


def read(*chunks: bytes) -> list[ServerEvent]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def texts(*chunks: bytes) -> list[str]:
    return [event.data for event in read(*chunks)]


def feed_bytewise(decoder: SSEDecoder, stream: bytes) -> None:
    for byte in stream:
        decoder.feed(bytes([byte]))


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: x\n\n", ["x"]),
        (b"data: x\r\r", ["x"]),
        (b"data: x\r\n\r\n", ["x"]),
        (b"data: x\r\n\r", ["x"]),
        (b"data: x\n\r", ["x"]),
        (b"data: x\r\r\n", ["x"]),
        (b"data: x\n\r\n", ["x"]),
        (b"data: x\n\ndata: y\n\n", ["x", "y"]),
        (b"data: x\n\n\n\n\ndata: y\n\n", ["x", "y"]),
    ],
)
def test_lines_end_in_lf_cr_or_crlf(stream: bytes, expected: list[str]):
    assert texts(stream) == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data:x\n\n", ["x"]),
        (b"data:  x\n\n", [" x"]),
        (b"data:\tx\n\n", ["\tx"]),
        (b"data: x \n\n", ["x "]),
        (b"data: a: b\n\n", ["a: b"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data: a\ndata\ndata:\n\n", ["a\n\n"]),
        (b"data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        (b"data: \n\n", [""]),
        (b"data: a\n:comment\nfoo: bar\nretry: 10\n data: no\nDATA: no\ndatax: no\ndata: b\n\n", ["a\nb"]),
        (b": ping\n\n", []),
        (b"\n\n\n", []),
        (b"event: x\nid: 1\n\n", []),
        (b"", []),
    ],
)
def test_fields_are_read_by_the_book(stream: bytes, expected: list[str]):
    assert texts(stream) == expected


def test_a_line_of_text_may_hold_every_other_separator():
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x00h"
    assert texts(f"data: {text}\n\n".encode()) == [text]
    assert texts(f": warm\n\ndata: {text}\r\n\r\n".encode()) == [text]


@pytest.mark.parametrize(
    "stream", [b"data: x\n\n", b"data: x\r\r", b"data:x\r\n\r", b"event: e\ndata: x\n\n", b"\xef\xbb\xbfdata:x\n\n"]
)
def test_an_event_is_seen_on_the_byte_that_completes_it(stream: bytes):
    decoder = SSEDecoder()
    assert [len(decoder.feed(bytes([byte]))) for byte in stream] == [0] * (len(stream) - 1) + [1]


@pytest.mark.parametrize("warm", [b"", b"data: w\n\n"])
def test_a_cr_ends_its_line_at_once_and_swallows_an_lf_that_comes_later(warm: bytes):
    decoder = SSEDecoder()
    decoder.feed(warm)
    assert decoder.feed(b"data: a\r\n\r") == [ServerEvent("a")]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: b\r") == []
    assert decoder.feed(b"\ndata: c\r") == []
    assert decoder.feed(b"\r") == [ServerEvent("b\nc")]
    assert decoder.feed(b"data: d\n\n") == [ServerEvent("d")]


def test_only_the_first_bytes_of_a_stream_may_be_a_byte_order_mark():
    assert texts(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\ndata: \xef\xbb\xbfc\n\n") == ["a", "\ufeffc"]
    assert texts(b"\xef", b"\xbb", b"\xbf", b"data: a\n\n") == ["a"]
    assert texts(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n") == []


def test_text_is_decoded_whole_and_malformed_bytes_become_replacement_characters():
    line = "data: é流😀\n\n".encode()
    assert texts(*(bytes([byte]) for byte in line)) == ["é流😀"]
    assert texts(b"data: \xf0\x9f\n\n", b"data: \xffx\n\n", b"data: \xed\xa0\xbd\n\n") == ["�", "�x", "���"]


def test_an_event_type_lasts_for_one_event_and_an_id_until_the_next():
    assert read(b"id: 1\nevent: error\ndata: a\n\ndata: b\n\nid: 2\0\nevent:\ndata: c\n\nid\ndata: d\n\n") == [
        ServerEvent("a", "error", "1"),
        ServerEvent("b", "message", "1"),
        ServerEvent("c", "message", "1"),
        ServerEvent("d", "message", ""),
    ]
    decoder = SSEDecoder()
    decoder.feed(b"id: 9\n\n")
    assert decoder.feed(b"data: x\n\n") == [ServerEvent("x", "message", "9")]
    decoder.feed(b"event: dropped\n")
    decoder.feed(b"\n")
    assert decoder.feed(b"data: x\n\n") == [ServerEvent("x", "message", "9")]


def test_the_common_chunk_right_after_half_an_event_still_belongs_to_that_event():
    decoder = SSEDecoder()
    decoder.feed(b"\n")
    decoder.feed(b"event: error\n")
    assert decoder.feed(b"data: x\n\n") == [ServerEvent("x", "error")]
    decoder.feed(b"data: a\n")
    assert decoder.feed(b"data: b\n\n") == [ServerEvent("a\nb")]
    decoder.feed(b"no")
    assert decoder.feed(b"data: c\n\n") == []
    assert decoder.feed(b"data: d\rdata: e\n\n") == [ServerEvent("d\ne")]


def test_chunks_may_be_views_of_a_buffer_that_is_used_again():
    decoder, buffer = SSEDecoder(), bytearray(b"data: first\n")
    decoder.feed(memoryview(buffer))
    buffer[:] = b"data: other\n"
    assert decoder.feed(memoryview(b"\n")) == [ServerEvent("first")]


@pytest.mark.parametrize(
    ("stream", "incomplete"),
    [
        (b"", False),
        (b"data: x\n\n", False),
        (b"data: x\r\n\r", False),
        (b": ping\n", False),
        (b"data: x\n", True),
        (b"data: x", True),
        (b"data: x\n\nda", True),
        (b"event: x\n", False),
    ],
)
def test_the_end_says_whether_something_was_left_incomplete(stream: bytes, incomplete: bool):
    decoder = SSEDecoder()
    decoder.feed(stream)
    assert decoder.end() is incomplete
    assert decoder.end() is False


@pytest.mark.parametrize("warm", [b"", b"data: w\n\n"])
def test_an_event_of_exactly_the_bound_passes_and_one_byte_more_does_not(warm: bytes):
    decoder = SSEDecoder(limit=16)
    decoder.feed(warm)
    assert decoder.feed(b"data: 0123456789\n\n") == [ServerEvent("0123456789")]
    with pytest.raises(EventTooLarge, match="larger than 16 bytes"):
        decoder.feed(b"data: 0123456789a\n\n")


@pytest.mark.parametrize(
    "stream",
    [
        b"data: 0123456789abcdef",
        b": a comment without any end",
        b"data: 01234567\ndata: 01234",
        b"data:a\ndata:b\ndata:c\ndata:d\ndata:e\ndata:f\ndata:g\n",
        b"data\n" * 15,
    ],
)
def test_open_lines_and_gathered_data_both_count_towards_the_bound(stream: bytes):
    with pytest.raises(EventTooLarge):
        SSEDecoder(limit=16).feed(stream)
    with pytest.raises(EventTooLarge):
        feed_bytewise(SSEDecoder(limit=16), stream)


def test_a_decoder_past_its_bound_is_dead_and_hands_over_what_came_before():
    decoder = SSEDecoder(limit=1024)
    with pytest.raises(EventTooLarge, match="1,024") as caught:
        decoder.feed(b"data: good\n\ndata: " + b"x" * 2000)
    assert caught.value.before == [ServerEvent("good")]
    assert caught.value.limit == 1024
    assert isinstance(caught.value, WireProtocolError)
    assert isinstance(caught.value, WeirError)
    with pytest.raises(EventTooLarge) as again:
        decoder.feed(b"data: x\n\n")
    assert again.value.before == []
    assert decoder.end() is False


def test_the_bound_is_one_mebibyte_unless_told_otherwise():
    assert SSEDecoder().feed(b"data: " + b"x" * (2**20 - 6) + b"\n\n")
    with pytest.raises(EventTooLarge, match="1,048,576 bytes"):
        SSEDecoder().feed(b"data: " + b"x" * (2**20 - 5) + b"\n\n")


def test_a_large_event_may_come_byte_by_byte():
    # Would take hours, not a second, if each byte copied what came before it.
    decoder, events = SSEDecoder(), []
    for _ in range(400):
        decoder.feed(b"data: ")
        for _ in range(1000):
            decoder.feed(b"x")
        decoder.feed(b"\n")
    events = decoder.feed(b"\n")
    assert events == [ServerEvent("\n".join(["x" * 1000] * 400))]
    for _ in range(500_000):
        decoder.feed(b"y")
    assert decoder.end() is True


def test_one_read_may_hold_hundreds_of_events():
    stream = b"".join(b'data: {"n":%d}\n\n' % n for n in range(5000))
    assert texts(stream) == [f'{{"n":{n}}}' for n in range(5000)]
    assert texts(stream.replace(b"\n", b"\r\n")) == [f'{{"n":{n}}}' for n in range(5000)]
