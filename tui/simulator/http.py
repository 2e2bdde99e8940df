"""HTTP/1.1 and 1.0 as the simulator needs them: bytes in, requests out; heads and errors as bytes. Opens no socket."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import httptools

MOST_HEAD_BYTES = 64 * 1024
MOST_BODY_BYTES = 16 * 1024 * 1024

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request."""

    method: str
    path: str
    """Without the query."""
    body: bytes
    keep_alive: bool
    chunked: bool = True
    """The client understands a chunked body. HTTP/1.0 does not (nginx's to the servers behind it, by default)."""


class Malformed(Exception):
    """Bytes that are no request to answer; the connection closes after `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RequestReader:
    """Bytes of one connection in, requests out. Holds at most one head and one body."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._whole: list[Request] = []
        self._excess: Malformed | None = None
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._body = bytearray()
        self._fed_bytes = 0
        self._head_done = False
        self._expects_continue = False

    def feed(self, data: bytes) -> list[Request]:
        """Requests that `data` completes; Malformed when it cannot be one."""
        self._whole = []
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise Malformed(400, "The connection cannot be upgraded.") from None
        except httptools.HttpParserError as error:
            raise Malformed(400, f"The request is not HTTP/1.1: {error}.") from None
        # llhttp keeps an unfinished header line without a callback, so what was fed is what counts.
        if not self._head_done and self._fed_bytes > MOST_HEAD_BYTES:
            self._excess = Malformed(431, f"The request's head is larger than {MOST_HEAD_BYTES} bytes.")
        elif self._fed_bytes > MOST_BODY_BYTES + MOST_HEAD_BYTES:
            self._excess = _BODY_TOO_LARGE
        if self._excess is not None:
            raise self._excess
        return self._whole

    @property
    def wants_continue(self) -> bool:
        """The client holds its body back until it is told to go on. Answers True once."""
        wants = self._expects_continue and self._head_done
        self._expects_continue = False
        return wants

    # What follows is called by httptools, by these names.

    def on_message_begin(self) -> None:
        pass

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"content-length" and value.isdigit() and int(value) > MOST_BODY_BYTES:
            self._excess = _BODY_TOO_LARGE
        elif lower == b"expect" and value.lower() == b"100-continue":
            self._expects_continue = True

    def on_headers_complete(self) -> None:
        self._head_done = True
        if self._parser.get_http_version() == "1.0":
            self._expects_continue = False  # 1.0 has no interim replies
        elif self._parser.get_http_version() != "1.1":
            self._excess = Malformed(505, "Only HTTP/1.1 and 1.0 are spoken here.")
        elif len(self._url) > MOST_HEAD_BYTES:
            self._excess = Malformed(431, "The request's address is too long.")

    def on_body(self, body: bytes) -> None:
        if self._excess is None:
            self._body += body
            if len(self._body) > MOST_BODY_BYTES:
                self._excess = _BODY_TOO_LARGE

    def on_message_complete(self) -> None:
        if self._excess is None:
            newer = self._parser.get_http_version() == "1.1"
            self._whole.append(
                Request(
                    self._parser.get_method().decode("ascii", "replace"),
                    self._url.partition(b"?")[0].decode("utf-8", "replace"),
                    bytes(self._body),
                    newer and self._parser.should_keep_alive(),
                    newer,
                )
            )
        self._begin()


_BODY_TOO_LARGE = Malformed(413, f"The request's body is larger than {MOST_BODY_BYTES} bytes.")


def head(status: int, headers: Headers, keep_alive: bool) -> bytes:
    """Status line and headers. No Date: the same seed answers with the same bytes."""
    lines = [f"HTTP/1.1 {status} {REASONS[status]}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append("connection: keep-alive" if keep_alive else "connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def whole(status: int, body: bytes, headers: Headers, keep_alive: bool) -> bytes:
    """A reply with a JSON body of known length."""
    sized = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
    return head(status, sized, keep_alive) + body


def error_body(message: str, type: str, param: str | None = None, code: str | None = None) -> bytes:
    """An error as OpenAI words it."""
    return json.dumps({"error": {"message": message, "type": type, "param": param, "code": code}}).encode()


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
