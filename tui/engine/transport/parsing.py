"""One response after another out of a connection's bytes. Opens no socket, reads no clock.

llhttp (through httptools) does the framing; this adds what it leaves to its user: 1xx responses are skipped,
bytes behind a response are noticed, an end by closing is told from a cut, sizes are counted for the bounds.
"""

import httptools


class ResponseParser:
    """Feed it bytes; look at its attributes afterwards."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        # The list's own append: the hottest call-back costs no Python frame.
        self.on_body = self._pieces.append
        self._end_of_pieces: int | None = None
        self._head_only = False
        self.reset(head_only=False)
        self._machine: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def reset(self, *, head_only: bool) -> None:
        """A new exchange begins; `head_only`: its response has no body, whatever its headers say (HEAD)."""
        self._head_only = head_only
        self._end_of_pieces = None
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.header_bytes = 0
        """Of all header lines, those of 1xx responses and of trailers included."""
        self.started = False
        """Some byte of a response came."""
        self.headers_done = False
        self.complete = False
        self.close_delimited = False
        """The body has no other end than the connection's."""
        self.keep_alive = False
        """After a complete response: the connection may serve another request."""
        self.problem: Exception | None = None
        """What made the bytes no HTTP; whatever came before it stands."""

    def feed(self, data: memoryview) -> None:
        """Parse `data`. Never raises for what a server sent; see `problem`."""
        machine = self._machine
        if machine is None:
            return
        self.started = True
        try:
            machine.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.complete:
                self.keep_alive = False
            else:
                self.problem = error

    def take_pieces(self) -> list[bytes]:
        """The body's pieces since the last call; empty when there were none."""
        pieces = self._pieces
        if not pieces:
            return []
        taken = pieces[: self._end_of_pieces]
        pieces.clear()
        return taken

    def end_of_stream(self) -> bool:
        """The connection ended: whether that is the proper end of the response."""
        if self.headers_done and self.close_delimited:
            self.complete = True
        return self.complete

    def release(self) -> None:
        """Drop the machine, which holds this object's methods in turn."""
        self._machine = None

    # What the machine calls.

    def on_message_begin(self) -> None:
        if self.complete:  # something follows the response that was asked for
            self.keep_alive = False
            if self._end_of_pieces is None:
                self._end_of_pieces = len(self._pieces)

    def on_status(self, reason: bytes) -> None:
        if not self.headers_done:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.header_bytes += len(name) + len(value)
        if not self.headers_done:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.headers_done or self._machine is None:
            return
        status = self._machine.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        length = coding = None
        for name, value in self.headers:
            lowered = name.lower()
            if lowered == b"content-length":
                length = value
            elif lowered == b"transfer-encoding":
                coding = value if coding is None else coding + b", " + value
        if coding is not None and coding.strip().lower() != b"chunked":
            raise ValueError(f"its transfer coding {coding!r} was not asked for")
        if status == 101:
            raise ValueError("it switches to a protocol that was not asked for")
        self.status = status
        self.headers_done = True
        if self._head_only:
            # The machine cannot know and waits for a body, so the connection ends with this exchange.
            self.complete = True
            self._end_of_pieces = len(self._pieces)
        else:
            self.close_delimited = length is None and coding is None and status not in (204, 304)

    def on_message_complete(self) -> None:
        if not self.headers_done:  # a 1xx response: the real one follows
            self.headers = []
            self.reason = b""
        elif not self.complete:
            self.complete = True
            self.keep_alive = self._machine is not None and self._machine.should_keep_alive()


def explain(problem: Exception) -> str:
    """A parser's error in words; never empty."""
    if isinstance(problem, httptools.HttpParserCallbackError) and problem.__context__ is not None:
        problem = problem.__context__  # type: ignore[assignment]
    return str(problem) or type(problem).__name__
