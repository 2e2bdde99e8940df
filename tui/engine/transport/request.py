"""An httpx request as HTTP/1.1 bytes. Opens no socket; refuses what would let a header value end its line.

Source: RFC 9112 §3 (request line), §5 (fields), §7.1 (chunked).
"""

import re
from collections.abc import AsyncIterator

import httpx

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# httpx checks no header value, so a CR LF in one would smuggle in a second header or request.
_WELL_FORMED = re.compile(_TOKEN + rb" [!-~]+ HTTP/1\.1\r\n(?:" + _TOKEN + rb": [\t\x20-\x7e\x80-\xff]*\r\n)+\r\n")
_HEADER = re.compile(_TOKEN + rb": [\t\x20-\x7e\x80-\xff]*\r\n")


def request_head(request: httpx.Request) -> bytes:
    """Request line and headers, with the blank line; LocalProtocolError when they cannot be sent as they are."""
    raw = request.headers.raw
    lines = [b"%s: %s\r\n" % field for field in raw]
    if "host" not in request.headers:
        lines.insert(0, b"Host: %s\r\n" % request.url.netloc)
    head = b"%s %s HTTP/1.1\r\n%s\r\n" % (request.method.encode(), request.url.raw_path, b"".join(lines))
    # The count, because a CR LF in a value could be followed by a well-formed line of its own.
    if head.count(b"\n") != len(lines) + 2 or _WELL_FORMED.fullmatch(head) is None:
        # Never the value: it may be a key.
        names = [name.decode("latin-1") for name, value in raw if not _HEADER.fullmatch(name + b": " + value + b"\r\n")]
        where = f"header {names[0]!r}" if names else "the request line"
        raise httpx.LocalProtocolError(f"{where} holds a character that HTTP does not allow there", request=request)
    return head


def body_at_hand(request: httpx.Request) -> bytes | None:
    """The whole body when it already lies in memory; None when it is still to be iterated."""
    stream = request.stream
    return b"".join(stream) if isinstance(stream, httpx.ByteStream) else None


async def body_pieces(request: httpx.Request) -> AsyncIterator[bytes]:
    """An iterated body as it goes on the wire: chunked when the headers say so, else checked for its length."""
    stream = request.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise httpx.LocalProtocolError("the request's body can only be iterated synchronously", request=request)
    headers = request.headers
    if "chunked" in headers.get("transfer-encoding", "").lower():
        async for piece in stream:
            if piece:  # an empty chunk would end the body
                yield b"%x\r\n%s\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"
        return
    promised = int(headers.get("content-length", "0"))
    async for piece in stream:
        promised -= len(piece)
        if promised < 0:
            break
        yield piece
    if promised != 0:
        raise httpx.LocalProtocolError("the request's body is not as long as its Content-Length", request=request)
